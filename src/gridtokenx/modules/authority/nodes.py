"""Nodes and validators: how their records change, and the office that sets them where there is no consortium."""

import msgspec

from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import NODES, Node
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import NODE_ACCOUNT_DOMAIN, hash_bytes
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import ALGORITHM_ED25519, keys_hash
from gridtokenx.ledger.validator import VALIDATORS, Validator, address_of
from gridtokenx.modules.authority.messages import AuthorityCode, SetNode, SetValidator
from gridtokenx.modules.authority.state import CONSORTIUM_TERMS, THE_ONE, keep_former_key
from gridtokenx.modules.identity.handlers import refuse_weak_key
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import require_role


def set_node(state: State, context: Context, message: SetNode) -> tuple[int, ...]:
    """`CONSORTIUM_DECIDES`, `NOT_AUTHORISED`, and as `change_node`. Licence and key count for batches from the next
    block on, since batches are admitted before messages run."""
    _require_office(state, context)
    change_node(state, context, message.node, Node(message.public_key, message.licensed))
    return ()


def set_validator(state: State, context: Context, message: SetValidator) -> tuple[int, ...]:
    """`CONSORTIUM_DECIDES`, `NOT_AUTHORISED`, and as `change_validator`."""
    _require_office(state, context)
    change_validator(state, message.public_key, message.power, message.node)
    return ()


def _require_office(state: State, context: Context) -> None:
    """Where members decide, no office does."""
    require_role(state, context.sender, RoleName.AUTHORITY)
    if state.get(CONSORTIUM_TERMS, THE_ONE) is not None:
        raise Rejected(AuthorityCode.CONSORTIUM_DECIDES, "sender")


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


def open_node_account(state: State, node: bytes, node_key: bytes) -> None:
    """The account with which a member's node itself speaks to the chain: the node's key alone signs for it. It is no
    participant's, and so never speaks for a member: whoever replaces a lost key does not get a vote with it."""
    owner = hash_bytes(NODE_ACCOUNT_DOMAIN + node)[: len(node)]
    account_id = keys_hash(ALGORITHM_ED25519, 1, (node_key,))
    if state.get(ACCOUNTS, account_id) is None:
        state.put(ACCOUNTS, account_id, Account(owner, account_id, 0, b"", 0, 0, 0))


def license_node(state: State, node: bytes, *, licensed: bool) -> None:
    """Give or take the licence of a node that is known; its key stays."""
    current = state.get(NODES, node)
    if current is not None and current.licensed != licensed:
        state.put(NODES, node, msgspec.structs.replace(current, licensed=licensed))


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
