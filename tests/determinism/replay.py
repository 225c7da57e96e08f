"""Replays recorded blocks and prints every app hash: run in another process, under another interpreter.

    python -m tests.determinism.replay RECORDING

Needs the ledger, msgspec and the judge of signatures; nothing else.
"""

import sys
from functools import partial
from pathlib import Path

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import Block, apply_block
from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.genesis import export_state, import_state


class Recording(Record):
    """A genesis and the blocks after it."""

    genesis: bytes
    blocks: tuple[Block, ...]


decode_recording: Decoder[Recording] = Decoder(Recording)


def replay(recording: Recording) -> list[str]:
    """The app hash after each block, and at last the hash of the whole export."""
    state, commitment = import_state(CONSORTIUM, recording.genesis)
    hashes: list[str] = []
    trades: tuple[bytes, ...] = ()
    for block in recording.blocks:
        outcome = apply_block(CONSORTIUM, state, commitment, block, trades_before=partial(tuple, trades))
        hashes.append(outcome.app_hash.hex())
        trades = outcome.trades
    return [*hashes, hash_bytes(export_state(CONSORTIUM, state)).hex()]


def save(recording: Recording, path: Path) -> None:
    """As one file."""
    path.write_bytes(encode(recording))


if __name__ == "__main__":
    print("\n".join(replay(decode_recording(Path(sys.argv[1]).read_bytes()))))
