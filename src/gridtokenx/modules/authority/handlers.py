"""The rules of the authorities."""

from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES, BatchHeader, Node, batch_id, decode_batch_header
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import merkle_verify
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import (
    VALIDATORS,
    Misbehaviour,
    MisbehaviourKind,
    Validator,
    address_of,
    node_of,
)
from gridtokenx.modules.authority.messages import AuthorityCode, ReportBatch, SetNode, SetValidator
from gridtokenx.modules.authority.state import (
    FORGET_FORMER_KEY,
    FORGET_MISDEED,
    FORMER_KEYS,
    MISDEEDS,
    Misdeed,
    MisdeedKind,
    add_misdeed,
    invariants,
    keep_former_key,
    key_answers,
    misdeed_key,
)
from gridtokenx.modules.identity.handlers import refuse_weak_key
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import require_role


def set_node(state: State, context: Context, message: SetNode) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, and as `change_node`. Licence and key count for batches from the next block on, since batches
    are admitted before messages run."""
    require_role(state, context.sender, RoleName.AUTHORITY)
    change_node(state, context, message.node, Node(message.public_key, message.licensed))
    return ()


def set_validator(state: State, context: Context, message: SetValidator) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, and as `change_validator`."""
    require_role(state, context.sender, RoleName.AUTHORITY)
    change_validator(state, message.public_key, message.power, message.node)
    return ()


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


def change_node(state: State, context: Context, node: bytes, record: Node) -> None:
    """`KEY_NOT_ALLOWED`, `NODE_KEY_TAKEN`, `NODES_EXCEEDED`."""
    refuse_weak_key(record.public_key)
    others = state.rows[NODES.prefix]
    if any(key != node and other.public_key == record.public_key for key, other in others.items()):
        raise Rejected(AuthorityCode.NODE_KEY_TAKEN, "public_key")
    current = state.get(NODES, node)
    if current is None and len(others) >= limits.NODES_MAX:
        raise Rejected(AuthorityCode.NODES_EXCEEDED, "node")
    if current is not None and current.public_key != record.public_key:
        keep_former_key(state, context, node, current.public_key)
    state.put(NODES, node, record)


def change_validator(state: State, public_key: bytes, power: int, node: bytes) -> None:
    """`KEY_NOT_ALLOWED`, `NODE_UNKNOWN`, `VALIDATORS_EXCEEDED`; of power 0 `VALIDATOR_UNKNOWN`, and `LAST_VALIDATOR`: a
    chain without any would stand still for ever. Consensus counts the new power from the second block after this."""
    address = address_of(public_key)
    count = len(state.rows[VALIDATORS.prefix])
    known = state.get(VALIDATORS, address) is not None
    if power == 0:
        if not known:
            raise Rejected(AuthorityCode.VALIDATOR_UNKNOWN, "public_key")
        if count == 1:
            raise Rejected(AuthorityCode.LAST_VALIDATOR, "power")
        state.delete(VALIDATORS, address)
        return
    refuse_weak_key(public_key)
    if state.get(NODES, node) is None:
        raise Rejected(AuthorityCode.NODE_UNKNOWN, "node")
    if not known and count >= limits.VALIDATORS_MAX:
        raise Rejected(AuthorityCode.VALIDATORS_EXCEEDED, "public_key")
    state.put(VALIDATORS, address, Validator(public_key, power, node))


def note_misbehaviour(state: State, context: Context, item: Misbehaviour) -> None:
    """Consensus proved something against a validator. What follows from it, the office decides."""
    kind, node = MisbehaviourKind(item.kind), node_of(state, item.address)
    key = misdeed_key(node, kind, item.address + item.height.to_bytes(8, "big"))
    if state.get(MISDEEDS, key) is None:
        add_misdeed(state, context, key, Misdeed(kind, item.height, context.time_ms, b""))


def _forget_former_key(state: State, context: Context, key: bytes) -> int:
    former = state.get(FORMER_KEYS, key)
    if former is not None and former.until_ms + limits.EVIDENCE_MS < context.time_ms:
        state.delete(FORMER_KEYS, key)
    return 1


def _forget_misdeed(state: State, context: Context, key: bytes) -> int:
    state.delete(MISDEEDS, key)
    return 1


MODULE = Module(
    name="authority",
    codes=AuthorityCode,
    tables=(FORMER_KEYS, MISDEEDS),
    handlers={SetNode: set_node, SetValidator: set_validator, ReportBatch: report_batch},
    scheduled={FORGET_FORMER_KEY: _forget_former_key, FORGET_MISDEED: _forget_misdeed},
    urgent=frozenset({SetNode, SetValidator, ReportBatch}),
    misbehaviour=note_misbehaviour,
    invariants=invariants,
)
