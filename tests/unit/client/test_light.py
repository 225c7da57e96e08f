"""Receipts and balances proved by what validators signed. The ledger and its gateway are real; the validators are keys
of the test that sign what a consensus engine would have made of the ledger's blocks."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.client.light_gateway import gateway_with
from tests.unit.engine.comet.comet_server import comet_server, result
from tests.unit.engine.comet.light_chain import (
    CHAIN,
    commit_answer,
    hash_of,
    header_at,
    make_chain,
    now_ms,
    signed,
    validators_answer,
)
from tests.unit.gateway.market import Market, story, wallet_of
from tests.world import WATT, interval_at, pseudonym, sell

from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.errors import NotFound, NotProved, ProofInvalid
from gridtokenx.client.light import AsyncProvingClient, ProvingClient
from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.engine.comet.light_errors import Conflict, SourceFailed
from gridtokenx.engine.comet.light_store import LightStore
from gridtokenx.gateway import documents
from gridtokenx.modules.market.messages import CancelOrder

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
NOON = interval_at(12)


class Validators:
    """Sign a block for each of the ledger's, and one more: the app hash of the newest stands in it."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.blocks: list[LightBlock] = []
        self.app_hashes: list[bytes] = []

    def sign(self) -> None:
        """What the ledger has come to; to be called after each of its blocks."""
        self.app_hashes.append(self.market.node.application.info().app_hash)
        self.propose(self.app_hashes[-1])

    def propose(self, app_hash: bytes) -> None:
        """The next block, on this state."""
        before = self.blocks[-1] if self.blocks else None
        header = replace(header_at(len(self.blocks) + 1, FOUR, FOUR, before), app_hash=app_hash)
        self.blocks.append(signed(header, FOUR))

    def answer(self, method: str, parameters: dict[str, Any]) -> bytes:
        """As CometBFT."""
        height = int(parameters["height"])
        if height > len(self.blocks):
            data = f"height {height} must be less than or equal to the current blockchain height {len(self.blocks)}"
            return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "", "data": data}}).encode()
        shown = commit_answer if method == "commit" else validators_answer
        return result(shown(self.blocks[height - 1]))


@asynccontextmanager
async def validated(market: Market) -> AsyncIterator[Validators]:
    """The market's node has an engine, and the validators have signed the beginning."""
    validators = Validators(market)
    assert market.height == 1, "the first block of a solo engine is empty"
    validators.propose(hash_of("genesis"))
    validators.sign()
    (market.gateway.folder.path / "consensus").mkdir()
    async with comet_server(market.gateway.folder.run / "rpc.sock", validators.answer):
        yield validators


def proving(
    market: Market, validators: Validators, client: AsyncClient | None = None, waited: Callable[[], None] | None = None
) -> AsyncProvingClient:
    """A client that waits for nobody; `waited` is what happens meanwhile."""

    async def pause(seconds: float) -> None:
        if waited is not None:
            waited()

    def clock() -> int:
        return now_ms(validators.blocks)

    own = client or client_of(market)
    return AsyncProvingClient(own, LightStore(CHAIN), [client_of(market)], clock=clock, pause=pause)


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def client_of(market: Market) -> AsyncClient:
    return AsyncClient("http://localhost", http=market.web, pause=no_pause)


@story
async def test_a_receipt_and_a_balance_against_nothing_but_a_trusted_header(market: Market) -> None:
    async with validated(market) as validators:
        client = proving(market, validators)
        await client.start(1, validators.blocks[0].hash)
        taken = market.sign("ann", sell("ann", 1_000, NOON, 3_000_000))
        refused = market.sign("ann", CancelOrder(pseudonym("nothing")))
        await market.submit(taken, refused)
        with pytest.raises(NotFound):
            await client.receipt(taken.id)
        await market.block()
        validators.sign()
        receipt = await client.receipt(taken.id)
        assert (receipt.transaction, receipt.code) == (taken.id, 0)
        assert (await client.receipt(refused.id)).code != 0
        own = await client.account(wallet_of("ann"))
        view = await client_of(market).account(wallet_of("ann"))
        assert own.account is not None and own.height == market.height
        assert (own.account.balance_micro, own.account.held_micro) == (view.balance_micro, view.held_micro)
        assert own.account.held_micro > 0 and own.account.balance_micro >= WATT
        assert await client.app_hash(market.height) == validators.app_hashes[-1]
        assert (await client.block()).height == market.height


@story
async def test_a_proof_about_the_newest_block_waits_for_the_next(market: Market) -> None:
    async with validated(market) as validators:
        client = proving(market, validators, waited=validators.sign)
        await client.start(1, validators.blocks[0].hash)
        await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
        assert len(validators.blocks) == market.height
        own = await client.account(wallet_of("ann"))
        assert own.height == market.height == len(validators.blocks) - 1


class Liar(AsyncClient):
    """A client of a gateway that shows other proofs than it should."""

    async def receipt_proof(self, transaction_id: bytes) -> documents.ReceiptProof:
        proof = await super().receipt_proof(transaction_id)
        return msgspec.structs.replace(proof, receipt=proof.receipt[:-2] + "01")

    async def record_proof(self, *about: Any, **more: Any) -> documents.RecordProof:
        proof = await super().record_proof(*about, **more)
        assert proof.claim.value is not None
        return msgspec.structs.replace(proof, claim=msgspec.structs.replace(proof.claim, value=None))


@story
async def test_a_gateway_that_lies_about_state(market: Market) -> None:
    async with validated(market) as validators:
        liar = Liar("http://localhost", http=market.web, pause=no_pause)
        client = proving(market, validators, liar)
        await client.start(1, validators.blocks[0].hash)
        transaction = market.sign("ann", sell("ann", 1_000, NOON, 3_000_000))
        await market.submit(transaction)
        await market.block()
        validators.sign()
        with pytest.raises(ProofInvalid):
            await client.receipt(transaction.id)
        with pytest.raises(ProofInvalid):
            await client.account(wallet_of("ann"))


@story
async def test_a_gateway_that_lies_about_the_chain(market: Market) -> None:
    async with validated(market) as validators:
        client = proving(market, validators)
        await client.start(1, validators.blocks[0].hash)
        await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
        validators.sign()
        last = validators.blocks[-1]
        validators.blocks[-1] = replace(last, header=replace(last.header, app_hash=hash_of("other")))
        with pytest.raises(NotProved) as error:
            await client.account(wallet_of("ann"))
        assert error.value.name == "BlockInvalid"


@story
async def test_one_node_alone_proves_nothing(market: Market) -> None:
    client = AsyncProvingClient(client_of(market), LightStore(CHAIN), pause=no_pause)
    with pytest.raises(NotProved, match="NO_CONSENSUS") as error:
        await client.start(1, bytes(32))
    assert isinstance(error.value.reason, SourceFailed)


def test_without_asynchrony_and_over_restarts(tmp_path: Path) -> None:
    blocks = make_chain([FOUR] * 13)
    store = tmp_path / "trusted"

    def client(witness: list[LightBlock]) -> ProvingClient:
        return ProvingClient(
            gateway_with(blocks),
            LightStore(CHAIN, store),
            [gateway_with(witness)],
            clock=lambda: now_ms(blocks),
            pause=lambda seconds: None,
        )

    client(blocks).start(2, blocks[1].hash)
    assert client(blocks).block() == blocks[11]
    assert client(blocks).app_hash(8) == blocks[8].header.app_hash
    with pytest.raises(NotProved) as missing:
        client(blocks).app_hash(12)
    assert missing.value.name == "BlockMissing"
    fork = [*blocks[:9], *make_chain([FOUR] * 13, fork="b")[9:]]
    with pytest.raises(NotProved) as conflict:
        client(fork).block(11)
    assert isinstance(conflict.value.reason, Conflict) and conflict.value.name == "Conflict"
    assert conflict.value.reason.evidence.other == fork[10]


def test_what_is_no_light_block() -> None:
    odd = make_chain([FOUR] * 3)

    def answer(request: httpx.Request) -> httpx.Response:
        shown = commit_answer(odd[0]) if "commits" in request.url.path else validators_answer(odd[0]) | {"total": "9"}
        return httpx.Response(200, json=shown)

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost")
    client = ProvingClient(Client("http://localhost", http=http), LightStore(CHAIN))
    with pytest.raises(NotProved) as error:
        client.start(1, odd[0].hash)
    assert error.value.name == "SourceFailed"


def test_both_have_the_same_methods() -> None:
    for name in {name for name in vars(ProvingClient) if not name.startswith("_")}:
        one, other = getattr(ProvingClient, name), getattr(AsyncProvingClient, name)
        assert inspect.signature(one) == inspect.signature(other), name
        assert one.__doc__ == other.__doc__, name
