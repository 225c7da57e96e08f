"""A simulated day, as the gateway adds it up: against sums made here from the ledger's own records."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.market import auth_document, running_gateway

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.storage import Reader
from gridtokenx.gateway import readmodel
from gridtokenx.gateway.billing import safe_text
from gridtokenx.gateway.bills import Prices, old_bill_micro
from gridtokenx.gateway.community import SITES_MIN, CommunityMemory, ShowcaseUnusable, Sums, load_showcase
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.readmodel import FOLLOWED, ReadModel
from gridtokenx.modules.market.state import EMPTY_POSITION
from gridtokenx.modules.settlement.netting import residual_money, split_energy
from gridtokenx.modules.settlement.state import STATEMENTS, Quality, Statement
from gridtokenx.simulation.genesis import ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import Scenario, load_scenario
from gridtokenx.simulation.simulate import run_simulation

pytestmark = pytest.mark.slow

SCENARIO = Path(__file__).parents[3] / "scenarios" / "community-week"
SUMMED = (
    "import_wh",
    "export_wh",
    "sold_wh",
    "bought_wh",
    "undelivered_wh",
    "unused_wh",
    "other_import_wh",
    "other_export_wh",
)


@dataclass(frozen=True)
class Day:
    """The first day of the community, on the disk, and every statement that its blocks wrote."""

    data: Path
    scenario: Scenario
    genesis: ScenarioGenesis
    statements: dict[tuple[int, bytes], Statement]

    def old_bill_micro(self, interval: int, statement: Statement) -> int:
        """By the scenario's own calendar, not by the ledger's."""
        tariff = self.scenario.tariff
        charge = statement.import_wh * tariff.price_micro(interval) // 1_000
        return charge - statement.export_wh * tariff.buy_back_micro // 1_000

    def of(self, portfolio: bytes) -> dict[int, Statement]:
        return {number: one for (number, whose), one in self.statements.items() if whose == portfolio}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    scenario = load_scenario(SCENARIO)
    data = tmp_path_factory.mktemp("day") / "data"
    run_simulation(scenario, days=1, data=data, feed_prefixes=FOLLOWED)
    reader = Reader(data / "db", data / "own")
    head = reader.head()
    assert head is not None
    statements: dict[tuple[int, bytes], Statement] = {}
    for height in range(1, head.height + 1):
        for key, value in reader.feed(height) or ():
            if key[0] == STATEMENTS.prefix and value is not None:
                statements[int.from_bytes(key[1:5], "big"), key[5:]] = STATEMENTS.decode.trusted(value)
    reader.close()
    return Day(data, scenario, make_genesis(scenario), statements)


def ask(day: Day, questions: Callable[[Gateway, httpx.AsyncClient], Awaitable[None]], **settings: Any) -> None:
    """With a gateway over the folder, whose node is away: what is committed can still be read."""

    async def life() -> None:
        async with running_gateway(day.data, **settings) as (gateway, _, web):
            async with asyncio.timeout(60):
                while not gateway.health().height:
                    await gateway.next_block(0.05)
            await questions(gateway, web)

    asyncio.run(life())


async def token_of(web: httpx.AsyncClient, wallet: Wallet) -> dict[str, str]:
    asked = (await web.post("/v1/challenges", json={"account": wallet.account.hex()})).json()["challenge"]
    auth = auth_document(wallet.sign_challenge(bytes.fromhex(asked)))
    opened = await web.post("/v1/sessions", json={"challenge": asked, "auth": auth})
    return {"Authorization": f"Bearer {opened.json()['token']}"}


def test_sums_of_an_interval_are_those_of_its_statements(day: Day) -> None:
    async def questions(gateway: Gateway, web: httpx.AsyncClient) -> None:
        shown: list[dict[str, Any]] = []
        start = 0
        while True:
            page = (await web.get("/v1/community", params={"start": start, "limit": 40})).json()
            shown += page["intervals"]
            start = page["next"]
            if not start:
                break
        newest = (await web.get("/v1/community")).json()["intervals"]
        assert newest == shown[-96:] and page["sites_min"] == SITES_MIN and page["withheld"] == 0
        settled = sorted(number for number in gateway.model.community.intervals)
        assert [line["interval"] for line in shown] == settled and len(settled) >= 96
        assert page["oldest"] == settled[0]
        for line in shown:
            own = [one for (number, _), one in day.statements.items() if number == line["interval"]]
            assert line["statements"] == line["sites"] == len(own) == len(day.scenario.sites)
            assert [line[name] for name in SUMMED] == [sum(getattr(one, name) for one in own) for name in SUMMED]
            assert line["bill_micro"] == sum(one.bill_micro() for one in own)
            assert line["old_bill_micro"] == sum(day.old_bill_micro(line["interval"], one) for one in own)
            assert line["estimated"] == sum(one.quality == Quality.ESTIMATED for one in own)
            assert (line["mean_price_micro"] is None) == (line["sold_wh"] == 0)
            if line["mean_price_micro"] is not None:
                assert line["buy_back_micro"] <= line["mean_price_micro"] <= line["tariff_micro"]
        assert any(line["sold_wh"] for line in shown)

    ask(day, questions)


def test_savings_are_the_same_readings_at_the_old_bill_and_homes_sum_to_the_community(day: Day) -> None:
    connections = day.genesis.connections
    everybody = {connection.portfolio: name for name, connection in connections.items()}

    async def questions(gateway: Gateway, web: httpx.AsyncClient) -> None:
        savings = (await web.get("/v1/community/savings")).json()
        homes = {home["name"]: home for home in savings["showcase"]}
        assert set(homes) == set(connections)
        changes = []
        for name, connection in connections.items():
            own = day.of(connection.portfolio)
            bill = sum(one.bill_micro() for one in own.values())
            old = sum(day.old_bill_micro(number, one) for number, one in own.items())
            home = homes[name]
            assert (home["bill_micro"], home["old_bill_micro"], home["saved_micro"]) == (bill, old, old - bill)
            assert home["import_wh"] == sum(one.import_wh for one in own.values())
            assert home["intervals"] == len(own)
            changes.append(old - bill)
        assert savings["saved"] == sum(change > 0 for change in changes) > 0
        assert savings["lost"] == sum(change < 0 for change in changes)
        assert savings["even"] == sum(change == 0 for change in changes)
        lines = (await web.get("/v1/community", params={"start": 0, "limit": 1_000})).json()["intervals"]
        for name in (*SUMMED, "bill_micro", "old_bill_micro", "statements", "estimated"):
            assert savings["sums"][name] == sum(line[name] for line in lines)
            if name in homes["home-01"]:
                assert savings["sums"][name] == sum(home[name] for home in homes.values())
        assert (savings["since"], savings["until"]) == (lines[0]["interval"], lines[-1]["interval"])

    ask(day, questions, showcase=everybody)


@pytest.mark.parametrize(("hidden", "faucet", "shown"), [(1, False, 0), (2, False, 0), (3, False, 10), (1, True, 12)])
def test_nobody_is_what_is_left_over(day: Day, hidden: int, faucet: bool, shown: int) -> None:
    agreed = {connection.portfolio: name for name, connection in list(day.genesis.connections.items())[hidden:]}

    async def questions(gateway: Gateway, web: httpx.AsyncClient) -> None:
        savings = (await web.get("/v1/community/savings")).json()
        assert savings["sums"]["statements"] and len(savings["showcase"]) == shown

    ask(day, questions, showcase=agreed, faucet=day.data / "no.sock" if faucet else None)


@pytest.mark.parametrize("blocks", [1, 100, 700])
def test_a_restart_knows_less_but_nothing_wrong(day: Day, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of the past is read again: an interval is added up as a whole, or not at all."""
    whole = model_of(day)
    monkeypatch.setattr(readmodel, "HISTORY_BLOCKS_MAX", blocks)
    part = model_of(day)
    assert whole.memory.complete_since < part.memory.complete_since
    # What is not final yet stands in state, whatever was read again.
    assert set(part.community.intervals) >= set(part.settlements) & set(whole.community.intervals)
    for number, settled in part.community.intervals.items():
        lived = whole.community.intervals[number]
        assert (settled.sums, settled.sites, settled.prices) == (lived.sums, lived.sites, lived.prices)
        assert settled.mean_price_micro in {lived.mean_price_micro, None}
    total = Sums()
    for settled in part.community.intervals.values():
        for name in Sums.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(settled.sums, name))
    assert part.community.total == total
    assert part.community.since == min(part.community.intervals)


def model_of(day: Day) -> ReadModel:
    reader = Reader(day.data / "db", day.data / "own")
    try:
        return ReadModel(reader)
    finally:
        reader.close()


def test_a_correction_changes_sums_that_stand() -> None:
    prices, memory = Prices(5_000_000, DEFAULT_TERMS), CommunityMemory(intervals_max=2)
    first = Statement(1_000, 0, 0, 0, 0, 0, 1_000, 0, 0, 0, 5_000_000, 0, Quality.ESTIMATED)
    second = Statement(400, 0, 0, 0, 0, 0, 400, 0, 0, 0, 2_000_000, 0, Quality.CORRECTED)
    memory.settle(7, prices, [(b"a", first, True), (b"b", first, False)], 0, 0)
    memory.correct(7, b"a", first, second)
    memory.correct(8, b"a", first, second)  # not settled yet: nothing to change
    sums = memory.intervals[7].sums
    assert (sums.import_wh, sums.bill_micro, sums.estimated, sums.corrected) == (1_400, 7_000_000, 1, 1)
    assert memory.portfolios[b"a"].import_wh == 400 and memory.total == sums and memory.intervals[7].sites == 1
    for number in (9, 8):
        memory.settle(number, prices, [(b"a", first, True)], 0, 0)
    assert sorted(memory.intervals) == [8, 9] and (memory.since, memory.until) == (7, 9)
    assert memory.portfolios[b"a"].import_wh == 2_400


def test_a_bill_is_the_sum_of_the_ledgers_statements(day: Day) -> None:
    connection = day.genesis.connections["home-02"]
    wallet = connection.owner.wallet()
    own = day.of(connection.portfolio)

    async def questions(gateway: Gateway, web: httpx.AsyncClient) -> None:
        token, path = await token_of(web, wallet), f"/v1/accounts/{wallet.account.hex()}/bill"
        bill = (await web.get(path, params={"month": "2023-03"}, headers=token)).json()
        assert (bill["first_day"], bill["last_day"], bill["left_out"]) == ("2023-03-01", "2023-03-31", 0)
        total = bill["total"]
        assert total["intervals"] == len(own)
        assert [total[name] for name in SUMMED] == [sum(getattr(one, name) for one in own.values()) for name in SUMMED]
        assert total["bill_micro"] == sum(one.bill_micro() for one in own.values())
        assert total["old_bill_micro"] == sum(day.old_bill_micro(number, one) for number, one in own.items())
        assert total["saved_micro"] == total["old_bill_micro"] - total["bill_micro"]
        assert total["purchase_cost_micro"] == sum(one.purchase_cost_micro for one in own.values()) > 0
        assert sum(total["purchases"].values()) == total["purchase_cost_micro"]
        assert total["sales"]["energy_micro"] - total["sales"]["trading_fee_micro"] == total["sale_proceeds_micro"] > 0
        paid = total["purchase_cost_micro"] + total["other_import_micro"] + total["undelivered_micro"]
        earned = total["sale_proceeds_micro"] + total["other_export_micro"] + total["unused_micro"]
        assert paid - earned == total["bill_micro"]
        charges = sum(one.charge_micro for one in own.values())
        assert total["other_import_micro"] + total["undelivered_micro"] == charges
        days = {line["day"]: line for line in bill["days"]}
        assert set(days) == {"2023-03-19", "2023-03-20", "2023-03-21"} & set(days) and "2023-03-20" in days
        for name in total:
            if name not in {"purchases", "sales"}:
                assert total[name] == sum(line[name] for line in days.values())
        single = (await web.get(path, params={"day": "2566-03-20"}, headers=token)).json()
        assert (
            single["days"] == [days["2023-03-20"]] and single["total"]["bill_micro"] == single["days"][0]["bill_micro"]
        )
        line = days["2023-03-20"]
        paid = line["purchase_cost_micro"] + line["other_import_micro"] + line["undelivered_micro"]
        assert line["vat_micro"] == paid * 7 // 100
        assert line["bill_with_vat_micro"] == line["bill_micro"] + line["vat_micro"]
        table = await web.get(f"{path}.csv", params={"month": "2023-03"}, headers=token)
        assert table.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert [row["day"] for row in rows] == [*sorted(days), "total"]
        assert int(rows[-1]["bill_micro"]) == total["bill_micro"]
        assert int(rows[-1]["purchases.wheeling_micro"]) == total["purchases"]["wheeling_micro"]

    ask(day, questions)


def test_a_bill_is_ones_own_and_of_a_day_or_a_month(day: Day) -> None:
    wallet = day.genesis.connections["home-02"].owner.wallet()
    other = day.genesis.connections["home-03"]

    async def questions(gateway: Gateway, web: httpx.AsyncClient) -> None:
        token, path = await token_of(web, wallet), f"/v1/accounts/{wallet.account.hex()}/bill"
        strangers = f"/v1/accounts/{other.owner.account.hex()}/bill"
        for suffix in ("", ".csv"):
            assert (await web.get(path + suffix)).json()["name"] == "SESSION_MISSING"
            assert (await web.get(strangers + suffix, headers=token)).json()["name"] == "NOT_YOUR_ACCOUNT"
        for query, field in (
            ({"day": "2023-02-29"}, "day"),
            ({"day": "today"}, "day"),
            ({"day": ""}, "day"),
            ({"month": "2023-13"}, "month"),
            ({"month": "9999-99"}, "month"),
            ({"day": "2023-03-20", "month": "2023-03"}, "month"),
            ({"portfolio": "x"}, "portfolio"),
            ({"year": "2023"}, "year"),
        ):
            refused = await web.get(path, params=query, headers=token)
            assert (refused.status_code, refused.json()["field"]) == (400, field), query
        foreign = await web.get(path, params={"portfolio": other.portfolio.hex()}, headers=token)
        assert foreign.json()["name"] == "NOT_YOUR_ACCOUNT"
        empty = (await web.get(path, params={"day": "1970-01-01"}, headers=token)).json()
        assert (empty["days"], empty["total"]["bill_micro"], empty["total"]["intervals"]) == ([], 0, 0)

    ask(day, questions)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(2_200_000, 10**7))
def test_the_old_bill_is_what_settlement_charges_who_never_trades(import_wh: int, export_wh: int, tariff: int) -> None:
    energy = split_energy(0, import_wh, export_wh)
    charge, credit = residual_money(DEFAULT_TERMS, tariff, EMPTY_POSITION, energy)
    statement = Statement(import_wh, export_wh, 0, 0, 0, 0, import_wh, export_wh, 0, 0, charge, credit, 0)
    assert old_bill_micro(statement, Prices(tariff, DEFAULT_TERMS)) == charge - credit == statement.bill_micro()


@given(st.text(max_size=20))
def test_no_text_is_a_formula(text: str) -> None:
    safe = safe_text(text)
    assert safe in {text, f"'{text}"} and not safe.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"zz": "a"}', '{"00": "a"}', '{"0011223344556677": ""}', '{"0011223344556677": 1}']
)
def test_a_list_of_the_agreed_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "showcase.json"
    file.write_text(text)
    with pytest.raises(ShowcaseUnusable, match=r"showcase\.json"):
        load_showcase(file)


def test_a_list_of_the_agreed(tmp_path: Path) -> None:
    file = tmp_path / "showcase.json"
    file.write_text('{"0011223344556677": "บ้าน 1"}')
    assert load_showcase(file) == {bytes.fromhex("0011223344556677"): "บ้าน 1"}
    with pytest.raises(ShowcaseUnusable):
        load_showcase(tmp_path / "none")
