"""Double signing: who is suspended for it, what it costs and when, and how an appeal gives it back (A7)."""

import msgspec
import pytest
from tests.consortium import STAKE_MICRO, TERMS, Consortium, consensus_key, node_id
from tests.invariants import Watch
from tests.world import pseudonym

from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.authority.messages import Act, Propose, RotatedKey, Withdraw
from gridtokenx.modules.authority.state import MISDEEDS, PENALTIES

SLASHED_MICRO = STAKE_MICRO * TERMS.slash_ppm // 1_000_000


@pytest.fixture
def consortium() -> Consortium:
    consortium = Consortium()
    Watch(consortium.world)
    consortium.blocks(2)
    return consortium


def double_signs(consortium: Consortium, name: str, height: int = 1, generation: int = 0) -> int:
    """Consensus proves it of one of the member's keys; when."""
    address = address_of(consensus_key(name, generation).keys[0])
    consortium.block(misbehaviour=(Misbehaviour(1, address, height, 1, 100, 10),))
    return consortium.world.time_ms


def money(consortium: Consortium, name: str) -> tuple[int, int]:
    """Balance and hold, in stakes."""
    account = consortium.world.account(name)
    return account.balance_micro, account.held_micro


def reinstate(consortium: Consortium, name: str) -> str:
    number = consortium.propose("erc", Act.REINSTATE, name)
    return consortium.vote(number, "egat-hq", "mea-hq", "techno", "province", "bank-one")


def test_who_signs_twice_is_out_at_once(consortium: Consortium) -> None:
    double_signs(consortium, "ipp")
    assert consortium.standing("ipp") == "SUSPENDED"
    assert not consortium.votes("ipp")
    assert not consortium.world.state.rows[NODES.prefix][node_id("ipp")].licensed
    assert consortium.do("ipp", Withdraw()) == "STANDING_WRONG"
    assert len(consortium.world.state.rows[MISDEEDS.prefix]) == 1


@pytest.mark.parametrize("standing", ["rotated", "reserve"])
def test_a_key_that_was_given_up_and_one_of_a_reserve_count_as_well(standing: str) -> None:
    consortium = Consortium(TERMS if standing == "rotated" else msgspec.structs.replace(TERMS, seats_max=10))
    Watch(consortium.world)
    consortium.blocks(2)
    name = "ipp"
    if standing == "rotated":
        assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS)) == "OK"
    else:
        consortium.admit("newcomer")
        name = "newcomer"
        assert consortium.standing(name) == "RESERVE"
    double_signs(consortium, name)
    assert consortium.standing(name) == "SUSPENDED"
    assert not consortium.votes(name)


def test_the_part_is_held_until_the_appeal_is_over_then_the_fee_pool_has_it(consortium: Consortium) -> None:
    proved_ms = double_signs(consortium, "ipp")
    assert money(consortium, "ipp") == (10 * STAKE_MICRO, STAKE_MICRO)
    assert consortium.member("ipp").stake_micro == STAKE_MICRO - SLASHED_MICRO
    pool = money(consortium, "fee-pool")
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms - 1)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO, STAKE_MICRO)
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO - SLASHED_MICRO, STAKE_MICRO - SLASHED_MICRO)
    assert money(consortium, "fee-pool") == (pool[0] + SLASHED_MICRO, pool[1])


def test_reinstated_in_time_it_has_its_stake_again(consortium: Consortium) -> None:
    double_signs(consortium, "ipp")
    assert reinstate(consortium, "ipp") == "CARRIED"
    assert (consortium.standing("ipp"), consortium.votes("ipp")) == ("SEATED", True)
    assert consortium.world.state.rows[NODES.prefix][node_id("ipp")].licensed
    assert consortium.member("ipp").stake_micro == STAKE_MICRO
    consortium.world.skip_to(consortium.world.time_ms + TERMS.appeal_ms + 1)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO, STAKE_MICRO)


def test_reinstated_later_it_is_back_without_that_part(consortium: Consortium) -> None:
    proved_ms = double_signs(consortium, "ipp")
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    assert reinstate(consortium, "ipp") == "CARRIED"
    assert consortium.standing("ipp") == "SEATED"
    assert consortium.member("ipp").stake_micro == STAKE_MICRO - SLASHED_MICRO
    assert consortium.do("erc", Propose(int(Act.REINSTATE), pseudonym("ipp"), b"")) == "STANDING_WRONG"


def test_it_is_punished_once_however_often_it_is_proved(consortium: Consortium) -> None:
    proved_ms = double_signs(consortium, "ipp")
    double_signs(consortium, "ipp")
    double_signs(consortium, "ipp", height=2)
    assert len(consortium.world.state.rows[MISDEEDS.prefix]) == 2
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    double_signs(consortium, "ipp", height=3)
    assert money(consortium, "ipp")[0] == 10 * STAKE_MICRO - SLASHED_MICRO
    # Old evidence against who is back is old.
    assert reinstate(consortium, "ipp") == "CARRIED"
    double_signs(consortium, "ipp", height=3)
    assert consortium.standing("ipp") == "SEATED"
    double_signs(consortium, "ipp", height=4)
    assert consortium.standing("ipp") == "SUSPENDED"


def test_who_leaves_in_time_answers_still(consortium: Consortium) -> None:
    assert consortium.do("ipp", Withdraw()) == "OK"
    left_ms = consortium.world.time_ms
    consortium.world.skip_to(left_ms + TERMS.appeal_ms - 1_000)
    proved_ms = double_signs(consortium, "ipp")
    assert consortium.standing("ipp") == "LEFT"
    consortium.world.skip_to(left_ms + TERMS.appeal_ms + 2)
    assert money(consortium, "ipp")[1] == STAKE_MICRO  # all of it waits for the penalty
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO - SLASHED_MICRO, STAKE_MICRO - SLASHED_MICRO)
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms + 60_001)
    assert (consortium.standing("ipp"), money(consortium, "ipp")[1]) == ("unknown", 0)
    double_signs(consortium, "ipp", height=2)  # nothing left to take, and nothing breaks
    assert consortium.world.state.rows[PENALTIES.prefix] == {}


def test_a_suspended_member_is_removed_and_loses_no_less(consortium: Consortium) -> None:
    proved_ms = double_signs(consortium, "ipp")
    number = consortium.propose("erc", Act.REMOVE, "ipp")
    assert consortium.vote(number, "egat-hq", "mea-hq", "techno") == "CARRIED"
    removed_ms = consortium.world.time_ms
    assert consortium.do("erc", Propose(int(Act.REINSTATE), pseudonym("ipp"), b"")) == "STANDING_WRONG"
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    assert money(consortium, "ipp")[0] == 10 * STAKE_MICRO - SLASHED_MICRO
    consortium.world.skip_to(removed_ms + TERMS.appeal_ms + 1)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO - SLASHED_MICRO, 0)


@pytest.mark.parametrize("slash_ppm", [0, 1_000_000])
def test_nothing_and_everything_can_be_at_stake(slash_ppm: int) -> None:
    consortium = Consortium(msgspec.structs.replace(TERMS, slash_ppm=slash_ppm))
    watch = Watch(consortium.world)
    consortium.blocks(2)
    proved_ms = double_signs(consortium, "ipp")
    lost = STAKE_MICRO * slash_ppm // 1_000_000
    consortium.world.skip_to(proved_ms + TERMS.appeal_ms)
    assert money(consortium, "ipp") == (10 * STAKE_MICRO - lost, STAKE_MICRO - lost)
    assert reinstate(consortium, "ipp") == "CARRIED"
    double_signs(consortium, "ipp", height=2)
    assert len(consortium.world.state.rows[PENALTIES.prefix]) == 0
    watch.finish()


def test_a_reinstated_member_finds_its_seat_taken() -> None:
    consortium = Consortium(msgspec.structs.replace(TERMS, seats_max=10))
    Watch(consortium.world)
    consortium.blocks(2)
    double_signs(consortium, "province")
    consortium.admit("newcomer")
    assert consortium.votes("newcomer")
    number = consortium.propose("erc", Act.REINSTATE, "province")
    assert consortium.vote(number, "egat-hq", "mea-hq", "ipp", "bank-one", "techno", "newcomer") == "CARRIED"
    assert (consortium.standing("province"), consortium.votes("province")) == ("RESERVE", False)
