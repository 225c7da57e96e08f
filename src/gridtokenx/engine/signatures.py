"""Who judges the signatures in a worker: a program that does hundreds of them in one go, or the library.

The program is `gridtokenx-signatures` of `packages/cometbft`: CometBFT's own Ed25519 library with the rules of ZIP-215,
those of `ledger.crypto.signature_is_valid`, at a third of the cost. Both say the same to every input
(`docs/decisions/0017-signatures-in-batches.md`). The program is optional, and one that ends or does not make
sense means "judge here", never "invalid".
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from struct import pack
from typing import IO, Final

from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, signature_is_valid
from gridtokenx.ledger.transaction import SignedPart

PROGRAM: Final = "gridtokenx-signatures"
PROGRAM_VARIABLE: Final = "GRIDTOKENX_SIGNATURES"
"""Names another program than the one beside this interpreter. If there is none of that name, the library judges."""

FRAME_PARTS_MAX: Final = 512
"""As many as the program takes, and puts into one equation."""

FRAME_BYTES_MAX: Final = 1_048_576
"""Keeps small what the program holds; a single longer part is a frame all the same."""

SILENCE_MS_MAX: Final = 10_000
"""A frame takes some 20 ms. One that takes or gives nothing for so long has failed."""

Judge = Callable[[Sequence[SignedPart]], list[bool]]
"""Says of each, in order, whether its signature is valid."""

_GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_IDENTITY: Final = b"\x01" + bytes(31)
_IDENTITY_NOT_CANONICAL: Final = b"\xee" + 30 * b"\xff" + b"\x7f"

TRIAL: Final[tuple[SignedPart, ...]] = (
    (_IDENTITY, b"", _IDENTITY + bytes(32)),
    (_IDENTITY_NOT_CANONICAL, b"trial", _IDENTITY + bytes(32)),
    (_IDENTITY, b"trial", _IDENTITY_NOT_CANONICAL + bytes(32)),
    (_IDENTITY, b"", _IDENTITY + _GROUP_ORDER.to_bytes(32, "little")),
    (_IDENTITY, b"", bytes(64)),
    (b"\x02" + bytes(31), b"", _IDENTITY + bytes(32)),
)
"""What libraries with other rules, or other programs, answer otherwise."""


class _Nonsense(Exception):
    """The program ended, fell silent, or said what no judge says."""


def find_program() -> Path | None:
    """The program: the one that `GRIDTOKENX_SIGNATURES` names, else the one beside this interpreter; None if there is
    none."""
    named = os.environ.get(PROGRAM_VARIABLE)
    found = shutil.which(named or str(Path(sys.executable).parent / PROGRAM))
    return Path(found) if found else None


def judge_by_library(parts: Sequence[SignedPart]) -> list[bool]:
    """What the ledger says of each."""
    return [signature_is_valid(signature, signed, key) for key, signed, signature in parts]


class SignatureProgram:
    """The program as a child of this process, and the library in its place where it fails."""

    def __init__(self, path: Path | None) -> None:
        """Start it, unless there is none, and try it out."""
        self.deaths = 0
        """How often it has ended, did not start or did not make sense."""
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    @property
    def process_id(self) -> int | None:
        """Of the program; None while the library judges."""
        return None if self._process is None else self._process.pid

    def judge(self, parts: Sequence[SignedPart]) -> list[bool]:
        """Whether each is valid, in order. Holds a frame at a time, however long the list."""
        if self._process is None:
            return judge_by_library(parts)
        verdicts: list[bool] = []
        for frame_parts in _frames(parts):
            verdicts += self._judge_frame(frame_parts)
        return verdicts

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                _stream(process.stdin).close()
            _stream(process.stdout).close()
            process.wait()

    def _judge_frame(self, parts: Sequence[SignedPart]) -> list[bool]:
        if self._process is None:
            return judge_by_library(parts)
        try:
            return _ask(self._process, parts)
        except (_Nonsense, OSError):
            self._fail()
            self._start()
            return judge_by_library(parts)

    def _start(self) -> None:
        """Another one, if it judges the trial as the library does; else the library from now on."""
        if self._path is None:
            return
        try:
            self._process = subprocess.Popen([self._path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            # A full pipe takes what it can, so that waiting for it has an end.
            os.set_blocking(_stream(self._process.stdin).fileno(), False)
            if _ask(self._process, TRIAL) != judge_by_library(TRIAL):
                raise _Nonsense
        except (_Nonsense, OSError):
            self._fail()

    def _fail(self) -> None:
        self.deaths += 1
        if self._process is not None:
            # What does not make sense may not end when its input does.
            self._process.kill()
        self.close()


def _frames(parts: Sequence[SignedPart]) -> Iterator[Sequence[SignedPart]]:
    """The parts in runs that make one frame each."""
    start = size = 0
    for position, (_, signed, _) in enumerate(parts):
        size += len(signed)
        if position > start and (size > FRAME_BYTES_MAX or position - start == FRAME_PARTS_MAX):
            yield parts[start:position]
            start, size = position, len(signed)
    if parts:
        yield parts[start:]


def _ask(process: "subprocess.Popen[bytes]", parts: Sequence[SignedPart]) -> list[bool]:
    """The program's verdicts on one frame, which it reads whole before it answers, so neither waits for the other.

    Raises `_Nonsense` or OSError.
    """
    keys, messages, signatures = zip(*parts, strict=True)
    if set(map(len, keys)) != {PUBLIC_KEY_BYTES} or set(map(len, signatures)) != {SIGNATURE_BYTES}:
        return judge_by_library(parts)
    lengths = [*map(len, messages)]
    count = len(parts)
    size = 4 + count * (4 + PUBLIC_KEY_BYTES + SIGNATURE_BYTES) + sum(lengths)
    frame = b"".join([pack(f">{count + 2}I", size, count, *lengths), *keys, *signatures, *messages])
    _write(_stream(process.stdin).fileno(), frame)
    answer = _read(_stream(process.stdout).fileno(), 4 + count)
    verdicts = answer[4:]
    if answer[:4] != pack(">I", count) or verdicts.translate(None, b"\x00\x01"):
        raise _Nonsense
    return [*map(bool, verdicts)]


def _write(pipe: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        _wait(pipe, select.POLLOUT)
        left = left[os.write(pipe, left) :]


def _read(pipe: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        _wait(pipe, select.POLLIN)
        more = os.read(pipe, size - len(content))
        if not more:
            raise _Nonsense
        content += more
    return content


def _wait(pipe: int, event: int) -> None:
    waiting = select.poll()
    waiting.register(pipe, event)
    if not waiting.poll(SILENCE_MS_MAX):
        raise _Nonsense


def _stream(pipe: "IO[bytes] | None") -> IO[bytes]:
    assert pipe is not None, "the program is started with pipes"
    return pipe
