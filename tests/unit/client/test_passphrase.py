"""Where a passphrase comes from."""

from pathlib import Path

import pytest

from gridtokenx.client.errors import KeyFileExposed, PassphraseMissing, PassphraseWrong
from gridtokenx.client.passphrase import VARIABLE, read_passphrase


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\nsecond line\n"])
def test_the_first_line_of_a_file(tmp_path: Path, content: bytes) -> None:
    assert read_passphrase(written(tmp_path, content)) == "correct horse"


def test_a_file_goes_before_the_environment_and_that_before_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_passphrase(ask=lambda question: "asked") == "asked"
    monkeypatch.setenv(VARIABLE, "environment")
    assert read_passphrase(ask=lambda question: "asked") == "environment"
    assert read_passphrase(written(tmp_path, b"file")) == "file"


def test_every_keyboard_gives_the_same_passphrase() -> None:
    assert read_passphrase(ask=lambda question: "cafe\u0301") == read_passphrase(ask=lambda question: "caf\u00e9")


def test_a_new_passphrase_is_asked_for_twice() -> None:
    answers = iter(["one", "two"])
    with pytest.raises(PassphraseWrong, match="differ"):
        read_passphrase(ask=lambda question: next(answers), repeat=True)


def cancelled(question: str) -> str:
    raise EOFError


@pytest.mark.parametrize("ask", [None, cancelled, lambda question: ""])
def test_no_passphrase_is_an_error_of_its_own(ask: object) -> None:
    with pytest.raises(PassphraseMissing):
        read_passphrase(ask=ask)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xff"])
def test_a_file_without_a_passphrase(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PassphraseMissing):
        read_passphrase(written(tmp_path, content))


def test_a_file_that_is_missing_or_exposed(tmp_path: Path) -> None:
    with pytest.raises(PassphraseMissing):
        read_passphrase(tmp_path / "nowhere")
    with pytest.raises(KeyFileExposed):
        read_passphrase(written(tmp_path, b"p", 0o644))


def test_an_empty_variable_is_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(PassphraseMissing):
        read_passphrase(ask=lambda question: "asked")
