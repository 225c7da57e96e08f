"""What happens to nodes and links on a bad day: each network file is played, and after each of its scenarios all nodes
stand on one chain, nothing accepted has vanished, and everything adds up (`play`, `checks`)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.network.play import Game, NetworkFile, play_file, read_network

pytestmark = pytest.mark.slow

STORED = "everything that is stored verifies"
"""What each network ends with."""


SOAKED = (
    (("halt", "tcp"),),
    (("halt", "quic"),),
    (("four", "quic"), ("rolling", "quic"), ("rolling", "tcp")),
)
"""Networks that are played one after another, beside the others."""


def with_links(name: str, links: str) -> NetworkFile:
    """A network file, but with these links."""
    return msgspec.structs.replace(read_network(name), links=links)


class Stage:
    """The network that is being played with. One that failed is ended, and the next scenario gets a new one."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._runner = asyncio.Runner()
        self._name = ""
        self._game: Game | None = None

    def play(self, name: str, links: str, scenario: str) -> None:
        """A scenario of a file, with these links. Raises `Trouble`."""
        file, title = with_links(name, links), f"{name}-{links}"
        if self._game is None or not self._game.is_sound or self._name != title:
            self.end()
            path: Path = self._factory.mktemp(title) / "network"
            self._name, self._game = title, Game(path, file)
            self._runner.run(self._game.start())
        if scenario == STORED:
            self.end()
            return
        (wanted,) = [one for one in file.scenario if one.name == scenario]
        self._runner.run(self._game.play(wanted))

    def end(self) -> None:
        """Of the present network. Raises `Trouble`."""
        game, self._game = self._game, None
        if game is not None:
            self._runner.run(game.end())

    def close(self) -> None:
        """Of everything."""
        try:
            self.end()
        finally:
            self._runner.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory)
    yield stage
    stage.close()


def scenarios(name: str) -> list[str]:
    return [*(scenario.name for scenario in read_network(name).scenario), STORED]


@pytest.mark.parametrize("scenario", scenarios("four"))
def test_four_nodes(stage: Stage, scenario: str) -> None:
    stage.play("four", "tcp", scenario)


@pytest.mark.soak
def test_both_links_for_long(tmp_path: Path) -> None:
    """Three networks side by side: two of them stand still for ten minutes."""

    async def play(track: tuple[tuple[str, str], ...]) -> None:
        for name, links in track:
            await play_file(tmp_path / f"{name}-{links}" / "network", with_links(name, links))

    async def play_all() -> None:
        results = await asyncio.gather(*map(play, SOAKED), return_exceptions=True)
        troubles = [str(result) for result in results if result is not None]
        assert not troubles, "\n\n".join(troubles)

    asyncio.run(play_all())
