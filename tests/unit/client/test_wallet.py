"""Building and signing: what the ledger's judge accepts, and what is refused before it gets there."""

import threading

import pytest

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.client.errors import SigningError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import LIFETIME_MS, KeyList, build_body, finish, sign_body
from gridtokenx.client.wallet import Nonces, Wallet
from gridtokenx.ledger.crypto import CHALLENGE_DOMAIN, hash_bytes, signature_is_valid
from gridtokenx.ledger.limits import MESSAGES_PER_TRANSACTION_MAX
from gridtokenx.ledger.transaction import check_transaction, decode_envelope, keys_hash
from gridtokenx.modules.tokens.messages import Transfer

PAY = Transfer(b"\x01" * 32, 5)
KEYS = [PrivateKey(bytes([number]) * 32) for number in range(1, 6)]


def wallet_of(*keys: PrivateKey, threshold: int | None = None, among: list[PrivateKey] | None = None) -> Wallet:
    listed = KeyList.of([key.public_key for key in among or list(keys)], threshold or len(keys))
    wallet = Wallet(list(keys), listed)
    wallet.nonces.learn(0)
    return wallet


@pytest.mark.parametrize(("signers", "threshold", "count"), [(1, 1, 1), (2, 2, 3), (3, 2, 3), (5, 5, 5), (1, 1, 5)])
def test_the_ledger_accepts_what_a_wallet_signs(signers: int, threshold: int, count: int) -> None:
    wallet = wallet_of(*KEYS[:signers], threshold=threshold, among=KEYS[:count])
    signed = wallet.sign("chain", 1_000, [PAY])
    assert check_transaction(signed.wire, CONSORTIUM.body) == threshold
    body = CONSORTIUM.body(decode_envelope(signed.wire).body)
    assert (body.chain, body.sender, body.nonce, body.expires_ms) == ("chain", wallet.account, 1, 1_000 + LIFETIME_MS)
    assert signed.id == hash_bytes(decode_envelope(signed.wire).body)
    assert wallet.account == keys_hash(0, threshold, tuple(sorted(key.public_key for key in KEYS[:count])))


def test_nonces_count_up_and_the_order_of_keys_does_not_matter() -> None:
    wallet = wallet_of(*KEYS[:3])
    assert [wallet.sign("chain", 0, [PAY]).nonce for _ in range(3)] == [1, 2, 3]
    assert wallet_of(*reversed(KEYS[:3])).account == wallet.account


def test_threads_never_share_a_nonce() -> None:
    nonces = Nonces()
    nonces.learn(100)
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.extend(nonces.take() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(101, 2_101))


def test_nonces_are_asked_for_first_and_never_fall_back() -> None:
    nonces = Nonces()
    with pytest.raises(SigningError):
        nonces.take()
    nonces.learn(7)
    assert nonces.take() == 8
    nonces.learn(3)
    assert nonces.take() == 9
    nonces.forget()
    assert not nonces.is_known
    nonces.learn(3)
    assert nonces.take() == 4


def test_a_rotated_account_keeps_its_id_and_its_nonces() -> None:
    wallet = wallet_of(KEYS[0])
    wallet.sign("chain", 0, [PAY])
    rotated = wallet.with_keys([KEYS[1]])
    signed = rotated.sign("chain", 0, [PAY])
    assert (signed.sender, signed.nonce) == (wallet.account, 2)
    assert decode_envelope(signed.wire).auth.keys == (KEYS[1].public_key,)


def test_keys_that_are_not_enough_or_not_the_accounts() -> None:
    three = KeyList.of([key.public_key for key in KEYS[:3]], 2)
    with pytest.raises(SigningError, match="1 keys at hand, 2 of the account's 3 needed"):
        Wallet([KEYS[0]], three)
    with pytest.raises(SigningError):
        Wallet([KEYS[0], KEYS[4]], three)
    with pytest.raises(SigningError):
        Wallet([KEYS[0], KEYS[0]], three)


@pytest.mark.parametrize(
    ("keys", "threshold"),
    [([], 0), ([], 1), (KEYS[:2], 3), (KEYS[:2], 0), ([KEYS[0], KEYS[0]], 1), (KEYS * 4, 1)],
)
def test_key_lists_that_no_account_can_have(keys: list[PrivateKey], threshold: int) -> None:
    with pytest.raises(SigningError):
        KeyList.of([key.public_key for key in keys], threshold)


def test_signatures_that_do_not_fit_the_list() -> None:
    listed = KeyList.of([key.public_key for key in KEYS[:3]], 2)
    with pytest.raises(SigningError, match="1 of 2 signatures"):
        listed.auth({KEYS[0].public_key: b"s" * 64})
    with pytest.raises(SigningError, match="none of the account's"):
        listed.auth({KEYS[0].public_key: b"s" * 64, KEYS[4].public_key: b"s" * 64})


@pytest.mark.parametrize("count", [0, MESSAGES_PER_TRANSACTION_MAX + 1])
def test_too_few_and_too_many_messages(count: int) -> None:
    with pytest.raises(SigningError, match="1 to 64 messages"):
        wallet_of(KEYS[0]).sign("chain", 0, [PAY] * count)


def test_bytes_that_the_ledger_would_not_take() -> None:
    body = build_body("c" * 20_000, b"\x00" * 32, 1, 1, [PAY])
    auth = KeyList.of([KEYS[0].public_key]).auth({KEYS[0].public_key: sign_body(body, KEYS[0])})
    with pytest.raises(SigningError, match="at most 16384"):
        finish(body, auth)


def test_a_challenge_is_signed_in_its_own_domain() -> None:
    auth = wallet_of(*KEYS[:2]).sign_challenge(b"challenge")
    for index, signature in auth.signatures:
        assert signature_is_valid(signature, CHALLENGE_DOMAIN + b"challenge", auth.keys[index])
        assert not signature_is_valid(signature, b"challenge", auth.keys[index])
