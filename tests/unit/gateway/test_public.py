"""What anybody may ask, on a real chain."""

import hashlib

import pytest
from starlette.routing import Route
from tests.unit.gateway.market import Market, story
from tests.world import at, buy, interval_at, pseudonym, sell

from gridtokenx.gateway.documents import BookView, Level, checksum_of
from gridtokenx.modules.market.messages import CancelOrder

NOON = interval_at(12)


@story
async def test_status_is_in_chain_time(market: Market) -> None:
    await market.block(at(7))
    status = await market.get("/v1/status")
    assert (status["chain"], status["time_ms"], status["height"]) == ("test-chain", at(7), market.height)
    assert status["app_hash"] == market.node.application.info().app_hash.hex()
    assert status["interval"] == interval_at(7)


@story
async def test_a_book_has_depth_by_limit_and_by_delivered_price(market: Market) -> None:
    await market.run("ann", sell("ann", 2_000, NOON, 3_000_000, "cheap"), sell("ann", 1_000, NOON, 3_100_000, "dear"))
    await market.run("bob", sell("bob", 500, NOON, 3_000_000))
    await market.run("far", sell("far", 700, NOON, 2_900_000))
    await market.run("cat", buy("cat", 800, NOON, 2_500_000))
    book = await market.get(f"/v1/intervals/{NOON}/book", feeder=11)
    asks = [(level["price_micro"], level["feeder"], level["quantity_wh"], level["orders"]) for level in book["asks"]]
    assert asks == [(2_900_000, 31, 700, 1), (3_000_000, 11, 2_500, 2), (3_100_000, 11, 1_000, 1)]
    delivered = [(level["delivered_micro"], level["nearness"]) for level in book["delivered_asks"]]
    # 0.20 for the trade, 0.25 for leaving the feeder, 0.30 for each of two borders
    assert delivered == [(3_200_000, 0), (3_300_000, 0), (2_900_000 + 1_050_000, 3)]
    (bid,) = book["delivered_bids"]
    assert bid["delivered_micro"] == 2_300_000
    from_far = await market.get(f"/v1/intervals/{NOON}/book", feeder=31)
    assert [level["delivered_micro"] for level in from_far["delivered_asks"]] == [3_100_000, 4_050_000, 4_150_000]


@story
async def test_the_checksum_is_over_all_levels_and_changes_with_them(market: Market) -> None:
    await market.run("ann", *(sell("ann", 100, NOON, 3_000_000 + step * 1_000, f"o{step}") for step in range(20)))
    whole = await market.get(f"/v1/intervals/{NOON}/book")
    part = await market.get(f"/v1/intervals/{NOON}/book", levels=3)
    assert len(part["asks"]) == 3 and part["levels"] == 20
    assert part["checksum"] == whole["checksum"]
    assert checksum_of([], [Level(**level) for level in whole["asks"]]) == whole["checksum"]
    lines = sorted(
        f"sell {level['price_micro']} {level['feeder']} {level['sources']} {level['quantity_wh']} {level['orders']} 0\n"
        for level in whole["asks"]
    )
    assert hashlib.sha256("".join(lines).encode()).hexdigest()[:16] == whole["checksum"]
    await market.run("ann", CancelOrder(pseudonym("o7")))
    assert (await market.get(f"/v1/intervals/{NOON}/book"))["checksum"] != whole["checksum"]


@story
async def test_an_interval_tells_prices_volume_and_phase(market: Market) -> None:
    await market.run("ann", sell("ann", 2_000, NOON, 3_000_000))
    await market.run("cat", buy("cat", 500, NOON, 4_000_000))
    interval = await market.get(f"/v1/intervals/{NOON}")
    assert (interval["traded_wh"], interval["traded_micro"]) == (500, 1_500_000)
    assert (interval["last_price_micro"], interval["best_ask_micro"], interval["best_bid_micro"]) == (
        3_000_000,
        3_000_000,
        None,
    )
    assert (interval["open_orders"], interval["phase"], interval["tariff_micro"]) == (1, "trading", 5_798_200)
    await market.block(at(11, 55))
    interval = await market.get(f"/v1/intervals/{NOON}")
    assert (interval["open_orders"], interval["phase"], interval["best_ask_micro"]) == (0, "closed", None)


@story
async def test_intervals_come_in_pages(market: Market) -> None:
    first = await market.get("/v1/intervals", limit=10)
    second = await market.get("/v1/intervals", start=first["next"], limit=1_000)
    numbers = [line["interval"] for line in first["intervals"] + second["intervals"]]
    assert numbers == sorted(market.gateway.model.intervals) and second["next"] == 0


@story
async def test_trades_carry_no_names_and_come_in_pages(market: Market) -> None:
    await market.run("ann", *(sell("ann", 100, NOON, 3_000_000, f"o{step}") for step in range(9)))
    await market.run("cat", buy("cat", 900, NOON, 4_000_000))
    newest = await market.get("/v1/trades", limit=4)
    assert len(newest["trades"]) == 4
    assert newest["trades"][-1]["sequence"] == market.height << 24 | 8
    seen, after = [], 0
    while page := (await market.get("/v1/trades", after=after, limit=4))["trades"]:
        seen += page
        after = page[-1]["sequence"]
    assert [trade["quantity_wh"] for trade in seen] == [100] * 9
    assert seen == (await market.get(f"/v1/intervals/{NOON}/trades"))["trades"]
    names = [market.wallet(name).account.hex() for name in ("ann", "cat")] + [pseudonym("ann").hex()]
    assert not any(name in str(seen) for name in names)


@story
async def test_blocks_come_newest_first_and_a_block_shows_its_batches(market: Market) -> None:
    said = await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    refused = await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    assert refused["name"] == "ORDER_EXISTS" and refused["failed"] == 0
    listed = await market.get("/v1/blocks", limit=2)
    assert [line["height"] for line in listed["blocks"]] == [market.height, market.height - 1]
    older = await market.get("/v1/blocks", before=listed["next"])
    assert older["blocks"][0]["height"] == market.height - 2 and older["blocks"][-1]["height"] == 1
    assert older["next"] == 0
    block = await market.get(f"/v1/blocks/{refused['height']}")
    assert block["batches"][0]["transactions"] == [refused["id"]]
    assert block["batches"][0]["codes"] == [310]
    before = await market.get(f"/v1/blocks/{said['height']}")
    assert block["previous"] == before["hash"] and block["app_hash_before"] == before["app_hash"]


@story
async def test_codes_name_everything_that_can_be_answered(market: Market) -> None:
    codes = {line["name"]: line["code"] for line in (await market.get("/v1/codes"))["codes"]}
    assert codes["OK"] == 0 and codes["GATE_CLOSED"] == 301 and codes["NOT_YOUR_ACCOUNT"] == 912
    assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize(
    ("path", "status", "name", "field"),
    [
        ("/v1/intervals/1", 404, "NOT_FOUND", "interval"),
        ("/v1/intervals/1/book", 404, "NOT_FOUND", "interval"),
        ("/v1/intervals/x", 400, "REQUEST_MALFORMED", "interval"),
        ("/v1/intervals/" + "9" * 5_000, 400, "REQUEST_MALFORMED", "interval"),
        ("/v1/intervals/-1/trades", 400, "REQUEST_MALFORMED", "interval"),
        (f"/v1/intervals/{NOON}/book?feeder=99", 404, "NOT_FOUND", "feeder"),
        (f"/v1/intervals/{NOON}/book?feeder=x", 400, "REQUEST_MALFORMED", "feeder"),
        (f"/v1/intervals/{NOON}/book?fedeer=11", 400, "REQUEST_MALFORMED", "fedeer"),
        (f"/v1/intervals/{NOON}/book?feeder=11&feeder=12", 400, "REQUEST_MALFORMED", "query"),
        ("/v1/trades?limit=0", 400, "REQUEST_MALFORMED", "limit"),
        ("/v1/trades?limit=1000000", 400, "REQUEST_MALFORMED", "limit"),
        ("/v1/trades?after=-1", 400, "REQUEST_MALFORMED", "after"),
        ("/v1/blocks/0", 404, "NOT_FOUND", "height"),
        ("/v1/blocks/999999999999999", 404, "NOT_FOUND", "height"),
        ("/v1/blocks?before=99999999999999999999999", 400, "REQUEST_MALFORMED", "before"),
        ("/v1/blocks?before=1.0", 400, "REQUEST_MALFORMED", "before"),
        ("/v1/blocks?before=1e3", 400, "REQUEST_MALFORMED", "before"),
        ("/v1/transactions/00", 400, "REQUEST_MALFORMED", "id"),
        ("/v1/transactions/" + "zz" * 32, 400, "REQUEST_MALFORMED", "id"),
        ("/v1/transactions/" + "00" * 32 + "/proof", 404, "NOT_FOUND", "id"),
        ("/v1/transactions/" + "00" * 32 + "?wait_ms=99999999", 400, "REQUEST_MALFORMED", "wait_ms"),
        ("/v1/nothing", 404, "NOT_FOUND", "path"),
        ("/v1/status/", 404, "NOT_FOUND", "path"),
    ],
)
@story
async def test_a_refusal_names_code_and_field(market: Market, path: str, status: int, name: str, field: str) -> None:
    response = await market.web.get(path)
    problem = response.json()
    assert (response.status_code, problem["name"], problem["field"]) == (status, name, field)
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code", "name", "field"} and problem["detail"]
    assert (problem["type"], problem["status"]) == (f"/problems/{name}", status)
    assert len(response.content) < 1_000


@story
async def test_another_method_is_refused_by_name(market: Market) -> None:
    response = await market.web.delete("/v1/status")
    assert (response.status_code, response.json()["name"]) == (405, "METHOD_NOT_ALLOWED")


@story
async def test_metrics_count_by_route_and_carry_the_nodes(market: Market) -> None:
    await market.get(f"/v1/intervals/{NOON}/book")
    await market.web.get("/v1/no/such/path")
    text = (await market.web.get("/metrics")).text
    assert 'requests_total{method="GET",route="/v1/intervals/{interval}/book",status="200"} 1.0' in text
    assert 'requests_total{method="GET",route="none",status="404"} 1.0' in text
    assert "gridtokenx_gateway_node_up 1.0" in text
    assert 'gridtokenx_block_phase_seconds_count{phase="execute"}' in text


@story
async def test_the_openapi_document_names_every_route_and_its_answer(market: Market) -> None:
    document = (await market.web.get("/openapi.json")).json()
    book = document["paths"]["/v1/intervals/{interval}/book"]["get"]
    answer = book["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert answer == "#/components/schemas/BookView"
    properties = document["components"]["schemas"]["BookView"]["properties"]
    assert set(properties) == set(BookView.__struct_fields__)
    assert {parameter["name"] for parameter in book["parameters"]} == {"interval", "feeder", "levels"}
    assert document["paths"]["/v1/accounts/{id}"]["get"]["security"] == [{"session": []}]
    assert set(document["paths"]) == {
        route.path for route in market.app.routes if isinstance(route, Route) and route.path != "/openapi.json"
    }


@story
async def test_health_says_why_not(market: Market) -> None:
    assert (await market.get("/health")) == {"live": True, "ready": True, "reasons": [], "height": market.height}
    await market.server.close()
    while market.gateway.health().ready:
        await market.gateway.next_block(0.01)
    response = await market.web.get("/health")
    assert response.status_code == 503 and "node does not answer" in response.json()["reasons"][0]
    assert (await market.web.get("/health/live")).status_code == 200
    # What it has read it goes on telling.
    assert (await market.get("/v1/status"))["height"] == market.height
    text = (await market.web.get("/metrics")).text
    assert "gridtokenx_gateway_node_up 0.0" in text
