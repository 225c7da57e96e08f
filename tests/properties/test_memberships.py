"""Histories of members, as Hypothesis makes them up: after every block the caps, the modules and the auditor have
nothing to say, and a state that is exported and imported is the same (A1, A5, A6, A7)."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.caps import Seats
from tests.consortium import SEATED, TERMS, Consortium, consensus_key, node_id, node_key
from tests.invariants import Watch
from tests.world import Signer, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.schedule import SET_ASIDE
from gridtokenx.ledger.validator import VALIDATORS, Misbehaviour
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    Endorse,
    Group,
    NodeLicence,
    Propose,
    Replacement,
    RotatedKey,
    Standing,
    Tier,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.proposals import electorate
from gridtokenx.modules.authority.state import CHECKPOINTS, MEMBERS, PROPOSALS, Outcome

OTHERS = ("newcomer", "second", "third")
NAMES = st.sampled_from([*SEATED, *OTHERS])
APPEAL_MS = 40_000

EXPECTED_NEVER = {"INTERNAL"}
"""Any refusal may come of what is made up; a bug never."""


class Memberships(RuleBasedStateMachine):
    """Each rule is one block or a few; most of what is asked is refused, as it should be."""

    @initialize(seats_min=st.integers(3, 10), epoch_changes=st.integers(1, 4), seats_max=st.integers(9, 13))
    def found(self, seats_min: int, epoch_changes: int, seats_max: int) -> None:
        terms = msgspec.structs.replace(
            TERMS,
            seats_min=min(seats_min, seats_max),
            seats_max=seats_max,
            epoch_changes=epoch_changes,
            epoch_blocks=10,
            observed_blocks=5,
            appeal_ms=APPEAL_MS,
            vote_ms=60_000,
            zone_seats=8,
        )
        self.consortium = Consortium(terms)
        self.watch = Watch(self.consortium.world)
        Seats(self.consortium)
        self.generations: dict[str, int] = {}
        self.height_of_evidence = 0
        self.consortium.blocks(2)

    def ask(self, name: str, message: Any) -> str:
        code = self.consortium.do(name, message)
        assert code not in EXPECTED_NEVER
        return code

    def of_standing(self, *standings: Standing) -> list[str]:
        members = self.consortium.world.state.rows[MEMBERS.prefix]
        names = [name for name in (*SEATED, *OTHERS) if pseudonym(name) in members]
        return [name for name in names if members[pseudonym(name)].standing in standings]

    def generation(self, name: str) -> int:
        self.generations[name] = self.generations.get(name, 0) + 1
        return self.generations[name]

    def node_key_of(self, name: str) -> Signer:
        """The key that its node has now."""
        state = self.consortium.world.state
        node = state.rows[NODES.prefix][self.consortium.member(name).node]
        keys = [node_key(name, number) for number in range(self.generations.get(name, 0) + 1)]
        (key,) = [key for key in keys if key.keys[0] == node.public_key]
        return key

    @rule(name=NAMES, group=st.sampled_from(Group), tier=st.sampled_from(Tier), zone=st.integers(1, 3))
    def apply(self, name: str, group: Group, tier: Tier, zone: int) -> None:
        number = self.generation(name)
        node = node_id(f"{name} {number}")
        self.ask(name, self.consortium.application(name, group, tier, generation=number, zone=zone, node=node))

    @rule(name=NAMES)
    def withdraw(self, name: str) -> None:
        self.ask(name, Withdraw())

    @precondition(lambda self: self.of_standing(Standing.CANDIDATE))
    @rule(data=st.data())
    def speak_for(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from(self.of_standing(Standing.CANDIDATE)))
        for name in data.draw(st.lists(st.sampled_from(list(SEATED)), max_size=4)):
            self.ask(name, Attest(pseudonym(candidate)))
            self.ask(name, Endorse(pseudonym(candidate)))

    @precondition(lambda self: self.of_standing(Standing.CANDIDATE, Standing.RESERVE))
    @rule(data=st.data(), blocks=st.integers(1, 12))
    def observe(self, data: st.DataObject, blocks: int) -> None:
        self.observe_for(data.draw(st.sampled_from(self.of_standing(Standing.CANDIDATE, Standing.RESERVE))), blocks)

    def observe_for(self, name: str, blocks: int) -> None:
        for _ in range(blocks):
            if self.consortium.world.state.rows[CHECKPOINTS.prefix]:
                self.ask("alice", self.consortium.observation(name, self.node_key_of(name)))
            self.consortium.block()
            if self.consortium.standing(name) == "SEATED":
                return

    @precondition(lambda self: self.of_standing(Standing.CANDIDATE))
    @rule(data=st.data())
    def bring_in(self, data: st.DataObject) -> None:
        """All that a candidate needs, as far as there are members to give it."""
        name = data.draw(st.sampled_from(self.of_standing(Standing.CANDIDATE)))
        for member in SEATED:
            self.ask(member, Attest(pseudonym(name)))
            self.ask(member, Endorse(pseudonym(name)))
        self.observe_for(name, 15)
        self.carry(Propose(int(Act.ADMIT), pseudonym(name), b""))

    @precondition(lambda self: self.of_standing(Standing.SUSPENDED))
    @rule(data=st.data())
    def bring_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.of_standing(Standing.SUSPENDED)))
        self.carry(Propose(int(Act.REINSTATE), pseudonym(name), b""))

    def carry(self, ask: Propose) -> None:
        """Somebody proposes it, and all vote for it."""
        if any(self.ask(name, ask) == "OK" for name in (*SEATED, *OTHERS)) and self.open():
            self.all_agree(max(self.open()))

    @rule(name=NAMES, act=st.sampled_from(Act), subject=NAMES, data=st.data())
    def propose(self, name: str, act: Act, subject: str, data: st.DataObject) -> None:
        about, value = b"", b""
        if act in (Act.ADMIT, Act.REMOVE, Act.REINSTATE, Act.REPLACE):
            about = pseudonym(subject)
        elif act == Act.LICENSE:
            about = pseudonym(f"gateway of {subject}")
        record = self.value(act, subject, data)
        if record is not None:
            value = encode(record)
        self.ask(name, Propose(int(act), about, value))

    def value(self, act: Act, subject: str, data: st.DataObject) -> Record | None:
        if act == Act.SET_TERMS:
            terms = self.consortium.terms
            return msgspec.structs.replace(
                terms,
                seat_power=data.draw(st.sampled_from([1, 10, 10**6])),
                epoch_changes=data.draw(st.integers(1, 5)),
                seats_max=data.draw(st.integers(terms.seats_min, 14)),
            )
        if act == Act.LICENSE:
            return NodeLicence(signer(f"gateway of {subject}").keys[0], data.draw(st.booleans()))
        if act == Act.REPLACE:
            number = self.generation(subject)
            keys = node_key(subject, number).keys[0], consensus_key(subject, number).keys[0]
            return Replacement(self.consortium.world.accounts[subject], *keys)
        return None

    def open(self) -> list[int]:
        proposals = self.consortium.world.state.items(PROPOSALS)
        return [int.from_bytes(key, "big") for key, proposal in proposals if proposal.outcome == Outcome.OPEN]

    @precondition(lambda self: self.open())
    @rule(data=st.data(), name=NAMES, yes=st.booleans())
    def vote(self, data: st.DataObject, name: str, yes: bool) -> None:
        self.ask(name, Vote(data.draw(st.sampled_from(self.open())), yes))

    @precondition(lambda self: self.open())
    @rule(data=st.data())
    def agree(self, data: st.DataObject) -> None:
        """All who may vote say yes, until it is decided."""
        self.all_agree(data.draw(st.sampled_from(self.open())))

    def all_agree(self, number: int) -> None:
        for voter in electorate(self.consortium.world.state, self.consortium.proposal(number)):
            (name,) = [name for name in (*SEATED, *OTHERS) if pseudonym(name) == voter]
            if number in self.open():
                self.ask(name, Vote(number, True))

    @rule(name=NAMES, key=st.sampled_from(RotatedKey))
    def rotate(self, name: str, key: RotatedKey) -> None:
        self.ask(name, self.consortium.rotation(name, key, self.generation(name)))

    @rule(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), data=st.data())
    def sign_twice(self, names: list[str], data: st.DataObject) -> None:
        """Of any key that the members ever had."""
        self.height_of_evidence += 1
        items = []
        for name in names:
            addresses = self.consortium.addresses(name)
            if addresses:
                address = data.draw(st.sampled_from(addresses))
                items.append(Misbehaviour(1, address, self.height_of_evidence, 1, 100, 10))
        self.consortium.block(misbehaviour=tuple(items))

    @rule(count=st.integers(1, 15), away=st.sets(NAMES, max_size=4), round_=st.sampled_from([0, 0, 1, 3]))
    def blocks(self, count: int, away: set[str], round_: int) -> None:
        self.consortium.blocks(count, away=away, round_=round_)

    @rule(long=st.sampled_from([20_000, APPEAL_MS, 100_000]))
    def time_passes(self, long: int) -> None:
        world = self.consortium.world
        until_ms = world.time_ms + long
        while world.time_ms < until_ms:
            self.consortium.block(time_ms=min(world.time_ms + 10_000, until_ms))

    def teardown(self) -> None:
        if not hasattr(self, "consortium"):
            return
        self.watch.finish()
        world = self.consortium.world
        assert world.state.rows[SET_ASIDE.prefix] == {}
        assert world.state.rows[VALIDATORS.prefix]
        exported = world.export()
        state, commitment = import_state(CONSORTIUM, exported)
        assert commitment.root() == world.commitment.root()
        assert export_state(CONSORTIUM, state) == exported


PLAYED = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class TestMemberships(Memberships.TestCase):  # type: ignore[name-defined,misc]
    settings = PLAYED


@pytest.mark.soak
class TestManyMemberships(Memberships.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(PLAYED, max_examples=1_000, stateful_step_count=80)
