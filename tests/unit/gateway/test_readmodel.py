"""The read model: rebuilt equals lived, whatever happened."""

import asyncio
import copy
import random
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.market import Market, running_market, story
from tests.world import at, buy, interval_at, order, pseudonym, sell, signer

from gridtokenx.engine.node import FEED_PREFIXES
from gridtokenx.engine.storage import Reader
from gridtokenx.gateway import facts, memory, readmodel, views
from gridtokenx.gateway.memory import OrderMemory
from gridtokenx.gateway.readmodel import FOLLOWED, ReadModel
from gridtokenx.gateway.statements import StatementMemory
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.transaction import keys_hash
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, Side, TimeInForce
from gridtokenx.modules.market.state import ORDERS, POSITIONS
from gridtokenx.modules.settlement.state import Statement

HOMES = ("ann", "bob", "eve", "far", "cat", "dan")
INTERVALS = [interval_at(10), interval_at(10, 15), interval_at(12)]


def random_message(chance: random.Random, name: str) -> Message:
    """Placements, cancels and amendments, good and bad, of a few names that are used again and again."""
    client_id = f"o{chance.randrange(6)}"
    kind = chance.random()
    if kind < 0.15:
        return CancelOrder(pseudonym(client_id))
    price_micro = random_price(chance, name)
    if kind < 0.3:
        return AmendOrder(pseudonym(client_id), price_micro, chance.randrange(100, 900, 100))
    side = chance.choice([Side.BUY, Side.SELL]) if name not in {"cat", "dan"} else Side.BUY
    force = chance.choice(
        [TimeInForce.GOOD_TILL_GATE] * 4 + [TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL]
    )
    return order(
        name, side, chance.randrange(50, 900, 50), chance.choice(INTERVALS), price_micro, client_id, force=force
    )


def random_price(chance: random.Random, name: str) -> int:
    """Buyers mostly pay what sellers want, and the way."""
    return chance.randrange(2_800, 3_300, 20) * 1_000 + (400_000 if name in {"cat", "dan"} else 0)


async def random_day(market: Market, seed: int, blocks: int) -> None:
    """Blocks of random transactions of one to three messages, past the first gates."""
    chance = random.Random(seed)
    await market.block(at(9))
    for number in range(blocks):
        if number == blocks // 2:
            await market.block(at(9, 57))
        transactions = []
        for _ in range(chance.randrange(8)):
            name = chance.choice(HOMES)
            messages = [random_message(chance, name) for _ in range(chance.choice([1, 1, 1, 3]))]
            transactions.append(market.sign(name, *messages))
        if transactions:
            await market.submit(*transactions)
        await market.block()


def everything(model: ReadModel) -> dict[str, Any]:
    """All that pages are made of."""
    return {
        "orders": model.orders,
        "depths": {number: depth.levels for number, depth in model.depths.items() if depth.levels},
        "intervals": model.intervals,
        "trading": model.trading,
        "terms": model.terms,
        "settlements": model.settlements,
        "volumes": {number: volume for number, volume in model.volumes.items() if number in model.intervals},
        "portfolios": model.portfolios,
        "trades": list(model.trades),
        "head": model.head,
        "traces": {name: sorted(model.memory.of_account(account(name))) for name in HOMES},
    }


def account(name: str) -> bytes:
    return keys_hash(0, 1, signer(name).keys)


@pytest.mark.parametrize("seed", range(6))
def test_rebuilt_is_lived(tmp_path: Path, seed: int) -> None:
    async def life() -> None:
        async with running_market(tmp_path) as market:
            await random_day(market, seed, 40)
            lived = market.gateway.model
            reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
            rebuilt = ReadModel(reader)
            assert lived.trades and lived.orders, "the day was too quiet to show anything"
            assert everything(rebuilt) == everything(lived)
            _check_against_the_ledger(market, lived)
            reader.close()

    asyncio.run(life())


def test_between_the_pieces_of_a_block_everything_stands_at_the_block_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (facts, memory, readmodel):
        monkeypatch.setattr(module, "PIECE", 2)

    async def life() -> None:
        async with running_market(tmp_path) as market:
            await market.block(at(9))
            reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
            model = ReadModel(reader)
            await random_day(market, 7, 20)
            shown, pieces = pages_of(model), 0
            for advance in model.advance():
                if advance is None:
                    pieces += 1
                    assert pages_of(model) == shown
                else:
                    shown = pages_of(model)
            assert pieces > 100 and model.trades
            assert everything(model) == everything(market.gateway.model)
            reader.close()

    asyncio.run(life())


def pages_of(model: ReadModel) -> dict[str, Any]:
    """A copy of everything but the traces of orders, which run ahead (their pages ask the open orders first)."""
    return {name: copy.deepcopy(part) for name, part in everything(model).items() if name != "traces"}


def test_the_memory_of_trades_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readmodel, "TRADES_MAX", 3)

    async def life() -> None:
        async with running_market(tmp_path) as market:
            await market.run("ann", *(sell("ann", 100, INTERVALS[2], 3_000_000, f"o{step}") for step in range(5)))
            await market.run("cat", buy("cat", 100, INTERVALS[2], 3_500_000, "one"))
            model = market.gateway.model
            assert len(model.trades) == 1
            await market.run("cat", buy("cat", 400, INTERVALS[2], 3_500_000, "more"))
            assert list(model.trades) == list(model.trades_of[INTERVALS[2]])
            assert [trade.view.sequence & 0xFFFFFF for trade in model.trades] == [1, 2, 3]
            assert model.trades_since == model.trades[0].view.sequence
            assert model.volumes[INTERVALS[2]].traded_wh == 500

    asyncio.run(life())


def _check_against_the_ledger(market: Market, model: ReadModel) -> None:
    """Book and volumes are those of the node's own state; each order's fills add up to its positions."""
    rows = market.node.application.state.rows
    assert model.orders == rows[ORDERS.prefix]
    for number, depth in model.depths.items():
        open_wh = sum(order.remaining_wh for order in model.orders.values() if order.interval == number)
        assert sum(quantity_wh for quantity_wh, _ in depth.levels.values()) == open_wh
    sold_wh: dict[int, int] = {}
    for key, position in rows[POSITIONS.prefix].items():
        number = int.from_bytes(key[:4], "big")
        sold_wh[number] = sold_wh.get(number, 0) + position.sold_wh
    assert {number: volume.traded_wh for number, volume in model.volumes.items() if volume.traded_wh} == {
        number: energy_wh for number, energy_wh in sold_wh.items() if energy_wh
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_order_that_traded_tells_what_it_traded(tmp_path: Path, seed: int) -> None:
    async def life() -> None:
        async with running_market(tmp_path) as market:
            # Every name once, so that what a name tells is one order's.
            chance = random.Random(seed)
            filled_wh: dict[bytes, int] = {}
            for number in range(60):
                name = chance.choice(HOMES)
                side = Side.BUY if name in {"cat", "dan"} else chance.choice([Side.BUY, Side.SELL])
                price_micro = random_price(chance, name)
                placed = order(name, side, chance.randrange(100, 900, 50), INTERVALS[2], price_micro, f"o{number}")
                await market.run(name, placed)
            model = market.gateway.model
            for trade in model.trades:
                for key in (trade.buyer_order, trade.seller_order):
                    filled_wh[key] = filled_wh.get(key, 0) + trade.view.quantity_wh
            assert len(filled_wh) >= 8
            for key, energy_wh in filled_wh.items():
                view = views.order_view(model, key)
                assert view is not None and view.filled_wh == energy_wh
                # One that would meet its owner's own order stops there: the rest is cancelled.
                whole = view.quantity_wh == energy_wh + (view.remaining_wh or 0)
                assert whole == (view.state in {"open", "filled"})

    asyncio.run(life())


@story
async def test_intervals_of_a_day_that_opened_later_are_shown(market: Market) -> None:
    await market.block(at(0, 0, day=0))
    await market.block(at(0, 0, day=1))
    shown = await market.get("/v1/intervals", start=interval_at(12, day=2))
    assert len(shown["intervals"]) == 48
    assert await market.get(f"/v1/intervals/{interval_at(12, day=2)}") == shown["intervals"][0]


@story
async def test_statements_stay_when_the_ledger_has_forgotten_the_interval(market: Market) -> None:
    number = interval_at(0, 15)
    await market.run("ann", sell("ann", 100, number, 3_000_000))
    await market.block(at(0, 45, day=0))
    await market.block(at(1, 30))
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}/statements"
    settled = await market.get(path, token, after=number - 1, limit=1)
    assert settled["statements"][0]["interval"] == number
    assert settled["statements"][0]["quality"] == "estimated"
    await market.block(at(1, 30, day=1))
    assert number not in market.gateway.model.intervals
    still = await market.get(path, token, after=number - 1, limit=1)
    assert still["statements"] == settled["statements"]
    pages, after = [], 0
    while page := (await market.get(path, token, after=after, limit=7))["statements"]:
        pages += page
        after = page[-1]["interval"]
    numbers = [line["interval"] for line in pages]
    assert numbers == sorted(set(numbers)) and number in numbers


def test_the_memory_of_statements_is_bounded() -> None:
    memory = StatementMemory(statements_max=3)
    lines = [Statement(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) for number in range(6)]
    for number in range(5):
        memory.put(number, b"home", lines[number])
    assert list(memory.of(b"home")) == [2, 3, 4] and len(memory) == 3
    assert memory.oldest == 2
    memory.put(4, b"home", lines[5])
    assert memory.of(b"home")[4] == lines[5] and len(memory) == 3
    assert memory.of(b"other") == {}


@story
async def test_the_memory_of_orders_is_bounded_and_never_forgets_open_ones(market: Market) -> None:
    market.gateway.model.memory = OrderMemory(gone_max=5)
    await market.run("ann", sell("ann", 5_000, INTERVALS[2], 3_000_000, "open"))
    for number in range(8):
        await market.run("cat", buy("cat", 100, INTERVALS[2], 3_500_000, f"o{number}"))
    memory = market.gateway.model.memory
    known = [client_id for client_id, _ in memory.of_account(account("cat"))]
    assert known == [pseudonym(f"o{number}") for number in range(3, 8)]
    ((client_id, trace),) = memory.of_account(account("ann"))
    assert client_id == pseudonym("open") and trace.filled_wh == 800


@story
async def test_trades_that_memory_has_lost_are_read_from_their_blocks(market: Market) -> None:
    await market.run("ann", sell("ann", 5_000, INTERVALS[2], 3_000_000))
    for number in range(6):
        await market.run("cat", buy("cat", 100 + number, INTERVALS[2], 3_500_000, f"o{number}"))
    model = market.gateway.model
    whole = [trade.view for trade in model.trades]
    while len(model.trades) > 2:
        model.trades.popleft()
    model.trades_since = model.trades[0].view.sequence
    seen, after = [], 0
    for _ in range(10):
        page, after = model.trades_after(after, 2)
        seen += [trade.view for trade in page]
    assert seen == whole


def test_a_node_keeps_what_a_gateway_follows() -> None:
    assert set(FEED_PREFIXES) == FOLLOWED
