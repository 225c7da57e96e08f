"""A validator of four that does what it should not, in a live network: nobody follows it, everybody goes on, and what
can be proved is written down."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.network.byzantine_node import PROPOSALS, digest
from tests.network.evidence import broadcast, duplicate_votes
from tests.network.flood import flooded
from tests.network.play import NetworkFile
from tests.network.records import table_of
from tests.network.rogue import HONEST, OBSERVER, ROGUE, Played, rogue_network

from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.validator import VALIDATORS, Validator, address_of
from gridtokenx.modules.authority.messages import SetNode, SetValidator
from gridtokenx.modules.authority.state import MISDEEDS, MisdeedKind
from gridtokenx.operations.network.bundle import POWER

pytestmark = [pytest.mark.xdist_group("network"), pytest.mark.slow]

REFUSED = {
    "garbage": "MALFORMED",
    "cut": "MALFORMED",
    "unsigned": "BATCH_SIGNATURE_INVALID",
    "twice": "BATCH_REPEATED",
    "replayed": "BATCH_REPEATED",
    "badly signed transaction": "BATCH_TRANSACTION_INVALID",
    "malformed transaction": "BATCH_TRANSACTION_INVALID",
    "wrong root": "BATCH_ROOT_WRONG",
    "wrong chain": "CHAIN_WRONG",
    "unknown author": "BATCH_AUTHOR_UNKNOWN",
    "in another's name": "BATCH_SIGNATURE_INVALID",
    "expired": "EXPIRED",
    "too many batches": "TOO_LARGE",
}
EXPENSIVE = {"too large": "TOO_LARGE", "too many signatures": "BLOCK_SIGNATURES_EXCEEDED"}
"""Such a block takes a small machine seconds to make, to carry and to refuse."""
ALLOWED = {"reordered", "empty"}
"""The order of batches is the proposer's to choose, and so is what it leaves out."""
CONVICTING = 2
"""So many of them hold a bad transaction under a header that the rogue has signed."""

LOST_MS_MAX = 20_000
"""For a height, on a machine that may be busy with anything. Where it is not, 3 s are to be enough."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield from rogue_network(tmp_path_factory.mktemp("rogue") / "n", NetworkFile((), observers=1))


async def codes_of_refusals(played: Played, number: int) -> set[str]:
    """The codes with which a node has refused proposals."""
    await played.network.hear(number)
    heard = played.network.heard[number]
    return {alarm.split()[2] for alarm in heard if alarm.startswith("proposal refused: ")}


async def look_at(rpc: CometRpc, height: int) -> tuple[str, int, int]:
    """Of a committed block: digest of what is in it, the round in which it was agreed on, and how many milliseconds
    that took."""
    answer, commit = await rpc.block(height), await rpc.commit(height)
    times = [(await rpc.light_block(one)).header.time_ns for one in (height, height + 1)]
    wires = [base64.b64decode(text) for text in answer.block.data.txs]
    return digest(wires).hex(), commit.signed_header.commit.round, (times[1] - times[0]) // 1_000_000


async def propose(played: Played, refused: dict[str, str], allowed: set[str]) -> int:
    """Play these; no refused one is in a block, every allowed one is; returns the milliseconds of the worst height."""
    made = await played.misbehave([*refused, *sorted(allowed)])
    assert [one["kind"] for one in made] == [*refused, *sorted(allowed)]
    longest = 0
    async with played.rpc(1) as rpc:
        for one in made:
            inside, round_, took_ms = await look_at(rpc, one["height"])
            if one["kind"] in allowed:
                assert inside == one["block"], one
            else:
                assert inside != one["block"] and round_ > 0, one
                longest = max(longest, took_ms)
    for number in HONEST:
        assert await codes_of_refusals(played, number) >= set(refused.values())
    return longest


def test_what_a_byzantine_validator_proposes_is_in_no_block(played: Played) -> None:
    assert REFUSED.keys() | EXPENSIVE.keys() | ALLOWED == PROPOSALS.keys()
    assert played.run(propose(played, REFUSED, ALLOWED)) < LOST_MS_MAX


def misdeeds(played: Played, kind: MisdeedKind) -> Callable[[int], dict[bytes, Any]]:
    """Those of a kind, as a node has them."""

    def of(number: int) -> dict[bytes, Any]:
        found = table_of(played.network, number, MISDEEDS)
        return {key: misdeed for key, misdeed in found.items() if misdeed.kind == kind}

    return of


def test_whoever_signs_a_bad_batch_is_reported_by_an_honest_node(played: Played) -> None:
    """Nobody but nodes takes part. An honest author is never accused, whatever stands in its name."""
    found = misdeeds(played, MisdeedKind.BAD_BATCH)
    played.run(played.network.until(lambda: len(found(1)) >= CONVICTING, "misdeeds in the books"))
    assert {key[:8] for key in table_of(played.network, 1, MISDEEDS)} == {played.card(ROGUE).node_id}
    reporters = {played.network.community.founding.accounts[f"node-{number}"] for number in HONEST}
    assert len(found(1)) == CONVICTING
    assert {misdeed.reporter for misdeed in found(1).values()} <= reporters
    assert found(1) == found(2) == found(3)


def test_a_double_signer_is_in_the_books_of_all_nodes(played: Played) -> None:
    """Two votes for one height and round, signed with the rogue's key, shown to one node."""
    found = misdeeds(played, MisdeedKind.DUPLICATE_VOTE)
    keys = played.network.folder.home(ROGUE).keys()

    async def sign_twice() -> int:
        async with played.rpc(1) as rpc:
            height = int((await rpc.status()).sync_info.latest_block_height) - 2
            await broadcast(rpc, duplicate_votes(await rpc.light_block(height), keys))
        await played.network.until(lambda: len(found(1)) > 0, "the double signer in the books")
        return height

    height = played.run(sign_twice())
    (key,) = found(1)
    assert key == played.card(ROGUE).node_id + bytes([MisdeedKind.DUPLICATE_VOTE]) + address_of(
        keys.validator_key
    ) + height.to_bytes(8, "big")
    assert found(1)[key].height == height and found(1)[key].reporter == b""
    assert found(1) == found(2) == found(3) == found(ROGUE)


def test_a_flooding_client_and_a_flooding_node_starve_nobody(played: Played) -> None:
    """What the others' clients send still gets into blocks. How much of it is `make soak`'s to say."""
    found = played.run(flooded(played, 20_000, 4.0))
    assert found.answers[Standing.PENDING] > 0 and found.answers[Standing.REFUSED] > 0
    for number in (1, 2):
        assert found.by_client[number] > found.before[number] / 4, found
    for number in HONEST:
        assert found.by_node[number] > found.before[number] / 4, found


def test_validators_come_and_go_and_consensus_follows(played: Played) -> None:
    """The observer votes, gets more weight than others, and loses it again; then the rogue loses its own."""
    node, rogue = played.card(OBSERVER), played.card(ROGUE)
    key, rogue_key = bytes.fromhex(node.validator_key), bytes.fromhex(rogue.validator_key)
    at_first = {bytes.fromhex(played.card(number).validator_key): POWER for number in (*HONEST, ROGUE)}

    async def change(public_key: bytes, power: int, node_id: bytes) -> None:
        before, after = dict(at_first), dict(at_first) | {public_key: power}
        height = await played.do(1, "authority", SetValidator(public_key, power, node_id))
        if not power:
            del after[public_key]
        await played.network.reach(height + 4, HONEST)
        async with played.rpc(2) as rpc:
            assert await powers(rpc, height + 1) == before
            assert await powers(rpc, height + 2) == after
        at_first.clear()
        at_first.update(after)

    async def come_and_go() -> None:
        played.network.start_node(OBSERVER)
        await played.network.blocks(1, [OBSERVER])
        await played.do(1, "authority", SetNode(node.node_id, bytes.fromhex(node.batch_key), True))
        for power in (POWER, 3 * POWER // 2, 0, POWER):
            await change(key, power, node.node_id)
            await played.network.blocks(2, [*HONEST, OBSERVER])
        await change(rogue_key, 0, rogue.node_id)
        await played.network.blocks(5, [*HONEST, OBSERVER])
        async with played.rpc(1) as rpc:
            height = int((await rpc.status()).sync_info.latest_block_height)
            heights = range(height - 4, height + 1)
            proposers = {(await rpc.block(one)).block.header.proposer_address for one in heights}
        assert address_of(key).hex().upper() in proposers

    async def powers(rpc: CometRpc, height: int) -> dict[bytes, int]:
        members = (await rpc.light_block(height)).validators.members
        return {member.public_key: member.power for member in members}

    played.run(come_and_go())
    books: dict[bytes, Validator] = table_of(played.network, 1, VALIDATORS)
    assert {one.public_key: one.power for one in books.values()} == at_first
