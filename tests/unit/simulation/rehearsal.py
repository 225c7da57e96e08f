"""A market in memory, as simple as can be, to see what agents do together: no ledger, no holds, no
signatures.

    python -m tests.unit.simulation.rehearsal scenarios/community-week

It follows `market-terms`: price-time priority by delivered price, the resting order's price, fees and
wheeling, and settlement of what the meter differs, all in whole millionths. The test that reads its result
is `test_rehearsal`.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from gridtokenx.simulation.agents import Agent, make_agent
from gridtokenx.simulation.bills import bills_without_market, interval_bill_micro
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.observation import (
    AmendIntent,
    BookView,
    CancelIntent,
    Intent,
    MarketTerms,
    Observation,
    OpenOrder,
    PlaceIntent,
    Side,
)
from gridtokenx.simulation.scenario import Scenario, load_scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS

DECISION_MS = 300_000
DECISION_OFFSET_MS = 60_000
_MILLION = 1_000_000


@dataclass
class Resting:
    order: OpenOrder
    owner: str
    arrival: int


@dataclass
class Trade:
    interval: int
    buyer: str
    seller: str
    price_micro: int
    energy_wh: int


@dataclass
class Rehearsal:
    """One run; `run` plays it, the rest is the result."""

    scenario: Scenario
    seed: int = 1
    trades: list[Trade] = field(default_factory=list)
    messages: int = 0
    decide_seconds: float = 0.0
    residual_micro: dict[str, int] = field(default_factory=dict)
    imbalance_wh: int = 0
    net_export_wh: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.terms = MarketTerms(scenario.tariff, call_phase_ms=0)  # it has no auctions
        self.community = Community(scenario)
        self.agents: dict[str, Agent] = {
            site.name: make_agent(site, self.terms, scenario.sky, self.seed) for site in scenario.sites
        }
        self.books: dict[int, list[Resting]] = {}
        self.positions: dict[str, dict[int, int]] = {name: {} for name in self.agents}
        self.averages: dict[str, dict[int, list[tuple[int, int]]]] = {name: {} for name in self.agents}
        self.cash_micro = {site.name: site.money_watt * _MILLION for site in scenario.sites}
        self.residual_micro = dict.fromkeys(self.agents, 0)
        self.net_export_wh = dict.fromkeys(self.agents, 0)
        self._ids = 0

    def run(self, end_interval: int | None = None) -> "Rehearsal":
        scenario, end = self.scenario, end_interval or self.scenario.end_interval
        for interval in range(scenario.clock_start_ms // INTERVAL_MS, end):
            for offset in range(DECISION_OFFSET_MS, INTERVAL_MS, DECISION_MS):
                self._round(interval * INTERVAL_MS + offset, end)
            self.books.pop(interval + 1, None)
            if interval >= scenario.first_interval:
                self._settle(interval)
        return self

    def bills_micro(self) -> dict[str, int]:
        """What each site paid in all: trades, fees, wheeling and residual energy."""
        return {site.name: site.money_watt * _MILLION - self.cash_micro[site.name] for site in self.scenario.sites}

    def _round(self, time_ms: int, end: int) -> None:
        names = sorted(self.agents)
        turn = time_ms // DECISION_MS % len(names)
        for name in names[turn:] + names[:turn]:
            observation = self.observe(name, time_ms, end)
            begun = time.process_time()
            intents = self.agents[name].decide(observation)
            self.decide_seconds += time.process_time() - begun
            self.check(name, intents, observation)
            for intent in intents:
                self._apply(name, intent)

    def observe(self, name: str, time_ms: int, end: int) -> Observation:
        history = self.community.history(name, time_ms)
        first = self.terms.first_open_interval(time_ms)
        books = {i: self.books[i] for i in range(first, min(first + 16, end)) if i in self.books}
        return Observation(
            time_ms=time_ms,
            history=history,
            open_orders=tuple(r.order for book in books.values() for r in book if r.owner == name),
            positions_wh={i: wh for i, wh in self.positions[name].items() if i >= history.end_interval},
            book={
                i: BookView(
                    sum(r.order.open_wh for r in book if r.order.side is Side.BUY),
                    sum(r.order.open_wh for r in book if r.order.side is Side.SELL),
                )
                for i, book in books.items()
            },
            open_until_interval=end,
            free_micro=self.cash_micro[name],
        )

    def check(self, name: str, intents: list[Intent], observation: Observation) -> None:
        """A hook for tests."""

    def _apply(self, name: str, intent: Intent) -> None:
        self.messages += 1
        if isinstance(intent, PlaceIntent):
            self._ids += 1
            order = OpenOrder(
                self._ids, intent.interval, intent.side, intent.source, intent.price_micro, intent.quantity_wh
            )
            self._match(Resting(order, name, self._ids))
            return
        for book in self.books.values():
            for resting in book:
                if resting.order.order_id == intent.order_id:
                    book.remove(resting)
                    if isinstance(intent, AmendIntent):
                        order = resting.order._replace(price_micro=intent.price_micro, open_wh=intent.quantity_wh)
                        self._ids += 1
                        self._match(Resting(order, name, self._ids))
                    return
        assert isinstance(intent, CancelIntent | AmendIntent)  # filled by an earlier intent of the same round

    def _match(self, taker: Resting) -> None:
        book = self.books.setdefault(taker.order.interval, [])
        buying = taker.order.side is Side.BUY
        wheeling = self.terms.wheeling_micro
        while taker.order.open_wh:
            others = [r for r in book if r.order.side is not taker.order.side and r.owner != taker.owner]
            if not others:
                break
            best = min(others, key=lambda r: (r.order.price_micro if buying else -r.order.price_micro, r.arrival))
            ask, bid = (best, taker) if buying else (taker, best)
            if ask.order.price_micro + wheeling > bid.order.price_micro:
                break
            price = best.order.price_micro if buying else best.order.price_micro - wheeling
            energy = min(taker.order.open_wh, best.order.open_wh)
            self._trade(Trade(taker.order.interval, bid.owner, ask.owner, price, energy))
            for side in (taker, best):
                side.order = side.order._replace(open_wh=side.order.open_wh - energy)
            if not best.order.open_wh:
                book.remove(best)
        if taker.order.open_wh:
            book.append(taker)

    def _trade(self, trade: Trade) -> None:
        self.trades.append(trade)
        terms, value = self.terms, trade.price_micro // 1000 * trade.energy_wh
        fee = value * terms.trading_fee_millionths // _MILLION
        self.cash_micro[trade.seller] += value - fee
        self.cash_micro[trade.buyer] -= (
            value + fee + value * terms.grid_fee_millionths // _MILLION + terms.wheeling_micro // 1000 * trade.energy_wh
        )
        for name, sign in ((trade.seller, 1), (trade.buyer, -1)):
            position = self.positions[name]
            position[trade.interval] = position.get(trade.interval, 0) + sign * trade.energy_wh
            self.averages[name].setdefault(trade.interval, []).append((sign * trade.energy_wh, value * sign))

    def _settle(self, interval: int) -> None:
        tariff, spread = self.terms.tariff, self.terms.imbalance_spread_micro
        instructions = {
            name: agent.instruct(interval, self.positions[name].get(interval, 0)) for name, agent in self.agents.items()
        }
        for name, reading in self.community.meter(interval, instructions).items():
            sold, metered = self.positions[name].get(interval, 0), reading.net_export_wh
            undelivered = max(0, min(sold, sold - metered))
            unused = max(0, min(-sold, metered - sold))
            sides: dict[int, tuple[int, int]] = {1: (0, 0), -1: (0, 0)}
            for energy, value in self.averages[name].get(interval, []):
                sign = 1 if energy > 0 else -1
                sides[sign] = (sides[sign][0] + abs(energy), sides[sign][1] + abs(value))
            average_sale = sides[1][1] * 1000 // sides[1][0] if sides[1][0] else 0
            average_purchase = sides[-1][1] * 1000 // sides[-1][0] if sides[-1][0] else 0
            pays = undelivered * (max(tariff.price_micro(interval), average_sale) + spread) // 1000
            earns = unused * max(0, min(tariff.buy_back_micro, average_purchase) - spread) // 1000
            other = metered - sold + undelivered - unused
            bill = pays - earns + interval_bill_micro(tariff, interval, other)
            self.cash_micro[name] -= bill
            self.residual_micro[name] += bill
            self.imbalance_wh += undelivered + unused
            self.net_export_wh[name] += metered


def report(rehearsal: Rehearsal) -> str:
    with_market, without = rehearsal.bills_micro(), bills_without_market(rehearsal.scenario)
    traded = sum(trade.energy_wh for trade in rehearsal.trades)
    value = sum(trade.energy_wh * trade.price_micro // 1000 for trade in rehearsal.trades)
    state = rehearsal.community.state()
    lines = [f"{'site':14}{'without':>12}{'with':>12}{'gain':>10}{'stored kWh':>12}"]
    for name, bill in with_market.items():
        old = without[name].bill_micro
        stored = (state.charge_wh(name) - without[name].charge_wh) / 1000
        lines.append(f"{name:14}{old / 1e6:12.2f}{bill / 1e6:12.2f}{(old - bill) / 1e6:10.2f}{stored:12.1f}")
    total = sum(bill.bill_micro for bill in without.values()), sum(with_market.values())
    lines.append(f"{'all':14}{total[0] / 1e6:12.2f}{total[1] / 1e6:12.2f}{(total[0] - total[1]) / 1e6:10.2f}")
    lines.append(f"{len(rehearsal.trades)} trades, {traded / 1000:.1f} kWh at {value / max(1, traded) / 1000:.3f}")
    lines.append(f"imbalance {rehearsal.imbalance_wh / 1000:.1f} kWh, {rehearsal.messages} messages")
    lines.append(f"agents took {rehearsal.decide_seconds:.1f} s of processor time")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(Rehearsal(load_scenario(Path(sys.argv[1]))).run()))
