"""What `bench gateway` makes of what it hears."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.bench.gateway import submission
from gridtokenx.bench.gateway_load import Ear, summary


def test_percentiles_are_values_that_were_measured() -> None:
    figures = summary([float(number) for number in range(100, 0, -1)])
    assert figures == {"p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0, "count": 100}
    assert summary([7.0]) == {"p50_ms": 7.0, "p99_ms": 7.0, "max_ms": 7.0, "count": 1}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_at_most_one_in_a_hundred_is_above_the_99th_percentile(measured: list[float]) -> None:
    limit = summary(measured)["p99_ms"]
    assert sum(one > limit for one in measured) * 100 <= len(measured)


def update(sequence: int, more: bytes = b"") -> bytes:
    """A frame as a gateway sends it."""
    text = b'{"topic":"blocks","kind":"update","sequence":%d,"previous":1,"data":"%s"}' % (sequence, more)
    head = bytes([0x81, len(text)]) if len(text) < 126 else bytes([0x81, 126]) + len(text).to_bytes(2, "big")
    return head + text


@pytest.mark.parametrize("step", [1, 2, 7, 100, 10_000])
def test_frames_are_counted_however_they_arrive(step: int) -> None:
    async def listen() -> dict[int, list[float]]:
        arrivals: dict[int, list[float]] = {}
        ear = Ear(arrivals)
        ear.listens.set_result(None)
        stream = update(5) + update(6, b"x" * 300) + bytes([0x89, 0]) + update(7, b"y" * 3_000)
        for start in range(0, len(stream), step):
            ear.data_received(stream[start : start + step])
        return arrivals

    heard = asyncio.run(listen())
    assert [(sequence, len(times)) for sequence, times in heard.items()] == [(5, 1), (6, 1), (7, 1)]


def test_a_submission_is_a_whole_request() -> None:
    head, _, body = submission(b"\x01\xff").partition("\r\n\r\n")
    assert body == '{"transactions":["01ff"]}'
    assert f"Content-Length: {len(body)}" in head
