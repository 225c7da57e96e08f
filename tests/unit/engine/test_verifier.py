"""Workers say what the ledger says; a dead one costs time, never a verdict."""

import os
import signal

import pytest
from coin_chain import CHAIN_NAME, COIN, IMPORT_FOLDERS, IMPORT_PATH, NODE_ID, NODE_SEED, Sender, account_of, id_of

from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor
from gridtokenx.engine.verifier import CHUNK_TRANSACTIONS_MAX, Verifier
from gridtokenx.engine.worker import Checked, Refused, check, load_chain
from gridtokenx.ledger.batch import check_batch
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
    assert verdicts == [check(wire, COIN.body) for wire in wires]
    codes = [verdict.code if isinstance(verdict, Refused) else 0 for verdict in verdicts]
    malformed, invalid, large = KernelCode.MALFORMED, KernelCode.SIGNATURE_INVALID, KernelCode.TOO_LARGE
    assert codes == [0, malformed, malformed, 0, invalid, large, 0, malformed]
    first = verdicts[0]
    assert isinstance(first, Checked)
    assert (first.signatures, first.transaction_id) == (1, id_of(wires[0]))
    assert (first.chain, first.sender, first.keys_hash, first.nonce) == (CHAIN_NAME, account_of(0), account_of(0), 1)


def test_many_chunks_come_back_in_order(verifier) -> None:
    wires = good_and_bad() * (CHUNK_TRANSACTIONS_MAX // 3)
    futures = [verifier.submit(wires), verifier.submit([]), verifier.submit(wires[::-1])]
    expected = [check(wire, COIN.body) for wire in good_and_bad()] * (CHUNK_TRANSACTIONS_MAX // 3)
    assert [future.result() for future in futures] == [expected, [], expected[::-1]]


def test_a_batch_is_judged_as_the_ledger_judges_it(verifier) -> None:
    author = BatchAuthor(CHAIN_NAME, NODE_ID, NodeKey(NODE_SEED), 1)
    wires = good_and_bad()
    batches = [
        author.sign((wires[0], wires[3]), 0),
        author.sign((wires[0], wires[4], wires[2]), 0),
        b"no batch",
        bytes(5_000_000),
    ]
    assert [judge(verifier.check_batch, batch) for batch in batches] == [
        judge(lambda batch: check_batch(batch, COIN.body), batch) for batch in batches
    ]
    assert judge(verifier.check_batch, batches[0]) == 2


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
    expected = [check(wire, COIN.body) for wire in good_and_bad()] * 200
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
