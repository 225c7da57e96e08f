"""The life of an order as its owner sees it: by client id, at once, and also when it is gone."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.gateway.market import (
    Market,
    running_gateway,
    running_market,
    running_node,
    story,
)
from tests.world import at, buy, interval_at, pseudonym, sell

from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, PlaceBlockOrder, Side, TimeInForce

NOON = interval_at(12)


async def order_of(market: Market, name: str, client_id: str = "order") -> dict[str, Any]:
    token = await market.sign_in(name)
    path = f"/v1/accounts/{market.wallet(name).account.hex()}/orders/{pseudonym(client_id).hex()}"
    return await market.get(path, token)


async def shown(market: Market, name: str, client_id: str = "order") -> tuple[str, int | None, int | None]:
    order = await order_of(market, name, client_id)
    return order["state"], order["filled_wh"], order["remaining_wh"]


@story
async def test_an_order_is_known_before_any_block_has_it(market: Market) -> None:
    transaction = market.sign("ann", sell("ann", 1_000, NOON, 3_000_000))
    (answer,) = await market.submit(transaction)
    assert (answer["id"], answer["state"]) == (transaction.id.hex(), "pending")
    assert (answer["code"], answer["name"], answer["field"], answer["acceptance"]) == (0, "OK", "", None)
    order = await order_of(market, "ann")
    assert (order["state"], order["transaction"], order["quantity_wh"]) == ("pending", transaction.id.hex(), 1_000)
    assert (await market.get(f"/v1/transactions/{transaction.id.hex()}"))["state"] == "pending"
    await market.block()
    assert (await order_of(market, "ann"))["state"] == "open"
    assert (await market.get(f"/v1/transactions/{transaction.id.hex()}"))["state"] == "committed"


@story
async def test_partly_filled_then_filled(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    await market.run("cat", buy("cat", 400, NOON, 3_500_000))
    assert await shown(market, "ann") == ("open", 400, 600)
    assert await shown(market, "cat") == ("filled", 400, 0)
    await market.run("dan", buy("dan", 600, NOON, 3_500_000))
    order = await order_of(market, "ann")
    assert (order["state"], order["filled_wh"], order["value_micro"]) == ("filled", 1_000, 3_000_000)
    # A bot that asks again does not order again.
    assert (await order_of(market, "cat"))["value_micro"] == 1_200_000


@story
async def test_cancelled_by_its_owner(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    await market.run("cat", buy("cat", 400, NOON, 3_500_000))
    said = await market.run("ann", CancelOrder(pseudonym("order")))
    order = await order_of(market, "ann")
    assert (order["state"], order["filled_wh"], order["remaining_wh"]) == ("cancelled", 400, 0)
    assert order["transaction"] == said["id"]


@story
async def test_what_does_not_rest_is_cancelled(market: Market) -> None:
    await market.run("ann", sell("ann", 300, NOON, 3_000_000))
    now = TimeInForce.IMMEDIATE_OR_CANCEL
    await market.run("cat", buy("cat", 1_000, NOON, 3_500_000, force=now))
    order = await order_of(market, "cat")
    assert (order["state"], order["filled_wh"], order["value_micro"]) == ("cancelled", 300, 900_000)


@story
async def test_ended_by_its_gate_and_by_its_own_time(market: Market) -> None:
    till = TimeInForce.GOOD_TILL_TIME
    await market.run("ann", sell("ann", 300, NOON, 3_000_000, force=till, good_till_ms=at(8)))
    await market.run("bob", sell("bob", 300, NOON, 3_000_000))
    await market.block(at(8, 0) + 1_000)
    assert await shown(market, "ann") == ("ended", 0, 0)
    assert await shown(market, "bob") == ("open", 0, 300)
    await market.block(at(11, 55))
    assert await shown(market, "bob") == ("ended", 0, 0)


@story
async def test_rejected_with_its_code(market: Market) -> None:
    said = await market.run("cat", sell("cat", 300, NOON, 3_000_000))
    assert said["name"] == "SOURCE_INVALID"
    order = await order_of(market, "cat")
    assert (order["state"], order["code"], order["name"]) == ("rejected", said["code"], "SOURCE_INVALID")


@story
async def test_a_second_placement_of_a_name_does_not_hide_the_first(market: Market) -> None:
    await market.run("ann", sell("ann", 300, NOON, 3_000_000))
    said = await market.run("ann", sell("ann", 900, NOON, 3_000_000))
    assert said["name"] == "ORDER_EXISTS"
    assert await shown(market, "ann") == ("open", 0, 300)
    await market.run("cat", buy("cat", 300, NOON, 3_000_000 + 200_000))
    assert await shown(market, "ann") == ("filled", 300, 0)
    refused = await market.run("ann", sell("ann", 99, NOON, 3_000_000))
    assert refused["name"] == "QUANTITY_TOO_SMALL"
    assert await shown(market, "ann") == ("filled", 300, 0)


@story
async def test_a_name_that_is_used_again_is_the_new_order(market: Market) -> None:
    await market.run("ann", sell("ann", 300, NOON, 3_000_000))
    await market.run("ann", CancelOrder(pseudonym("order")))
    await market.run("ann", sell("ann", 500, NOON, 3_200_000))
    assert await shown(market, "ann") == ("open", 0, 500)


@story
async def test_amended(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    await market.run("cat", buy("cat", 400, NOON, 3_500_000))
    said = await market.run("ann", AmendOrder(pseudonym("order"), 3_100_000, 200))
    order = await order_of(market, "ann")
    assert (order["state"], order["filled_wh"], order["remaining_wh"]) == ("open", 400, 200)
    assert (order["quantity_wh"], order["price_micro"], order["transaction"]) == (600, 3_100_000, said["id"])
    await market.run("dan", buy("dan", 500, NOON, 3_000_000, "low"))
    await market.run("ann", AmendOrder(pseudonym("order"), 2_800_000, 500))
    assert await shown(market, "ann") == ("filled", 900, 0)
    assert await shown(market, "dan", "low") == ("filled", 500, 0)


@story
async def test_a_transaction_that_fails_as_a_whole_leaves_no_order_behind(market: Market) -> None:
    first, second = sell("ann", 300, NOON, 3_000_000, "one"), sell("ann", 300, NOON, 3_000_001, "two")
    said = await market.run("ann", first, second)
    assert (said["name"], said["failed"]) == ("PRICE_OFF_TICK", 1)
    for name in ("one", "two"):
        order = await order_of(market, "ann", name)
        assert (order["state"], order["name"]) == ("rejected", "PRICE_OFF_TICK")


@story
async def test_an_order_that_was_never_placed(market: Market) -> None:
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}/orders/{'00' * 8}"
    response = await market.web.get(path, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()["name"]) == (404, "NOT_FOUND")


def test_orders_that_are_gone_are_known_after_restarts_of_node_and_gateway(tmp_path: Path) -> None:
    async def story_of_three_lives() -> None:
        async with running_market(tmp_path) as market:
            await market.run("ann", sell("ann", 1_000, NOON, 3_000_000), sell("ann", 200, NOON, 3_300_000, "two"))
            await market.run("cat", buy("cat", 1_000, NOON, 3_500_000))
            lived = [await order_of(market, "ann"), await order_of(market, "cat"), await order_of(market, "ann", "two")]
            assert [order["state"] for order in lived] == ["filled", "filled", "open"]
        data = tmp_path / "data"
        async with running_node(data) as (node, server), running_gateway(data) as (gateway, app, web):
            again = Market(node, server, gateway, app, web)
            await again.followed()
            told = [await order_of(again, "ann"), await order_of(again, "cat"), await order_of(again, "ann", "two")]
            assert told == lived
            assert (await again.get("/v1/trades"))["trades"]

    asyncio.run(story_of_three_lives())


@pytest.mark.parametrize("times", [1, 2, 5])
@story
async def test_sending_the_same_bytes_again_is_harmless(market: Market, times: int) -> None:
    transaction = market.sign("ann", sell("ann", 1_000, NOON, 3_000_000))
    for _ in range(times):
        (answer,) = await market.submit(transaction)
        assert answer["state"] == "pending"
    await market.block()
    for _ in range(times):
        (answer,) = await market.submit(transaction)
        assert (answer["state"], answer["code"]) == ("committed", 0)
    assert (await market.get("/v1/status"))["orders_open"] == 1


def block_of(name: str, side: Side, price_micro: int) -> PlaceBlockOrder:
    """300 Wh in each of the two intervals from noon on."""
    sources = Source.SOLAR if side == Side.SELL else ANY_SOURCE_MASK
    return PlaceBlockOrder(pseudonym(name), pseudonym("order"), NOON, 2, side, price_micro, 300, sources, 0, 0)


@story
async def test_a_block_order_waits_is_listed_without_a_name_and_is_filled_as_a_whole(market: Market) -> None:
    transaction = market.sign("ann", block_of("ann", Side.SELL, 3_000_000))
    await market.submit(transaction)
    pending = await order_of(market, "ann")
    assert (pending["state"], pending["quantity_wh"], pending["intervals"]) == ("pending", 600, 2)
    await market.block()
    order = await order_of(market, "ann")
    assert (order["state"], order["interval"], order["intervals"]) == ("open", NOON, 2)
    assert await shown(market, "ann") == ("open", 0, 600)
    token = await market.sign_in("ann")
    own = f"/v1/accounts/{market.wallet('ann').account.hex()}/orders"
    assert [line["client_id"] for line in (await market.get(own, token))["orders"]] == [pseudonym("order").hex()]
    (line,) = (await market.get("/v1/block-orders"))["block_orders"]
    assert (line["side"], line["interval"], line["intervals"], line["quantity_wh"]) == ("sell", NOON, 2, 300)
    assert not {"account", "portfolio", "client_id"} & set(line)
    await market.run("cat", block_of("cat", Side.BUY, 3_500_000))
    assert await shown(market, "ann") == await shown(market, "cat") == ("filled", 600, 0)
    assert (await order_of(market, "ann"))["value_micro"] == 1_800_000
    assert (await market.get("/v1/block-orders"))["block_orders"] == []
    assert (await market.get(own, token, state="gone"))["orders"][0]["intervals"] == 2


@story
async def test_a_block_order_is_cancelled_or_refused_and_its_name_goes_to_another(market: Market) -> None:
    await market.run("ann", block_of("ann", Side.SELL, 3_000_000))
    await market.run("ann", CancelOrder(pseudonym("order")))
    assert await shown(market, "ann") == ("cancelled", 0, 0)
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    order = await order_of(market, "ann")
    assert (order["state"], order["quantity_wh"], order["intervals"]) == ("open", 1_000, 1)
    await market.run("cat", msgspec.structs.replace(block_of("cat", Side.BUY, 3_500_000), intervals=97))
    order = await order_of(market, "cat")
    assert (order["state"], order["name"]) == ("rejected", "BLOCK_LENGTH_INVALID")
