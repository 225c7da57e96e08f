"""What the public and makers see of makers (B6)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.unit.gateway.market import Market, running_market
from tests.unit.gateway.test_readmodel import everything
from tests.world import MINUTE_MS, TRADED_TO_THE_GATE, WATT, Founding, at, buy, interval_at, pseudonym, sell

from gridtokenx.engine.storage import Reader
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import CancelOrder, EnrolMaker, MakerTerms

NOON = interval_at(12)
DORA = pseudonym("dora").hex()
PROGRAMME = MakerTerms(500_000, 1_000, 900, 60 * MINUTE_MS, 500_000, 2, 200)
ASKED = {
    "spread_micro": 500_000,
    "size_wh": 1_000,
    "presence_per_mille": 900,
    "window_ms": 3_600_000,
    "rebate_ppm": 500_000,
    "makers_max": 2,
    "misses_max": 200,
}


def community() -> Founding:
    """Dora deals in Bangkok, where there is a programme; it is 10:50. Ann buys."""
    founding = Founding(TRADED_TO_THE_GATE, at(10, 50))
    founding.add_dealer("dora", 11, 20_000, 20_000, 1_000 * WATT)
    founding.add_home("ann", 11, import_w=40_000)
    founding.builder.add_maker_programme(1, PROGRAMME)
    return founding


def play(folder: Path, test: Callable[[Market], Awaitable[None]]) -> None:
    async def life() -> None:
        async with running_market(folder, community()) as market:
            await test(market)

    asyncio.run(life())


async def quote(market: Market, quantity_wh: int = 2_000) -> None:
    """Both sides of 12:00, half a WATT apart at the feeder."""
    source = Source.CONVENTIONAL
    await market.run("dora", buy("dora", 1_000, NOON, 3_200_000, "bid"))
    await market.run("dora", sell("dora", quantity_wh, NOON, 3_500_000, "ask", source=source))


async def own_duty(market: Market, interval: int = NOON) -> dict[str, Any]:
    path = f"/v1/accounts/{market.wallet('dora').account.hex()}/duties"
    shown = await market.get(path, await market.sign_in("dora"))
    return next(duty for duty in shown["duties"] if duty["interval"] == interval)


def test_anybody_sees_programmes_and_how_they_are_kept(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        shown = await market.get("/v1/makers")
        assert shown["programmes"] == [{"zone": 1, "terms": ASKED}] and shown["makers"] == []
        assert (await market.web.get(f"/v1/makers/{DORA}")).status_code == 404
        await market.run("dora", EnrolMaker(pseudonym("dora")))
        await quote(market)
        await market.block(at(11, 15))
        (one,) = (await market.get("/v1/makers"))["makers"]
        assert (one["portfolio"], one["zone"], one["feeder"], one["end"], one["until"]) == (DORA, 1, 11, "none", 0)
        # Of 12:00 and 12:15 the time counts now; she shows nothing of 12:15.
        assert (one["counting"], one["present"]) == (2, 1)
        duties = {one["interval"]: one for one in (await market.get(f"/v1/makers/{DORA}"))["duties"]}
        noon = duties[NOON]
        assert (noon["verdict"], noon["is_present"], noon["asked"]) == ("open", True, ASKED)
        assert (noon["counted_ms"], noon["present_ms"]) == (20 * MINUTE_MS, 20 * MINUTE_MS)
        assert (duties[NOON + 1]["counted_ms"], duties[NOON + 1]["present_ms"]) == (5 * MINUTE_MS, 0)
        await rebuilt(market, tmp_path)

    play(tmp_path, test)


def test_a_verdict_a_rebate_and_the_statement_that_shows_it(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("dora", EnrolMaker(pseudonym("dora")))
        await quote(market)
        await market.run("ann", buy("ann", 1_000, NOON, 4_000_000))
        for hour, minute in ((11, 55), (12, 10), (12, 46)):
            await market.block(at(hour, minute))
        await market.block()
        (one,) = (await market.get("/v1/makers"))["makers"]
        assert (one["kept"], one["fees_micro"], one["rebate_micro"]) == (1, 3_500, 1_750)
        duties = {one["interval"]: one for one in (await market.get(f"/v1/makers/{DORA}"))["duties"]}
        assert (duties[NOON]["verdict"], duties[NOON]["rebate_micro"]) == ("kept", 1_750)
        token = await market.sign_in("dora")
        account = market.wallet("dora").account.hex()
        statements = (await market.get(f"/v1/accounts/{account}/statements", token))["statements"]
        (line,) = [line for line in statements if line["interval"] == NOON]
        assert line["rebate_micro"] == 1_750
        total = (await market.get(f"/v1/accounts/{account}/bill", token, day="2026-06-01"))["total"]
        balance = (await market.get(f"/v1/accounts/{account}", token))["balance_micro"]
        assert total["rebate_micro"] == 1_750
        # To the last unit what the ledger moved.
        assert total["bill_micro"] == 1_000 * WATT - balance

    play(tmp_path, test)


def test_the_maker_sees_what_is_missing(tmp_path: Path) -> None:
    async def test(market: Market) -> None:
        await market.run("dora", EnrolMaker(pseudonym("dora")))
        duty = await own_duty(market)
        assert (duty["missing"], duty["shown_buy_wh"], duty["spread_micro"]) == (["buy_size", "sell_size"], 0, None)
        await quote(market, 400)
        duty = await own_duty(market)
        assert (duty["missing"], duty["shown_buy_wh"], duty["shown_sell_wh"]) == (["sell_size"], 1_000, 400)
        ask = sell("dora", 600, NOON, 3_600_000, "more", source=Source.CONVENTIONAL)
        await market.run("dora", ask)
        duty = await own_duty(market)
        assert (duty["missing"], duty["spread_micro"], duty["is_present"]) == (["spread"], 600_000, False)
        await market.run("dora", CancelOrder(pseudonym("more")))
        await market.run("dora", sell("dora", 600, NOON, 3_500_000, "more", source=Source.CONVENTIONAL))
        duty = await own_duty(market)
        assert (duty["missing"], duty["spread_micro"], duty["is_present"]) == ([], 500_000, True)

    play(tmp_path, test)


async def rebuilt(market: Market, folder: Path) -> None:
    """A gateway that starts now knows the same."""
    reader = Reader(folder / "data" / "db", folder / "other")
    anew, lived = ReadModel(reader), market.gateway.model
    assert everything(anew) == everything(lived)
    assert anew.duties_of == lived.duties_of
    assert anew.members.rows == lived.members.rows
    reader.close()
