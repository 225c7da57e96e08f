"""Believing no gateway: receipts and balances proved by what the chain's validators signed.

    store = LightStore("market", Path("trusted"))
    with Client(URL) as client, Client(OTHER_URL) as witness:
        proving = ProvingClient(client, store, [witness])
        proving.start(height, block_hash)        # once; both from somebody you trust
        receipt = proving.receipt(transaction_id)

What block H did stands in the app hash of header H + 1, so a proof about the newest block waits for the next one.
`docs/light-client.md` says what is trusted, and for how long.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gridtokenx.client import proofs
from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError, NotFound, NotProved, ProofInvalid
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.comet import light_client
from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.engine.comet.light import Rules
from gridtokenx.engine.comet.light_client import NEWEST, Fetch, Wait
from gridtokenx.engine.comet.light_errors import BlockMissing, LightError, SourceFailed
from gridtokenx.engine.comet.light_store import LightStore
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.transaction import Receipt

T = TypeVar("T")

NEXT_BLOCK_PAUSES_SECONDS: Final = (0.5,) * 20
"""How long the next block is waited for."""


@dataclass(frozen=True, slots=True)
class AskReceipt:
    """Ask the gateway that is followed for the proof of a receipt."""

    transaction_id: bytes


@dataclass(frozen=True, slots=True)
class AskAccount:
    """Ask it for the proof of the wallet's account."""

    wallet: Wallet


Step = Fetch | Wait | AskReceipt | AskAccount
Flow = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """An account as the state after block `height` has it; `account` is None where it has none. `time_ms`: of the
    block after it, which proves it. The gateway chose the block: an old one is proved just as well."""

    account: Account | None
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What all flows of one client share."""

    store: LightStore
    witnesses: int
    rules: Rules
    clock: Callable[[], int]


def trusted_block(setting: Setting, height: int) -> Flow[LightBlock]:
    """As `light_client.trusted_block`."""
    return light_client.trusted_block(setting.store, height, setting.witnesses, setting.clock(), setting.rules)


def block_after(setting: Setting, height: int) -> Flow[LightBlock]:
    """The block whose header holds the app hash after this height; waited for when it is not there yet."""
    for seconds in NEXT_BLOCK_PAUSES_SECONDS:
        try:
            return (yield from trusted_block(setting, height + 1))
        except BlockMissing:
            yield Wait(seconds)
    return (yield from trusted_block(setting, height + 1))


def receipt(setting: Setting, transaction_id: bytes) -> Flow[Receipt]:
    """What became of a transaction. Raises NotFound while it is in no block, ProofInvalid, LightError."""
    proof = yield AskReceipt(transaction_id)
    after = yield from block_after(setting, proof.height)
    return proofs.check_receipt(after.header.app_hash, transaction_id, proof)


def account(setting: Setting, wallet: Wallet) -> Flow[ProvenAccount]:
    """One's own account, as of the newest block that the gateway shows. Raises ProofInvalid, LightError."""
    proof = yield AskAccount(wallet)
    after = yield from block_after(setting, proof.height)
    record = proofs.check_record(after.header.app_hash, bytes([ACCOUNTS.prefix]) + wallet.account, proof)
    try:
        found = None if record is None else ACCOUNTS.decode(record)
    except Rejected as rejection:
        raise ProofInvalid(f"a record in it is none: {rejection.field}") from None
    return ProvenAccount(found, proof.height, after.header.time_ns // 1_000_000)


def source_error(error: ClientError) -> SourceFailed:
    """What a gateway's refusal, or its silence, means for a light client."""
    if isinstance(error, NotFound) and error.code == GatewayCode.NOT_FOUND:
        return BlockMissing(str(error))
    return SourceFailed(str(error))


def wall_clock_ms() -> int:
    """This machine's time: it decides how long a header is trusted."""
    return time.time_ns() // 1_000_000


class ProvingClient:
    """Asks a gateway and believes what is proved. Methods raise NotProved, ProofInvalid and the client's errors."""

    def __init__(
        self,
        client: Client,
        store: LightStore,
        witnesses: Sequence[Client] = (),
        rules: Rules | None = None,
        *,
        clock: Callable[[], int] = wall_clock_ms,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`witnesses`: clients of gateways of other owners. Without one, a third of the validators and this gateway
        together could deceive."""
        self._clients = (client, *witnesses)
        self._setting = Setting(store, len(witnesses), rules or Rules(), clock)
        self._pause = pause

    def start(self, height: int, block_hash: bytes) -> LightBlock:
        """Trust the block of this height, whose hash somebody you trust gave you. Once: the store keeps it."""
        setting = self._setting
        return self._run(light_client.start(setting.store, height, block_hash, setting.clock(), setting.rules))

    def block(self, height: int = NEWEST) -> LightBlock:
        """The block of this height, or the newest one, proved."""
        return self._run(trusted_block(self._setting, height))

    def app_hash(self, height: int) -> bytes:
        """Of the state after this block, proved by the next one."""
        return self._run(block_after(self._setting, height)).header.app_hash

    def receipt(self, transaction_id: bytes) -> Receipt:
        """What became of a transaction. Raises NotFound while it is in no block."""
        return self._run(receipt(self._setting, transaction_id))

    def account(self, wallet: Wallet) -> ProvenAccount:
        """One's own account with its balance, as of the newest block that the gateway shows."""
        return self._run(account(self._setting, wallet))

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except (ClientError, LightError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        except LightError as error:
            raise NotProved(error) from error

    def _do(self, step: Step) -> object:
        if isinstance(step, Wait):
            self._pause(step.seconds)
            return None
        if isinstance(step, AskReceipt):
            return self._clients[0].receipt_proof(step.transaction_id)
        if isinstance(step, AskAccount):
            return self._clients[0].record_proof(step.wallet)
        try:
            return self._clients[step.source].light_block(step.height)
        except ClientError as error:
            raise source_error(error) from error


class AsyncProvingClient:
    """The twin of `ProvingClient` for `AsyncClient`s."""

    def __init__(
        self,
        client: AsyncClient,
        store: LightStore,
        witnesses: Sequence[AsyncClient] = (),
        rules: Rules | None = None,
        *,
        clock: Callable[[], int] = wall_clock_ms,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As for `ProvingClient`."""
        self._clients = (client, *witnesses)
        self._setting = Setting(store, len(witnesses), rules or Rules(), clock)
        self._pause = pause

    async def start(self, height: int, block_hash: bytes) -> LightBlock:
        """Trust the block of this height, whose hash somebody you trust gave you. Once: the store keeps it."""
        setting = self._setting
        return await self._run(light_client.start(setting.store, height, block_hash, setting.clock(), setting.rules))

    async def block(self, height: int = NEWEST) -> LightBlock:
        """The block of this height, or the newest one, proved."""
        return await self._run(trusted_block(self._setting, height))

    async def app_hash(self, height: int) -> bytes:
        """Of the state after this block, proved by the next one."""
        return (await self._run(block_after(self._setting, height))).header.app_hash

    async def receipt(self, transaction_id: bytes) -> Receipt:
        """What became of a transaction. Raises NotFound while it is in no block."""
        return await self._run(receipt(self._setting, transaction_id))

    async def account(self, wallet: Wallet) -> ProvenAccount:
        """One's own account with its balance, as of the newest block that the gateway shows."""
        return await self._run(account(self._setting, wallet))

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except (ClientError, LightError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        except LightError as error:
            raise NotProved(error) from error

    async def _do(self, step: Step) -> object:
        if isinstance(step, Wait):
            await self._pause(step.seconds)
            return None
        if isinstance(step, AskReceipt):
            return await self._clients[0].receipt_proof(step.transaction_id)
        if isinstance(step, AskAccount):
            return await self._clients[0].record_proof(step.wallet)
        try:
            return await self._clients[step.source].light_block(step.height)
        except ClientError as error:
            raise source_error(error) from error
