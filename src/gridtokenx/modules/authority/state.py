"""Keys and records of the authorities. Nodes and validators themselves are the kernel's tables."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNT_BYTES, ACCOUNTS
from gridtokenx.ledger.batch import NODE_ID_BYTES, NODES, NodeId
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import HASH_BYTES
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import AccountId, PublicKey, Small, Whole
from gridtokenx.ledger.validator import VALIDATORS, MisbehaviourKind, address_of
from gridtokenx.modules.authority.messages import (
    AuthorityCode,
    Documents,
    Group,
    Name,
    Standing,
    TaxId,
    Tier,
)
from gridtokenx.modules.identity.messages import Pseudonym

PPM = 1_000_000
"""Shares are in millionths."""


class FormerKey(Record, frozen=True):
    """A key that a node gave up: it still answers for batches that expire by then."""

    until_ms: Whole


class MisdeedKind(IntEnum):
    """What was proved. The first two are consensus' own."""

    DUPLICATE_VOTE = MisbehaviourKind.DUPLICATE_VOTE
    LIGHT_CLIENT_ATTACK = MisbehaviourKind.LIGHT_CLIENT_ATTACK
    BAD_BATCH = 3


class Misdeed(Record, frozen=True):
    """What is proved against a node. `height` is where it happened; of a batch, which need not be in a block, where it
    was reported. `reporter` is an account; empty if consensus found it."""

    kind: Small
    height: Whole
    reported_ms: Whole
    reporter: Annotated[bytes, msgspec.Meta(max_length=ACCOUNT_BYTES)]


class ConsortiumTerms(Record, frozen=True):
    """What members decided about themselves; `terms.check_terms` has the bounds. Shares are in millionths.

    `group_seats`: for each `Group`, in order. `zone_seats`: at most so many seats in one zone. `epoch_changes`: seats
    that change in one epoch. `observed_blocks`: how long a candidate shows that it follows. `slash_ppm`: of the stake.
    """

    seat_power: Whole
    seats_min: Whole
    seats_max: Whole
    group_seats: tuple[Small, Small, Small, Small, Small]
    zone_seats: Whole
    epoch_blocks: Whole
    epoch_changes: Whole
    checkpoint_blocks: Whole
    observed_blocks: Whole
    endorsements: Whole
    stake_micro: Whole
    slash_ppm: Whole
    appeal_ms: Whole
    vote_ms: Whole
    demote_below_ppm: Whole
    promote_from_ppm: Whole


class Member(Record, frozen=True):
    """An organisation of the consortium, or one that asks to be. Key: its participant.

    `account` speaks for it, `staked_by` holds `stake_micro`. `since_ms`: of its standing; of one that has left, since
    it votes no more. `rotated_height`: where it last replaced a key. `attested_by` and `endorsed_by` are members.
    """

    name: Name
    tax_id: TaxId
    group: Small
    tier: Small
    zone: Small
    standing: Small
    since_ms: Whole
    account: AccountId
    node: NodeId
    consensus_key: PublicKey
    documents: Documents
    stake_micro: Whole
    staked_by: AccountId
    rotated_height: Whole
    attested_by: tuple[Pseudonym, ...]
    endorsed_by: tuple[Pseudonym, ...]


class KeyOwner(Record, frozen=True):
    """Whose consensus key an address is or was. A key is one member's for ever."""

    member: Pseudonym


class Outcome(IntEnum):
    """What became of a proposal. `FAILED`: it was carried, and could not be done."""

    OPEN = 0
    CARRIED = 1
    LOST = 2
    FAILED = 3


class Proposal(Record, frozen=True):
    """What is proposed. Key: number (8 bytes). `code` says why a carried one failed."""

    act: Small
    subject: Annotated[bytes, msgspec.Meta(max_length=8)]
    value: Annotated[bytes, msgspec.Meta(max_length=limits.PROPOSAL_BYTES_MAX)]
    proposer: Pseudonym
    opened_ms: Whole
    closes_ms: Whole
    outcome: Small
    code: Whole


class ProposalCount(Record, frozen=True):
    """How many there were: their numbers go on from here."""

    count: Whole


class Ballot(Record, frozen=True):
    """One member's vote. It counts while this account speaks for the member. Key: proposal ‖ member."""

    yes: bool
    account: AccountId


class Conduct(Record, frozen=True):
    """How a member's node did. Key: member. Of the running epoch: `from_height`, the first block that counts,
    `absent` votes, `missed` proposals, `bad` batches, `checkpoints` named in time; of its whole time: `*_total` and
    `blocks_total` in epochs that ended. `score_ppm` is the reputation."""

    score_ppm: Whole
    from_height: Whole
    absent: Whole
    missed: Whole
    bad: Whole
    checkpoints: Whole
    last_checkpoint: Whole
    observed_blocks: Whole
    blocks_total: Whole
    absent_total: Whole
    missed_total: Whole


class Epoch(Record, frozen=True):
    """The running one. `changes`: seats that changed in it; `changed_height`: the last block in which one did.
    `doubtful`: blocks in which so much of the power was away that nobody can say who."""

    number: Whole
    from_height: Whole
    changes: Whole
    changed_height: Whole
    doubtful: Whole
    last_doubt: Whole


class Checkpoint(Record, frozen=True):
    """The name of the block at a checkpoint. Key: height (8 bytes)."""

    header_hash: Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]


class Penalty(Record, frozen=True):
    """What a member loses at `due_ms`, unless it is reinstated before. Key: member."""

    amount_micro: Whole
    due_ms: Whole


class ServiceDay(Record, frozen=True):
    """How the chain served on a day (UTC): time that blocks cover, blocks, late ones, what was lost by those, rounds
    in which no block was agreed. Key: days since the epoch (4 bytes)."""

    elapsed_ms: Whole
    blocks: Whole
    late: Whole
    lost_ms: Whole
    rounds: Whole


FORMER_KEYS: Table[FormerKey] = Table(0x30, "former_keys", FormerKey)
"""Key: node id ‖ public key."""

MISDEEDS: Table[Misdeed] = Table(0x31, "misdeeds", Misdeed)
"""Key: node id ‖ kind (1 byte) ‖ batch id, or, of what consensus found, validator's address ‖ height (8 bytes)."""

MEMBERS: Table[Member] = Table(0x32, "members", Member)
KEY_OWNERS: Table[KeyOwner] = Table(0x33, "key_owners", KeyOwner)
"""Key: validator's address."""

PROPOSALS: Table[Proposal] = Table(0x34, "proposals", Proposal)
BALLOTS: Table[Ballot] = Table(0x35, "ballots", Ballot)
CONSORTIUM_TERMS: Table[ConsortiumTerms] = Table(0x36, "consortium_terms", ConsortiumTerms)
CONDUCT: Table[Conduct] = Table(0x37, "conduct", Conduct)
EPOCH: Table[Epoch] = Table(0x38, "epoch", Epoch)
CHECKPOINTS: Table[Checkpoint] = Table(0x39, "checkpoints", Checkpoint)
PENALTIES: Table[Penalty] = Table(0x3A, "penalties", Penalty)
SERVICE_DAYS: Table[ServiceDay] = Table(0x3B, "service_days", ServiceDay)

PROPOSAL_COUNT: Table[ProposalCount] = Table(0x3C, "proposal_count", ProposalCount)

THE_ONE = b""
"""Key of a table with one record."""

FORGET_FORMER_KEY = 0x30
FORGET_MISDEED = 0x31
CLOSE_PROPOSAL = 0x32
FORGET_PROPOSAL = 0x33
RECONCILE_SEATS = 0x34
TAKE_PENALTY = 0x35
RETURN_STAKE = 0x36
FORGET_SERVICE_DAY = 0x37
"""Kinds of scheduled work."""

ADMITTED = frozenset({Standing.RESERVE, Standing.SEATED})
"""Members that have their powers."""


def terms_of(state: State) -> ConsortiumTerms:
    """What the consortium decided about itself; `NO_CONSORTIUM`."""
    terms = state.get(CONSORTIUM_TERMS, THE_ONE)
    if terms is None:
        raise Rejected(AuthorityCode.NO_CONSORTIUM)
    return terms


def member_of(state: State, member: bytes) -> Member:
    """The member, whatever its standing; `MEMBER_UNKNOWN`."""
    record = state.get(MEMBERS, member)
    if record is None:
        raise Rejected(AuthorityCode.MEMBER_UNKNOWN, "member")
    return record


def speaker(state: State, account_id: bytes) -> tuple[bytes, Member]:
    """The member for which this account speaks; `NO_CONSORTIUM`, `NOT_A_MEMBER`."""
    terms_of(state)
    account = state.get(ACCOUNTS, account_id)
    if account is not None:
        member = state.get(MEMBERS, account.participant)
        if member is not None and member.account == account_id:
            return account.participant, member
    raise Rejected(AuthorityCode.NOT_A_MEMBER, "sender")


def conduct_of(state: State, member: bytes) -> Conduct:
    """How the member did; nothing yet for one that is new."""
    return state.get(CONDUCT, member) or Conduct(PPM, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def epoch_of(state: State) -> Epoch:
    """The running epoch; the first before it has begun."""
    return state.get(EPOCH, THE_ONE) or Epoch(0, 1, 0, 0, 0, 0)


def set_standing(state: State, context: Context, member: bytes, standing: Standing) -> None:
    """The member stands somewhere else from now on."""
    changed = msgspec.structs.replace(member_of(state, member), standing=int(standing), since_ms=context.time_ms)
    state.put(MEMBERS, member, changed)


def misdeed_key(node: bytes, kind: int, proof: bytes) -> bytes:
    """`proof` names the evidence: a batch, or a validator and a height."""
    return node + bytes([kind]) + proof


def add_misdeed(state: State, context: Context, key: bytes, misdeed: Misdeed) -> None:
    """Write it down, to be forgotten when its time has come, and alarm the operators."""
    state.put(MISDEEDS, key, misdeed)
    schedule.add(state, context.time_ms + limits.MISDEED_KEPT_MS, FORGET_MISDEED, key)
    name = MisdeedKind(misdeed.kind).name.lower().replace("_", " ")
    context.alarms.append(f"{name} by node {key[:NODE_ID_BYTES].hex()}, proved by {key[NODE_ID_BYTES + 1 :].hex()}")


def keep_former_key(state: State, context: Context, node: bytes, public_key: bytes) -> None:
    """A key that is being replaced answers for what it signed as long as evidence counts."""
    until_ms = context.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX
    state.put(FORMER_KEYS, node + public_key, FormerKey(until_ms))
    schedule.add(state, until_ms + limits.EVIDENCE_MS + 1, FORGET_FORMER_KEY, node + public_key)


def key_answers(state: State, node: bytes, public_key: bytes, expires_ms: int) -> bool:
    """Whether a batch of the node that expires then may be signed with this key: its present one, or one of before."""
    record = state.get(NODES, node)
    if record is not None and record.public_key == public_key:
        return True
    former = state.get(FORMER_KEYS, node + public_key)
    return former is not None and expires_ms <= former.until_ms


def staked_micro(state: State) -> Iterator[tuple[bytes, int]]:
    """(account, WATT that is held of it) for each stake and each penalty that is not taken yet."""
    for _, member in state.items(MEMBERS):
        yield member.staked_by, member.stake_micro
    for key, penalty in state.items(PENALTIES):
        yield member_of(state, key).staked_by, penalty.amount_micro


def invariants(state: State) -> Iterator[str]:
    """Every reference leads somewhere, and the limits hold."""
    if len(state.rows[NODES.prefix]) > limits.NODES_MAX:
        yield "there are more nodes than may be"
    if len(state.rows[VALIDATORS.prefix]) > limits.VALIDATORS_MAX:
        yield "there are more validators than may be"
    for address, validator in state.items(VALIDATORS):
        if validator.power == 0 or address != address_of(validator.public_key):
            yield f"validator {address.hex()} has no power, or another's address"
        if state.get(NODES, validator.node) is None:
            yield f"validator {address.hex()} names an unknown node"
    for key, _ in state.items(FORMER_KEYS):
        if state.get(NODES, key[:NODE_ID_BYTES]) is None:
            yield f"former key {key.hex()} names an unknown node"
    for key, misdeed in state.items(MISDEEDS):
        if key[NODE_ID_BYTES] != misdeed.kind:
            yield f"misdeed {key.hex()} is of another kind"
    yield from _consortium_invariants(state)


def _consortium_invariants(state: State) -> Iterator[str]:
    tax_ids = [member.tax_id for _, member in state.items(MEMBERS)]
    if len(set(tax_ids)) < len(tax_ids):
        yield "two members have one tax id"
    for key, member in state.items(MEMBERS):
        owner = state.get(KEY_OWNERS, address_of(member.consensus_key))
        if owner is None or owner.member != key:
            yield f"member {key.hex()} votes with a key that is not its own"
        if state.get(ACCOUNTS, member.account) is None or state.get(ACCOUNTS, member.staked_by) is None:
            yield f"member {key.hex()} names an unknown account"
        if member.group not in list(Group) or member.tier not in list(Tier):
            yield f"member {key.hex()} has no group or no tier"
    if state.get(CONSORTIUM_TERMS, THE_ONE) is not None:
        for address, _ in state.items(VALIDATORS):
            if state.get(KEY_OWNERS, address) is None:
                yield f"validator {address.hex()} is nobody's"
    for key, _ in state.items(BALLOTS):
        if state.get(PROPOSALS, key[:8]) is None:
            yield f"ballot {key.hex()} is of no proposal"
    for key, penalty in state.items(PENALTIES):
        if state.get(MEMBERS, key) is None or penalty.amount_micro == 0:
            yield f"penalty {key.hex()} takes nothing, or from nobody"
