"""A node that catches up takes nothing in: its chain time is not that of the others yet."""

import asyncio

from coin_chain import GENESIS_MS, Sender
from coin_comet import CoinNode, Decided, open_node

from gridtokenx.engine.comet.engine import BEHIND_BLOCKS
from gridtokenx.engine.intake import Intake
from gridtokenx.engine.mempool import Standing


def standing(node: CoinNode, wire: bytes) -> Standing:
    """What intake answers."""

    async def work() -> Standing:
        intake = Intake(node.engine, node.verifier)
        journaling = asyncio.create_task(intake.run())
        (answer,) = await intake.submit([wire])
        journaling.cancel()
        return answer.standing

    return asyncio.run(work())


def test_who_executes_blocks_that_nobody_asked_him_about_is_busy() -> None:
    node = open_node()
    for height in range(1, BEHIND_BLOCKS + 1):
        assert not node.engine.is_behind
        node.live(Decided(height, GENESIS_MS + height, 0, ()))
    assert node.engine.is_behind
    assert standing(node, Sender(0).send(1)) is Standing.BUSY
    assert len(node.mempool) == 0


def test_the_first_block_that_it_judges_again_ends_that() -> None:
    node = open_node()
    for height in range(1, 2 * BEHIND_BLOCKS):
        node.live(Decided(height, GENESIS_MS + height, 0, ()))
    height, time_ms = node.next_height, GENESIS_MS + 1_000
    assert node.accepts(time_ms, [])
    node.live(Decided(height, time_ms, 0, ()))
    assert not node.engine.is_behind
    assert standing(node, Sender(0).send(1)) is Standing.PENDING


def test_one_proposal_that_came_too_late_is_no_catching_up() -> None:
    node = open_node()
    for height in range(1, 4 * BEHIND_BLOCKS):
        if height % BEHIND_BLOCKS:
            assert node.accepts(GENESIS_MS + height, [])
        node.live(Decided(height, GENESIS_MS + height, 0, ()))
        assert not node.engine.is_behind
