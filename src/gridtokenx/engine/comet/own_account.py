"""The account with which a node itself speaks to the chain: the one that the node's key alone signs for."""

from typing import Final

from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN
from gridtokenx.ledger.transaction import ALGORITHM_ED25519, Auth, Body, Envelope, keys_hash

LIFETIME_MS: Final = limits.TRANSACTION_LIFETIME_MS_MAX // 2


class OwnAccount:
    """Of one node and one thread."""

    def __init__(self, engine: CometEngine) -> None:
        """The account may come later, or never; it is another one when the node has another key."""
        self._engine = engine
        self._nonce = 0
        """The last one that was used; what never came into a block leaves a gap, which the ledger allows."""

    @property
    def _id(self) -> bytes:
        return keys_hash(ALGORITHM_ED25519, 1, (self._engine.mempool.author.public_key,))

    @property
    def exists(self) -> bool:
        """Whether the chain knows it, and its key is still the node's."""
        account = self._engine.application.state.get(ACCOUNTS, self._id)
        return account is not None and account.keys_hash == self._id

    def signed(self, message: Message) -> bytes:
        """A transaction with this message. The account exists."""
        key, account_id, head = self._engine.mempool.author.key, self._id, self._engine.head
        account = self._engine.application.state.get(ACCOUNTS, account_id)
        assert account is not None, "asked for before"
        self._nonce = max(self._nonce, account.nonce_highest) + 1
        body = encode(Body(head.chain, account_id, self._nonce, head.time_ms + LIFETIME_MS, (message,)))
        signature = key.sign(TRANSACTION_DOMAIN + body)
        return encode(Envelope(body, Auth(ALGORITHM_ED25519, 1, (key.public_key,), ((0, signature),))))
