"""Brings the few things that no wheel can carry: as root on Debian and Ubuntu by installing their packages, elsewhere
by naming them.

    python3 scripts/debian_packages.py NAME ...     exit code 1 when something is still missing

Standard library only, because it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

INSTALL_S_MAX = 900


@dataclass(frozen=True)
class SystemPackage:
    """A package by its Debian name, what it is for, and whether this machine has what it brings."""

    name: str
    purpose: str
    is_there: Callable[[], bool]


def library_loads(name: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def browser_is_there() -> bool:
    """Whether a Chromium can be started (tests/browser looks for the same names)."""
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


def softhsm_is_there() -> bool:
    """Whether a token in software can be made (tests/unit/signer/tokens.py looks for the same)."""
    return shutil.which("softhsm2-util") is not None


PACKAGES = {
    package.name: package
    for package in (
        SystemPackage("libgomp1", "agents that forecast (lightgbm)", lambda: library_loads("libgomp.so.1")),
        SystemPackage("chromium", "the tests of the page", browser_is_there),
        SystemPackage("softhsm2", "the tests of keys in hardware", softhsm_is_there),
    )
}


def missing(names: list[str]) -> list[SystemPackage]:
    """Those of the named packages whose content this machine lacks. libgomp belongs to Linux alone."""
    return [
        PACKAGES[name]
        for name in names
        if not PACKAGES[name].is_there() and (name != "libgomp1" or sys.platform == "linux")
    ]


def install(packages: list[SystemPackage]) -> None:
    """With apt, quietly; what it says is shown only when it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    names = [package.name for package in packages]
    for command in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *names],
    ):
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=INSTALL_S_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            print(f"{' '.join(command)} took more than {INSTALL_S_MAX} seconds", file=sys.stderr)
            return
        if done.returncode:
            print(f"{' '.join(command)} failed:\n{done.stdout[-2_000:]}", file=sys.stderr)


def provide(names: list[str]) -> bool:
    """Install what is missing if this may, else say what to install. Whether all is there now."""
    lacking = missing(names)
    if lacking and shutil.which("apt-get") and os.geteuid() == 0:
        print(f"==> packages of the system: {', '.join(package.name for package in lacking)}", flush=True)
        install(lacking)
        lacking = missing(names)
    for package in lacking:
        print(f"Missing: {package.name}, for {package.purpose}. As root: apt install {package.name}", file=sys.stderr)
    return not lacking


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Installs or names packages of the system.")
    parser.add_argument("names", nargs="+", choices=sorted(PACKAGES))
    return 0 if provide(parser.parse_args().names) else 1


if __name__ == "__main__":
    sys.exit(main())
