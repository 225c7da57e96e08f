"""Workers say what the ledger says; a dead one costs time, never a verdict."""

import os
import signal
import threading

import pytest
from coin_chain import (
    CHAIN_NAME,
    COIN,
    IMPORT_FOLDERS,
    IMPORT_PATH,
    Sender,
    account_of,
    batch_of,
    id_of,
)

from gridtokenx.engine.verifier import CHUNK_TRANSACTIONS_MAX, BatchChecked, BatchRefused, Verifier
from gridtokenx.engine.worker import Checked, Refused, check, check_all, load_chain
from gridtokenx.ledger.batch import batch_id, check_batch, open_batch
from gridtokenx.ledger.crypto import merkle_leaf, merkle_root
from gridtokenx.ledger.errors import KernelCode, Rejected


@pytest.fixture(autouse=True)
def workers_find_the_chain(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", IMPORT_FOLDERS)


@pytest.fixture(params=[0, 2])
def verifier(request):
    pool = Verifier(IMPORT_PATH, request.param)
    yield pool
    pool.close()


def good_and_bad() -> list[bytes]:
    sender = Sender(0)
    good = [sender.send(1) for _ in range(3)]
    flipped = good[0][:-1] + bytes([good[0][-1] ^ 1])
    return [good[0], b"", b"nonsense", good[1], flipped, bytes(20_000), good[2], good[0] + b"\x00"]


def test_verdicts_are_the_ledgers(verifier) -> None:
    wires = good_and_bad()
    verdicts = verifier.submit(wires).result()
    assert verdicts == [check(wire, COIN) for wire in wires]
    codes = [verdict.code if isinstance(verdict, Refused) else 0 for verdict in verdicts]
    malformed, invalid, large = KernelCode.MALFORMED, KernelCode.SIGNATURE_INVALID, KernelCode.TOO_LARGE
    assert codes == [0, malformed, malformed, 0, invalid, large, 0, malformed]
    first = verdicts[0]
    assert isinstance(first, Checked)
    assert (first.signatures, first.transaction_id) == (1, id_of(wires[0]))
    assert (first.chain, first.sender, first.keys_hash, first.nonce) == (CHAIN_NAME, account_of(0), account_of(0), 1)
    assert (first.leaf, first.urgent) == (merkle_leaf(wires[0]), False)


def test_many_chunks_come_back_in_order(verifier) -> None:
    wires = good_and_bad() * (CHUNK_TRANSACTIONS_MAX // 3)
    futures = [verifier.submit(wires), verifier.submit([]), verifier.submit(wires[::-1])]
    expected = [check(wire, COIN) for wire in good_and_bad()] * (CHUNK_TRANSACTIONS_MAX // 3)
    assert [future.result() for future in futures] == [expected, [], expected[::-1]]


def test_a_batch_is_judged_as_the_ledger_judges_it(verifier) -> None:
    wires = good_and_bad()
    batches = [
        batch_of(wires[0], wires[3]),
        batch_of(wires[0], wires[4], wires[2]),
        batch_of(wires[0], wires[3], root=merkle_root([wires[0]])),
        batch_of(wires[0], wires[4], root=merkle_root([wires[0]])),
        b"no batch",
        bytes(5_000_000),
    ]
    assert [judge(verifier.check_batch, batch) for batch in batches] == [
        judge(lambda batch: check_batch(batch, COIN.body), batch) for batch in batches
    ]
    assert judge(verifier.check_batch, batches[0]) == 2


def test_a_pool_learns_from_a_verdict_what_it_needs_to_know_of_anothers_batch(verifier) -> None:
    wires = good_and_bad()
    wire = batch_of(wires[0], wires[3])
    batch, header = open_batch(wire)
    verdict = verifier.submit_batch(wire).result()
    assert isinstance(verdict, BatchChecked)
    assert (verdict.batch, verdict.header, verdict.batch_id) == (batch, header, batch_id(batch.header))
    assert (verdict.signatures, verdict.urgent) == (2, False)
    assert list(verdict.checked) == [check(wire, COIN) for wire in batch.transactions]
    bad = verifier.submit_batch(batch_of(wires[0], wires[4], wires[2])).result()
    assert bad == BatchRefused(
        KernelCode.BATCH_TRANSACTION_INVALID, "transactions[1].signatures", 1, int(KernelCode.SIGNATURE_INVALID)
    )
    torn = verifier.submit_batch(wire[:-1]).result()
    assert torn == BatchRefused(KernelCode.MALFORMED, "batch")


def test_whoever_gives_up_waiting_takes_no_worker_along(verifier) -> None:
    wires = good_and_bad() * 100
    assert [verifier.submit(wires).cancel() for _ in range(4)] == [False] * 4
    assert len(verifier.submit(wires).result()) == len(wires)


def judge(checking, batch: bytes) -> object:
    try:
        return checking(batch)
    except Rejected as rejection:
        return int(rejection.code), rejection.field


def worker_ids(pool: Verifier) -> list[int]:
    return [worker.process.pid for worker in pool.workers if worker.process is not None]


def test_a_dead_worker_means_verify_here_and_is_replaced() -> None:
    pool = Verifier(IMPORT_PATH, 2)
    wires = good_and_bad() * 200
    expected = [check(wire, COIN) for wire in good_and_bad()] * 200
    first = worker_ids(pool)
    for process_id in first:
        os.kill(process_id, signal.SIGKILL)
    assert pool.submit(wires).result() == expected
    # Each worker had a share: both were found dead and replaced.
    while pool.deaths < 2:
        assert pool.submit(wires).result() == expected
    second = worker_ids(pool)
    assert pool.submit(wires).result() == expected
    pool.close()
    assert len(second) == 2 and not set(first) & set(second)
    assert pool.deaths == 2


def test_workers_end_when_their_pool_closes() -> None:
    pool = Verifier(IMPORT_PATH, 1)
    processes = [worker.process for worker in pool.workers]
    pool.close()
    assert [process.returncode for process in processes] == [0]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("no_such_module:CHAIN", ImportError),
        ("coin_chain:NOTHING", AttributeError),
        ("coin_chain:CHAIN_NAME", TypeError),
    ],
)
def test_a_path_to_no_chain_is_refused(path, error) -> None:
    with pytest.raises(error):
        load_chain(path)
    with pytest.raises(error):
        Verifier(path, 1)


def test_a_flood_of_batches_delays_neither_senders_nor_other_authors_nor_a_block(monkeypatch) -> None:
    """The one thread has begun with the flood when the others come."""
    begun, go_on = threading.Event(), threading.Event()

    def checking(*given):
        begun.set()
        go_on.wait()
        return check_all(*given)

    monkeypatch.setattr("gridtokenx.engine.verifier.check_all", checking)
    pool = Verifier(IMPORT_PATH, 0)
    try:
        transactions = [Sender(0, nonce=nonce).send(1) for nonce in range(CHUNK_TRANSACTIONS_MAX)]
        flood = [batch_of(*transactions, sequence=number) for number in range(6)]
        futures = {f"flood {number}": pool.submit_batch(wire) for number, wire in enumerate(flood)}
        begun.wait()
        futures["author"] = pool.submit_batch(batch_of(transactions[0], author=b"another."))
        futures["senders"] = pool.submit(transactions)
        futures["block"] = pool.submit_batch(batch_of(transactions[1]), first=True)
        pool.hasten(flood[4])
        done: list[str] = []
        for name, future in futures.items():
            future.add_done_callback(lambda _, name=name: done.append(name))
    finally:
        go_on.set()
        pool.close()
    assert done[:3] == ["flood 0", "block", "flood 4"]
    assert set(done[3:6]) == {"author", "senders", "flood 1"}
    assert done[6:] == ["flood 2", "flood 3", "flood 5"]
