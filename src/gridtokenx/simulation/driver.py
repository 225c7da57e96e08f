"""Runs a scenario's agents and meters against a market: what people, their devices and their meters would do.

The driver knows the market only through a `MarketPort`, which has two uses: the engine in this process with a
virtual clock (`simulate`), and a running node behind its HTTP interface (`up`). Whoever owns the clock calls
`step` when chain time has moved on; between two calls the driver does nothing.

One step does what is due at the present chain time, in this order:

1. each interval that has ended happens: batteries keep their contracts, meters sign their registers, and the
   collector carries the readings to the ledger, again if they did not get into a block;
2. the agents whose turn it is are shown an observation made of committed state and past rows, and their
   intents are signed and sent. Agents decide every five minutes of chain time, spread over the minutes.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

import msgspec

from gridtokenx.client.transactions import LIFETIME_MS, SignedTransaction
from gridtokenx.client.wallet import Nonces
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK
from gridtokenx.modules.identity.messages import Source as LedgerSource
from gridtokenx.modules.market.messages import (
    CLIENT_ID_BYTES,
    AmendOrder,
    CancelOrder,
    EnrolMaker,
    PlaceOrder,
    TimeInForce,
)
from gridtokenx.modules.market.messages import Side as LedgerSide
from gridtokenx.modules.settlement.messages import Reading as SignedReading
from gridtokenx.modules.settlement.messages import SubmitReadings, signed_reading
from gridtokenx.simulation.agents import MakerAgent, make_agent
from gridtokenx.simulation.community import Community, CommunityState
from gridtokenx.simulation.genesis import (
    COLLECTOR,
    Connection,
    Dealer,
    OwnedAccount,
    ScenarioGenesis,
    market_terms,
)
from gridtokenx.simulation.observation import (
    AmendIntent,
    BestPrices,
    BookView,
    CancelIntent,
    EnrolIntent,
    Intent,
    MeterHistory,
    Observation,
    OpenOrder,
    OrderId,
    PlaceIntent,
    Side,
    Source,
)
from gridtokenx.simulation.reach import BooksByFeeder, feeders_reached, together
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.visitors import Visitor, Visitors

STEP_MS = 60_000
"""How often chain time is worth a step: each minute some agents decide."""

DECISION_MS = 300_000
"""How often one agent decides."""

READINGS_PER_TRANSACTION_MAX = 64

_SOURCES = {
    Source.SOLAR: LedgerSource.SOLAR,
    Source.STORAGE: LedgerSource.STORAGE,
    Source.CONVENTIONAL: LedgerSource.CONVENTIONAL,
}


class AccountView(NamedTuple):
    """What the ledger says of one site's account. Positions are sold minus bought, for the intervals asked."""

    free_micro: int
    nonce_highest: int
    orders: tuple[OpenOrder, ...]
    positions_wh: Mapping[int, int]


class Outcome(Enum):
    """What became of a transaction. GONE: expired, or never heard of; it will not come back."""

    PENDING = "pending"
    OK = "ok"
    REFUSED = "refused"
    GONE = "gone"


class MarketPort(Protocol):
    """A market as a participant reaches it. Everything read is committed state."""

    def time_ms(self) -> int:
        """Chain time: that of the last block."""

    def account(self, connection: Connection | Dealer, first_interval: int, end_interval: int) -> AccountView:
        """The site's account, orders, and positions of these intervals."""

    def nonce_highest(self, owner: OwnedAccount) -> int:
        """The highest nonce that the account has used."""

    def books(self, first_interval: int, end_interval: int) -> BooksByFeeder:
        """Energy resting in the books of these intervals, by feeder; one without orders may be left out."""

    def best_prices(self, dealer: Dealer, first_interval: int, end_interval: int) -> Mapping[int, BestPrices]:
        """The best limits of others in these intervals; one without orders of others may be left out."""

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """Hand over; what is refused at the door is as lost as what is refused in a block."""

    def outcome(self, transaction_id: bytes) -> Outcome:
        """What became of a transaction handed over before."""


class DriverState(msgspec.Struct, frozen=True):
    """What has to be kept so that meters go on after a restart: nothing of it can be read from the ledger."""

    next_interval: int
    community: CommunityState
    outbox: tuple[tuple[SignedReading, ...], ...]
    """Readings that are not known to be in a block, some for each transaction."""
    visitors: tuple[Visitor, ...] = ()
    """Who came through the faucet, and what their meters have told."""


class Driver:
    """All agents and meters of one scenario. `save` is told the state to keep before readings leave."""

    def __init__(
        self,
        scenario: Scenario,
        genesis: ScenarioGenesis,
        port: MarketPort,
        seed: int = 1,
        end_interval: int | None = None,
        state: DriverState | None = None,
        save: Callable[[DriverState], None] = lambda state: None,
    ) -> None:
        """Deliveries end with `end_interval`, by default the scenario's. With a `state`, go on from there."""
        self._scenario, self._genesis, self._port, self._save = scenario, genesis, port, save
        self._end = min(end_interval or scenario.end_interval, scenario.end_interval)
        self._terms = market_terms(scenario)
        self._community = Community(scenario, state.community if state else None)
        self.visitors = Visitors(scenario, genesis.chain, self._community, state.visitors if state else ())
        self._next_interval = state.next_interval if state else genesis.first_metered
        self._outbox: list[tuple[bytes | None, tuple[SignedReading, ...]]] = []
        if state is not None:
            self._outbox = [(None, readings) for readings in state.outbox]
        sites = scenario.sites
        self._agents = {site.name: make_agent(site, market_terms(scenario, site), scenario.sky, seed) for site in sites}
        self._makers = {maker.name: MakerAgent(maker, self._terms) for maker in scenario.makers}
        self._traders: dict[str, Connection | Dealer] = {**genesis.connections, **genesis.dealers}
        self._feeders_reached = feeders_reached(scenario)
        self._collector = genesis.organisations[COLLECTOR]
        owners = [self._collector, *(trader.owner for trader in self._traders.values())]
        self._nonces = {owner.account: Nonces() for owner in owners}
        horizons = [site.agent.horizon_intervals for site in sites]
        self._horizon = max(horizons + [maker.horizon_intervals for maker in scenario.makers])
        self._decides_ms = {
            name: genesis.time_ms + (1 + number % (DECISION_MS // STEP_MS)) * STEP_MS
            for number, name in enumerate(self._traders)
        }
        self.refused_readings = 0

    @property
    def is_over(self) -> bool:
        """Whether all deliveries have happened and all their readings are in blocks."""
        return self._next_interval >= self._end and not self._outbox

    def stored_wh(self) -> dict[str, int]:
        """What each site's battery holds, at the end of the last interval that happened; 0 without one."""
        state = self._community.state()
        return {site.name: state.charge_wh(site.name) for site in self._scenario.sites}

    def step(self) -> None:
        """Do what is due now. An exception of the port leaves nothing half done that the next step would not do."""
        time_ms = self._port.time_ms()
        self._meter(time_ms)
        self._send_readings(time_ms)
        due = [name for name, decides_ms in self._decides_ms.items() if decides_ms <= time_ms]
        first_open = self._terms.first_open_interval(time_ms)
        if not due or first_open >= self._end:
            return
        books = self._port.books(first_open, min(first_open + self._horizon, self._end))
        seen: dict[frozenset[int], Mapping[int, BookView]] = {}
        transactions: list[SignedTransaction] = []
        for name in due:
            feeders = self._feeders_reached[name]
            if feeders not in seen:
                seen[feeders] = together(books, feeders)
            transactions += self._decide(name, time_ms, seen[feeders])
        if transactions:
            self._port.submit(transactions)

    def keep(self) -> None:
        """Have everything that has to outlive this process saved now."""
        self._save(self._state())

    def forget_nonces(self) -> None:
        """After an interruption: ask the ledger again what the highest nonces are."""
        for nonces in self._nonces.values():
            nonces.forget()

    def _meter(self, time_ms: int) -> None:
        """Let every interval happen that has ended, and have its registers signed. Visitors' meters tell in
        transactions of their own: one that is refused takes no home's reading with it."""
        while (self._next_interval + 1) * INTERVAL_MS <= time_ms:
            interval = self._next_interval
            self._put_into_outbox(self._readings(interval))
            self._next_interval = interval + 1
            self.keep()
        if told := self.visitors.meter(self._next_interval):
            for readings in told:
                self._put_into_outbox(readings)
            self.keep()

    def _put_into_outbox(self, readings: tuple[SignedReading, ...]) -> None:
        for start in range(0, len(readings), READINGS_PER_TRANSACTION_MAX):
            self._outbox.append((None, readings[start : start + READINGS_PER_TRANSACTION_MAX]))

    def _readings(self, interval: int) -> tuple[SignedReading, ...]:
        """Signed registers at the interval's end. Before the first delivery and after the last recorded row they
        stand still."""
        if not self._scenario.first_interval <= interval < self._end:
            registers = self._community.state().registers_wh
        else:
            instructions = {}
            for site in self._scenario.sites:
                if site.battery:
                    view = self._port.account(self._genesis.connections[site.name], interval, interval + 1)
                    position_wh = view.positions_wh.get(interval, 0)
                    instructions[site.name] = self._agents[site.name].instruct(interval, position_wh)
            metered = self._community.meter(interval, instructions)
            registers = {name: (reading.import_wh, reading.export_wh) for name, reading in metered.items()}
        return tuple(
            self._sign_reading(self._genesis.connections[name], interval, import_wh, export_wh)
            for name, (import_wh, export_wh) in registers.items()
        )

    def _sign_reading(self, connection: Connection, interval: int, import_wh: int, export_wh: int) -> SignedReading:
        meter, key = connection.portfolio, connection.meter_key
        signed = signed_reading(self._genesis.chain, meter, interval, import_wh, export_wh)
        return SignedReading(meter, interval, import_wh, export_wh, key.public_key, key.sign(signed))

    def _send_readings(self, time_ms: int) -> None:
        """Send what has not been sent; send again what did not get into a block; forget what did."""
        if not self._outbox:
            return
        waiting: list[tuple[bytes | None, tuple[SignedReading, ...]]] = []
        sending: list[SignedTransaction] = []
        for transaction_id, readings in self._outbox:
            outcome = self._port.outcome(transaction_id) if transaction_id else Outcome.GONE
            if outcome is Outcome.GONE:
                sending.append(self._sign_readings(readings, time_ms))
                waiting.append((sending[-1].id, readings))
            elif outcome is Outcome.PENDING:
                waiting.append((transaction_id, readings))
            elif outcome is Outcome.REFUSED:
                self.refused_readings += len(readings)
        self._outbox = waiting
        if sending:
            self._port.submit(sending)

    def _sign_readings(self, readings: tuple[SignedReading, ...], time_ms: int) -> SignedTransaction:
        nonces = self._nonces[self._collector.account]
        if not nonces.is_known:
            nonces.learn(self._port.nonce_highest(self._collector))
        return self._sign(self._collector, nonces.take(), time_ms, SubmitReadings(self._genesis.chain, readings))

    def _decide(self, name: str, time_ms: int, books: Mapping[int, BookView]) -> list[SignedTransaction]:
        """One agent's turn: observe, decide, sign."""
        trader = self._traders[name]
        first_open = self._terms.first_open_interval(time_ms)
        end = min(first_open + self._horizon, self._end)
        history = MeterHistory(first_open, (), (), 0, first_open)
        best: Mapping[int, BestPrices] = {}
        if isinstance(trader, Dealer):
            best = self._port.best_prices(trader, first_open, end)
        else:
            history = self._community.history(name, time_ms)
        view = self._port.account(trader, history.end_interval, end)
        self._nonces[trader.owner.account].learn(view.nonce_highest)
        observation = Observation(
            time_ms=time_ms,
            history=history,
            open_orders=view.orders,
            positions_wh=view.positions_wh,
            book=books,
            open_until_interval=self._end,
            free_micro=view.free_micro,
            best=best,
        )
        agent = self._agents.get(name) or self._makers[name]
        intents = agent.decide(observation)
        self._decides_ms[name] += ((time_ms - self._decides_ms[name]) // DECISION_MS + 1) * DECISION_MS
        return [
            self._sign_order(trader, time_ms, intent)
            for intent in intents
            if not isinstance(intent, PlaceIntent) or intent.interval >= self._scenario.first_interval
        ]

    def _sign_order(self, connection: Connection | Dealer, time_ms: int, intent: Intent) -> SignedTransaction:
        nonce = self._nonces[connection.owner.account].take()
        message: CancelOrder | AmendOrder | PlaceOrder | EnrolMaker
        match intent:
            case EnrolIntent():
                message = EnrolMaker(connection.portfolio)
            case CancelIntent(order_id):
                message = CancelOrder(_client_id(order_id))
            case AmendIntent(order_id, price_micro, quantity_wh):
                message = AmendOrder(_client_id(order_id), price_micro, quantity_wh)
            case PlaceIntent():
                message = _placement(connection.portfolio, nonce, intent)
        return self._sign(connection.owner, nonce, time_ms, message)

    def _sign(self, owner: OwnedAccount, nonce: int, time_ms: int, message: Message) -> SignedTransaction:
        return owner.sign(self._genesis.chain, nonce, time_ms + LIFETIME_MS, message)

    def _state(self) -> DriverState:
        readings = tuple(readings for _, readings in self._outbox)
        return DriverState(self._next_interval, self._community.state(), readings, self.visitors.state())


def _client_id(order_id: OrderId) -> bytes:
    """Ports name orders by their client ids."""
    assert isinstance(order_id, bytes)
    return order_id


def _placement(portfolio: bytes, nonce: int, intent: PlaceIntent) -> PlaceOrder:
    buying = intent.side is Side.BUY
    source = ANY_SOURCE_MASK if buying else _SOURCES[intent.source]
    return PlaceOrder(
        portfolio,
        client_id_of(nonce, source),
        intent.interval,
        LedgerSide.BUY if buying else LedgerSide.SELL,
        intent.price_micro,
        intent.quantity_wh,
        source,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        post_only=False,
        market=False,
    )


def client_id_of(nonce: int, source: int) -> bytes:
    """An order is known by the nonce of its placement, so no client id comes twice, and by its source (of a buyer:
    the mask), so that whoever lists an account's orders knows what they are about."""
    return nonce.to_bytes(CLIENT_ID_BYTES - 1, "big") + bytes([source])


def source_of(client_id: bytes) -> Source:
    """What `client_id_of` put there."""
    return next((ours for ours, theirs in _SOURCES.items() if theirs == client_id[-1]), Source.ANY)
