"""What can be asked of settlement, and its codes. Tags 0x70 to 0x7f, codes 400 to 499."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.crypto import READING_DOMAIN
from gridtokenx.ledger.transaction import PublicKey, Signature, SignedMessage, Small
from gridtokenx.modules.identity.messages import Pseudonym, Register
from gridtokenx.modules.market.messages import Interval32


class SettlementCode(IntEnum):
    """Why settlement says no."""

    METER_UNKNOWN = 400
    METER_KEY_WRONG = 401
    READING_OF_ANOTHER_CHAIN = 402
    READING_TOO_EARLY = 403
    READING_REPEATED = 404
    READING_LATE = 405
    REGISTER_WENT_BACK = 406
    READING_OVER_CAPACITY = 407
    INTERVAL_UNKNOWN = 408
    NOT_THE_DISTRIBUTOR = 409
    NOTHING_TO_CORRECT = 410
    CAUSE_UNKNOWN = 411
    INTERVAL_SETTLING = 412


class Cause(IntEnum):
    """Why a reading is corrected."""

    LATE = 0
    METER_FAULT = 1
    TRANSMISSION_FAULT = 2


class Reading(Record, frozen=True):
    """The registers of a meter at the end of an interval: cumulative Wh, signed by the meter's own key."""

    meter: Pseudonym
    interval: Interval32
    import_wh: Register
    export_wh: Register
    public_key: PublicKey
    signature: Signature


def signed_reading(chain: str, meter: bytes, interval: int, import_wh: int, export_wh: int) -> bytes:
    """The bytes that a meter signs."""
    return READING_DOMAIN + encode((chain, meter, interval, import_wh, export_wh))


def reading_part(chain: str, reading: Reading) -> tuple[bytes, bytes, bytes]:
    """(public key, signed bytes, signature)."""
    signed = signed_reading(chain, reading.meter, reading.interval, reading.import_wh, reading.export_wh)
    return reading.public_key, signed, reading.signature


class SubmitReadings(SignedMessage, frozen=True, tag=0x70):
    """Anybody may carry readings; the meters signed them. All count or none does. One that comes after its
    interval was estimated is the one correction."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    readings: Annotated[tuple[Reading, ...], msgspec.Meta(min_length=1, max_length=64)]

    def signed_parts(self) -> list[tuple[bytes, bytes, bytes]]:
        """One for each reading."""
        return [reading_part(self.chain, reading) for reading in self.readings]


class CorrectReading(SignedMessage, frozen=True, tag=0x71):
    """The distributor of the site's zone replaces a reading, once, with cause, in the correction window."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    reading: Reading
    cause: Small

    def signed_parts(self) -> list[tuple[bytes, bytes, bytes]]:
        """One."""
        return [reading_part(self.chain, self.reading)]
