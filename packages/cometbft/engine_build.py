"""The build hook: makes the tools of `go.mod`, and the commands in `cmd`, with the Go that comes as a wheel, so nobody
installs one.

Modules are those of `go.mod`, each checked by its hash in `go.sum`. Where they come from is Go's own configuration
(GOPROXY and the like). The same sources and the same Go give the same bytes on every machine.
"""

import os
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import go
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = Path(__file__).resolve().parent
GO_ROOT = Path(go.__file__).parent
GO = GO_ROOT / "bin" / "go"

PROGRAMS = ["tool", "./cmd/..."]
"""What is built: `tool` is Go's own name for all packages that `go.mod` declares as tools."""

FOREIGN = ("GOOS", "GOARCH", "GOROOT")
"""Would have it build for another machine, or with parts of another Go."""

FIXED = {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOTOOLCHAIN": "local", "GOWORK": "off"}
"""No C compiler, no Go but this one, no module but those of `go.mod`."""

MODULE_OPTIONS = ["-mod=readonly", "-modcacherw"]
"""`go.mod` and `go.sum` are taken as they are; the module cache can be deleted like any other folder."""

VERSION_VARIABLE = "github.com/cometbft/cometbft/version.TMGitCommitHash"
"""Printed behind the number that v0.40.0 gives itself, 0.39.0, which is a constant that no linker changes."""

SECONDS_BETWEEN_LINES = 10.0
LINES_KEPT = 20


class EngineBuild(BuildHookInterface[Any]):
    """Adds the programs to the wheel. Raises RuntimeError with what Go said last."""

    def initialize(self, _: str, build_data: dict[str, Any]) -> None:
        """Called by the build backend before the wheel is put together."""
        environment = go_environment(os.environ)
        self._programs = tempfile.TemporaryDirectory()
        version = self.metadata.version
        build_programs(Path(self._programs.name), version, environment)
        for program in sorted(Path(self._programs.name).iterdir()):
            build_data["shared_scripts"][str(program)] = program.name
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, *_: object) -> None:
        """Called when the wheel is there."""
        self._programs.cleanup()


def go_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment with what the result must not depend on taken out or fixed. GOPROXY, GOSUMDB, GOPRIVATE, GOFLAGS
    and the caches stay as they are given."""
    return {name: value for name, value in given.items() if name not in FOREIGN} | FIXED | {"GOROOT": str(GO_ROOT)}


def build_programs(folder: Path, version: str, environment: dict[str, str]) -> None:
    """Leave every one of `PROGRAMS` in `folder`, saying every few seconds how far it is."""
    listed = run_go(["list", *MODULE_OPTIONS, "-deps", *PROGRAMS], environment, "modules fetched")
    packages = [line for line in listed if not line.startswith("go: ")]
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    options = ["-v", *MODULE_OPTIONS, "-trimpath", "-buildvcs=false", f"-ldflags={flags}", "-o", f"{folder}/"]
    run_go(["build", *options, *PROGRAMS], environment, f"of {len(packages)} packages compiled")


def run_go(arguments: list[str], environment: dict[str, str], progress: str) -> list[str]:
    """Run Go in the module; returns what it printed. `progress` says what the lines are that it prints on its way.
    RuntimeError with the last of them if it fails."""
    printed: list[str] = []
    said = time.monotonic()
    with subprocess.Popen(
        [GO, *arguments],
        cwd=MODULE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line.rstrip())
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                print(f"==> engine: {len(printed)} {progress}", flush=True)
    if process.returncode:
        last = "\n".join(printed[-LINES_KEPT:])
        raise RuntimeError(f"go {arguments[0]} ended with exit code {process.returncode}:\n{last}")
    return printed
