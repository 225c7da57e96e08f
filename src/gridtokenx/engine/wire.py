"""What goes over a node's socket: frames of MessagePack, each behind its length (4 bytes, big-endian).

Every request carries a number of the caller's choice, its reply carries the same; replies may overtake each other.
After `Subscribe` a `Committed` comes for each block, without a number.
"""

import asyncio
from typing import Final

import msgspec

from gridtokenx.engine.mempool import Answer

FRAME_BYTES_MAX: Final = 8_388_608
TRANSACTIONS_PER_REQUEST_MAX: Final = 2_000
"""A chunk is admitted in one go, and nobody should wait long for another's."""


class FrameInvalid(Exception):
    """The other side sent what is no frame: the connection is closed."""


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Base of everything on the wire."""


class Submit(Part, frozen=True, tag=1):
    """Transactions, as their exact bytes. Reply: `Answers`, when all that was accepted is in the journal; with
    `acceptance` each pending one's answer carries the node's promise."""

    request: int
    transactions: list[bytes]
    acceptance: bool = False


class Status(Part, frozen=True, tag=2):
    """Where transactions are, by id. Reply: `Answers`."""

    request: int
    transaction_ids: list[bytes]


class Prove(Part, frozen=True, tag=3):
    """What state says of a prefixed key after the last committed block. Reply: `Proven`."""

    request: int
    key: bytes


class GetInfo(Part, frozen=True, tag=4):
    """Reply: `NodeInfo`."""

    request: int


class GetMetrics(Part, frozen=True, tag=5):
    """Reply: `MetricsText`."""

    request: int


class Subscribe(Part, frozen=True, tag=6):
    """From now on a `Committed` for each block. Reply: the `NodeInfo` to begin with."""

    request: int


class Answers(Part, frozen=True, tag=16):
    """One answer for each transaction or id, in their order."""

    request: int
    answers: list[Answer]


class Proven(Part, frozen=True, tag=17):
    """The record under a key (None if there is none) and the parts of its `commitment.Proof` under `app_hash`."""

    request: int
    height: int
    app_hash: bytes
    value: bytes | None
    proof_items: bytes
    proof_path: tuple[bytes, ...]


class NodeInfo(Part, frozen=True, tag=18):
    """Where the node stands. `time_ms` is the last block's, `now_ms` what the clock says; `speed` is chain time per
    real time. `phases` are seconds of each phase of the last block, `alarms` what people should look at."""

    request: int
    chain: str
    kind: str
    protocol: int
    height: int
    time_ms: int
    app_hash: bytes
    now_ms: int
    speed: int
    node_id: bytes
    pending: int
    pending_bytes: int
    workers_lost: int
    phases: dict[str, float]
    alarms: list[str]


class MetricsText(Part, frozen=True, tag=19):
    """In Prometheus' format."""

    request: int
    text: bytes


class Failed(Part, frozen=True, tag=20):
    """The request could not be done: `code` is a kernel code, `field` names what is wrong."""

    request: int
    code: int
    field: str


class Committed(Part, frozen=True, tag=32):
    """A block is in the database."""

    height: int
    time_ms: int
    app_hash: bytes


Request = Submit | Status | Prove | GetInfo | GetMetrics | Subscribe
Reply = Answers | Proven | NodeInfo | MetricsText | Failed | Committed

_encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def frame(part: Request | Reply) -> bytes:
    """The bytes on the wire. Raises `FrameInvalid` if it is too large."""
    content = _encode(part)
    if len(content) > FRAME_BYTES_MAX:
        raise FrameInvalid(f"a frame of {len(content)} bytes: at most {FRAME_BYTES_MAX} are allowed")
    return len(content).to_bytes(4, "big") + content


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next frame's content; None when the other side has closed. Raises `FrameInvalid`."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > FRAME_BYTES_MAX:
            raise FrameInvalid(f"a frame of {length} bytes: at most {FRAME_BYTES_MAX} are allowed")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
