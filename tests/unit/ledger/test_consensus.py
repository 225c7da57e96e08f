"""When a clock was stale, and what becomes of a module that fails over it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.modules.market.test_void import deal, street
from tests.world import NODE_ID, World, at, interval_at

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import GenesisBuilder
from gridtokenx.ledger import schedule
from gridtokenx.ledger.block import Block, apply_block
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY, VOID_STALE, ConsensusTerms, is_stale
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.header import LastBlock
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.state import State


@pytest.mark.parametrize(
    ("block_ms", "limit_ms"), [(1, 60_000), (500, 60_000), (1_000, 60_000), (6_000, 60_000), (6_001, 60_010)]
)
def test_stale_is_more_than_ten_blocks_and_more_than_a_minute(block_ms: int, limit_ms: int) -> None:
    state = State()
    state.put(CONSENSUS, CONSENSUS_KEY, ConsensusTerms(block_ms))
    assert not is_stale(state, 5, 5 + limit_ms)
    assert is_stale(state, 5, 5 + limit_ms + 1)


def test_without_a_consensus_no_clock_is_stale() -> None:
    assert not is_stale(State(), 0, 10**12)


@pytest.mark.parametrize("block_ms", [0, -1])
def test_a_genesis_refuses_blocks_without_time_between_them(block_ms: int) -> None:
    with pytest.raises(ValueError, match="ms apart"):
        GenesisBuilder("chain", at(10)).set_consensus(block_ms)


def failing_chain() -> Chain:
    """The consortium with a bug in how the first module answers a stale clock."""

    def fail(state: State, context: Context, before: LastBlock, trades: Sequence[bytes]) -> None:
        raise ZeroDivisionError

    first, *others = CONSORTIUM.modules
    return replace(CONSORTIUM, modules=(replace(first, void=fail), *others))


def test_a_bug_in_one_module_is_set_aside_and_the_others_do_their_part() -> None:
    world: World = street()
    deal(world, at(11, 54), interval_at(12))
    block = Block(2, at(11, 58), NODE_ID, ())
    outcome = apply_block(failing_chain(), world.state, world.commitment, block, trades_before=lambda: world.trades)
    assert outcome.summary.voided_wh == 2_000
    assert len(outcome.alarms) == 1 and "ZeroDivisionError" in outcome.alarms[0]
    ((key, record),) = world.state.items(schedule.SET_ASIDE)
    assert (key[8], key[9:], record.height) == (VOID_STALE, b"identity", 2)
