"""As `codes_reached`, for the codes that only a chain with a consortium has: one small case for each."""

from collections.abc import Callable
from typing import Any

import msgspec
from tests.consortium import (
    STAKE_MICRO,
    TERMS,
    Consortium,
    consensus_key,
    node_id,
    node_key,
    tax_id,
)
from tests.world import WATT, Founding, pseudonym, signer

from gridtokenx.ledger import limits
from gridtokenx.ledger.codec import Message, Record, encode
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    Endorse,
    NodeLicence,
    Propose,
    RotatedKey,
    SetNode,
    Vote,
)
from gridtokenx.modules.authority.state import MEMBERS
from gridtokenx.modules.tokens.messages import Transfer

Case = Callable[[Consortium], str]


def fresh_consortium() -> Consortium:
    """Ten members with seats, three organisations that may apply, and two homes."""
    return Consortium()


def propose(c: Consortium, who: str, act: int, subject: str = "", value: Record | None = None) -> str:
    """The code that came of proposing."""
    return c.do(who, Propose(act, pseudonym(subject) if subject else b"", encode(value) if value else b""))


def freeze(c: Consortium) -> None:
    """The market is stopped."""
    number = c.propose("sec", Act.FREEZE)
    assert c.vote(number, "central-bank") == "CARRIED"


def _frozen(c: Consortium) -> str:
    freeze(c)
    return c.do("alice", Transfer(c.world.accounts["bob"], WATT))


def _no_consortium(c: Consortium) -> str:
    founding = Founding()
    founding.add_home("alice")
    return founding.start().code("alice", Vote(1, yes=True))


def _apply(c: Consortium, **changes: Any) -> str:
    return c.do("newcomer", c.application("newcomer", **changes))


def _members_exceeded(c: Consortium) -> str:
    for number in range(limits.MEMBERS_MAX):
        c.world.state.put(MEMBERS, number.to_bytes(8, "big"), c.member("erc"))
    return _apply(c)


def _consensus_key_taken(c: Consortium) -> str:
    return c.do("newcomer", c.application("newcomer", keys=(node_key("newcomer"), consensus_key("erc"))))


def _after(c: Consortium, who: str, first: Message, second: Message) -> str:
    assert c.do(who, first) == "OK"
    return c.do(who, second)


def _checkpoint_wrong(c: Consortium) -> str:
    assert _apply(c) == "OK"
    c.blocks(TERMS.checkpoint_blocks)
    observed = c.observation("newcomer")
    c.blocks(TERMS.checkpoint_blocks)
    return c.do("alice", observed)


def _admit(c: Consortium, endorsers: tuple[str, ...] = (), *, attested: bool = True) -> str:
    """Proposing a candidate that shows no more than this."""
    assert _apply(c) == "OK"
    if attested:
        assert c.do("erc", Attest(pseudonym("newcomer"))) == "OK"
    for endorser in endorsers:
        assert c.do(endorser, Endorse(pseudonym("newcomer"))) == "OK"
    return propose(c, "erc", Act.ADMIT, "newcomer")


def _proposal_closed(c: Consortium) -> str:
    number = c.propose("sec", Act.FREEZE)
    assert c.vote(number, "central-bank") == "CARRIED"
    return c.do("ieat", Vote(number, yes=True))


def _proposals_exceeded(c: Consortium) -> str:
    for number in range(limits.PROPOSALS_OF_MEMBER_MAX):
        licence = NodeLicence(signer(f"gateway {number}").keys[0], licensed=True)
        assert propose(c, "erc", Act.LICENSE, f"gateway {number}", licence) == "OK"
    return propose(c, "erc", Act.REMOVE, "ipp")


def _twice(c: Consortium, who: str, act: Act, subject: str = "") -> str:
    assert propose(c, who, act, subject) == "OK"
    return propose(c, who, act, subject)


def _frozen_already(c: Consortium) -> str:
    freeze(c)
    return propose(c, "sec", Act.FREEZE)


MEMBER_CASES: dict[str, Case] = {
    "FROZEN": _frozen,
    "CONSORTIUM_DECIDES": lambda c: c.do("authority", SetNode(pseudonym("x"), signer("spare").keys[0], licensed=True)),
    "NO_CONSORTIUM": _no_consortium,
    "NOT_A_MEMBER": lambda c: c.do("alice", Vote(1, yes=True)) if c.propose("sec", Act.FREEZE) == 1 else "",
    "MEMBER_UNKNOWN": lambda c: c.do("erc", Attest(pseudonym("nobody"))),
    "MEMBER_EXISTS": lambda c: _after(c, "newcomer", c.application("newcomer"), c.application("newcomer")),
    "MEMBERS_EXCEEDED": _members_exceeded,
    "TAX_ID_INVALID": lambda c: _apply(c, tax_id="0" * 13),
    "TAX_ID_TAKEN": lambda c: _apply(c, tax_id=tax_id("erc")),
    "GROUP_UNKNOWN": lambda c: _apply(c, group=9),
    "STAKE_TOO_LOW": lambda c: _apply(c, stake_micro=STAKE_MICRO - 1),
    "CONSENSUS_KEY_TAKEN": _consensus_key_taken,
    "POWER_MISSING": lambda c: propose(c, "erc", Act.FREEZE),
    "STANDING_WRONG": lambda c: c.do("erc", Attest(pseudonym("ipp"))),
    "SAID_ALREADY": lambda c: (
        _apply(c),
        _after(c, "erc", Attest(pseudonym("newcomer")), Attest(pseudonym("newcomer"))),
    )[1],
    "CHECKPOINT_WRONG": _checkpoint_wrong,
    "NOT_ATTESTED": lambda c: _admit(c, attested=False),
    "NOT_ENDORSED": lambda c: _admit(c, ("egat-hq", "mea-hq")),
    "NOT_OBSERVED": lambda c: _admit(c, ("egat-hq", "ipp")),
    "ACT_UNKNOWN": lambda c: propose(c, "erc", 99),
    "PROPOSAL_UNKNOWN": lambda c: c.do("erc", Vote(1, yes=True)),
    "PROPOSAL_CLOSED": _proposal_closed,
    "PROPOSAL_MALFORMED": lambda c: propose(c, "erc", Act.REMOVE),
    "PROPOSAL_REPEATED": lambda c: _twice(c, "erc", Act.REMOVE, "ipp"),
    "PROPOSALS_EXCEEDED": _proposals_exceeded,
    "TERMS_OUT_OF_BOUNDS": lambda c: propose(
        c, "erc", Act.SET_TERMS, value=msgspec.structs.replace(TERMS, seat_power=0)
    ),
    "ROTATION_TOO_SOON": lambda c: _after(
        c, "erc", c.rotation("erc", RotatedKey.NODE), c.rotation("erc", RotatedKey.CONSENSUS)
    ),
    "MARKET_FROZEN_ALREADY": _frozen_already,
    "MARKET_NOT_FROZEN": lambda c: propose(c, "sec", Act.RESUME),
    "NODE_TAKEN": lambda c: _apply(c, node=node_id("erc")),
}
"""By the code's name."""
