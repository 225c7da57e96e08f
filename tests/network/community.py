"""A small community on a network of nodes: its genesis, and orders that go in through all nodes in turn.

The load knows every order that a node accepted, so that afterwards each can be asked for.
"""

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec
from tests.network.members import CHAIN, ConsortiumFile
from tests.world import WATT, Founding, Signer, buy, sell, signed

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.home import genesis_document
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.quantities import INTERVAL_MS, interval_of
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.identity.messages import Licence, Source
from gridtokenx.operations.consortium.at_hand import AtHand
from gridtokenx.operations.network.bundle import POWER, Bundle, Profile
from gridtokenx.operations.network.card import NodeCard
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.node_folder import create_node, install_bundle
from gridtokenx.operations.network.plan import NetworkPlan, write_plan
from gridtokenx.operations.network.programs import node_name

HOMES = tuple(f"home-{number}" for number in range(16))
STRANGERS = tuple(f"stranger-{number}" for number in range(4))
"""Homes that the load leaves alone: whoever plays another part signs for them."""
POWER_W = 400_000
LIFETIME_MS = 9 * 60_000
SELL_MICRO, BUY_MICRO, LOW_MICRO = 3_000_000, 4_500_000, 1_000_000
"""The first two cross, wheeling included; nobody sells at the third."""

AFTER_GATE_MS = 10_000
"""So much later than a consortium's first gate ends the time for readings of the interval that ended last."""

SUBMIT_SECONDS_MAX = 10.0
"""After so long a caller gives up: whether the order was accepted, it does not know."""


@dataclass
class Community:
    """The homes' keys and their next nonces. `gate_ms` is when the first interval that trades at all stops trading."""

    founding: Founding
    gate_ms: int
    last_ended: int = 0
    """The interval that ended last when the network was founded."""
    members: dict[str, AtHand] = field(default_factory=dict)
    """Of a consortium: in the order of their nodes."""
    nonces: dict[str, int] = field(default_factory=dict)
    orders: int = 0

    @property
    def first_interval(self) -> int:
        """The one whose gate that is."""
        return self.gate_ms // INTERVAL_MS + 1

    def pair(self, now_ms: int, interval: int | None = None) -> dict[bytes, bytes]:
        """A sell order and a buy order by their ids, mostly such that they trade; for an interval hours from now,
        unless one is named."""
        number = self.orders
        self.orders += 1
        seller, buyer = HOMES[number % len(HOMES)], HOMES[(number + 5) % len(HOMES)]
        if interval is None:
            interval = interval_of(now_ms) + 12 + number % 64
        price_micro = LOW_MICRO if number % 4 == 3 else BUY_MICRO
        sold = sell(seller, 100, interval, SELL_MICRO, f"sell {number}", source=int(Source.STORAGE))
        bought = buy(buyer, 100, interval, price_micro, f"buy {number}")
        return dict([self.sign(seller, sold, now_ms), self.sign(buyer, bought, now_ms)])

    def sign(self, name: str, message: Message, now_ms: int) -> tuple[bytes, bytes]:
        """Id and bytes of somebody's next transaction."""
        nonce = self.nonces[name] = self.nonces.get(name, 0) + 1
        body = Body(CHAIN, self.founding.accounts[name], nonce, now_ms + LIFETIME_MS, (message,))
        return hash_bytes(encode(body)), signed(self.founding.signers[name], body)


def found_community(
    path: Path, plan: NetworkPlan, gate_seconds: int, consortium: ConsortiumFile | None = None
) -> tuple[NetworkFolder, Community]:
    """A network that begins now; the gate of some interval falls so many seconds from now, to the second. One of a
    consortium began an hour ago, so that there is energy to be metered: of the interval that ended last, meters have
    until ten seconds after that gate."""
    now_ms = time.time_ns() // 1_000_000
    gate_at_ms = (now_ms // 1_000 + gate_seconds) * 1_000
    # Without a call phase: a gate comes within a minute or two, and trades up to it are what a halt voids.
    terms = msgspec.structs.replace(DEFAULT_TERMS, gate_ms=-gate_at_ms % INTERVAL_MS, call_phase_ms=0)
    begins_ms, last_end_ms = now_ms, now_ms // INTERVAL_MS * INTERVAL_MS
    if consortium is not None:
        begins_ms = last_end_ms - 4 * INTERVAL_MS
        terms = msgspec.structs.replace(terms, metering_deadline_ms=gate_at_ms + AFTER_GATE_MS - last_end_ms)
    founding = Founding(terms, begins_ms, CHAIN)
    powers = {Source.STORAGE: POWER_W}
    for name in (*HOMES, *STRANGERS):
        founding.add_home(name, 11, powers, POWER_W, 100_000 * WATT)
    folder = NetworkFolder(path)
    founding.builder.set_consensus(plan.pace.block_ms)
    members: dict[str, AtHand] = {}
    if consortium is None:
        cards = _found_nodes(folder, plan, founding)
    else:
        played = consortium.play(folder, begins_ms)
        played.found(founding.builder, plan.validators)
        members, cards = played.each, tuple(each.node for each in played.descriptions)
    genesis = founding.builder.finish()
    app_hash = Application(CONSORTIUM).init_chain(genesis)
    document = genesis_document(CHAIN, begins_ms, app_hash, sha256(genesis).digest())
    for number in plan.numbers:
        bundle = Bundle(genesis, document, cards, Profile(plan.links, plan.blocks))
        install_bundle(folder.node(number).path, bundle)
    write_plan(folder.plan, plan)
    return folder, Community(founding, gate_at_ms, last_end_ms // INTERVAL_MS - 1, members)


def _found_nodes(folder: NetworkFolder, plan: NetworkPlan, founding: Founding) -> tuple[NodeCard, ...]:
    """Nodes that an office licenses."""
    cards = tuple(
        create_node(folder.node(one).path, node_name(one), f"127.0.0.1:{one}", plan.kind_of(one))
        for one in plan.numbers
    )
    builder = founding.builder
    for card in cards:
        # With an account of its own a node reports what others did.
        founding.add_account(card.name, Signer((), (bytes.fromhex(card.batch_key),), 1), 0, Licence.NONE)
        if card.kind.signs_batches:
            builder.add_node(card.node_id, bytes.fromhex(card.batch_key))
        if card.votes:
            builder.add_validator(bytes.fromhex(card.validator_key), POWER, card.node_id)
    return cards


class Lane:
    """Orders through one node, one call after another."""

    def __init__(self, number: int, folder: DataFolder, load: "Load") -> None:
        self.number = number
        self.idle = asyncio.Event()
        self.idle.set()
        self._folder = folder
        self._load = load
        self._link: NodeLink | None = None
        self._is_mute = False

    async def run(self) -> None:
        """A pair every so often, whenever the load flows and the node is there; for ever."""
        while True:
            await asyncio.sleep(2 * len(self._load.lanes) / self._load.orders_per_second)
            await self._load.flowing.wait()
            if self._is_mute:
                continue
            self.idle.clear()
            try:
                await asyncio.wait_for(self._send(), SUBMIT_SECONDS_MAX)
            except (OSError, TimeoutError):
                await self.hang_up()
            finally:
                self.idle.set()

    async def _send(self) -> None:
        """One pair of orders. Raises OSError if the node is not there, or goes before it answers."""
        if self._link is None:
            self._link = await NodeLink.connect(self._folder.socket)
        load = self._load
        now_ms = (await self._link.info()).now_ms
        orders = load.community.pair(now_ms, load.interval)
        load.sent.update(dict.fromkeys(orders, self.number))
        answers = await self._link.submit(list(orders.values()))
        for name, answer in zip(orders, answers, strict=True):
            if answer.standing is Standing.REFUSED:
                load.refused.append(f"node {self.number} refused an order: code {answer.code} at {answer.field}")
            elif answer.standing is not Standing.BUSY:
                load.accepted[name] = self.number

    async def mute(self) -> None:
        """Send nothing more through this node, and wait for the answer on its way."""
        self._is_mute = True
        await self.idle.wait()

    def unmute(self) -> None:
        """Go on."""
        self._is_mute = False

    async def hang_up(self) -> None:
        """Forget the connection."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()


class Load:
    """Orders through nodes, and what became known of them."""

    def __init__(self, folder: NetworkFolder, community: Community, numbers: range, orders_per_second: float) -> None:
        """Through the nodes with these numbers."""
        self.community = community
        self.flowing = asyncio.Event()
        self.sent: dict[bytes, int] = {}
        """Id → node, of all: also those whose answer never came."""
        self.accepted: dict[bytes, int] = {}
        """Id → the node that accepted it."""
        self.refused: list[str] = []
        self.lanes = {number: Lane(number, folder.node(number), self) for number in numbers}
        self.orders_per_second = orders_per_second
        """Of all lanes together, at most."""
        self.interval: int | None = None
        """All orders are for this one; None: for many, hours from now."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, as soon as it flows."""
        self._tasks = [asyncio.create_task(lane.run()) for lane in self.lanes.values()]

    async def rest(self) -> None:
        """Send nothing more, and wait for the answers on their way."""
        self.flowing.clear()
        for lane in self.lanes.values():
            await lane.idle.wait()

    async def stop(self) -> None:
        """The end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self.lanes.values():
            await lane.hang_up()
