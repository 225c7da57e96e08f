"""Evidence against other nodes: kept on the disk, and reported to the chain by the node that found it.

    evidence/ID.evidence   a `ReportBatch`, encoded; ID is the id of the bad batch. Still to be reported.
    evidence/ID.reported   the chain has heard of it, from whomever, or will not hear of it

A node reports with its own key, if an account exists that this key alone signs for: one transaction after another,
since the ledger takes one report a participant and block. Without such an account the files wait for somebody.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from gridtokenx.engine.comet.engine import BadBatch, CometEngine
from gridtokenx.engine.comet.own_account import OwnAccount
from gridtokenx.engine.folder import sync_folder, write_durably
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import batch_id, decode_batch_header
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.crypto import merkle_path
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.modules.authority.messages import AuthorityCode, ReportBatch
from gridtokenx.modules.authority.state import MISDEEDS, MisdeedKind, misdeed_key

FILES_OF_NODE_MAX: Final = 100
"""A node that signs nothing but bad batches is proved guilty by the first: the disk is not its to fill."""

_WAITING, _DONE = ".evidence", ".reported"

_AGAIN: Final = frozenset(
    {
        AuthorityCode.REPORTS_EXCEEDED,
        KernelCode.EXPIRED,
        KernelCode.NONCE_USED,
        KernelCode.NONCE_TOO_OLD,
        KernelCode.NONCE_JUMP,
        KernelCode.QUOTA_EXCEEDED,
        KernelCode.BATCH_AUTHOR_UNKNOWN,
    }
)
"""Codes that say nothing of the evidence: a later report may be heard."""

_decode_report: Decoder[ReportBatch] = Decoder(ReportBatch)

Submit = Callable[[Sequence[bytes]], Awaitable[list[Answer]]]


class Evidence:
    """Of one node. `found` and `look` may be called by any thread; `run` is one event loop's."""

    def __init__(self, folder: Path, engine: CometEngine, account: OwnAccount) -> None:
        """Go on with what an earlier run found."""
        self._folder = folder
        self._engine = engine
        self._account = account
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._count_of: Counter[bytes] = Counter()
        """By author."""
        self._waiting: dict[str, ReportBatch] = {}
        self._under_way: tuple[str, bytes] | None = None
        """Batch id, and the id of the transaction that reports it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        self._load()

    def found(self, bad: BadBatch) -> None:
        """Write it down, once for each batch, and report it when that is possible."""
        name = batch_id(bad.batch.header).hex()
        with self._lock:
            if name in self._known or self._count_of[bad.header.author] >= FILES_OF_NODE_MAX:
                return
            self._known.add(name)
            self._count_of[bad.header.author] += 1
        transactions = list(bad.batch.transactions)
        report = ReportBatch(
            bad.batch.header,
            bad.batch.signature,
            bad.public_key,
            transactions[bad.transaction],
            tuple(merkle_path(transactions, bad.transaction)),
        )
        try:
            self._write(name, encode(report))
        except OSError as error:
            self._engine.metrics.alarm(f"evidence against node {bad.header.author.hex()} is not kept: {error}")
        with self._lock:
            self._waiting[name] = report
        if not self._may_report():
            self._engine.metrics.alarm(f"no account of this node can report {name}{_WAITING}: do it by hand")
        self.look()

    def look(self) -> None:
        """Something is new: a block, say."""
        if self._loop is not None and self._waiting:
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def run(self, submit: Submit) -> None:
        """Report, one after another, for ever."""
        self._loop = asyncio.get_running_loop()
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.report_next(submit)

    async def report_next(self, submit: Submit) -> None:
        """Submit one report, if none is under way and there is something to report. Submits nothing that the chain
        has heard of."""
        self._follow()
        if self._under_way is not None or not self._may_report():
            return
        for name, report in list(self._waiting.items()):
            header = decode_batch_header.trusted(report.header)
            key = misdeed_key(header.author, MisdeedKind.BAD_BATCH, bytes.fromhex(name))
            if self._engine.application.state.get(MISDEEDS, key) is not None:
                self._finish(name)
            elif header.expires_ms <= self._engine.head.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
                await self._submit(submit, name, report)
                return

    async def _submit(self, submit: Submit, name: str, report: ReportBatch) -> None:
        wire = self._account.signed(report)
        if len(wire) > limits.TRANSACTION_BYTES_MAX:
            self._engine.metrics.alarm(f"{name}{_WAITING} is too large to be reported by a transaction")
            del self._waiting[name]
            return
        (answer,) = await submit([wire])
        if answer.standing is Standing.PENDING:
            self._under_way = name, answer.transaction_id
        elif answer.standing is Standing.REFUSED and answer.code not in _AGAIN:
            self._engine.metrics.alarm(f"the report of {name} was refused with code {answer.code}")
            self._finish(name)

    def _follow(self) -> None:
        """What became of the report that is under way."""
        if self._under_way is None:
            return
        name, transaction_id = self._under_way
        answer = self._engine.mempool.standing(transaction_id)
        if answer.standing is Standing.PENDING:
            return
        self._under_way = None
        if answer.standing is Standing.COMMITTED and answer.code not in _AGAIN:
            self._finish(name)

    def _may_report(self) -> bool:
        return ReportBatch in self._engine.application.chain.handlers and self._account.exists

    def _load(self) -> None:
        for path in sorted(self._folder.glob("*")) if self._folder.is_dir() else ():
            try:
                report = _decode_report(path.read_bytes())
                author = decode_batch_header(report.header).author
            except (OSError, Rejected) as error:
                self._engine.metrics.alarm(f"{path} is no evidence: {error}")
                continue
            self._known.add(path.stem)
            self._count_of[author] += 1
            if path.suffix == _WAITING:
                self._waiting[path.stem] = report

    def _write(self, name: str, content: bytes) -> None:
        """Whole, or not there."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        draft = self._folder / f"{name}.draft"
        draft.unlink(missing_ok=True)
        write_durably(draft, content)
        draft.rename(self._folder / f"{name}{_WAITING}")
        sync_folder(self._folder)

    def _finish(self, name: str) -> None:
        with self._lock:
            del self._waiting[name]
        with contextlib.suppress(FileNotFoundError):  # somebody took it away
            (self._folder / f"{name}{_WAITING}").rename(self._folder / f"{name}{_DONE}")
