"""A validator of four that does what it should not, in a live network: nobody follows it, and everybody goes on."""

import asyncio
import base64
import json
from collections.abc import Iterator

import pytest
from tests.network.byzantine_node import LOG, PROPOSALS, Order, digest, write_order
from tests.network.clients import trading
from tests.network.town import HOMES, Town, until

from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.ledger.batch import decode_batch_header, open_batch
from gridtokenx.modules.authority.state import MISDEEDS, MisdeedKind
from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = [pytest.mark.xdist_group("network"), pytest.mark.slow]

HONEST = (1, 2, 3)
ROGUE = 4
OBSERVER = 5

ALLOWED = {"reordered", "empty"}
"""The order of batches is the proposer's to choose, and so is what it leaves out."""
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
ONLY_IN_SOAK = {"too large": "TOO_LARGE", "too many signatures": "BLOCK_SIGNATURES_EXCEEDED"}
"""Such a block takes seconds to cross the links of one small machine."""

LOST_MS_MAX = 15_000
"""For a round, on a machine that does something else too. `make soak` is stricter."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    plan = NetworkPlan(4, observers=1, direct=True, blocks="fast", processors=1)
    town = Town(tmp_path_factory.mktemp("town") / "n", plan, others={ROGUE: "tests.network.byzantine_node"})
    yield town
    town.stop()


def proposed(town: Town) -> list[dict[str, str]]:
    """What the rogue has proposed."""
    log = town.node(ROGUE).path / LOG
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


async def play(town: Town, order: int, kinds: list[str]) -> list[dict[str, str]]:
    """Let it propose all of these, each once, and three blocks more."""
    write_order(town.node(ROGUE).path, Order(order, tuple(kinds)))
    mine: list[dict[str, str]] = []
    for place in range(len(kinds)):  # waiting is bounded for each

        async def more(place: int = place) -> bool:
            mine[:] = [one for one in proposed(town) if one["order"] == order]
            return len(mine) > place

        await until(more, f"the proposal '{kinds[place]}'")
    await town.wait_height(max(int(one["height"]) for one in mine) + 3, *HONEST)
    return mine


async def committed(rpc: CometRpc, height: int) -> tuple[str, int, str]:
    """Digest of what is in a block, in which round it came to be, and who proposed it."""
    answer, commit = await rpc.block(height), await rpc.commit(height)
    wires = [base64.b64decode(text) for text in answer.block.data.txs]
    round_ = commit.signed_header.commit.round
    return digest(wires).hex(), round_, answer.block.header.proposer_address


async def lost_ms(rpc: CometRpc, height: int) -> int:
    """How long it took from the block before to the one after."""
    blocks = [(await rpc.light_block(one)).header.time_ns for one in (height, height + 1)]
    return (blocks[1] - blocks[0]) // 1_000_000


async def refusals(town: Town, number: int) -> set[str]:
    """The codes with which a node has refused proposals."""
    async with town.link(number) as link:
        alarms = (await link.info()).alarms
    return {alarm.split()[2] for alarm in alarms if alarm.startswith("proposal refused: ")}


async def misbehave(town: Town, order: int, refused: dict[str, str], allowed: set[str]) -> int:
    """Play these; returns the milliseconds that the worst round took."""
    sites = {number: HOMES[6 * number : 6 * number + 6] for number in HONEST}
    async with trading(town, sites) as clients:
        made = await play(town, order, [*refused, *sorted(allowed)])
    for client in clients:
        assert await client.outcome()
    assert {one["kind"] for one in made} == refused.keys() | allowed
    longest = 0
    async with town.rpc(1) as rpc:
        for one in made:
            digest_, round_, proposer = await committed(rpc, int(one["height"]))
            if one["kind"] in allowed:
                assert digest_ == one["block"], one
            else:
                assert digest_ != one["block"], one
                assert round_ > 0, one
                longest = max(longest, await lost_ms(rpc, int(one["height"])))
    for number in HONEST:
        assert await refusals(town, number) >= set(refused.values()), f"node {number}"
    return longest


def test_what_a_byzantine_validator_proposes_is_in_no_block(town: Town) -> None:
    longest = asyncio.run(misbehave(town, 1, REFUSED, ALLOWED))
    print("longest", longest)
    assert longest < LOST_MS_MAX
    assert REFUSED.keys() | ONLY_IN_SOAK.keys() | ALLOWED == PROPOSALS.keys()
    asyncio.run(town.agree())


def test_whoever_signs_a_bad_batch_is_reported_by_the_others(town: Town) -> None:
    async def reported() -> bool:
        return len(town.table(1, MISDEEDS)) >= 2

    asyncio.run(until(reported, "a misdeed in the books"))
    misdeeds = town.table(1, MISDEEDS)
    assert {misdeed.kind for misdeed in misdeeds.values()} == {MisdeedKind.BAD_BATCH}
    assert {key[:8] for key in misdeeds} == {town.cards[ROGUE].node_id}
