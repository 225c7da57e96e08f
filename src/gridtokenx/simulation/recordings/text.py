"""From bytes to rows: gzip, encoding, delimiter, header. Every row keeps the number of its line in the file.

Lines are split and parsed one by one, so that a lost quotation mark spoils its line and not the rest of the file.
"""

import csv
import gzip
import hashlib
import re
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, RecordingError
from gridtokenx.simulation.recordings.numbers import is_missing, split_cell
from gridtokenx.simulation.recordings.stamps import read_parts, read_time

FILE_BYTES_MAX = 512 * 1024 * 1024  # unpacked; a year of minutes of a hundred meters is 300 MB
_DELIMITERS = (",", ";", "\t", "|")
_DELIMITER_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_SAMPLE_LINES = 240
_HEADER_LINES_MAX = 40
_QUOTED_LINES_MAX = 5
_NO_TABLES = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"%PDF": "a PDF; ask for the data as CSV",
    b"PAR1": "a Parquet file; save it as CSV",
    b"SQLite format 3": "a database; export the table as CSV",
}


class Row(NamedTuple):
    line: int
    cells: list[str]


class Source(NamedTuple):
    """A file as a table. `label` stands for its name where names are not to be shown."""

    name: str
    stem: str
    label: str
    sha256: str
    delimiter: str
    header: list[str]
    rows: list[Row]
    before: str
    findings: list[Finding]


def read_source(path: Path, label: str, encoding: str | None, delimiter: str | None) -> Source:
    """Read a file, with what was told of it. Raises `RecordingError`; findings may be unsure."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from error
    digest = hashlib.sha256(data).hexdigest()
    findings: list[Finding] = []
    text = _decode(path, _unpack(path, data), encoding, findings)
    lines = _logical_lines(text)
    if not lines:
        raise RecordingError(f"{path}: is empty; export it again")
    mark = _delimiter(path, lines, delimiter, findings)
    rows = _rows(lines, mark)
    header, rows, before = _split_header(path, rows, findings)
    stem = re.sub(r"(\.(csv|tsv|txt|gz))+$", "", path.name, flags=re.IGNORECASE)
    return Source(path.name, stem, label, digest, mark, header, rows, before, findings)


def _unpack(path: Path, data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=BytesIO(data)) as packed:
                data = packed.read(FILE_BYTES_MAX + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise RecordingError(f"{path}: is a broken gzip file ({error}); copy or download it again") from error
    if len(data) > FILE_BYTES_MAX:
        raise RecordingError(f"{path}: is larger than {FILE_BYTES_MAX >> 20} MiB; cut it by month, and give all parts")
    for start, what in _NO_TABLES.items():
        if data.startswith(start):
            raise RecordingError(f"{path}: is {what}")
    if not data.strip():
        raise RecordingError(f"{path}: is empty; export it again")
    return data


def _decode(path: Path, data: bytes, told: str | None, findings: list[Finding]) -> str:
    if told is not None:
        name, evidence = told, "you said so"
    else:
        name, evidence = _encoding(data)
    try:
        text = data.decode(name)
    except (LookupError, UnicodeError) as error:
        raise RecordingError(f"{path}: cannot be read as {name} ({error}); give its --encoding") from error
    if "\x00" in text:
        raise RecordingError(f"{path}: holds zero bytes, so it is no text; export it as CSV")
    findings.append(Finding("encoding", path.name, "", name, evidence, flag="--encoding", key=path.name))
    return text.removeprefix("\ufeff")


def _encoding(data: bytes) -> tuple[str, str]:
    """Name and evidence. Figures and dates are the same bytes in all one-byte encodings: only words depend on it."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig", "begins with the mark of UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "begins with the mark of UTF-16"
    sample = data[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 3 > len(sample):
        return ("utf-16-le", "every second byte is zero") if odd > even else ("utf-16-be", "every second byte is zero")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        thai = re.search(rb"[\xa1-\xda\xdf-\xfb]{3,}", data)
        try:
            data.decode("cp874")
        except UnicodeDecodeError:
            thai = None
        if thai:
            return "cp874", f"is no UTF-8, and {thai[0][:12].decode('cp874')!r} is Thai"
        return "latin-1", "is no UTF-8 and has no Thai words; no figure depends on it"
    return "utf-8", "only plain characters" if data.isascii() else "every character is valid"


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines that hold something, with their numbers; a header cell in quotes may go over a few lines."""
    physical = re.split(r"\r\n|\n|\r", text)
    lines: list[tuple[int, str]] = []
    number = 0
    while number < len(physical):
        line, took = physical[number], 1
        if line.count('"') % 2:
            joined = line
            for extra in range(1, min(_QUOTED_LINES_MAX, len(physical) - number)):
                joined += " " + physical[number + extra]
                if joined.count('"') % 2 == 0:
                    line, took = joined, extra + 1
                    break
        if line.strip():
            lines.append((number + 1, line))
        number += took
    return lines


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' in line:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
        except (csv.Error, StopIteration):
            line = line.replace('"', "")
    return [cell.strip() for cell in line.split(delimiter)]


def _rows(lines: list[tuple[int, str]], delimiter: str) -> list[Row]:
    return [Row(number, _cells(line, delimiter)) for number, line in lines]


def is_clean(cell: str) -> bool:
    """Whether a cell is a number, a time or nothing."""
    return (
        is_missing(cell) or split_cell(cell) is not None or read_parts(cell) is not None or read_time(cell) is not None
    )


def _delimiter(path: Path, lines: list[tuple[int, str]], told: str | None, findings: list[Finding]) -> str:
    """The delimiter that cuts most lines into the same number of cells that are numbers, times or nothing.

    Counting characters alone, as `csv.Sniffer` does, takes a decimal comma for a delimiter.
    """
    if told is not None:
        mark = _DELIMITER_WORDS.get(told.casefold(), told.encode().decode("unicode_escape") if told == "\\t" else told)
        if len(mark) != 1:
            raise RecordingError(f"--delimiter: '{told}' is no single character; give comma, semicolon, tab or pipe")
        findings.append(Finding("delimiter", path.name, "", _name(mark), "you said so"))
        return mark
    if lines and (declared := re.fullmatch(r'"?sep=(.)"?', lines[0][1].strip())):
        del lines[0]
        findings.append(Finding("delimiter", path.name, "", _name(declared[1]), "the first line declares it"))
        return declared[1]
    sample = lines[-_SAMPLE_LINES:]
    scores = sorted(((_score(sample, mark), mark) for mark in _DELIMITERS), reverse=True)
    (best, mark), (second, other) = scores[0], scores[1]
    if best[0] == 0:
        findings.append(Finding("delimiter", path.name, "", "none", "one column: no delimiter cuts lines alike"))
        return ","
    close = second[0] >= best[0] * 0.98
    evidence = f"cuts {best[1]} of {len(sample)} lines into {best[2]} cells that are times and numbers"
    if close:
        evidence += f", but {_name(other)} cuts {second[1]} into {second[2]}"
    options = tuple(_name(mark) for mark in _DELIMITERS)
    found = Finding("delimiter", path.name, "", _name(mark), evidence, not close, "--delimiter", path.name, options)
    findings.append(found)
    return mark


def _score(sample: list[tuple[int, str]], delimiter: str) -> tuple[float, int, int]:
    """(share of clean cells in lines of the usual width, those lines, the width); zero for a width of one."""
    rows = [_cells(line, delimiter) for _, line in sample]
    widths = Counter(len(row) for row in rows)
    width, number = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width == 1:
        return 0.0, 0, 1
    usual = [row for row in rows if len(row) == width]
    clean = sum(is_clean(cell) for row in usual for cell in row)
    first_is_time = sum(any(read_parts(cell) is not None for cell in row) for row in usual) / len(usual)
    return (clean / (width * number) + first_is_time) * number / len(sample), number, width


def _name(delimiter: str) -> str:
    return next((word for word, mark in _DELIMITER_WORDS.items() if mark == delimiter), delimiter)


def _split_header(path: Path, rows: list[Row], findings: list[Finding]) -> tuple[list[str], list[Row], str]:
    """Header words by column, the rows of data, and the text that stands before both."""
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0] if rows else 0
    first = next((at for at, row in enumerate(rows[:_HEADER_LINES_MAX]) if _is_data(row, width)), None)
    if first is None:
        raise RecordingError(
            f"{path}: none of the first {min(len(rows), _HEADER_LINES_MAX)} lines holds numbers in a row; "
            "is this a table of readings? --delimiter and --encoding tell how to read it"
        )
    head = first
    while head > 0 and len(rows[head - 1].cells) == width and any(rows[head - 1].cells):
        head -= 1
    words = [" ".join(filter(None, (row.cells[at] for row in rows[head:first]))) for at in range(width)]
    before = "\n".join(" ".join(row.cells) for row in rows[:head])
    if head == first:
        findings.append(Finding("header", path.name, "", "none", f"line {rows[first].line} already holds data"))
        words = [""] * width
    elif first - head > 1 or head:
        lines = f"{rows[head].line}" if first - head == 1 else f"{rows[head].line} to {rows[first - 1].line}"
        skipped = f", {head} lines before them are not part of the table" if head else ""
        findings.append(Finding("header", path.name, "", f"line {lines}", f"stands before the first data{skipped}"))
    names = [word or f"#{number}" for number, word in enumerate(words, start=1)]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    names = [f"{name} #{number}" if name in repeated else name for number, name in enumerate(names, start=1)]
    return names, rows[first:], before


def _is_data(row: Row, width: int) -> bool:
    """A row of data has at least one number or time beside nothing, and hardly any other text."""
    if len(row.cells) != width:
        return False
    held = [cell for cell in row.cells if not is_missing(cell)]
    figures = sum(split_cell(cell) is not None for cell in held)
    times = sum(read_parts(cell) is not None or read_time(cell) is not None for cell in held)
    return bool(times and (figures or times < len(held) or len(held) < width)) or figures * 2 > len(held)
