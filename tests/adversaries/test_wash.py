"""Trades with oneself: what two accounts, a declared group, or two strangers who share a purse can gain by them."""

import pytest
from tests.invariants import Watch
from tests.world import MINUTE_MS, NOON, WATT, Founding, World, at, buy, pseudonym, sell

from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import TimeInForce
from gridtokenx.modules.market.state import POSITIONS, position_key
from gridtokenx.modules.settlement.state import STATEMENTS, Statement

PAIR = ("left", "right")
OTHERS = ("mea", "pea", "egat", "fee-pool", "supplier")
POWERS = {Source.SOLAR: 40_000}
FEE_PPM = 500
"""Of each side."""


def founded(group: int = 0, right_feeder: int = 12) -> World:
    founding = Founding(time_ms=at(9, 50))
    for name, feeder in (("left", 11), ("right", right_feeder)):
        founding.add_home(name, feeder, POWERS, 40_000, 1_000 * WATT, group=group)
    founding.add_home("honest", 11, POWERS, 40_000, 1_000 * WATT)
    world = founding.start()
    Watch(world)
    return world


def wash(world: World, rounds: int, energy_wh: int, price_micro: int) -> int:
    """Each sells to the other what it bought, so often and back; how much of it traded."""
    traded_wh = 0
    for round_ in range(2 * rounds):
        seller, buyer = PAIR if round_ % 2 == 0 else PAIR[::-1]
        world.do(seller, sell(seller, energy_wh, NOON, price_micro, f"wash {round_}"))
        limit_micro = price_micro + 2 * WATT
        force = TimeInForce.IMMEDIATE_OR_CANCEL
        receipt = world.do(buyer, buy(buyer, energy_wh, NOON, limit_micro, f"wash {round_}", force=force))
        traded_wh += receipt.results[0][1]
    return traded_wh


def settled(world: World, energies: dict[str, tuple[int, int]]) -> None:
    """All that was due until the interval was paid. Intervals before have no consumption."""
    for interval in range(world.time_ms // 900_000, NOON + 1):
        world.skip_to((interval + 1) * 900_000 + 1_000)
        measured = energies if interval == NOON else {}
        read = [world.meter(name, interval, *measured.get(name, (0, 0))) for name in world.sites]
        world.do("operator", world.submit(*read))
    world.skip_to(world.time_ms + MINUTE_MS)


def purse(world: World) -> int:
    """What the pair has together, less what it owes."""
    accounts = [world.account(name) for name in PAIR]
    return sum(account.balance_micro - account.debt_micro for account in accounts)


@pytest.mark.parametrize("right_feeder", [11, 12, 31])
def test_strangers_who_trade_in_a_circle_lose_fees_and_wheeling_and_nothing_else_changes(right_feeder: int) -> None:
    """Their positions net out, so nothing is undelivered; each round costs both trades' fees and wheeling, which others
    get to the last unit."""
    world = founded(right_feeder=right_feeder)
    before, rounds, energy_wh, price_micro = purse(world), 5, 2_000, 4 * WATT
    assert wash(world, rounds, energy_wh, price_micro) == 2 * rounds * energy_wh
    settled(world, {})
    value_micro = price_micro * energy_wh // 1_000
    wheeling_micro = {11: 200_000, 12: 450_000, 31: 1_050_000}[right_feeder] * energy_wh // 1_000
    lost_micro = 2 * rounds * (value_micro // 100 + 2 * (value_micro * FEE_PPM // 10**6) + wheeling_micro)
    assert before - purse(world) == lost_micro
    assert sum(world.account(name).balance_micro for name in OTHERS) == lost_micro
    assert world.account("honest").balance_micro == 1_000 * WATT


def test_what_was_only_traded_is_not_delivered_and_makes_nobody_green() -> None:
    """What a statement says of energy is what meters counted, however often it was sold: a sale without export costs
    more than it brings, and no statement shows export."""
    world = founded()
    before = purse(world)
    world.do("left", sell("left", 2_000, NOON, 4 * WATT))
    world.do("right", buy("right", 2_000, NOON, 5 * WATT))
    settled(world, {"right": (2_000, 0)})
    lines: dict[str, Statement] = {
        name: world.state.rows[STATEMENTS.prefix][interval_key(NOON) + pseudonym(name)] for name in PAIR
    }
    assert lines["left"].export_wh == 0 and lines["left"].undelivered_wh == 2_000
    old_bill_micro = 2 * 5_798_200
    assert before - purse(world) > old_bill_micro


def test_a_declared_group_cannot_even_try() -> None:
    assert wash(founded(group=7), 1, 1_000, 4 * WATT) == 0


def test_a_price_that_a_pair_makes_among_itself_is_open_to_whoever_is_better() -> None:
    """Who wants to print a high price has to buy everything that is cheaper first, and stays inside the band."""
    world = founded()
    world.do("honest", sell("honest", 1_000, NOON, 4 * WATT))
    world.do("left", sell("left", 200, NOON, 11 * WATT // 2), sell("left", 300, NOON, 9 * WATT, "dearer"))
    receipt = world.do("right", buy("right", 1_500, NOON, 10 * WATT))
    assert receipt.results[0][1:] == (1_200, 0)
    position = world.state.rows[POSITIONS.prefix][position_key(NOON, pseudonym("right"))]
    assert position.purchase_value_micro == 4 * WATT + 11 * WATT // 10
