"""Seats: who should vote in consensus, and how the validator set gets there.

Members say who should (`wanted`); the validators table says who does. `reconcile` moves the one towards the other,
never further in one block than a light client or a quorum can follow:

- every seat has the same power; if the terms give seats another, all get it in one block, and no share changes;
- under a third of the power goes, and under a third of the new power comes, in one block;
- at most `epoch_changes` seats or keys change in an epoch; a suspended member's seat does not count, it goes at once;
- never fewer than `seats_min` validators are left, and never none.

What does not fit waits for the next block or epoch; nothing that was decided is lost, and what waits longest is first
of its kind. A consensus key that is replaced leaves and comes in the same block.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import VALIDATORS, Validator
from gridtokenx.modules.authority.messages import Standing
from gridtokenx.modules.authority.nodes import change_validator
from gridtokenx.modules.authority.state import (
    CONDUCT,
    EPOCH,
    KEY_OWNERS,
    MEMBERS,
    RECONCILE_SEATS,
    THE_ONE,
    ConsortiumTerms,
    Member,
    conduct_of,
    epoch_of,
    set_standing,
    terms_of,
)

PATIENCE_MS: Final = 1_000
"""How long a change that did not fit waits before it is tried again."""

VOTES_AFTER_BLOCKS: Final = 2
"""Consensus counts a change from the second block after it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One member's seat: who goes, who comes. `at_once`: it may not wait for an epoch."""

    member: bytes
    gone: Validator | None
    come: Validator | None
    at_once: bool


def want_change(state: State, context: Context) -> None:
    """Somebody's seat or key changed: bring the validator set after it, at the end of this block."""
    schedule.add(state, context.time_ms, RECONCILE_SEATS, THE_ONE)


def is_voting(state: State, member: bytes) -> bool:
    """Whether one of the member's keys, present or former, stands in the validator set."""
    owners = (state.get(KEY_OWNERS, address) for address in state.rows[VALIDATORS.prefix])
    return any(owner is not None and owner.member == member for owner in owners)


def reconcile(state: State, context: Context, key: bytes) -> int:
    """Scheduled: make the changes that fit, once a block, and come again for the others."""
    terms, epoch = terms_of(state), epoch_of(state)
    waiting = changes_wanted(state, terms)
    made = 0
    _even_out(state, terms)
    if epoch.changed_height < context.height:
        fitting = _fitting(state, terms, epoch.changes, waiting)
        made, counted = len(fitting), sum(not change.at_once for change in fitting)
        for change in fitting:
            _make(state, context, change)
        if made:
            epoch = msgspec.structs.replace(epoch, changes=epoch.changes + counted, changed_height=context.height)
            state.put(EPOCH, THE_ONE, epoch)
    if made < len(waiting):
        schedule.add(state, context.time_ms + PATIENCE_MS, RECONCILE_SEATS, THE_ONE)
    return 1 + len(waiting)


def _even_out(state: State, terms: ConsortiumTerms) -> None:
    """All validators have the power that the terms give a seat."""
    for address, validator in state.items(VALIDATORS):
        if validator.power != terms.seat_power:
            state.put(VALIDATORS, address, msgspec.structs.replace(validator, power=terms.seat_power))


def _fitting(state: State, terms: ConsortiumTerms, epoch_changes: int, waiting: list[Change]) -> list[Change]:
    """As many as the caps allow, counted in seats: each has the same power."""
    before = len(state.rows[VALIDATORS.prefix])
    gone = come = 0
    fitting: list[Change] = []
    for change in waiting:
        gone_then, come_then = gone + bool(change.gone), come + bool(change.come)
        after = before - gone_then + come_then
        fits = change.at_once or epoch_changes < terms.epoch_changes
        fits &= 3 * gone_then < before and 3 * come_then < after <= limits.VALIDATORS_MAX
        fits &= bool(change.come) or after >= terms.seats_min
        if fits:
            gone, come = gone_then, come_then
            epoch_changes += not change.at_once
            fitting.append(change)
    return fitting


def changes_wanted(state: State, terms: ConsortiumTerms) -> list[Change]:
    """What stands between the members' seats and the validator set: first who must go at once, then who goes, who
    comes, who replaces its key; of each kind who waits longest first, then in the order of members."""
    present: dict[bytes, Validator] = {}
    for address, validator in state.items(VALIDATORS):
        owner = state.get(KEY_OWNERS, address)
        present[owner.member if owner else address] = validator
    changes: list[tuple[int, int, bytes, Change]] = []
    for member, record in state.items(MEMBERS):
        gone, come = present.pop(member, None), wanted(record, terms)
        if (gone and gone.public_key) == (come and come.public_key):
            continue
        at_once = record.standing == Standing.SUSPENDED
        rank = 0 if at_once else 3 if gone and come else 2 if come else 1
        since = record.rotated_height if gone and come else record.since_ms
        changes.append((rank, since, member, Change(member, gone, come, at_once)))
    changes += [(1, 0, name, Change(name, validator, None, False)) for name, validator in present.items()]
    return [change for *_, change in sorted(changes, key=lambda item: item[:3])]


def wanted(member: Member, terms: ConsortiumTerms) -> Validator | None:
    """The validator that a member should be, or None."""
    if member.standing != Standing.SEATED:
        return None
    return Validator(member.consensus_key, terms.seat_power, member.node)


def _make(state: State, context: Context, change: Change) -> None:
    """Go first: there is room then. The caps leave somebody."""
    if change.gone is not None:
        change_validator(state, change.gone.public_key, 0, change.gone.node)
    if change.come is not None:
        change_validator(state, change.come.public_key, change.come.power, change.come.node)
    member = state.get(MEMBERS, change.member)
    if member is None or (change.gone and change.come):
        return
    if change.come is not None:
        fresh = msgspec.structs.replace(
            conduct_of(state, change.member), from_height=context.height + VOTES_AFTER_BLOCKS, absent=0, missed=0
        )
        state.put(CONDUCT, change.member, fresh)
    elif member.standing == Standing.LEFT:
        set_standing(state, context, change.member, Standing.LEFT)


def has_vacancy(state: State, terms: ConsortiumTerms, member: Member) -> bool:
    """Whether a seat is free for this member: in all, in its group, in its zone."""
    seated = [other for _, other in state.items(MEMBERS) if other.standing == Standing.SEATED]
    in_group = sum(other.group == member.group for other in seated)
    in_zone = sum(other.zone == member.zone for other in seated)
    return (
        len(seated) < terms.seats_max and in_group < terms.group_seats[member.group - 1] and in_zone < terms.zone_seats
    )
