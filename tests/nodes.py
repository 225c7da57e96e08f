"""What goes on among the nodes of a chain, from a seed: validators come and go, a rogue node signs what it should not,
others report it (rightly or not), and consensus finds double signers.

Beside a `Traffic` it makes the blocks that a chain of many nodes has.
"""

import random

from tests.world import NODE_ID, World, batch_of, pseudonym, report_of, signer

from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.rotation import rotation_of
from gridtokenx.ledger.validator import VALIDATORS, LastCommit, Misbehaviour
from gridtokenx.modules.authority.messages import SetNode, SetValidator
from gridtokenx.modules.market.messages import CancelOrder

ROGUE_ID = pseudonym("rogue")
ROGUE_KEYS = (signer("rogue"), signer("rogue, later"))
VOTERS = tuple(signer(f"voter {number}").keys[0] for number in range(6))
LIFETIME_MS = 300_000


class Nodes:
    """One step for each block."""

    def __init__(self, world: World, seed: int, reporters: tuple[str, ...]) -> None:
        """`reporters` are parties who may report a batch."""
        self.world = world
        self.random, self.agreement = random.Random(seed), random.Random(seed)
        self.reporters = reporters
        self.key = ROGUE_KEYS[0]
        self.started = False
        self.sequence = 0
        self.signed: list[bytes] = []
        """Batches of the rogue that nobody has reported yet: what is good in them stands first, what is bad last."""

    def transactions(self) -> list[bytes]:
        """Of the office and of those who report."""
        world, draw = self.world, self.random
        if not self.started:
            self.started = True
            return [world.sign("authority", SetNode(ROGUE_ID, self.key.keys[0], True), self._votes(10))]
        wires = []
        if draw.random() < 0.2:
            wires.append(world.sign("authority", self._votes(draw.choice((0, 1, 10, 100)))))
        if draw.random() < 0.03:
            self.key = draw.choice(ROGUE_KEYS)
            wires.append(world.sign("authority", SetNode(ROGUE_ID, self.key.keys[0], draw.random() < 0.7)))
        if self.signed and draw.random() < 0.3:
            wire = self.signed.pop(draw.randrange(len(self.signed)))
            report = report_of(wire, draw.choice((0, 1, 1)), draw.choice((self.key, *ROGUE_KEYS)))
            wires.append(world.sign(draw.choice(self.reporters), report))
        return wires

    def batches(self, time_ms: int) -> list[bytes]:
        """What the rogue node brings into the block of this time: mostly nothing, else something bad."""
        world, draw = self.world, self.random
        if draw.random() < 0.8:
            return []
        self.sequence += 1
        good = world.sign(draw.choice(self.reporters), CancelOrder(draw.randbytes(8)))
        bad = draw.choice((b"", draw.randbytes(40), good[:-1] + bytes([good[-1] ^ 1])))
        until_ms = time_ms + LIFETIME_MS
        wire = batch_of((good, bad), self.sequence, until_ms, world.chain, ROGUE_ID, self.key)
        self.signed.append(wire)
        sound = batch_of((good,), self.sequence, until_ms, world.chain, draw.choice((ROGUE_ID, NODE_ID)), self.key)
        return draw.choice(([wire], [wire, wire], [sound], [sound, sound], [wire[:-1]]))

    def misbehaviour(self) -> tuple[Misbehaviour, ...]:
        """What consensus found since the block before."""
        world, draw = self.world, self.random
        if draw.random() < 0.95:
            return ()
        addresses = [*world.state.keys(VALIDATORS), hash_bytes(b"somebody else")[:20]]
        height = draw.randint(1, len(world.blocks) + 1)
        return (Misbehaviour(draw.choice((1, 2)), draw.choice(addresses), height, world.time_ms, 1_000, 10),)

    def last_commit(self) -> LastCommit | None:
        """How the block before was agreed: mostly at once and by all."""
        world, draw = self.world, self.agreement
        rotation = rotation_of(world.state, len(world.blocks))
        if rotation is None:
            return None
        voters = [voter.address for voter in rotation.voters.each]
        absent = draw.sample(voters, draw.choice((0, 0, 0, len(voters) // 3)))
        return LastCommit(draw.choice((0, 0, 0, 0, 1, 2, 50)), tuple(sorted(absent)))

    def _votes(self, power: int) -> SetValidator:
        return SetValidator(self.random.choice(VOTERS), power, self.random.choice((ROGUE_ID, NODE_ID)))
