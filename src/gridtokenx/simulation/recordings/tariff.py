"""Tariff and clock of a scenario: Thailand's time of use with its holidays, or those of another scenario."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

from gridtokenx.simulation.recordings.options import Options
from gridtokenx.simulation.recordings.repair import day_text
from gridtokenx.simulation.recordings.window import Window

_TIME_OF_USE = {
    "on_peak_micro": 5_798_200,
    "off_peak_micro": 2_636_900,
    "buy_back_micro": 2_200_000,
    "on_peak_from_hour": 9,
    "on_peak_to_hour": 22,
}
_CLOCK = {"lead_in_minutes": 120, "speed": 60, "play_at_once_minutes": 720}
_HOLIDAYS = Path(__file__).with_name("thai_holidays.csv")


def tariff_table(window: Window, options: Options, like: dict[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """The tariff with the holidays of the scenario's years, and what has to be said about years without a list."""
    years = {int(day_text(day)[:4]) for day in (window.first_day, window.end_day - 1)}
    if like is not None:
        tariff = dict(like["tariff"])
        listed = set(tariff["holidays"])
    else:
        tariff = dict(_TIME_OF_USE)
        listed = {day for day in thai_holidays() if day.year in years}
    lacking = sorted(years - {day.year for day in listed} - {day.year for day in options.holidays})
    tariff["holidays"] = sorted(listed | set(options.holidays))
    notes = [
        f"No holidays are known for {year}: its working days are all on-peak. Name them with --holiday {year}-MM-DD."
        for year in lacking
    ]
    return tariff, notes


def clock_table(like: dict[str, Any] | None) -> dict[str, Any]:
    return dict(like["clock"]) if like is not None else dict(_CLOCK)


def thai_holidays() -> list[date]:
    """Normal public holidays, off-peak all day: without days in lieu, bridge days and the Royal Ploughing Day."""
    with _HOLIDAYS.open(encoding="utf-8", newline="") as file:
        return [date.fromisoformat(row["date"]) for row in csv.DictReader(file)]
