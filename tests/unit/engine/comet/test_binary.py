"""Which CometBFT is taken, and what is said when none can be."""

import sys

import pytest

from gridtokenx.engine.comet import binary
from gridtokenx.engine.comet.binary import CometMissing, find_cometbft

GOOD = f"echo 0.39.0{binary.BUILD_MARK}"


@pytest.fixture
def make_program(tmp_path):
    """Writes an executable `cometbft` into a folder of that name, made of the given lines of shell."""

    def make(folder, lines):
        program = tmp_path / folder / binary.PROGRAM
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)
        return program

    return make


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path, monkeypatch):
    """An interpreter and a PATH with no engine beside or on them."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "environment" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    monkeypatch.delenv(binary.PROGRAM_VARIABLE, raising=False)


def test_where_there_is_none_the_command_that_builds_it_is_named():
    with pytest.raises(CometMissing, match="`make engine` builds it"):
        find_cometbft()


def test_the_one_of_the_environment_comes_before_the_one_on_the_path(make_program):
    on_the_path = make_program("elsewhere", GOOD)
    assert find_cometbft() == on_the_path
    own = make_program("environment", GOOD)
    assert find_cometbft() == own


def test_the_one_that_is_named_comes_before_all(make_program, monkeypatch):
    make_program("environment", GOOD)
    named = make_program("named", GOOD)
    monkeypatch.setenv(binary.PROGRAM_VARIABLE, str(named))
    assert find_cometbft() == named
    named.unlink()
    with pytest.raises(CometMissing, match="is no program"):
        find_cometbft()


@pytest.mark.parametrize("answer", ["0.39.0", "0.39.0+v0.39.3", "0.38.17", ""])
def test_another_release_is_refused(make_program, answer):
    make_program("environment", f"echo {answer}")
    with pytest.raises(CometMissing, match=r"is not the CometBFT 0\.40\.0 that `make engine` builds"):
        find_cometbft()


@pytest.mark.parametrize("lines", ["exit 3", "exec /no/such/program"])
def test_one_that_does_not_run_is_refused(make_program, lines):
    make_program("environment", lines)
    with pytest.raises(CometMissing, match="does not run"):
        find_cometbft()
