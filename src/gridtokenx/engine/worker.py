"""A verify worker: reads chunks of transactions from its input, answers on its output, ends when its input does.

    python -m gridtokenx.engine.worker gridtokenx.chains.consortium:CONSORTIUM [PROGRAM]

A frame is its length (4 bytes, big-endian) and MessagePack. The first frame out says that the chain is loaded; then
each frame in is a list of transactions and each frame out the list of their verdicts, with how often the program that
judges signatures (`engine/signatures.py`) has failed so far. Without PROGRAM the library judges.
"""

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from gridtokenx.engine.signatures import Judge, SignatureProgram, judge_by_library
from gridtokenx.ledger.crypto import hash_bytes, merkle_leaf
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.transaction import Opened, SignedPart, keys_hash, open_transaction, require_valid

NICENESS: Final = 5
"""How far workers stand back from the process that makes blocks."""

FIELD_CHARACTERS_MAX: Final = 120
"""A field is named for people; a sender does not decide how long that gets."""


class Checked(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=0):
    """Canonical, and every signature is valid. What a mempool needs to look at it without decoding it again. `leaf` is
    its hash in a batch's Merkle tree; `urgent` says that it goes first in a block, `while_frozen` that all of it is
    taken although the market is frozen."""

    signatures: int
    transaction_id: bytes
    chain: str
    sender: bytes
    keys_hash: bytes
    nonce: int
    expires_ms: int
    leaf: bytes
    urgent: bool
    while_frozen: bool


class Refused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """No transaction at all, whatever the state says."""

    code: int
    field: str


Verdict = Checked | Refused


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What a worker says to a list of transactions."""

    verdicts: list[Verdict]
    program_deaths: int
    """How often the program that judges signatures has failed in this worker so far."""


encode_frame_content = msgspec.msgpack.Encoder().encode
_decode_transactions = msgspec.msgpack.Decoder(list[bytes]).decode


def load_chain(import_path: str) -> Chain:
    """The chain of an import path such as `gridtokenx.chains.consortium:CONSORTIUM`.

    Raises ImportError or AttributeError if there is none, TypeError if it is something else.
    """
    module, _, name = import_path.partition(":")
    chain = getattr(importlib.import_module(module), name)
    if not isinstance(chain, Chain):
        raise TypeError(f"{import_path} is no chain")
    return chain


def check(wire: bytes, chain: Chain) -> Verdict:
    """`check_transaction` with its answer as a value."""
    return check_all([wire], chain, judge_by_library)[0]


def check_all(wires: Sequence[bytes], chain: Chain, judge: Judge) -> list[Verdict]:
    """The verdict on each, in order; their signatures are judged in one go."""
    opened = [_open(wire, chain) for wire in wires]
    parts: list[SignedPart] = []
    for one in opened:
        if isinstance(one, Opened):
            parts += one.parts
    valid = judge(parts)
    verdicts: list[Verdict] = []
    start = 0
    for wire, one in zip(wires, opened, strict=True):
        if isinstance(one, Opened):
            end = start + len(one.parts)
            verdicts.append(_conclude(wire, one, valid[start:end], chain))
            start = end
        else:
            verdicts.append(one)
    return verdicts


def _open(wire: bytes, chain: Chain) -> Opened | Refused:
    try:
        return open_transaction(wire, chain.body)
    except Rejected as rejection:
        return _refused(rejection)


def _conclude(wire: bytes, opened: Opened, valid: list[bool], chain: Chain) -> Verdict:
    try:
        signatures = require_valid(opened, valid)
    except Rejected as rejection:
        return _refused(rejection)
    auth, body, urgent = opened.envelope.auth, opened.body, chain.urgent
    return Checked(
        signatures,
        hash_bytes(opened.envelope.body),
        body.chain,
        body.sender,
        keys_hash(auth.algorithm, auth.threshold, auth.keys),
        body.nonce,
        body.expires_ms,
        merkle_leaf(wire),
        all(type(message) in urgent for message in body.messages),
        all(type(message) in chain.while_frozen for message in body.messages),
    )


def _refused(rejection: Rejected) -> Refused:
    return Refused(int(rejection.code), rejection.field[:FIELD_CHARACTERS_MAX])


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Write one frame and pass it on."""
    stream.write(len(content).to_bytes(4, "big") + content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame's content; None when the other side has closed, even in the middle of a frame."""
    length = stream.read(4)
    if len(length) < 4:
        return None
    content = stream.read(int.from_bytes(length, "big"))
    return content if len(content) == int.from_bytes(length, "big") else None


def main(import_path: str, program: Path | None) -> None:
    """Serve until the input ends."""
    # Ctrl-C reaches the whole group of a terminal: the node decides when its workers end, by closing their input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where there are more of them than cores, blocks come first: what is not checked yet is not late yet.
    os.nice(NICENESS)
    chain = load_chain(import_path)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # The program inherits both: it stands back as far, and does not hear Ctrl-C.
    with contextlib.closing(SignatureProgram(program)) as signatures:
        write_frame(sink, encode_frame_content("ready"))
        while (content := read_frame(source)) is not None:
            verdicts = check_all(_decode_transactions(content), chain, signatures.judge)
            write_frame(sink, encode_frame_content(Answer(verdicts, signatures.deaths)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
