"""Where this machine gets its packages from, as its owner configured it for pip or for uv.

Standard library only, because it runs before anything is installed. No registry is named here: where nothing
is configured, pip and uv use the default they carry, and who can use neither is told what to install.
"""

from __future__ import annotations

import configparser
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PackageIndex:
    """The configured sources; every field may be empty, and `url` is None for the tools' own default."""

    url: str | None = None
    extra_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    certificate: str | None = None


def configured_index(environ: Mapping[str, str]) -> PackageIndex:
    """The sources in force: uv's variables, then its file, then pip's variables and files.

    uv comes first because it installs everything but itself; pip's settings count because they are what most
    machines behind a mirror have. A file that cannot be read or parsed counts as empty.
    """
    pip = _pip_settings(environ)
    uv_file = _uv_file_index(environ)
    extra = environ.get("UV_INDEX") or environ.get("UV_EXTRA_INDEX_URL") or pip.get("extra-index-url", "")
    links = environ.get("UV_FIND_LINKS", "").replace(",", " ") or pip.get("find-links", "")
    return PackageIndex(
        url=environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or uv_file or pip.get("index-url") or None,
        extra_urls=tuple(_without_name(entry) for entry in extra.split()),
        find_links=tuple(link for link in links.split() if "://" in link or Path(link).is_dir()),
        trusted_hosts=tuple(pip.get("trusted-host", "").split()),
        certificate=environ.get("SSL_CERT_FILE") or pip.get("cert") or None,
    )


def tool_environment(environ: Mapping[str, str], index: PackageIndex) -> dict[str, str]:
    """`environ` with the sources spelled for pip and for uv; what is set there already stays as it is."""
    settings = {
        "PIP_INDEX_URL": index.url,
        "PIP_EXTRA_INDEX_URL": " ".join(index.extra_urls),
        "PIP_FIND_LINKS": " ".join(index.find_links),
        "PIP_TRUSTED_HOST": " ".join(index.trusted_hosts),
        "PIP_CERT": index.certificate,
        "UV_DEFAULT_INDEX": index.url,
        "UV_INDEX": " ".join(index.extra_urls),
        "UV_FIND_LINKS": ",".join(index.find_links),
        "UV_INSECURE_HOST": " ".join(index.trusted_hosts),
        "SSL_CERT_FILE": index.certificate,
    }
    return {name: value for name, value in settings.items() if value} | dict(environ)


def _without_name(entry: str) -> str:
    """uv allows `name=address` for an index; pip wants the address alone."""
    name, separator, address = entry.partition("=")
    return address if separator and "/" not in name else entry


def _pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings for `install`: its files, the particular over the general, then `PIP_*` variables."""
    settings: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({key.lower().replace("_", "-"): text for key, text in parser.items(section)})
    for name, text in environ.items():
        if name.startswith("PIP_") and text:
            settings[name[len("PIP_") :].lower().replace("_", "-")] = text
    return settings


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME", "~")).expanduser()
    shared = [Path(folder) / "pip" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    if sys.platform == "darwin":
        shared.append(Path("/Library/Application Support/pip"))
        own = own if own.is_dir() else home / "Library/Application Support/pip"
    folders = [*shared, Path("/etc"), home / ".pip", own, Path(sys.prefix)]
    named = environ.get("PIP_CONFIG_FILE")
    return [folder / "pip.conf" for folder in folders] + ([Path(named)] if named else [])


def _uv_file_index(environ: Mapping[str, str]) -> str | None:
    """The default index of the first `uv.toml` that names one: `[[index]]` with `default`, or `index-url`."""
    home = Path(environ.get("HOME", "~")).expanduser()
    named = environ.get("UV_CONFIG_FILE")
    paths = (
        [Path(named)]
        if named
        else [
            Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml",
            Path("/etc/uv/uv.toml"),
        ]
    )
    for path in paths:
        try:
            content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        for index in content.get("index", []):
            if index.get("default"):
                return str(index["url"])
        if "index-url" in content:
            return str(content["index-url"])
    return None
