"""Standing instructions as a file: TOML that people write.

[[sell]]
name = "roof"
from = "09:00"           # Bangkok time; all day unless told
to = "15:00"
price = "3.00"           # no less than, WATT per kWh
share = 80               # percent of what the roof will likely have left; 100 unless told

[[buy]]
name = "night"
tariff = "off-peak"      # or on-peak; both unless told
energy = "5"             # kWh a day
price = "2.40"           # no more than, delivered
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from gridtokenx.cli import values
from gridtokenx.client.standing.instructions import BuyDaily, Instruction, SellSurplus, When
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY

_TIME = re.compile(r"([01]\d|2[0-3]):(00|15|30|45)")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class Entry(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}, kw_only=True):
    """What both kinds say."""

    name: Name
    price: str
    from_: str = "00:00"
    to: str = "24:00"
    tariff: Literal["on-peak", "off-peak"] | None = None
    source: str | None = None

    def when(self) -> When:
        """Raises typer.BadParameter."""
        on_peak = None if self.tariff is None else self.tariff == "on-peak"
        first, end = _quarter(self.from_) % INTERVALS_PER_DAY, _quarter(self.to)
        if first == end:
            raise typer.BadParameter("from and to are the same: leave both out for the whole day")
        return When(first, end, on_peak)


class SellEntry(Entry, kw_only=True):
    """Of [[sell]]."""

    share: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


class BuyEntry(Entry, kw_only=True):
    """Of [[buy]]."""

    energy: str


class InstructionsEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    sell: list[SellEntry] = []
    buy: list[BuyEntry] = []
    portfolio: str | None = None


def read_instructions(path: Path) -> tuple[list[Instruction], str | None]:
    """The instructions in the order of the file (sales, then purchases), and which portfolio it names. Raises
    typer.BadParameter with a sentence that says what is wrong where."""
    try:
        entry = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), InstructionsEntry)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise typer.BadParameter(f"{path} is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"{path}: {error}; docs/standing.md shows what an instruction says") from None
    if not entry.sell and not entry.buy:
        raise typer.BadParameter(f"{path} says nothing: write [[sell]] or [[buy]], as in docs/standing.md")
    found: list[Instruction] = []
    for one in (*entry.sell, *entry.buy):
        if any(one.name == known.name for known in found):
            raise typer.BadParameter(f"two instructions are called {one.name!r}: give each its own name")
        try:
            found.append(_instruction(one))
        except typer.BadParameter as error:
            raise typer.BadParameter(f"instruction {one.name!r}: {error.message}") from None
    return found, entry.portfolio


def _instruction(entry: Entry) -> Instruction:
    price_micro, when = values.price_micro(entry.price), entry.when()
    if isinstance(entry, BuyEntry):
        mask = values.source_mask(entry.source or "any")
        return BuyDaily(entry.name, price_micro, when, values.energy_wh(entry.energy), mask)
    assert isinstance(entry, SellEntry)
    return SellSurplus(entry.name, price_micro, when, entry.share, values.one_source(entry.source or "solar"))


def _quarter(text: str) -> int:
    """Of the day, 0 to 96, from the time at which it begins."""
    found = _TIME.fullmatch(text)
    if found is None and text != "24:00":
        raise typer.BadParameter(f"{text!r} is no quarter of an hour: write 09:00, 09:15, 09:30 or 09:45")
    return INTERVALS_PER_DAY if found is None else int(found[1]) * 4 + int(found[2]) // 15
