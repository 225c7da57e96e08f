"""A wallet: one account, the keys of it that are at hand, and its nonces."""

from collections.abc import Sequence
from threading import Lock

from gridtokenx.client.errors import SigningError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import LIFETIME_MS, KeyList, SignedTransaction, sign
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.crypto import CHALLENGE_DOMAIN
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.transaction import Auth

NONCE_CODES = frozenset({KernelCode.NONCE_USED, KernelCode.NONCE_TOO_OLD, KernelCode.NONCE_JUMP})
"""After one of these the wallet's count is wrong: `Nonces.forget`."""


class Nonces:
    """Counts nonces: the node is asked for the highest once, then each transaction takes the next.

    The ledger takes 1,024 nonces in any order, so transactions may overtake each other. Safe between threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._highest: int | None = None

    @property
    def is_known(self) -> bool:
        """False until `learn`, and after `forget`."""
        return self._highest is not None

    def learn(self, highest: int) -> None:
        """What the node says of the account; never goes back below what is counted already."""
        with self._lock:
            self._highest = highest if self._highest is None else max(self._highest, highest)

    def forget(self) -> None:
        """The count was wrong (another device with the same key, or too many lost): ask the node again."""
        with self._lock:
            self._highest = None

    def take(self) -> int:
        """The next nonce. Raises SigningError before `learn`."""
        with self._lock:
            if self._highest is None:
                raise SigningError("the account's highest nonce is not known yet: ask the node", field="nonce")
            self._highest += 1
            return self._highest


class Wallet:
    """Signs for one account with the keys at hand, which must be enough for its threshold."""

    def __init__(
        self,
        signers: Sequence[PrivateKey],
        keys: KeyList | None = None,
        account: bytes | None = None,
    ) -> None:
        """`keys`: the account's present key list, by default the signers' own with all of them needed.
        `account`: its id, which is the hash of its *first* keys; to be given after a rotation.

        Raises SigningError when the signers do not reach the threshold, or are none of the account's.
        """
        self.keys = keys or KeyList.of([signer.public_key for signer in signers], len(signers))
        mine = {signer.public_key: signer for signer in signers}
        if any(public_key not in self.keys.keys for public_key in mine) or len(mine) < self.keys.threshold:
            raise SigningError(
                f"{len(mine)} keys at hand, {self.keys.threshold} of the account's {len(self.keys.keys)} needed",
                field="keys",
            )
        ordered = [mine[key] for key in self.keys.keys if key in mine]
        self._signers = ordered[: self.keys.threshold]
        self.account = account or self.keys.hash()
        self.nonces = Nonces()

    def sign(
        self, chain: str, chain_time_ms: int, messages: Sequence[Message], lifetime_ms: int = LIFETIME_MS
    ) -> SignedTransaction:
        """A transaction with the next nonce that expires `lifetime_ms` after `chain_time_ms`.

        Raises SigningError when the nonce is not known yet or the messages do not fit.
        """
        nonce = self.nonces.take()
        expires_ms = chain_time_ms + lifetime_ms
        return sign(chain, self.account, nonce, expires_ms, messages, self.keys, self._signers)

    def sign_challenge(self, challenge: bytes) -> Auth:
        """Proof to a gateway that the account's keys are at hand."""
        signed = CHALLENGE_DOMAIN + challenge
        return self.keys.auth({signer.public_key: signer.sign(signed) for signer in self._signers})

    def with_keys(self, signers: Sequence[PrivateKey], keys: KeyList | None = None) -> "Wallet":
        """The same account after a rotation to these keys; nonces go on."""
        rotated = Wallet(signers, keys, self.account)
        rotated.nonces = self.nonces
        return rotated
