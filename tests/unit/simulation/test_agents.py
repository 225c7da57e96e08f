"""Agents: prices at which both sides gain, limits, money, few messages, and no way to the future."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation.rehearsal import Rehearsal

from gridtokenx.simulation.agents import PriceWindow, make_agent
from gridtokenx.simulation.observation import (
    AmendIntent,
    BookView,
    CancelIntent,
    Intent,
    MarketTerms,
    Observation,
    OpenOrder,
    OrderKind,
    PlaceIntent,
    Side,
    Source,
)
from gridtokenx.simulation.scenario import (
    LearnedSettings,
    PatientSettings,
    RandomSettings,
    Scenario,
    ScenarioError,
    load_scenario,
)
from gridtokenx.simulation.tariff_view import (
    INTERVAL_MS,
    TimeOfUse,
    bangkok_day,
    month_of_day,
    quarter_of_day,
)

SCENARIOS = Path(__file__).parents[3] / "scenarios"
KINDS = (PatientSettings(), LearnedSettings(), RandomSettings())
HOUR_MS = 4 * INTERVAL_MS


class Strict(Rehearsal):
    """A rehearsal that looks at every intent."""

    def check(self, name: str, intents: list[Intent], observation: Observation) -> None:
        site = next(site for site in self.scenario.sites if site.name == name)
        orders = {order.order_id: order for order in observation.open_orders}
        intervals = []
        kinds = [isinstance(intent, CancelIntent) for intent in intents]
        assert kinds == sorted(kinds, reverse=True), "cancels come first"
        for intent in intents:
            if isinstance(intent, CancelIntent):
                assert intent.order_id in orders
                continue
            if isinstance(intent, AmendIntent):
                interval, side, source, _ = orders[intent.order_id][1:5]
            else:
                interval, side, source = intent.interval, intent.side, intent.source
                assert intent.kind is OrderKind.LIMIT
            intervals.append(interval)
            assert intent.price_micro % 1_000 == 0 and intent.quantity_wh >= 100
            assert observation.time_ms < interval * INTERVAL_MS - 300_000
            assert interval < observation.open_until_interval
            position = observation.positions_wh.get(interval, 0)
            window = PriceWindow.of(self.terms, self.terms.tariff.price_micro(interval), self.terms.wheeling_micro)
            if side is Side.BUY:
                assert intent.quantity_wh - position <= site.import_capacity_w // 4
                trade_price = intent.price_micro - 200_000
            else:
                factor = 1000
                if source is Source.SOLAR:
                    month = month_of_day(bangkok_day(interval))
                    factor = self.scenario.sky[month - 1][quarter_of_day(interval)]
                capacity = site.export_capacity_w(source.value)
                assert capacity and intent.quantity_wh + max(0, position) <= capacity // 4 * factor // 1_000
                trade_price = intent.price_micro
            assert window.floor_micro <= trade_price <= window.ceiling_micro
        assert len(intervals) == len(set(intervals)), "one order an interval"


@pytest.fixture(scope="module")
def week() -> Scenario:
    return load_scenario(SCENARIOS / "community-week")


@given(
    st.integers(0, 4_000_000),
    st.integers(0, 6_000_000),
    st.integers(0, 50_000),
    st.integers(0, 5_000),
    st.integers(0, 2_000_000),
    st.integers(0, 100),
)
def test_inside_the_window_both_sides_gain(
    buy_back: int, above: int, grid_fee: int, trading_fee: int, wheeling: int, share: int
) -> None:
    tariff = TimeOfUse(buy_back + above, buy_back + above, buy_back, 9, 22, frozenset())
    terms = MarketTerms(
        tariff,
        wheeling_micro=wheeling,
        grid_fee_millionths=grid_fee,
        trading_fee_millionths=trading_fee,
    )
    window = PriceWindow.of(terms, tariff.on_peak_micro, wheeling)
    assert window.floor_micro % 1_000 == window.ceiling_micro % 1_000 == 0
    if window.floor_micro <= window.ceiling_micro:
        steps = (window.ceiling_micro - window.floor_micro) // 1_000
        price = window.floor_micro + steps * share // 100 * 1_000
        assert price * (1_000_000 - trading_fee) >= buy_back * 1_000_000
        paid = price * (1_000_000 + grid_fee + trading_fee) + wheeling * 1_000_000
        assert paid <= tariff.on_peak_micro * 1_000_000


def test_the_default_window_is_narrow_off_peak_and_wide_on_peak(week: Scenario) -> None:
    terms = MarketTerms(week.tariff)
    near_micro, auction_micro = terms.wheeling_micro, terms.wheeling_in_auction_micro
    assert PriceWindow.of(terms, week.tariff.off_peak_micro, near_micro)[:2] == (2_202_000, 2_411_000)
    assert PriceWindow.of(terms, week.tariff.on_peak_micro, near_micro)[:2] == (2_202_000, 5_540_000)
    assert PriceWindow.of(terms, week.tariff.off_peak_micro, auction_micro)[:2] == (2_202_000, 2_164_000)  # empty
    assert PriceWindow.of(terms, week.tariff.on_peak_micro, auction_micro)[:2] == (2_202_000, 5_292_000)


def test_every_intent_of_a_day_keeps_to_the_rules(week: Scenario) -> None:
    rehearsal = Strict(week).run(week.first_interval + 96)
    assert len(rehearsal.trades) > 100
    # Each of 13 sites could send 8 intents in each of 3 rounds a quarter: few of them are worth a message.
    assert rehearsal.messages < 96 * 13 * 8


def few_sites(week: Scenario, settings: msgspec.Struct, folder: Path, rows: list[list[str]]) -> Scenario:
    """A home with a battery, one without and the office, all of one kind, with these meter rows."""
    names = ("home-01", "home-02", "office-floor")
    sites = [msgspec.structs.replace(site, agent=settings) for site in week.sites if site.name in names]
    kept = [at for at, name in enumerate(rows[0]) if name.split(".")[0] in ("interval_start", *names)]
    folder.mkdir()
    with (folder / "meters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row[at] for at in kept] for row in rows)
    return msgspec.structs.replace(week, sites=tuple(sites), meters_path=folder / "meters.csv")


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: type(settings).__name__)
def test_the_future_cannot_change_a_decision(week: Scenario, settings: msgspec.Struct, tmp_path: Path) -> None:
    """Every row after the last whole hour is replaced; what agents decide and how their batteries run until then
    stays the same."""
    cut = week.first_interval + 40
    hour_over_ms = (cut + 4) * INTERVAL_MS
    with week.meters_path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    chance = random.Random(7)
    begin = 1 + week.history_intervals + 40
    other = rows[:begin] + [[row[0], *(str(chance.randrange(900)) for _ in row[1:])] for row in rows[begin:]]

    def happened(scenario: Scenario) -> list[tuple[str, int, object]]:
        heard: list[tuple[str, int, object]] = []

        class Listening(Rehearsal):
            def check(self, name: str, intents: list[Intent], observation: Observation) -> None:
                heard.append((name, observation.time_ms, tuple(intents)))
                interval = observation.time_ms // INTERVAL_MS
                heard.append((name, observation.time_ms, self.agents[name].instruct(interval, 0)))

        Listening(scenario).run(cut + 8)
        return heard

    lived = happened(few_sites(week, settings, tmp_path / "lived", rows))
    altered = happened(few_sites(week, settings, tmp_path / "altered", other))
    before = [entry for entry in lived if entry[1] < hour_over_ms]
    assert [entry for entry in altered if entry[1] < hour_over_ms] == before
    assert any(what for _, time_ms, what in before if time_ms > cut * INTERVAL_MS)
    if not isinstance(settings, RandomSettings):  # which looks at yesterday alone
        assert lived != altered, "rows that are shown do matter"


def observe(rehearsal: Rehearsal, name: str, hour: int) -> Observation:
    time_ms = rehearsal.scenario.first_interval * INTERVAL_MS + hour * HOUR_MS + 60_000
    return rehearsal.observe(name, time_ms, rehearsal.scenario.end_interval)


def resting(observation: Observation, intents: list[Intent]) -> Observation:
    """The observation a moment later, with all of it resting."""
    orders = [
        OpenOrder(number, i.interval, i.side, i.source, i.price_micro, i.quantity_wh)
        for number, i in enumerate(intents)
        if isinstance(i, PlaceIntent)
    ]
    return observation._replace(open_orders=tuple(orders), time_ms=observation.time_ms + 1_000)


def test_nothing_new_means_no_message(week: Scenario) -> None:
    rehearsal = Rehearsal(week)
    for name in ("home-02", "office-floor", "home-06"):
        observation = observe(rehearsal, name, 10)
        agent = rehearsal.agents[name]
        intents = agent.decide(observation)
        assert intents or name == "home-06"
        assert agent.decide(resting(observation, intents)) == []


def test_an_office_concedes_as_the_gate_nears_and_faster_in_a_crowd(week: Scenario) -> None:
    rehearsal = Rehearsal(week)
    observation = observe(rehearsal, "office-floor", 10)
    placed = [i for i in rehearsal.agents["office-floor"].decide(observation) if isinstance(i, PlaceIntent)]
    prices = [i.price_micro for i in sorted(placed, key=lambda i: i.interval)]
    assert len(prices) == 8 and prices == sorted(prices, reverse=True) and prices[0] > prices[-1]

    def last_price(bid_wh: int, ask_wh: int) -> int:
        book = dict.fromkeys((i.interval for i in placed), BookView(bid_wh, ask_wh))
        agent = make_agent(week.sites[12], MarketTerms(week.tariff), week.sky, 1)
        intents = agent.decide(observation._replace(book=book))
        return max(i.price_micro for i in intents if isinstance(i, PlaceIntent))

    assert last_price(90_000, 1_000) > last_price(1_000, 1_000) > last_price(1_000, 90_000)


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: type(settings).__name__)
def test_no_kind_asks_for_more_than_it_can_pay(week: Scenario, settings: msgspec.Struct) -> None:
    site = msgspec.structs.replace(week.sites[12], agent=settings)
    observation = observe(Rehearsal(week), site.name, 10)
    for free_micro in (0, 1_000_000, 10_000_000, 1_000_000_000):
        agent = make_agent(site, MarketTerms(week.tariff), week.sky, 1)
        placed = [i for i in agent.decide(observation._replace(free_micro=free_micro)) if isinstance(i, PlaceIntent)]
        assert sum(i.price_micro * i.quantity_wh // 1000 for i in placed) <= free_micro
    assert placed


def test_without_money_nothing_is_asked_for(week: Scenario) -> None:
    rehearsal = Rehearsal(week)
    observation = observe(rehearsal, "office-floor", 10)
    agent = rehearsal.agents["office-floor"]
    rich = agent.decide(observation)
    assert agent.decide(observation._replace(free_micro=0)) == []
    costs = [i.price_micro * i.quantity_wh // 1000 for i in rich if isinstance(i, PlaceIntent)]
    some = agent.decide(observation._replace(free_micro=sum(costs[:3]) * 102 // 100))
    assert some == rich[:3]


def test_a_satisfied_position_takes_its_order_back(week: Scenario) -> None:
    rehearsal = Rehearsal(week)
    observation = observe(rehearsal, "office-floor", 10)
    agent = rehearsal.agents["office-floor"]
    intents = agent.decide(observation)
    later = resting(observation, intents)
    bought = {i.interval: -i.quantity_wh * 2 for i in intents if isinstance(i, PlaceIntent)}
    answer = agent.decide(later._replace(positions_wh=bought))
    assert sorted(answer) == sorted(CancelIntent(order.order_id) for order in later.open_orders)


def test_stored_energy_is_sold_in_the_evening_as_storage(week: Scenario) -> None:
    site = week.sites[5]
    agent = make_agent(site, MarketTerms(week.tariff), week.sky, 1)
    observation = observe(Rehearsal(week), site.name, 19)
    history = observation.history._replace(charge_wh=9_000, charge_interval=observation.history.end_interval)
    placed = [i for i in agent.decide(observation._replace(history=history)) if isinstance(i, PlaceIntent)]
    assert placed and all(i.side is Side.SELL and i.source is Source.STORAGE for i in placed)
    empty = history._replace(charge_wh=0)
    again = make_agent(site, MarketTerms(week.tariff), week.sky, 1)
    assert not any(
        isinstance(i, PlaceIntent) and i.side is Side.SELL for i in again.decide(observation._replace(history=empty))
    )
    assert agent.instruct(week.first_interval + 80, 700) == (700, True)
    assert agent.instruct(week.first_interval + 90, 700) == (700, False)


@pytest.mark.slow
@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: type(settings).__name__)
def test_each_kind_is_repeatable_and_keeps_to_the_rules(week: Scenario, settings: msgspec.Struct) -> None:
    sites = tuple(msgspec.structs.replace(site, agent=settings) for site in week.sites)
    scenario = msgspec.structs.replace(week, sites=sites)
    end = week.first_interval + 56
    first, second = Strict(scenario, seed=3).run(end), Strict(scenario, seed=3).run(end)
    assert first.trades and first.trades == second.trades and first.net_export_wh == second.net_export_wh
    other = Strict(scenario, seed=4).run(end)
    assert (other.trades != first.trades) == isinstance(settings, RandomSettings)


def test_a_random_order_is_drawn_again_while_nobody_takes_it(week: Scenario) -> None:
    site = msgspec.structs.replace(week.sites[12], agent=RandomSettings())
    agent = make_agent(site, MarketTerms(week.tariff), week.sky, 1)
    observation = observe(Rehearsal(week), site.name, 10)
    later = resting(observation, agent.decide(observation))
    window = PriceWindow.of(MarketTerms(week.tariff), week.tariff.on_peak_micro, 200_000)
    prices = {order.price_micro for order in later.open_orders}
    for _ in range(100):
        amended = [intent for intent in agent.decide(later) if isinstance(intent, AmendIntent)]
        prices |= {intent.price_micro for intent in amended}
    assert len(prices) > 50
    assert window.floor_micro <= min(prices) - 200_000 < max(prices) - 200_000 <= window.ceiling_micro


def test_a_battery_fills_in_the_night_before_a_working_day_and_not_before_a_holiday(week: Scenario) -> None:
    for settings in (PatientSettings(), LearnedSettings()):
        site = msgspec.structs.replace(week.sites[0], agent=settings)
        for day, fills in ((1, True), (6, False)):
            agent = make_agent(site, MarketTerms(week.tariff), week.sky, 1)
            observation = observe(Rehearsal(week), site.name, 24 * day + 5)
            history = observation.history
            empty = history._replace(charge_wh=0, charge_interval=history.end_interval)
            agent.decide(observation._replace(history=empty))
            eight = week.first_interval + day * 96 + 32
            assert (agent.instruct(eight, 0).target_wh < -3_000) == fills
            assert agent.instruct(eight + 4, 500).target_wh == 500


def test_an_order_that_might_meet_a_closed_gate_is_not_sent(week: Scenario) -> None:
    rehearsal = Rehearsal(week)
    agent = rehearsal.agents["office-floor"]
    gate_ms = MarketTerms(week.tariff).gate_ms(week.first_interval + 44)
    for early_ms, first in ((60_001, 44), (60_000, 45), (1, 45)):
        observation = rehearsal.observe("office-floor", gate_ms - early_ms, week.end_interval)
        placed = [intent for intent in agent.decide(observation) if isinstance(intent, PlaceIntent)]
        assert min(intent.interval for intent in placed) == week.first_interval + first


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: type(settings).__name__)
def test_in_the_call_phase_prices_count_what_every_buyer_of_an_auction_pays(
    week: Scenario, settings: msgspec.Struct
) -> None:
    """An order that may arrive in the call phase lies in the narrower window; before it, in the wide one."""
    terms = MarketTerms(week.tariff)
    quarter = week.first_interval + 44  # 11:00 of a working day
    on_peak_micro = week.tariff.on_peak_micro
    widest_micro = PriceWindow.of(terms, on_peak_micro, terms.wheeling_micro).ceiling_micro
    ceiling_micro = PriceWindow.of(terms, on_peak_micro, terms.wheeling_in_auction_micro).ceiling_micro
    sites = [msgspec.structs.replace(site, agent=settings) for site in (week.sites[5], week.sites[12])]
    for early_ms, limit_micro in ((60_001, widest_micro), (60_000, ceiling_micro), (-180_000, ceiling_micro)):
        rehearsal, found = Rehearsal(week), 0
        for site in sites:
            observation = rehearsal.observe(site.name, terms.call_ms(quarter) - early_ms, week.end_interval)
            for seed in range(20):
                placed = make_agent(site, terms, week.sky, seed).decide(observation)
                for intent in placed:
                    assert isinstance(intent, PlaceIntent)
                    if intent.interval == quarter:
                        wheeling_micro = terms.wheeling_micro if limit_micro == widest_micro else 450_000
                        found += 1
                        asked_micro = intent.price_micro - (wheeling_micro if intent.side is Side.BUY else 0)
                        assert 2_202_000 <= asked_micro <= limit_micro
        assert found


def test_off_peak_nobody_waits_for_an_auction_that_would_cost_more_than_the_tariff(week: Scenario) -> None:
    terms, quarter = MarketTerms(week.tariff), week.first_interval + 20  # 05:00
    site = week.sites[12]
    observation = Rehearsal(week).observe(site.name, terms.call_ms(quarter) - 120_000, week.end_interval)
    own = [
        order
        for order in resting(observation, make_agent(site, terms, week.sky, 1).decide(observation)).open_orders
        if order.interval == quarter
    ]
    assert own
    later = observation._replace(time_ms=terms.call_ms(quarter), open_orders=tuple(own))
    answer = make_agent(site, terms, week.sky, 1).decide(later)
    assert CancelIntent(own[0].order_id) in answer
    assert not any(isinstance(intent, PlaceIntent) and intent.interval == quarter for intent in answer)


WITHOUT_LIGHTGBM = """
import sys
from pathlib import Path
import msgspec
from gridtokenx.simulation.agents import make_agent
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.scenario import LearnedSettings, load_scenario
scenario = load_scenario(Path(sys.argv[1]))
for site in scenario.sites:
    make_agent(site, MarketTerms(scenario.tariff), scenario.sky, 1)
learned = msgspec.structs.replace(scenario.sites[0], agent=LearnedSettings())
try:
    make_agent(learned, MarketTerms(scenario.tariff), scenario.sky, 1)
except ValueError as error:
    print(type(error).__name__, error)
"""


def test_only_the_learning_kind_needs_lightgbm_and_says_what_to_install(tmp_path: Path) -> None:
    """As on a Debian without its OpenMP library."""
    (tmp_path / "lightgbm.py").write_text('raise OSError("libgomp.so.1: cannot open shared object file")\n')
    command = [sys.executable, "-c", WITHOUT_LIGHTGBM, str(SCENARIOS / "two-neighbours")]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{SCENARIOS.parent / 'src'}"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert done.stdout.startswith(ScenarioError.__name__)
    assert "apt-get install libgomp1" in done.stdout and "`lightgbm`" in done.stdout
