"""What the members of a consortium do, from a seed: organisations apply, are vouched for, watched, voted in and out,
replace keys, stop the market and let it go on; some votes are missing, and now and then somebody votes twice.

Beside a `Traffic` it makes the blocks that a chain of a consortium has. It knows no rule; the ledger says yes or no.
"""

import random

import msgspec
from tests.consortium import (
    SEATED,
    TERMS,
    add_members,
    application_of,
    consensus_key,
    node_key,
    observation_of,
    rotation_to,
)
from tests.nodes import ROGUE_ID, ROGUE_KEYS
from tests.world import MINUTE_MS, Founding, Signer, World, pseudonym, signer

from gridtokenx.ledger import freeze
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.rotation import rotation_of
from gridtokenx.ledger.validator import LastCommit, Misbehaviour, address_of
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    Endorse,
    NodeLicence,
    Propose,
    Replacement,
    RotatedKey,
    Standing,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.powers import RULES
from gridtokenx.modules.authority.state import (
    CHECKPOINTS,
    CONDUCT,
    MEMBERS,
    PROPOSALS,
    Member,
    Outcome,
)
from gridtokenx.modules.identity.messages import Licence

NEWCOMERS = tuple(f"newcomer-{number}" for number in range(6))
ORGANISATIONS = (*SEATED, *NEWCOMERS)
NAMES = {pseudonym(name): name for name in ORGANISATIONS}

LIVELY_TERMS = msgspec.structs.replace(TERMS, seats_max=11, vote_ms=40 * MINUTE_MS, appeal_ms=60 * MINUTE_MS)
"""Some proposals run out, and penalties are taken, within hours."""

FREEZES, FROZEN_ENOUGH = 0.01, 0.05
"""How likely in a block: that a freeze begins; that one ends."""

APPLIED, ROTATED = (0, 19), (20, 39)
"""Generations of keys: those with which newcomers apply, and those to which members change."""

LAZY = ("techno", "newcomer-0")
"""Their votes are often missing."""


def add_consortium(founding: Founding) -> None:
    """Members with seats, organisations that have money and have not applied, and the node that goes astray."""
    founding.builder.add_node(ROGUE_ID, ROGUE_KEYS[0].keys[0])
    add_members(founding, LIVELY_TERMS, SEATED)
    for name in NEWCOMERS:
        founding.add_account(name, signer(name, 2, 3), 10 * TERMS.stake_micro, Licence.NONE)


class Members:
    """One step for each block."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.generations: dict[str, int] = {}
        """How often each newcomer has applied: who comes back has other keys and another node."""

    def transactions(self) -> list[bytes]:
        """Of organisations; who may not is refused."""
        wires = [self.world.sign(name, message) for name, message in self._asks()]
        return wires + [self.world.sign("home-0", message) for message in self._observed()]

    def _asks(self) -> list[tuple[str, Message]]:
        draw, members = self.random, self._members()
        asks: list[tuple[str, Message]] = []
        for name in NEWCOMERS:
            if name not in members and draw.random() < 0.05:
                self.generations[name] = self.generations.get(name, -1) + 1
                group, tier = draw.choice((1, 2, 3, 4, 5)), draw.choice((1, 2, 3, 4))
                asks.append((name, application_of(name, group, tier, self.generations[name])))
            elif draw.random() < 0.002:
                asks.append((name, Withdraw()))
        for name, member in members.items():
            if member.standing == Standing.CANDIDATE and draw.random() < 0.6:
                said = draw.choice((Attest, Endorse, Endorse))(pseudonym(name))
                asks.append((draw.choice(tuple(SEATED)), said))
        if draw.random() < 0.25:
            asks.append(self._proposal(members))
        if draw.random() < 0.02:
            asks.append(self._rotation(draw.choice(tuple(members))))
        return asks + self._freeze() + self._votes()

    def _members(self) -> dict[str, Member]:
        return {NAMES[key]: member for key, member in self.world.state.items(MEMBERS)}

    def _proposal(self, members: dict[str, Member]) -> tuple[str, Propose]:
        draw = self.random
        act = draw.choice((Act.ADMIT, Act.ADMIT, Act.ADMIT, Act.REMOVE, Act.REINSTATE, Act.REPLACE, Act.SET_TERMS))
        wanted = {Act.ADMIT: (Standing.CANDIDATE,), Act.REINSTATE: (Standing.SUSPENDED,)}
        subjects = [name for name in members if act not in wanted or members[name].standing in wanted[act]]
        if act == Act.SET_TERMS or not subjects:
            if draw.random() < 0.5:
                licence = NodeLicence(signer("gateway").keys[0], licensed=draw.random() < 0.5)
                return self._by(Act.LICENSE), Propose(Act.LICENSE, pseudonym("gateway"), encode(licence))
            terms = msgspec.structs.replace(
                LIVELY_TERMS, epoch_changes=draw.randint(1, 4), seats_max=draw.randint(8, 14)
            )
            return self._by(Act.SET_TERMS), Propose(Act.SET_TERMS, b"", encode(terms))
        if act == Act.REMOVE and draw.random() < 0.97:
            subjects = [name for name in subjects if name in NEWCOMERS] or subjects
        name = draw.choice(subjects)
        value = b""
        if act == Act.REPLACE:
            later = draw.randint(*ROTATED)
            keys = node_key(name, later).keys[0], consensus_key(name, later).keys[0]
            value = encode(Replacement(self.world.accounts[name], *keys))
        return self._by(act), Propose(act, pseudonym(name), value)

    def _by(self, act: Act) -> str:
        """Mostly one who may."""
        able = [name for name, (_, tier, _) in SEATED.items() if tier in RULES[act].proposers]
        return self.random.choice(able if self.random.random() < 0.9 else ORGANISATIONS)

    def _freeze(self) -> list[tuple[str, Message]]:
        """The emergency tier, whose members agree: they vote in the same block."""
        frozen, draw = freeze.is_frozen(self.world.state), self.random
        if draw.random() >= (FROZEN_ENOUGH if frozen else FREEZES):
            return []
        return [("sec", Propose(Act.RESUME if frozen else Act.FREEZE, b"", b""))]

    def _votes(self) -> list[tuple[str, Message]]:
        draw, votes = self.random, []
        for key, proposal in self.world.state.items(PROPOSALS):
            if proposal.outcome != Outcome.OPEN:
                continue
            emergency = proposal.act in (Act.FREEZE, Act.RESUME)
            able = [name for name, (_, tier, _) in SEATED.items() if tier in RULES[Act(proposal.act)].voters]
            for name in able if emergency else draw.sample(able, min(2, len(able))):
                chance = 0.95 if proposal.act in (Act.ADMIT, Act.REINSTATE) or emergency else 0.6
                votes.append((name, Vote(int.from_bytes(key, "big"), yes=draw.random() < chance)))
        return votes

    def _rotation(self, name: str) -> tuple[str, Message]:
        return name, rotation_to(name, self.random.choice(tuple(RotatedKey)), self.random.randint(*ROTATED))

    def _observed(self) -> list[Message]:
        """The nodes of candidates and reserves, at each checkpoint; one of them sleeps now and then."""
        state, said = self.world.state, []
        for key, checkpoint in state.items(CHECKPOINTS):
            height = int.from_bytes(key, "big")
            for name, member in self._members().items():
                conduct = state.get(CONDUCT, pseudonym(name))
                known = conduct is not None and conduct.last_checkpoint == height
                if (
                    member.standing in (Standing.CANDIDATE, Standing.RESERVE)
                    and not known
                    and self.random.random() < 0.7
                ):
                    said.append(observation_of(name, height, checkpoint.header_hash, self._node_key(name, member)))
        return said

    def _node_key(self, name: str, member: Member) -> Signer | None:
        """Its present one, if it is one of those that we drew."""
        present = self.world.state.rows[NODES.prefix][member.node].public_key
        drawn = [node_key(name, number) for number in range(APPLIED[0], ROTATED[1] + 1)]
        return next((key for key in drawn if key.keys[0] == present), None)

    def last_commit(self) -> LastCommit | None:
        """Mostly all agreed at once; the lazy ones are often away, and now and then a third is."""
        draw, state = self.random, self.world.state
        rotation = rotation_of(state, last_block(state).height)
        if rotation is None:
            return None
        voters = [voter.address for voter in rotation.voters.each]
        absent = {address for address in voters if draw.random() < 0.01}
        members = self._members()
        for name in LAZY:
            if name in members and draw.random() < 0.6:
                absent.add(address_of(members[name].consensus_key))
        if draw.random() < 0.002:
            absent |= set(draw.sample(voters, len(voters) // 3))
        return LastCommit(draw.choice((0,) * 12 + (1, 2)), tuple(sorted(absent & set(voters))))

    def misbehaviour(self) -> tuple[Misbehaviour, ...]:
        """A member votes twice."""
        draw, world = self.random, self.world
        if draw.random() >= 0.006:
            return ()
        address = address_of(draw.choice([*self._members().values()]).consensus_key)
        return (Misbehaviour(1, address, max(1, last_block(world.state).height - 1), world.time_ms, 100, 10),)
