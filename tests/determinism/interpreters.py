"""Which other interpreters this machine has, and the two libraries of the ledger for one of them."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from uv_tool import answers_as, read_pin

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = range(11, 15)
LIBRARIES = ("msgspec", "py-ed25519-zebra-bindings")

_PROBE = (
    "import sys, sysconfig;"
    "print(sys.version_info[1] if sys.implementation.name == 'cpython' and sys.version_info[0] == 3"
    " and not sysconfig.get_config_var('Py_GIL_DISABLED') else 0)"
)


@cache
def others() -> dict[int, str]:
    """One path for each supported minor version that is not ours: from the PATH, from uv and from pyenv."""
    places = [shutil.which(f"python3.{minor}") for minor in SUPPORTED]
    for home in (Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"):
        places += sorted(str(path) for path in home.glob("*/bin/python3"))
    found: dict[int, str] = {}
    for place in filter(None, places):
        answer = subprocess.run([place, "-c", _PROBE], capture_output=True, text=True, check=False)
        minor = int(answer.stdout or 0) if answer.returncode == 0 else 0
        if minor in SUPPORTED and minor != sys.version_info.minor:
            found.setdefault(minor, place)
    return found


def locked_requirements() -> str:
    """The lines of the lock file for the ledger's libraries, with their hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = []
    for name in LIBRARIES:
        entry = re.search(rf"^{re.escape(name)}==.*?(?:\\\n +--hash=\S+ ?)+", text, re.MULTILINE | re.DOTALL)
        assert entry is not None, f"{name} is not locked"
        lines.append(entry[0].rstrip())
    return "\n".join(lines) + "\n"


def install(interpreter: str, folder: Path) -> str:
    """Install the libraries for the interpreter into the folder; what went wrong, or nothing."""
    requirements = folder / "requirements.txt"
    folder.mkdir(parents=True)
    requirements.write_text(locked_requirements(), encoding="utf-8")
    options = ["--target", str(folder), "--no-deps", "--require-hashes", "-r", str(requirements)]
    command = [interpreter, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *options]
    version, _ = read_pin(ROOT / "scripts/uv-pin.txt")
    uv = ROOT / ".tools" / f"uv-{version}" / "bin" / "uv"
    if answers_as(uv, version):
        only = ["--only-binary", ":all:", "--quiet"]
        command = [str(uv), "pip", "install", "--python", interpreter, *only, *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return "" if result.returncode == 0 else (result.stderr or result.stdout).strip().splitlines()[-1]
