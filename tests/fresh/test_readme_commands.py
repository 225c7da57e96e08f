"""The commands of the README do what it says, in a fresh clone with an empty HOME and empty caches.

Every block fenced as ```sh is run, in order, by one shell that stops at the first error. What is different
from a visitor's machine, and why:

- the address in `git clone` leads to a repository made of this checkout's files, so that the change at hand
  is what is tested (in a clean clone: exactly the commit);
- GRIDTOKENX_UP_SECONDS makes `gridtokenx up` stop by itself, as nobody is there to press a key;
- TESTS points `make test` and `make check` to one file: lint and types run in full, the suite does not run
  itself once more;
- the engine's build finds what this machine has compiled of it already: minutes become seconds;
- what takes many minutes (`SHOWN_ONLY`) is checked by make or bash to be a command, and not run.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from package_index import configured_index, tool_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT_S = 900
UP_SECONDS = 20
SHOWN_LINES = 60
SHOWN_ONLY = {"make bench": "make -n bench", "make soak": "make -n soak", ".ci/run": "bash -n .ci/run"}

# Of the visitor's environment: where programs are, the language, and how this machine reaches the world. A
# HOME of one's own must not cut off the certificate authorities of the network it stands in, nor Go from its mirror.
KEPT = re.compile(
    r"PATH|LANG|LC_\w+|TZ|TMPDIR|\w*CERT\w*|\w*CA_?BUNDLE\w*|\w*CAINFO|\w*_proxy"
    r"|GO(ENV|FLAGS|AUTH|PRIVATE|INSECURE|(NO)?PROXY|(NO)?SUMDB|(MOD)?CACHE)",
    re.IGNORECASE,
)
GO_SETTINGS = {
    "GOENV": Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "go" / "env",
    "GOMODCACHE": ROOT / ".tools" / "go" / "modules",
    "GOCACHE": ROOT / ".tools" / "go" / "compiled",
}


def readme_commands(text):
    """The lines of the sh blocks, continued lines joined, without comments and empty lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def runnable(command):
    """The command itself, or what stands for one that takes too long."""
    return next((short for long, short in SHOWN_ONLY.items() if command.startswith(long)), command)


def visitor_environment(home, origin, commands):
    """What a stranger's shell has on this machine, and the settings that the module's text explains."""
    kept = {name: text for name, text in os.environ.items() if KEPT.fullmatch(name)}
    folders = kept.pop("PATH").split(os.pathsep)
    kept = {name: str(path) for name, path in GO_SETTINGS.items()} | kept
    environment = tool_environment(kept, configured_index(os.environ)) | {
        "PATH": os.pathsep.join(folder for folder in folders if not Path(folder).is_relative_to(ROOT)),
        "HOME": str(home),
        "GRIDTOKENX_UP_SECONDS": str(UP_SECONDS),
        "TESTS": "tests/fresh/test_bootstrap.py",
    }
    addresses = [shlex.split(command, comments=True)[2] for command in commands if command.startswith("git clone ")]
    environment["GIT_CONFIG_COUNT"] = str(len(addresses))
    for number, address in enumerate(addresses):
        environment[f"GIT_CONFIG_KEY_{number}"] = f"url.{origin}.insteadOf"
        environment[f"GIT_CONFIG_VALUE_{number}"] = address
    return environment


def git(*arguments, folder):
    return subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def origin(tmp_path):
    """A repository of one commit with every file of this checkout that is or would be tracked."""
    folder = tmp_path / "origin"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT).split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name, follow_symlinks=False)
    git("init", "--quiet", folder=folder)
    git("add", "--all", folder=folder)
    author = ("-c", "user.name=visitor", "-c", "user.email=visitor@localhost", "-c", "commit.gpgsign=false")
    git(*author, "commit", "--quiet", "--message", "this checkout", folder=folder)
    return folder


def test_the_readme_shows_the_two_commands():
    commands = readme_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert {"make up", "make test"} <= {command.partition("#")[0].strip() for command in commands}


def test_the_readme_runs_in_a_fresh_clone(tmp_path, origin):
    commands = readme_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    home, workplace = tmp_path / "home", tmp_path / "workplace"
    home.mkdir()
    workplace.mkdir()
    script = ["set -eu"]
    if not any(command.startswith("git clone ") for command in commands):
        script.append(f"git clone --quiet {shlex.quote(str(origin))} clone\ncd clone")
    script += [f"printf '%s\\n' {shlex.quote('$ ' + command)}\n{runnable(command)}" for command in commands]
    process = subprocess.Popen(
        ["/bin/sh", "-c", "\n".join(script)],
        cwd=workplace,
        env=visitor_environment(home, origin, commands),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        # Ends only when everything that was started has let go of the output: what is left running is found.
        output, _ = process.communicate(timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as expired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"not over after {expired.timeout} s:\n{last_lines(output)}")
    assert process.returncode == 0, last_lines(output)
    (clone,) = workplace.iterdir()
    assert git("status", "--porcelain", folder=clone) == "", "a command leaves files that .gitignore does not know"
    assert [path for path in home.rglob("*gridtokenx*") if ".cache" not in path.parts] == [], "state outside --data"


def last_lines(output):
    return "\n".join(output.splitlines()[-SHOWN_LINES:])
