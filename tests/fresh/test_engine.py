"""What `make engine` builds, the consensus engine and our program beside it: of pinned modules, all of them checked,
nothing of this machine."""

import importlib.metadata
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from gridtokenx.engine.comet.binary import VERSION, find_cometbft, version_of
from gridtokenx.engine.signatures import find_program

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "packages" / "cometbft"
MODULE = "github.com/cometbft/cometbft"
SIGNATURES_MODULE = "github.com/oasisprotocol/curve25519-voi"


@pytest.fixture(scope="module")
def engine():
    return find_cometbft()


@pytest.fixture(scope="module", params=[(find_cometbft, MODULE, 50), (find_program, SIGNATURES_MODULE, 1)])
def built(request):
    """A program, the module that makes it what it is, and how many there are at least."""
    find, module, count = request.param
    return find().read_bytes(), module, count


def test_one_version_everywhere(engine):
    pinned = re.search(rf"^\t{re.escape(MODULE)} v(\S+)", (PACKAGE / "go.mod").read_text(), re.MULTILINE)[1]
    assert pinned == VERSION == importlib.metadata.version("gridtokenx-cometbft")
    assert version_of(engine).endswith(f"+v{VERSION}")


def test_it_is_made_of_the_modules_of_the_lock_and_no_others(built):
    program, module, count = built
    # Go writes name, version and hash of each module into the program.
    modules = re.findall(rb"\n(?:mod|dep)\t(\S+)\t(\S+)\t(h1:\S+)", program)
    assert module in {name.decode() for name, _, _ in modules}
    assert len(modules) > count
    locked = set((PACKAGE / "go.sum").read_text().splitlines())
    assert [line for line in (b" ".join(one).decode() for one in modules) if line not in locked] == []


def test_it_holds_no_paths_of_the_machine_that_built_it(built):
    for path in (ROOT, Path.home() / "go", Path.home() / ".cache", Path(tempfile.gettempdir()) / "go-build"):
        assert str(path).encode() not in built[0]
    assert b"site-packages" not in built[0]


def test_it_starts_where_there_is_no_home(engine):
    answer = subprocess.run([engine, "version"], env={}, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == version_of(engine)
    subprocess.run([find_program()], env={}, stdin=subprocess.DEVNULL, check=True)


@pytest.mark.parametrize(("goal", "asks"), [("up", False), ("check", False), ("test", True), ("soak", True)])
def test_only_who_needs_the_engine_asks_for_it(goal, asks):
    changed = f"--what-if={PACKAGE.relative_to(ROOT) / 'go.mod'}"
    plan = subprocess.run(["make", "-n", changed, goal], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (re.search(r" engine\b", plan) is not None) == asks
