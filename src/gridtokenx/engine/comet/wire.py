"""Frames on CometBFT's sockets: a message behind its length, an unsigned varint (seven bits a byte, lowest first)."""

import asyncio
from typing import Final

from google.protobuf.message import DecodeError

from gridtokenx.engine.comet.abci_pb2 import Request, Response

MESSAGE_BYTES_MAX: Final = 128 * 1024 * 1024
"""A block of CometBFT has at most 100 MB, a snapshot's chunk 16 MB."""

_LENGTH_BYTES_MAX: Final = 5


class MessageInvalid(Exception):
    """What came over the socket is no message of its protocol."""


def framed(content: bytes) -> bytes:
    """The message behind its length."""
    return varint(len(content)) + content


async def read_frame(reader: asyncio.StreamReader, bytes_max: int) -> bytes:
    """The next message. Raises `asyncio.IncompleteReadError` when the other side has closed, even inside a frame, and
    `MessageInvalid` for a length above `bytes_max` before any of it is read."""
    length = await _read_varint(reader)
    if length > bytes_max:
        raise MessageInvalid(f"a message of {length} bytes, at most {bytes_max} are read")
    return await reader.readexactly(length)


def frame(response: Response) -> bytes:
    """An answer on an ABCI socket."""
    return framed(response.SerializeToString())


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on an ABCI socket; None when the other side has closed. Raises `MessageInvalid`."""
    try:
        return Request.FromString(await read_frame(reader, MESSAGE_BYTES_MAX))
    except asyncio.IncompleteReadError:
        return None
    except DecodeError as error:
        raise MessageInvalid(f"no ABCI request: {error}") from error


async def _read_varint(reader: asyncio.StreamReader) -> int:
    value = 0
    for position in range(_LENGTH_BYTES_MAX):
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value
    raise MessageInvalid("a length of more than five bytes")


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; `value` is not negative."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
