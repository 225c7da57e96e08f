"""What it costs to move a reference price or to stop a zone, and how little it helps (B10). Each attack in words, what
it costs the attacker, and the bound that holds."""

import msgspec
import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, buy, order, pseudonym, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger import schedule
from gridtokenx.ledger.limits import HALTS_OF_ZONE_MAX
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import prices
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.messages import CancelOrder, Side, Terms
from gridtokenx.modules.market.state import (
    HALTS,
    INTERVALS,
    ORDERS,
    POSITIONS,
    UPDATE_REFERENCE,
    Interval,
    Reference,
    position_key,
    zone_interval_key,
)

ANCHOR, TARIFF, BUY_BACK = 3_999_000, 5_798_000, 2_200_000


@pytest.fixture
def world() -> World:
    """mallory and her stranger, two honest homes, an honest one in Central; all at noon."""
    founding = Founding(msgspec.structs.replace(DEFAULT_TERMS, halt_ms=1_000), at(10))
    for name, feeder in (("mallory", 11), ("stranger", 11), ("ann", 12), ("bob", 12), ("far", 21)):
        founding.add_home(name, feeder, {Source.SOLAR: 400_000}, 400_000, 10_000 * WATT)
    founding.builder.limit_border(1, 2, 40_000, 40_000)
    world = founding.start()
    Watch(world)
    return world


def reference(world: World, zone: int = 1) -> Reference:
    interval: Interval = world.state.rows[INTERVALS.prefix][interval_key(NOON)]
    return prices.reference_of(world.state, interval, terms_of(world.state, interval), NOON, zone)


def do(world: World, who: str, message: object) -> None:
    assert world.code(who, message) == "OK"  # type: ignore[arg-type]


def spent_micro(world: World, *names: str) -> int:
    """What trading cost them beside the energy: wheeling, grid fee, and trading fees of both sides."""
    positions = [world.state.rows[POSITIONS.prefix][position_key(NOON, pseudonym(name))] for name in names]
    return sum(each.purchase_cost_micro - each.purchase_value_micro + each.sale_fee_micro for each in positions)


def wash(world: World, quantity_wh: int, price_micro: int, name: str) -> None:
    """mallory sells to her stranger."""
    do(world, "mallory", sell("mallory", quantity_wh, NOON, price_micro, f"s{name}"))
    do(world, "stranger", buy("stranger", quantity_wh, NOON, price_micro + 200_000, f"b{name}"))


def test_spoofed_orders_cost_nothing_and_move_a_twentieth_while_they_rest(world: World) -> None:
    do(world, "mallory", sell("mallory", 90_000, NOON, 900 * WATT, "ask"))
    do(world, "stranger", buy("stranger", 90_000, NOON, 5_900_000, "bid"))
    assert reference(world).price_micro <= ANCHOR * 105 // 100
    do(world, "mallory", CancelOrder(pseudonym("ask")))
    assert reference(world).price_micro == ANCHOR
    assert world.account("mallory").held_micro == 0


def test_wash_trades_pay_for_every_step_and_end_at_the_tariff(world: World) -> None:
    before = reference(world).price_micro
    for number in range(8):
        high = prices.band_of(*_place(world))[1]
        wash(world, 10_000, high, str(number))
        assert reference(world).price_micro <= TARIFF
    # 80 kWh, 16 times the energy that the anchor weighs. Each kWh cost 0.20 of wheeling, one per cent of grid fee, and
    # 0.05 per cent from each side.
    moved = reference(world).price_micro - before
    assert moved <= TARIFF - ANCHOR
    assert spent_micro(world, "mallory", "stranger") > 80 * (200_000 + 40_000)
    # It harms nobody who trades at another price: the band is as wide as before, and higher.
    assert prices.band_of(*_place(world))[0] <= before


def _place(world: World) -> tuple[State, Interval, Terms, int, int]:
    interval: Interval = world.state.rows[INTERVALS.prefix][interval_key(NOON)]
    return world.state, interval, terms_of(world.state, interval), NOON, 1


def test_crumbs_at_the_edge_of_the_band_move_it_by_what_they_weigh(world: World) -> None:
    for number in range(10):
        wash(world, 100, 5_998_000, str(number))
    # 1 kWh at 5.998 against 5 kWh of anchor, and nothing more for being ten trades.
    assert reference(world).price_micro <= (ANCHOR * 5 + 5_998_000) // 6


def test_newer_trades_of_others_undo_it(world: World) -> None:
    for number in range(4):
        wash(world, 10_000, 5_900_000, str(number))
    moved = reference(world).price_micro
    for number in range(8):
        do(world, "ann", sell("ann", 10_000, NOON, 4_000_000, f"s{number}"))
        do(world, "bob", buy("bob", 10_000, NOON, 4_200_000, f"b{number}"))
    assert moved - ANCHOR > 1_000_000
    assert abs(reference(world).price_micro - 4_000_000) < 100_000


def test_a_full_border_adds_wheeling_at_most(world: World) -> None:
    # 10 kWh over the border of 10 kWh: mallory paid 0.75 for each.
    do(world, "far", sell("far", 10_000, NOON, 2_000_000))
    do(world, "mallory", buy("mallory", 10_000, NOON, 2_750_000))
    assert abs(reference(world).congestion_micro) <= DEFAULT_TERMS.wheeling_border_micro
    assert reference(world).price_micro >= BUY_BACK


def test_one_party_alone_neither_stops_a_zone_nor_stands_in_its_way(world: World) -> None:
    do(world, "mallory", buy("mallory", 5_000, NOON, 500 * WATT, "wild"))
    do(world, "stranger", sell("stranger", 100, NOON, 1_000_000_000, "wild"))
    for number in range(3):
        do(world, "ann", sell("ann", 1_000, NOON, 3_500_000, f"s{number}"))
        assert not world.state.rows[HALTS.prefix]
    # They traded, at the edge of the band at worst for mallory.
    assert world.state.rows[ORDERS.prefix][world.accounts["mallory"] + pseudonym("wild")].remaining_wh == 2_000


def test_two_who_stop_a_zone_stand_by_it_and_can_do_so_three_times(world: World) -> None:
    stopped = 0
    for number in range(10):
        do(world, "mallory", sell("mallory", 1_000, NOON, 20 * WATT, f"s{number}"))
        do(world, "stranger", buy("stranger", 1_000, NOON, 21 * WATT, f"b{number}"))
        if world.state.rows[HALTS.prefix]:
            stopped += 1
            assert world.code("stranger", CancelOrder(pseudonym(f"b{number}"))) == "HALT_HOLDS_ORDER"
            do(world, "ann", sell("ann", 1_000, NOON, 4_000_000, f"s{number}"))
        world.skip_to(world.time_ms + 5_000)
    assert stopped == HALTS_OF_ZONE_MAX == reference(world).halts
    # Each time the stranger bought what ann offered, in the call, instead of mallory's.
    assert spent_micro(world, "stranger") > 3 * 200_000
    assert reference(world).price_micro <= TARIFF


def test_crumbs_beyond_the_band_stop_nothing_and_leave_nothing(world: World) -> None:
    for number in range(20):
        do(world, "mallory", sell("mallory", 100, NOON, 20 * WATT, f"s{number}"))
    do(world, "stranger", buy("stranger", 900, NOON, 21 * WATT, "b"))
    assert not world.state.rows[HALTS.prefix]
    assert world.accounts["stranger"] + pseudonym("b") not in world.state.rows[ORDERS.prefix]
    do(world, "ann", sell("ann", 1_000, NOON, 4_000_000))
    do(world, "bob", buy("bob", 1_000, NOON, 4_200_000, "bob"))
    assert reference(world).traded_wh == 1_000


def test_a_flood_of_orders_makes_each_price_anew_once_a_block(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wires = [
        world.sign(
            "mallory", order("mallory", Side.SELL, 100, NOON + number % 4, (5_000 + number) * 1_000, f"{number}")
        )
        for number in range(400)
    ]
    payloads = [zone_interval_key(NOON + number, 1) for number in range(4)]
    head = schedule.RIGHT_AFTER_MS.to_bytes(8, "big") + bytes([UPDATE_REFERENCE])
    runs = []
    real = prices.reference.updated

    def counted(*given: object) -> Reference:
        runs.append(given)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(prices.reference, "updated", counted)
    receipts = world.run(*wires)
    assert {receipt.code for receipt in receipts} == {0}
    assert len(runs) == len(payloads)
    assert not [head + payload for payload in payloads if head + payload in world.state.rows[schedule.SCHEDULE.prefix]]
