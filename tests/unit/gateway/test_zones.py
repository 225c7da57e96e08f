"""What the public sees of zones, of the links between them, and of a book from one feeder (B5, B6)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from tests.unit.gateway.market import Market, running_market
from tests.unit.gateway.socket import Socket
from tests.unit.gateway.test_readmodel import everything
from tests.world import Founding, at, buy, interval_at, order, pseudonym, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.engine.storage import Reader
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.zones import network_view
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import CancelOrder, Halt, HaltReason, Scope, Side

NOON = interval_at(12)
PATH = f"/v1/network/{NOON}"
SUN = {Source.SOLAR: 40_000}


def play(folder: Path, test: Callable[[Market], Awaitable[None]]) -> None:
    """Bangkok (feeders 11 and 12, which has a limit of 100 Wh each way), Central (21), Northeast (31); from Bangkok to
    Central 1,000 Wh can flow and back 500 Wh; Central to the Northeast has no limit."""

    async def life() -> None:
        community = Founding(msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=0), at(10))
        for name, feeder in (("ann", 11), ("eve", 12), ("cen", 21), ("far", 31)):
            community.add_home(name, feeder, SUN, 40_000)
        for name, feeder in (("cat", 11), ("dan", 21), ("kim", 31)):
            community.add_home(name, feeder, import_w=40_000)
        community.builder.limit_border(1, 2, 4_000, 2_000)
        community.builder.limit_feeder(12, 400, 400)
        async with running_market(folder, community) as market:
            await test(market)

    asyncio.run(life())


async def zones_of(market: Market) -> dict[int, dict[str, object]]:
    return {zone["zone"]: zone for zone in (await market.get(PATH))["zones"]}


async def asks_from(market: Market, feeder: int) -> list[tuple[int, int, int, int]]:
    book = await market.get(f"/v1/intervals/{NOON}/book", feeder=feeder)
    fields = ("delivered_micro", "nearness", "feeder", "quantity_wh")
    return [tuple(level[name] for name in fields) for level in book["delivered_asks"]]  # type: ignore[misc]


def test_zones_and_borders_show_what_trades_did(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        (first, second) = (await market.get(PATH))["borders"]
        assert first == {
            "first": 1,
            "second": 2,
            "forward_wh": 1_000,
            "backward_wh": 500,
            "net_wh": 0,
            "forward_free_wh": 1_000,
            "backward_free_wh": 500,
        }
        assert (second["first"], second["second"], second["forward_wh"], second["backward_free_wh"]) == (
            2,
            3,
            None,
            None,
        )
        await market.run("ann", sell("ann", 900, NOON, 3_000_000))
        await market.run("dan", buy("dan", 600, NOON, 4_000_000))
        shown = await market.get(PATH)
        assert (shown["height"], shown["closed"]) == (market.height, False)
        assert [(each["net_wh"], each["forward_free_wh"], each["backward_free_wh"]) for each in shown["borders"]] == [
            (600, 400, 1_100),
            (0, None, None),
        ]
        bangkok, central, northeast = (await zones_of(market)).values()
        assert (bangkok["sold_wh"], bangkok["bought_wh"], bangkok["last_price_micro"]) == (600, 0, 3_000_000)
        # What came over a border was worth so much more there.
        assert (central["sold_wh"], central["bought_wh"], central["last_price_micro"]) == (0, 600, 3_300_000)
        assert (northeast["last_price_micro"], northeast["price_micro"]) == (None, None)
        assert (bangkok["offered_wh"], bangkok["best_ask_micro"], bangkok["orders"]) == (300, 3_000_000, 1)
        assert (bangkok["feeders"], bangkok["limited_feeders"], central["limited_feeders"]) == (2, 1, 0)
        (trade,) = (await market.get("/v1/trades"))["trades"]
        assert trade["zones"] == [1, 2]
        await rebuilt(market, tmp_path)

    play(tmp_path, test)


async def rebuilt(market: Market, tmp_path: Path) -> None:
    """A gateway that starts now says the same."""
    reader = Reader(tmp_path / "data" / "db", tmp_path / "other")
    anew = ReadModel(reader)
    assert everything(anew) == everything(market.gateway.model)
    assert network_view(anew, NOON) == network_view(market.gateway.model, NOON)
    reader.close()


def test_a_book_shows_nothing_of_halted_zones_but_of_its_own(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("ann", sell("ann", 100, NOON, 3_000_000))
        await market.run("cen", sell("cen", 200, NOON, 3_100_000))
        await market.run("far", sell("far", 300, NOON, 3_200_000))

        async def seen() -> list[set[int]]:
            return [{feeder for _, _, feeder, _ in await asks_from(market, own)} for own in (11, 21, 31)]

        everybody = {11, 21, 31}
        assert await seen() == [everybody] * 3
        await market.run("operator", Halt(NOON, 2, 0, int(HaltReason.EXERCISE)))
        assert await seen() == [{11, 31}, {21}, {11, 31}]
        await market.run("operator", Halt(0, 0, 0, int(HaltReason.EXERCISE)))
        assert await seen() == [{11}, {21}, {31}]
        await rebuilt(market, tmp_path)

    play(tmp_path, test)


def test_a_book_shows_what_can_be_reached_and_no_more(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("ann", sell("ann", 700, NOON, 3_000_000))
        await market.run("eve", sell("eve", 900, NOON, 2_900_000))
        await market.run("far", sell("far", 500, NOON, 3_500_000))
        # Feeder 12 lets 100 Wh out, and the border 1,000 Wh through, of which the cheaper ones come first.
        assert await asks_from(market, 21) == [
            (3_650_000, 2, 12, 100),
            (3_750_000, 2, 11, 700),
            (4_250_000, 2, 31, 500),
        ]
        await market.run("dan", buy("dan", 500, NOON, 3_650_000 + 100_000))
        assert await asks_from(market, 21) == [(3_750_000, 2, 11, 300), (4_250_000, 2, 31, 500)]
        # What went out makes room to come in: 100 Wh of the limit, and 100 Wh given back.
        assert await asks_from(market, 12) == [(3_100_000, 0, 12, 800), (3_450_000, 1, 11, 200)]

    play(tmp_path, test)


def test_scopes_keep_offers_at_home(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run(
            "ann",
            order("ann", Side.SELL, 300, NOON, 3_000_000, "zone", scope=Scope.ZONE),
            order("ann", Side.SELL, 200, NOON, 3_000_000, "feeder", scope=Scope.FEEDER),
            sell("ann", 100, NOON, 3_000_000, "all"),
        )
        for feeder, energy_wh in ((11, {300, 200, 100}), (12, {100}), (21, {100})):
            assert {level[3] for level in await asks_from(market, feeder)} == energy_wh, feeder
        book = await market.get(f"/v1/intervals/{NOON}/book")
        assert {(level["scope"], level["quantity_wh"]) for level in book["asks"]} == {(0, 100), (1, 300), (2, 200)}

    play(tmp_path, test)


def test_a_seller_sees_bids_over_the_ways_to_them(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("dan", buy("dan", 2_000, NOON, 4_000_000))
        await market.run("kim", buy("kim", 2_000, NOON, 4_000_000))
        book = await market.get(f"/v1/intervals/{NOON}/book", feeder=11)
        bids = [(level["delivered_micro"], level["feeder"], level["quantity_wh"]) for level in book["delivered_bids"]]
        assert bids == [(3_250_000, 21, 1_000)]
        short = await market.get(f"/v1/intervals/{NOON}/book", feeder=21, levels=1)
        assert [level["feeder"] for level in short["delivered_bids"]] == [21]

    play(tmp_path, test)


def test_feeders_come_in_pages_with_their_links(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("eve", sell("eve", 100, NOON, 3_000_000))
        await market.run("cat", buy("cat", 40 + 60, NOON, 4_000_000))
        first = await market.get(f"{PATH}/zones/1", limit=1)
        assert ([each["feeder"] for each in first["feeders"]], first["next"]) == ([11], 11)
        (eleven,) = first["feeders"]
        assert (eleven["name"], eleven["link"]) == ("feeder 11", None)
        second = await market.get(f"{PATH}/zones/1", after=11)
        (twelve,) = second["feeders"]
        assert (twelve["orders"], second["next"]) == (0, None)
        link = twelve["link"]
        assert (link["first"], link["second"], link["net_wh"], link["forward_free_wh"]) == (12, None, 100, 0)

    play(tmp_path, test)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/network/5", 404),
        ("/v1/network/x", 400),
        (f"{PATH}?more=1", 400),
        (f"{PATH}/zones/99", 404),
        (f"{PATH}/zones/-1", 400),
        (f"{PATH}/zones/1?limit=0", 400),
        (f"{PATH}/zones/1?after=70000", 400),
        ("/v1/auctions/5/history", 404),
        (f"/v1/auctions/{NOON}/curves/99", 404),
        (f"/v1/auctions/{NOON}/curves/1?zone=1", 400),
    ],
)
def test_nonsense_is_refused(path: str, status: int, tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        assert (await market.web.get(path)).status_code == status

    play(tmp_path, test)


def test_it_can_be_followed_until_the_gate(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        async with Socket(market.app) as socket:
            await socket.say(subscribe=[{"topic": f"network:{NOON}", "after": None}])
            assert (await socket.hear())["kind"] == "snapshot"
            await market.block()  # changes nothing, and is not told
            await market.run("ann", sell("ann", 300, NOON, 3_000_000))
            heard = await socket.hear()
            assert (heard["sequence"], heard["data"]["zones"][0]["offered_wh"]) == (market.height, 300)
            await market.run("egat", SetCapacity(LinkKind.BORDER, 1, 2, NOON, 1, 800, 0))
            heard = await socket.hear()
            assert heard["data"]["borders"][0]["forward_free_wh"] == 200
            await market.run("ann", CancelOrder(pseudonym("order")))
            assert (await socket.hear())["data"]["zones"][0]["orders"] == 0
            await market.block(at(11, 55))
            assert (await socket.hear())["data"]["closed"]
            await socket.say(subscribe=[{"topic": f"network:{NOON}", "after": None}])
            assert (await socket.hear())["problem"]["name"] == "STREAM_TOPIC_UNKNOWN"

    play(tmp_path, test)
