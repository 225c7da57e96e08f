"""A real network of the world of `tests.world`: node processes, CometBFT, links on loopback, keys of everybody at hand.

Its genesis is now. Nobody trades by himself: what goes on is what the test sends. Waiting is asking until it is so,
with an end.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from tests.world import MINUTE_MS, WATT, Founding, Signer, pseudonym, signed

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.home import FAST, Pace, genesis_document, write_config
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.state import Table
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.identity.messages import Source
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.bundle import POWER, Bundle
from gridtokenx.operations.network.card import NodeCard
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import settle
from gridtokenx.operations.network.node_folder import create_node, install_bundle
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.ports import PortBlock
from gridtokenx.operations.network.programs import PROXY, node_name, programs
from gridtokenx.operations.supervisor import Program, Supervisor

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
NODE_MODULE = "gridtokenx.engine.node"
HOMES = tuple(f"home-{number}" for number in range(24))
WAIT_SECONDS_MAX = 120.0


class Town:
    """One network, running. `others`: the module that a node is started as, by number; else the honest one."""

    def __init__(
        self,
        path: Path,
        plan: NetworkPlan,
        pace: Pace = FAST,
        others: Mapping[int, str] | None = None,
        prepare: Callable[["Town"], None] = lambda town: None,
    ) -> None:
        """`prepare` may change what was founded before it starts."""
        self.plan = plan
        self.folder = NetworkFolder(path)
        self.pace = pace
        self.cards: dict[int, NodeCard] = {}
        self.signers: dict[str, Signer] = {}
        self.accounts: dict[str, bytes] = {}
        self.chain = ""
        self._nonces: dict[str, int] = {}
        self._found()
        self._ports = PortBlock(plan.ports)
        addresses = Addresses(plan, self._ports.first)
        self.folder.make_run()
        settle(self.folder, addresses)
        keys = {number: self.folder.home(number).keys() for number in plan.numbers}
        for number in plan.numbers:
            write_config(self.folder.home(number), replace(addresses.settings(number, keys), pace=pace))
        prepare(self)
        modules = dict.fromkeys(plan.numbers, NODE_MODULE) | dict(others or {})
        wanted = {node_name(number): module for number, module in modules.items()} | {PROXY: ""}
        chosen = [_as(one, wanted[one.name]) for one in programs(self.folder, addresses) if one.name in wanted]
        self.supervisor = Supervisor(chosen, self.folder.logs)
        self._start()

    def node(self, number: int) -> DataFolder:
        """The data folder of a node."""
        return self.folder.node(number)

    def validator_key(self, number: int) -> bytes:
        """The public key that a node votes with."""
        return bytes.fromhex(self.cards[number].validator_key)

    def rpc(self, number: int) -> CometRpc:
        """A node's CometBFT."""
        return CometRpc(self.folder.rpc(number))

    @contextlib.asynccontextmanager
    async def link(self, number: int) -> AsyncIterator[NodeLink]:
        """A connection to a node."""
        link = await NodeLink.connect(self.node(number).socket)
        try:
            yield link
        finally:
            await link.close()

    def sign(self, name: str, *messages: Message, expires_ms: int = 0) -> bytes:
        """A party's next transaction."""
        self._nonces[name] = self._nonces.get(name, 0) + 1
        body: Body[Any] = Body(
            self.chain,
            self.accounts[name],
            self._nonces[name],
            expires_ms or time.time_ns() // 1_000_000 + 5 * MINUTE_MS,
            messages,
        )
        return signed(self.signers[name], body)

    async def do(self, number: int, name: str, *messages: Message) -> Answer:
        """One transaction through a node, until it is in a block."""
        async with self.link(number) as link:
            wire = self.sign(name, *messages)
            (taken,) = await link.submit([wire])
            assert taken.standing is Standing.PENDING, taken

            async def committed() -> Answer | None:
                (answer,) = await link.status([taken.transaction_id])
                return answer if answer.standing is Standing.COMMITTED else None

            return await until(committed, f"{name}'s transaction to be in a block")

    async def wait_height(self, height: int, *numbers: int) -> None:
        """Until these nodes, by default all, have this block."""
        for number in numbers or self.plan.numbers:
            async with self.link(number) as link:

                async def there(link: NodeLink = link) -> bool:
                    return (await link.info()).height >= height

                await until(there, f"block {height} on node {number}")

    async def height(self, number: int = 1) -> int:
        """Of a node."""
        async with self.link(number) as link:
            return (await link.info()).height

    @contextlib.contextmanager
    def reader(self, number: int) -> Iterator[Reader]:
        """What a node has committed by now."""
        folder = self.node(number)
        reader = Reader(folder.database, folder.run / "test-reader")
        try:
            reader.refresh()
            yield reader
        finally:
            reader.close()

    def table(self, number: int, table: Table[T]) -> dict[bytes, T]:  # type: ignore[type-var]
        """All records of a table on a node."""
        with self.reader(number) as reader:
            rows = reader.scan(bytes([table.prefix]))
            return {key[1:]: table.decode.trusted(value) for key, value in rows}

    def app_hashes(self, number: int) -> dict[int, bytes]:
        """After each block that the node has."""
        with self.reader(number) as reader:
            head = reader.head()
            assert head is not None
            found = {height: reader.results(height) for height in range(1, head.height + 1)}
            return {height: results.app_hash for height, results in found.items() if results is not None}

    async def agree(self, *numbers: int) -> int:
        """All nodes have the same app hash after each block; returns how many blocks."""
        numbers = numbers or tuple(self.plan.numbers)
        top = max([await self.height(number) for number in numbers])
        await self.wait_height(top, *numbers)
        hashes = [self.app_hashes(number) for number in numbers]
        for height in range(1, top + 1):
            assert len({one[height] for one in hashes}) == 1, f"block {height}: {[one[height].hex() for one in hashes]}"
        return top

    def stop(self) -> None:
        """End everything."""
        self.supervisor.stop()
        self._ports.release()

    def _found(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        numbers = self.plan.numbers
        for number in numbers:
            self.cards[number] = create_node(
                self.node(number).path, node_name(number), f"127.0.0.1:{number}", votes=number <= self.plan.validators
            )
        founding = Founding(time_ms=now_ms)
        for number, name in enumerate(HOMES):
            sources = {Source.SOLAR: 12_000} if number % 2 else {}
            founding.add_home(name, 11, sources, 16_000, 1_000_000 * WATT)
        for card in self.cards.values():
            founding.builder.add_node(card.node_id, bytes.fromhex(card.batch_key))
            if card.votes:
                founding.builder.add_validator(bytes.fromhex(card.validator_key), POWER, card.node_id)
        founding.builder.set_consensus(self.pace.block_ms)
        self.signers, self.accounts = founding.signers, founding.accounts
        genesis = founding.builder.finish()
        application = Application(CONSORTIUM)
        app_hash = application.init_chain(genesis)
        self.chain = application.info().chain
        document = genesis_document(self.chain, now_ms, app_hash, sha256(genesis).digest())
        for number in numbers:
            install_bundle(self.node(number).path, Bundle(genesis, document, tuple(self.cards.values())))

    def _start(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline:
            self.supervisor.tend()
            if any(child.restarts for child in self.supervisor.children):
                break
            if self.supervisor.all_up and all(self.node(number).socket.exists() for number in self.plan.numbers):
                return
            time.sleep(0.1)
        said = "".join(f"\n--- {child.program.name}\n{child.log.read_text()}" for child in self.supervisor.children)
        self.stop()
        raise AssertionError(f"the network did not start:{said}")


def _as(program: Program, module: str) -> Program:
    """The program as another module, which may be one of the tests."""
    command = tuple(module if word == NODE_MODULE else word for word in program.command)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return replace(program, command=command, environment=(*program.environment, ("PYTHONPATH", paths)))


async def until(asked: Callable[[], Awaitable[T]], what: str) -> T:
    """What was asked, as soon as it is true. AssertionError when that does not come."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not (answer := await asked()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.1)
    return answer


def site(name: str) -> bytes:
    """The portfolio of a home."""
    return pseudonym(name)
