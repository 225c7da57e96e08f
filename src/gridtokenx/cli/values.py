"""What people type, and what programs take: amounts, energies, prices, delivery times, ids; and back.

Everything raises `typer.BadParameter` with a sentence that says what would do.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import typer

from gridtokenx.ledger.quantities import INTERVAL_MS, MICRO_PER_WATT, PARTS_PER_MILLION
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source

BANGKOK = timezone(timedelta(hours=7))
DIGITS_MAX = 12
"""Before the decimal point, and of an interval's number: fits 63 bits in millionths."""
_NUMBER = re.compile(r"(\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?")
_MOMENT = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{1,2}):(\d{2})")


def _scaled(text: str, scale: int, what: str, example: str) -> int:
    """A decimal number in smaller units; no fraction may be lost. Commas stand between thousands only: whoever writes
    1,5 for one and a half must not be taken to mean fifteen."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no {what}: write {example}")
    if len(found[1].replace(",", "")) > DIGITS_MAX:
        raise typer.BadParameter(f"{text} is too much: write at most {DIGITS_MAX} digits before the decimal point")
    number = Decimal(text.replace(",", "")) * scale
    if number != number.to_integral_value():
        raise typer.BadParameter(f"{text} is no {what} of at most {len(str(scale)) - 1} decimals: write {example}")
    return int(number)


def amount_micro(text: str) -> int:
    """Millionths of a WATT, from WATT."""
    return _scaled(text, MICRO_PER_WATT, "amount of WATT", "12.50")


def parts_per_million(text: str) -> int:
    """Parts per million, from percent, 100 at most."""
    ppm = _scaled(text, PARTS_PER_MILLION // 100, "percentage", "2.5")
    if ppm > PARTS_PER_MILLION:
        raise typer.BadParameter(f"{text} is more than all: write a percentage of at most 100")
    return ppm


def price_micro(text: str) -> int:
    """Millionths of a WATT per kWh, from WATT per kWh; the ledger says whether it lies on the tick."""
    return _scaled(text, MICRO_PER_WATT, "price in WATT per kWh", "4.50")


def energy_wh(text: str) -> int:
    """Wh, from kWh; or from Wh with that unit behind it."""
    found = re.fullmatch(r"([\d.,]+) ?(kWh|Wh)?", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no energy: write 1.5 (kWh), or 1500Wh")
    number, unit = found.groups()
    return _scaled(number, 1 if unit == "Wh" else 1_000, "energy in kWh", "1.5")


def interval_number(text: str, now_ms: int) -> int:
    """A delivery interval: its number, or when it begins in Bangkok time (`14:30`: the next one, `2026-06-01 14:30`).

    `now_ms` is chain time.
    """
    if is_number(text):
        return int(text)
    start_ms = _moment_ms(text, now_ms)
    if start_ms is None or start_ms % INTERVAL_MS:
        raise typer.BadParameter(f"{text!r} is no delivery interval: write 14:30, 2026-06-01 14:30, or its number")
    return start_ms // INTERVAL_MS


def is_number(text: str) -> bool:
    """Whether this is a height, or the number of an interval."""
    return text.isdecimal() and len(text) <= DIGITS_MAX


def moment_ms(text: str, now_ms: int) -> int:
    """An instant in Bangkok time: `14:30` (the next one) or `2026-06-01 14:30`. `now_ms` is chain time."""
    found_ms = _moment_ms(text, now_ms)
    if found_ms is None:
        raise typer.BadParameter(f"{text!r} is no time: write 14:30 or 2026-06-01 14:30")
    return found_ms


def _moment_ms(text: str, now_ms: int) -> int | None:
    """An instant in Bangkok time; None for what does not even look like one."""
    found = _MOMENT.fullmatch(text)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    now = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(BANGKOK)
    try:
        day = date.fromisoformat(found[1]) if found[1] else now.date()
    except ValueError:
        raise typer.BadParameter(f"{found[1]} is no date: write 2026-06-01") from None
    moment = datetime(day.year, day.month, day.day, int(found[2]), int(found[3]), tzinfo=BANGKOK)
    if not found[1] and moment <= now:
        moment += timedelta(days=1)
    return int(moment.timestamp()) * 1_000


def hexadecimal(text: str, length: int, what: str) -> bytes:
    """`length` bytes, written in hexadecimal."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != length:
        raise typer.BadParameter(f"{text!r} is no {what}: write its {2 * length} hexadecimal digits")
    return data


def one_source(text: str) -> int:
    """The source of a sale, as in the ledger: `solar`."""
    try:
        return int(Source[text.upper()])
    except KeyError:
        raise typer.BadParameter(f"{text!r} is no source: choose one of {_source_names()}") from None


def source_mask(text: str) -> int:
    """The sources that a purchase accepts, a bit each: `any`, or names joined by `+`."""
    if text == "any":
        return ANY_SOURCE_MASK
    return sum({1 << one_source(name) for name in text.split("+")})


def _source_names() -> str:
    return ", ".join(source.name.lower() for source in Source)


def watt(micro: int) -> str:
    """WATT, from millionths: six decimals cut to what they need, at least two."""
    text = f"{Decimal(micro) / MICRO_PER_WATT:,.6f}"
    return text.rstrip("0") + "0" * max(0, 2 - len(text.rstrip("0").partition(".")[2]))


def kilowatt_hours(wh: int) -> str:
    """kWh with three decimals, from Wh."""
    return f"{Decimal(wh) / 1_000:,.3f}"


def delivery(interval: int) -> str:
    """When a delivery interval begins, in Bangkok."""
    return bangkok(interval * INTERVAL_MS, "%Y-%m-%d %H:%M")


def bangkok(time_ms: int, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant, in Bangkok's time."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC).astimezone(BANGKOK).strftime(pattern)
