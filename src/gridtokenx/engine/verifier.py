"""Verify workers: signatures are checked in processes of their own, some hundreds at a time.

A worker that dies means "verify here", never "invalid": the chunk it had is checked in this process, and another
worker takes its place.
"""

import contextlib
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, Final

import msgspec

from gridtokenx.engine.worker import (
    Refused,
    Verdict,
    check,
    encode_frame_content,
    load_chain,
    read_frame,
    write_frame,
)
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import decode_batch, decode_batch_body
from gridtokenx.ledger.errors import KernelCode, Rejected

CHUNK_TRANSACTIONS_MAX: Final = 500
"""One trip to a worker and back: long enough that the trip does not count, short enough to share work evenly."""

CHUNK_BYTES_MAX: Final = 1_048_576

_decode_verdicts = msgspec.msgpack.Decoder(list[Verdict]).decode


class _Job:
    """One call of `submit`: its transactions go to workers in pieces, and some wait for others'."""

    __slots__ = ("future", "missing", "transactions", "verdicts")

    def __init__(self, transactions: Sequence[bytes]) -> None:
        self.transactions = transactions
        self.verdicts: list[Verdict] = [_UNCHECKED] * len(transactions)
        self.missing = len(transactions)
        self.future: Future[list[Verdict]] = Future()


@dataclass(slots=True)
class _Worker:
    """A place in the pool. Without a process its thread checks by itself."""

    process: "subprocess.Popen[bytes] | None"


_UNCHECKED: Final = Refused(int(KernelCode.INTERNAL), "not checked")

_Piece = tuple[_Job, int, int]
"""Transactions from `start` to `end` of a job."""


class Verifier:
    """A pool of worker processes, each with a thread here that talks to it."""

    def __init__(self, chain_import_path: str, workers: int) -> None:
        """Start the workers and wait until they are ready. With 0 workers one thread checks here.

        Raises what `load_chain` raises.
        """
        self._import_path = chain_import_path
        self._decode_body = load_chain(chain_import_path).body
        self._pieces: deque[_Piece] = deque()
        self._changed = threading.Condition()
        self._closing = False
        processes = [_spawn(chain_import_path) for _ in range(workers)]
        self.workers = [_Worker(process if _is_ready(process) else None) for process in processes]
        self.deaths = sum(worker.process is None for worker in self.workers)
        """Worker processes that ended, or did not start, without being asked to."""
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), name=f"verify-{number}", daemon=True)
            for number, worker in enumerate(self.workers or [_Worker(None)])
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, transactions: Sequence[bytes]) -> "Future[list[Verdict]]":
        """Verdicts in the order of the transactions, some time later."""
        job = _Job(transactions)
        if not transactions:
            job.future.set_result([])
            return job.future
        with self._changed:
            for start in range(0, len(transactions), CHUNK_TRANSACTIONS_MAX):
                self._pieces.append((job, start, min(start + CHUNK_TRANSACTIONS_MAX, len(transactions))))
            self._changed.notify_all()
        return job.future

    def check_batch(self, wire: bytes) -> int:
        """As `ledger.batch.check_batch`, by all workers at once: the same answer, the same rejection."""
        if len(wire) > limits.BATCH_BYTES_MAX:
            raise Rejected(KernelCode.TOO_LARGE, "batch")
        body = decode_batch_body(decode_batch(wire, "batch").body, "batch.body")
        signatures = 0
        for position, verdict in enumerate(self.submit(body.transactions).result()):
            if isinstance(verdict, Refused):
                field = f"transactions[{position}].{verdict.field}"
                raise Rejected(KernelCode.BATCH_TRANSACTION_INVALID, field)
            signatures += verdict.signatures
        return signatures

    def close(self) -> None:
        """Finish what was submitted, and let the workers end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self, worker: "_Worker") -> None:
        """Hand pieces to one worker until the pool closes."""
        while pieces := self._take():
            transactions = [wire for job, start, end in pieces for wire in job.transactions[start:end]]
            verdicts = None if worker.process is None else _ask(worker.process, transactions)
            if verdicts is None or len(verdicts) != len(transactions):
                verdicts = [check(wire, self._decode_body) for wire in transactions]
                self._replace(worker)
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
                job, start, end = self._pieces[0]
                count += end - start
                size += sum(map(len, job.transactions[start:end]))
                if taken and (count > CHUNK_TRANSACTIONS_MAX or size > CHUNK_BYTES_MAX):
                    break
                taken.append(self._pieces.popleft())
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
        successor = _spawn(self._import_path)
        worker.process = successor if _is_ready(successor) else None
        with self._changed:
            self.deaths += 1


def _spawn(import_path: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gridtokenx.engine.worker", import_path]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _is_ready(process: "subprocess.Popen[bytes]") -> bool:
    if read_frame(_stream(process.stdout)) is not None:
        return True
    _end(process)
    return False


def _ask(process: "subprocess.Popen[bytes]", transactions: list[bytes]) -> list[Verdict] | None:
    """The worker's verdicts, or None if it is dead or does not make sense."""
    try:
        write_frame(_stream(process.stdin), encode_frame_content(transactions))
        answer = read_frame(_stream(process.stdout))
        return None if answer is None else _decode_verdicts(answer)
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
