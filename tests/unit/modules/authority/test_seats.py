"""How the validator set follows the members: caps in a block and in an epoch, the floor, keys that are replaced."""

import msgspec
import pytest
from tests.caps import Seats
from tests.consortium import SEATED, TERMS, Consortium
from tests.invariants import Watch
from tests.world import pseudonym

from gridtokenx.ledger import limits
from gridtokenx.ledger.schedule import SET_ASIDE
from gridtokenx.ledger.validator import VALIDATORS, Misbehaviour, address_of
from gridtokenx.modules.authority.messages import Act, Attest, Group, RotatedKey, Tier, Vote, Withdraw
from gridtokenx.modules.authority.state import EPOCH, THE_ONE, ConsortiumTerms


def made(terms: ConsortiumTerms = TERMS, **more: object) -> Consortium:
    consortium = Consortium(terms, **more)  # type: ignore[arg-type]
    Watch(consortium.world)
    Seats(consortium)
    consortium.blocks(2)
    return consortium


def other_terms(**changes: object) -> ConsortiumTerms:
    return msgspec.structs.replace(TERMS, **changes)


def proved(consortium: Consortium, *names: str) -> tuple[Misbehaviour, ...]:
    keys = [consortium.member(name).consensus_key for name in names]
    return tuple(Misbehaviour(1, address_of(key), 1, 1, 100, 10) for key in keys)


def voting(consortium: Consortium) -> set[str]:
    return {name for name in SEATED if consortium.standing(name) != "unknown" and consortium.votes(name)}


def test_leaving_members_go_by_the_limit_of_the_epoch_and_none_is_forgotten() -> None:
    consortium = made()
    leaving = ["egat-hq", "ipp", "bank-one", "techno", "province", "ieat"]
    consortium.run(*(consortium.world.sign(name, Withdraw()) for name in leaving))
    assert len(voting(consortium)) == 7  # three may go, and three are less than a third of ten
    consortium.blocks(20)
    assert len(voting(consortium)) == 4
    consortium.blocks(20)
    # The floor: three stay, whoever else wants to go.
    assert len(consortium.world.state.rows[VALIDATORS.prefix]) == TERMS.seats_min + 1 == 4
    assert {consortium.standing(name) for name in leaving} == {"LEFT"}


def test_the_floor_holds_who_leaves_until_others_come() -> None:
    consortium = made(other_terms(seats_min=10))
    consortium.blocks(2)
    assert consortium.do("province", Withdraw()) == "OK"
    consortium.blocks(45)
    assert consortium.votes("province")
    consortium.admit("newcomer")
    consortium.blocks(5)
    assert consortium.votes("newcomer") and not consortium.votes("province")


def test_two_rounds_in_one_block_stay_within_a_third() -> None:
    """What waited is tried before a block's transactions, what they ask for after them: once a block seats change."""
    consortium = made(other_terms(epoch_changes=10))
    leaving = ["egat-hq", "ipp", "techno", "province"]
    consortium.run(*(consortium.world.sign(name, Withdraw()) for name in leaving))  # three fit, one waits
    assert len(voting(consortium)) == 7
    more = ["bank-one", "ieat", "central-bank"]
    consortium.run(*(consortium.world.sign(name, Withdraw()) for name in more))
    assert len(voting(consortium)) == 6  # the one that waited, and not two of seven after it
    consortium.blocks(10)
    assert len(voting(consortium)) == 3


def test_who_is_suspended_goes_at_once_whatever_the_epoch_saw() -> None:
    consortium = made()
    leaving = ["egat-hq", "ipp", "bank-one"]
    consortium.run(*(consortium.world.sign(name, Withdraw()) for name in leaving))
    consortium.block(misbehaviour=proved(consortium, "techno"))
    assert not consortium.votes("techno")


def test_many_suspended_at_once_go_a_third_a_block() -> None:
    consortium = made()
    names = ("egat-hq", "ipp", "bank-one", "techno", "sec")
    consortium.block(misbehaviour=proved(consortium, *names))
    assert len(voting(consortium)) == 7
    consortium.blocks(2)
    assert len(voting(consortium)) == 5
    assert not any(consortium.votes(name) for name in names)


def test_a_suspended_seat_waits_at_the_floor() -> None:
    consortium = made(other_terms(seats_min=10))
    consortium.block(misbehaviour=proved(consortium, "techno"))
    consortium.blocks(5)
    assert consortium.votes("techno")
    assert consortium.standing("techno") == "SUSPENDED"


def test_a_replaced_key_leaves_and_comes_in_one_block() -> None:
    consortium = made()
    old = consortium.member("ipp").consensus_key
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS)) == "OK"
    (updates,) = [consortium.world.state.rows[VALIDATORS.prefix]]
    assert address_of(old) not in updates and consortium.votes("ipp")
    assert len(updates) == 10
    # Its conduct goes on: no new key makes bad votes good.
    assert consortium.conduct("ipp").from_height == 0
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS, 2)) == "ROTATION_TOO_SOON"
    consortium.blocks(TERMS.epoch_blocks)
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS, 0)) == "CONSENSUS_KEY_TAKEN"
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS, 2)) == "OK"
    assert consortium.do("erc", consortium.rotation("ipp", RotatedKey.CONSENSUS, 3)) == "NOT_A_MEMBER"


def test_members_that_keep_replacing_keys_hold_nobody_s_seat() -> None:
    """Three who use up every epoch's changes cannot keep one who was removed."""
    consortium = made()
    consortium.blocks(20)
    for generation in (1, 2, 3):
        names = ("egat-hq", "mea-hq", "erc")
        wires = [
            consortium.world.sign(name, consortium.rotation(name, RotatedKey.CONSENSUS, generation)) for name in names
        ]
        assert [receipt.code for receipt in consortium.run(*wires)] == [0, 0, 0]
        if generation == 1:
            assert consortium.do("ieat", Withdraw()) == "OK"
            assert consortium.votes("ieat")
        consortium.blocks(TERMS.epoch_blocks)
    assert not consortium.votes("ieat")
    assert all(consortium.votes(name) for name in ("egat-hq", "mea-hq", "erc"))


def test_a_key_that_is_replaced_twice_before_its_turn_comes_once() -> None:
    consortium = made(other_terms(epoch_changes=1, epoch_blocks=30))
    assert consortium.do("egat-hq", Withdraw()) == "OK"
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS)) == "OK"
    assert not consortium.votes("ipp")
    consortium.blocks(30)
    assert consortium.votes("ipp")
    assert len(consortium.world.state.rows[VALIDATORS.prefix]) == 9


def test_at_the_most_validators_there_may_be_keys_are_replaced_and_seats_exchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "VALIDATORS_MAX", 10)
    consortium = made(other_terms(epoch_changes=1, group_seats=(9, 9, 9, 9, 9), zone_seats=9, seats_max=10))
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS)) == "OK"
    assert consortium.votes("ipp")
    assert consortium.do("techno", Withdraw()) == "OK"  # and waits for the next epoch
    consortium.candidate("newcomer")
    number = consortium.propose("egat-hq", Act.ADMIT, "newcomer")
    assert consortium.vote(number, "mea-hq", "erc", "ipp") == "CARRIED"
    consortium.blocks(60)
    assert consortium.votes("newcomer") and not consortium.votes("techno")
    assert consortium.world.state.rows[SET_ASIDE.prefix] == {}


@pytest.mark.parametrize("power", [1, 1_000, limits.VALIDATOR_POWER_MAX])
def test_all_seats_get_another_power_in_one_block(power: int) -> None:
    """One after the other, those who were first would for a while have most of it."""
    consortium = made()
    number = consortium.propose("egat-hq", Act.SET_TERMS, "", other_terms(seat_power=power))
    wire = consortium.world.sign("mea-hq", Vote(number, True))
    outcome = consortium.block(wire)
    assert sorted(power for _, power in outcome.validator_updates) == [power] * 10
    assert consortium.do("ipp", Withdraw()) == "OK"
    assert not consortium.votes("ipp")


def test_three_validators_take_a_fourth() -> None:
    consortium = made(other_terms(endorsements=0), members={name: SEATED[name] for name in ("egat-hq", "erc", "sec")})
    assert consortium.do("newcomer", consortium.application("newcomer")) == "OK"
    assert consortium.do("erc", Attest(pseudonym("newcomer"))) == "OK"
    consortium.observe("newcomer", 15)
    assert consortium.vote(consortium.propose("erc", Act.ADMIT, "newcomer"), "egat-hq") == "CARRIED"
    assert consortium.votes("newcomer")


def test_seats_are_counted_in_all_in_a_group_and_in_a_zone() -> None:
    for terms, more, standing in (
        (TERMS, {}, "SEATED"),
        (other_terms(seats_max=10), {}, "RESERVE"),
        (other_terms(group_seats=(6, 1, 4, 3, 2)), {}, "RESERVE"),
        (other_terms(group_seats=(6, 1, 4, 3, 2)), {"group": Group.FINANCE}, "SEATED"),
        (other_terms(zone_seats=3), {}, "RESERVE"),
        (other_terms(zone_seats=4), {}, "SEATED"),
    ):
        consortium = made(terms)
        consortium.admit("newcomer", tier=Tier.SECONDARY, **more)  # type: ignore[arg-type]
        assert consortium.standing("newcomer") == standing
        assert consortium.votes("newcomer") == (standing == "SEATED")


def test_the_epoch_is_written_only_when_something_happens() -> None:
    consortium = made()
    before = consortium.world.state.rows[EPOCH.prefix].get(THE_ONE)
    consortium.blocks(3)
    assert consortium.world.state.rows[EPOCH.prefix].get(THE_ONE) is before
