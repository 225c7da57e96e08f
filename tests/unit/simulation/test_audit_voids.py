"""The auditor sees a trade that ought to be void and stands, and one that ought to stand and is void."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.modules.market.test_void import deal, decode_trade, street
from tests.world import World, at, interval_at

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import BlockOutcome, apply_block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.genesis import genesis_rows
from gridtokenx.modules.market.state import Trade
from gridtokenx.simulation.auditor import Auditor

HALT_MS = at(11, 58)


def audited(lie: Callable[[BlockOutcome], BlockOutcome], told_ms: int = HALT_MS, block_ms: int = 1_000) -> list[str]:
    """What the auditor says of the block after a halt, when it is told this of it."""
    world: World = street(block_ms)
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    outcome = deal(world, at(11, 54), interval_at(12), interval_at(12, 15))
    assert not auditor.check_block(world.blocks[-1], outcome)
    outcome = world.block(time_ms=HALT_MS)
    return auditor.check_block(msgspec.structs.replace(world.blocks[-1], time_ms=told_ms), lie(outcome))


def records(outcome: BlockOutcome, *trades: Trade) -> BlockOutcome:
    return replace(outcome, trades=tuple(map(encode, trades)))


def changed(outcome: BlockOutcome, **fields: Any) -> BlockOutcome:
    """The first void trade, told otherwise."""
    first, *others = map(decode_trade, outcome.trades)
    return records(outcome, msgspec.structs.replace(first, **fields), *others)


def summed(outcome: BlockOutcome, **fields: Any) -> BlockOutcome:
    return replace(outcome, summary=msgspec.structs.replace(outcome.summary, **fields))


def swapped(outcome: BlockOutcome) -> BlockOutcome:
    return replace(outcome, trades=outcome.trades[::-1])


def test_the_truth_has_no_findings() -> None:
    assert not audited(lambda outcome: outcome)


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (swapped, "ought to stand, or to wait"),
        (records, "went on while trades of it waited"),
        (lambda outcome: replace(outcome, trades=outcome.trades[:1]), "went on while trades of it waited"),
        (lambda outcome: replace(outcome, trades=(*outcome.trades, outcome.trades[0])), "ought to stand"),
        (lambda outcome: changed(outcome, quantity_wh=999), "with another quantity_wh"),
        (lambda outcome: changed(outcome, collateral_micro=0), "with another collateral_micro"),
        (lambda outcome: changed(outcome, voids=1), "trade 1 is void and ought to stand"),
        (lambda outcome: summed(outcome, voided_wh=1_999), "the summary says"),
        (lambda outcome: summed(outcome, voided_micro=0), "the summary says"),
    ],
)
def test_a_lie_about_what_is_void_is_found(lie: Callable[[BlockOutcome], BlockOutcome], found: str) -> None:
    assert any(found in finding for finding in audited(lie))


def test_a_clock_that_was_not_stale_voids_nothing() -> None:
    assert any("ought to stand" in finding for finding in audited(lambda outcome: outcome, told_ms=at(11, 55)))


def test_a_ledger_that_forgets_the_rule_is_found() -> None:
    world = street()
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    outcome = deal(world, at(11, 54), interval_at(12))
    assert not auditor.check_block(world.blocks[-1], outcome)
    forgetful = replace(CONSORTIUM, modules=tuple(replace(module, void=None) for module in CONSORTIUM.modules))
    block = msgspec.structs.replace(world.blocks[-1], height=2, time_ms=HALT_MS, batches=())
    outcome = apply_block(forgetful, world.state, world.commitment, block, trades_before=lambda: world.trades)
    assert any("went on while trades of it waited" in finding for finding in auditor.check_block(block, outcome))
