"""The checks of `gridtokenx doctor`, each seen to pass and, where a test can bring it about, to fail."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gridtokenx.cli import doctor
from gridtokenx.cli.doctor import Finding, Outcome

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def busy_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def outcomes(findings):
    return {finding.subject: finding.outcome for finding in findings}


def test_libraries_are_the_runtime_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in project["dependencies"]}
    assert set(doctor.LIBRARIES) == declared


def test_a_machine_that_runs_these_tests_is_fit(tmp_path, capsys):
    findings = list(doctor.examine(tmp_path, []))
    assert outcomes(findings)["signature judge"] is Outcome.OK
    assert doctor.doctor(tmp_path, []) == (1 if Outcome.FAIL in outcomes(findings).values() else 0)
    assert "signature judge" in capsys.readouterr().out


def test_nothing_is_left_behind(tmp_path):
    list(doctor.examine(tmp_path, []))
    assert list(tmp_path.iterdir()) == []
    list(doctor.examine(tmp_path / "not" / "there", []))
    assert list(tmp_path.iterdir()) == []


def test_another_version_than_the_locked_one_is_a_warning(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("msgspec==0.0.1 \\\n    --hash=sha256:00\nrich==0.0.2 ; python_version > '3'\n")
    findings = {finding.subject: finding for finding in doctor.check_libraries(lock)}
    assert findings["msgspec"].outcome is Outcome.WARNING
    assert findings["msgspec"].found.endswith("requirements.lock says 0.0.1")
    assert findings["rich"].fix == "make setup"


def test_without_a_lock_file_versions_are_not_vouched_for():
    assert outcomes(doctor.check_libraries(None)) == {"libraries": Outcome.WARNING}


def test_a_missing_library_fails_and_names_the_fix(monkeypatch):
    monkeypatch.setitem(doctor.LIBRARIES, "no-such-thing", "no_such_thing")
    finding = next(f for f in doctor.check_libraries(None) if f.subject == "no-such-thing")
    assert finding.outcome is Outcome.FAIL
    assert finding.fix == "make setup"


def test_a_missing_engine_is_a_warning_that_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDTOKENX_COMETBFT", str(tmp_path / "none"))
    (finding,) = doctor.check_engine()
    assert finding.outcome is Outcome.WARNING
    assert "make engine" in finding.fix


@pytest.mark.parametrize("program", ["none", "/bin/cat"])
def test_a_program_that_judges_no_signatures_is_a_warning(monkeypatch, program):
    monkeypatch.setenv("GRIDTOKENX_SIGNATURES", program)
    (finding,) = doctor.check_signature_program()
    assert finding.outcome is Outcome.WARNING
    assert program in finding.found
    assert finding.fix == "make engine"


@pytest.mark.slow
def test_the_built_program_judges_signatures():
    assert outcomes(doctor.check_signature_program()) == {"signatures in batches": Outcome.OK}


def test_a_busy_port_fails_and_a_free_one_does_not(tmp_path, busy_port):
    assert outcomes(doctor.check_ports(tmp_path, [busy_port])) == {f"port {busy_port}": Outcome.FAIL}
    assert outcomes(doctor.check_ports(tmp_path, [0])) == {"port 0": Outcome.OK}


def test_a_port_is_busy_rightly_while_the_market_runs(tmp_path, busy_port):
    (tmp_path / "node.pid").write_text(f"{os.getpid()}\n")
    assert outcomes(doctor.check_ports(tmp_path, [busy_port])) == {f"port {busy_port}": Outcome.OK}


@pytest.mark.parametrize("content", ["", "not a number", "-1", "99999999999999999999"])
def test_a_process_file_without_a_process_is_stale(tmp_path, content):
    (tmp_path / "node.pid").write_text(content)
    assert outcomes(doctor.check_run_files(tmp_path)) == {"process file": Outcome.WARNING}


def test_the_file_of_an_ended_process_is_stale(tmp_path, ended_process):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gateway.pid").write_text(str(ended_process))
    assert outcomes(doctor.check_run_files(tmp_path)) == {"process file": Outcome.WARNING}


@pytest.mark.parametrize(
    ("available", "outcome"),
    [(9, Outcome.FAIL), (10, Outcome.WARNING), (19, Outcome.WARNING), (20, Outcome.OK)],
)
def test_amounts_warn_and_fail_at_their_limits(available, outcome):
    finding = doctor.below("disk space", available, (10, 20), "buy one")
    assert finding.outcome is outcome
    assert finding.fix == ("" if outcome is Outcome.OK else "buy one")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/homeless", "ext4"),
        ("/home/mali", "xfs"),
        ("/mnt/two words/state", "tmpfs"),
        ("/mnt/two", "ext4"),
    ],
)
def test_the_longest_and_last_mount_point_decides(folder, kind):
    mounts = (
        "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "22 21 0:5 / /home rw - btrfs /dev/vdb rw\n"
        "23 22 0:6 / /home rw - xfs /dev/vdc rw\n"
        "24 21 0:7 / /mnt/two\\040words rw - tmpfs tmpfs rw\n"
    )
    assert doctor.file_system_in(mounts, Path(folder)) == kind


def test_the_table_falls_back_to_lines_without_rich(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    doctor.show([Finding("rich", Outcome.FAIL, "cannot be imported", "make setup")])
    assert capsys.readouterr().out == "fail     rich: cannot be imported  make setup\n"


def test_a_file_in_the_way_of_the_data_folder_fails(tmp_path):
    (tmp_path / "state").write_text("")
    assert outcomes(doctor.check_disk(tmp_path / "state" / "deeper")) == {"data folder": Outcome.FAIL}
