"""Units of the ledger. All quantities are integers and carry their unit in their name.

Energy is in Wh, WATT money in millionths (`_micro`), prices in millionths of a WATT per kWh,
time in milliseconds since the Unix epoch (UTC). Delivery intervals are quarters of an hour numbered
from the epoch, so an interval's number needs four bytes until the year 124,000.
"""

MICRO_PER_WATT = 1_000_000
WH_PER_KWH = 1_000
PARTS_PER_MILLION = 1_000_000

INTERVAL_MS = 900_000
INTERVALS_PER_DAY = 96
DAY_MS = INTERVAL_MS * INTERVALS_PER_DAY
BANGKOK_OFFSET_MS = 7 * 3_600_000


def interval_of(time_ms: int) -> int:
    """The delivery interval that contains the instant."""
    return time_ms // INTERVAL_MS


def interval_start_ms(interval: int) -> int:
    """First millisecond of delivery."""
    return interval * INTERVAL_MS


def interval_end_ms(interval: int) -> int:
    """First millisecond after delivery."""
    return (interval + 1) * INTERVAL_MS


def interval_key(interval: int) -> bytes:
    """Four bytes, big-endian, so that keys sort as numbers do."""
    return interval.to_bytes(4, "big")


def bangkok_day_start_ms(time_ms: int) -> int:
    """00:00 Bangkok time (UTC+7, no daylight saving) of the day that contains the instant, in UTC."""
    return (time_ms + BANGKOK_OFFSET_MS) // DAY_MS * DAY_MS - BANGKOK_OFFSET_MS


def value_micro(price_micro: int, energy_wh: int) -> int:
    """Price (per kWh) times energy; exact for prices on the tick, else rounded down."""
    return price_micro * energy_wh // WH_PER_KWH


def energy_wh_of(power_w: int) -> int:
    """Energy of a constant power over one delivery interval; a fraction of a Wh is dropped."""
    return power_w // 4
