"""Blocks that no honest node proposes: every node refuses them with a reason, and if one is decided all the same (by
block sync, where nobody is asked) what is wrong in it executes as nothing, and the rest executes."""

from collections.abc import Callable, Iterator

import pytest
from coin_chain import CHAIN_NAME, GENESIS_MS, Sender, account_of, batch_of, id_of
from coin_comet import NODES_COUNT, CoinNode, Decided, node_id_of_number, node_key, node_seed, open_node

from gridtokenx.engine.comet import known as known_module
from gridtokenx.engine.comet import proposals
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import Batch, BatchHeader, decode_batch, signed_batch
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import merkle_root
from gridtokenx.ledger.errors import KernelCode

TIME_MS = GENESIS_MS + 1_000


def by(number: int, **more: object) -> dict[str, object]:
    return {"author": node_id_of_number(number), "seed": node_seed(number)} | more


def good(number: int, sequence: int = 1) -> bytes:
    return batch_of(Sender(number, nonce=sequence).send(3, 10), sequence=sequence, **by(number))


def of_chain(chain: str) -> bytes:
    wire = Sender(0).send(1)
    header = encode(BatchHeader(chain, node_id_of_number(0), 1, GENESIS_MS + 60_000, merkle_root([wire])))
    return encode(Batch(header, node_key(0).sign(signed_batch(header)), (wire,)))


def unsigned() -> bytes:
    batch = decode_batch(good(0))
    return encode(Batch(batch.header, bytes(64), batch.transactions))


def flipped_transaction() -> bytes:
    wire = Sender(0).send(1)
    return batch_of(wire[:-1] + bytes([wire[-1] ^ 1]), **by(0))


def other_transactions() -> bytes:
    """A stranger puts others beside a header that a node signed."""
    batch = decode_batch(good(0))
    return encode(Batch(batch.header, batch.signature, (Sender(1).send(2),)))


def huge() -> bytes:
    return batch_of(*[bytes(16_000)] * (limits.BATCH_BYTES_MAX // 16_000 + 1), **by(0))


WRONG: dict[str, tuple[Callable[[], bytes], KernelCode, str]] = {
    "empty bytes": (lambda: b"", KernelCode.MALFORMED, "batch"),
    "random bytes": (lambda: bytes(range(256)), KernelCode.MALFORMED, "batch"),
    "not canonical": (lambda: good(0) + b"\x00", KernelCode.MALFORMED, "batch"),
    "a header that is none": (
        lambda: encode(Batch(b"\x95", node_key(0).sign(signed_batch(b"\x95")), (Sender(0).send(1),))),
        KernelCode.MALFORMED,
        "batch.header",
    ),
    "oversized": (huge, KernelCode.TOO_LARGE, "batch"),
    "unsigned": (unsigned, KernelCode.BATCH_SIGNATURE_INVALID, "batch.signature"),
    "signed by another": (
        lambda: batch_of(Sender(0).send(1), author=node_id_of_number(0), seed=node_seed(1)),
        KernelCode.BATCH_SIGNATURE_INVALID,
        "batch.signature",
    ),
    "badly signed transaction": (
        flipped_transaction,
        KernelCode.BATCH_TRANSACTION_INVALID,
        "transactions[0].signatures",
    ),
    "no transaction": (
        lambda: batch_of(b"x", **by(0)),
        KernelCode.BATCH_TRANSACTION_INVALID,
        "transactions[0].transaction",
    ),
    "wrong root": (
        lambda: batch_of(Sender(0).send(1), root=bytes(32), **by(0)),
        KernelCode.BATCH_ROOT_WRONG,
        "batch.header.root",
    ),
    "others' transactions": (other_transactions, KernelCode.BATCH_ROOT_WRONG, "batch.header.root"),
    "wrong chain": (lambda: of_chain("another"), KernelCode.CHAIN_WRONG, "batch.chain"),
    "expired": (
        lambda: batch_of(Sender(0).send(1), expires_ms=TIME_MS - 1, **by(0)),
        KernelCode.EXPIRED,
        "batch.expires_ms",
    ),
    "too far": (
        lambda: batch_of(Sender(0).send(1), expires_ms=TIME_MS + limits.TRANSACTION_LIFETIME_MS_MAX + 1, **by(0)),
        KernelCode.EXPIRY_TOO_FAR,
        "batch.expires_ms",
    ),
    "author without a licence": (
        lambda: batch_of(Sender(0).send(1), **by(NODES_COUNT)),
        KernelCode.BATCH_AUTHOR_UNKNOWN,
        "batch.author",
    ),
    "author whom nobody knows": (
        lambda: batch_of(Sender(0).send(1), author=b"nobody..", seed=bytes(32)),
        KernelCode.BATCH_AUTHOR_UNKNOWN,
        "batch.author",
    ),
}


@pytest.fixture
def node() -> Iterator[CoinNode]:
    opened = open_node(3)
    yield opened
    opened.crash()


@pytest.mark.parametrize("name", WRONG)
def test_a_block_with_such_a_batch_is_refused_with_the_reason(node, name) -> None:
    make, code, field = WRONG[name]
    proposal = [good(1), make(), good(2)]
    for _ in range(2):
        assert node.refusal(TIME_MS, proposal) == f"{code.name} ({int(code)}) at batches[1].{field}"
    assert node.accepts(TIME_MS, [good(1), good(2)])


@pytest.mark.parametrize("name", WRONG)
def test_if_it_is_decided_the_batch_is_worth_nothing_and_the_others_execute(node, name) -> None:
    make, code, _ = WRONG[name]
    wires = (good(1), make(), good(2))
    answer = node.live(Decided(1, TIME_MS, 0, wires))
    assert [result.code for result in answer.tx_results] == [0, code, 0]
    assert answer.tx_results[1].data == merkle_root([])
    state = node.application.state
    balances = [state.rows[1][account_of(number)].balance_micro for number in range(4)]
    assert balances == [1_000_000, 999_990, 999_990, 1_000_020]
    assert f"block 1: batch refused with code {int(code)}" in node.engine.metrics.alarms


def test_the_order_of_batches_is_free(node) -> None:
    wires = [good(number, sequence) for sequence in (1, 2) for number in (0, 1, 2)]
    assert node.accepts(TIME_MS, wires)
    assert node.accepts(TIME_MS, wires[::-1])


def test_a_batch_twice_in_a_block(node) -> None:
    wires = [good(1), good(2), good(1)]
    assert node.refusal(TIME_MS, wires) == "BATCH_REPEATED (16) at batches[2]"
    answer = node.live(Decided(1, TIME_MS, 0, tuple(wires)))
    assert [result.code for result in answer.tx_results] == [0, 0, KernelCode.BATCH_REPEATED]


def test_a_second_signature_makes_no_second_batch(node) -> None:
    """The id is that of the header alone."""
    wire = good(1)
    batch = decode_batch(wire)
    again = encode(Batch(batch.header, batch.signature[:-1] + bytes([batch.signature[-1] ^ 1]), batch.transactions))
    assert node.refusal(TIME_MS, [wire, again]).startswith("BATCH_REPEATED (16)")


def test_a_batch_of_an_earlier_block(node) -> None:
    wire = good(1)
    node.live(Decided(1, TIME_MS, 0, (wire,)))
    later = TIME_MS + 1_000
    assert node.refusal(later, [good(2), wire]) == "BATCH_REPEATED (16) at batches[1].batch"
    answer = node.live(Decided(2, later, 0, (good(2), wire)))
    assert [result.code for result in answer.tx_results] == [0, KernelCode.BATCH_REPEATED]


def test_too_many_batches(node, monkeypatch) -> None:
    monkeypatch.setattr(limits, "BATCHES_PER_BLOCK_MAX", 2)
    wires = [good(0), good(1), good(2)]
    assert node.refusal(TIME_MS, wires) == "TOO_LARGE (3) at batches"
    answer = node.live(Decided(1, TIME_MS, 0, tuple(wires)))
    assert [result.code for result in answer.tx_results] == [0, 0, KernelCode.BLOCK_SIGNATURES_EXCEEDED]


def test_too_many_bytes(node, monkeypatch) -> None:
    wires = [good(0), good(1), good(2)]
    monkeypatch.setattr(proposals, "BLOCK_BYTES_MAX", sum(map(len, wires)) - 1)
    assert node.refusal(TIME_MS, wires) == "TOO_LARGE (3) at batches"
    monkeypatch.setattr(proposals, "BLOCK_BYTES_MAX", sum(map(len, wires)))
    assert node.accepts(TIME_MS, wires)


def test_too_many_signatures(node, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 2)
    wires = [good(0), good(1), good(2), good(3)]
    assert node.refusal(TIME_MS, wires) == "BLOCK_SIGNATURES_EXCEEDED (19) at batches[2]"
    answer = node.live(Decided(1, TIME_MS, 0, tuple(wires)))
    assert [result.code for result in answer.tx_results] == [0, 0, 19, 19]


def test_too_many_signatures_are_not_all_checked(node, monkeypatch) -> None:
    """A proposer can make the others check a little more than a block may hold, not all that fits into its bytes."""
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 4)
    wires = [good(number % 3, sequence) for number, sequence in enumerate(range(1, 41))]
    monkeypatch.setattr(known_module, "AHEAD_BYTES_MAX", 3 * len(wires[0]))
    checked: list[bytes] = []
    submit = node.verifier.submit_batch
    monkeypatch.setattr(node.verifier, "submit_batch", lambda wire, first: checked.append(wire) or submit(wire))
    assert node.refusal(TIME_MS, wires).startswith("BLOCK_SIGNATURES_EXCEEDED (19)")
    assert len(checked) <= 4 + 1 + 3


def test_what_is_too_many_is_refused_unread(node, monkeypatch) -> None:
    monkeypatch.setattr(node.verifier, "submit_batch", None)
    assert node.refusal(TIME_MS, [b"x"] * (limits.BATCHES_PER_BLOCK_MAX + 1)) == "TOO_LARGE (3) at batches"


def test_a_good_batch_in_a_place_that_it_had_no_right_to_is_offered_again(node, monkeypatch) -> None:
    """Nothing that was accepted vanishes: it waits for a block that has room."""
    mine = Sender(0).send(1)
    node.submit(mine)
    (own,) = node.propose(TIME_MS)
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 1)
    answer = node.live(Decided(1, TIME_MS, 0, (good(1), own)))
    assert [result.code for result in answer.tx_results] == [0, KernelCode.BLOCK_SIGNATURES_EXCEEDED]
    assert node.mempool.standing(id_of(mine)).standing is Standing.PENDING
    later = TIME_MS + 1_000
    assert node.propose(later) == [own]
    assert node.live(Decided(2, later, 0, (own,))).tx_results[0].code == 0
    assert len(node.mempool) == 0


def test_an_empty_block_is_right(node) -> None:
    assert node.accepts(TIME_MS, [])
    assert node.live(Decided(1, TIME_MS, 0, ())).tx_results == []


def test_a_block_of_a_validator_that_is_none_any_more(node) -> None:
    answer = node.call(
        "finalize_block", height=1, time={"seconds": TIME_MS // 1_000}, proposer_address=bytes(20), txs=[good(1)]
    )
    assert answer.tx_results[0].code == 0


def test_a_block_whose_time_does_not_advance_is_a_millisecond_later(node) -> None:
    """Consensus' own time may stand still or be that of the block before; ours never."""
    node.live(Decided(1, TIME_MS, 0, ()))
    for height, time_ms in ((2, TIME_MS), (3, GENESIS_MS), (4, TIME_MS + 3)):
        assert node.accepts(time_ms, [])
        node.live(Decided(height, time_ms, 0, ()))
    assert node.engine.head.time_ms == TIME_MS + 3
    assert node.engine.head.chain == CHAIN_NAME
