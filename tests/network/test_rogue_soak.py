"""What takes minutes: a rogue that spares no expense, one key in two machines, a long flood, a thousand blocks of a
real network with everything in them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.determinism.replay import Recording, replay
from tests.network.evidence import broadcast, duplicate_votes
from tests.network.flood import flooded
from tests.network.play import NetworkFile
from tests.network.records import reading
from tests.network.rogue import (
    CONVICTING,
    EXPENSIVE,
    HONEST,
    OBSERVER,
    REFUSED,
    ROGUE,
    Played,
    misdeeds,
    propose,
    rogue_network,
)

from gridtokenx.engine.comet.home import NORMAL, Pace
from gridtokenx.ledger.block import Block
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.authority.messages import SetNode, SetValidator
from gridtokenx.modules.authority.state import MisdeedKind
from gridtokenx.operations.network.bundle import POWER

pytestmark = pytest.mark.soak

LOST_MS_MAX = 3_000
"""What a height may take longer than any other because of a proposer."""
SHARED = 2
"""So many times that for a block that is as large as it can be: here four nodes check it on one machine at once."""
KEPT = 0.8
"""Of their rate, by those who do not flood."""
QUICK = Pace(block_ms=100, commit_ms=60, propose_ms=500, vote_ms=200)
BLOCKS = 1_000

played_network = contextmanager(rogue_network)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    file = NetworkFile((), blocks="normal")
    with played_network(tmp_path / "n", file) as played:
        yield played


def test_no_proposal_costs_more_than_three_seconds(played: Played) -> None:
    took_ms = played.run(propose(played, REFUSED | CONVICTING | EXPENSIVE))
    print(took_ms)
    for kind, took in took_ms.items():
        share = SHARED if kind in EXPENSIVE else 1
        assert took < NORMAL.block_ms + share * LOST_MS_MAX, took_ms


def test_who_does_not_flood_keeps_most_of_his_rate(played: Played) -> None:
    found = played.run(flooded(played, 60_000, 5, 30.0))
    print(found)
    for number in (1, 2):
        assert found.by_client[number] > KEPT * found.before[number]
    for number in HONEST:
        assert found.by_node[number] > KEPT * found.before[number]


def test_one_key_in_two_machines_signs_twice_and_everybody_knows(tmp_path: Path) -> None:
    """Somebody started the rogue's validator on a second machine, with its key and without its memory."""
    with played_network(tmp_path / "n", NetworkFile((), observers=1)) as played:
        network = played.network
        first, second = network.folder.home(ROGUE), network.folder.home(OBSERVER)
        shutil.copy(first.validator_key, second.validator_key)

        async def run_both() -> None:
            network.start_node(OBSERVER)
            await network.until(lambda: bool(found(1)), "the double signer in the books")
            await network.blocks(10, HONEST)

        def found(number: int) -> dict[bytes, object]:
            return dict(misdeeds(network, number, MisdeedKind.DUPLICATE_VOTE))

        played.run(run_both())
        guilty = {key[:8] for key in found(1)}
        assert guilty == {played.card(ROGUE).node_id}


def test_a_thousand_blocks_of_a_real_network_replay_to_the_same_hashes(tmp_path: Path) -> None:
    """Ten blocks a second, if the machine is fast enough; in them bad proposals, reports, double votes, validators
    that come and go. At the end `verify` replays them too (`Game.end`)."""
    with played_network(tmp_path / "n", NetworkFile((), observers=1), QUICK) as played:
        played.run(live(played))
        blocks, hashes = stored(played)
        reported = misdeeds(played.network, 1, MisdeedKind.BAD_BATCH)
        genesis = played.network.folder.node(1).genesis.read_bytes()
    assert len(blocks) >= BLOCKS and len(reported) > 20
    assert sum(bool(block.misbehaviour) for block in blocks) > 10
    assert replay(Recording(genesis, tuple(blocks)))[:-1] == hashes


async def live(played: Played) -> None:
    """A thousand blocks with everything in them."""
    network, node = played.network, played.card(OBSERVER)
    network.start_node(OBSERVER)
    await played.do(1, "authority", SetNode(node.node_id, bytes.fromhex(node.batch_key), True))
    key = bytes.fromhex(node.validator_key)
    power = 0
    while await played.height(1) < BLOCKS:
        power = (power + POWER) % (3 * POWER)
        await played.do(2, "authority", SetValidator(key, power, node.node_id))
        await propose(played, CONVICTING | {"garbage": KernelCode.MALFORMED.name})
        async with played.rpc(3) as rpc:
            height = await played.height(3) - 3
            await broadcast(rpc, duplicate_votes(await rpc.light_block(height), network.folder.home(ROGUE).keys()))
        played.order(flood=5)
        await network.blocks(2, HONEST)
        played.order()


def stored(played: Played) -> tuple[list[Block], list[str]]:
    """The blocks as a node has them, and the app hash after each."""
    with reading(played.network, 1) as reader:
        head = reader.head()
        assert head is not None
        found = [(reader.block(height), reader.results(height)) for height in range(1, head.height + 1)]
    blocks = [block.block for block, _ in found if block is not None]
    return blocks, [results.app_hash.hex() for _, results in found if results is not None]
