"""The report of a community in several zones: what coupling is worth, from a disk, as report.json has it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.browser.pages import DESKTOP, PHONE, WEB, violations, width_needed
from tests.browser.test_report import SCENARIOS, Reader, bars_of, money

from gridtokenx.simulation.coupling_worth import coupling_worth
from gridtokenx.simulation.report.folder import load_template, write_report
from gridtokenx.simulation.report.study import make_study
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the first day of seven zones."""
    built = WEB / "dist" / "report.html"
    template = built.read_text(encoding="utf-8") if built.is_file() else load_template()
    scenario = load_scenario(SCENARIOS / "seven-zones")
    result = run_simulation(scenario, days=1)
    study = make_study(scenario, result, coupling=coupling_worth(scenario, result))
    folder = tmp_path_factory.mktemp("reports") / "report"
    write_report(folder, study, template)
    return folder


@pytest.fixture
def reader(chromium: Browser, folder: Path) -> Iterator[Reader]:
    reader = Reader(chromium, folder)
    yield reader
    for context in list(chromium.contexts):
        context.close()
    assert reader.complaints == []


def test_what_coupling_is_worth_is_what_the_document_says(reader: Reader, folder: Path) -> None:
    document: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    runs = {run["name"]: run for run in document["coupling"]}
    page = reader.open()
    assert "24 sites in 7 zones" in page.locator(".lead").inner_text()
    assert list(bars_of(page, "coupling").values()) == [
        money(runs[name]["welfare_micro"]) for name in ("apart", "coupled", "unlimited")
    ]
    said = page.locator("#coupling .finding").inner_text()
    more = runs["coupled"]["welfare_micro"] - runs["apart"]["welfare_micro"]
    assert f"Coupling is worth {money(more)} THB." in said
    assert f"Congestion rent is {money(runs['coupled']['rent_micro'])} THB" in said
    prices = page.locator("#coupling ul").nth(1).locator("li")
    assert prices.count() == 2 * 7
    zones = runs["coupled"]["zones"]
    dearest = max(range(7), key=lambda place: zones[place]["delivered_price_micro"])
    shown = prices.nth(2 * dearest + 1).locator(".text").inner_text()
    assert shown == f"{zones[dearest]['delivered_price_micro'] / 1e6:.3f}"


@pytest.mark.parametrize("language", ["en", "th"])
def test_anybody_can_read_it(reader: Reader, screenshots: Path, language: str) -> None:
    page = reader.open(PHONE, language)
    page.locator("#coupling details").evaluate("element => { element.open = true }")
    assert violations(page) == []
    assert width_needed(page) <= PHONE["width"]
    page.set_viewport_size(DESKTOP)
    assert violations(page) == []
    page.locator("#coupling").screenshot(path=screenshots / f"report-coupling-{language}.png")
