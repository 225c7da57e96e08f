"""A node that joins by a snapshot is killed at every place where that is written: the next start joins anew, from
whatever lies there, and then stands where the others do."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.network.checks import Checks, is_restored
from tests.network.live import LiveNetwork

from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS, VARIABLE
from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = pytest.mark.soak

VALIDATOR, JOINER = 1, 2
SNAPSHOT_BLOCKS = 10

CASES = [point for point in POINTS if point.startswith("restore.")]
"""After the last of them our state is the snapshot's, and CometBFT knows of no block."""


class Joined:
    """A validator, and a node that joins again and again."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        plan = NetworkPlan(1, 1, blocks="fast", direct=True, gateways=1, snapshot_blocks=SNAPSHOT_BLOCKS)
        self.network = LiveNetwork(tmp_path_factory.mktemp("joined") / "network", plan, 20.0, 600, 120.0)
        self.checks = Checks(self.network)
        self.runner = asyncio.Runner()

    def run(self, point: str) -> None:
        """Join, with a kill at this place on the way."""
        self.runner.run(self._run(point))

    async def _run(self, point: str) -> None:
        network = self.network
        if not network.running:
            await network.start()
        await network.reach(2 * SNAPSHOT_BLOCKS, [VALIDATOR])
        network.load.flowing.set()
        network.forget_chain(JOINER)
        await network.prepare_join(JOINER)
        network.start_node(JOINER, environment=((VARIABLE, f"{point}:1"),))
        assert await network.ends(JOINER) == EXIT_STATUS, await network.describe()
        network.start_node(JOINER)
        await network.reach(2 * SNAPSHOT_BLOCKS, [JOINER])
        assert is_restored(network.folder.node(JOINER))
        await self.checks.everything((), (0,))
        await network.stop_node(JOINER)
        self.checks.stored([JOINER])

    def close(self) -> None:
        """The end."""
        self.runner.run(self.network.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    joined = Joined(tmp_path_factory)
    yield joined
    joined.close()


@pytest.mark.parametrize("point", CASES)
def test_a_kill_while_joining_is_survived(joined: Joined, point: str) -> None:
    joined.run(point)
