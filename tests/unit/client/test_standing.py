"""Standing instructions: what is planned, that nothing is placed twice whenever an agent dies, what is tried again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.unit.gateway.market import founding, wallet_of
from tests.world import WATT, at, buy, interval_at, pseudonym, sell

from gridtokenx.client.errors import TransportError
from gridtokenx.client.standing.agent import RETRY_MS, StandingAgent
from gridtokenx.client.standing.instructions import BuyDaily, Instruction, SellSurplus, When
from gridtokenx.client.standing.memory import JOURNAL, Memory, MemoryUnusable
from gridtokenx.client.standing.planning import Facts, client_id_of, likely_wh, plan
from gridtokenx.client.standing.summary import summarise
from gridtokenx.ledger.quantities import DAY_MS
from gridtokenx.modules.market.messages import CancelOrder, Scope, TimeInForce
from gridtokenx.modules.tokens.messages import Transfer

NOON = interval_at(12)
TO_ONE = When(48, 52)
"""The four quarters from noon on."""
NIGHT = BuyDaily("night", 3 * WATT, TO_ONE, 2_000)
OWN = pseudonym("ann")


def facts(*intervals: int, exported: dict[int, int] | None = None, **more: dict[int, int]) -> Facts:
    return Facts(intervals, 100, frozenset(), exported or {}, more.get("sold", {}), more.get("bought", {}))


def planned(instruction: Instruction, known: Facts) -> list[tuple[int, int]]:
    return [(wish.order.interval, wish.order.quantity_wh) for wish in plan([instruction], OWN, known)]


# --- planning


@pytest.mark.parametrize(
    ("days", "expected"),
    [([], 0), ([500, 500], 0), ([500, 400, 900], 400), ([100, 800, 900, 700, 600], 600), ([0, 1, 2, 3, 4, 5, 6], 1)],
)
def test_likely_is_what_three_of_four_days_had(days: list[int], expected: int) -> None:
    assert likely_wh({NOON - 96 * (back + 1): wh for back, wh in enumerate(days)}, NOON) == expected


def test_a_day_that_is_too_long_ago_does_not_count() -> None:
    assert likely_wh({NOON - 96 * back: 900 for back in (1, 2, 8)}, NOON) == 0


def test_a_sale_is_a_share_of_what_is_likely_less_what_is_sold_already() -> None:
    roof = SellSurplus("roof", 3 * WATT, TO_ONE, 80)
    exported = {NOON + place - 96 * back: 1_000 for back in (1, 2, 3) for place in range(5)}
    known = facts(NOON - 1, NOON, NOON + 1, NOON + 2, NOON + 4, exported=exported, sold={NOON: 500, NOON + 2: 701})
    assert planned(roof, known) == [(NOON, 300), (NOON + 1, 800)]


def test_a_purchase_is_an_equal_part_of_the_day_less_what_is_bought_already() -> None:
    known = facts(NOON, NOON + 1, NOON + 3, NOON + 4, bought={NOON + 1: 450})
    assert planned(NIGHT, known) == [(NOON, 500), (NOON + 3, 500)]


def test_less_than_the_smallest_order_in_each_is_bought_in_the_earliest() -> None:
    assert planned(BuyDaily("a", WATT, TO_ONE, 250), facts(*range(NOON, NOON + 4))) == [(NOON, 100), (NOON + 1, 100)]


@pytest.mark.parametrize(
    ("when", "quarters"),
    [
        (When(), set(range(96))),
        (When(88, 4), {*range(88, 96), *range(4)}),
        (When(34, 40, on_peak=True), set(range(36, 40))),
        (When(34, 40, on_peak=False), {34, 35}),
        (When(on_peak=False), {*range(36), *range(88, 96)}),
    ],
)
def test_when(when: When, quarters: set[int]) -> None:
    midnight = interval_at(0)
    assert {quarter for quarter in range(96) if when.holds(midnight + quarter, frozenset())} == quarters


def test_a_holiday_is_off_peak() -> None:
    monday = (interval_at(0) + 28) // 96
    assert When(on_peak=False).holds(NOON, frozenset({monday})) and not When(on_peak=False).holds(NOON, frozenset())


def test_of_two_instructions_of_one_side_the_first_counts() -> None:
    other = BuyDaily("other", 4 * WATT, When(), 9_600)
    wishes = plan([NIGHT, other], OWN, facts(NOON, NOON + 4))
    assert [(wish.instruction, wish.order.quantity_wh) for wish in wishes] == [("night", 500), ("other", 100)]


def test_orders_are_plain_so_that_the_call_phase_takes_them() -> None:
    (wish,) = plan([NIGHT], OWN, facts(NOON))
    order = wish.order
    assert (order.time_in_force, order.scope, order.source) == (TimeInForce.GOOD_TILL_GATE, Scope.ANYWHERE, 127)
    assert not any((order.minimum_wh, order.display_wh, order.post_only, order.market, order.good_till_ms))
    assert order.client_id == client_id_of(OWN, "night", NOON) != client_id_of(OWN, "night", NOON + 1)


# --- the agent, in a market of its own


class Home:
    """A home's agents, one after the other."""

    def __init__(self, market: MarketThread, folder: Path, name: str = "bob") -> None:
        self.market, self.folder, self.name = market, folder, name
        self.said: list[str] = []

    def agent(self, *instructions: Instruction, memory: Memory) -> StandingAgent:
        """A new process would begin like this."""
        client, wallet = self.market.client(), wallet_of(self.name)
        return StandingAgent(client, wallet, pseudonym(self.name), instructions or (NIGHT,), memory, self.said.append)

    def memory(self) -> Memory:
        return Memory(self.folder)

    def round(self, *instructions: Instruction) -> None:
        with self.memory() as memory:
            self.agent(*instructions, memory=memory).round()

    def bought_wh(self) -> dict[int, int]:
        """Traded and open, of the intervals from noon on."""
        positions = self.market.client().positions(wallet_of(self.name)).positions
        return {one.interval - NOON: one.bought_wh + one.open_buy_wh for one in positions}

    def do(self, name: str, *messages: Any) -> None:
        client = self.market.client()
        assert client.execute(wallet_of(name), *messages).code == 0


WHOLE = {0: 500, 1: 500, 2: 500, 3: 500}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Monday morning: noon is open, and noon of tomorrow; only today's is looked at."""
    with market_thread(tmp_path / "market") as market:
        yield Home(market, tmp_path / "memory")


def today(home: Home) -> dict[int, int]:
    return {place: wh for place, wh in home.bought_wh().items() if 0 <= place < 4}


def test_what_is_placed_is_not_placed_again(home: Home) -> None:
    home.round()
    first = len(home.said)
    assert today(home) == WHOLE and first == 4
    home.round()
    assert today(home) == WHOLE and len(home.said) == first
    with home.memory() as memory:
        (line,) = summarise(["night"], [*memory.written.values(), *memory.became.values()])
    assert (line.placed, line.placed_wh, line.open, line.last_refusal) == (4, 2_000, 0, "")


def test_killed_before_sending_the_next_one_sends_the_same(home: Home) -> None:
    with home.memory() as memory:
        agent = home.agent(memory=memory)
        now = agent.client.status()
        memory.begin(now.chain, agent.wallet.account, agent.portfolio)
        agent.sign(now, agent.wishes(now))
        ids = list(memory.written)
    assert today(home) == {}
    home.round()
    assert today(home) == WHOLE
    with home.memory() as memory:
        assert list(memory.written) == ids and set(memory.became) == set(ids)


def test_killed_after_sending_what_was_filled_meanwhile_is_not_bought_again(home: Home) -> None:
    home.do("ann", sell("ann", 500, NOON, WATT))
    with home.memory() as memory:
        agent = home.agent(memory=memory)
        now = agent.client.status()
        memory.begin(now.chain, agent.wallet.account, agent.portfolio)
        agent.sign(now, agent.wishes(now))
        agent.client.submit([bytes.fromhex(one.wire) for one in memory.unfinished()])
    home.market.block()
    home.round()
    assert today(home) == WHOLE
    assert "night: buy 500 Wh of interval " + str(NOON) + ": placed, 500 Wh filled, 0 Wh resting" in home.said


def test_with_its_memory_lost_it_still_does_not_buy_twice(home: Home, tmp_path: Path) -> None:
    home.do("ann", sell("ann", 300, NOON, WATT))
    home.round()
    home.folder = tmp_path / "another"
    home.round()
    assert today(home) == WHOLE


def test_what_was_taken_back_by_hand_stays_taken_back(home: Home) -> None:
    home.round()
    home.do("bob", CancelOrder(client_id_of(pseudonym("bob"), "night", NOON)))
    home.round()
    assert today(home) == {place: wh for place, wh in WHOLE.items() if place}


def test_what_was_bought_by_hand_counts(home: Home) -> None:
    home.do("bob", buy("bob", 450, NOON, WATT), replace(buy("bob", 200, NOON + 1, WATT), client_id=b"12345678"))
    home.round()
    assert today(home) == {0: 450, 1: 500, 2: 500, 3: 500}


def test_a_refusal_that_passes_is_tried_again_later(home: Home) -> None:
    balance = home.market.client().account(wallet_of("bob")).balance_micro
    ann = wallet_of("ann").account
    home.do("bob", Transfer(ann, balance - WATT))
    home.round()
    assert today(home) == {} and all("BALANCE_TOO_LOW, will be tried again" in line for line in home.said)
    home.do("ann", Transfer(wallet_of("bob").account, 100 * WATT))
    home.round()
    assert today(home) == {}
    advance(home.market, home.market.market.time_ms + RETRY_MS)
    home.round()
    assert today(home) == WHOLE


def test_a_refusal_that_stays_is_not_tried_again(home: Home) -> None:
    crooked = BuyDaily("crooked", 3 * WATT + 1, TO_ONE, 2_000)
    home.round(crooked)
    assert len(home.said) == 4 and all(line.endswith("refused, PRICE_OFF_TICK") for line in home.said)
    advance(home.market, home.market.market.time_ms + RETRY_MS)
    home.round(crooked)
    assert len(home.said) == len(set(home.said))


def test_an_order_that_expired_unsent_is_signed_anew(home: Home) -> None:
    with home.memory() as memory:
        agent = home.agent(memory=memory)
        now = agent.client.status()
        memory.begin(now.chain, agent.wallet.account, agent.portfolio)
        agent.sign(now, agent.wishes(now))
    advance(home.market, now.time_ms + 600_001)
    home.round()
    assert sum(line.endswith("in no block, will be signed again") for line in home.said) == 4
    assert today(home) == WHOLE


def test_a_gateway_that_is_away_is_waited_for(home: Home) -> None:
    with home.memory() as memory:
        agent = home.agent(memory=memory)
        client, answers = agent.client, iter([False, False, True])
        status = client.status

        class Away:
            """Answers from the third question on; the rest is the market's."""

            asked = 0

            def status(self) -> Any:
                self.asked += 1
                if self.asked < 3:
                    raise TransportError("nobody there")
                return status()

            def __getattr__(self, name: str) -> Any:
                return getattr(client, name)

        agent.client = Away()  # type: ignore[assignment]
        agent.run(lambda seconds: next(answers))
    assert home.said[0].startswith("no gateway: nobody there") and "the gateway is back" in home.said
    assert today(home) == WHOLE


def test_what_the_roof_had_three_days_running_is_sold(tmp_path: Path) -> None:
    """Statements of three days, then orders for tomorrow at no more than the least of them."""
    world = founding().start()
    with market_thread(tmp_path / "market") as market:
        home = Home(market, tmp_path / "memory", "ann")
        for day, exported_wh in enumerate((900, 600, 700)):
            for quarter, wh in ((NOON - 1, 0), (NOON, exported_wh)):
                number = quarter + 96 * day
                advance(market, (number + 1) * 900_000 + 1_000)
                world.meter("ann", number, 0, wh)
                reading = world.reading("ann", number, *world.registers["ann"], chain="test-chain")
                home.do("ann", world.submit(reading))
        advance(market, at(13) + 2 * DAY_MS)
        home.round(SellSurplus("roof", 2 * WATT, TO_ONE, 90))
        with home.memory() as memory:
            (written,) = memory.written.values()
    assert (written.interval, written.side, written.quantity_wh) == (NOON + 96 * 3, "sell", 540)


def advance(market: MarketThread, time_ms: int) -> None:
    asyncio.run_coroutine_threadsafe(market.market.block(time_ms), market._loop).result()


# --- the memory


def test_a_line_that_was_cut_off_was_never_acted_upon(home: Home) -> None:
    home.round()
    path = home.folder / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + b'["written",{"id":"')
    home.round()
    assert path.read_bytes() == whole


def test_a_damaged_line_is_refused(home: Home) -> None:
    home.round()
    path = home.folder / JOURNAL
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(MemoryUnusable, match="damaged"):
        home.memory()


def test_one_agent_at_a_time_and_one_portfolio_a_memory(home: Home) -> None:
    with home.memory(), pytest.raises(MemoryUnusable, match="another agent"):
        home.memory()
    home.round()
    home.name = "cat"
    with pytest.raises(MemoryUnusable, match="name another folder"):
        home.round()
