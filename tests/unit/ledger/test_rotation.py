"""Whose turn it is: CometBFT's rule, against its own documents, a recorded chain, and a second reading of its rules."""

import json
from base64 import b64decode
from fractions import Fraction
from itertools import islice
from math import floor, trunc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridtokenx.ledger import limits
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.rotation import WINDOW, Change, Voter, Voters, first_voters, next_voters, turns
from gridtokenx.ledger.validator import address_of

LIGHT = Path(__file__).parents[2] / "vectors" / "light.json"

decode_voters: Decoder[Voters] = Decoder(Voters)


def address(number: int) -> bytes:
    return number.to_bytes(20, "big")


def priorities(voters: Voters) -> list[int]:
    return [voter.priority for voter in voters.each]


# --- what CometBFT says itself


def test_the_stable_set_of_the_specification() -> None:
    """`spec/consensus/proposer-selection.md`, "Stable Set": p1 has power 1, p2 has 3."""
    voters = first_voters([(address(1), 1), (address(2), 3)])
    seen = []
    for _ in range(5):
        seen.append((voters.proposer, priorities(voters)))
        voters = next_voters(voters, ())
    one, two = address(1), address(2)
    assert seen == [(two, [1, -1]), (one, [-2, 2]), (two, [-1, 1]), (two, [0, 0]), (two, [1, -1])]


def test_the_new_validator_of_the_specification() -> None:
    """The same document, "New Validator": p3 comes with power 8 after p1 was last at 1 and p2 at -1."""
    voters = Voters((Voter(address(1), 1, 1), Voter(address(2), 3, -1)), address(2))
    after = next_voters(voters, [(address(3), 8)])
    # Centred by -5 (the document rounds -13/3 towards zero, the code down), then each gains its power.
    assert after.proposer == address(1)
    assert priorities(after) == [6 + 1 - 12, 4 + 3, -8 + 8]


def recorded() -> list[Any]:
    chains: list[Any] = json.loads(LIGHT.read_text(encoding="utf-8"))
    return chains


@pytest.mark.parametrize("chain", [0, 1])
def test_a_recorded_chain_has_the_same_priorities_and_proposers(chain: int) -> None:
    blocks = recorded()[chain]["blocks"]
    voters: Voters | None = None
    for block in blocks:
        said = {
            address_of(b64decode(each["pub_key"]["value"])): (int(each["voting_power"]), int(each["proposer_priority"]))
            for each in block["validators"]["validators"]
        }
        powers = {name: power for name, (power, _) in said.items()}
        if voters is None:
            voters = first_voters(list(powers.items()))
        else:
            before = {voter.address: voter.power for voter in voters.each}
            changes = [(name, powers.get(name, 0)) for name in before | powers if before.get(name) != powers.get(name)]
            voters = next_voters(voters, changes)
        assert {voter.address: (voter.power, voter.priority) for voter in voters.each} == said
        signed = block["commit"]["signed_header"]
        *_, decider = islice(turns(voters), signed["commit"]["round"] + 1)
        assert decider.hex().upper() == signed["header"]["proposer_address"]


# --- against a second reading


class Model:
    """The specification's last algorithm with what its code adds, one validator after another, in fractions."""

    def __init__(self, powers: dict[bytes, int]) -> None:
        self.power: dict[bytes, int] = {}
        self.priority: dict[bytes, int] = {}
        self.change(powers)
        self.proposer = self.select()

    def change(self, powers: dict[bytes, int]) -> None:
        if not powers:
            return
        with_all = self.power | {name: power for name, power in powers.items() if power > 0}
        for name in sorted(powers):
            if powers[name] > 0 and name not in self.power:
                self.priority[name] = -(sum(with_all.values()) + sum(with_all.values()) // 8)
        for name in sorted(powers):
            if powers[name] == 0:
                del with_all[name], self.priority[name]
        self.power = with_all
        self.scale()

    def scale(self) -> None:
        difference = max(self.priority.values()) - min(self.priority.values())
        threshold = 2 * sum(self.power.values())
        if difference > threshold:
            scale = -floor(Fraction(-difference, threshold))
            for name in self.priority:
                self.priority[name] = trunc(Fraction(self.priority[name], scale))
        average = floor(Fraction(sum(self.priority.values()), len(self.priority)))
        for name in self.priority:
            self.priority[name] -= average

    def select(self) -> bytes:
        self.scale()
        for name, power in self.power.items():
            self.priority[name] += power
        first = min(self.priority, key=lambda name: (-self.priority[name], name))
        self.priority[first] -= sum(self.power.values())
        return first


powers = st.one_of(st.integers(1, 5), st.integers(1, 1_000), st.integers(1, limits.VALIDATOR_POWER_MAX))
names = st.integers(0, 11).map(address)


class RotationMachine(RuleBasedStateMachine):
    """Heights with and without changes, side by side with the model."""

    @initialize(first=st.dictionaries(names, powers, min_size=1))
    def begin(self, first: dict[bytes, int]) -> None:
        self.voters, self.model = first_voters(list(first.items())), Model(first)

    @rule(count=st.integers(1, 30))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            self.step([])

    @rule(changes=st.dictionaries(names, st.one_of(powers, st.just(0)), min_size=1))
    def change(self, changes: dict[bytes, int]) -> None:
        known = {voter.address for voter in self.voters.each}
        possible = {name: power for name, power in changes.items() if power or name in known}
        if (known | set(possible)) - {name for name, power in possible.items() if not power}:
            self.step(list(possible.items()))

    @precondition(lambda self: len(self.voters.each) > 1)
    @rule(place=st.integers(0, 11))
    def leave_and_return(self, place: int) -> None:
        """Nobody comes to a turn by that."""
        leaver = self.voters.each[place % len(self.voters.each)]
        self.step([(leaver.address, 0)])
        self.step([(leaver.address, leaver.power)])
        assert self.voters.proposer != leaver.address

    def step(self, changes: list[Change]) -> None:
        self.voters = next_voters(self.voters, changes)
        self.model.change(dict(changes))
        self.model.proposer = self.model.select()

    @invariant()
    def is_the_model(self) -> None:
        assert {voter.address: voter.priority for voter in self.voters.each} == self.model.priority
        assert {voter.address: voter.power for voter in self.voters.each} == self.model.power
        assert self.voters.proposer == self.model.proposer

    @invariant()
    def is_centred_and_bounded(self) -> None:
        each, total = self.voters.each, sum(voter.power for voter in self.voters.each)
        assert 0 <= sum(voter.priority for voter in each) < len(each)
        assert max(voter.priority for voter in each) - min(voter.priority for voter in each) <= (WINDOW + 1) * total
        assert [voter.address for voter in each] == sorted({voter.address for voter in each})
        assert all(voter.power > 0 for voter in each)
        assert decode_voters(encode(self.voters)) == self.voters


TestRotation = RotationMachine.TestCase
TestRotation.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_from_the_beginning_each_has_exactly_its_share_of_turns(shares: list[int]) -> None:
    """In as many turns as there is power."""
    voters = first_voters([(address(number), power) for number, power in enumerate(shares)])
    had = list(islice(turns(voters), sum(shares)))
    assert [had.count(address(number)) for number in range(len(shares))] == shares


@given(
    st.dictionaries(names, powers, min_size=1),
    st.lists(st.dictionaries(names, powers), max_size=5),
    st.integers(1, 300),
)
@settings(deadline=None)
def test_after_changes_shares_are_fair_within_a_few_turns(
    first: dict[bytes, int], later: list[dict[bytes, int]], count: int
) -> None:
    voters = first_voters(list(first.items()))
    for change in later:
        voters = next_voters(voters, list(change.items()))
    total = sum(voter.power for voter in voters.each)
    had = list(islice(turns(voters), count))
    for voter in voters.each:
        assert abs(Fraction(voter.power * count, total) - had.count(voter.address)) <= 2 * (WINDOW + 1)


@given(st.permutations([(address(number), 1 + number % 3) for number in range(7)]))
def test_the_order_of_what_is_given_does_not_matter(given_: list[Change]) -> None:
    assert first_voters(given_) == first_voters(sorted(given_))
    start = first_voters([(address(3), 5)])
    assert next_voters(start, given_) == next_voters(start, sorted(given_))


def test_all_may_be_replaced_at_once_with_the_largest_powers() -> None:
    """The total before the old ones go fits what CometBFT can count, and priorities stay in what a record holds."""
    most = limits.VALIDATOR_POWER_MAX
    old = [(address(number), most) for number in range(limits.VALIDATORS_MAX)]
    new = [(address(1_000 + number), most) for number in range(limits.VALIDATORS_MAX)]
    voters = next_voters(first_voters(old), [(name, 0) for name, _ in old] + new)
    assert len(voters.each) == limits.VALIDATORS_MAX
    assert decode_voters(encode(voters)) == voters
