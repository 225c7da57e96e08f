"""What was understood of a recording, with its evidence, and what is wrong with it, with its place."""

import shlex
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from gridtokenx.simulation.scenario import ScenarioError


class RecordingError(ScenarioError):
    """A recording cannot be used. The text names file, place, reason and remedy."""


class Finding(NamedTuple):
    """One thing understood of a file or a column.

    `sure` means that the file or its owner said so, or that no other reading gives other figures. What is not
    sure is never acted on: `flag`, told with one of `choices` (or free text), settles it; `value` is then the
    proposal, empty where there is none. `key` is the file or column that the flag has to name.
    """

    what: str
    file: str
    place: str
    value: str
    evidence: str
    sure: bool = True
    flag: str = ""
    key: str = ""
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The words for a command line that accept the proposal."""
        if self.flag in {"--day-first", "--month-first"}:
            return self.flag
        value = self.value or "…"
        return f"{self.flag} {shlex.quote(f'{self.key}={value}' if self.key else value)}"


def doubt(
    what: str, file: str, place: str, value: str, evidence: str, flag: str, key: str = "", choices: tuple[str, ...] = ()
) -> Finding:
    """A finding that is not sure: `flag` settles it."""
    return Finding(what, file, place, value, evidence, sure=False, flag=flag, key=key, choices=choices)


class Kind(StrEnum):
    """Reasons why a line is named in the report of quality. Names are part of `quality.csv`."""

    NO_TIME = "no-time"
    CELLS = "cells"
    NOT_A_NUMBER = "not-a-number"
    EMPTY = "empty"
    MIXED_UNITS = "mixed-units"
    OUT_OF_ORDER = "out-of-order"
    DUPLICATE_SAME = "duplicate-same"
    DUPLICATE_DIFFERENT = "duplicate-different"
    CLOCK_SKIPPED = "clock-skipped"
    CLOCK_REPEATED = "clock-repeated"
    OFF_GRID = "off-grid"
    REGISTER_RESET = "register-reset"
    REGISTER_BACK = "register-back"
    NEGATIVE = "negative"
    ABOVE_CAPACITY = "above-capacity"
    PV_AT_NIGHT = "pv-at-night"
    PV_NOON = "pv-noon"
    SPIKE = "spike"
    FROZEN = "frozen"
    GAP = "gap"
    SITE_LEFT_OUT = "site-left-out"
    DAYS_LEFT_OUT = "days-left-out"


class Trouble(NamedTuple):
    """What is wrong in lines `line`..`line_to` of a file (0: not a matter of lines), and what was done.

    `times` counts the lines or quarters. `told` may quote the file and is for the screen of its owner; `reason` and
    `done` quote nothing of it.
    """

    kind: Kind
    file: str
    line: int
    line_to: int
    column: str
    times: int
    reason: str
    done: str
    told: str = ""

    def __str__(self) -> str:
        lines = f":{self.line}" if self.line else ""
        if self.line_to > self.line:
            lines += f"-{self.line_to}"
        column = f"column '{self.column}'" if self.column and self.file else self.column
        where = " ".join(filter(None, (f"{self.file}{lines}", column)))
        told = f" ({self.told})" if self.told else ""
        return f"{where}{': ' if where else ''}{self.reason}{told}; {self.done}"


def in_runs(lines: Iterable[int]) -> list[tuple[int, int, int]]:
    """Line numbers (rising) as (first, last, count) of runs without a hole."""
    runs: list[tuple[int, int, int]] = []
    for line in lines:
        if runs and line <= runs[-1][1] + 1:
            first, _, count = runs[-1]
            runs[-1] = (first, line, count + 1)
        else:
            runs.append((line, line, 1))
    return runs
