"""What holds for the whole suite: markers, Hypothesis profiles, and no skip without a written reason.

At the end of every run each skipped test is listed with its reason. With CI=true the run fails when a skip is
not explained in `tests/skips.toml`, so that a test cannot leave the suite unnoticed.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: the machine is shared, and time is measured by `gridtokenx bench`, not by tests.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.register_profile("soak", settings.get_profile("default"), max_examples=5_000)

# Processes that tests start find the package also where it is not installed.
_SOURCE = str(Path(__file__).parents[1] / "src")
os.environ["PYTHONPATH"] = os.pathsep.join([_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])])

# Tests start hundreds of processes. Without what Python has compiled, each begins with compiling hundreds of files.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "default"))

SKIPS_FILE = Path(__file__).with_name("skips.toml")


@dataclass(frozen=True, order=True)
class Skip:
    """One skipped test (or module) and what it said."""

    test: str
    reason: str


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, where * stands for anything; brackets of parameters are plain text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def unexplained(skips: list[Skip], explained: list[dict[str, str]]) -> list[Skip]:
    """The skips that no entry of `tests/skips.toml` covers with both test and reason."""
    return [
        skip
        for skip in skips
        if not any(matches(entry["test"], skip.test) and matches(entry["reason"], skip.reason) for entry in explained)
    ]


def read_explained(path: Path) -> list[dict[str, str]]:
    """The entries of the file; raises ValueError for one without test, reason and why."""
    entries: list[dict[str, str]] = tomllib.loads(path.read_text(encoding="utf-8")).get("skip", [])
    for entry in entries:
        if set(entry) != {"test", "reason", "why"} or not all(entry.values()):
            raise ValueError(f"{path.name}: each entry has test, reason and why: {entry}")
    return entries


def skips_of(config: pytest.Config) -> list[Skip]:
    """Every skip of the run, of all workers, once."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return []
    found = set()
    for report in reporter.stats.get("skipped", []):
        # The text of a skip is (file, line, "Skipped: reason").
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        # Under xdist a grouped test carries "@group" behind its id.
        found.add(Skip(report.nodeid.partition("@")[0], reason.removeprefix("Skipped: ")))
    return sorted(found)


SLOW_FOLDERS = (
    "fresh",
    "network",
    "processes",
    "faults",
    "browser",
    "fuzz",
    "determinism",
    "properties",
    "sdk",
    "unit/gateway",
)
"""`make check` leaves these out, so that it stays short. They begin in this order, before all others: a file stays with
one worker, and one that takes minutes must not begin last, when the other workers have nothing left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole folders are slow; single tests elsewhere say so themselves."""
    # Of two tests of one name a worker runs one, and nobody hears of the other.
    if twice := [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]:
        raise pytest.UsageError(f"tests that share a name: {', '.join(twice)}")
    for item in items:
        if place_of(item) < len(SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
    items.sort(key=place_of)


def place_of(item: pytest.Item) -> int:
    """Of its folder among the slow ones; behind them all for one that stands in none of them."""
    folder = item.path.relative_to(Path(__file__).parent).as_posix()
    return next((place for place, slow in enumerate(SLOW_FOLDERS) if folder.startswith(slow)), len(SLOW_FOLDERS))


PARAMETER_NAME_MAX = 100


def pytest_make_parametrize_id(val: object) -> str | None:
    """Long parameters are shown by their beginning: a test's name goes into the environment of what it starts."""
    shown = repr(val) if isinstance(val, str | bytes) else ""
    return f"{shown[:PARAMETER_NAME_MAX]}..." if len(shown) > PARAMETER_NAME_MAX else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a second or two; left out of `make check`")
    config.addinivalue_line("markers", "soak: takes minutes or more; only in `make soak`")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    is_worker = hasattr(session.config, "workerinput")
    passed = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    if IN_CI and not is_worker and passed and unexplained(skips_of(session.config), read_explained(SKIPS_FILE)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skips = skips_of(config)
    if not skips:
        return
    strangers = unexplained(skips, read_explained(SKIPS_FILE))
    terminalreporter.section(f"{len(skips)} skipped, {len(strangers)} of them not in tests/skips.toml")
    for skip in skips:
        mark = "not explained: " if skip in strangers else ""
        terminalreporter.line(f"{mark}{skip.test}: {skip.reason}", red=bool(mark and IN_CI))
    if strangers and IN_CI:
        terminalreporter.line("CI: a skip that tests/skips.toml does not explain fails the run", red=True)
