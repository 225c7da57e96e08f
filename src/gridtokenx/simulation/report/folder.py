"""A study as a folder: a page for people, one document for programs, tables for spreadsheets.

The folder appears whole or not at all, and takes the place of an earlier report only. Nothing in it says when or how
fast it was made: the same scenario and seed give the same bytes.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.simulation.report.study import FORMAT, Study

PAGE, DOCUMENT = "index.html", "report.json"
TABLES = ("homes.csv", "intervals.csv", "trades.csv", "forecast_errors.csv", "planner.csv")
FILES = frozenset((PAGE, DOCUMENT, *TABLES))
PLACE = "__GRIDTOKENX_REPORT__"
"""Where the page's template wants its data: the content of `<script type="application/json" id="report">`."""

_BANGKOK = timedelta(hours=7)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ReportError(Exception):
    """A report cannot be written, or not all of it. The text says why and what to do."""


def check_folder(folder: Path) -> None:
    """Raises `ReportError` for a folder that a report may not take the place of: better before a long run."""
    if not folder.parent.is_dir():
        raise ReportError(f"There is no folder {folder.parent}: make it first.")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ReportError(f"{folder} is not a folder: give another name.")
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not present:
        return
    strange = sorted(present - FILES)
    if strange:
        raise ReportError(f"{folder} holds {strange[0]}, which is not part of a report: give another folder.")
    if not _is_report(folder / DOCUMENT):
        raise ReportError(
            f"{folder} is not an earlier report ({DOCUMENT} is missing or another's): give another folder."
        )


def write_report(folder: Path, study: Study, template: str | None) -> None:
    """Write everything, in place of an earlier report. `template` is the page's (see `load_template`). Raises
    `ReportError` when it is None (document and tables are written all the same), or for a folder that is not to be
    written over."""
    check_folder(folder)
    files = {DOCUMENT: study.to_json(), **{name: text.encode() for name, text in tables(study).items()}}
    if template is not None:
        files[PAGE] = page(template, study)
    _replace(folder, files)
    if template is None:
        raise ReportError(
            f"{folder / PAGE} was not written: its template is not built. `make web` builds it; "
            f"{DOCUMENT} and the tables are there."
        )


def page(template: str, study: Study) -> bytes:
    """The page with its data inside. `<` is escaped, so that nothing in the data can end the element it stands in."""
    before, place, after = template.partition(PLACE)
    if not place:
        raise ReportError("The report's template has no place for data: build it again with `make web`.")
    data = (
        study.to_page_json().decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    )
    return (before + data + after).encode()


def tables(study: Study) -> dict[str, str]:
    """Each table's text by file name. Energy in kWh, money and prices in WATT (1 WATT = 1 THB), exact."""
    homes = [msgspec.to_builtins(home) for home in study.report.homes]
    intervals = [{"start_bangkok": _start(row.interval), **msgspec.to_builtins(row)} for row in study.intervals]
    trades = [
        {"time_bangkok": _local(row.time_ms), "start_bangkok": _start(row.interval), **msgspec.to_builtins(row)}
        for row in study.trades
    ]
    errors = [msgspec.to_builtins(row) for row in study.forecast_errors]
    planned = zip(study.intervals, study.planner.perfect.intervals, study.planner.equal.intervals, strict=True)
    planner = [
        {
            "start_bangkok": _start(row.interval),
            "interval": row.interval,
            "market_traded_wh": row.traded_wh,
            "market_stored_wh": row.stored_wh,
            **_prefixed("perfect", msgspec.to_builtins(perfect)),
            **_prefixed("equal", msgspec.to_builtins(equal)),
        }
        for row, perfect, equal in planned
    ]
    return dict(zip(TABLES, map(table, (homes, intervals, trades, errors, planner)), strict=True))


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Comma-separated text with a header line; names and values in kWh and WATT. Nothing for no rows."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow([_heading(name) for name in row])
        writer.writerow([_cell(name, value) for name, value in row.items()])
    return text.getvalue()


def _heading(name: str) -> str:
    if name.endswith("price_micro") or name == "tariff_micro":
        return name.removesuffix("_micro") + "_watt_per_kwh"
    if name.endswith("_micro"):
        return name.removesuffix("_micro") + "_watt"
    return name.removesuffix("_wh") + "_kwh" if name.endswith("_wh") else name


def _cell(name: str, value: object) -> str:
    """Numbers as decimals without rounding. A text that a spreadsheet would take for a formula is quoted by an
    apostrophe."""
    if isinstance(value, int):
        places = 6 if name.endswith("_micro") else 3 if name.endswith("_wh") else 0
        return _decimal(value, places)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _decimal(value: int, places: int) -> str:
    if not places:
        return str(value)
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}}"


def _prefixed(prefix: str, row: Mapping[str, object]) -> dict[str, object]:
    return {f"{prefix}_{name}": value for name, value in row.items() if name != "interval"}


def _start(interval: int) -> str:
    return _local(interval * INTERVAL_MS)[:16]


def _local(time_ms: int) -> str:
    """Bangkok time, to the second."""
    moment = datetime.fromtimestamp(time_ms // 1_000, UTC) + _BANGKOK
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def load_template() -> str | None:
    """The page's template from the package that builds it; None when that is not there."""
    try:
        package: Traversable = resources.files("gridtokenx_web")
        return package.joinpath("dist", "report.html").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError):
        return None


def _is_report(document: Path) -> bool:
    class Marked(msgspec.Struct):
        format: str

    try:
        return msgspec.json.decode(document.read_bytes(), type=Marked).format.startswith(FORMAT.rpartition("-")[0])
    except (OSError, msgspec.MsgspecError):
        return False


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a new folder beside, then put it in the place of the old one."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        fresh.chmod(0o755)
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
