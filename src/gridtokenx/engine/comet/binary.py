"""Where CometBFT is, and whether it is the one this network runs on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = "cometbft"
PROGRAM_VARIABLE: Final = "GRIDTOKENX_COMETBFT"
"""Names another binary than the one in the environment's `bin/`."""

BOOT_PROGRAM: Final = "gridtokenx-boot"
"""Tells nodes of each other; built beside CometBFT, with its links."""

VERSION: Final = "0.40.0"
"""The release that `packages/cometbft` pins. Nodes of one network run the same."""

BUILD_MARK: Final = f"+v{VERSION}"
"""How the version ends that our build prints. The number before it is a constant of the module, and is wrong."""

ANSWER_SECONDS_MAX: Final = 30.0


class CometMissing(Exception):
    """There is no CometBFT that can be used. Says what to do."""


def find_cometbft() -> Path:
    """The binary: the one that `GRIDTOKENX_COMETBFT` names, else the one beside this interpreter, else the first on the
    PATH. Raises `CometMissing`, also when it is not the build of `packages/cometbft`; asking takes some 15 ms."""
    named = os.environ.get(PROGRAM_VARIABLE)
    candidates = [named] if named else [str(Path(sys.executable).parent / PROGRAM), PROGRAM]
    found = next(filter(None, map(shutil.which, candidates)), None)
    if found is None:
        raise CometMissing(
            f"{PROGRAM_VARIABLE} names {named}, which is no program"
            if named
            else "the consensus engine is not in this environment: `make engine` builds it"
        )
    version = version_of(Path(found))
    if not version.endswith(BUILD_MARK):
        raise CometMissing(
            f"{found} says {version!r} and is not the CometBFT {VERSION} that `make engine` builds"
            + (f" ({PROGRAM_VARIABLE} names it)" if named else "")
        )
    return Path(found)


def find_boot_program() -> Path:
    """The program of a boot node: the one beside this interpreter, else the first on the PATH. Raises
    `CometMissing`."""
    found = shutil.which(str(Path(sys.executable).parent / BOOT_PROGRAM)) or shutil.which(BOOT_PROGRAM)
    if found is None:
        raise CometMissing(f"{BOOT_PROGRAM} is not in this environment: `make engine` builds it")
    return Path(found)


def version_of(program: Path) -> str:
    """What `cometbft version` prints, in one line. Raises `CometMissing` if it prints none."""
    try:
        answer = subprocess.run(
            [program, "version"], capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS_MAX
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CometMissing(f"{program} does not run: {error}; `make engine` builds another") from error
    return answer.stdout.strip()
