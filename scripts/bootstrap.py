"""Makes `.venv` from `requirements.lock`, starting with nothing but Python's standard library.

    python3 scripts/bootstrap.py setup [--environment .venv]    what `make setup` runs
    python3 scripts/bootstrap.py engine [--environment .venv]   what `make engine` runs, after it
    python3 scripts/bootstrap.py lock [--upgrade]               what `make lock` runs

Everything installed, uv itself included, is checked against a SHA-256 that stands in this repository
(`requirements.lock`, `scripts/uv-pin.txt`). Only wheels are installed, so nothing is compiled. The
environment belongs to the interpreter that runs this file. Running it again changes only what differs. The page is
built by `packages/web` and the consensus engine by `packages/cometbft`, each from lock files of its own, which hold
hashes too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
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
ENGINE = PACKAGES / "cometbft"
ENGINE_LOCK = ENGINE / "requirements.lock"

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
    built = engine_wheel()
    if built:
        run(environment, uv, "pip", "install", *options, python, built)
    say(f"{folder.name} made in {time.monotonic() - started:.0f} s")


def page_wheel(uv: Path, python: str, environment: dict[str, str]) -> Path:
    """The built page as a wheel, made by its own build hook; the last one if its sources have not changed."""
    # All workspaces of npm: the page is made of the SDK too.
    folder = TOOLS / f"page-{sources_hash(PACKAGES, MADE_BY_BUILDS | {ENGINE.name})}"
    if not list(folder.glob("*.whl")):
        say("the page, built from packages/ with the Node of the environment")
        forget_older("page")
        run(environment, uv, "build", "--quiet", "--wheel", "--no-build-isolation", python, "--out-dir", folder, WEB)
    return next(folder.glob("*.whl"))


def engine(folder: Path, environment: dict[str, str]) -> None:
    """Leaves the consensus engine in the virtual environment `folder`, built if its sources have changed."""
    uv = require_uv(TOOLS, UV_PIN, BASE_PYTHON, environment, say)
    python = f"--python={folder / 'bin' / 'python'}"
    built = engine_wheel() or build_engine(uv, python, environment)
    run(environment, uv, "pip", "install", "--quiet", "--no-deps", python, built)
    say("engine: ready")


def build_engine(uv: Path, python: str, environment: dict[str, str]) -> Path:
    """The consensus engine as a wheel, made by its own build hook.

    Go comes as a wheel too, into an environment that is gone after the build. Modules come from where Go is told to
    take them; they and what is compiled stay in `.tools/go`, unless GOMODCACHE and GOCACHE name other folders.
    """
    started = time.monotonic()
    say("engine: CometBFT from its pinned module, with the Go of a wheel; a minute or two, once")
    forget_older("engine")
    go = TOOLS / "go"
    caches = {"GOPATH": str(go), "GOMODCACHE": str(go / "modules"), "GOCACHE": str(go / "compiled")}
    options = ["--wheel", python, "--require-hashes", f"--build-constraints={ENGINE_LOCK}"]
    folder = engine_folder()
    run(caches | environment, uv, "build", *options, "--out-dir", folder, ENGINE)
    say(f"engine: built in {time.monotonic() - started:.0f} s")
    return next(folder.glob("*.whl"))


def engine_wheel() -> Path | None:
    """The engine that was built from the present sources, if it was."""
    return next(engine_folder().glob("*.whl"), None)


def engine_folder() -> Path:
    """Where the wheel of the present sources lies, or will."""
    return TOOLS / f"engine-{sources_hash(ENGINE, MADE_BY_BUILDS)}"


def forget_older(kind: str) -> None:
    """Deletes the wheels that were built from other sources."""
    for older in TOOLS.glob(f"{kind}-*"):
        shutil.rmtree(older)


def sources_hash(top: Path, left_out: set[str]) -> str:
    """Names and content of all files below `top`, but those in folders with one of the names `left_out`."""
    found = hashlib.sha256()
    for folder, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name not in left_out)
        for name in sorted(files):
            path = Path(folder) / name
            found.update(f"{path.relative_to(top)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def lock(upgrade: bool, environment: dict[str, str]) -> None:
    """Writes `requirements.lock`, that of the engine's build, and `scripts/uv-pin.txt`: hashes, no hosts, one file
    for every platform.

    Raises SetupError when a library has no wheel for one of `WHEELS_FOR`.
    """
    uv = require_uv(TOOLS, UV_PIN, BASE_PYTHON, environment, say)
    uv_wanted, engine_wanted = TOOLS / "uv.in", TOOLS / "engine.in"
    uv_wanted.write_text(UV_RANGE + "\n", encoding="utf-8")
    engine_build = tomllib.loads((ENGINE / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    engine_wanted.write_text("\n".join(engine_build["requires"]) + "\n", encoding="utf-8")
    options = ["--universal", f"--python-version={OLDEST_PYTHON}", "--generate-hashes", "--no-annotate"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=make lock"]
    options += ["--upgrade"] if upgrade else []
    project = [ROOT / "pyproject.toml", "--extra=dev"]
    for target, wanted in ((LOCK, project), (ENGINE_LOCK, [engine_wanted]), (UV_PIN, [uv_wanted])):
        say(f"{target.relative_to(ROOT)}")
        run(environment, uv, "pip", "compile", "--quiet", *options, *wanted, "--output-file", target)
        if "://" in target.read_text(encoding="utf-8"):
            raise SetupError(f"{target} names a host: it must install from behind any mirror")
    dry_install = ["pip", "install", "--quiet", "--dry-run", f"--target={TOOLS / 'none'}", WHEELS_ONLY]
    for version, platform in WHEELS_FOR:
        say(f"a wheel for every library: Python {version}, {platform}")
        machine = [f"--python-version={version}", f"--python-platform={platform}"]
        for lock_file in (LOCK, ENGINE_LOCK):
            run(environment, uv, *dry_install, *machine, "--require-hashes", "--requirement", lock_file)


def main() -> int:
    """Returns the exit code: 0, or 1 after one line that says what is missing."""
    parser = argparse.ArgumentParser(description="Makes .venv, the consensus engine in it, or the lock files.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (("setup", "make the virtual environment"), ("engine", "build the consensus engine into it")):
        options = commands.add_parser(name, help=does)
        options.add_argument("--environment", type=Path, default=ROOT / ".venv", help="its folder")
    lock_options = commands.add_parser("lock", help="write the lock files")
    lock_options.add_argument("--upgrade", action="store_true", help="take the newest versions in range")
    chosen = parser.parse_args()
    environment = tool_environment(os.environ, configured_index(os.environ))
    environment["UV_PYTHON_DOWNLOADS"] = "never"  # the interpreter is the machine's, not one uv would fetch
    try:
        if chosen.command == "setup":
            setup(chosen.environment.absolute(), environment)
        elif chosen.command == "engine":
            engine(chosen.environment.absolute(), environment)
        else:
            lock(chosen.upgrade, environment)
    except SetupError as error:
        print(f"{chosen.command} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
