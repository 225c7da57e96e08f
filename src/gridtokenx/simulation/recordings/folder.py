"""A drafted scenario as a folder, whole or not at all.

Everything is written into a hidden folder beside the target, read back with the scenario's own loader, and moved
there in one rename. What is published names files and columns by number: their own names may be those of people.
"""

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.recordings.convert import Draft, Understanding
from gridtokenx.simulation.recordings.findings import RecordingError, Trouble
from gridtokenx.simulation.recordings.meaning import Meaning
from gridtokenx.simulation.recordings.repair import day_text
from gridtokenx.simulation.scenario import SkyTable, load_scenario

FILES = ("scenario.toml", "meters.csv", "sky.csv", "sources.csv", "quality.csv", "quality.json", "NOTICE")


def check_target(folder: Path, force: bool) -> None:
    """Whether a scenario may be written there; with `force` only a scenario gives way. Raises `RecordingError`."""
    if not folder.parent.is_dir():
        raise RecordingError(f"{folder}: there is no folder {folder.parent}; make it first")
    if not folder.exists() and not folder.is_symlink():
        return
    if not force:
        raise RecordingError(f"{folder}: exists already; choose another --output, or --force to replace it")
    strangers = sorted({path.name for path in folder.iterdir()} - {*FILES}) if folder.is_dir() else [folder.name]
    if strangers or folder.is_symlink() or not (folder / "scenario.toml").is_file():
        what = f" ('{strangers[0]}')" if strangers else ""
        raise RecordingError(
            f"{folder}: holds other things than a scenario{what}, so it is not replaced; remove it yourself"
        )


def write_scenario(folder: Path, draft: Draft, understood: Understanding, sky: SkyTable, force: bool) -> None:
    """Write and check the folder, then put it in place. Raises `RecordingError` and OSError; then nothing is there."""
    check_target(folder, force)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, text in _texts(draft, understood, sky).items():
            (building / name).write_text(text, encoding="utf-8", newline="")
        Community(load_scenario(building))
        building.chmod(0o755)
        _replace(folder, building)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _replace(folder: Path, building: Path) -> None:
    """Move the new folder to its place; an old one is set aside first, and comes back if the move fails."""
    if not folder.exists():
        building.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    folder.rename(aside / folder.name)
    try:
        building.rename(folder)
    except BaseException:
        (aside / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _texts(draft: Draft, understood: Understanding, sky: SkyTable) -> dict[str, str]:
    first = datetime.fromisoformat(day_text(draft.window.first_day))
    stamps = [
        (first + timedelta(minutes=15 * number)).isoformat(timespec="minutes")
        for number in range((draft.window.end_day - draft.window.first_day) * 96)
    ]
    quarters = [f"{number // 4:02d}:{number % 4 * 15:02d}" for number in range(96)]
    return {
        "scenario.toml": toml_text(draft.document),
        "meters.csv": _csv(["interval_start", *draft.columns], zip(stamps, *draft.columns.values(), strict=True)),
        "sky.csv": _csv(["month", *quarters], ((month, *row) for month, row in enumerate(sky, start=1))),
        "sources.csv": _csv(
            ["column", "source_file", "source_column", "source_sum_kwh", "source_sha256"], _sources(draft)
        ),
        "quality.csv": _csv(
            ["kind", "file", "line", "line_to", "column", "count", "reason", "done"],
            (_public(trouble, draft, understood) for trouble in draft.troubles),
        ),
        "quality.json": json.dumps(quality(draft, understood), indent=2, ensure_ascii=False) + "\n",
        "NOTICE": _notice(draft, understood),
    }


def _csv(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _sources(draft: Draft) -> Iterable[tuple[object, ...]]:
    """Each meter column's origin; the sum is that of the whole recording, before anything was cut or filled."""
    for recording in draft.recordings:
        meaning = recording.meaning
        name = draft.names.get(meaning.site.casefold())
        if name is None:
            continue
        kind = meaning.role if meaning.role in {"load", "pv"} else f"({meaning.role})"
        column = f"{name}.{kind}_wh" if meaning.role in {"load", "pv"} else f"{name} {kind}"
        source = meaning.table.source
        yield column, source.label, meaning.channel.place, f"{recording.sum_uwh / 1e9:.4f}", source.sha256


def _public(trouble: Trouble, draft: Draft, understood: Understanding) -> tuple[object, ...]:
    """A trouble without the names of files and columns."""
    label, place = trouble.file, trouble.column
    for meaning in understood.meanings:
        if (meaning.table.source.name, meaning.channel.name) == (trouble.file, trouble.column):
            place = _column_of(meaning, draft)
    for table in understood.tables:
        if table.source.name == trouble.file:
            label = table.source.label
    if not trouble.file and place:
        place = draft.names.get(place, "a site that was left out")
    return (
        trouble.kind,
        label,
        trouble.line or "",
        trouble.line_to or "",
        place,
        trouble.times,
        trouble.reason,
        trouble.done,
    )


def _column_of(meaning: Meaning, draft: Draft) -> str:
    name = draft.names.get(meaning.site.casefold(), "left out")
    return f"{meaning.channel.place} ({name} {meaning.role})"


def quality(draft: Draft, understood: Understanding) -> dict[str, Any]:
    """The report of quality for programs; `quality.csv` has its lines."""
    window = draft.window
    counts: Counter[str] = Counter()
    for trouble in draft.troubles:
        counts[trouble.kind] += trouble.times
    files = [
        {"file": table.source.label, "sha256": table.source.sha256, "rows": len(table.source.rows)}
        for table in understood.tables
    ]
    labels = {table.source.name: table.source.label for table in understood.tables}
    findings = [
        {
            "what": finding.what,
            "file": labels.get(finding.file, ""),
            "value": finding.value,
            "told": finding.evidence == "you said so",
        }
        for finding in understood.findings
        if finding.what not in {"role", "not used", "time column", "meter column", "site of PV"}
    ]
    before = (window.start_day - window.first_day) * 96
    sites = [
        {
            "site": name,
            "load_wh": sum(draft.columns[f"{name}.load_wh"][before:]),
            "pv_wh": sum(draft.columns.get(f"{name}.pv_wh", [])[before:]),
        }
        for name in draft.names.values()
    ]
    return {
        "start": day_text(window.start_day),
        "days": window.end_day - window.start_day,
        "history_days": window.start_day - window.first_day,
        "files": files,
        "findings": findings,
        "sites": sites,
        "counts": dict(sorted(counts.items())),
        "notes": draft.notes,
    }


def private_map(draft: Draft) -> str:
    """Which name stands for which meter: for the owner alone."""
    rows = [
        (draft.names[m.site.casefold()], m.role, m.site, m.table.source.name, m.channel.name)
        for m in (recording.meaning for recording in draft.recordings)
        if m.site.casefold() in draft.names
    ]
    return _csv(["site", "role", "key", "file", "column"], rows)


_SEED_REMARK = (
    "# Every key is derived from this text and a name: whoever reads it can sign for everyone. Never for real money."
)
_REMARKS = {
    "start": "the first day of delivery, Bangkok time",
    "history_days": "meter rows before the start, which the agents have read already",
    "lead_in_minutes": "trading starts this long before the first delivery",
    "speed": "chain seconds in one second of `gridtokenx up`",
    "on_peak_micro": "millionths of a WATT per kWh",
}


def toml_text(document: dict[str, Any]) -> str:
    """A scenario's TOML in the order and form of the shipped ones."""
    lines = [f"{key} = {_value(value)}{_remark(key)}" for key, value in document.items() if not _is_table(value)]
    seed = next(at for at, line in enumerate(lines) if line.startswith("development_seed"))
    lines.insert(seed, _SEED_REMARK)
    for key in ("clock", "tariff"):
        lines += [
            "",
            f"[{key}]",
            *(f"{name} = {_value(value)}{_remark(name)}" for name, value in document[key].items()),
        ]
    for site in document["site"]:
        lines += ["", "[[site]]", *(f"{name} = {_value(value)}" for name, value in site.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _remark(key: str) -> str:
    return f"  # {_REMARKS[key]}" if key in _REMARKS else ""


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:_}"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case date():
            return value.isoformat()
        case dict():
            return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
        case list() if value and isinstance(value[0], date):
            rows = [", ".join(map(_value, value[at : at + 8])) for at in range(0, len(value), 8)]
            return "[\n" + "".join(f"    {row},\n" for row in rows) + "]"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            raise TypeError(f"no form for {type(value).__name__} in TOML")


def _notice(draft: Draft, understood: Understanding) -> str:
    counts = Counter(trouble.kind.value for trouble in draft.troubles)
    changed = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items())) or "none"
    intervals = sorted({clock.interval_s for clock in understood.clocks})
    steps = ", ".join(f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s" for seconds in intervals)
    notes = "".join(f"   {note}\n" for note in draft.notes)
    return f"""The meter rows in this folder come from recordings of their owner, who decides whom they may be given to.

1. Load and PV (meters.csv)

   `sources.csv` names file and column of each by number, with the file's SHA-256 and what it sums to; names are
   pseudonyms. Rows of {steps} became quarters of an hour: a longer row in equal parts, shorter ones summed, rows across
   a border split by time. What is below a Wh goes to the next quarter, so that sums stay. `quality.csv` has each line
   that was left out or filled, and what was done ({changed}).

2. Sky (sky.csv)

   Source: CAMS radiation service, clear-sky global horizontal irradiance at Chulalongkorn University, Bangkok
   (13.73665 N, 100.53215 E), 2023. Generated using Copernicus Atmosphere Monitoring Service information 2023. Neither
   the European Commission nor ECMWF is responsible for any use that may be made of the Copernicus information or
   data it contains. Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/
   For each month and quarter of the day the highest value of the year, a fifth more, as thousandths of 1000 W/m2, at
   most 1000. Another sky given with --sky replaces it.

3. Holidays (scenario.toml)

   Dates of the normal public holidays of Thailand, 2021 to 2026, as given by the Python package holidays (MIT licence).
{notes}"""
