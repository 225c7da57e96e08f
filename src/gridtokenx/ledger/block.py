"""The entry of the ledger: `apply_block`.

Order of a block: keys rotated in the block before count; if that block's clock was stale, what it should not have
traded is noted; due work runs (first of all the voiding of that); batches are admitted; their transactions run in the
order that nobody chooses; due work runs again (a settlement that the last reading set off); the roots are made. What
consensus has against validators, and how it agreed on the block before, is noted before all due work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import Batch, check_batch, decode_batch, decode_batch_header, process_batch
from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.commitment import Commitment
from gridtokenx.ledger.consensus import VOID_STALE, is_stale
from gridtokenx.ledger.context import Context, Summary
from gridtokenx.ledger.crypto import HASH_BYTES, hash_bytes, merkle_root
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, Header, LastBlock, header_hash, last_block
from gridtokenx.ledger.module import Chain, Committed, Misbehaved, Void
from gridtokenx.ledger.rotation import AGREED, Agreed, agreed, keep_rotation, rotation_of
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import (
    Body,
    Envelope,
    apply_transaction,
    check_transaction,
    decode_envelope,
    process_pending_keys,
)
from gridtokenx.ledger.validator import (
    MISBEHAVIOUR,
    LastCommit,
    Misbehaviour,
    check_last_commit,
    validator_updates,
    validators_of,
)


class Block(Record, frozen=True):
    """What an engine hands over: `batches` are their exact bytes, `misbehaviour` is what consensus has proved.
    `proposer` is the id of a node, of zeros if consensus names a validator that is none any more. `last_commit` is how
    the block before was agreed; None with the first block of a consensus, and without one."""

    height: int
    time_ms: int
    proposer: bytes
    batches: tuple[bytes, ...]
    misbehaviour: tuple[Misbehaviour, ...] = ()
    last_commit: LastCommit | None = None


class BatchOutcome(Record, frozen=True):
    """What became of one batch: a code of its own, and a receipt for each transaction (encoded),
    or none if the batch was refused as a whole. `root` is the Merkle root of the receipts."""

    code: int
    receipts: tuple[bytes, ...]
    root: bytes


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """Everything that a block did. `changes` are (prefixed key, record or None if gone); `validator_updates` are
    (public key, power) for consensus, power 0 for a validator that is gone."""

    app_hash: bytes
    header: Header
    batches: tuple[BatchOutcome, ...]
    trades: tuple[bytes, ...]
    summary: Summary
    changes: list[tuple[bytes, bytes | None]]
    validator_updates: tuple[tuple[bytes, int], ...]
    alarms: tuple[str, ...]


Pending = tuple[int, bytes, bytes, int, bytes, int, int, Envelope, Body[Any]]
"""A transaction on its way through the block: (class, draw, sender, nonce, transaction id, batch, position, envelope,
body). The tuples sort into the order of the block; batch and position are unique, so the rest is never compared."""


CountSignatures = Callable[[bytes], int]
"""The stateless check of a batch: the number of its signatures, or `Rejected`. An engine gives one that
remembers what its workers found; the answer must be that of `check_batch`."""

TradesBefore = Callable[[], Sequence[bytes]]
"""The trades of the last block, in order; asked only if that block traded on a stale clock."""

Observe = Callable[[str], None]
"""Told the name of each phase as it ends, so that an engine can time it."""


def header_of(before: LastBlock, block: Block, app_hash_before: bytes) -> Header:
    """The header of the block that follows `before`."""
    return Header(
        before.chain,
        block.height,
        block.time_ms,
        block.proposer,
        before.header_hash,
        app_hash_before,
        merkle_root(list(block.batches)),
        merkle_root([encode(item) for item in block.misbehaviour]),
        bytes(HASH_BYTES) if block.last_commit is None else hash_bytes(encode(block.last_commit)),
    )


def apply_block(
    chain: Chain,
    state: State,
    commitment: Commitment,
    block: Block,
    count_signatures: CountSignatures | None = None,
    observe: Observe = lambda phase: None,
    trades_before: TradesBefore = lambda: (),
) -> BlockOutcome:
    """Execute a block on the state; afterwards `commitment` holds the new root.

    The caller guarantees `block.height` is the next one, `block.time_ms` is later than the last, `block.last_commit`
    has its form, and `trades_before` gives the trades of the last block (ValueError otherwise). Whatever senders or
    authors put into the batches, nothing is raised for it.
    """
    before = last_block(state)
    if block.height != before.height + 1 or block.time_ms <= before.time_ms:
        raise ValueError(f"block {block.height} at {block.time_ms} ms cannot follow block {before.height}")
    if block.last_commit is not None:
        check_last_commit(block.last_commit)
    header = header_of(before, block, commitment.root())
    context = Context(before.chain, block.height, block.time_ms, check=lambda wire: check_transaction(wire, chain.body))
    validators_before = validators_of(state)
    process_pending_keys(state, context)
    _void_stale(chain, state, context, before, trades_before)
    _note_misbehaviour(chain, state, context, block.misbehaviour)
    _note_commit(chain, state, context, before, block.last_commit)
    steps = schedule.run_due(state, context, chain.scheduled, limits.SCHEDULED_STEPS_PER_BLOCK_MAX)
    observe("due")
    check = count_signatures or (lambda wire: check_batch(wire, chain.body))
    codes, pending = _admit_batches(chain, state, context, block.batches, check, header.app_hash_before)
    pending.sort()
    observe("admit")
    outcomes = _run_transactions(chain, state, context, codes, pending)
    observe("execute")
    schedule.run_due(state, context, chain.scheduled, limits.SCHEDULED_STEPS_PER_BLOCK_MAX - steps)
    observe("due_after")
    last = LastBlock(
        before.chain,
        chain.protocol,
        block.height,
        block.time_ms,
        header_hash(header),
        merkle_root([outcome.root for outcome in outcomes]),
        merkle_root(context.trades),
        context.summary(),
    )
    state.put(LAST_BLOCK, LAST_BLOCK_KEY, last)
    updates = validator_updates(state, validators_before)
    keep_rotation(state, context, block.proposer, block.last_commit is None, validators_before, updates)
    state.keep()
    changes = state.take_changes()
    observe("encode")
    app_hash = commitment.update(changes)
    observe("commitment")
    trades, alarms = tuple(context.trades), tuple(context.alarms)
    return BlockOutcome(app_hash, header, outcomes, trades, last.summary, changes, updates, alarms)


def _void_stale(chain: Chain, state: State, context: Context, before: LastBlock, trades_before: TradesBefore) -> None:
    """If the last block traded on a stale clock, every module takes back what the true time would not have allowed.
    ValueError if the trades given are not that block's: nobody could go on from there."""
    if not is_stale(state, before.time_ms, context.time_ms):
        return
    trades = trades_before()
    if merkle_root(list(trades)) != before.trades_root:
        raise ValueError(f"the trades of block {before.height} are needed, and these are not its trades")
    for module in chain.modules:
        if module.void is not None:
            work = partial(_void_in, module.void, before, trades)
            schedule.guard(state, context, VOID_STALE, module.name.encode(), work)
    state.keep()


def _void_in(
    void: Void, before: LastBlock, trades: Sequence[bytes], state: State, context: Context, module: bytes
) -> None:
    void(state, context, before, trades)


def _note_misbehaviour(chain: Chain, state: State, context: Context, items: tuple[Misbehaviour, ...]) -> None:
    """Every module that wants to know is told of each item, up to the limit."""
    if len(items) > limits.MISBEHAVIOURS_PER_BLOCK_MAX:
        context.alarms.append(f"{len(items)} items of misbehaviour: only the first ones count")
    for item in items[: limits.MISBEHAVIOURS_PER_BLOCK_MAX]:
        for module in chain.modules:
            if module.misbehaviour is not None:
                schedule.guard(state, context, MISBEHAVIOUR, encode(item), partial(_tell, module.misbehaviour, item))
    state.keep()


def _tell(misbehaved: Misbehaved, item: Misbehaviour, state: State, context: Context, payload: bytes) -> None:
    misbehaved(state, context, item)


def _note_commit(chain: Chain, state: State, context: Context, before: LastBlock, commit: LastCommit | None) -> None:
    """Every module that wants to know is told how the block before was agreed."""
    told = [(module.name, module.commit) for module in chain.modules if module.commit is not None]
    rotation = rotation_of(state, before.height)
    if not told or commit is None or rotation is None:
        return
    facts = agreed(state, context, rotation, commit, context.time_ms - before.time_ms)
    for name, committed in told:
        schedule.guard(state, context, AGREED, name.encode(), partial(_tell_agreed, committed, facts))
    state.keep()


def _tell_agreed(committed: Committed, facts: Agreed, state: State, context: Context, module: bytes) -> None:
    committed(state, context, facts)


def draw_of(app_hash_before: bytes, participant: bytes) -> bytes:
    """Where all transactions of a participant stand in the next block, among those of their class: lowest first. Who
    knows the last block knows it."""
    return hash_bytes(app_hash_before + participant)


def _admit_batches(
    chain: Chain,
    state: State,
    context: Context,
    wires: tuple[bytes, ...],
    check: CountSignatures,
    app_hash_before: bytes,
) -> tuple[list[int], list[Pending]]:
    """The code of each batch, and the transactions of those that are admitted."""
    codes: list[int] = []
    pending: list[Pending] = []
    draws: dict[bytes, bytes] = {}
    signatures = 0
    for number, wire in enumerate(wires):
        try:
            count = check(wire)
            if number >= limits.BATCHES_PER_BLOCK_MAX or signatures + count > limits.SIGNATURES_PER_BLOCK_MAX:
                raise Rejected(KernelCode.BLOCK_SIGNATURES_EXCEEDED, "batch")
            batch = decode_batch.trusted(wire)
            process_batch(state, context, batch, decode_batch_header.trusted(batch.header))
        except Rejected as rejection:
            codes.append(int(rejection.code))
            continue
        signatures += count
        codes.append(int(KernelCode.OK))
        _open_batch(chain, state, number, batch, app_hash_before, draws, pending)
    return codes, pending


def _open_batch(
    chain: Chain,
    state: State,
    number: int,
    batch: Batch,
    app_hash_before: bytes,
    draws: dict[bytes, bytes],
    pending: list[Pending],
) -> None:
    """Add the batch's transactions to `pending`, each with its place in the order: urgent, then cancels, then the
    rest; within each by a draw for each participant from the app hash before (nobody chooses a place), then account,
    nonce, hash."""
    decode_body, order_class = chain.body.trusted, chain.order_class
    accounts = state.rows[ACCOUNTS.prefix]
    for position, wire in enumerate(batch.transactions):
        envelope = decode_envelope.trusted(wire)
        raw = envelope.body
        body = decode_body(raw)
        sender = body.sender
        account = accounts.get(sender)
        participant = b"" if account is None else account.participant
        draw = draws.get(participant)
        if draw is None:
            draw = draws[participant] = draw_of(app_hash_before, participant)
        kind = max([order_class[type(message)] for message in body.messages])
        pending.append((kind, draw, sender, body.nonce, hash_bytes(raw), number, position, envelope, body))


def _run_transactions(
    chain: Chain, state: State, context: Context, codes: list[int], pending: list[Pending]
) -> tuple[BatchOutcome, ...]:
    """Run in order; give each batch its receipts in the order of its transactions."""
    sizes = [0] * len(codes)
    for item in pending:
        sizes[item[5]] += 1
    receipts: list[list[bytes]] = [[b""] * size for size in sizes]
    for _, _, _, _, transaction_id, batch, position, envelope, body in pending:
        # Asked for each: one that is urgent may freeze the market for all that come after it.
        handlers = chain.handlers_now(state)
        receipt = apply_transaction(state, context, handlers, envelope, body, transaction_id)
        receipts[batch][position] = encode(receipt)
    return tuple(BatchOutcome(code, tuple(own), merkle_root(own)) for code, own in zip(codes, receipts, strict=True))
