"""Each file of the drawer: what is understood, what is asked, what is mended, and that its energy is right."""

from collections import defaultdict
from pathlib import Path

import pytest
from tests.unit.simulation.recordings.drawer import CASES, DRAWER, Case

from gridtokenx.simulation.recordings.convert import Draft, draft, understand
from gridtokenx.simulation.recordings.findings import RecordingError
from gridtokenx.simulation.recordings.options import Options, RoleSetting, Setting
from gridtokenx.simulation.scenario import SkyTable, load_sky

SKY: SkyTable = load_sky(Path(__file__).parents[4] / "scenarios" / "community-week" / "sky.csv")


def options_of(case: Case) -> Options:
    fields: dict[str, object] = {"timezone": (Setting("", "Asia/Bangkok"),)}
    for name, value in case.told.items():
        if name in {"load", "pv"}:
            site, _, column = value.rpartition("=")
            fields["roles"] = (RoleSetting(name, site, column),)
        elif name in {"gaps", "duplicates", "suspect"}:
            fields[name] = value
        else:
            fields[name] = (Setting("", value),) if value else ()
    return Options(**fields)  # type: ignore[arg-type]


def drafted(case: Case) -> Draft | None:
    """The whole way as far as it goes; None where something is asked."""
    options = options_of(case)
    understood = understand([DRAWER / case.file], options)
    assert tuple(sorted(finding.what for finding in understood.unsure)) == tuple(sorted(case.unsure))
    assert all(finding.evidence and finding.flag for finding in understood.unsure)
    sure = {finding.what: finding.value for finding in understood.findings if finding.sure}
    assert {what: sure.get(what) for what in case.found} == case.found
    return None if case.unsure else draft(understood, options, "drawer", SKY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case.file, *case.told.values()]))
def test_what_the_drawer_holds(case: Case) -> None:
    if case.error:
        with pytest.raises(RecordingError) as caught:
            drafted(case)
        assert case.file in str(caught.value)
        assert all(words in str(caught.value) for words in case.error), str(caught.value)
        return
    made = drafted(case)
    if made is None:
        return
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for trouble in made.troubles:
        span = f"{trouble.line}-{trouble.line_to}" if trouble.line_to > trouble.line else str(trouble.line or "")
        lines[trouble.kind].append(span)
        assert trouble.reason and trouble.done and str(trouble)
    assert {kind: " ".join(spans) for kind, spans in lines.items()} == case.troubles
    for kind, expected_wh in (("load", case.load_wh), ("pv", case.pv_wh)):
        if expected_wh is not None:
            energy_wh = sum(sum(values) for name, values in made.columns.items() if name.endswith(f".{kind}_wh"))
            # what is below a Wh goes to the next quarter, and at the end it is cut off
            assert abs(energy_wh - expected_wh) <= len(made.columns)


def test_every_file_of_the_drawer_is_looked_at() -> None:
    assert {case.file for case in CASES} == {path.name for path in DRAWER.iterdir()}
    assert len({case.file for case in CASES}) > 75
