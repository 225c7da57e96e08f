"""Makes `.venv` from `requirements.lock`, starting with nothing but Python's standard library.

    python3 scripts/bootstrap.py setup [--environment .venv]   what `make setup` runs
    python3 scripts/bootstrap.py lock [--upgrade]              what `make lock` runs

Everything installed, uv itself included, is checked against a SHA-256 that stands in this repository
(`requirements.lock`, `scripts/uv-pin.txt`). Only wheels are installed, so nothing is compiled. The
environment belongs to the interpreter that runs this file. Running it again changes only what differs. The page is
built by `packages/web` from its own lock file, which holds hashes too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import debian_packages
from package_index import configured_index, tool_environment
from uv_tool import SetupError, require_uv

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
UV_PIN = ROOT / "scripts" / "uv-pin.txt"
TOOLS = ROOT / ".tools"

PACKAGES = ROOT / "packages"
WEB = PACKAGES / "web"

UV_RANGE = "uv>=0.13,<0.14"
OLDEST_PYTHON = "3.11"
MADE_BY_BUILDS = {"node_modules", "dist", "__pycache__"}
WHEELS_ONLY = "--only-binary=:all:"

# Where `make lock` insists on a wheel for every library. musl is not among them: lightgbm and Playwright have no
# wheels for it. On other systems Python 3.14 waits for the library that judges signatures.
PLATFORMS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
)
WHEELS_FOR = tuple((version, platform) for version in ("3.11", "3.12", "3.13") for platform in PLATFORMS)
WHEELS_FOR += (("3.14", "x86_64-unknown-linux-gnu"),)

# The interpreter itself, also when this runs inside a virtual environment: `.venv` must not stand on another.
BASE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))


def say(text: str) -> None:
    """One line of progress, in order even when the output is a file."""
    print(f"==> {text}", flush=True)


def run(environment: dict[str, str], *command: str | Path) -> None:
    """Runs `command` in the repository with its output shown; raises SetupError when it fails."""
    finished = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if finished.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise SetupError(f"this command ended with exit code {finished.returncode}: {shown}")


def belongs_to_this_python(folder: Path) -> bool:
    """Whether `folder` is a working virtual environment of the interpreter that runs this file."""
    try:
        answer = subprocess.run(
            [folder / "bin" / "python", "-c", "import sys; print(sys.version, sys.base_prefix, sep='|')"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == f"{sys.version}|{sys.base_prefix}"


def setup(folder: Path, environment: dict[str, str]) -> None:
    """Leaves the locked libraries and this project (editable) in the virtual environment `folder`."""
    started = time.monotonic()
    debian_packages.provide(["libgomp1"])  # without it all but the agents that forecast works, and they say so
    uv = require_uv(TOOLS, UV_PIN, BASE_PYTHON, environment, say)
    if not belongs_to_this_python(folder):
        say(f"{folder.name} for Python {sys.version.split()[0]} ({BASE_PYTHON})")
        options = ["--quiet", "--clear", "--prompt=gridtokenx", f"--python={BASE_PYTHON}"]
        run(environment, uv, "venv", *options, folder)
    python = f"--python={folder / 'bin' / 'python'}"
    # What is fetched shows on a terminal; a log file needs no fifty names.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    say("libraries from requirements.lock, each file checked by its hash")
    run(environment, uv, "pip", "sync", *quiet, python, "--require-hashes", WHEELS_ONLY, LOCK)
    say("gridtokenx itself")
    options = ["--quiet", "--no-deps", "--no-build-isolation"]
    run(environment, uv, "pip", "install", *options, python, "--editable", ROOT)
    run(environment, uv, "pip", "install", *options, python, page_wheel(uv, python, environment))
    say(f"{folder.name} made in {time.monotonic() - started:.0f} s")


def page_wheel(uv: Path, python: str, environment: dict[str, str]) -> Path:
    """The built page as a wheel, made by its own build hook; the last one if its sources have not changed."""
    folder = TOOLS / f"page-{page_sources_hash()}"
    if not list(folder.glob("*.whl")):
        say("the page, built from packages/ with the Node of the environment")
        for older in TOOLS.glob("page-*"):
            shutil.rmtree(older)
        run(environment, uv, "build", "--quiet", "--wheel", "--no-build-isolation", python, "--out-dir", folder, WEB)
    return next(folder.glob("*.whl"))


def page_sources_hash() -> str:
    """Names and content of all that the page is made of."""
    found = hashlib.sha256()
    for folder, names, files in os.walk(PACKAGES):
        names[:] = sorted(name for name in names if name not in MADE_BY_BUILDS)
        for name in sorted(files):
            path = Path(folder) / name
            found.update(f"{path.relative_to(PACKAGES)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def lock(upgrade: bool, environment: dict[str, str]) -> None:
    """Writes `requirements.lock` and `scripts/uv-pin.txt`: hashes, no hosts, one file for every platform.

    Raises SetupError when a library has no wheel for one of `WHEELS_FOR`.
    """
    uv = require_uv(TOOLS, UV_PIN, BASE_PYTHON, environment, say)
    uv_wanted = TOOLS / "uv.in"
    uv_wanted.write_text(UV_RANGE + "\n", encoding="utf-8")
    options = ["--universal", f"--python-version={OLDEST_PYTHON}", "--generate-hashes", "--no-annotate"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=make lock"]
    options += ["--upgrade"] if upgrade else []
    for target, source, extra in ((LOCK, ROOT / "pyproject.toml", ["--extra=dev"]), (UV_PIN, uv_wanted, [])):
        say(f"{target.relative_to(ROOT)}")
        run(environment, uv, "pip", "compile", "--quiet", *options, *extra, source, "--output-file", target)
        if "://" in target.read_text(encoding="utf-8"):
            raise SetupError(f"{target} names a host: it must install from behind any mirror")
    dry_install = ["pip", "install", "--quiet", "--dry-run", f"--target={TOOLS / 'none'}", WHEELS_ONLY]
    for version, platform in WHEELS_FOR:
        say(f"a wheel for every library: Python {version}, {platform}")
        machine = [f"--python-version={version}", f"--python-platform={platform}"]
        run(environment, uv, *dry_install, *machine, "--require-hashes", "--requirement", LOCK)


def main() -> int:
    """Returns the exit code: 0, or 1 after one line that says what is missing."""
    parser = argparse.ArgumentParser(description="Makes .venv, or the lock files.")
    commands = parser.add_subparsers(dest="command", required=True)
    setup_options = commands.add_parser("setup", help="make the virtual environment")
    setup_options.add_argument("--environment", type=Path, default=ROOT / ".venv", help="its folder")
    lock_options = commands.add_parser("lock", help="write the lock files")
    lock_options.add_argument("--upgrade", action="store_true", help="take the newest versions in range")
    chosen = parser.parse_args()
    environment = tool_environment(os.environ, configured_index(os.environ))
    environment["UV_PYTHON_DOWNLOADS"] = "never"  # the interpreter is the machine's, not one uv would fetch
    try:
        if chosen.command == "setup":
            setup(chosen.environment.absolute(), environment)
        else:
            lock(chosen.upgrade, environment)
    except SetupError as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
