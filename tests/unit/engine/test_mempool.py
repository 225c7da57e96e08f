"""The mempool knows what it can know, forgets nothing it took, and offers no more than a block may hold."""

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
from gridtokenx.engine import pool as pool_module
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor, Mempool, Standing
from gridtokenx.engine.pool import FRAME_BYTES
from gridtokenx.engine.storage import Place
from gridtokenx.engine.worker import check
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import batch_id, check_batch, open_batch, signed_batch
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
        return self.admit(wires, [check(wire, COIN) for wire in wires], now_ms)

    def entered(self, *wires: bytes, now_ms: int = NOW) -> None:
        """All the way into the queue."""
        assert {answer.standing for answer in self.enter(*wires, now_ms=now_ms)} == {Standing.PENDING}
        self.pool.offer(self.pack(now_ms))

    def chosen(self, time_ms: int = NOW):
        """What a block of this time gets."""
        return self.pool.choose(time_ms)

    def committed(self, batches) -> None:
        """A block with these is in the database."""
        assert self.pool.settle([batch.id for batch in batches]) == list(batches)
        self.settle(batches)


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
    assert pool.chosen() == [], "not before the journal has it"
    pool.pool.offer(batches)
    assert pool.chosen() == batches
    assert pool.standing(id_of(wire)).standing is Standing.PENDING, "still, until the database has the block"
    assert pool.chosen() == batches, "a proposal is not a block yet"
    places[id_of(wire)] = Place(5, 0, 0, 900)
    pool.committed(batches)
    assert pool.chosen() == []
    committed = pool.standing(id_of(wire))
    assert (committed.standing, committed.code, committed.height) == (Standing.COMMITTED, 900, 5)
    assert (len(pool), pool.bytes_held) == (0, 0)


def test_batches_are_what_the_ledger_takes(pool) -> None:
    senders = [Sender(number) for number in range(3)]
    wires = [sender.send(3) for sender in senders for _ in range(400)]
    pool.enter(*wires)
    batches = pool.pack(NOW)
    assert [len(batch.batch.transactions) for batch in batches] == [500, 500, 200]
    assert [wire for batch in batches for wire in batch.batch.transactions] == wires
    for number, batch in enumerate(batches, 1):
        assert check_batch(batch.wire, COIN.body) == batch.signatures == len(batch.batch.transactions)
        opened, header = open_batch(batch.wire)
        assert signature_is_valid(opened.signature, signed_batch(opened.header), NodeKey(NODE_SEED).public_key)
        assert (header.chain, header.author, header.sequence) == (CHAIN_NAME, NODE_ID, number)
        assert (batch.batch, batch.header, batch.id) == (opened, header, batch_id(opened.header))
        assert batch.ids == tuple(id_of(wire) for wire in opened.transactions)
    assert pool.pack(NOW) == []


def test_large_transactions_make_smaller_batches(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "BATCH_PAYLOAD_BYTES_MAX", 500)
    sender = Sender(0)
    wires = [sender.send(1) for _ in range(5)]
    pool.enter(*wires)
    batches = pool.pack(NOW)
    assert [len(batch.batch.transactions) for batch in batches] == [2, 2, 1]
    assert [wire for batch in batches for wire in batch.batch.transactions] == wires


def test_nobody_is_refused_because_chain_time_steps_back_after_a_halt(pool) -> None:
    halt_ms = 100_000
    latest = NOW + halt_ms + limits.TRANSACTION_LIFETIME_MS_MAX
    assert pool.enter(Sender(0).send(1, expires_ms=latest))[0].standing is Standing.REFUSED
    pool.enter(Sender(1).send(1), now_ms=NOW + halt_ms)
    assert pool.enter(Sender(0).send(1, expires_ms=latest))[0].standing is Standing.PENDING


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
    assert [batch.batch.transactions for batch in batches] == [(wire,)]
    assert pool.enter(wire)[0].standing is Standing.PENDING
    pool.pool.offer(batches)
    chosen = pool.chosen()
    assert pool.enter(wire)[0].standing is Standing.PENDING
    raise_nonce(rows, 0, 1)
    places[id_of(wire)] = Place(7, 0, 0, 0)
    pool.committed(chosen)
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
    first, second = pool.chosen()
    assert (first.batch.transactions, second.batch.transactions) == ((old_wire,), (new_wire,))
    pool.committed([first])
    assert pool.standing(id_of(new_wire)).standing is Standing.PENDING
    pool.committed([second])
    assert pool.standing(id_of(new_wire)).standing is Standing.UNKNOWN
    assert len(pool) == 0


def test_several_keys_sign_together(pool, rows) -> None:
    keys = [key_of(number) for number in range(3)]
    together = keys_hash(0, 3, tuple(sorted(key.public_key for key in keys)))
    rows[together] = rows[account_of(0)]
    rows[together] = msgspec.structs.replace(rows[together], keys_hash=together)
    body = Body(CHAIN_NAME, together, 1, NOW + 60_000, (Rotate(bytes(32)),))
    pool.entered(sign(body, *keys))
    assert pool.chosen()[0].signatures == 3


def test_one_sender_cannot_fill_the_pool(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "PENDING_OF_SENDER_MAX", 3)
    sender = Sender(0)
    answers = pool.enter(*(sender.send(1) for _ in range(4)))
    assert [answer.standing for answer in answers] == [Standing.PENDING] * 3 + [Standing.BUSY]
    assert answers[3].retry_ms > 0 and answers[3].field == "sender"
    assert pool.enter(Sender(1).send(0))[0].standing is Standing.PENDING
    pool.pool.offer(pool.pack(NOW))
    pool.committed(pool.chosen())
    assert pool.enter(sender.send(1))[0].standing is Standing.PENDING


def test_a_full_pool_has_no_room_until_a_block_made_some(pool, monkeypatch) -> None:
    monkeypatch.setattr(mempool_module, "PENDING_TRANSACTIONS_MAX", 2)
    sender = Sender(0)
    first, second, third = (sender.send(1) for _ in range(3))
    pool.entered(first)
    assert not pool.reserve([second, third])
    pool.entered(second)
    assert not pool.reserve([third])
    pool.committed(pool.chosen())
    assert pool.reserve([third])


def test_room_is_counted_in_bytes_too(pool, monkeypatch) -> None:
    wire = Sender(0).send(1)
    monkeypatch.setattr(mempool_module, "PENDING_BYTES_MAX", len(wire))
    pool.entered(wire)
    assert not pool.reserve([b"x"])


def sizes_of_blocks(pool: Pool, blocks: int) -> list[int]:
    """How many batches each of the next blocks gets."""
    sizes = []
    for _ in range(blocks):
        chosen = pool.chosen()
        sizes.append(len(chosen))
        pool.committed(chosen)
    return sizes


def test_a_block_gets_no_more_signatures_than_it_may_have(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 5)
    senders = [Sender(number) for number in range(3)]
    for sender in senders:
        pool.entered(sender.send(3), sender.send(3))
    assert sizes_of_blocks(pool, 3) == [2, 1, 0]


def test_a_block_gets_no_more_batches_and_bytes_than_it_may_have(pool, monkeypatch) -> None:
    for _ in range(2):
        sender = Sender(0, nonce=len(pool))
        for _ in range(3):
            pool.entered(sender.send(3))
    monkeypatch.setattr(limits, "BATCHES_PER_BLOCK_MAX", 4)
    assert sizes_of_blocks(pool, 2) == [4, 2]
    sender = Sender(1)
    for _ in range(3):
        pool.entered(sender.send(3))
    size = len(pool.chosen()[0].wire) + FRAME_BYTES
    monkeypatch.setattr(pool_module, "BLOCK_BYTES_MAX", 3 * size - 1)
    assert sizes_of_blocks(pool, 2) == [2, 1]


def test_a_batch_that_is_in_no_block_in_time_expires(pool) -> None:
    pool.entered(Sender(0).send(1, expires_ms=NOW + 10_000))
    (batch,) = pool.chosen(NOW + 10_000)
    assert batch.header.expires_ms == NOW + 10_000
    assert pool.chosen(NOW + 10_001) == []
    assert pool.pool.expired(NOW + 9_999) == []
    assert pool.pool.expired(NOW + 10_000) == [batch], "the next block is later than that"
    assert pool.pool.expired(NOW + 10_000, [batch.id]) == [], "unless it is in that block"
    pool.committed([batch])
    assert pool.pool.expired(NOW + 10_000) == []


def test_a_block_that_stands_before_the_admission_gets_nothing_too_far_ahead(pool) -> None:
    far = Sender(0).send(1, expires_ms=NOW + limits.TRANSACTION_LIFETIME_MS_MAX)
    near = Sender(1).send(0, expires_ms=NOW + 30_000)
    pool.entered(far)
    pool.entered(near)
    early = NOW - 60_000
    assert [batch.batch.transactions for batch in pool.chosen(early)] == [(near,)]
    assert pool.pool.expired(early) == []
    assert [batch.batch.transactions for batch in pool.chosen()] == [(far,), (near,)]


def test_batches_expire_just_before_full_minutes_where_they_can(pool) -> None:
    pool.entered(Sender(0).send(1, expires_ms=NOW + 400_000), Sender(1).send(1, expires_ms=NOW + 100_000))
    pool.entered(Sender(2).send(1, expires_ms=NOW + 50_000))
    long, short = (batch.header for batch in pool.chosen())
    assert (long.expires_ms + 1) % 60_000 == 0
    assert NOW + 340_000 <= long.expires_ms <= NOW + 400_000
    assert short.expires_ms == NOW + 50_000


def test_what_was_pending_before_a_restart_is_pending_again(pool, rows, places) -> None:
    wire = Sender(0).send(1)
    pool.entered(wire)
    (batch,) = pool.chosen()
    again = Pool(CHAIN_NAME, BatchAuthor(CHAIN_NAME, NODE_ID, NodeKey(NODE_SEED), 2), rows, places.get)
    again.restore([batch])
    again.pool.offer([batch])
    assert again.standing(id_of(wire)).standing is Standing.PENDING
    assert again.enter(wire)[0].standing is Standing.PENDING
    assert again.pack(NOW) == []
    assert again.chosen() == [batch]
    again.committed([batch])
    assert len(again) == 0 and again.bytes_held == 0


def test_an_envelope_is_not_part_of_the_id(pool) -> None:
    wire = Sender(0).send(1)
    assert decode_envelope(wire).body in wire
    assert pool.enter(wire)[0].transaction_id == id_of(wire)
