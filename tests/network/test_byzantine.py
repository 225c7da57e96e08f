"""A validator of four that does what it should not, in a live network: nobody follows it, everybody goes on, and what
can be proved is written down."""

from collections.abc import Iterator

import pytest
from tests.network.byzantine_node import PROPOSALS
from tests.network.evidence import broadcast, duplicate_votes
from tests.network.flood import flooded
from tests.network.play import NetworkFile
from tests.network.records import table_of
from tests.network.rogue import (
    ALLOWED,
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

from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.batch import NODE_ID_BYTES
from gridtokenx.ledger.validator import VALIDATORS, address_of
from gridtokenx.modules.authority.messages import SetNode, SetValidator
from gridtokenx.modules.authority.state import Misdeed, MisdeedKind, misdeed_key
from gridtokenx.operations.network.bundle import POWER
from gridtokenx.operations.network.programs import node_name

pytestmark = pytest.mark.slow

LOST_MS_MAX = 20_000
"""For a height, on a machine that may be busy with anything. Where it is not, 3 s are to be enough."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield from rogue_network(tmp_path_factory.mktemp("rogue") / "n", NetworkFile((), observers=1))


def test_what_a_byzantine_validator_proposes_is_in_no_block(played: Played) -> None:
    assert REFUSED.keys() | CONVICTING.keys() | EXPENSIVE.keys() | ALLOWED == PROPOSALS.keys()
    took_ms = played.run(propose(played, REFUSED, ALLOWED))
    assert max(took_ms.values()) < LOST_MS_MAX, took_ms


def test_whoever_signs_a_bad_batch_is_reported_by_an_honest_node(played: Played) -> None:
    """Nobody but nodes takes part. An honest author is never accused, whatever stood in its name."""
    network = played.network

    def found(number: int) -> dict[bytes, Misdeed]:
        return misdeeds(network, number, MisdeedKind.BAD_BATCH)

    async def convict() -> None:
        await propose(played, CONVICTING)
        await network.until(lambda: len(found(1)) >= len(CONVICTING), "misdeeds in the books")

    played.run(convict())
    assert len(found(1)) == len(CONVICTING) and found(1) == found(2) == found(3)
    assert {key[:NODE_ID_BYTES] for key in found(1)} == {played.card(ROGUE).node_id}
    reporters = {network.community.founding.accounts[node_name(number)] for number in HONEST}
    assert {misdeed.reporter for misdeed in found(1).values()} <= reporters


def test_a_double_signer_is_in_the_books_of_all_nodes(played: Played) -> None:
    """Two votes for one height and round, signed with the rogue's key, shown to one node."""
    network, keys = played.network, played.network.folder.home(ROGUE).keys()

    def found(number: int) -> dict[bytes, Misdeed]:
        return misdeeds(network, number, MisdeedKind.DUPLICATE_VOTE)

    async def sign_twice() -> int:
        async with played.rpc(1) as rpc:
            height = int((await rpc.status()).sync_info.latest_block_height) - 2
            await broadcast(rpc, duplicate_votes(await rpc.light_block(height), keys))
        await network.until(lambda: len(found(1)) > 0, "the double signer in the books")
        return height

    height = played.run(sign_twice())
    proof = address_of(keys.validator_key) + height.to_bytes(8, "big")
    (key,) = found(1)
    assert key == misdeed_key(played.card(ROGUE).node_id, MisdeedKind.DUPLICATE_VOTE, proof)
    assert (found(1)[key].height, found(1)[key].reporter) == (height, b"")
    assert found(1) == found(2) == found(3) == found(ROGUE)


def test_a_flooding_client_and_a_flooding_node_starve_nobody(played: Played) -> None:
    """What the others' clients send still gets into blocks. How much of it is `make soak`'s to say."""
    found = played.run(flooded(played, 5_000, 1, 3.0))
    assert found.answers[Standing.PENDING] > 0 and found.answers[Standing.REFUSED] > 0
    for number in (1, 2):
        assert found.by_client[number] > found.before[number] / 4, found
    for number in HONEST:
        assert found.by_node[number] > found.before[number] / 4, found


def test_validators_come_and_go_and_consensus_follows(played: Played) -> None:
    """The observer votes, gets more weight than others, and none; again some, and the rogue loses its own."""
    network, node, rogue = played.network, played.card(OBSERVER), played.card(ROGUE)
    key, rogue_key = bytes.fromhex(node.validator_key), bytes.fromhex(rogue.validator_key)
    wanted = {bytes.fromhex(played.card(number).validator_key): POWER for number in (*HONEST, ROGUE)}

    async def change(public_key: bytes, power: int, node_id: bytes) -> None:
        before = dict(wanted)
        height = await played.do(1, "authority", SetValidator(public_key, power, node_id))
        wanted[public_key] = power
        if not power:
            del wanted[public_key]
        await network.reach(height + 3, HONEST)
        async with played.rpc(2) as rpc:
            assert await powers(rpc, height + 1) == before
            assert await powers(rpc, height + 2) == wanted

    async def come_and_go() -> None:
        network.start_node(OBSERVER)
        await network.blocks(1, [OBSERVER])
        await played.do(1, "authority", SetNode(node.node_id, bytes.fromhex(node.batch_key), True))
        for power in (POWER, 3 * POWER // 2, 0, POWER):
            await change(key, power, node.node_id)
        await change(rogue_key, 0, rogue.node_id)
        first = await played.height(1)
        proposers: set[str] = set()

        async def proposed() -> bool:
            """Of four in four blocks, unless a busy machine lost it its round: then its turn comes again."""
            async with played.rpc(1) as rpc:
                height = int((await rpc.status()).sync_info.latest_block_height)
                blocks = [(await rpc.block(one)).block for one in range(first, height + 1)]
            proposers.update(block.header.proposer_address for block in blocks)
            return address_of(key).hex().upper() in proposers

        await network.blocks(4, [*HONEST, OBSERVER])
        await network.until_answer(proposed, "the observer's proposal")
        assert address_of(rogue_key).hex().upper() not in proposers

    async def powers(rpc: CometRpc, height: int) -> dict[bytes, int]:
        members = (await rpc.light_block(height)).validators.members
        return {member.public_key: member.power for member in members}

    played.run(come_and_go())
    assert {one.public_key: one.power for one in table_of(network, 1, VALIDATORS).values()} == wanted
