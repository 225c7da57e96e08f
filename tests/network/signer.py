"""A validator whose clock is wrong: it signs the times of its votes and proposals so much too late or too early.

CometBFT reads its machine's clock where no test can reach it (a static program that asks no library). But it lets a
signer in another process put times under what is signed, and that is all of a validator's clock that others see.
Messages are protobuf behind their length, over a socket on which CometBFT listens.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ed25519_zebra import ed_sign

from gridtokenx.engine.comet.home import ConsensusHome
from gridtokenx.engine.comet.keys import NodeKeys
from gridtokenx.engine.folder import socket_address

SOCKET: Final = "signer.sock"
AGAIN_SECONDS: Final = 0.1
VARINT, FIXED64, BYTES = 0, 1, 2
PUBLIC_KEY_REQUEST, VOTE_REQUEST, PROPOSAL_REQUEST = 1, 3, 5
"""Fields of the message; the answer to each has the next number."""
SIGNED: Final = {VOTE_REQUEST: (4, 8), PROPOSAL_REQUEST: (5, 7)}
"""Where block and signature stand in a vote and in a proposal."""

Fields = dict[int, tuple[int, int | bytes]]
"""Number → (wire type, value), in the order in which they came."""


def use_signer(home: ConsensusHome) -> None:
    """Let this home's CometBFT wait for a signer from its next start on."""
    home.config.write_text(f'priv_validator_laddr = "unix://run/{SOCKET}"\n{home.config.read_text()}')


def use_own_key(home: ConsensusHome) -> None:
    """Let it sign by itself again."""
    lines = home.config.read_text().splitlines(keepends=True)
    home.config.write_text("".join(line for line in lines if not line.startswith("priv_validator_laddr")))


class SkewedSigner:
    """Signs for one validator, with times that are wrong by so much."""

    def __init__(self, keys: NodeKeys, chain: str, skew_seconds: int) -> None:
        self._keys = keys
        self._chain = chain
        self._skew_ns = skew_seconds * 1_000_000_000
        self._times: dict[tuple[object, ...], bytes] = {}
        """What was signed once is signed again with the time that it had: another would be a second vote."""

    async def run(self, socket: Path) -> None:
        """Serve CometBFT at this socket, whenever it is there; for ever."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_unix_connection(socket_address(socket))
                try:
                    while True:
                        request = await reader.readexactly(await _read_varint(reader))
                        answer = self.answer(request)
                        writer.write(_varint(len(answer)) + answer)
                        await writer.drain()
                finally:
                    writer.close()
            await asyncio.sleep(AGAIN_SECONDS)

    def answer(self, message: bytes) -> bytes:
        """To one request."""
        ((kind, (_, content)),) = _fields(message).items()
        assert isinstance(content, bytes)
        answer = b""  # to a ping
        if kind == PUBLIC_KEY_REQUEST:
            answer = _part(1, _part(1, self._keys.validator_key))
        elif kind in SIGNED:
            (_, unsigned) = _fields(content)[1]
            assert isinstance(unsigned, bytes)
            answer = _part(1, self._sign(_fields(unsigned), *SIGNED[kind]))
        return _part(kind + 1, answer)

    def _sign(self, fields: Fields, block: int, signature: int) -> bytes:
        """A vote or a proposal, with its time (the field after `block`) and its signature. What is signed has the same
        fields up to its time; but height and round are of fixed length, and no block is left out."""
        place = tuple(fields.get(number) for number in (1, 2, 3, block))
        at = self._times.setdefault(place, _timestamp(time.time_ns() + self._skew_ns))
        fields = {**fields, block + 1: (BYTES, at)}
        canonical: Fields = {}
        for number in range(1, block + 2):
            if number not in fields:
                continue
            kind, value = fields[number]
            if number in (2, 3):
                kind = FIXED64
            if number == block and isinstance(value, bytes) and 1 not in _fields(value):
                continue
            canonical[number] = kind, value
        canonical[block + 2] = BYTES, self._chain.encode()
        signed = _encode(canonical)
        fields[signature] = BYTES, bytes(ed_sign(self._keys.validator_seed, _varint(len(signed)) + signed))
        return _encode(fields)


def _timestamp(time_ns: int) -> bytes:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return _encode({1: (VARINT, seconds), 2: (VARINT, nanoseconds)})


def _fields(message: bytes) -> Fields:
    return dict(_parse(message))


def _parse(message: bytes) -> Iterator[tuple[int, tuple[int, int | bytes]]]:
    at = 0
    while at < len(message):
        tag, at = _varint_at(message, at)
        value, at = _varint_at(message, at)
        if tag & 7 == VARINT:
            yield tag >> 3, (VARINT, value)
        elif tag & 7 == BYTES:
            yield tag >> 3, (BYTES, message[at : at + value])
            at += value
        else:
            raise ValueError(f"wire type {tag & 7} stands in no request")


def _encode(fields: Fields) -> bytes:
    """In the order of the numbers; zeros are left out."""
    encoded = b""
    for number, (kind, value) in sorted(fields.items()):
        if isinstance(value, bytes):
            encoded += _part(number, value)
        elif value:
            encoded += _varint(number << 3 | kind)
            encoded += value.to_bytes(8, "little") if kind == FIXED64 else _varint(value)
    return encoded


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def _varint_at(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


async def _read_varint(reader: asyncio.StreamReader) -> int:
    value = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
