"""A real node and a real gateway in this process, with a clock that the test moves: no block is made by itself.

The node has its folder, database, journal and socket as always; only its clock is the virtual one. The gateway follows
it through that socket. `Market.block` returns when the gateway has taken the block in, so no test waits for time.
"""

import asyncio
import contextlib
import hashlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from tests.world import Founding

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import KeyList, SignedTransaction
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.clocks import VirtualClock
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.engine.intake import Intake
from gridtokenx.engine.node import Node, NodeSettings
from gridtokenx.engine.server import Server
from gridtokenx.gateway.app import make_app
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.readmodel import FOLLOWED
from gridtokenx.ledger.codec import Message
from gridtokenx.modules.identity.messages import Source

CHAIN_PATH = "gridtokenx.chains.consortium:CONSORTIUM"
NODE_SEED = hashlib.sha256(b"node/0").digest()


def founding() -> Founding:
    """Two sellers and two buyers on feeder 11, one home on 12, one two borders away on 31."""
    community = Founding()
    for name, feeder in (("ann", 11), ("bob", 11), ("eve", 12), ("far", 31)):
        community.add_home(name, feeder, {Source.SOLAR: 40_000}, 40_000)
    community.add_home("cat", 11)
    community.add_home("dan", 11)
    return community


def key_of(name: str) -> PrivateKey:
    """The key of a home."""
    return PrivateKey(hashlib.sha256(f"{name}/0".encode()).digest())


def wallet_of(name: str) -> Wallet:
    """The wallet of a home."""
    keys = [key_of(name)]
    return Wallet(keys, KeyList.of([key.public_key for key in keys]))


@dataclass
class Market:
    """The node's engine, the gateway, and somebody who asks it."""

    node: Node
    server: Server
    gateway: Gateway
    app: Starlette
    web: httpx.AsyncClient
    wallets: dict[str, Wallet] = field(default_factory=dict)

    @property
    def time_ms(self) -> int:
        """Of the last block."""
        return self.node.application.last_block().time_ms

    @property
    def height(self) -> int:
        """Of the last block."""
        return self.node.application.last_block().height

    async def block(self, time_ms: int | None = None) -> int:
        """Make blocks up to a time (one second on, by default), and wait for the gateway; the height."""
        self.node.engine.advance(self.time_ms + 1_000 if time_ms is None else time_ms)
        await self.followed()
        return self.height

    async def followed(self) -> None:
        """Wait until the gateway stands where the node stands."""
        async with asyncio.timeout(30):
            while self.gateway.health().height < self.height or not self.gateway.health().ready:
                await self.gateway.next_block(0.05)

    def wallet(self, name: str) -> Wallet:
        """The wallet of a home, its nonces known."""
        if name not in self.wallets:
            wallet = self.wallets[name] = wallet_of(name)
            wallet.nonces.learn(0)
        return self.wallets[name]

    def sign(self, name: str, *messages: Message) -> SignedTransaction:
        """A transaction of a home."""
        return self.wallet(name).sign("test-chain", self.time_ms, messages)

    async def submit(self, *transactions: SignedTransaction | bytes) -> list[dict[str, Any]]:
        """Send them; the gateway's answers."""
        wires = [one.wire if isinstance(one, SignedTransaction) else one for one in transactions]
        response = await self.web.post("/v1/transactions", json={"transactions": [wire.hex() for wire in wires]})
        assert response.status_code == 202, response.text
        answers: list[dict[str, Any]] = response.json()["transactions"]
        return answers

    async def run(self, name: str, *messages: Message) -> dict[str, Any]:
        """One transaction in a block of its own; what the gateway says of it."""
        transaction = self.sign(name, *messages)
        (answer,) = await self.submit(transaction)
        assert answer["state"] == "pending", answer
        await self.block()
        return await self.get(f"/v1/transactions/{transaction.id.hex()}")

    async def get(self, path: str, token: str | None = None, **query: Any) -> dict[str, Any]:
        """A document; the request must succeed."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = await self.web.get(path, params=query, headers=headers)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    async def sign_in(self, name: str) -> str:
        """A token for a home's account."""
        wallet = self.wallet(name)
        asked = await self.web.post("/v1/challenges", json={"account": wallet.account.hex()})
        challenge = asked.json()["challenge"]
        auth = wallet.sign_challenge(bytes.fromhex(challenge))
        document = auth_document(auth)
        opened = await self.web.post("/v1/sessions", json={"challenge": challenge, "auth": document})
        assert opened.status_code == 201, opened.text
        token: str = opened.json()["token"]
        return token


def auth_document(auth: Any) -> dict[str, Any]:
    """As JSON."""
    return {
        "algorithm": auth.algorithm,
        "threshold": auth.threshold,
        "keys": [key.hex() for key in auth.keys],
        "signatures": [[index, signature.hex()] for index, signature in auth.signatures],
    }


@contextlib.asynccontextmanager
async def running_node(data: Path, *, history: bool = False) -> AsyncIterator[tuple[Node, Server]]:
    """The node of a data folder; its clock stands."""
    node = Node(NodeSettings(data, CHAIN_PATH, workers=0, feed_prefixes=tuple(sorted(FOLLOWED)), history=history))
    node.engine.clock = VirtualClock()
    node.engine.start()
    node.engine.clock.time_ms = node.application.last_block().time_ms
    intake = Intake(node.engine, node.verifier)
    server = Server(node.engine, intake, node.verifier)
    node.engine.on_block = server.announce
    await server.listen(node.folder.socket)
    journaling = asyncio.create_task(intake.run())
    try:
        yield node, server
    finally:
        await server.close()
        journaling.cancel()
        await asyncio.gather(journaling, return_exceptions=True)
        node.close()


@contextlib.asynccontextmanager
async def running_gateway(data: Path, **settings: Any) -> AsyncIterator[tuple[Gateway, Starlette, httpx.AsyncClient]]:
    """A gateway beside it, and a client of its application."""
    gateway = Gateway(data, **settings)
    app = make_app(gateway)
    following = asyncio.create_task(gateway.run())
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            yield gateway, app, web
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@contextlib.asynccontextmanager
async def running_market(
    folder: Path, community: Founding | None = None, *, history: bool = False, **settings: Any
) -> AsyncIterator[Market]:
    """A new chain with node and gateway; with `history` the node is an archive."""
    data = folder / "data"
    create_data_folder(data, (community or founding()).builder.finish(), NODE_SEED)
    async with opened_market(data, history=history, **settings) as market:
        yield market


@contextlib.asynccontextmanager
async def opened_market(data: Path, *, history: bool = False, **settings: Any) -> AsyncIterator[Market]:
    """Node and gateway of a chain that there is."""
    async with (
        running_node(data, history=history) as (node, server),
        running_gateway(data, **settings) as (gateway, app, web),
    ):
        market = Market(node, server, gateway, app, web)
        await market.followed()
        yield market


def story(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is given a running market as its first argument, and whatever it is parametrized with."""
    parameters = list(inspect.signature(test).parameters.values())[1:]

    def play(tmp_path: Path, **given: Any) -> None:
        async def life() -> None:
            async with running_market(tmp_path) as market:
                await test(market, **given)

        asyncio.run(life())

    folder = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
    play.__name__, play.__doc__ = test.__name__, test.__doc__
    play.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [folder, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters)]
    )
    if hasattr(test, "pytestmark"):
        play.pytestmark = test.pytestmark  # type: ignore[attr-defined]
    return play
