"""A validator of four that leaves out one node's batches, in a live network: the audit of another node's folder names
it; and names nobody before."""

from collections.abc import Iterator

import pytest
from tests.network.play import NetworkFile
from tests.network.records import reading
from tests.network.rogue import HONEST, ROGUE, Played, rogue_network

from gridtokenx.operations.censorship import BLOCKS_MIN, CensorshipReport, audit_censorship

pytestmark = pytest.mark.slow

GRACE_MS = 150
"""Blocks are half a second apart here, and all nodes on one machine."""

AUDITOR, VICTIM = 1, 2


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield from rogue_network(tmp_path_factory.mktemp("censor") / "n", NetworkFile((), orders_per_second=20.0))


def audited(played: Played, since: int) -> CensorshipReport:
    """The auditor's blocks after this height."""
    with reading(played.network, AUDITOR) as reader:
        head = reader.head()
        assert head is not None
        return audit_censorship(reader, max(head.height - since, 1), GRACE_MS)


def test_an_honest_network_names_nobody(played: Played) -> None:
    every = len((*HONEST, ROGUE)) ** 2

    def enough() -> bool:
        return sum(pair.blocks >= BLOCKS_MIN for pair in audited(played, 0).pairs) == every

    played.run(played.network.until(enough, "ripe batches of every node in blocks of every node"))
    report = audited(played, 0)
    assert report.verdicts == (), report


def test_who_leaves_out_a_nodes_batches_is_named_and_nobody_else(played: Played) -> None:
    network, rogue, victim = played.network, played.card(ROGUE).node_id.hex(), played.card(VICTIM).node_id.hex()

    async def leave_out() -> int:
        since = await played.height(AUDITOR)
        played.order(leaves_out=victim)
        await network.until(lambda: bool(audited(played, since).verdicts), "a verdict")
        return since

    report = audited(played, played.run(leave_out()))
    named = {(pair.proposer, pair.author) for pair in report.pairs if pair.is_named}
    assert named == {(rogue, victim)}, report
    (verdict,) = report.verdicts
    assert verdict.startswith(f"Node {rogue} left out batches of node {victim}")
    (line,) = [line for line in report.authors if line.author == victim]
    assert line.expired == 0, "the next proposer took them"
