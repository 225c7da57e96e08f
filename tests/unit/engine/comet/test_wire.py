"""Frames of the ABCI socket: read as they were written, however the bytes arrive; what is none is refused by name."""

import asyncio
from itertools import pairwise

import pytest
from google.protobuf.internal.decoder import _DecodeVarint
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.comet.wire import MESSAGE_BYTES_MAX, MessageInvalid, frame, read_request


def framed(request: abci.Request) -> bytes:
    """A request behind its length, by protobuf's own varint."""
    content = request.SerializeToString()
    length, prefix = len(content), b""
    while length >= 128:
        prefix += bytes([length % 128 + 128])
        length //= 128
    return prefix + bytes([length]) + content


def read(*pieces: bytes) -> list[abci.Request | None]:
    """All requests in these bytes; the pieces arrive one after another, each read as far as possible first."""

    async def run() -> list[abci.Request | None]:
        reader = asyncio.StreamReader()
        found: list[abci.Request | None] = []

        async def read_all() -> None:
            while True:
                found.append(await read_request(reader))
                if found[-1] is None:
                    return

        reading = asyncio.create_task(read_all())
        for piece in pieces:
            reader.feed_data(piece)
            for _ in range(4):
                await asyncio.sleep(0)
        reader.feed_eof()
        await reading
        return found

    return asyncio.run(run())


def echo(size: int) -> abci.Request:
    return abci.Request(echo={"message": "x" * size})


REQUESTS = st.one_of(
    st.integers(0, 20_000).map(echo),
    st.just(abci.Request(flush={})),
    st.just(abci.Request(info={})),
    st.binary(max_size=300).map(lambda tx: abci.Request(insert_tx={"tx": tx})),
    st.lists(st.binary(max_size=50)).map(lambda txs: abci.Request(process_proposal={"txs": txs, "height": 7})),
)


@pytest.mark.parametrize("size", [0, 1, 100, 125, 126, 127, 128, 129, 16_378, 16_384, 2_097_152])
def test_an_answers_length_is_a_varint(size) -> None:
    response = abci.Response(echo={"message": "x" * size})
    data = frame(response)
    length, start = _DecodeVarint(data, 0)
    assert length == len(data) - start
    assert abci.Response.FromString(data[start:]) == response


def test_a_frame_may_be_split_at_every_byte() -> None:
    request = abci.Request(insert_tx={"tx": bytes(range(256))})
    data = framed(request)
    assert data[0] >= 0x80, "its length has two bytes"
    for place in range(len(data) + 1):
        assert read(data[:place], data[place:]) == [request, None]
    assert read(*(bytes([byte]) for byte in data)) == [request, None]


@given(requests=st.lists(REQUESTS, max_size=6), cuts=st.lists(st.integers(0, 100_000), max_size=5))
def test_several_frames_at_once_and_in_pieces(requests, cuts) -> None:
    data = b"".join(map(framed, requests))
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert read(*pieces) == [*requests, None]


@given(request=REQUESTS, data=st.data())
def test_the_other_side_may_close_inside_a_frame(request, data) -> None:
    whole = framed(request)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert read(framed(echo(1)), whole[:cut]) == [echo(1), None]


def test_an_empty_frame_is_a_request_of_no_kind() -> None:
    (request, end) = read(b"\x00")
    assert request is not None and request.WhichOneof("value") is None and end is None


@pytest.mark.parametrize(
    "length",
    [
        MESSAGE_BYTES_MAX + 1,
        2**31,
        2**35 - 1,
    ],
)
def test_a_huge_length_is_refused_before_anything_is_read(length) -> None:
    prefix = b""
    while length >= 128:
        prefix += bytes([length % 128 + 128])
        length //= 128
    with pytest.raises(MessageInvalid, match="bytes"):
        read(prefix + bytes([length]))


def test_a_length_of_six_bytes_is_refused() -> None:
    with pytest.raises(MessageInvalid, match="five bytes"):
        read(b"\xff" * 5 + b"\x01")
    with pytest.raises(MessageInvalid, match="five bytes"):
        read(b"\x80" * 9)


@settings(max_examples=300)
@given(garbage=st.binary(max_size=200))
def test_garbage_is_a_request_a_refusal_or_the_end(garbage) -> None:
    try:
        found = read(garbage)
    except MessageInvalid:
        return
    assert found[-1] is None
    assert all(isinstance(request, abci.Request) for request in found[:-1])


@settings(max_examples=200)
@given(request=REQUESTS, place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_damaged_frame_raises_nothing_else(request, place, flip) -> None:
    data = bytearray(framed(request))
    data[place % len(data)] ^= flip
    try:
        read(bytes(data))
    except MessageInvalid:
        return


def test_fields_of_a_later_version_are_passed_over() -> None:
    """CometBFT sends more than is read here."""
    unknown = b"\xfa\x07\x03abc"
    content = abci.RequestInsertTx(tx=b"batch").SerializeToString() + unknown
    request = abci.Request(insert_tx=abci.RequestInsertTx.FromString(content))
    (read_back, _) = read(framed(request))
    assert read_back is not None and read_back.insert_tx.tx == b"batch"
