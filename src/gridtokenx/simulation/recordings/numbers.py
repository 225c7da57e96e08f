"""Cells that hold a quantity: a number with point or comma, Thai digits, and perhaps a unit behind it.

Exact: a number becomes a `Decimal` of what is written. Nothing is rounded here.
"""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from gridtokenx.simulation.recordings.words import unit_of

MISSING = frozenset(
    ["", "-", "--", "---", "n/a", "na", "nan", "null", "none", "nil", "#n/a", "#value!", "#ref!", "?", "ไม่มีข้อมูล"]
)
"""How exports write "no value", in small letters."""
_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_CELL = re.compile(r"([-+\u2212]?(?:\d[\d.,'\u00a0\u202f ]*|[.,]\d+)(?:[eE][-+]?\d{1,2})?)\s*([^\d\s.,'+-].*)?")
_SPACES = re.compile(r"['\u00a0\u202f ]")
_GROUPED = re.compile(r"[-+\u2212]?\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_CELL_LENGTH_MAX = 48
_LARGEST = Decimal(10) ** 13


class Quantity(NamedTuple):
    """A number as written, and the unit that stood behind it (empty: none)."""

    value: Decimal
    unit: str


class Marks(NamedTuple):
    """What the commas and points of many cells say about the decimal mark."""

    mark: str
    sure: bool
    evidence: str


def is_missing(cell: str) -> bool:
    return cell.strip().casefold() in MISSING


@lru_cache(maxsize=1 << 16)
def split_cell(cell: str) -> tuple[str, str] | None:
    """The digits and the unit of a cell; None when it does not look like a quantity."""
    text = cell.strip()
    if not text or len(text) > _CELL_LENGTH_MAX:
        return None
    found = _CELL.fullmatch(text.translate(_THAI_DIGITS))
    if found is None:
        return None
    unit = unit_of(found[2]) if found[2] else ""
    return None if unit is None else (found[1].strip(), unit)


@lru_cache(maxsize=1 << 16)
def read_quantity(cell: str, mark: str) -> Quantity | None:
    """The quantity of a cell whose decimal mark is `mark`; None when it is none, or larger than 10^13."""
    parts = split_cell(cell)
    if parts is None:
        return None
    digits = _SPACES.sub("", parts[0]).replace("\u2212", "-")
    other = "." if mark == "," else ","
    if other in digits:
        whole = digits.partition(mark)[0]
        if not _GROUPED.fullmatch(whole) or other in digits.partition(mark)[2]:
            return None
        digits = digits.replace(other, "")
    if digits.count(mark) > 1:
        return None
    try:
        value = Decimal(digits.replace(mark, "."))
    except InvalidOperation:
        return None
    return Quantity(value, parts[1]) if abs(value) <= _LARGEST else None


def decimal_mark(cells: Iterable[str], delimiter: str) -> Marks:
    """Which of point and comma separates decimals, from the cells that have either."""
    seen: Counter[str] = Counter()
    example: dict[str, str] = {}
    for cell in cells:
        parts = split_cell(cell)
        if parts is None or not ("," in parts[0] or "." in parts[0]):
            continue
        says = _says(_SPACES.sub("", parts[0]))
        seen[says] += 1
        example.setdefault(says, cell.strip())
    if seen["comma"] and seen["point"]:
        both = f"'{example['comma']}' has a decimal comma, '{example['point']}' a decimal point"
        return Marks("," if seen["comma"] > seen["point"] else ".", sure=False, evidence=both)
    if seen["comma"]:
        return Marks(",", sure=True, evidence=f"'{example['comma']}' can only have a decimal comma")
    if seen["point"]:
        return Marks(".", sure=True, evidence=f"'{example['point']}' can only have a decimal point")
    if seen["either-comma"]:
        told = f"'{example['either-comma']}' may be a decimal or thousands, and no other cell tells"
        return Marks(",", sure=False, evidence=told)
    if seen["either-point"] and delimiter != ",":
        told = f"'{example['either-point']}' may be a decimal or thousands, and no other cell tells"
        return Marks(".", sure=False, evidence=told)
    return Marks(".", sure=True, evidence="no cell has a comma")


def _says(digits: str) -> str:
    """`comma` or `point` when only one reading is possible, else `either-comma` or `either-point`."""
    if "," in digits and "." in digits:
        return "comma" if digits.rfind(",") > digits.rfind(".") else "point"
    mark, name, other = (",", "comma", "point") if "," in digits else (".", "point", "comma")
    if digits.count(mark) > 1:
        return other  # 1,234,567 groups thousands, so the other one is left for decimals
    whole, _, decimals = digits.lstrip("+-").partition(mark)
    grouped = len(decimals) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return f"either-{name}" if grouped else name
