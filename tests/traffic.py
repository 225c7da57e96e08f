"""A day of a busy little market from a seed: orders, cancels, amendments, payments, readings, late and missing ones.

It signs what a community would sign and lets the ledger say yes or no; it knows no rule. Blocks come at uneven
times, some of them at the instant at which something falls due.
"""

import random
from collections.abc import Iterator

import msgspec
from tests.members import Members, add_consortium
from tests.nodes import Nodes
from tests.stirring import Stirring
from tests.world import WATT, Founding, World, at, pseudonym, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger import schedule
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.modules.authority.state import CONSORTIUM_TERMS, THE_ONE
from gridtokenx.modules.identity.messages import Source, SuspendParticipant
from gridtokenx.modules.market.messages import (
    AmendOrder,
    CancelOrder,
    PlaceBlockOrder,
    PlaceOrder,
    Side,
    Terms,
    TimeInForce,
)
from gridtokenx.modules.settlement.messages import Cause, CorrectReading
from gridtokenx.modules.tokens.messages import (
    ConfirmRedemption,
    RefuseRedemption,
    RequestRedemption,
    Transfer,
)
from gridtokenx.modules.tokens.state import REDEMPTIONS

HOMES = tuple(f"home-{number}" for number in range(10))
FEEDERS = (11, 11, 11, 11, 12, 12, 21, 21, 31, 31)
NAMES = tuple(f"order-{number}" for number in range(24))


def founded(block_ms: int = 0, members: bool = False, terms: Terms = DEFAULT_TERMS) -> World:
    """Ten homes on four feeders and a dealer, Monday 09:30; two homes are related, one is poor. With `block_ms` a
    consensus times the blocks: then every pause of more than a minute is a halt. With `members` a consortium runs
    it."""
    founding = Founding(terms, at(9, 30))
    if block_ms:
        founding.builder.set_consensus(block_ms)
    for number, (name, feeder) in enumerate(zip(HOMES, FEEDERS, strict=True)):
        sources = {Source.SOLAR: 12_000, Source.STORAGE: 4_000} if number % 2 else {}
        money = 3 * WATT if number == 9 else 2_000 * WATT
        founding.add_home(name, feeder, sources, 16_000, money, group=5 if number in (1, 2) else 0)
    founding.add_dealer("dealer", 12, 6_000, 6_000, 100 * WATT)
    if members:
        add_consortium(founding)
    founding.builder.set_sky(1, {6: tuple(600 if 36 <= quarter < 72 else 0 for quarter in range(96))})
    founding.builder.limit_border(1, 2, 24_000, 16_000)
    founding.builder.limit_border(2, 3, 8_000, 8_000)
    founding.builder.limit_feeder(12, 16_000, 24_000)
    return founding.start()


class Traffic:
    """Steps a world, one block at a time."""

    def __init__(
        self,
        world: World,
        seed: int,
        pauses_ms: tuple[int, ...] = (1_000, 20_000, 60_000, 240_000),
        nodes: bool = False,
        stirred: bool = False,
    ) -> None:
        """With `nodes` also what goes on among many nodes: validators, evidence, bad batches; and what the members of a
        consortium do, if the world has one. `stirred`: see there."""
        self.world = world
        self.stirring = Stirring(world, seed) if stirred else None
        self.nodes = Nodes(world, seed, HOMES) if nodes else None
        has_members = world.state.get(CONSORTIUM_TERMS, THE_ONE) is not None
        self.members = Members(world, seed) if has_members else None
        self.pauses_ms = pauses_ms
        self.random = random.Random(seed)
        self.blocks = random.Random(seed + 1)
        self.waiting: list[tuple[int, str, int]] = []
        """Readings that are held back: (from when, site, interval)."""
        self.known: dict[tuple[str, int], tuple[int, int]] = {}
        self.suspended: list[str] = []
        self.metered = self.world.time_ms // INTERVAL_MS

    def steps(self, count: int) -> Iterator[BlockOutcome]:
        """So many blocks."""
        for _ in range(count):
            yield self.step()

    def step(self) -> BlockOutcome:
        """The next block, some seconds to minutes later or at the next due work, with what happens then."""
        world, draw = self.world, self.random
        later = world.time_ms + draw.choice(self.pauses_ms)
        due_ms = max(schedule.next_due_ms(world.state) or later, world.time_ms + 1)
        time_ms = min(later, due_ms) if draw.random() < 0.3 else later
        wires = self._readings(time_ms)
        wires += [self._sign(name) for name in draw.sample(HOMES, draw.randint(0, 6))]
        if draw.random() < 0.2:
            wires.append(world.sign("dealer", *self._order("dealer")))
        wires += self._offices()
        if self.stirring is not None:
            wires += self.stirring.wires()
        draw.shuffle(wires)
        cut = draw.randint(0, len(wires))
        batches = [world.batch(*part) for part in (wires[:cut], wires[cut:]) if part]
        sent = [others.transactions() for others in (self.members, self.nodes) if others is not None]
        batches += [world.batch(*wires) for wires in sent if wires]
        if self.nodes is not None:
            batches += self.nodes.batches(time_ms)
        consensus = self.members or self.nodes
        if consensus is None:
            return world.block(*batches, time_ms=time_ms)
        told, commit = consensus.misbehaviour(), consensus.last_commit()
        return world.block(*batches, time_ms=time_ms, misbehaviour=told, last_commit=commit)

    def _sign(self, name: str) -> bytes:
        messages = self._messages(name)
        return self.world.sign(name, *messages)

    def _offices(self) -> list[bytes]:
        """Now and then the registrar suspends a home, soon after it lets it go on; the bank answers redemptions; the
        residual supplier spends all that it has."""
        world, draw = self.world, self.random
        wires = []
        if self.suspended and draw.random() < 0.2:
            wires.append(world.sign("registrar", SuspendParticipant(pseudonym(self.suspended.pop()), False)))
        elif draw.random() < 0.01:
            self.suspended.append(draw.choice(HOMES))
            wires.append(world.sign("registrar", SuspendParticipant(pseudonym(self.suspended[-1]), True)))
        supplier = world.account("supplier")
        if supplier.balance_micro and draw.random() < 0.05:
            home = world.accounts[draw.choice(HOMES)]
            wires.append(world.sign("supplier", Transfer(home, supplier.balance_micro)))
        for key in world.state.keys(REDEMPTIONS):
            if draw.random() < 0.3:
                answer = draw.choice((ConfirmRedemption, RefuseRedemption))(key[:32], key[32:])
                wires.append(world.sign("bank", answer))
        return wires

    def _messages(self, name: str) -> tuple[Message, ...]:
        draw = self.random
        what = draw.random()
        order = pseudonym(draw.choice(NAMES))
        if what < 0.68:
            plain = self._order(name)
            return plain if self.blocks.random() < 0.9 else (self._block_order(*plain),)
        if what < 0.75:
            return (CancelOrder(order),)
        if what < 0.85:
            return (AmendOrder(order, draw.randrange(2_000, 6_500) * 1_000, draw.randrange(100, 2_000)),)
        if what < 0.96:
            return (Transfer(self.world.accounts[draw.choice(HOMES)], draw.randrange(1, WATT)),)
        if what < 0.98:
            return (RequestRedemption(draw.randrange(1, WATT), draw.randbytes(16)),)
        return (CancelOrder(order), *self._order(name))

    def _order(self, name: str) -> tuple[PlaceOrder, ...]:
        draw, now = self.random, self.world.time_ms
        interval = now // INTERVAL_MS + draw.randint(1, 6)
        plain = sell(name, draw.randrange(100, 900), interval, draw.randrange(2_500, 5_500) * 1_000)
        force = draw.choice((0, 0, 0, 0, 1, 2, 3))
        selling = draw.random() < 0.5
        if name != "dealer" and not int(name[-1]) % 2:
            selling = draw.random() < 0.03
        source = draw.choice((Source.SOLAR, Source.STORAGE)) if name != "dealer" else Source.CONVENTIONAL
        order = msgspec.structs.replace(
            plain,
            client_id=pseudonym(draw.choice(NAMES)),
            side=int(Side.SELL if selling else Side.BUY),
            source=int(source) if selling else draw.choice((127, 127, 33, 64)),
            time_in_force=force,
            good_till_ms=now + draw.randrange(60_000, 1_200_000) if force == TimeInForce.GOOD_TILL_TIME else 0,
            minimum_wh=draw.choice((0, 0, 0, 200)) if force != TimeInForce.FILL_OR_KILL else 0,
        )
        return (order if self.stirring is None else self.stirring.dressed(order),)

    def _block_order(self, plain: PlaceOrder) -> PlaceBlockOrder:
        """As an order, but small and eager, in two or three intervals."""
        force = plain.time_in_force
        return PlaceBlockOrder(
            plain.portfolio,
            plain.client_id,
            plain.interval,
            self.blocks.choice((2, 2, 2, 3)),
            plain.side,
            plain.price_micro + (-1_500_000 if plain.side == Side.SELL else 1_500_000),
            100,
            plain.source,
            0 if force == TimeInForce.IMMEDIATE_OR_CANCEL else force,
            plain.good_till_ms,
        )

    def _readings(self, time_ms: int) -> list[bytes]:
        """The meters of each interval that has ended; some come late, some never, a few are corrected."""
        world, draw = self.world, self.random
        wires = []
        while (self.metered + 1) * INTERVAL_MS < time_ms:
            for name in HOMES:
                generous = int(name[-1]) % 2
                world.meter(name, self.metered, draw.randrange(0, 1_500), draw.randrange(0, 2_000) * generous)
                self.known[name, self.metered] = world.registers[name]
                delay = draw.choice((0, 0, 0, 0, 0, 0, 600_000, 3_000_000, 10**9))
                self.waiting.append((time_ms + delay, name, self.metered))
            self.metered += 1
        for item in [item for item in self.waiting if item[0] <= time_ms]:
            self.waiting.remove(item)
            _, name, interval = item
            reading = world.reading(name, interval, *self.known[name, interval])
            wires.append(world.sign("operator", world.submit(reading)))
            if draw.random() < 0.02:
                distributor = "mea" if FEEDERS[HOMES.index(name)] < 20 else "pea"
                correction = CorrectReading(world.chain, reading, Cause.METER_FAULT)
                wires.append(world.sign(distributor, correction))
        return wires
