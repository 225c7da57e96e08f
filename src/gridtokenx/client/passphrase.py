"""Where a passphrase comes from: a file, the environment, or the person at the keyboard."""

import os
import stat
import unicodedata
from collections.abc import Callable
from getpass import getpass
from pathlib import Path

from gridtokenx.client.errors import KeyFileExposed, PassphraseMissing, PassphraseWrong

VARIABLE = "GRIDTOKENX_PASSPHRASE"
FILE_BYTES_MAX = 4_096


def read_passphrase(
    file: Path | None = None,
    ask: Callable[[str], str] | None = getpass,
    question: str = "Passphrase: ",
    repeat: bool = False,
) -> str:
    """The passphrase: from `file` if given, else from the environment (`GRIDTOKENX_PASSPHRASE`), else by asking,
    twice with `repeat` (for a new key). Unicode is normalised, so that every keyboard gives the same bytes.

    Raises PassphraseMissing when there is none and nobody to ask (`ask=None`), KeyFileExposed when others may read
    the file, PassphraseWrong when the two answers differ.
    """
    if file is not None:
        return _checked(_first_line(file), f"{file} is empty")
    from_environment = os.environ.get(VARIABLE)
    if from_environment is not None:
        return _checked(from_environment, f"{VARIABLE} is empty")
    if ask is None:
        raise PassphraseMissing(f"no passphrase: give a file, or set {VARIABLE}")
    try:
        answer = ask(question)
        if repeat and ask("Once more: ") != answer:
            raise PassphraseWrong("the two passphrases differ")
    except (EOFError, KeyboardInterrupt):
        raise PassphraseMissing("no passphrase was typed") from None
    return _checked(answer, "the passphrase is empty")


def refuse_exposed(path: Path) -> None:
    """Raise KeyFileExposed if group or others have any right on the file."""
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileExposed(f"others may read {path}: run chmod 600 {path}", field=str(path))


def _first_line(file: Path) -> str:
    try:
        refuse_exposed(file)
        with file.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX)
        return data.decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise PassphraseMissing(f"{file} cannot be read: {error.strerror}", field=str(file)) from error
    except UnicodeDecodeError:
        raise PassphraseMissing(f"{file} is not text in UTF-8", field=str(file)) from None


def _checked(passphrase: str, otherwise: str) -> str:
    if not passphrase:
        raise PassphraseMissing(otherwise)
    return unicodedata.normalize("NFKC", passphrase)
