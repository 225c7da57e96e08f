"""The pool knows what it can know, forgets nothing it took, and offers no more than a block may hold."""

import msgspec
import pytest
from coin_chain import (
    CHAIN_NAME,
    COIN,
    GENESIS_MS,
    NODE_ID,
    NODE_SEED,
    Rotate,
    Sender,
    account_of,
    genesis,
    id_of,
    key_of,
    sign,
)

from gridtokenx.engine import mempool as mempool_module
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor, Mempool, Standing
from gridtokenx.engine.storage import Place
from gridtokenx.engine.worker import check
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import check_batch, decode_batch, decode_batch_body, signed_batch
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, signature_is_valid
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.transaction import Auth, Body, Envelope, decode_envelope, keys_hash

NOW = GENESIS_MS + 1_000


class Pool(Mempool):
    """With a short way in."""

    def enter(self, *wires: bytes, now_ms: int = NOW):
        assert self.reserve(wires)
        return self.admit(wires, [check(wire, COIN.body) for wire in wires], now_ms)

    def entered(self, *wires: bytes, now_ms: int = NOW) -> None:
        """All the way into the queue."""
        assert {answer.standing for answer in self.enter(*wires, now_ms=now_ms)} == {Standing.PENDING}
        self.offer(self.pack(now_ms))


@pytest.fixture
def rows() -> dict[bytes, Account]:
    state, _ = import_state(COIN, genesis())
    return state.rows[ACCOUNTS.prefix]


@pytest.fixture
def places() -> dict[bytes, Place]:
    return {}


@pytest.fixture
def pool(rows, places) -> Pool:
    return Pool(CHAIN_NAME, BatchAuthor(CHAIN_NAME, NODE_ID, NodeKey(NODE_SEED), 1), rows, places.get)


def raise_nonce(rows: dict[bytes, Account], number: int, highest: int, gaps: bytes = b"") -> None:
    account = rows[account_of(number)]
    rows[account_of(number)] = msgspec.structs.replace(account, nonce_highest=highest, nonce_gaps=gaps)


def test_a_good_transaction_is_pending_until_its_block_is_settled(pool, places) -> None:
    wire = Sender(0).send(1)
    (answer,) = pool.enter(wire)
    assert (answer.standing, answer.transaction_id) == (Standing.PENDING, id_of(wire))
    assert (len(pool), pool.bytes_held) == (1, len(wire))
    batches = pool.pack(NOW)
    assert pool.collect(NOW) == ([], []), "not before the journal has it"
    pool.offer(batches)
    assert pool.collect(NOW) == (batches, [])
    assert pool.standing(id_of(wire)).standing is Standing.PENDING, "still, until the database has the block"
    places[id_of(wire)] = Place(5, 0, 0, 900)
    pool.settle(batches)
    committed = pool.standing(id_of(wire))
    assert (committed.standing, committed.code, committed.height) == (Standing.COMMITTED, 900, 5)
    assert (len(pool), pool.bytes_held) == (0, 0)


def test_batches_are_what_the_ledger_takes(pool) -> None:
    senders = [Sender(number) for number in range(3)]
    wires = [sender.send(3) for sender in senders for _ in range(400)]
    pool.enter(*wires)
    batches = pool.pack(NOW)
    assert [len(batch.transactions) for batch in batches] == [500, 500, 200]
    assert [wire for batch in batches for wire in batch.transactions] == wires
    for number, batch in enumerate(batches, 1):
        assert check_batch(batch.wire, COIN.body) == batch.signatures == len(batch.transactions)
        outer = decode_batch(batch.wire)
        body = decode_batch_body(outer.body)
        assert signature_is_valid(outer.signature, signed_batch(outer.body), NodeKey(NODE_SEED).public_key)
        assert (body.chain, body.author, body.sequence) == (CHAIN_NAME, NODE_ID, number)
        assert body.transactions == batch.transactions
        assert body.expires_ms == batch.expires_ms
        assert batch.ids == tuple(id_of(wire) for wire in batch.transactions)
    assert pool.pack(NOW) == []


def test_large_transactions_make_smaller_batches(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "BATCH_PAYLOAD_BYTES_MAX", 500)
    sender = Sender(0)
    wires = [sender.send(1) for _ in range(5)]
    pool.enter(*wires)
    batches = pool.pack(NOW)
    assert [len(batch.transactions) for batch in batches] == [2, 2, 1]
    assert [wire for batch in batches for wire in batch.transactions] == wires


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"chain": "another"}, KernelCode.CHAIN_WRONG, "chain"),
        ({"expires_ms": NOW - 1}, KernelCode.EXPIRED, "expires_ms"),
        ({"expires_ms": NOW + limits.TRANSACTION_LIFETIME_MS_MAX + 1}, KernelCode.EXPIRY_TOO_FAR, "expires_ms"),
        ({"sender": bytes(32)}, KernelCode.ACCOUNT_UNKNOWN, "sender"),
        ({"sender": account_of(1)}, KernelCode.UNAUTHENTICATED, "auth"),
        ({"nonce": 5_000}, KernelCode.NONCE_USED, "nonce"),
        ({"nonce": 5_000 - limits.NONCE_WINDOW}, KernelCode.NONCE_USED, "nonce"),
        ({"nonce": 5_000 - limits.NONCE_WINDOW - 1}, KernelCode.NONCE_TOO_OLD, "nonce"),
    ],
)
def test_what_cannot_succeed_is_refused_at_once_with_code_and_field(pool, rows, changes, code, field) -> None:
    raise_nonce(rows, 0, 5_000)
    (answer,) = pool.enter(Sender(0, nonce=5_000).send(1, **changes))
    assert (answer.standing, answer.code, answer.field) == (Standing.REFUSED, code, field)
    assert len(pool) == 0 and pool.pack(NOW) == []


def test_what_is_no_transaction_is_refused_without_an_id(pool) -> None:
    good = Sender(0).send(1)
    answers = pool.enter(b"nonsense", good, good[:-1] + bytes([good[-1] ^ 1]))
    assert [answer.standing for answer in answers] == [Standing.REFUSED, Standing.PENDING, Standing.REFUSED]
    assert [answer.code for answer in answers] == [KernelCode.MALFORMED, 0, KernelCode.SIGNATURE_INVALID]
    assert [answer.transaction_id for answer in answers] == [b"", id_of(good), b""]
    assert len(pool) == 1


def test_a_nonce_in_a_gap_is_taken(pool, rows) -> None:
    raise_nonce(rows, 0, 100, b"\x01")
    assert pool.enter(Sender(0, nonce=98).send(1))[0].standing is Standing.PENDING
    assert pool.enter(Sender(0, nonce=97).send(1))[0].code == KernelCode.NONCE_USED


def test_a_repeated_call_is_harmless_at_every_stage(pool, rows, places) -> None:
    wire = Sender(0).send(1)
    assert [answer.standing for answer in pool.enter(wire, wire)] == [Standing.PENDING] * 2
    batches = pool.pack(NOW)
    assert [batch.transactions for batch in batches] == [(wire,)]
    assert pool.enter(wire)[0].standing is Standing.PENDING
    pool.offer(batches)
    chosen, _ = pool.collect(NOW)
    assert pool.enter(wire)[0].standing is Standing.PENDING
    raise_nonce(rows, 0, 1)
    places[id_of(wire)] = Place(7, 0, 0, 0)
    pool.settle(chosen)
    (answer,) = pool.enter(wire)
    assert (answer.standing, answer.code, answer.height) == (Standing.COMMITTED, 0, 7)
    assert pool.pack(NOW) == [] and len(pool) == 0


def test_a_refusal_in_a_block_can_be_tried_again(pool, places) -> None:
    wire = Sender(0, nonce=1_500).send(1)
    places[id_of(wire)] = Place(3, 0, 0, KernelCode.NONCE_JUMP)
    assert pool.enter(wire)[0].standing is Standing.PENDING


def test_an_expired_one_is_known_as_expired(pool, places) -> None:
    wire = Sender(0).send(1, expires_ms=NOW + 5)
    places[id_of(wire)] = Place(9, 0, 0, 0, expired=True)
    answer = pool.standing(id_of(wire))
    assert (answer.standing, answer.height) == (Standing.EXPIRED, 9)
    assert pool.enter(wire, now_ms=NOW + 6)[0].code == KernelCode.EXPIRED
    assert pool.standing(bytes(32)).standing is Standing.UNKNOWN


def test_old_keys_do_not_keep_the_new_ones_out(pool, rows) -> None:
    """Who knows an order before it is sent, and keys that were just given up, cannot block it."""
    new = key_of(9)
    new_hash = keys_hash(0, 1, (new.public_key,))
    raw = encode(Body(CHAIN_NAME, account_of(0), 1, NOW + 60_000, (Rotate(new_hash),)))
    old_wire, new_wire = (
        encode(Envelope(raw, Auth(0, 1, (key.public_key,), ((0, key.sign(TRANSACTION_DOMAIN + raw)),))))
        for key in (key_of(0), new)
    )
    pool.entered(old_wire)
    rows[account_of(0)] = msgspec.structs.replace(rows[account_of(0)], keys_hash=new_hash)
    pool.entered(new_wire)
    first, second = pool.collect(NOW)[0]
    assert (first.transactions, second.transactions) == ((old_wire,), (new_wire,))
    pool.settle([first])
    assert pool.standing(id_of(new_wire)).standing is Standing.PENDING
    pool.settle([second])
    assert pool.standing(id_of(new_wire)).standing is Standing.UNKNOWN
    assert len(pool) == 0


def test_several_keys_sign_together(pool, rows) -> None:
    keys = [key_of(number) for number in range(3)]
    together = keys_hash(0, 3, tuple(sorted(key.public_key for key in keys)))
    rows[together] = rows[account_of(0)]
    rows[together] = msgspec.structs.replace(rows[together], keys_hash=together)
    body = Body(CHAIN_NAME, together, 1, NOW + 60_000, (Rotate(bytes(32)),))
    pool.entered(sign(body, *keys))
    assert pool.collect(NOW)[0][0].signatures == 3


def test_one_sender_cannot_fill_the_pool(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "PENDING_OF_SENDER_MAX", 3)
    sender = Sender(0)
    answers = pool.enter(*(sender.send(1) for _ in range(4)))
    assert [answer.standing for answer in answers] == [Standing.PENDING] * 3 + [Standing.BUSY]
    assert answers[3].retry_ms > 0 and answers[3].field == "sender"
    assert pool.enter(Sender(1).send(0))[0].standing is Standing.PENDING
    pool.offer(pool.pack(NOW))
    pool.settle(pool.collect(NOW)[0])
    assert pool.enter(sender.send(1))[0].standing is Standing.PENDING


def test_a_full_pool_has_no_room_until_a_block_made_some(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "PENDING_TRANSACTIONS_MAX", 2)
    sender = Sender(0)
    first, second, third = (sender.send(1) for _ in range(3))
    pool.entered(first)
    assert not pool.reserve([second, third])
    pool.entered(second)
    assert not pool.reserve([third])
    pool.settle(pool.collect(NOW)[0])
    assert pool.reserve([third])


def test_room_is_counted_in_bytes_too(pool, monkeypatch) -> None:
    wire = Sender(0).send(1)
    monkeypatch.setattr(mempool_module, "PENDING_BYTES_MAX", len(wire))
    pool.entered(wire)
    assert not pool.reserve([b"x"])


def test_a_block_gets_no_more_signatures_than_it_may_have(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 5)
    senders = [Sender(number) for number in range(3)]
    for sender in senders:
        pool.entered(sender.send(3), sender.send(3))
    assert [len(pool.collect(NOW)[0]) for _ in range(3)] == [2, 1, 0]


def test_a_block_gets_no_more_batches_and_bytes_than_it_may_have(pool, monkeypatch) -> None:
    for _ in range(2):
        sender = Sender(0, nonce=len(pool))
        for _ in range(3):
            pool.entered(sender.send(3))
    monkeypatch.setattr(limits, "BATCHES_PER_BLOCK_MAX", 4)
    assert [len(pool.collect(NOW)[0]) for _ in range(2)] == [4, 2]
    for _ in range(3):
        sender = Sender(1, nonce=len(pool))
        pool.entered(sender.send(3))
    monkeypatch.setattr(mempool_module, "BLOCK_BYTES_MAX", 700)
    assert [len(pool.collect(NOW)[0]) for _ in range(2)] == [2, 1]


def test_a_batch_that_is_in_no_block_in_time_expires(pool) -> None:
    wire = Sender(0).send(1, expires_ms=NOW + 10_000)
    pool.entered(wire)
    (batch,) = pool.pack(NOW) or pool.collect(NOW + 10_000)[0]
    pool.offer([batch])
    assert batch.expires_ms == NOW + 10_000
    assert pool.collect(NOW + 10_001) == ([], [batch])
    assert pool.collect(NOW + 10_001) == ([], [])


def test_a_block_that_stands_before_the_admission_gets_nothing_too_far_ahead(pool) -> None:
    far = Sender(0).send(1, expires_ms=NOW + limits.TRANSACTION_LIFETIME_MS_MAX)
    near = Sender(1).send(0, expires_ms=NOW + 30_000)
    pool.entered(far)
    pool.entered(near)
    early = NOW - 60_000
    chosen, expired = pool.collect(early)
    assert [batch.transactions for batch in chosen] == [(near,)] and expired == []
    assert [batch.transactions for batch in pool.collect(NOW)[0]] == [(far,)]


def test_batches_expire_just_before_full_minutes_where_they_can(pool) -> None:
    pool.entered(Sender(0).send(1, expires_ms=NOW + 400_000), Sender(1).send(1, expires_ms=NOW + 100_000))
    pool.entered(Sender(2).send(1, expires_ms=NOW + 50_000))
    long, short = pool.collect(NOW)[0]
    assert (long.expires_ms + 1) % 60_000 == 0
    assert NOW + 340_000 <= long.expires_ms <= NOW + 400_000
    assert short.expires_ms == NOW + 50_000


def test_what_was_pending_before_a_restart_is_pending_again(pool, rows, places) -> None:
    wire = Sender(0).send(1)
    pool.entered(wire)
    (batch,) = pool.collect(NOW)[0]
    again = Pool(CHAIN_NAME, BatchAuthor(CHAIN_NAME, NODE_ID, NodeKey(NODE_SEED), 2), rows, places.get)
    again.restore([batch])
    assert again.standing(id_of(wire)).standing is Standing.PENDING
    assert again.enter(wire)[0].standing is Standing.PENDING
    assert again.pack(NOW) == []
    assert again.collect(NOW) == ([batch], [])
    again.settle([batch])
    assert len(again) == 0 and again.bytes_held == 0


def test_an_envelope_is_not_part_of_the_id(pool) -> None:
    wire = Sender(0).send(1)
    assert decode_envelope(wire).body in wire
    assert pool.enter(wire)[0].transaction_id == id_of(wire)
