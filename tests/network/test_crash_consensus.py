"""One validator with a real CometBFT is killed at every place there is, and started again each time: the chain goes on
where it was, and nothing accepted is lost.

Each start both recovers from one kill and runs into the next. One validator is enough: what a start has to put right is
between the node's database, its journal and CometBFT's own files.
"""

import asyncio

import pytest
from tests.network.checks import Checks, check_state, reading
from tests.network.live import LiveNetwork

from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS, VARIABLE
from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = pytest.mark.slow

ALONE = 1
SEGMENT_BYTES = "4000"
"""A few batches: segments of the journal come and go."""

ACCEPTED_MIN = 20

FIRST = ("genesis.rows_written", "genesis.head_written", "consensus.info", "consensus.init_chain")
"""What a chain comes by once, or first of all."""

ELSEWHERE = (
    # Made by the solo engine, by hand, by an archive, or in another process.
    *("block.collected", "folder.file_written", "folder.renamed"),
    *(point for point in POINTS if point.startswith(("history.", "snapshot.", "restore.", "signer."))),
)
SNAPSHOT = "snapshot.checkpoint_made"
REST = tuple(point for point in POINTS if point not in {*FIRST, *ELSEWHERE})
EARLY = (
    *((point, 1) for point in (*FIRST, *REST, SNAPSHOT)),
    # At a start, long after the chain's beginning.
    ("consensus.info", 1),
)
LATE = tuple((point, 3) for point in REST)
"""A block or two later, where more of the blocks before are in CometBFT's files."""


class Alone:
    """One validator, from one kill to the next."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        plan = NetworkPlan(1, blocks="fast", direct=True, gateways=1, snapshot_blocks=2)
        self.network = LiveNetwork(tmp_path_factory.mktemp("alone") / "network", plan, 40.0, 600, 120.0)
        self.checks = Checks(self.network)
        self.runner = asyncio.Runner()
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.network.watch()
        self.network.load.start()
        self.network.load.flowing.set()

    def crash(self, point: str, times: int) -> None:
        """Run until it is killed there, and look at what lies in the folder then."""
        self.runner.run(self._crash(point, times))

    async def _crash(self, point: str, times: int) -> None:
        self.network.note(f"--- {point}:{times}")
        trap = ((VARIABLE, f"{point}:{times}"),)
        self.network.start_node(ALONE, options=("--journal-segment-bytes", SEGMENT_BYTES), environment=trap)
        status = await self.network.ends(ALONE)
        assert status == EXIT_STATUS, await self.network.describe()
        if point != "genesis.rows_written":
            with reading(self.network.folder.node(ALONE)) as reader:
                self.checks.compare(ALONE, reader)
                check_state(ALONE, reader)

    def recover(self) -> None:
        """Start without a trap: everything is there."""
        self.runner.run(self._recover())

    async def _recover(self) -> None:
        assert len(self.network.load.accepted) > ACCEPTED_MIN, "hardly anything was accepted that could be lost"
        self.network.start_node(ALONE)
        await self.network.blocks(2, [ALONE])
        await self.checks.everything((), (0,))
        await self.network.stop()
        self.checks.stored([ALONE])

    def close(self) -> None:
        self.runner.run(self.network.stop())
        self.runner.close()


@pytest.mark.parametrize("kills", [EARLY, pytest.param(LATE, marks=pytest.mark.soak)], ids=["early", "late"])
def test_every_kill_is_survived(tmp_path_factory: pytest.TempPathFactory, kills: tuple[tuple[str, int], ...]) -> None:
    """One test, since each start goes on from the kill before."""
    alone = Alone(tmp_path_factory)
    try:
        for point, times in kills:
            alone.crash(point, times)
        alone.recover()
    finally:
        alone.close()
