"""What is proved against members, and what follows: a node's bad batch counts against its reputation, a validator's
double vote suspends the member at once and takes a part of its stake.

The part stays held for the time of an appeal. Members may reinstate the suspended one by vote (`Act.REINSTATE`); done
in time that gives the part back. After it, what was taken goes to the fee pool.
"""

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES, BatchHeader, batch_id, decode_batch_header
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import merkle_verify
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import Misbehaviour, MisbehaviourKind, node_of
from gridtokenx.modules.authority.members import leave_seat, take_seat_if_free
from gridtokenx.modules.authority.messages import AuthorityCode, ReportBatch, Standing
from gridtokenx.modules.authority.nodes import license_node
from gridtokenx.modules.authority.reputation import count_bad_batch
from gridtokenx.modules.authority.state import (
    FORMER_KEYS,
    KEY_OWNERS,
    MEMBERS,
    MISDEEDS,
    PENALTIES,
    PPM,
    TAKE_PENALTY,
    Misdeed,
    MisdeedKind,
    Penalty,
    add_misdeed,
    key_answers,
    member_of,
    misdeed_key,
    terms_of,
)
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.tokens.state import capture


def report_batch(state: State, context: Context, message: ReportBatch) -> tuple[int, ...]:
    """Whether the node signed the header was checked before, with the sender's own signatures.

    `EVIDENCE_MALFORMED` (the header is none), `EVIDENCE_OF_ANOTHER_CHAIN`, `NODE_UNKNOWN`, `NOT_THE_NODES_KEY` (neither
    its present key nor one that it had then), `EVIDENCE_OUT_OF_TIME` (too old, or of a batch that cannot be in a block
    yet), `EVIDENCE_REPEATED`, `EVIDENCE_PATH_WRONG`, `REPORTS_EXCEEDED`, `TRANSACTION_IS_SOUND` (nothing is wrong).
    """
    header = _header_of(message)
    if header.chain != context.chain:
        raise Rejected(AuthorityCode.EVIDENCE_OF_ANOTHER_CHAIN, "header.chain")
    if state.get(NODES, header.author) is None:
        raise Rejected(AuthorityCode.NODE_UNKNOWN, "header.author")
    if not key_answers(state, header.author, message.public_key, header.expires_ms):
        raise Rejected(AuthorityCode.NOT_THE_NODES_KEY, "public_key")
    earliest_ms = header.expires_ms - limits.TRANSACTION_LIFETIME_MS_MAX
    if not earliest_ms <= context.time_ms <= header.expires_ms + limits.EVIDENCE_MS:
        raise Rejected(AuthorityCode.EVIDENCE_OUT_OF_TIME, "header.expires_ms")
    key = misdeed_key(header.author, MisdeedKind.BAD_BATCH, batch_id(message.header))
    if state.get(MISDEEDS, key) is not None:
        raise Rejected(AuthorityCode.EVIDENCE_REPEATED, "header")
    if not merkle_verify(header.root, message.transaction, message.path):
        raise Rejected(AuthorityCode.EVIDENCE_PATH_WRONG, "path")
    _take_report(state, context)
    if _is_sound(context, message.transaction):
        raise Rejected(AuthorityCode.TRANSACTION_IS_SOUND, "transaction")
    misdeed = Misdeed(MisdeedKind.BAD_BATCH, context.height, context.time_ms, context.sender)
    add_misdeed(state, context, key, misdeed)
    count_bad_batch(state, header.author)
    return ()


def _header_of(message: ReportBatch) -> BatchHeader:
    try:
        return decode_batch_header(message.header, "header")
    except Rejected as rejection:
        raise Rejected(AuthorityCode.EVIDENCE_MALFORMED, rejection.field) from None


def _take_report(state: State, context: Context) -> None:
    """`REPORTS_EXCEEDED`: one a participant and block, and not too many in all, false ones included: each may cost as
    much as the largest transaction, and is checked by every node."""
    account = state.get(ACCOUNTS, context.sender)
    assert account is not None
    reporters = context.reporters
    if account.participant in reporters or len(reporters) >= limits.REPORTS_PER_BLOCK_MAX:
        raise Rejected(AuthorityCode.REPORTS_EXCEEDED, "sender")
    reporters.add(account.participant)


def _is_sound(context: Context, transaction: bytes) -> bool:
    try:
        context.check(transaction)
    except Rejected:
        return False
    return True


def note_misbehaviour(state: State, context: Context, item: Misbehaviour) -> None:
    """Consensus proved something against a validator: it is written down, and the member whose key it was suspended."""
    kind, owner = MisbehaviourKind(item.kind), state.get(KEY_OWNERS, item.address)
    member = state.get(MEMBERS, owner.member) if owner else None
    node = member.node if member else node_of(state, item.address)
    key = misdeed_key(node, kind, item.address + item.height.to_bytes(8, "big"))
    if state.get(MISDEEDS, key) is not None:
        return
    add_misdeed(state, context, key, Misdeed(kind, item.height, context.time_ms, b""))
    if owner is not None and member is not None:
        _suspend(state, context, owner.member)


def _suspend(state: State, context: Context, name: bytes) -> None:
    """Its node signs no batches and its seat is empty from now on; a part of the stake waits to be taken. Who is
    suspended already, or has no stake left, loses no more; who has left loses the part alone. Who was a member once
    and is a candidate again stays one: what it did is written down for those who vote on it."""
    member, terms = member_of(state, name), terms_of(state)
    if member.standing in (Standing.SUSPENDED, Standing.CANDIDATE):
        return
    amount_micro = member.stake_micro * terms.slash_ppm // PPM
    if amount_micro and state.get(PENALTIES, name) is None:
        due_ms = context.time_ms + terms.appeal_ms
        state.put(PENALTIES, name, Penalty(amount_micro, due_ms))
        state.put(MEMBERS, name, msgspec.structs.replace(member, stake_micro=member.stake_micro - amount_micro))
        schedule.add(state, due_ms, TAKE_PENALTY, name)
    if member.standing != Standing.LEFT:
        license_node(state, member.node, licensed=False)
        leave_seat(state, context, name, Standing.SUSPENDED)


def take_penalty(state: State, context: Context, name: bytes) -> int:
    """Scheduled at the end of the time for an appeal: the fee pool gets what was lost."""
    penalty = state.get(PENALTIES, name)
    if penalty is not None and penalty.due_ms <= context.time_ms:
        state.delete(PENALTIES, name)
        pool = holder_of(state, RoleName.FEE_POOL)
        capture(state, member_of(state, name).staked_by, pool, penalty.amount_micro)
    return 1


def reinstate(state: State, context: Context, name: bytes) -> None:
    """`STANDING_WRONG`. A suspended member is back, on a seat if one is free; a penalty that was not taken yet is its
    stake again."""
    member = member_of(state, name)
    if member.standing != Standing.SUSPENDED:
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    penalty = state.get(PENALTIES, name)
    if penalty is not None:
        schedule.remove(state, penalty.due_ms, TAKE_PENALTY, name)
        state.delete(PENALTIES, name)
        state.put(MEMBERS, name, msgspec.structs.replace(member, stake_micro=member.stake_micro + penalty.amount_micro))
    license_node(state, member.node, licensed=True)
    take_seat_if_free(state, context, name)


def forget_former_key(state: State, context: Context, key: bytes) -> int:
    """Scheduled when no evidence counts any more against what it signed."""
    former = state.get(FORMER_KEYS, key)
    if former is not None and former.until_ms + limits.EVIDENCE_MS < context.time_ms:
        state.delete(FORMER_KEYS, key)
    return 1


def forget_misdeed(state: State, context: Context, key: bytes) -> int:
    """Scheduled when it was kept long enough."""
    state.delete(MISDEEDS, key)
    return 1
