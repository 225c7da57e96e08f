"""The auditor's look at bands, on a copy made by hand: two zones with a feeder and a home each, tariff 4.20 and
buy-back 2.20 by the default terms, so a first reference of 3.20 and, at half of it, a band from 1.60 to 4.80."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.world import buy, pseudonym

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger.block import Block
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.schedule import SCHEDULE
from gridtokenx.modules.grid.state import LINK_REOPENED
from gridtokenx.modules.identity.state import FEEDERS, PORTFOLIOS, Feeder, Portfolio, feeder_key
from gridtokenx.modules.market import state
from gridtokenx.modules.market.messages import HaltReason, Side
from gridtokenx.modules.market.state import (
    CLOSE_GATE,
    EXPIRE_ORDER,
    HALTS,
    INTERVALS,
    ORDERS,
    REFERENCES,
    Halted,
    HaltStage,
    Interval,
    Phase,
    Trade,
    terms_key,
    zone_interval_key,
)
from gridtokenx.simulation.audit_bands import BandAudit
from gridtokenx.simulation.auditor import WATCHED

NUMBER, TIME_MS = 1_978_100, 10**12
TERMS = replace(DEFAULT_TERMS, band_ppm=500_000, buy_back_micro=2_200_000, tick_micro=1_000)
INTERVAL = Interval(1, 4_200_000, TIME_MS * 2, Phase.TRADING)


def audit(*ending: int, rested: bool = True) -> BandAudit:
    """Of a block in which the halts of these zones end, and whose trades are of orders that rested before, or not."""
    copy: dict[int, dict[bytes, Any]] = {table.prefix: {} for table in WATCHED}
    for zone in (1, 2):
        copy[FEEDERS.prefix][feeder_key(zone * 10)] = Feeder(zone, "")
        name = pseudonym(f"home {zone}")
        copy[PORTFOLIOS.prefix][name] = Portfolio(bytes(32), name, zone * 10, 0, (0,) * 7, b"")
    if rested:
        copy[ORDERS.prefix][bytes(40)] = "an order"
    copy[INTERVALS.prefix][interval_key(NUMBER)] = INTERVAL
    copy[state.TERMS.prefix][terms_key(INTERVAL.terms)] = TERMS
    for zone in ending:
        halted = Halted(1, TIME_MS, HaltReason.BAND, HaltStage.COLLECTING, False, b"")
        copy[HALTS.prefix][zone_interval_key(NUMBER, zone)] = halted
    assert not copy[REFERENCES.prefix]
    found = BandAudit(copy)
    found.begin_block(Block(2, TIME_MS, bytes(8), ()), ())
    return found


def objections(found: BandAudit, price_micro: int, resting_micro: int, zones: tuple[int, int] = (1, 1)) -> list[str]:
    """To a purchase that met a sale which rested at this limit."""
    seller, buyer = (pseudonym(f"home {zone}") for zone in zones)
    return found.objections(TERMS, INTERVAL, a_trade(seller, buyer, price_micro), resting_micro, 9_000_000)


def a_trade(seller: bytes, buyer: bytes, price_micro: int) -> Trade:
    """Of a kilowatt-hour that a purchase took."""
    nobody, order = bytes(32), bytes(8)
    parties = nobody, order, nobody, order
    return Trade(NUMBER, *parties, 1_000, price_micro, 0, Side.BUY, 0, buyer, seller, 0, 0)


@pytest.mark.parametrize(
    ("price_micro", "resting_micro", "fine"),
    [
        (3_000_000, 3_000_000, True),
        (1_600_000, 1_000_000, True),
        (1_000_000, 1_000_000, False),
        (2_065_000, 1_200_000, False),
        (4_800_000, 4_800_000, True),
    ],
)
def test_a_trade_is_at_the_resting_limit_moved_into_the_band(price_micro: int, resting_micro: int, fine: bool) -> None:
    assert (objections(audit(), price_micro, resting_micro) == []) is fine


@pytest.mark.parametrize(
    ("price_micro", "fine"), [(1_200_000, True), (2_065_000, True), (1_099_000, False), (6_301_000, False)]
)
def test_where_a_halt_ends_it_is_so_for_some_reference(price_micro: int, fine: bool) -> None:
    """Between half of the buy-back and half more than the tariff."""
    assert (objections(audit(2), price_micro, 1_200_000) == []) is fine
    assert (objections(audit(1), price_micro, 1_200_000, (1, 2)) == []) is fine


def test_where_due_work_traded_it_is_so_too_for_its_zones_alone() -> None:
    found = audit(rested=True)
    seller, buyer = pseudonym("home 2"), pseudonym("home 2")
    found.note(a_trade(seller, buyer, 3_000_000))
    assert objections(found, 2_065_000, 1_200_000, (2, 1)) == []
    assert objections(found, 2_065_000, 1_200_000, (1, 2)) != []
    found = audit(rested=False)
    found.note(a_trade(seller, buyer, 3_000_000))
    assert objections(found, 2_065_000, 1_200_000, (2, 1)) != []


@pytest.mark.parametrize(
    ("due_ms", "kind", "payload", "fine"),
    [
        (TIME_MS, EXPIRE_ORDER, bytes(40), True),
        (TIME_MS + 1, EXPIRE_ORDER, bytes(40), False),
        (TIME_MS, EXPIRE_ORDER, b"another's".ljust(40), False),
        (TIME_MS, LINK_REOPENED, b"", True),
        (TIME_MS, CLOSE_GATE, interval_key(NUMBER), False),
    ],
)
def test_where_due_work_changes_the_book_it_is_so_too(due_ms: int, kind: int, payload: bytes, fine: bool) -> None:
    found = audit()
    found.copy[ORDERS.prefix][bytes(40)] = buy("bob", 100, NUMBER, 1)  # type: ignore[index]
    found.copy[SCHEDULE.prefix][due_ms.to_bytes(8, "big") + bytes([kind]) + payload] = None  # type: ignore[index]
    assert (objections(found, 2_065_000, 1_200_000) == []) is fine


@pytest.mark.parametrize(
    ("ending", "prices_micro", "fine"),
    [
        ((1,), (3_000_000, 3_000_000), True),
        ((1,), (3_000_000, 3_100_000), False),
        ((1, 2), (3_000_000, 3_100_000), True),
        ((1, 2), (3_000_000, 7_000_000), False),
        ((0,), (3_000_000, 3_100_000), True),
    ],
)
def test_a_call_has_one_price_unless_other_halts_end_with_it(
    ending: tuple[int, ...], prices_micro: tuple[int, ...], fine: bool
) -> None:
    found = audit(*ending)
    for price_micro in prices_micro:
        assert objections(found, price_micro, 1_200_000) == []
    found.check({})
    assert (found.findings == []) is fine


def test_what_a_transaction_trades_after_a_halt_keeps_to_some_band_and_is_none_of_its_call() -> None:
    found = audit(1, rested=False)
    assert objections(found, 2_065_000, 1_200_000) == objections(found, 2_500_000, 1_200_000) == []
    assert objections(found, 6_301_000, 1_200_000) != []
    found.check({})
    assert found.findings == []
