"""A network of four in which the last is not what it seems (`byzantine_node`), and what a test does with it."""

import asyncio
import json
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.network.byzantine_node import LOG, Order, write_order
from tests.network.play import Game, NetworkFile

from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.operations.network.card import NodeCard, read_card
from gridtokenx.operations.network.node_folder import CARD

HONEST = (1, 2, 3)
ROGUE = 4
OBSERVER = 5

ALARMS = (
    "proposal refused: ",
    "signed a bad batch",
    "bad batch by node",
    "duplicate vote by node",
    "batch refused with code",
)
"""What honest nodes may say of the rogue."""


class Played:
    """The network and its event loop."""

    def __init__(self, runner: asyncio.Runner, game: Game) -> None:
        self.game = game
        self.network = game.network
        self._runner = runner
        self._orders = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something while orders flow, and check everything afterwards."""

        async def checked() -> Any:
            self.network.load.flowing.set()
            result = await work
            await self.game.checks.everything(ALARMS, (0,))
            return result

        return self._runner.run(checked())

    def card(self, number: int) -> NodeCard:
        """Public keys of a node."""
        return read_card(self.network.folder.node(number).path / CARD)

    def rpc(self, number: int) -> CometRpc:
        """A node's CometBFT."""
        return CometRpc(self.network.folder.rpc(number))

    def order(self, proposals: Sequence[str] = (), flood: int = 0) -> None:
        """What the rogue is to do from now on."""
        self._orders += 1
        write_order(self.network.folder.node(ROGUE).path, Order(self._orders, tuple(proposals), flood))

    async def misbehave(self, kinds: list[str]) -> list[dict[str, Any]]:
        """Let the rogue propose all of these, each once, and three blocks more."""
        self.order(kinds)
        log = self.network.folder.node(ROGUE).path / LOG
        made: list[dict[str, Any]] = []
        while len(made) < len(kinds):  # a patience for each

            async def one_more(count: int = len(made)) -> bool:
                lines = log.read_text().splitlines() if log.exists() else []
                made[:] = [one for one in map(json.loads, lines) if one["order"] == self._orders]
                return len(made) > count

            await self.network.until_answer(one_more, f"the proposal '{kinds[len(made)]}'")
        await self.network.reach(max(one["height"] for one in made) + 3, HONEST)
        return made

    async def do(self, number: int, name: str, message: Message) -> int:
        """Somebody's transaction through a node, until it is done; in which block."""
        network = self.network
        link = await NodeLink.connect(network.folder.node(number).socket)
        try:
            transaction_id, wire = network.community.sign(name, message, (await link.info()).now_ms)
            (taken,) = await link.submit([wire])
            assert taken.standing is Standing.PENDING, taken

            async def committed() -> bool:
                (answer,) = await link.status([transaction_id])
                return answer.standing is Standing.COMMITTED

            await network.until_answer(committed, f"a transaction of {name} to be in a block")
            (answer,) = await link.status([transaction_id])
            assert answer.code == KernelCode.OK
            return answer.height
        finally:
            await link.close()


def rogue_network(path: Path, file: NetworkFile) -> Iterator[Played]:
    """The network, while a test or several play with it; then its end, with all checks."""
    with asyncio.Runner() as runner:
        game = Game(path, file)
        try:
            runner.run(game.start())
            runner.run(game.network.stop_node(ROGUE))
            game.network.start_node(ROGUE, "tests.network.byzantine_node")
            runner.run(game.network.blocks(2, (*HONEST, ROGUE)))
            yield Played(runner, game)
        finally:
            runner.run(game.end())
