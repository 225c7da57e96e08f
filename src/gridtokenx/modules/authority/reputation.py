"""Reputation from what the chain sees: how members' nodes do, epoch after epoch, and who takes whose seat for it.

An epoch's score, in millionths, of a member that votes in consensus for `blocks` of it:

    absent  = 1,000,000 * absent votes // blocks
    missed  = min(1,000,000, 1,000,000 * missed proposals * voters // blocks)
    score   = max(0, 1,000,000 - absent - missed // 4 - 250,000 * bad batches)

(a voter's turn to propose comes every `voters` blocks), and of one that only follows, with the checkpoints that the
epoch had: 1,000,000 * checkpoints named in time // checkpoints, less as much for bad batches. The reputation is
(3 * reputation + score) // 4.

A proposer may leave others' votes out of its block. Fewer than a third of the proposers reach fewer than a third of the
blocks that way, so `demote_below_ppm` lies where that alone leads nobody (`terms.CENSORED_PPM_MAX`); and a proposal is
missed by the victim's doing or with a third of the power against it.

In doubt nobody is blamed. A block is doubtful when a fifth of the power or more was away from it: then it may be the
network that is torn, and those who are left must not count themselves into a majority. An epoch with more than a
twentieth of such blocks, or that ends in doubt, changes no reputation and moves nobody; bad batches, which are proved,
count in the next one.
"""

from typing import Final

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.rotation import Agreed
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.authority.members import leave_seat, take_seat
from gridtokenx.modules.authority.messages import AuthorityCode, Observed, Standing
from gridtokenx.modules.authority.seats import has_vacancy, is_voting
from gridtokenx.modules.authority.state import (
    CHECKPOINTS,
    CONDUCT,
    CONSORTIUM_TERMS,
    EPOCH,
    FORGET_SERVICE_DAY,
    KEY_OWNERS,
    MEMBERS,
    PPM,
    SERVICE_DAYS,
    THE_ONE,
    Checkpoint,
    Conduct,
    ConsortiumTerms,
    Epoch,
    ServiceDay,
    conduct_of,
    epoch_of,
    member_of,
    terms_of,
)

DOUBT_PARTS: Final = 5
"""A block is doubtful when this part of the power or more is away."""

DOUBTFUL_PARTS: Final = 20
"""An epoch is doubtful when more than this part of its blocks is."""

BAD_BATCH_PPM: Final = 250_000
MISSED_PARTS: Final = 4

LATE_BLOCKS: Final = 3
LATE_MS_MIN: Final = 3_000
"""A block is late that comes later than so many intervals, and than so long, after the one before."""

DAY_MS: Final = 86_400_000


def note_agreement(state: State, context: Context, agreed: Agreed) -> None:
    """Told with each block how the one before was agreed on."""
    _note_service(state, context, agreed)
    terms = state.get(CONSORTIUM_TERMS, THE_ONE)
    if terms is None:
        return
    _note_doubt(state, agreed)
    _note_conduct(state, agreed)
    _note_checkpoint(state, agreed, terms)
    if agreed.height + 1 >= epoch_of(state).from_height + terms.epoch_blocks:
        _end_epoch(state, context, agreed.height, terms)


def _note_service(state: State, context: Context, agreed: Agreed) -> None:
    """How long the block was waited for. The first one's time is that of the genesis, and says nothing."""
    if agreed.height == 1:
        return
    consensus = state.get(CONSENSUS, CONSENSUS_KEY)
    block_ms = consensus.block_ms if consensus else 0
    is_late = agreed.gap_ms > max(LATE_BLOCKS * block_ms, LATE_MS_MIN)
    key = (context.time_ms // DAY_MS).to_bytes(4, "big")
    day = state.get(SERVICE_DAYS, key)
    if day is None:
        day = ServiceDay(0, 0, 0, 0, 0)
        schedule.add(state, context.time_ms + limits.SERVICE_DAYS_KEPT_MS, FORGET_SERVICE_DAY, key)
    lost_ms = agreed.gap_ms - block_ms if is_late else 0
    changed = ServiceDay(
        day.elapsed_ms + agreed.gap_ms,
        day.blocks + 1,
        day.late + is_late,
        day.lost_ms + lost_ms,
        day.rounds + agreed.round,
    )
    state.put(SERVICE_DAYS, key, changed)


def _note_doubt(state: State, agreed: Agreed) -> None:
    if not agreed.absent:
        return
    away = frozenset(agreed.absent)
    total = sum(power for _, power in agreed.voters)
    if DOUBT_PARTS * sum(power for address, power in agreed.voters if address in away) >= total:
        epoch = epoch_of(state)
        changed = msgspec.structs.replace(epoch, doubtful=epoch.doubtful + 1, last_doubt=agreed.height)
        state.put(EPOCH, THE_ONE, changed)


def _note_conduct(state: State, agreed: Agreed) -> None:
    for address in agreed.absent:
        _count(state, address, absent=1)
    for address in agreed.missed:
        _count(state, address, missed=1)


def _count(state: State, address: bytes, absent: int = 0, missed: int = 0) -> None:
    """Of the member that has the seat now: who has left it owes nothing for the last blocks of its power."""
    owner = state.get(KEY_OWNERS, address)
    if owner is None:
        return
    member = state.get(MEMBERS, owner.member)
    if member is None or member.standing != Standing.SEATED:
        return
    conduct = conduct_of(state, owner.member)
    changed = msgspec.structs.replace(conduct, absent=conduct.absent + absent, missed=conduct.missed + missed)
    state.put(CONDUCT, owner.member, changed)


def count_bad_batch(state: State, node: bytes) -> None:
    """A bad batch was proved against a node: it counts against the member that runs it."""
    for name, member in state.items(MEMBERS):
        if member.node == node:
            conduct = conduct_of(state, name)
            state.put(CONDUCT, name, msgspec.structs.replace(conduct, bad=conduct.bad + 1))


def _note_checkpoint(state: State, agreed: Agreed, terms: ConsortiumTerms) -> None:
    """The last checkpoint stands until the next one: so long it can be named in time."""
    if agreed.height % terms.checkpoint_blocks == 0:
        for key in state.keys(CHECKPOINTS):
            state.delete(CHECKPOINTS, key)
        state.put(CHECKPOINTS, agreed.height.to_bytes(8, "big"), Checkpoint(last_block(state).header_hash))


def observe(state: State, context: Context, message: Observed) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `MEMBER_UNKNOWN`, `STANDING_WRONG` (who votes shows it by voting), `NOT_THE_NODES_KEY`,
    `CHECKPOINT_WRONG` (too late, too early, or another block), `SAID_ALREADY`. Returns the blocks observed without a
    gap."""
    terms, member = terms_of(state), member_of(state, message.member)
    if member.standing not in (Standing.CANDIDATE, Standing.RESERVE):
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    node = state.get(NODES, member.node)
    if node is None or node.public_key != message.node_key:
        raise Rejected(AuthorityCode.NOT_THE_NODES_KEY, "node_key")
    checkpoint = state.get(CHECKPOINTS, message.height.to_bytes(8, "big"))
    if checkpoint is None or checkpoint.header_hash != message.header_hash:
        raise Rejected(AuthorityCode.CHECKPOINT_WRONG, "height")
    conduct = conduct_of(state, message.member)
    if conduct.last_checkpoint == message.height:
        raise Rejected(AuthorityCode.SAID_ALREADY, "height")
    follows = conduct.last_checkpoint == message.height - terms.checkpoint_blocks and conduct.last_checkpoint > 0
    observed_blocks = conduct.observed_blocks + terms.checkpoint_blocks if follows else 0
    changed = msgspec.structs.replace(
        conduct,
        checkpoints=conduct.checkpoints + 1,
        last_checkpoint=message.height,
        observed_blocks=observed_blocks,
    )
    state.put(CONDUCT, message.member, changed)
    return (observed_blocks,)


def _end_epoch(state: State, context: Context, last_height: int, terms: ConsortiumTerms) -> None:
    epoch = epoch_of(state)
    blocks = last_height - epoch.from_height + 1
    in_doubt = epoch.doubtful * DOUBTFUL_PARTS > blocks or epoch.last_doubt == last_height
    voters = len(state.rows[VALIDATORS.prefix])
    for name, member in state.items(MEMBERS):
        conduct = conduct_of(state, name)
        judged = member.standing == Standing.RESERVE or (member.standing == Standing.SEATED and is_voting(state, name))
        if judged and not in_doubt:
            conduct = _scored(conduct, Standing(member.standing), epoch, last_height, voters, terms)
        bad = conduct.bad if in_doubt else 0
        fresh = msgspec.structs.replace(conduct, absent=0, missed=0, bad=bad, checkpoints=0)
        if fresh != conduct_of(state, name):
            state.put(CONDUCT, name, fresh)
    state.put(EPOCH, THE_ONE, Epoch(epoch.number + 1, last_height + 1, 0, epoch.changed_height, 0, epoch.last_doubt))
    if not in_doubt:
        _demote_one(state, context, terms)
        _promote_one(state, context, terms)


def _scored(
    conduct: Conduct, standing: Standing, epoch: Epoch, last_height: int, voters: int, terms: ConsortiumTerms
) -> Conduct:
    """The conduct with the epoch's score in it, if there is enough to judge by."""
    if standing == Standing.RESERVE:
        expected = (last_height - epoch.from_height + 1) // terms.checkpoint_blocks
        if conduct.from_height > epoch.from_height or expected == 0:
            return conduct
        score = max(0, min(PPM, PPM * conduct.checkpoints // expected) - BAD_BATCH_PPM * conduct.bad)
        return msgspec.structs.replace(conduct, score_ppm=mix(conduct.score_ppm, score))
    blocks = last_height - max(epoch.from_height, conduct.from_height) + 1
    if blocks <= 0:
        return conduct
    return msgspec.structs.replace(
        conduct,
        score_ppm=mix(conduct.score_ppm, voter_score(blocks, conduct.absent, conduct.missed, conduct.bad, voters)),
        blocks_total=conduct.blocks_total + blocks,
        absent_total=conduct.absent_total + conduct.absent,
        missed_total=conduct.missed_total + conduct.missed,
    )


def voter_score(blocks: int, absent: int, missed: int, bad: int, voters: int) -> int:
    """An epoch's score in millionths of one that voted for so many of its blocks, beside so many in all."""
    absent_ppm = PPM * absent // blocks
    missed_ppm = min(PPM, PPM * missed * voters // blocks)
    return max(0, PPM - absent_ppm - missed_ppm // MISSED_PARTS - BAD_BATCH_PPM * bad)


def mix(reputation_ppm: int, score_ppm: int) -> int:
    """The reputation after an epoch with this score."""
    return (3 * reputation_ppm + score_ppm) // 4


def _demote_one(state: State, context: Context, terms: ConsortiumTerms) -> None:
    """The worst of those below the bar loses its seat, and stays a reserve: one an epoch, and never below the floor."""
    seated = [name for name, member in state.items(MEMBERS) if member.standing == Standing.SEATED]
    worst = min(seated, key=lambda name: (conduct_of(state, name).score_ppm, name), default=None)
    if worst is None or len(seated) <= terms.seats_min:
        return
    if conduct_of(state, worst).score_ppm < terms.demote_below_ppm:
        leave_seat(state, context, worst, Standing.RESERVE)
        context.alarms.append(f"member {worst.hex()} lost its seat for its reputation")


def _promote_one(state: State, context: Context, terms: ConsortiumTerms) -> None:
    """The best reserve above the bar whose group and zone have a seat free takes it: one an epoch."""
    reserves = [
        (-conduct_of(state, name).score_ppm, member.since_ms, name)
        for name, member in state.items(MEMBERS)
        if member.standing == Standing.RESERVE and has_vacancy(state, terms, member)
    ]
    best = min(reserves, default=None)
    if best is not None and -best[0] >= terms.promote_from_ppm:
        take_seat(state, context, best[2])


def forget_service_day(state: State, context: Context, key: bytes) -> int:
    """Scheduled when a day is long past."""
    state.delete(SERVICE_DAYS, key)
    return 1
