"""What the public and traders see of an auction (B8)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from tests.unit.gateway.market import Market, running_market
from tests.unit.gateway.socket import Socket
from tests.unit.gateway.test_readmodel import everything
from tests.world import Founding, at, buy, interval_at, pseudonym, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.engine.storage import Reader
from gridtokenx.gateway import auctions, calls
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.identity.messages import Source

NOON = interval_at(12)
PRICE, COST = 3_000_000, 3_450_000


def play(folder: Path, test: Callable[[Market], Awaitable[None]]) -> None:
    """Bangkok sells to Bangkok and, over a border of 1 kWh, to Central; feeder 12 has a limit; it is 11:40."""

    async def life() -> None:
        community = Founding(msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=300_000), at(11, 40))
        community.add_home("ann", 11, {Source.SOLAR: 40_000}, 40_000)
        community.add_home("eve", 12, {Source.SOLAR: 40_000}, 40_000)
        for name, feeder in (("cat", 11), ("dan", 21)):
            community.add_home(name, feeder, import_w=40_000)
        community.builder.limit_border(1, 2, 4_000, 4_000)
        community.builder.limit_feeder(12, 400, 400)
        async with running_market(folder, community) as market:
            await test(market)

    asyncio.run(life())


async def collect(market: Market) -> None:
    """Orders of the call phase."""
    await market.block(at(11, 51))
    await market.run("ann", sell("ann", 2_000, NOON, PRICE))
    await market.run("dan", buy("dan", 1_500, NOON, 5_450_000))
    await market.run("cat", buy("cat", 500, NOON, COST + 100_000))


def test_it_is_open_then_indicative_then_final(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        path = f"/v1/auctions/{NOON}"
        assert (await market.get(path))["state"] == "open"
        shown = await market.get(f"/v1/intervals/{NOON}")
        assert (shown["phase"], shown["call_ms"], shown["zone_prices"]) == ("trading", at(11, 50), [])
        await collect(market)
        assert (await market.get(f"/v1/intervals/{NOON}"))["phase"] == "call"
        indicative = await market.get(path)
        assert (indicative["state"], indicative["orders"], indicative["method"]) == ("indicative", 3, "solved")
        await market.block(at(11, 55))
        final = await market.get(path)
        assert (final["state"], final["height"]) == ("final", market.height)
        for name in ("places", "links", "welfare_micro", "method"):
            assert final[name] == indicative[name], name
        assert {place["zone"]: place["price_micro"] for place in final["places"]} == {
            1: PRICE,
            2: 5_000_000,
            3: 5_000_000,
        }
        (border,) = [link for link in final["links"] if link["flow_wh"]]
        assert (border["first"], border["second"], border["flow_wh"]) == (1, 2, 1_000)
        assert (border["wheeling_micro"], border["rent_micro"]) == (300_000, 1_700_000)
        shown = await market.get(f"/v1/intervals/{NOON}")
        assert (shown["phase"], shown["traded_wh"]) == ("closed", 1_500)
        assert {each["zone"]: each["price_micro"] for each in shown["zone_prices"]}[2] == 5_000_000
        await rebuilt(market, tmp_path)

    play(tmp_path, test)


async def rebuilt(market: Market, tmp_path: Path) -> None:
    """A gateway that starts now says the same."""
    reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
    anew, lived = ReadModel(reader), market.gateway.model
    assert everything(anew) == everything(lived)
    assert auctions.auction_view(anew, NOON) == auctions.auction_view(lived, NOON)
    reader.close()


def test_a_gateway_that_starts_in_the_call_computes_the_same(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.block(at(11, 45))
        await market.run("ann", sell("ann", 500, NOON, PRICE, "early"))
        await market.run("dan", buy("dan", 300, NOON, 5_450_000, "early"))
        await collect(market)
        await rebuilt(market, tmp_path)

    play(tmp_path, test)


def test_trades_show_as_the_auctions_and_orders_know_what_they_got(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await collect(market)
        await market.block(at(11, 55))
        trades = (await market.get("/v1/trades"))["trades"]
        assert all(trade["auction"] for trade in trades)
        assert sorted((trade["taker"], trade["quantity_wh"], trade["price_micro"]) for trade in trades) == [
            ("buy", 500, PRICE),
            ("buy", 1_000, 5_000_000),
            ("sell", 1_500, PRICE),
        ]
        for name, filled_wh, value_micro in (("ann", 1_500, 4_500_000), ("dan", 1_000, 5_000_000), ("cat", 500, None)):
            token = await market.sign_in(name)
            account = market.wallet(name).account.hex()
            view = await market.get(f"/v1/accounts/{account}/orders/{pseudonym('order').hex()}", token)
            assert view["state"] == ("filled" if name == "cat" else "ended")
            assert view["filled_wh"] == filled_wh
            assert value_micro is None or view["value_micro"] == value_micro

    play(tmp_path, test)


def test_with_too_many_orders_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auctions, "ORDERS_MAX", 2)

    async def test(market: Market) -> None:
        await collect(market)
        view = await market.get(f"/v1/auctions/{NOON}")
        assert (view["state"], view["too_many_orders"], view["places"]) == ("indicative", True, [])
        missing = await market.web.get("/v1/auctions/5")
        assert missing.status_code == 404

    play(tmp_path, test)


def test_it_can_be_followed_until_it_is_final(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await collect(market)
        async with Socket(market.app) as socket:
            await socket.say(subscribe=[{"topic": f"auction:{NOON}", "after": None}])
            heard = await socket.hear()
            assert (heard["kind"], heard["data"]["state"]) == ("snapshot", "indicative")
            await market.run("eve", sell("eve", 600, NOON, 2_000_000))
            heard = await socket.hear()
            assert (heard["data"]["state"], heard["data"]["orders"]) == ("indicative", 4)
            assert {"zone": 1, "feeder": 12, "price_micro": 2_000_000, "sold_wh": 100, "bought_wh": 0} in heard["data"][
                "places"
            ]
            await market.block(at(11, 55))
            while heard["data"]["state"] != "final":
                heard = await socket.hear()
        assert heard["sequence"] == market.height

    play(tmp_path, test)


def test_how_it_builds_up_is_remembered_and_drawn(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        path = f"/v1/auctions/{NOON}"
        assert (await market.get(f"{path}/history"))["moments"] == []
        assert (await market.get(f"{path}/curves/1"))["as_of"] == 0
        await collect(market)
        await market.block()
        await market.run("eve", sell("eve", 600, NOON, 2_000_000))
        moments = (await market.get(f"{path}/history"))["moments"]
        assert [moment["orders"] for moment in moments] == [0, 1, 2, 3, 4]
        assert moments[0]["zones"] == []
        last = {zone["zone"]: zone for zone in moments[-1]["zones"]}
        assert (last[1]["price_micro"], last[2]["price_micro"], last[2]["bought_wh"]) == (PRICE, 5_000_000, 1_000)
        curves = await market.get(f"{path}/curves/1")
        zone, feeder = curves["places"]
        assert (zone["zone"], zone["feeder"], zone["thinned"]) == (1, None, False)
        steps = [(step["price_micro"], step["offered_wh"], step["wanted_wh"]) for step in zone["steps"]]
        assert steps == [(PRICE, 2_000, 0), (PRICE + 100_000, 0, 500)]
        assert (feeder["feeder"], feeder["steps"][0]["offered_wh"]) == (12, 600)
        height = market.height
        await market.block(at(11, 55))
        assert (await market.get(f"{path}/history"))["moments"] == moments
        assert (await market.get(f"{path}/curves/1")) == curves | {"height": market.height, "as_of": height}

    play(tmp_path, test)


def test_what_is_remembered_of_a_call_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOMENTS_MAX", 4)
    monkeypatch.setattr(calls, "STEPS_SHOWN", 3)

    async def test(market: Market) -> None:
        await market.block(at(11, 51))
        for number in range(8):
            await market.run("ann", sell("ann", 100, NOON, PRICE + number * 1_000, f"o{number}"))
        moments = (await market.get(f"/v1/auctions/{NOON}/history"))["moments"]
        assert len(moments) <= 4
        assert (moments[-1]["height"], moments[-1]["orders"]) == (market.height, 8)
        (place,) = (await market.get(f"/v1/auctions/{NOON}/curves/1"))["places"]
        assert place["thinned"]
        assert [(step["price_micro"] - PRICE, step["offered_wh"]) for step in place["steps"]] == [
            (2_000, 300),
            (5_000, 300),
            (7_000, 200),
        ]

    play(tmp_path, test)


def test_an_interval_without_orders_has_none(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.block(at(11, 56))
        assert (await market.get(f"/v1/auctions/{NOON}"))["state"] == "none"

    play(tmp_path, test)
