"""Hypothesis strategies for what the members of a consortium ask, as `messages`; and what a lively consortium is."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from tests.consortium import (
    SEATED,
    STAKE_MICRO,
    TERMS,
    add_members,
    application_of,
    consensus_key,
    node_key,
    observation_of,
    rotation_to,
)
from tests.world import NODE_ID, Founding, World, pseudonym, signer

from gridtokenx.ledger.codec import Message, Record, encode
from gridtokenx.ledger.header import last_block
from gridtokenx.modules.authority import messages as authority
from gridtokenx.modules.authority.messages import Act, NodeLicence, Replacement, RotatedKey
from gridtokenx.modules.authority.state import CHECKPOINTS, Checkpoint
from gridtokenx.modules.identity.messages import Licence

NEWCOMERS = ("newcomer", "second", "third")
PARTIES = (*SEATED, *NEWCOMERS)
CHECKPOINT = Checkpoint(b"\x05" * 32)

numbers = st.integers(0, 5) | st.integers(0, 255)
organisations = st.sampled_from(PARTIES)
identifiers = organisations.map(pseudonym) | st.sampled_from([b"", NODE_ID]) | st.binary(max_size=8)


def found(founding: Founding, *, members: bool) -> None:
    """The organisations, with a consortium or without one."""
    if members:
        add_members(founding, TERMS, SEATED)
    for name in NEWCOMERS if members else PARTIES:
        founding.add_account(name, signer(name, 2, 3), 10 * STAKE_MICRO, Licence.NONE)


def enliven(world: World) -> None:
    """Candidates with all that they need and with nothing; proposals that wait for one vote; a checkpoint."""
    for name in NEWCOMERS[:2]:
        world.do(name, application_of(name))
    world.do("erc", authority.Attest(pseudonym("newcomer")))
    for name in ("egat-hq", "ipp"):
        world.do(name, authority.Endorse(pseudonym("newcomer")))
    number = world.do("mea-hq", authority.Propose(Act.REMOVE, pseudonym("bank-one"), b"")).results[0][0]
    for name in ("egat-hq", "ipp", "erc"):
        world.do(name, authority.Vote(number, yes=True))
    world.do("sec", authority.Propose(Act.FREEZE, b"", b""))
    height = last_block(world.state).height
    world.state.put(CHECKPOINTS, height.to_bytes(8, "big"), CHECKPOINT)


@st.composite
def applications(draw: st.DrawFn) -> authority.Apply:
    """Mostly sound; now and then with another's name, keys or number."""
    application = application_of(draw(organisations), *draw(st.tuples(numbers, numbers)))
    if draw(st.integers(0, 3)):
        return application
    changes: list[dict[str, Any]] = [
        {"node_signature": bytes(64)},
        {"tax_id": "0" * 13},
        {"tax_id": "ก" * 13},
        {"zone": draw(numbers)},
        {"stake_micro": draw(st.integers(0, 2**62))},
        {"name": draw(st.text(min_size=1, max_size=120))},
    ]
    return msgspec.structs.replace(application, **draw(st.sampled_from(changes)))


@st.composite
def observations(draw: st.DrawFn, height: int) -> authority.Observed:
    """Mostly of the checkpoint."""
    name = draw(organisations)
    by = node_key(draw(st.just(name) | organisations))
    heights = st.just(height) | st.integers(0, 2**62)
    return observation_of(name, draw(heights), draw(st.sampled_from([CHECKPOINT.header_hash, bytes(32)])), by)


@st.composite
def rotations(draw: st.DrawFn, name: str | None = None) -> authority.RotateKey:
    """To a key of the member's own, rarely to another's. (Seven is no favourite of Hypothesis, as the ends of a range
    are.)"""
    owner = draw(organisations) if name is None else name
    rotation = rotation_to(owner, draw(st.sampled_from(RotatedKey)), draw(st.integers(0, 3)))
    return rotation if draw(st.integers(0, 11)) != 7 else msgspec.structs.replace(rotation, member=pseudonym("erc"))


@st.composite
def proposals(draw: st.DrawFn, accounts: dict[str, bytes]) -> authority.Propose:
    """Mostly with what the act needs."""
    act = draw(st.sampled_from(Act))
    about = act in (Act.ADMIT, Act.REMOVE, Act.REINSTATE, Act.REPLACE)
    name = draw(organisations)
    subject = pseudonym(name) if about else NODE_ID if act == Act.LICENSE else b""
    values: dict[Act, Record] = {
        Act.SET_TERMS: msgspec.structs.replace(
            TERMS, **{draw(st.sampled_from(TERM_NAMES)): draw(st.integers(0, 50) | st.integers(0, 2**62))}
        ),
        Act.LICENSE: NodeLicence(signer("spare").keys[0], draw(st.booleans())),
        Act.REPLACE: Replacement(accounts[name], node_key(name, 4).keys[0], consensus_key(name, 4).keys[0]),
    }
    value = encode(values[act]) if act in values else b""
    ask = authority.Propose(int(act), subject, value)
    if draw(st.integers(0, 5)):
        return ask
    changes: list[dict[str, Any]] = [
        {"act": draw(numbers)},
        {"subject": draw(identifiers)},
        {"value": draw(st.binary(max_size=512))},
    ]
    return msgspec.structs.replace(ask, **draw(st.sampled_from(changes)))


TERM_NAMES = tuple(name for name in TERMS.__struct_fields__ if name != "group_seats")


def fitting(draw: st.DrawFn, sender: str, message: Message) -> Message:
    """Most of what only its sender can ask is asked by the right one."""
    if not draw(st.integers(0, 3)):
        return message
    if isinstance(message, authority.Apply):
        return application_of(sender)
    return draw(rotations(sender)) if isinstance(message, authority.RotateKey) else message
