"""Whatever a file holds: it is understood, asked about or refused with a sentence; never a traceback, never a guess."""

import gzip
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.simulation.recordings.drawer import DRAWER

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.recordings.convert import draft, understand
from gridtokenx.simulation.recordings.findings import RecordingError
from gridtokenx.simulation.recordings.folder import write_scenario
from gridtokenx.simulation.recordings.options import Options, RoleSetting, Setting
from gridtokenx.simulation.scenario import ScenarioError, load_scenario, load_sky
from gridtokenx.simulation.scenario_check import scenario_faults

SKY = load_sky(Path(__file__).parents[2] / "scenarios" / "community-week" / "sky.csv")
SEEDS = sorted(path.read_bytes() for path in DRAWER.iterdir() if path.stat().st_size < 6_000)

CELLS = st.one_of(
    st.sampled_from(
        ["", "-", "1,5", "1.5", "1.234,5", "-3", "1e9", "9" * 30, "nan", "inf", "12 kWh", "5 W", "ไม่มีข้อมูล", "๑๒", "٣"]
    ),
    st.sampled_from(
        [
            "2023-03-20T00:15",
            "20/03/2566 00:15",
            "03/04/2023 24:00",
            "31/31/31 31:31",
            "0000-00-00 00:00",
            "9999-12-31T23:59",
            "2566-02-30 10:00",
            "45005.5",
            "1679245200",
            "2023-03-26T02:30+02:00",
            "2023-03-20T00:15:00+99:99",
        ]
    ),
    st.text(max_size=8),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
)
HEADERS = st.sampled_from(
    [
        "time",
        "load kW",
        "pv_kwh",
        "hour",
        "date",
        "meter",
        "unit",
        "import Wh",
        "net kW",
        "start",
        "end",
        "type",
        "kW",
        "",
    ]
)
TOLD = st.sampled_from(
    [
        Options(),
        Options(timezone=(Setting("", "Asia/Bangkok"),), stamp=(Setting("", "begin"),), unit=(Setting("", "kW"),)),
        Options(
            timezone=(Setting("", "Europe/Berlin"),),
            clock=(Setting("", "local"),),
            stamp=(Setting("", "end"),),
            roles=(RoleSetting("load", "home", "*"),),
            unit=(Setting("", "kWh"),),
            gaps="like-day",
        ),
        Options(
            start=(Setting("", "2023-03-20T00:00"),),
            interval=(Setting("", "60min"),),
            timezone=(Setting("", "America/New_York"),),
            clock=(Setting("", "Australia/Sydney"),),
            unit=(Setting("", "kWh-register"),),
            roles=(RoleSetting("net", "", "*"),),
            gaps="hold",
            suspect="leave-out",
        ),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Something like a table: headers, cells, a delimiter, an encoding."""
    width = draw(st.integers(1, 5))
    mark = draw(st.sampled_from([",", ";", "\t", "|"]))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=12))
    header = draw(st.lists(HEADERS, min_size=width, max_size=width))
    text = "\n".join(mark.join(row) for row in [header, *rows])
    return text.encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])), "replace")


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A file of the drawer with bytes changed, cut out or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 40))] = draw(st.binary(max_size=6))
    return bytes(data)


def go_the_whole_way(data: bytes, options: Options) -> str:
    """The sentence of a refusal, empty for a scenario or a question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "meters.csv").write_bytes(data)
        try:
            understood = understand([folder / "meters.csv"], options)
            if understood.unsure:
                assert all(finding.flag and finding.evidence for finding in understood.unsure)
                return ""
            made = draft(understood, options, "mine", SKY)
            write_scenario(folder / "mine", made, understood, SKY, force=False)
        except RecordingError as error:
            left = sorted(path.name for path in folder.iterdir())
            return str(error) if left == ["meters.csv"] else f"left behind: {left}"
        Community(load_scenario(folder / "mine"))
        return ""


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode), tables(), spoiled()), TOLD)
@example(b"\x1f\x8b\x08" + b"\x00" * 20, Options())
@example(gzip.compress(b"time,load kW\n2023-03-20T00:00,1\n"), Options())
@example(b'"' * 50 + b"\n1", Options())
@settings(max_examples=300)
def test_no_file_ends_in_a_traceback(data: bytes, options: Options) -> None:
    sentence = go_the_whole_way(data, options)
    assert not sentence or len(sentence) > 20
    assert "left behind" not in sentence


@given(st.text(max_size=120), st.sampled_from(["scenario.toml", "meters.csv", "sky.csv"]))
@settings(max_examples=60)
def test_no_scenario_ends_in_a_traceback(text: str, file: str) -> None:
    source = Path(__file__).parents[2] / "scenarios" / "two-neighbours"
    with tempfile.TemporaryDirectory() as name:
        for path in source.iterdir():
            (Path(name) / path.name).write_bytes(path.read_bytes())
        (Path(name) / file).write_text(text, encoding="utf-8", errors="replace")
        try:
            said = " ".join(map(str, scenario_faults(Path(name))))
        except ScenarioError as error:
            said = str(error)
    assert said
