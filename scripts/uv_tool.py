"""Brings uv, the installer, to a machine that may have neither pip nor ensurepip.

Four ways are tried in turn; each takes exactly the file whose SHA-256 stands in the pin file:

1. a virtual environment, whose pip comes from `ensurepip`;
2. the interpreter's own pip, into a folder;
3. the standard library alone, from the configured package index or folder of wheels;
4. Debian's and Ubuntu's pip wheel, unpacked into a folder: apt checks its signature, nothing is installed.

Standard library only, as all of this runs first.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from package_index import PackageIndex, configured_index

DEBIAN_PIP_PACKAGE = "python3-pip-whl"
DEBIAN_PIP_WHEEL = "usr/share/python-wheels/pip-*.whl"
NETWORK_TIMEOUT_S = 60
SHOWN_ERROR_LINES = 4


class SetupError(Exception):
    """Setup cannot go on; the text says why and what to do."""


class WayClosedError(Exception):
    """This way to uv does not work here; the text says why, and the next one is tried."""


@dataclass(frozen=True)
class Request:
    """What every way needs to know."""

    folder: Path
    pin_file: Path
    version: str
    hashes: frozenset[str]
    python: str
    environment: dict[str, str]


def require_uv(
    tools: Path, pin_file: Path, python: str, environment: dict[str, str], say: Callable[[str], None]
) -> Path:
    """The path of a working uv of the pinned version under `tools`, fetched when it is not there yet.

    Raises SetupError, naming the package to install, when every way is closed.
    """
    version, hashes = read_pin(pin_file)
    folder = tools / f"uv-{version}"
    uv = folder / "bin" / "uv"
    if answers_as(uv, version):
        return uv
    request = Request(folder, pin_file, version, hashes, python, environment)
    reasons = []
    for way in (by_virtual_environment, by_pip, by_standard_library, by_debian_wheel):
        shutil.rmtree(folder, ignore_errors=True)
        name = way.__name__.removeprefix("by_").replace("_", " ")
        try:
            way(request)
        except WayClosedError as reason:
            reasons.append(f"  {name}: {reason}")
            continue
        if answers_as(uv, version):
            say(f"uv {version}, the installer, by {name}")
            return uv
        reasons.append(f"  {name}: installed a uv that does not run")
    raise SetupError("\n".join([f"uv {version} cannot be had.", *reasons, advice(python)]))


def read_pin(pin_file: Path) -> tuple[str, frozenset[str]]:
    """Version and SHA-256 hashes (hex) of the one package in a pip requirements file."""
    text = pin_file.read_text(encoding="utf-8")
    version = re.search(r"^uv==(\S+)", text, re.MULTILINE)
    hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))
    if version is None or not hashes:
        raise SetupError(f"{pin_file} pins no uv")
    return version.group(1), hashes


def answers_as(uv: Path, version: str) -> bool:
    """Whether the file is there, runs on this machine and is that version."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.split()[:2] == ["uv", version]


def by_virtual_environment(request: Request) -> None:
    """A virtual environment with its own pip: works wherever ensurepip does."""
    if not _has_module(request, "ensurepip"):
        raise WayClosedError("this Python has no ensurepip")
    _run(request, [request.python, "-m", "venv", request.folder])
    _run(request, [request.folder / "bin" / "python", "-m", "pip", *_pip_arguments(request)])


def by_pip(request: Request) -> None:
    """The interpreter's pip; `--target` touches nothing outside the folder."""
    if not _has_module(request, "pip"):
        raise WayClosedError("this Python has no pip")
    _run(request, [request.python, "-m", "pip", *_pip_arguments(request), "--target", request.folder])


def by_debian_wheel(request: Request) -> None:
    """The distribution's pip wheel, from its folder or by `apt-get download`, run as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        wheels = sorted(Path("/").glob(DEBIAN_PIP_WHEEL))
        if not wheels:
            if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
                raise WayClosedError("not a Debian or Ubuntu")
            _run(request, ["apt-get", "download", "--quiet", DEBIAN_PIP_PACKAGE], working_folder=Path(scratch))
            for package in Path(scratch).glob("*.deb"):
                _run(request, ["dpkg-deb", "--extract", package, scratch])
            wheels = sorted(Path(scratch).glob(DEBIAN_PIP_WHEEL))
        if not wheels:
            raise WayClosedError(f"{DEBIAN_PIP_PACKAGE} holds no pip wheel")
        _run(
            request,
            [request.python, wheels[-1] / "pip", *_pip_arguments(request), "--target", request.folder],
        )


def by_standard_library(request: Request) -> None:
    """The wheel for this machine from the configured sources, checked and unpacked here."""
    index = configured_index(request.environment)
    if index.url is None and not index.find_links:
        raise WayClosedError("no package index is configured (PIP_INDEX_URL, UV_DEFAULT_INDEX, pip.conf, uv.toml)")
    try:
        for address in _wheel_addresses(index, request.version):
            content = _read(address, index)
            if hashlib.sha256(content).hexdigest() not in request.hashes:
                raise WayClosedError(f"{_without_credentials(address)} does not have the pinned hash")
            _unpack_uv(content, request.folder / "bin" / "uv")
            return
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # urllib's errors are kinds of OSError
        raise WayClosedError(f"the configured package index failed: {error}") from None
    raise WayClosedError(f"the configured package index has no uv {request.version} for this machine")


def advice(python: str) -> str:
    """What to install, in the words of this machine's package manager."""
    versioned = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    system_python = os.path.realpath(python) == os.path.realpath("/usr/bin/python3")
    commands = {
        "apt-get": f"apt install {'python3-venv' if system_python else versioned}",
        "dnf": "dnf install python3-pip",
        "apk": "apk add py3-pip",
        "pacman": "pacman -S python-pip",
        "zypper": "zypper install python3-pip",
    }
    command = next((text for tool, text in commands.items() if shutil.which(tool)), "install pip for your Python")
    return (
        "Where Python's own tools are missing, install them (as root):\n"
        f"  {command}\n"
        "or name your package index in PIP_INDEX_URL; then run the same command again."
    )


def _pip_arguments(request: Request) -> list[str | Path]:
    options = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    return [*options, "--only-binary", ":all:", "--requirement", request.pin_file]


def _has_module(request: Request, name: str) -> bool:
    question = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([request.python, "-c", question], check=False).returncode == 0


def _run(request: Request, command: list[str | Path], working_folder: Path | None = None) -> None:
    """Runs quietly; a failure closes the way with the last lines of what the command said."""
    # A user's pip settings may forbid what happens here although nothing outside our folder is touched.
    environment = request.environment | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    try:
        finished = subprocess.run(
            command, cwd=working_folder, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise WayClosedError(str(error)) from None
    if finished.returncode != 0:
        lines = [line for line in (finished.stdout + finished.stderr).splitlines() if line.strip()]
        raise WayClosedError("\n    ".join(lines[-SHOWN_ERROR_LINES:]) or f"exit code {finished.returncode}")


def _fits_this_machine(file_name: str, version: str) -> bool:
    """Whether a wheel of uv is for this system, C library and processor, by the tags in its name."""
    if not (file_name.startswith(f"uv-{version}-") and file_name.endswith(".whl")):
        return False
    tags = file_name.removesuffix(".whl").rsplit("-", 1)[1].split(".")
    machine = platform.machine()
    if sys.platform == "darwin":
        family = "macosx"
    else:
        family = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return any(tag.startswith(family) and tag.endswith("_" + machine) for tag in tags)


def _wheel_addresses(index: PackageIndex, version: str) -> Iterable[str]:
    """Addresses of fitting wheels: folders first, then the pages of the configured indexes."""
    for link in index.find_links:
        if "://" not in link:
            names = (path.as_uri() for path in sorted(Path(link).resolve().glob("uv-*.whl")))
            yield from (name for name in names if _fits_this_machine(name.rsplit("/", 1)[1], version))
    pages = [link for link in index.find_links if "://" in link]
    pages += [f"{url.rstrip('/')}/uv/" for url in (index.url, *index.extra_urls) if url]
    for page in pages:
        links = _Links(page)
        links.feed(_read(page, index).decode("utf-8", "replace"))
        for address in links.addresses:
            name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rsplit("/", 1)[1])
            if _fits_this_machine(name, version):
                yield address


class _Links(HTMLParser):
    """The addresses that a page of a package index links to, absolute."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        target = dict(attributes).get("href") if tag == "a" else None
        if target:
            joined = urllib.parse.urljoin(self.page, target)
            credentials = urllib.parse.urlsplit(self.page).netloc.rpartition("@")[0]
            parts = urllib.parse.urlsplit(joined)._replace(fragment="")
            same_host = parts.hostname == urllib.parse.urlsplit(self.page).hostname
            if credentials and same_host and "@" not in parts.netloc:
                parts = parts._replace(netloc=f"{credentials}@{parts.netloc}")
            self.addresses.append(parts.geturl())


def _read(address: str, index: PackageIndex) -> bytes:
    """The bytes behind a file, http or https address; credentials in it become a header."""
    parts = urllib.parse.urlsplit(address)
    credentials, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl(), headers={"Accept": "text/html, */*"})
    if credentials:
        token = base64.b64encode(urllib.parse.unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    context = ssl.create_default_context(cafile=index.certificate)
    with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S, context=context) as answer:
        return bytes(answer.read())


def _without_credentials(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _unpack_uv(wheel: bytes, target: Path) -> None:
    """Writes the program out of the wheel; raises ValueError when it is not in there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as file:
        file.write(wheel)
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
            if len(names) != 1:
                raise ValueError("the wheel holds no uv program")
            target.write_bytes(archive.read(names[0]))
    target.chmod(0o755)
