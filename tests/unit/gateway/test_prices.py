"""What the public sees of reference prices, bands and halts (B10, A11)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.unit.gateway.market import Market, running_market
from tests.unit.gateway.socket import Socket
from tests.unit.gateway.test_readmodel import everything
from tests.world import Founding, at, buy, interval_at, sell

from gridtokenx.engine.storage import Reader
from gridtokenx.gateway import prices
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import Halt, HaltReason, Resume

NOON = interval_at(12)
PATH = f"/v1/prices/{NOON}"


def play(folder: Path, test: Callable[[Market], Awaitable[None]]) -> None:
    """Two homes on two feeders of Bangkok; it is 10:00."""

    async def life() -> None:
        community = Founding(time_ms=at(10))
        community.add_home("ann", 11, {Source.SOLAR: 40_000}, 40_000)
        community.add_home("eve", 12, import_w=40_000)
        async with running_market(folder, community) as market:
            await test(market)

    asyncio.run(life())


def test_a_price_says_what_it_is_made_of_and_which_block_made_it(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        before = await market.get(PATH)
        assert [zone["price_micro"] for zone in before["zones"]] == [3_999_000] * 3
        assert (before["band_ppm"], before["reference_wh"], before["closed"]) == (500_000, 5_000, False)
        bangkok = before["zones"][0]
        assert (bangkok["low_micro"], bangkok["high_micro"], bangkok["changed_height"]) == (2_000_000, 5_998_000, None)
        await market.run("ann", sell("ann", 1_000, NOON, 4_600_000))
        await market.run("eve", buy("eve", 1_000, NOON, 5_100_000))
        bangkok = (await market.get(PATH))["zones"][0]
        assert (bangkok["price_micro"], bangkok["renewable_micro"]) == (4_099_000, 100_166)
        assert (bangkok["changed_height"], bangkok["traded_wh"]) == (market.height, 1_000)
        missing = await market.web.get("/v1/prices/5")
        assert missing.status_code == 404

    play(tmp_path, test)


def test_halts_show_with_reason_and_end_and_can_be_followed(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        async with Socket(market.app) as socket:
            await socket.say(subscribe=[{"topic": f"prices:{NOON}", "after": None}])
            heard = await socket.hear()
            assert (heard["kind"], heard["data"]["zones"][0]["halts"]) == ("snapshot", [])
            await market.run("ann", sell("ann", 2_000, NOON, 6_500_000))
            await market.run("eve", buy("eve", 2_000, NOON, 9_000_000))
            begun_ms = market.time_ms
            bangkok = (await socket.hear())["data"]["zones"][0]
            (halt,) = bangkok["halts"]
            assert (halt["interval"], halt["zone"], halt["reason"]) == (NOON, 1, "band")
            assert (halt["since_ms"], halt["until_ms"], halt["stage"]) == (begun_ms, begun_ms + 60_000, "collecting")
            assert bangkok["halts_by_band"] == 1
            await market.run("operator", Halt(0, 0, 0, HaltReason.EXERCISE))
            zones = (await socket.hear())["data"]["zones"]
            assert [len(zone["halts"]) for zone in zones] == [2, 1, 1]
            assert zones[1]["halts"][0] == {
                "interval": None,
                "zone": None,
                "since_ms": market.time_ms,
                "until_ms": None,
                "reason": "exercise",
                "stage": "collecting",
                "extended": False,
            }
            assert "gridtokenx_gateway_halts 2.0" in (await market.web.get("/metrics")).text
            await rebuilt(market, tmp_path)
            await market.run("operator", Resume(0, 0))
            await market.block(begun_ms + 200_000)
            assert (await market.get(PATH))["zones"][0]["halts"] == []
            await market.block(at(11, 56))
            heard = await socket.hear()
            while not heard["data"]["closed"]:
                heard = await socket.hear()

    play(tmp_path, test)


async def rebuilt(market: Market, tmp_path: Path) -> None:
    """A gateway that starts now says the same."""
    reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
    anew, lived = ReadModel(reader), market.gateway.model
    assert everything(anew) == everything(lived)
    assert prices.prices_view(anew, NOON) == prices.prices_view(lived, NOON)
    reader.close()
