"""The page of a report, from a disk: what it shows is what stands in report.json, and it asks nobody for anything."""

import json
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from tests.browser.pages import AXE, DESKTOP, LOCALES, NARROW, PHONE, WEB, violations, width_needed

from gridtokenx.simulation.report.folder import load_template, write_report
from gridtokenx.simulation.report.study import make_study
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation

pytestmark = pytest.mark.slow

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DAYS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two days of the shipped community."""
    built = WEB / "dist" / "report.html"
    template = built.read_text(encoding="utf-8") if built.is_file() else None
    if template is None:
        assert find_spec("gridtokenx_web"), "there is no template: `make setup` builds it"
        template = load_template()
    scenario = load_scenario(SCENARIOS / "community-week")
    folder = tmp_path_factory.mktemp("reports") / "report"
    write_report(folder, make_study(scenario, run_simulation(scenario, days=DAYS)), template)
    return folder


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return document


class Reader:
    """Opens the report for somebody; nothing may be asked of anybody, and no page may complain."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser, self._folder = browser, folder
        self.complaints: list[str] = []

    def open(self, size: dict[str, int] = DESKTOP, language: str = "en", scheme: str = "light") -> Page:
        context = self._browser.new_context(viewport=size, locale=LOCALES[language], color_scheme=scheme)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note_console)
        page.on("request", lambda request: self._note(request.url))
        page.goto((self._folder / "index.html").as_uri())
        page.wait_for_selector("#method")
        page.wait_for_selector(".uplot canvas")
        return page

    def _note_console(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    def _note(self, address: str) -> None:
        if not address.startswith(("data:", self._folder.as_uri())):
            self.complaints.append(f"asked for {address}")


@pytest.fixture
def reader(chromium: Browser, folder: Path) -> Iterator[Reader]:
    reader = Reader(chromium, folder)
    yield reader
    for context in list(chromium.contexts):
        context.close()
    assert reader.complaints == []


def money(micro: int, signed: bool = False) -> str:
    text = f"{abs(micro) / 1e6:,.2f}"
    if not re.search("[1-9]", text):
        return text
    return f"\u2212{text}" if micro < 0 else f"+{text}" if signed else text


def bars_of(page: Page, section: str) -> dict[str, str]:
    """Name and figure of each bar of a section's first list."""
    items = page.locator(f"#{section} ul").first.locator("li")
    return {item.locator(".name").inner_text(): item.locator(".text").inner_text() for item in items.all()}


def test_what_is_shown_is_what_the_document_says(reader: Reader, document: dict[str, Any]) -> None:
    page = reader.open()
    run, planner = document["report"], document["planner"]
    facts = page.locator(".facts").inner_text()
    for wanted in (
        money(run["saved_with_vat_micro"]),
        f"{planner['share_of_perfect_permille'] / 10:g}%",
        f"{planner['share_of_equal_permille'] / 10:g}% of what a planner finds",
        f"{run['average_price_micro'] / 1e6:.3f}",
        f"{run['traded_wh'] / 1_000:,.1f} kWh in {run['trades']:,} trades",
    ):
        assert wanted in facts, wanted
    assert (", ".join(run["losers_with_vat"]) or "nobody") in facts
    homes = {home["name"]: home for home in run["homes"]}
    assert bars_of(page, "homes") == {name: money(home["saved_with_vat_micro"], True) for name, home in homes.items()}
    for name in run["losers_with_vat"]:
        more = f"{name} pays {money(-homes[name]['saved_with_vat_micro'])} THB more."
        assert more in page.locator("#homes").inner_text()
    changes = [money(party["change_micro"], True) for party in run["parties"]]
    assert sorted(bars_of(page, "money").values()) == sorted([*changes, "0.00"])
    gains = [planner[name]["gain_micro"] for name in ("equal", "perfect", "daylight", "alone")]
    assert list(bars_of(page, "planner").values()) == [money(each) for each in (planner["found_micro"], *gains)]
    assert run["app_hash"] in page.locator("#method").inner_text()
    assert f"{len(run['checks'])} sums of money" in page.locator("#method").inner_text()


def test_every_bill_is_there_with_its_vat(reader: Reader, document: dict[str, Any]) -> None:
    page = reader.open()
    page.get_by_text("All bills", exact=True).click()
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in page.locator("#homes tbody tr").all()
    }
    names = ("bill_without_micro", "vat_without_micro", "bill_with_micro", "vat_micro", "saved_micro")
    names = (*names, "saved_with_vat_micro")
    for home in document["report"]["homes"]:
        assert rows.pop(home["name"]) == [money(home[name]) for name in names]
    totals = [sum(home[name] for home in document["report"]["homes"]) for name in names]
    assert rows == {"All": [money(total) for total in totals]}


def test_a_bill_is_taken_apart(reader: Reader, document: dict[str, Any]) -> None:
    page = reader.open()
    page.locator("#bill select").select_option("office-floor")
    office = next(home for home in document["report"]["homes"] if home["name"] == "office-floor")
    lines = {
        row.locator("th").inner_text(): row.locator("td").nth(1).inner_text()
        for row in page.locator("#bill tbody tr").all()
    }
    assert lines["Bought from neighbours"] == money(office["purchases_micro"])
    assert lines["Wheeling"] == money(office["wheeling_micro"])
    assert lines["Grid fee"] == money(office["grid_fee_micro"])
    assert lines["Trading fee"] == money(office["trading_fee_micro"])
    assert lines["Bill before VAT"] == money(office["bill_with_micro"])
    assert lines["VAT 7 % on what is paid"] == money(office["vat_micro"])
    assert lines["To pay"] == money(office["bill_with_micro"] + office["vat_micro"])


def test_energy_and_imbalance_of_each_day(reader: Reader, document: dict[str, Any]) -> None:
    page = reader.open()
    for section, names in (
        ("energy", ("from_neighbours_wh", "supplied_wh")),
        ("imbalance", ("undelivered_wh", "unused_wh")),
    ):
        shown = [
            re.findall(r"([\d,]+\.\d)(?!\d)", item.locator(".texts").inner_text())[:2]
            for item in page.locator(f"#{section} ul li").all()
        ]
        assert shown == [[f"{day[name] / 1_000:,.1f}" for name in names] for day in document["days"]]


def test_tables_of_plots_hold_the_figures(reader: Reader, document: dict[str, Any]) -> None:
    page = reader.open()
    switches = page.get_by_role("button", name="Show as table")
    assert switches.count() == 4
    while switches.count():
        switches.first.click()
    hours = page.locator("#prices figure").nth(1).locator("tbody tr")
    assert hours.count() == 24
    busiest = max(range(24), key=lambda hour: document["hours"][hour]["traded_wh"])
    cells = hours.nth(busiest).locator("td").all_inner_texts()
    row = document["hours"][busiest]
    assert cells == [
        f"{row['average_price_micro'] / 1e6:.3f}",
        f"{row['average_tariff_micro'] / 1e6:.3f}",
        f"{(Decimal(row['traded_wh']) / 1_000).quantize(Decimal('0.01'), ROUND_HALF_UP):,}",
    ]
    charges = page.locator("#planner figure tbody tr")
    assert charges.count() == DAYS * 96
    assert charges.last.locator("td").first.inner_text() == f"{document['intervals'][-1]['stored_wh'] / 1_000:,.2f}"


@pytest.mark.parametrize("language", ["en", "th"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anybody_can_read_it(reader: Reader, screenshots: Path, language: str, scheme: str) -> None:
    assert AXE.is_file(), "npm ci brings axe"
    page = reader.open(PHONE, language, scheme)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.locator("html").get_attribute("lang") == language
    assert violations(page) == []
    assert width_needed(page) <= PHONE["width"]
    page.screenshot(path=screenshots / f"report-phone-{language}-{scheme}.png", full_page=True)
    page.set_viewport_size(NARROW)
    assert width_needed(page) <= NARROW["width"]
    page.set_viewport_size(DESKTOP)
    assert violations(page) == []
    page.screenshot(path=screenshots / f"report-desktop-{language}-{scheme}.png", full_page=True)


def test_language_and_theme_are_switched(reader: Reader) -> None:
    page = reader.open()
    page.get_by_role("button", name="ภาษาไทย").click()
    expect(page.locator("h1")).to_have_text("ตลาดทำอะไรให้บ้าง")
    assert "2566" in page.locator("main").inner_text()
    page.get_by_role("button", name="English").click()
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    for _ in range(2):
        page.locator("header button").nth(1).click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != before


def test_on_paper_it_is_light_and_whole(reader: Reader) -> None:
    page = reader.open(scheme="dark")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.get_by_role("button").count() == 0
    expect(page.locator("#homes table")).to_be_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") is None
