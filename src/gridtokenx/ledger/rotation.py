"""Whose turn it is to propose: CometBFT v0.40's rule, in integers, and what the ledger keeps to apply it.

Every validator has a priority. At each turn all gain their power, the highest proposes, and pays the total power. Over
time each proposes as often as its power says. Functions here are pure and give what CometBFT's `types/validator_set.go`
gives (the names of its functions stand in the docstrings); `docs/decisions/0024-turns-of-validators-in-state.md`
says why the ledger does it again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

import msgspec

from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NodeId
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Whole
from gridtokenx.ledger.validator import Address, LastCommit, Power, Powers, address_of, node_of

WINDOW: Final = 2
"""Priorities lie at most so many times the total power apart."""

TURNS_EACH: Final = 2
"""Of a height that takes very many rounds, so many turns for each validator are looked at."""

Priority = Annotated[int, msgspec.Meta(ge=-limits.AMOUNT_MAX, le=limits.AMOUNT_MAX)]

Change = tuple[Address, Power]
"""A validator and its new power, 0 if it is gone."""


class Voter(Record, frozen=True):
    """One validator of a height."""

    address: Address
    power: Power
    priority: Priority


class Voters(Record, frozen=True):
    """The validators of one height, in the order of addresses, as they are in its round 0; `proposer` has that turn."""

    each: tuple[Voter, ...]
    proposer: Address


class Rotation(Record, frozen=True):
    """Who voted on the last block, `height`, which was the block of `node`; and who comes and goes: `coming` for the
    voters of the next height, `later` for those of the height after it."""

    height: Whole
    node: NodeId
    voters: Voters
    coming: tuple[Change, ...]
    later: tuple[Change, ...]


ROTATION: Table[Rotation] = Table(0x0B, "rotation", Rotation)
ROTATION_KEY = b""

AGREED = 0x0B
"""Kind of guarded work; it is never scheduled, only set aside under this name."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """How the block before this one was agreed, told one block later.

    `round`: in which round. `absent`: whose votes do not stand in this block (addresses ascending). `missed`: who had
    the turn in an earlier round, in the order of those rounds, each once. `proposer`: the node whose block it was.
    `voters`: (address, power) of all who could vote, addresses ascending. `gap_ms`: how much later this block is.
    """

    height: int
    round: int
    absent: tuple[bytes, ...]
    missed: tuple[bytes, ...]
    proposer: bytes
    voters: tuple[tuple[bytes, int], ...]
    gap_ms: int


# The rule.


def first_voters(powers: Sequence[Change]) -> Voters:
    """Of a consensus that begins, from (address, power above 0); at least one. (`NewValidatorSet`)"""
    return _take_turn(_with_changes((), powers))


def next_voters(voters: Voters, changes: Sequence[Change]) -> Voters:
    """Of the height after, with what changes until then; somebody must remain. (`UpdateWithChangeSet`, then
    `IncrementProposerPriority(1)`, as `updateState` in `state/execution.go`)"""
    return _take_turn(_with_changes(voters.each, changes) if changes else voters.each)


def turns(voters: Voters) -> Iterator[bytes]:
    """Who has the turn in round 0, 1, 2 and so on of the height, for ever. One round after another, as nodes go: where
    CometBFT jumps over rounds, it moves priorities into the window once only, which rarely gives another turn."""
    while True:
        yield voters.proposer
        voters = _take_turn(voters.each)


def _with_changes(before: tuple[Voter, ...], changes: Sequence[Change]) -> tuple[Voter, ...]:
    """New ones begin far behind, so that nobody gains by leaving and returning: at -1.125 times the power that there is
    before anybody leaves. (`updateWithChangeSet`)"""
    after = {voter.address: voter for voter in before}
    updates = {address: power for address, power in changes if power}
    total = sum(({voter.address: voter.power for voter in before} | updates).values())
    for address, power in updates.items():
        known = after.get(address)
        after[address] = Voter(address, power, known.priority if known else -(total + (total >> 3)))
    for address, power in changes:
        if not power:
            del after[address]
    ordered = tuple([after[address] for address in sorted(after)])
    return _moved(ordered, _centred(_rescaled([voter.priority for voter in ordered], _total(ordered))))


def _take_turn(before: tuple[Voter, ...]) -> Voters:
    """Ties go to the lower address. (`IncrementProposerPriority(1)`)"""
    total = _total(before)
    priorities = _centred(_rescaled([voter.priority for voter in before], total))
    raised = [priority + voter.power for priority, voter in zip(priorities, before, strict=True)]
    turn = raised.index(max(raised))
    raised[turn] -= total
    return Voters(_moved(before, raised), before[turn].address)


def _rescaled(priorities: list[int], total: int) -> list[int]:
    """Within the window, by a division that cuts towards zero, as Go's does. (`RescalePriorities`)"""
    apart, window = max(priorities) - min(priorities), WINDOW * total
    if apart <= window:
        return priorities
    ratio = (apart + window - 1) // window
    return [priority // ratio if priority >= 0 else -(-priority // ratio) for priority in priorities]


def _centred(priorities: list[int]) -> list[int]:
    """Around 0, by their average rounded down. (`shiftByAvgProposerPriority`)"""
    average = sum(priorities) // len(priorities)
    return [priority - average for priority in priorities] if average else priorities


def _moved(voters: tuple[Voter, ...], priorities: list[int]) -> tuple[Voter, ...]:
    pairs = zip(voters, priorities, strict=True)
    return tuple([Voter(voter.address, voter.power, priority) for voter, priority in pairs])


def _total(voters: tuple[Voter, ...]) -> int:
    return sum([voter.power for voter in voters])


# What the ledger keeps.


def rotation_of(state: State, height: int) -> Rotation | None:
    """What is known of the block at `height`, the last one. None: no consensus agreed on it."""
    rotation = state.get(ROTATION, ROTATION_KEY)
    return rotation if rotation is not None and rotation.height == height else None


def agreed(state: State, context: Context, rotation: Rotation, commit: LastCommit, gap_ms: int) -> Agreed:
    """What a block carries about the one before it, with what the ledger itself knows of that one."""
    voters = tuple([(voter.address, voter.power) for voter in rotation.voters.each])
    missed = _missed(state, rotation, commit.round) if commit.round else ()
    return Agreed(rotation.height, commit.round, commit.absent, missed, rotation.node, voters, gap_ms)


def _missed(state: State, rotation: Rotation, round_: int) -> tuple[bytes, ...]:
    """Who had a turn before the round that decided. A block may be decided in a later round than that in which its node
    proposed it: in the turn of somebody else, who found it half agreed. Then that node did not miss its own turn."""
    looked_at = min(round_, TURNS_EACH * len(rotation.voters.each))
    *before, last = islice(turns(rotation.voters), looked_at + 1)
    if node_of(state, last) != rotation.node:
        before = [address for address in before if node_of(state, address) != rotation.node]
    return tuple(dict.fromkeys(before))


def keep_rotation(
    state: State,
    context: Context,
    node: bytes,
    begins: bool,
    validators_before: Powers,
    updates: Iterable[tuple[bytes, int]],
) -> None:
    """Move on by this block, the block of `node`. `updates` are (public key, power) that it asks consensus for: they
    count from the second block after it. Where consensus `begins` with this block, or nothing is kept yet, the
    validators before it vote on it as newcomers. Nothing is kept on a chain without consensus or validators."""
    if not validators_before or state.get(CONSENSUS, CONSENSUS_KEY) is None:
        return
    before = None if begins else rotation_of(state, context.height - 1)
    if before is None:
        voters = first_voters([(address, validator.power) for address, validator in validators_before.items()])
        coming: tuple[Change, ...] = ()
    else:
        voters, coming = next_voters(before.voters, before.coming), before.later
    later = tuple([(address_of(public_key), power) for public_key, power in updates])
    state.put(ROTATION, ROTATION_KEY, Rotation(context.height, node, voters, coming, later))
