"""From nothing to the installer: finding Python, the configured package index, uv; what the locks promise."""

import base64
import hashlib
import http.server
import io
import os
import platform
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import pytest

from bootstrap import sources_hash
from package_index import PackageIndex, configured_index, tool_environment
from uv_tool import Request, SetupError, WayClosedError, answers_as, by_standard_library, read_pin, require_uv

ROOT = Path(__file__).resolve().parents[2]
VERSION = "9.9.9"
FAMILIES = ("manylinux_2_17", "musllinux_1_1", "macosx_11_0")


def wheel(program: str) -> bytes:
    """A wheel with nothing but a uv program in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"uv-{VERSION}.data/scripts/uv", program)
    return buffer.getvalue()


GOOD_WHEEL = wheel(f"#!/bin/sh\necho uv {VERSION} for the test\n")
GOOD_HASH = hashlib.sha256(GOOD_WHEEL).hexdigest()
FOREIGN_WHEEL = wheel("#!/bin/sh\necho for another processor\n")


@pytest.fixture
def wheels(tmp_path):
    """A folder with a wheel for this machine, whatever it is, and one that no machine here can use."""
    folder = tmp_path / "files"
    folder.mkdir()
    for family in FAMILIES:
        tags = f"{family}_{platform.machine()}.other_{platform.machine()}"
        (folder / f"uv-{VERSION}-py3-none-{tags}.whl").write_bytes(GOOD_WHEEL)
    (folder / f"uv-{VERSION}-py3-none-manylinux_2_17_pdp11.whl").write_bytes(FOREIGN_WHEEL)
    (folder / f"uv-1.0.0-py3-none-manylinux_2_17_{platform.machine()}.whl").write_bytes(FOREIGN_WHEEL)
    return folder


class IndexHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, to those who know the password when there is one."""

    password = ""

    def do_GET(self):
        token = base64.b64encode(self.password.encode()).decode()
        if self.password and self.headers.get("Authorization") != f"Basic {token}":
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, *values):
        """Say nothing: the output is the test's."""


@pytest.fixture
def index(tmp_path, wheels):
    """The address of a package index on loopback, without its `http://`."""
    page = tmp_path / "simple" / "uv" / "index.html"
    page.parent.mkdir(parents=True)
    links = [f'<a href="../../files/{path.name}#sha256=00">{path.name}</a>' for path in sorted(wheels.iterdir())]
    page.write_text("\n".join(["<html><body>", '<a name="no address">', *links, "</body></html>"]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(IndexHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def request_for(tmp_path):
    """A request for the good wheel with the given environment."""

    def make(hashes=(GOOD_HASH,), **environment):
        environment = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, **environment}
        pin = tmp_path / "pin.txt"
        pin.write_text(f"uv=={VERSION} \\\n" + " \\\n".join(f"    --hash=sha256:{text}" for text in hashes))
        return Request(tmp_path / "uv", pin, VERSION, frozenset(hashes), sys.executable, environment)

    return make


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_comes_from_the_configured_index(request_for, index, variable):
    request = request_for(**{variable: f"http://{index}/"})
    by_standard_library(request)
    assert answers_as(request.folder / "bin" / "uv", VERSION)


def test_uv_comes_from_a_folder_of_wheels(request_for, wheels):
    request = request_for(PIP_FIND_LINKS=f"/not/there {wheels}")
    by_standard_library(request)
    assert answers_as(request.folder / "bin" / "uv", VERSION)


def test_uv_comes_from_an_index_with_a_password(request_for, index, monkeypatch):
    monkeypatch.setattr(IndexHandler, "password", "somchai:p@ss")
    with pytest.raises(WayClosedError, match="401"):
        by_standard_library(request_for(PIP_INDEX_URL=f"http://{index}"))
    request = request_for(PIP_INDEX_URL=f"http://somchai:p%40ss@{index}")
    by_standard_library(request)
    assert answers_as(request.folder / "bin" / "uv", VERSION)


def test_a_file_without_the_pinned_hash_is_refused(request_for, index):
    request = request_for(hashes=("00" * 32,), PIP_INDEX_URL=f"http://a:secret@{index}")
    with pytest.raises(WayClosedError, match="does not have the pinned hash") as refusal:
        by_standard_library(request)
    assert not request.folder.exists()
    assert "secret" not in str(refusal.value)


def test_an_index_that_is_not_there_closes_the_way(request_for):
    with pytest.raises(WayClosedError, match="the configured package index failed"):
        by_standard_library(request_for(PIP_INDEX_URL="http://127.0.0.1:1/simple"))


def test_without_an_index_nothing_is_guessed(request_for):
    with pytest.raises(WayClosedError, match="no package index is configured"):
        by_standard_library(request_for())


def test_when_every_way_is_closed_the_missing_package_is_named(request_for, tmp_path, monkeypatch):
    bare_python = tmp_path / "python"
    bare_python.write_text("#!/bin/sh\nexit 1\n")
    bare_python.chmod(0o755)
    tools = tmp_path / "path"
    tools.mkdir()
    for tool in ("apt-get", "dpkg-deb"):
        (tools / tool).write_text("#!/bin/sh\necho E: no network >&2\nexit 100\n")
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    request = request_for()
    with pytest.raises(SetupError) as failure:
        require_uv(tmp_path / "tools", request.pin_file, str(bare_python), request.environment, print)
    text = str(failure.value)
    for reason in (
        "virtual environment: this Python has no ensurepip",
        "pip: this Python has no pip",
        "apt install",
    ):
        assert reason in text
    assert "standard library: no package index is configured" in text
    assert "debian wheel: " in text


def test_uv_that_is_there_is_not_fetched_again(request_for, tmp_path):
    request = request_for()
    uv = tmp_path / "tools" / f"uv-{VERSION}" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(f"#!/bin/sh\necho uv {VERSION}\n")
    uv.chmod(0o755)
    said = []
    assert require_uv(tmp_path / "tools", request.pin_file, "/no/python", {}, said.append) == uv
    assert said == []


@pytest.fixture
def home(tmp_path):
    """A home with settings for pip, and no settings of the machine above it."""
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        "[global]\nindex-url = http://mirror.test/simple\ncert = /global.pem\nfind_links =\n    /\n    http://links.test\n"
        "[install]\ntrusted-host = mirror.test\n"
    )
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "none")}


def test_pip_settings_of_the_user_are_used(home):
    index = configured_index(home)
    assert index.url == "http://mirror.test/simple"
    assert index.find_links == ("/", "http://links.test")
    assert index.trusted_hosts == ("mirror.test",)
    assert index.certificate == "/global.pem"


def test_the_nearer_setting_wins(home):
    file = Path(home["HOME"]) / "named.conf"
    file.write_text("[install]\nindex-url = http://named.test\n")
    named = home | {"PIP_CONFIG_FILE": str(file)}
    assert configured_index(named).url == "http://named.test"
    assert configured_index(named | {"PIP_INDEX_URL": "http://variable.test"}).url == "http://variable.test"
    uv_file = Path(home["HOME"]) / ".config" / "uv" / "uv.toml"
    uv_file.parent.mkdir()
    uv_file.write_text('[[index]]\nurl = "http://other.test"\n[[index]]\nurl = "http://uv.test"\ndefault = true\n')
    assert configured_index(named).url == "http://uv.test"
    assert configured_index(named | {"UV_DEFAULT_INDEX": "http://uv-variable.test"}).url == "http://uv-variable.test"


@pytest.mark.parametrize("content", ["no section\n", "[global\n", "\x00\xff"])
def test_settings_that_cannot_be_read_count_as_none(home, content):
    (Path(home["HOME"]) / ".config" / "pip" / "pip.conf").write_bytes(content.encode("latin-1"))
    assert configured_index(home).url is None


def test_pip_and_uv_are_told_the_same_and_nothing_set_is_changed():
    index = PackageIndex("http://a.test", ("http://b.test",), ("/",), ("a.test",), "/ca.pem")
    environment = tool_environment({"UV_DEFAULT_INDEX": "http://mine.test", "SSL_CERT_FILE": "/mine.pem"}, index)
    assert environment["PIP_INDEX_URL"] == "http://a.test"
    assert environment["UV_DEFAULT_INDEX"] == "http://mine.test"
    assert environment["UV_INDEX"] == environment["PIP_EXTRA_INDEX_URL"] == "http://b.test"
    assert environment["SSL_CERT_FILE"] == "/mine.pem"
    assert environment["PIP_CERT"] == "/ca.pem"


def test_the_name_of_an_index_is_for_uv_alone():
    extra = configured_index({"HOME": "/nowhere", "UV_INDEX": "ours=http://x.test/a=b http://y.test/?q=1"}).extra_urls
    assert extra == ("http://x.test/a=b", "http://y.test/?q=1")


def find_python(**environment):
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "find-python"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_named_interpreter_is_taken_and_never_a_virtual_environment():
    found = find_python(PYTHON=sys.executable)
    assert found.returncode == 0
    assert found.stdout.strip() == str(getattr(sys, "_base_executable", sys.executable))


def test_an_interpreter_that_is_too_old_is_refused(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    found = find_python(PYTHON=str(old))
    assert found.returncode == 1
    assert f"PYTHON={old} is not" in found.stderr
    found = find_python(PATH=str(tmp_path))
    assert found.returncode == 1
    assert "No 64-bit CPython 3.11 to 3.14 was found" in found.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "packages/cometbft/requirements.lock", "scripts/uv-pin.txt"])
def test_locks_carry_hashes_and_no_hosts(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    packages = re.split(r"\n(?=[A-Za-z0-9])", text.partition("\n")[2])
    pinned = [block for block in packages if "==" in block.partition("\n")[0]]
    assert pinned
    assert [block for block in pinned if "--hash=sha256:" not in block] == []


def not_locked(wanted, lock):
    """The names among these requirements that the lock file does not pin."""
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.MULTILINE))
    return {re.split(r"[<>=!~\[ ;]", requirement)[0] for requirement in wanted} - locked


def test_the_lock_holds_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    assert not_locked(wanted + project["build-system"]["requires"], ROOT / "requirements.lock") == set()


def test_the_lock_of_the_engine_holds_what_builds_it():
    package = ROOT / "packages" / "cometbft"
    wanted = tomllib.loads((package / "pyproject.toml").read_text())["build-system"]["requires"]
    assert not_locked(wanted, package / "requirements.lock") == set()


def test_a_built_package_is_made_again_when_its_sources_change(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "source").write_text("one")

    def found():
        return sources_hash(tmp_path, {"dist"})

    first = found()
    (tmp_path / "dist" / "made").write_text("by the build")
    assert found() == first
    (tmp_path / "source").write_text("two")
    second = found()
    (tmp_path / "source").rename(tmp_path / "renamed")
    assert len({first, second, found()}) == 3


def test_the_pin_of_uv_can_be_read():
    version, hashes = read_pin(ROOT / "scripts" / "uv-pin.txt")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert len(hashes) > 1


def test_make_says_what_each_target_does():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    described = subprocess.run(["make", "-C", ROOT, "-s", "help"], capture_output=True, text=True, check=True).stdout
    # Parts of test and check, no doors of their own.
    assert [target for target in targets if f"make {target} " not in described] == ["quick", "lint"]
