"""What people type, and what programs take: amounts, energies, prices, delivery times, ids; and back.

Everything raises `typer.BadParameter` with a sentence that says what would do.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

import typer

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source

BANGKOK = timezone(timedelta(hours=7))
MICRO = 10**6
_DELIVERY = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{1,2}):(\d{2})")


def _scaled(text: str, scale: int, what: str, example: str) -> int:
    """A decimal number in smaller units; no fraction may be lost."""
    try:
        number = Decimal(text.replace(",", "")) * scale
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no {what}: write {example}") from None
    if not number.is_finite() or number < 0 or number != number.to_integral_value():
        raise typer.BadParameter(f"{text} is no {what} of at most {len(str(scale)) - 1} decimals: write {example}")
    return int(number)


def amount_micro(text: str) -> int:
    """WATT."""
    return _scaled(text, MICRO, "amount of WATT", "12.50")


def price_micro(text: str) -> int:
    """WATT per kWh; the ledger says whether it lies on the tick."""
    return _scaled(text, MICRO, "price in WATT per kWh", "4.50")


def energy_wh(text: str) -> int:
    """kWh, or Wh with that unit behind it."""
    found = re.fullmatch(r"([\d.,]+) ?(kWh|Wh)?", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no energy: write 1.5 (kWh), or 1500Wh")
    number, unit = found.groups()
    return _scaled(number, 1 if unit == "Wh" else 1_000, "energy in kWh", "1.5")


def interval_number(text: str, now_ms: int) -> int:
    """A delivery interval: its number, or when it begins in Bangkok time (`14:30`: the next one, `2026-06-01 14:30`).

    `now_ms` is chain time.
    """
    if text.isdecimal():
        return int(text)
    found = _DELIVERY.fullmatch(text)
    if found is None or int(found[2]) > 23 or int(found[3]) not in (0, 15, 30, 45):
        raise typer.BadParameter(f"{text!r} is no delivery interval: write 14:30, 2026-06-01 14:30, or its number")
    now = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(BANGKOK)
    try:
        day = date.fromisoformat(found[1]) if found[1] else now.date()
    except ValueError:
        raise typer.BadParameter(f"{found[1]} is no date: write 2026-06-01") from None
    start = datetime(day.year, day.month, day.day, int(found[2]), int(found[3]), tzinfo=BANGKOK)
    if not found[1] and start <= now:
        start += timedelta(days=1)
    return int(start.timestamp()) * 1_000 // INTERVAL_MS


def moment_ms(text: str, now_ms: int) -> int:
    """An instant in Bangkok time: `14:30` (the next one) or `2026-06-01 14:30`."""
    found = re.fullmatch(r"(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{1,2}):(\d{2})", text)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        raise typer.BadParameter(f"{text!r} is no time: write 14:30 or 2026-06-01 14:30")
    now = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(BANGKOK)
    day = date.fromisoformat(found[1]) if found[1] else now.date()
    moment = datetime(day.year, day.month, day.day, int(found[2]), int(found[3]), tzinfo=BANGKOK)
    if not found[1] and moment <= now:
        moment += timedelta(days=1)
    return int(moment.timestamp()) * 1_000


def hexadecimal(text: str, length: int, what: str) -> bytes:
    """So many bytes."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != length:
        raise typer.BadParameter(f"{text!r} is no {what}: it has {2 * length} hexadecimal digits")
    return data


def one_source(text: str) -> int:
    """Of a sale."""
    try:
        return int(Source[text.upper()])
    except KeyError:
        raise typer.BadParameter(f"{text!r} is no source: choose one of {_source_names()}") from None


def source_mask(text: str) -> int:
    """What a purchase accepts: `any`, or sources joined by `+`."""
    if text == "any":
        return ANY_SOURCE_MASK
    return sum({1 << one_source(name) for name in text.split("+")})


def _source_names() -> str:
    return ", ".join(source.name.lower() for source in Source)


def watt(micro: int) -> str:
    """Money with its six decimals cut to what they need, at least two."""
    text = f"{Decimal(micro) / MICRO:,.6f}"
    return text.rstrip("0") + "0" * max(0, 2 - len(text.rstrip("0").partition(".")[2]))


def kilowatt_hours(wh: int) -> str:
    """Energy."""
    return f"{Decimal(wh) / 1_000:,.3f}"


def delivery(interval: int) -> str:
    """When a delivery interval begins, in Bangkok."""
    return bangkok(interval * INTERVAL_MS)[:16]


def bangkok(time_ms: int) -> str:
    """An instant, in Bangkok."""
    return f"{datetime.fromtimestamp(time_ms / 1_000, UTC).astimezone(BANGKOK):%Y-%m-%d %H:%M:%S}"
