"""Canonical bytes: MessagePack arrays of fixed shape, one encoding for each value.

`Decoder` accepts exactly the bytes that `encode` makes: msgspec itself refuses trailing bytes, floats
and extra items, and comparing with a second encoding refuses the rest (numbers or lengths that are
not minimal, missing trailing items).
"""

from typing import Any, Generic, TypeVar

import msgspec

from gridtokenx.ledger.errors import KernelCode, Rejected

T = TypeVar("T")

encode = msgspec.msgpack.Encoder().encode


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """A value in state or on the wire: an immutable array of fields. Holds no cycles (`gc=False`)."""


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True, tag=0):
    """Something an account can ask for. Each message has a small integer tag of its own, for ever."""


class Decoder(Generic[T]):
    """Strict decoder of one type."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def __call__(self, data: bytes, field: str = "") -> T:
        """The value; raises `Rejected(MALFORMED)` unless `encode(value) == data`."""
        try:
            value: T = self._decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Rejected(KernelCode.MALFORMED, field or _field_of(error)) from None
        if encode(value) != data:
            raise Rejected(KernelCode.MALFORMED, field or "not canonical")
        return value

    def trusted(self, data: bytes) -> T:
        """The value of bytes that this process has already found canonical, or wrote itself."""
        value: T = self._decode(data)
        return value


def _field_of(error: Exception) -> str:
    """The path that msgspec names at the end of its message: ``... - at `$[3]` ``."""
    text = str(error)
    return text.rsplit("`", 2)[1] if text.endswith("`") else text
