"""No test leaves the suite unnoticed: skips are listed, and in CI each of them needs a written reason."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

SUITE = """
import pytest

@pytest.mark.skip(reason="needs two interpreters [a]")
@pytest.mark.parametrize("case", [1, 2])
def test_skipped(case):
    pass

def test_grouped():
    pytest.skip("said while it ran")

def test_passing():
    pass
"""
EXPLAINED = """
[[skip]]
test = "tests/test_suite.py::test_skipped[*"
reason = "needs two*"
why = "one is enough here"
"""
EXPLAINED_TOO = """
[[skip]]
test = "tests/test_suite.py::test_grouped"
reason = "said while it ran"
why = "so it is"
"""
OTHER_REASON = EXPLAINED_TOO.replace("said while it ran", "another reason")
MODULE = 'import pytest\npytest.skip("not here", allow_module_level=True)\n'


@pytest.fixture
def run_suite(tmp_path):
    """Run the little suite above under the real conftest; gives the exit code and the output."""

    def run(skips, *options, ci="true", **files):
        tests = tmp_path / "tests"
        tests.mkdir()
        shutil.copy(CONFTEST, tests)
        (tests / "skips.toml").write_text(skips)
        (tests / "test_suite.py").write_text(SUITE)
        for name, content in files.items():
            (tests / f"{name}.py").write_text(content)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
        finished = subprocess.run(
            command, cwd=tmp_path, env=inherited | {"CI": ci}, capture_output=True, text=True, check=False
        )
        return finished.returncode, finished.stdout

    return run


WORKERS = pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["alone", "workers"])


@WORKERS
def test_explained_skips_pass_and_are_listed(run_suite, options):
    code, output = run_suite(EXPLAINED + EXPLAINED_TOO, *options)
    assert code == 0
    assert "3 skipped, 0 of them not in tests/skips.toml" in output
    assert "\ntests/test_suite.py::test_skipped[2]: needs two interpreters [a]" in output
    assert "\ntests/test_suite.py::test_grouped: said while it ran" in output


def test_an_unexplained_skip_fails_in_ci(run_suite):
    code, output = run_suite(EXPLAINED + OTHER_REASON)
    assert code == 1
    assert "3 skipped, 1 of them not in tests/skips.toml" in output
    assert "\nnot explained: tests/test_suite.py::test_grouped: said while it ran" in output


@WORKERS
def test_a_skipped_module_counts(run_suite, options):
    code, output = run_suite(EXPLAINED + EXPLAINED_TOO, *options, test_module=MODULE)
    assert code == 1
    assert "not explained: tests/test_module.py: not here" in output


def test_elsewhere_an_unexplained_skip_is_only_listed(run_suite):
    code, output = run_suite("", ci="")
    assert code == 0
    assert "3 skipped, 3 of them not in tests/skips.toml" in output


def test_an_entry_needs_its_why(run_suite):
    code, _ = run_suite(EXPLAINED.replace('why = "one is enough here"', ""))
    assert code != 0


def test_the_last_line_is_pytests_own(run_suite):
    _, output = run_suite(EXPLAINED + EXPLAINED_TOO)
    assert "1 passed, 3 skipped" in output.rstrip().splitlines()[-1]
