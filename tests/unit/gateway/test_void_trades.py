"""What traders see of a trade that a halt made void (A2, B4)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.gateway.market import Market, running_market
from tests.unit.gateway.test_readmodel import HOMES, _check_against_the_ledger, everything, random_message
from tests.world import TRADED_TO_THE_GATE, Founding, at, buy, interval_at, pseudonym, sell

from gridtokenx.engine.clocks import VirtualClock
from gridtokenx.engine.solo import SoloEngine
from gridtokenx.engine.storage import Reader
from gridtokenx.gateway.feeds import _trades_by_account
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.identity.messages import Source

NOON, LATER = interval_at(12), interval_at(12, 30)


def play(folder: Path, begins_ms: int, test: Callable[[Market], Awaitable[None]]) -> None:
    """Under a consensus of one-second blocks."""

    async def life() -> None:
        community = Founding(TRADED_TO_THE_GATE, begins_ms)
        for name, feeder in (("ann", 11), ("bob", 11), ("eve", 12), ("far", 31)):
            community.add_home(name, feeder, {Source.SOLAR: 40_000}, 40_000)
        for name in ("cat", "dan"):
            community.add_home(name, 11)
        community.builder.set_consensus(1_000)
        async with running_market(folder, community) as market:
            await test(market)

    asyncio.run(life())


async def halt(market: Market, until_ms: int) -> None:
    """No block until then, whatever falls due."""
    engine = market.node.engine
    assert isinstance(engine, SoloEngine) and isinstance(engine.clock, VirtualClock)
    engine.clock.time_ms = until_ms
    engine.make_block(until_ms)
    await market.followed()


def test_it_is_listed_once_more_and_counts_no_longer(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.block(at(11, 52))
        await market.run(
            "ann", sell("ann", 1_000, NOON, 3_000_000, "noon"), sell("ann", 600, LATER, 3_000_000, "later")
        )
        await market.run("cat", buy("cat", 400, NOON, 3_500_000, "early"))
        await market.run("dan", buy("dan", 600, NOON, 3_500_000, "noon"), buy("dan", 300, LATER, 3_500_000, "later"))
        before = await market.get("/v1/trades")
        await halt(market, at(11, 56))
        trades = (await market.get("/v1/trades"))["trades"]
        first, stale, standing, end = trades
        assert [trade["voids"] for trade in trades] == [None, None, None, stale["sequence"]]
        assert before["trades"] == trades[:3]
        assert {name: end[name] for name in ("interval", "quantity_wh", "price_micro", "taker")} == {
            name: stale[name] for name in ("interval", "quantity_wh", "price_micro", "taker")
        }
        assert (await market.get(f"/v1/intervals/{NOON}/trades"))["trades"] == [first, stale, end]
        shown = await market.get(f"/v1/intervals/{NOON}")
        assert (shown["traded_wh"], shown["traded_micro"], shown["last_price_micro"]) == (400, 1_200_000, 3_000_000)
        block = await market.get(f"/v1/blocks/{end['height']}")
        assert (block["summary"]["voided_wh"], block["summary"]["voided_micro"]) == (600, 1_800_000)
        await own_orders(market)
        own = _trades_by_account(list(market.gateway.model.trades), [market.wallet("dan").account])
        assert [one.trade.voids for one in own[market.wallet("dan").account]] == [None, None, end["voids"]]
        assert standing["interval"] == LATER

    play(tmp_path, at(11, 50), test)


async def own_orders(market: Market) -> None:
    """An order tells how much of what it filled is void, and is never called filled for that."""
    expected = {
        ("ann", "noon"): ("ended", 1_000, 600, 1_200_000),
        ("ann", "later"): ("open", 300, 0, 900_000),
        ("cat", "early"): ("filled", 400, 0, 1_200_000),
        ("dan", "noon"): ("ended", 600, 600, 0),
        ("dan", "later"): ("filled", 300, 0, 900_000),
    }
    for (name, order), told in expected.items():
        token = await market.sign_in(name)
        account = market.wallet(name).account.hex()
        view = await market.get(f"/v1/accounts/{account}/orders/{pseudonym(order).hex()}", token)
        assert (view["state"], view["filled_wh"], view["voided_wh"], view["value_micro"]) == told, (name, order)


@pytest.mark.parametrize("seed", range(3))
def test_rebuilt_is_lived_through_halts(tmp_path: Path, seed: int) -> None:
    async def test(market: Market) -> None:
        chance = random.Random(seed)
        for hour, minute in ((9, 52), (10, 7), (11, 52)):
            await market.block(at(hour, minute))
            for _ in range(8):
                names = chance.choices(HOMES, k=60)
                await market.submit(*(market.sign(name, random_message(chance, name)) for name in names))
                await market.block()
            await halt(market, at(hour, minute + 4))
        lived = market.gateway.model
        reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
        assert any(trade.view.voids for trade in lived.trades), "no halt hit a gate"
        assert everything(ReadModel(reader)) == everything(lived)
        _check_against_the_ledger(market, lived)
        reader.close()

    play(tmp_path, at(9, 40), test)
