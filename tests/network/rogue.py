"""A network of four in which the last is not what it seems (`byzantine_node`), and what a test does with it."""

import asyncio
import base64
import json
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.network.byzantine_node import LOG, Order, digest, write_order
from tests.network.live import LiveNetwork
from tests.network.play import Game, NetworkFile
from tests.network.records import table_of

from gridtokenx.engine.comet.home import Pace, write_config
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.authority.state import MISDEEDS, Misdeed, MisdeedKind
from gridtokenx.operations.network.card import NodeCard, read_card
from gridtokenx.operations.network.node_folder import CARD

HONEST = (1, 2, 3)
ROGUE = 4
OBSERVER = 5

TRIES_MAX = 4

REFUSED = {
    "garbage": "MALFORMED",
    "cut": "MALFORMED",
    "unsigned": "BATCH_SIGNATURE_INVALID",
    "twice": "BATCH_REPEATED",
    "replayed": "BATCH_REPEATED",
    "wrong root": "BATCH_ROOT_WRONG",
    "wrong chain": "CHAIN_WRONG",
    "unknown author": "BATCH_AUTHOR_UNKNOWN",
    "in another's name": "BATCH_SIGNATURE_INVALID",
    "expired": "EXPIRED",
    "too many batches": "TOO_LARGE",
}
"""Proposals, and why they are refused."""
CONVICTING = {
    "badly signed transaction": "BATCH_TRANSACTION_INVALID",
    "malformed transaction": "BATCH_TRANSACTION_INVALID",
}
"""Moreover these hold a bad transaction under a header that the rogue has signed."""
EXPENSIVE = {"too large": "TOO_LARGE", "too many signatures": "BLOCK_SIGNATURES_EXCEEDED"}
"""It takes a small machine seconds to make, to carry and to refuse such a block."""
ALLOWED = {"reordered", "empty"}
"""The order of batches is the proposer's to choose, and so is what it leaves out."""

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

    async def height(self, number: int) -> int:
        """Of a node that runs."""
        return (await self.network.heights([number]))[number]

    def order(self, proposals: Sequence[str] = (), flood: int = 0, leaves_out: str = "") -> None:
        """What the rogue is to do from now on."""
        self._orders += 1
        write_order(self.network.folder.node(ROGUE).path, Order(self._orders, tuple(proposals), flood, leaves_out))

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
        transaction = network.community.sign(name, message, await network.now_ms(number))
        answer = await network.carry(number, *transaction)
        assert answer.code == KernelCode.OK
        return answer.height


async def propose(played: Played, refused: Mapping[str, str], allowed: Iterable[str] = ()) -> dict[str, int]:
    """Let the rogue propose all of these, and see that no refused one is in a block, that nodes refuse each for the
    reason that stands beside it, and that every allowed one is in a block. Returns how many milliseconds the height
    of each refused one took.

    A proposal that comes too late on a busy machine is nobody's to judge: then it is made again."""
    left = [*refused, *sorted(allowed)]
    lost_ms: dict[str, int] = {}
    for _ in range(TRIES_MAX):
        made = await played.misbehave(left)
        assert [one["kind"] for one in made] == left
        accepted = set()
        async with played.rpc(1) as rpc:
            for one in made:
                inside, round_, took_ms = await look_at(rpc, one["height"])
                if inside == one["block"]:
                    accepted.add(one["kind"])
                else:
                    assert round_ > 0, one
                    lost_ms[one["kind"]] = took_ms
        assert not accepted & refused.keys(), accepted
        codes = await codes_of_refusals(played)
        left = [kind for kind in left if kind not in accepted and refused.get(kind) not in codes]
        if not left:
            return lost_ms
    raise AssertionError(f"nodes never judged {left}; they refused others for {codes}")


async def codes_of_refusals(played: Played) -> set[str]:
    """The codes with which honest nodes have refused proposals."""
    for number in HONEST:
        await played.network.hear(number)
    heard = [alarm for number in HONEST for alarm in played.network.heard[number]]
    return {alarm.split()[2] for alarm in heard if alarm.startswith("proposal refused: ")}


async def look_at(rpc: CometRpc, height: int) -> tuple[str, int, int]:
    """Of a committed block: digest of what is in it, the round in which it was agreed on, and how many milliseconds
    that took."""
    answer, commit = await rpc.block(height), await rpc.commit(height)
    times = [(await rpc.light_block(one)).header.time_ns for one in (height, height + 1)]
    wires = [base64.b64decode(text) for text in answer.block.data.txs]
    return digest(wires).hex(), commit.signed_header.commit.round, (times[1] - times[0]) // 1_000_000


def misdeeds(network: LiveNetwork, number: int, kind: MisdeedKind) -> dict[bytes, Misdeed]:
    """Those of a kind, as a node has them."""
    found = table_of(network, number, MISDEEDS)
    return {key: misdeed for key, misdeed in found.items() if misdeed.kind == kind}


def set_pace(network: LiveNetwork, pace: Pace) -> None:
    """Of all nodes, before they start."""
    keys = {number: network.folder.home(number).keys() for number in network.plan.numbers}
    for number in network.plan.numbers:
        settings = network.addresses.settings(number, keys)
        write_config(network.folder.home(number), replace(settings, pace=pace))


def rogue_network(path: Path, file: NetworkFile, pace: Pace | None = None) -> Iterator[Played]:
    """The network, while a test or several play with it; then its end, with all checks. With a `pace` of its own
    blocks come so fast, whatever the file says."""
    with asyncio.Runner() as runner:
        game = Game(path, file)
        if pace is not None:
            set_pace(game.network, pace)
        try:
            runner.run(game.start())
            runner.run(game.network.stop_node(ROGUE))
            game.network.start_node(ROGUE, "tests.network.byzantine_node")
            runner.run(game.network.blocks(2, (*HONEST, ROGUE)))
            yield Played(runner, game)
        finally:
            runner.run(game.end())
