"""Commands on folders, scenarios and files that are not what they should be: one sentence, what to do, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gridtokenx.cli.main import app

Refuse = Callable[..., Result]


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """A command in an empty folder, which must end by itself with a code other than 0."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("something else")

    def invoke(*words: str, code: int = 2) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert type(result.exception) is SystemExit, result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.mark.parametrize("command", [("verify",), ("export", "state.bin")])
@pytest.mark.parametrize("data", ["nothing", "empty", "file"])
def test_a_folder_without_a_market(refuse: Refuse, command: tuple[str, ...], data: str) -> None:
    said = refuse(*command, "--data", data).stderr
    assert "is no data folder" in said and "`gridtokenx up` makes one" in said


def test_a_market_that_cannot_be_started(refuse: Refuse) -> None:
    assert "choose another folder" in refuse("up", "--data", "file").stderr
    assert "shipped ones are" in refuse("up", "--data", "new", "--scenario", "atlantis").stderr
    assert "Check the path" in refuse("up", "--data", "file/market").stderr
    refuse("up", "--speed", "0")


def test_a_market_that_cannot_be_stopped_or_deleted(refuse: Refuse) -> None:
    assert "Check the path" in refuse("down", "--data", "file").stderr
    for data in ("empty", "file"):
        said = refuse("reset", "--data", data, "--yes").stderr
        assert "nothing was deleted" in said and "--data" in said
    assert Path("file").read_text() == "something else"


def test_files_that_cannot_be_written(refuse: Refuse) -> None:
    said = refuse("simulate", "two-neighbours", "--days", "1", "--json", "nowhere/report.json").output
    assert "there is no folder nowhere: make it first" in " ".join(said.replace("│", " ").split())
    assert "Check the path" in refuse("top", "--port", "9", "--picture", "nowhere/top.svg").stderr


def test_a_frame_of_a_market_that_is_not_there(refuse: Refuse) -> None:
    assert "`gridtokenx up` starts one" in refuse("top", "--port", "9", "--once", code=1).stdout


@pytest.mark.parametrize(
    "words", [("nothing",), ("bench", "nothing"), ("doctor", "--port", "0"), ("query", "--nothing")]
)
def test_words_that_there_are_not(refuse: Refuse, words: tuple[str, ...]) -> None:
    assert "--help" in refuse(*words).stderr
