"""Every power of every tier, tried by every tier: against `powers.RULES`, and against a table written out here (A4)."""

from itertools import product

import msgspec
import pytest
from tests.consortium import TERMS, Consortium, consensus_key, node_key
from tests.world import pseudonym, signer

from gridtokenx.ledger.codec import Message, Record, encode
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    Endorse,
    NodeLicence,
    Propose,
    Replacement,
    RotatedKey,
    Tier,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.powers import ATTESTS, ENDORSES, RULES

SPEAKER = {Tier.PRIMARY: "mea-hq", Tier.SECONDARY: "ipp", Tier.TECHNICAL: "techno", Tier.EMERGENCY: "sec"}
"""One member of each tier."""

TABLE = """
ADMIT      primary secondary            | primary secondary technical | 4 of 7
REMOVE     primary                      | primary secondary technical | 5 of 7
REINSTATE  primary secondary technical  | primary secondary technical | 5 of 7
SET_TERMS  primary                      | primary                     | 2 of 3
LICENSE    primary technical            | primary technical           | 3 of 5
FREEZE     emergency                    | emergency                   | 2 of 3
RESUME     emergency                    | emergency                   | 2 of 3
REPLACE    emergency                    | emergency                   | 2 of 3
"""
"""Who proposes, who votes, and how many of the founders' votes carry it; a member has none on itself."""


def tiers(text: str) -> set[Tier]:
    return {Tier[name.upper()] for name in text.split()}


def rows() -> dict[Act, tuple[set[Tier], set[Tier], int, int]]:
    table = {}
    for line in TABLE.strip().splitlines():
        first, voters, share = line.split("|")
        name, _, proposers = first.partition(" ")
        needed, among = share.split(" of ")
        table[Act[name]] = tiers(proposers), tiers(voters), int(needed), int(among)
    return table


def test_the_table_is_the_rules() -> None:
    for act, (proposers, voters, needed, among) in rows().items():
        assert (RULES[act].proposers, RULES[act].voters) == (proposers, voters)
        assert RULES[act].needs(among) == needed
    assert rows().keys() == RULES.keys() == set(Act)
    assert {Tier.PRIMARY} == ATTESTS
    assert set(Tier) - {Tier.EMERGENCY} == ENDORSES


def prepared(act: Act) -> tuple[Consortium, Propose]:
    """A consortium in which the act could be done, and the proposal. The subject is no speaker of its tier."""
    consortium = Consortium()
    consortium.blocks(2)
    subject, value = b"", b""
    records: dict[Act, Record] = {
        Act.SET_TERMS: msgspec.structs.replace(TERMS, epoch_changes=2),
        Act.LICENSE: NodeLicence(signer("gateway").keys[0], True),
        Act.REPLACE: Replacement(
            consortium.member("bank-one").account, node_key("bank-one", 1).keys[0], consensus_key("bank-one", 1).keys[0]
        ),
    }
    if act == Act.ADMIT:
        consortium.candidate("newcomer")
        subject = pseudonym("newcomer")
    elif act in (Act.REMOVE, Act.REPLACE):
        subject = pseudonym("bank-one")
    elif act == Act.REINSTATE:
        address = address_of(consortium.member("bank-one").consensus_key)
        consortium.block(misbehaviour=(Misbehaviour(1, address, 1, 1, 100, 10),))
        subject = pseudonym("bank-one")
    elif act == Act.LICENSE:
        subject = pseudonym("gateway")
    elif act == Act.RESUME:
        number = consortium.propose("sec", Act.FREEZE)
        assert consortium.vote(number, "ieat") == "CARRIED"
    if act in records:
        value = encode(records[act])
    return consortium, Propose(int(act), subject, value)


@pytest.mark.parametrize(("act", "tier"), list(product(Act, Tier)), ids=lambda item: item.name)
def test_who_proposes(act: Act, tier: Tier) -> None:
    consortium, ask = prepared(act)
    proposers = rows()[act][0]
    assert consortium.do(SPEAKER[tier], ask) == ("OK" if tier in proposers else "POWER_MISSING")


@pytest.mark.parametrize(("act", "tier"), list(product(Act, Tier)), ids=lambda item: item.name)
def test_who_votes(act: Act, tier: Tier) -> None:
    consortium, ask = prepared(act)
    proposers, voters, *_ = rows()[act]
    proposer = {Tier.PRIMARY: "erc", Tier.EMERGENCY: "central-bank"}[min(proposers)]
    assert consortium.do(proposer, ask) == "OK"
    number = max(consortium.numbers())
    assert consortium.do(SPEAKER[tier], Vote(number, True)) == ("OK" if tier in voters else "POWER_MISSING")


@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.name)
def test_who_attests_and_endorses(tier: Tier) -> None:
    consortium = Consortium()
    assert consortium.do("newcomer", consortium.application("newcomer")) == "OK"
    attests, endorses = tier == Tier.PRIMARY, tier != Tier.EMERGENCY
    asks: tuple[tuple[Message, bool], ...] = (
        (Attest(pseudonym("newcomer")), attests),
        (Endorse(pseudonym("newcomer")), endorses),
    )
    for ask, may in asks:
        assert consortium.do(SPEAKER[tier], ask) == ("OK" if may else "POWER_MISSING")
        assert not may or consortium.do(SPEAKER[tier], ask) == "SAID_ALREADY"


def test_who_is_no_member_or_not_admitted_has_no_power() -> None:
    consortium = Consortium()
    consortium.blocks(2)
    assert consortium.do("newcomer", consortium.application("newcomer", tier=Tier.PRIMARY)) == "OK"
    address = address_of(consortium.member("ipp").consensus_key)
    consortium.block(misbehaviour=(Misbehaviour(1, address, 1, 1, 100, 10),))
    remove = Propose(int(Act.REMOVE), pseudonym("techno"), b"")
    number = consortium.propose("mea-hq", Act.REMOVE, "techno")
    for name, code in (("alice", "NOT_A_MEMBER"), ("newcomer", "STANDING_WRONG"), ("ipp", "STANDING_WRONG")):
        asks = (Attest(pseudonym("newcomer")), Endorse(pseudonym("newcomer")), remove, Vote(number, True))
        for ask in asks:
            assert consortium.do(name, ask) == code
        if name != "newcomer":
            assert consortium.do(name, consortium.rotation(name, RotatedKey.NODE)) == code
            assert consortium.do(name, Withdraw()) == code


def test_shares() -> None:
    """Ties do not carry where more than half is needed; where two thirds are, exactly two thirds do."""
    more_than_half, two_thirds = RULES[Act.ADMIT], RULES[Act.REMOVE]
    assert [more_than_half.needs(count) for count in range(1, 9)] == [1, 2, 2, 3, 3, 4, 4, 5]
    assert [two_thirds.needs(count) for count in range(1, 10)] == [1, 2, 2, 3, 4, 4, 5, 6, 6]
    for count in range(100):
        assert 2 * more_than_half.needs(count) > count >= 2 * (more_than_half.needs(count) - 1)
        assert 3 * two_thirds.needs(count) >= 2 * count
        assert count == 0 or 3 * (two_thirds.needs(count) - 1) < 2 * count
