"""A verify worker: reads chunks of transactions from its input, answers on its output, ends when its input does.

    python -m gridtokenx.engine.worker gridtokenx.chains.consortium:CONSORTIUM

A frame is its length (4 bytes, big-endian) and MessagePack. The first frame out says that the chain is loaded; then
each frame in is a list of transactions and each frame out the list of their verdicts.
"""

import importlib
import os
import signal
import sys
from typing import IO, Any, Final

import msgspec

from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.transaction import Body, keys_hash, open_transaction

NICENESS: Final = 5
"""How far workers stand back from the process that makes blocks."""

FIELD_CHARACTERS_MAX: Final = 120
"""A field is named for people; a sender does not decide how long that gets."""


class Checked(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=0):
    """Canonical, and every signature is valid. What a mempool needs to look at it without decoding it again."""

    signatures: int
    transaction_id: bytes
    chain: str
    sender: bytes
    keys_hash: bytes
    nonce: int
    expires_ms: int


class Refused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """No transaction at all, whatever the state says."""

    code: int
    field: str


Verdict = Checked | Refused

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


def check(wire: bytes, decode_body: Decoder[Body[Any]]) -> Verdict:
    """`open_transaction` with its answer as a value."""
    try:
        signatures, envelope, body = open_transaction(wire, decode_body)
    except Rejected as rejection:
        return Refused(int(rejection.code), rejection.field[:FIELD_CHARACTERS_MAX])
    auth = envelope.auth
    return Checked(
        signatures,
        hash_bytes(envelope.body),
        body.chain,
        body.sender,
        keys_hash(auth.algorithm, auth.threshold, auth.keys),
        body.nonce,
        body.expires_ms,
    )


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


def main(import_path: str) -> None:
    """Serve until the input ends."""
    # Ctrl-C reaches the whole group of a terminal: the node decides when its workers end, by closing their input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where there are more of them than cores, blocks come first: what is not checked yet is not late yet.
    os.nice(NICENESS)
    decode_body = load_chain(import_path).body
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    write_frame(sink, encode_frame_content("ready"))
    while (content := read_frame(source)) is not None:
        verdicts = [check(wire, decode_body) for wire in _decode_transactions(content)]
        write_frame(sink, encode_frame_content(verdicts))


if __name__ == "__main__":
    main(sys.argv[1])
