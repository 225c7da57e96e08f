"""One encoding for each value: everything that is not exactly it is refused."""

import contextlib
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.ledger.codec import Decoder, Message, Record, encode
from gridtokenx.ledger.errors import KernelCode, Rejected


class Inner(Record):
    flag: bool
    number: Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Outer(Record):
    name: Annotated[str, msgspec.Meta(max_length=8)]
    data: bytes
    inner: Inner
    many: tuple[Inner, ...]


class Ask(Message, tag=7):
    amount: int


class Tell(Message, tag=8):
    amount: int


decode: Decoder[Outer] = Decoder(Outer)
decode_message: Decoder[Ask | Tell] = Decoder(Ask | Tell)
VALUE = Outer("name", b"data", Inner(True, 5), (Inner(False, 0), Inner(True, 2**62)))

inners = st.builds(Inner, st.booleans(), st.integers(0, 2**62))
outers = st.builds(Outer, st.text(max_size=8), st.binary(max_size=40), inners, st.lists(inners, max_size=4).map(tuple))


def decoded(data: bytes) -> Outer | None:
    """None if it is malformed: no other code can come."""
    with contextlib.suppress(Rejected):
        return decode(data)
    with pytest.raises(Rejected) as caught:
        decode(data)
    assert caught.value.code == KernelCode.MALFORMED
    return None


@given(outers)
def test_a_value_comes_back_from_its_own_bytes(value: Outer) -> None:
    assert decode(encode(value)) == value
    assert decode.trusted(encode(value)) == value


@given(st.binary(max_size=64))
def test_whatever_decodes_has_those_bytes(data: bytes) -> None:
    value = decoded(data)
    assert value is None or encode(value) == data


@given(outers, st.data())
def test_a_changed_byte_is_refused_or_is_another_value(value: Outer, data: st.DataObject) -> None:
    wire = bytearray(encode(value))
    position = data.draw(st.integers(0, len(wire) - 1))
    wire[position] ^= data.draw(st.integers(1, 255))
    other = decoded(bytes(wire))
    assert other is None or (other != value and encode(other) == bytes(wire))


NUMBER_AT_END = encode(Inner(True, 5))
"""92 c3 05: an array of two, true, five."""


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("nothing", b""),
        ("a byte behind it", NUMBER_AT_END + b"\x00"),
        ("a byte short", NUMBER_AT_END[:-1]),
        ("five in two bytes", bytes.fromhex("92c3cc05")),
        ("five in nine bytes", bytes.fromhex("92c3cf0000000000000005")),
        ("five as a signed number", bytes.fromhex("92c3d005")),
        ("five as a float", bytes.fromhex("92c3cb4014000000000000")),
        ("a length of three bytes", bytes.fromhex("dc0002c305")),
        ("one field missing", bytes.fromhex("91c3")),
        ("one field more", bytes.fromhex("93c30500")),
        ("a number for a truth", bytes.fromhex("920105")),
        ("below the range", bytes.fromhex("92c3ff")),
        ("above the range", bytes.fromhex("92c3cf4000000000000001")),
        ("a map", bytes.fromhex("82a4666c6167c3a66e756d62657205")),
        ("nil", b"\xc0"),
    ],
)
def test_other_spellings_are_refused(name: str, wire: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        Decoder[Inner](Inner)(wire, "here")
    assert caught.value.code == KernelCode.MALFORMED
    assert caught.value.field == "here"


def test_the_place_is_named() -> None:
    with pytest.raises(Rejected) as caught:
        decode(encode(("name", b"data", (True, 5), ((True, -1),))))
    assert caught.value.field == "$[3][0][1]"


def test_a_text_must_be_utf_8() -> None:
    with pytest.raises(Rejected) as caught:
        decode(encode(VALUE).replace(b"name", b"na\xff\xfe"))
    assert caught.value.code == KernelCode.MALFORMED


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        decode(b"\x94\xa4name\xc4\x04data" + b"\x91" * 10_000)
    assert caught.value.code == KernelCode.MALFORMED


def test_messages_are_told_apart_by_their_tag() -> None:
    assert decode_message(encode(Ask(1))) == Ask(1)
    assert decode_message(encode(Tell(1))) == Tell(1)
    with pytest.raises(Rejected):
        decode_message(encode((9, 1)))
