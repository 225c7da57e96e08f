"""What a cheat that sees orders plans, and what the ledger makes of it: dealers trade, one of them sees the others'
orders first."""

from functools import cache
from pathlib import Path

import pytest

from gridtokenx.ledger.block import BlockOutcome, draw_of
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, AmendOrder, PlaceOrder, Side, TimeInForce
from gridtokenx.modules.market.state import Trade
from gridtokenx.simulation.blockorder.front_runner import Attack, Planner
from gridtokenx.simulation.blockorder.replay import Dealer, Replay
from gridtokenx.simulation.scenario import Scenario, load_scenario

WATT = 10**6
WHEELING = 200_000
TICK = 1_000

decode_trade: Decoder[Trade] = Decoder(Trade)


@cache
def scenario() -> Scenario:
    return load_scenario(Path(__file__).parents[4] / "scenarios" / "two-neighbours")


class Floor:
    """A maker, somebody who takes, and a cheat; one interval."""

    def __init__(self, seed: int = 1) -> None:
        self.replay = Replay(scenario(), 3, seed)
        self.maker, self.taker, self.cheat = self.replay.dealers
        self.interval = scenario().first_interval + INTERVALS_PER_DAY // 2
        self._client_id = 1_000_000

    def order(self, dealer: Dealer, side: Side, price_micro: int, quantity_wh: int = 1_000) -> bytes:
        """A signed limit order for the next block."""
        self._client_id += 1
        return self.replay.sign(
            dealer,
            self.replay.time_ms,
            PlaceOrder(
                dealer.portfolio,
                self._client_id.to_bytes(CLIENT_ID_BYTES, "big"),
                self.interval,
                side,
                price_micro,
                quantity_wh,
                ANY_SOURCE_MASK if side == Side.BUY else Source.CONVENTIONAL,
                TimeInForce.GOOD_TILL_GATE,
                0,
                0,
                post_only=False,
                market=False,
            ),
        )

    def block(self, *wires: bytes) -> BlockOutcome:
        return self.replay.block(self.replay.time_ms + 1_000, wires)

    def trades(self, *wires: bytes) -> list[tuple[bytes, bytes, int, int]]:
        """(buyer, seller, Wh, price) of the next block."""
        found = [decode_trade(encoded) for encoded in self.block(*wires).trades]
        return [(one.buyer, one.seller, one.quantity_wh, one.price_micro) for one in found]

    def attacks(self, *wires: bytes) -> list[Attack]:
        own = frozenset([self.cheat.owner.participant])
        planner = Planner(self.replay.state, self.replay.time_ms + 1_000, self.cheat.portfolio, own, 1)
        return list(planner.attacks(wires))

    def legs(self, attack: Attack) -> list[bytes]:
        return [self.replay.sign(self.cheat, self.replay.time_ms, leg) for leg in attack.legs]


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_purchase_is_sold_what_it_would_have_bought_a_tick_below_the_next_offer(floor) -> None:
    floor.block(floor.order(floor.maker, Side.SELL, 3 * WATT), floor.order(floor.maker, Side.SELL, 3_800_000))
    victim = floor.order(floor.taker, Side.BUY, 4_500_000)
    (attack,) = floor.attacks(victim)
    take, offer = attack.legs
    assert (take.side, take.price_micro, take.quantity_wh) == (Side.BUY, 3 * WATT + WHEELING, 1_000)
    assert (offer.side, offer.price_micro, offer.quantity_wh) == (Side.SELL, 3_800_000 - TICK, 1_000)
    buyer, maker, cheat = (one.owner.account for one in (floor.taker, floor.maker, floor.cheat))
    assert floor.trades(*floor.legs(attack)) == [(cheat, maker, 1_000, 3 * WATT)]
    assert floor.trades(victim) == [(buyer, cheat, 1_000, 3_800_000 - TICK)]


def test_a_sale_is_bought_what_it_would_have_sold_at_its_own_limit(floor) -> None:
    floor.block(floor.order(floor.maker, Side.BUY, 4_500_000))
    victim = floor.order(floor.taker, Side.SELL, 3 * WATT)
    (attack,) = floor.attacks(victim)
    seller, maker, cheat = (one.owner.account for one in (floor.taker, floor.maker, floor.cheat))
    assert floor.trades(*floor.legs(attack)) == [(maker, cheat, 1_000, 4_500_000 - WHEELING)]
    assert floor.trades(victim) == [(cheat, seller, 1_000, 3 * WATT)]


def test_several_offers_are_taken_as_far_as_that_gains_most(floor) -> None:
    floor.block(*(floor.order(floor.maker, Side.SELL, price, 400) for price in (2_500_000, 2_600_000, 4 * WATT)))
    (attack,) = floor.attacks(floor.order(floor.taker, Side.BUY, 4_500_000))
    assert [leg.quantity_wh for leg in attack.legs] == [800, 800]
    assert attack.legs[1].price_micro == 4 * WATT - TICK


def test_two_victims_are_not_promised_the_same_energy(floor) -> None:
    floor.block(floor.order(floor.maker, Side.SELL, 3 * WATT))
    attacks = floor.attacks(*(floor.order(floor.taker, Side.BUY, 4_500_000) for _ in range(2)))
    assert len(attacks) == 1


@pytest.mark.parametrize("limit_micro", [3_433_000, 3_200_000, 2 * WATT])
def test_what_does_not_pay_for_both_legs_is_left_alone(floor, limit_micro) -> None:
    """Bought at 3.00: wheeling twice 0.20, grid fee 0.03, trading fees."""
    floor.block(floor.order(floor.maker, Side.SELL, 3 * WATT))
    assert floor.attacks(floor.order(floor.taker, Side.BUY, limit_micro)) == []


def test_an_amended_order_is_a_victim_too(floor) -> None:
    floor.block(floor.order(floor.taker, Side.BUY, 2 * WATT))
    client_id = floor._client_id.to_bytes(CLIENT_ID_BYTES, "big")
    floor.block(floor.order(floor.maker, Side.SELL, 3 * WATT))
    amended = floor.replay.sign(floor.taker, floor.replay.time_ms, AmendOrder(client_id, 4_500_000, 700))
    assert floor.attacks(amended) == [], "a part of an offer: the rest of it would be cheaper"
    amended = floor.replay.sign(floor.taker, floor.replay.time_ms, AmendOrder(client_id, 4_500_000, 1_000))
    (attack,) = floor.attacks(amended)
    assert attack.victim == floor.taker.owner.participant and attack.legs[0].quantity_wh == 1_000


def test_in_one_block_the_draw_decides_whether_the_cheat_comes_first() -> None:
    """Both happens, over some seeds; and each time what the cheat knew before it sent."""
    seen = set()
    for seed in range(1, 9):
        floor = Floor(seed)
        floor.block(floor.order(floor.maker, Side.SELL, 3 * WATT))
        victim = floor.order(floor.taker, Side.BUY, 4_500_000)
        (attack,) = floor.attacks(victim)
        app_hash = floor.replay.app_hash
        comes_first = draw_of(app_hash, floor.cheat.owner.participant) < draw_of(app_hash, attack.victim)
        trades = floor.trades(victim, *floor.legs(attack))
        assert (floor.cheat.owner.account in [buyer for buyer, *_ in trades]) == comes_first
        seen.add(comes_first)
    assert seen == {False, True}
