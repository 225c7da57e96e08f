"""Frames on an ABCI socket: a message behind its length, an unsigned varint (seven bits a byte, lowest first)."""

import asyncio
from typing import Final

from google.protobuf.message import DecodeError

from gridtokenx.engine.comet.abci_pb2 import Request, Response

MESSAGE_BYTES_MAX: Final = 128 * 1024 * 1024
"""A block of CometBFT has at most 100 MB, a snapshot's chunk 16 MB."""

_LENGTH_BYTES_MAX: Final = 5


class MessageInvalid(Exception):
    """What came over the socket is no ABCI message."""


def frame(response: Response) -> bytes:
    """The message behind its length."""
    content = response.SerializeToString()
    return _varint(len(content)) + content


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None when the other side has closed, even inside a frame. Raises `MessageInvalid`."""
    try:
        length = await _read_varint(reader)
        if length > MESSAGE_BYTES_MAX:
            raise MessageInvalid(f"a message of {length} bytes, at most {MESSAGE_BYTES_MAX} are read")
        return Request.FromString(await reader.readexactly(length))
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


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
