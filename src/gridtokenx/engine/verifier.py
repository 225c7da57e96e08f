"""Verify workers: signatures are checked in processes of their own, some hundreds at a time.

A worker that dies means "verify here", never "invalid": the chunk it had is checked in this process, and another
worker takes its place.

What a block waits for goes first. The rest takes turns: the senders who came to this node, and each author of batches
by himself; so whoever floods this node with batches delays nobody's but his own.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, Any, Final

import msgspec

from gridtokenx.engine.fair_queue import FairQueue
from gridtokenx.engine.signatures import find_program, judge_by_library
from gridtokenx.engine.worker import (
    Answer,
    Checked,
    Refused,
    Verdict,
    check_all,
    encode_frame_content,
    load_chain,
    read_frame,
    write_frame,
)
from gridtokenx.ledger.batch import Batch, BatchHeader, batch_id, open_batch
from gridtokenx.ledger.crypto import merkle_root, merkle_root_of
from gridtokenx.ledger.errors import KernelCode, Rejected

CHUNK_TRANSACTIONS_MAX: Final = 500
"""One trip to a worker and back: long enough that the trip does not count, short enough to share work evenly."""

CHUNK_BYTES_MAX: Final = 1_048_576

_decode_answer = msgspec.msgpack.Decoder(Answer).decode


@dataclass(frozen=True, slots=True)
class BatchChecked:
    """Canonical, its transactions are those under its root, each canonical and signed. Whether its author signed it,
    and may, is for the state to say."""

    batch: Batch
    header: BatchHeader
    batch_id: bytes
    checked: tuple[Checked, ...]
    """What is known of each transaction, in order."""
    signatures: int

    @property
    def urgent(self) -> bool:
        """Whether any of its transactions goes first in a block."""
        return any(checked.urgent for checked in self.checked)


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """No batch, whatever the state says: code and field of `ledger.batch.check_batch`. `transaction` is the index of
    the one that is none, and `reason` its code: then header, signature, transaction and path are evidence."""

    code: KernelCode
    field: str
    transaction: int | None = None
    reason: int = 0


BatchVerdict = BatchChecked | BatchRefused


class _Job:
    """One call of `submit`: its transactions go to workers in pieces, and some wait for others'."""

    __slots__ = ("future", "missing", "transactions", "verdicts", "wire")

    def __init__(self, transactions: Sequence[bytes], wire: bytes) -> None:
        self.transactions = transactions
        self.wire = wire
        self.verdicts: list[Verdict] = [_UNCHECKED] * len(transactions)
        self.missing = len(transactions)
        self.future: Future[list[Verdict]] = _uncancelled()


@dataclass(slots=True)
class _Worker:
    """A place in the pool. Without a process its thread checks by itself."""

    process: "subprocess.Popen[bytes] | None"
    program_deaths: int = 0
    """Of this process."""


OWN: Final = b""
"""The party of the senders who came to this node; others are authors of batches."""

_UNCHECKED: Final = Refused(int(KernelCode.INTERNAL), "not checked")

_Piece = tuple[_Job, int, int]
"""Transactions from `start` to `end` of a job."""


class Verifier:
    """A pool of worker processes, each with a thread here that talks to it."""

    def __init__(self, chain_import_path: str, workers: int, *, by_library: bool = False) -> None:
        """Start the workers and wait until they are ready. With 0 workers one thread checks here. `by_library` is for
        who checks after others: no worker takes a program beside it that judges signatures.

        Raises what `load_chain` raises.
        """
        self._program = None if by_library else find_program()
        self._import_path = chain_import_path
        self._chain = load_chain(chain_import_path)
        self._pieces: FairQueue[_Piece] = FairQueue()
        self._changed = threading.Condition()
        self._closing = False
        processes = [self._spawn() for _ in range(workers)]
        self.workers = [_Worker(process if _is_ready(process) else None) for process in processes]
        self.deaths = sum(worker.process is None for worker in self.workers)
        """Workers, and programs beside them, that ended or did not start without being asked to, or made no sense."""
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), name=f"verify-{number}", daemon=True)
            for number, worker in enumerate(self.workers or [_Worker(None)])
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, transactions: Sequence[bytes]) -> "Future[list[Verdict]]":
        """Verdicts in the order of the transactions, some time later."""
        return self._submit(_Job(transactions, b""), OWN)

    def submit_batch(self, wire: bytes, *, first: bool = False) -> "Future[BatchVerdict]":
        """The verdict on another's batch, some time later: workers check signatures and hash the transactions. With
        `first` it takes no turns."""
        answer: Future[BatchVerdict] = _uncancelled()
        try:
            batch, header = open_batch(wire)
        except Rejected as rejection:
            answer.set_result(BatchRefused(KernelCode(rejection.code), rejection.field))
            return answer
        work = self._submit(_Job(batch.transactions, wire), None if first else header.author)
        work.add_done_callback(lambda done: answer.set_result(_judge(batch, header, done.result())))
        return answer

    def hasten(self, wire: bytes) -> None:
        """A batch that was submitted before is wanted now."""
        with self._changed:
            self._pieces.hasten(lambda piece: piece[0].wire == wire)

    def check_batch(self, wire: bytes) -> int:
        """As `ledger.batch.check_batch`, by all workers at once: the same answer, the same rejection."""
        verdict = self.submit_batch(wire).result()
        if isinstance(verdict, BatchRefused):
            raise Rejected(verdict.code, verdict.field)
        return verdict.signatures

    def close(self) -> None:
        """Finish what was submitted, and let the workers end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _submit(self, job: _Job, party: bytes | None) -> "Future[list[Verdict]]":
        transactions = job.transactions
        if not transactions:
            job.future.set_result([])
            return job.future
        with self._changed:
            for start in range(0, len(transactions), CHUNK_TRANSACTIONS_MAX):
                piece = job, start, min(start + CHUNK_TRANSACTIONS_MAX, len(transactions))
                if party is None:
                    self._pieces.put_first(piece, piece[2] - start)
                else:
                    self._pieces.put(party, piece, piece[2] - start)
            self._changed.notify_all()
        return job.future

    def _serve(self, worker: "_Worker") -> None:
        """Hand pieces to one worker until the pool closes."""
        while pieces := self._take():
            transactions = [wire for job, start, end in pieces for wire in job.transactions[start:end]]
            answer = None if worker.process is None else _ask(worker.process, transactions)
            if answer is None or len(answer.verdicts) != len(transactions):
                verdicts = check_all(transactions, self._chain, judge_by_library)
                self._replace(worker)
            else:
                verdicts = answer.verdicts
                self._count(worker, answer.program_deaths)
            self._deliver(pieces, verdicts)
        if worker.process is not None:
            _end(worker.process)

    def _take(self) -> list[_Piece]:
        """The next pieces, together one chunk; nothing when the pool closes."""
        with self._changed:
            while not self._pieces and not self._closing:
                self._changed.wait()
            taken: list[_Piece] = []
            count = size = 0
            while self._pieces:
                job, start, end = self._pieces.next()
                count += end - start
                size += sum(map(len, job.transactions[start:end]))
                if taken and (count > CHUNK_TRANSACTIONS_MAX or size > CHUNK_BYTES_MAX):
                    break
                taken.append(self._pieces.take())
            return taken

    def _deliver(self, pieces: list[_Piece], verdicts: list[Verdict]) -> None:
        done = 0
        for job, start, end in pieces:
            job.verdicts[start:end] = verdicts[done : done + end - start]
            done += end - start
            with self._changed:
                job.missing -= end - start
                complete = job.missing == 0
            if complete:
                job.future.set_result(job.verdicts)

    def _replace(self, worker: "_Worker") -> None:
        """Another process for a dead one. If that does not even start, this thread checks by itself from now on."""
        if worker.process is None:
            return
        _end(worker.process)
        successor = self._spawn()
        worker.process = successor if _is_ready(successor) else None
        worker.program_deaths = 0
        with self._changed:
            self.deaths += 1

    def _count(self, worker: "_Worker", program_deaths: int) -> None:
        if program_deaths != worker.program_deaths:
            with self._changed:
                self.deaths += program_deaths - worker.program_deaths
            worker.program_deaths = program_deaths

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "gridtokenx.engine.worker", self._import_path]
        if self._program is not None:
            command.append(str(self._program))
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _uncancelled() -> "Future[Any]":
    """A future that will be answered even if whoever waits for it has given up."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _judge(batch: Batch, header: BatchHeader, verdicts: list[Verdict]) -> BatchVerdict:
    """What the verdicts on its transactions make of a batch."""
    checked = tuple([verdict for verdict in verdicts if isinstance(verdict, Checked)])
    whole = len(checked) == len(verdicts)
    root = merkle_root_of([one.leaf for one in checked]) if whole else merkle_root(list(batch.transactions))
    if root != header.root:
        return BatchRefused(KernelCode.BATCH_ROOT_WRONG, "batch.header.root")
    for position, verdict in enumerate(verdicts):
        if isinstance(verdict, Refused):
            field = f"transactions[{position}].{verdict.field}"
            return BatchRefused(KernelCode.BATCH_TRANSACTION_INVALID, field, position, verdict.code)
    signatures = sum([one.signatures for one in checked])
    return BatchChecked(batch, header, batch_id(batch.header), checked, signatures)


def _is_ready(process: "subprocess.Popen[bytes]") -> bool:
    if read_frame(_stream(process.stdout)) is not None:
        return True
    _end(process)
    return False


def _ask(process: "subprocess.Popen[bytes]", transactions: list[bytes]) -> Answer | None:
    """What the worker says, or None if it is dead or does not make sense."""
    try:
        write_frame(_stream(process.stdin), encode_frame_content(transactions))
        answer = read_frame(_stream(process.stdout))
        return None if answer is None else _decode_answer(answer)
    except (OSError, msgspec.DecodeError):
        return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close its input, so that it ends, and wait for that."""
    with contextlib.suppress(OSError):
        _stream(process.stdin).close()
    _stream(process.stdout).close()
    process.wait()


def _stream(pipe: "IO[bytes] | None") -> IO[bytes]:
    assert pipe is not None, "workers are started with pipes"
    return pipe
