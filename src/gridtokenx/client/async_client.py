"""Asking a gateway without blocking, and listening to it: `AsyncClient`, the twin of `client.Client`."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from gridtokenx.client import calls, flows
from gridtokenx.client.calls import Call
from gridtokenx.client.client import (
    DEFAULT_URL,
    TIMEOUT_SECONDS,
    WAIT_SECONDS,
    checked_address,
    name_of,
    no_answer,
    request_of,
)
from gridtokenx.client.errors import ClientError
from gridtokenx.client.flows import Exchange, Flow, Memory, Pause, Sent
from gridtokenx.client.stream import Stream
from gridtokenx.client.transactions import LIFETIME_MS, SignedTransaction
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.gateway import (
    authority_documents,
    coupled_documents,
    documents,
    maker_documents,
    page_documents,
    portfolio_documents,
)
from gridtokenx.ledger.codec import Message

T = TypeVar("T")


class AsyncClient:
    """Asks without blocking; of one event loop."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        chain: str | None = None,
        tls: ssl.SSLContext | None = None,
        http: httpx.AsyncClient | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As for `Client`."""
        self._memory = Memory(chain)
        self.url = checked_address(url)
        self._http = http or httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, verify=tls or True)
        self._pause = pause
        self._tls = tls

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def stream(self, topics: Sequence[str], wallet: Wallet | None = None) -> Stream:
        """Hear of `blocks`, `trades`, `book:{interval}`, and with a wallet `account`; to be used with `async with`."""
        return Stream(self.url, topics, None if wallet is None else lambda: self.token(wallet), self._tls)

    async def token(self, wallet: Wallet) -> str:
        """A session's token for the wallet's account, new."""
        return await self._run(flows.sign_in(self._memory, wallet))

    async def status(self) -> documents.StatusView:
        """Where the chain is, and its time."""
        return await self._run(flows.status(self._memory))

    async def health(self) -> documents.HealthView:
        """Whether the gateway can do its work; else why not."""
        return await self._run(flows.ask(calls.health()))

    async def codes(self) -> documents.Codes:
        """All codes and their names."""
        return await self._run(flows.ask(calls.codes()))

    async def intervals(self, start: int | None = None, limit: int | None = None) -> documents.Intervals:
        """Delivery intervals that are open or not final yet."""
        return await self._run(flows.ask(calls.intervals(start, limit)))

    async def interval(self, number: int) -> documents.IntervalView:
        """One of them."""
        return await self._run(flows.ask(calls.interval(number)))

    async def book(self, number: int, feeder: int | None = None, levels: int | None = None) -> documents.BookView:
        """Depth; with a feeder also by delivered price."""
        return await self._run(flows.ask(calls.book(number, feeder, levels)))

    async def prices(self, number: int) -> documents.PricesView:
        """Reference prices of an interval, with their parts, bands and halts."""
        return await self._run(flows.ask(calls.prices(number)))

    async def auction(self, number: int) -> documents.AuctionView:
        """The auction of an interval: indicative in its call phase, final after it."""
        return await self._run(flows.ask(calls.auction(number)))

    async def auction_history(self, number: int) -> coupled_documents.CallHistory:
        """How its indicative outcome changed in its call phase."""
        return await self._run(flows.ask(calls.auction_history(number)))

    async def auction_curves(self, number: int, zone: int) -> coupled_documents.CallCurves:
        """Supply and demand of a zone in it."""
        return await self._run(flows.ask(calls.auction_curves(number, zone)))

    async def network(self, number: int) -> coupled_documents.NetworkView:
        """Zones and borders of an interval: prices, flows, what is free."""
        return await self._run(flows.ask(calls.network(number)))

    async def zone_feeders(
        self, number: int, zone: int, after: int | None = None, limit: int | None = None
    ) -> coupled_documents.ZoneFeeders:
        """The feeders of a zone in an interval, with their links."""
        return await self._run(flows.ask(calls.zone_feeders(number, zone, after, limit)))

    async def interval_trades(
        self, number: int, after: int | None = None, limit: int | None = None
    ) -> documents.Trades:
        """Trades of one interval."""
        return await self._run(flows.ask(calls.interval_trades(number, after, limit)))

    async def block_orders(self) -> documents.BlockOrders:
        """Block orders that wait beside the books, without names."""
        return await self._run(flows.ask(calls.block_orders()))

    async def trades(self, after: int | None = None, limit: int | None = None) -> documents.Trades:
        """Trades of all intervals; without `after` the newest."""
        return await self._run(flows.ask(calls.trades(after, limit)))

    async def blocks(self, before: int | None = None, limit: int | None = None) -> documents.Blocks:
        """Blocks, newest first."""
        return await self._run(flows.ask(calls.blocks(before, limit)))

    async def block(self, height: int) -> documents.BlockView:
        """One block with its batches."""
        return await self._run(flows.ask(calls.block(height)))

    async def light_block(self, height: int) -> LightBlock:
        """Header, votes and validators of a block, as the gateway says them (`light.ProvingClient` believes only what
        is proved). Height 0: the newest. Raises NotFound also where one node alone runs the market."""
        return await self._run(flows.light_block(self._memory, height))

    async def transaction(self, transaction_id: bytes) -> documents.TransactionView:
        """State of a transaction, now."""
        return await self._run(flows.ask(calls.transaction(transaction_id)))

    async def receipt_proof(self, transaction_id: bytes) -> documents.ReceiptProof:
        """What shows a stranger what became of it (`proofs.check_receipt`)."""
        return await self._run(flows.ask(calls.receipt_proof(transaction_id)))

    async def community(self, start: int | None = None, limit: int | None = None) -> page_documents.Community:
        """Settled intervals, summed over everybody; without `start` the newest."""
        return await self._run(flows.ask(calls.community(start, limit)))

    async def savings(self) -> page_documents.Savings:
        """What the market was worth to its homes."""
        return await self._run(flows.ask(calls.savings()))

    async def terms(self) -> page_documents.TermsInForce:
        """The market's terms, and the next ones."""
        return await self._run(flows.ask(calls.terms()))

    async def places(self) -> page_documents.Places:
        """Zones and feeders."""
        return await self._run(flows.ask(calls.places()))

    async def aggregators(self) -> portfolio_documents.Aggregators:
        """Portfolios that sites can join, and their rules."""
        return await self._run(flows.ask(calls.aggregators()))

    async def makers(self) -> maker_documents.Makers:
        """Programmes for makers, and who keeps them how."""
        return await self._run(flows.ask(calls.makers()))

    async def maker(self, portfolio: bytes) -> maker_documents.MakerDuties:
        """A maker's presence, interval by interval."""
        return await self._run(flows.ask(calls.maker(portfolio)))

    async def search(self, text: str) -> page_documents.SearchResults:
        """What a text may mean: a block, a transaction, an account, an interval."""
        return await self._run(flows.ask(calls.search(text)))

    async def public_account(self, account: bytes) -> page_documents.PublicAccount:
        """What anybody may know of an account."""
        return await self._run(flows.ask(calls.public_account(account)))

    async def authorities(self) -> authority_documents.Authorities:
        """Who runs the chain: members, terms, powers, validators."""
        return await self._run(flows.ask(calls.authorities()))

    async def authority(self, member: bytes) -> authority_documents.MemberDetail:
        """One member, with its documents and what is proved against it."""
        return await self._run(flows.ask(calls.authority(member)))

    async def proposals(
        self, state: str | None = None, before: int | None = None, limit: int | None = None
    ) -> authority_documents.Proposals:
        """What members propose and decide, newest first: `open`, `decided`, or all."""
        return await self._run(flows.ask(calls.proposals(state, before, limit)))

    async def availability(
        self, before: int | None = None, limit: int | None = None
    ) -> authority_documents.Availability:
        """How the chain served, day by day; without `before` the newest days."""
        return await self._run(flows.ask(calls.availability(before, limit)))

    async def faucet(self) -> page_documents.FaucetView:
        """Whether this market has a faucet, and what it gives."""
        return await self._run(flows.ask(calls.faucet()))

    async def join(self, wallet: Wallet, profile: str = "solar-home") -> page_documents.FaucetAnswer:
        """Ask the faucet for an account of the wallet's keys, a small site (`solar-home` or `flat`) and play money."""
        return await self._run(flows.join(self._memory, wallet, profile))

    async def account(self, wallet: Wallet, height: int | None = None) -> documents.AccountView:
        """One's own account; of an archive also as it was after a block."""
        return await self._run(self._personal(wallet, calls.account(wallet.account, height)))

    async def own_versions(
        self,
        wallet: Wallet,
        record: str = "account",
        client_id: bytes | None = None,
        interval: int | None = None,
        portfolio: bytes | None = None,
        first: int | None = None,
        last: int | None = None,
        limit: int | None = None,
    ) -> page_documents.RecordVersions:
        """Versions of one's own record that blocks of these heights wrote; of an archive."""
        call = calls.own_versions(wallet.account, record, client_id, interval, portfolio, first, last, limit)
        return await self._run(self._personal(wallet, call))

    async def past_record(self, table: str, key: bytes, height: int | None = None) -> page_documents.PastRecord:
        """A public record as it was after a block; of an archive."""
        return await self._run(flows.ask(calls.past_record(table, key, height)))

    async def versions(
        self, table: str, key: bytes, first: int | None = None, last: int | None = None, limit: int | None = None
    ) -> page_documents.RecordVersions:
        """Its versions that blocks of these heights wrote; of an archive."""
        return await self._run(flows.ask(calls.versions(table, key, first, last, limit)))

    async def orders(
        self, wallet: Wallet, state: str = "open", after: str = "", limit: int | None = None
    ) -> documents.Orders:
        """One's own orders, `open` or `gone`."""
        return await self._run(self._personal(wallet, calls.orders(wallet.account, state, after, limit)))

    async def order(self, wallet: Wallet, client_id: bytes) -> documents.OrderView:
        """State of one's own order, also when it is gone."""
        return await self._run(self._personal(wallet, calls.order(wallet.account, client_id)))

    async def positions(
        self, wallet: Wallet, start: int | None = None, limit: int | None = None
    ) -> documents.Positions:
        """What one's own portfolios traded."""
        return await self._run(self._personal(wallet, calls.positions(wallet.account, start, limit)))

    async def statements(
        self, wallet: Wallet, after: int | None = None, limit: int | None = None, portfolio: bytes | None = None
    ) -> documents.Statements:
        """Results of settled intervals."""
        return await self._run(self._personal(wallet, calls.statements(wallet.account, after, limit, portfolio)))

    async def portfolios(self, wallet: Wallet) -> portfolio_documents.OwnPortfolios:
        """One's own portfolios, their members and memberships."""
        return await self._run(self._personal(wallet, calls.portfolios(wallet.account)))

    async def splits(
        self, wallet: Wallet, after: int | None = None, limit: int | None = None
    ) -> portfolio_documents.SplitsOfAccount:
        """How results of portfolios with members were split."""
        return await self._run(self._personal(wallet, calls.splits(wallet.account, after, limit)))

    async def duties(
        self, wallet: Wallet, after: int | None = None, limit: int | None = None
    ) -> maker_documents.OwnDuties:
        """What is missing of one's own duties as a maker."""
        return await self._run(self._personal(wallet, calls.duties(wallet.account, after, limit)))

    async def bill(
        self, wallet: Wallet, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
    ) -> page_documents.Bill:
        """One's own bill of a `day` (YYYY-MM-DD) or a `month` (YYYY-MM), by default of the chain's present day."""
        return await self._run(self._personal(wallet, calls.bill(wallet.account, day, month, portfolio)))

    async def bill_table(
        self, wallet: Wallet, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
    ) -> str:
        """The same as comma-separated values."""
        return await self._run(self._personal(wallet, calls.bill_table(wallet.account, day, month, portfolio)))

    async def record_proof(
        self,
        wallet: Wallet,
        record: str = "account",
        client_id: bytes | None = None,
        interval: int | None = None,
        portfolio: bytes | None = None,
    ) -> documents.RecordProof:
        """Proof of one's own record (`proofs.check_record`)."""
        return await self._run(
            self._personal(wallet, calls.record_proof(wallet.account, record, client_id, interval, portfolio))
        )

    async def submit(self, wires: Sequence[bytes], *, acceptance: bool = False) -> list[documents.Submitted]:
        """Send signed transactions; an answer for each, in order. With `acceptance` those that the node took carry its
        signed promise (`proofs.check_acceptance`)."""
        return await self._run(flows.submit(wires, acceptance))

    async def send(self, wallet: Wallet, *messages: Message, lifetime_ms: int = LIFETIME_MS) -> SignedTransaction:
        """Sign and send one transaction; it is on the node's disk when this returns. Raises TransactionRejected."""
        return await self._run(flows.send(self._memory, wallet, messages, lifetime_ms))

    async def send_many(
        self, wallet: Wallet, groups: Sequence[Sequence[Message]], lifetime_ms: int = LIFETIME_MS
    ) -> list[Sent]:
        """One transaction for each group of messages, sent together; refusals stand in the answers."""
        return await self._run(flows.send_many(self._memory, wallet, groups, lifetime_ms))

    async def wait(
        self, transaction: SignedTransaction | bytes, seconds: float = WAIT_SECONDS
    ) -> documents.TransactionView:
        """The transaction once it is in a block, whatever its code. Raises TransactionExpired, StillPending."""
        return await self._run(flows.wait(*name_of(transaction), seconds, time.monotonic))

    async def execute(
        self, wallet: Wallet, *messages: Message, seconds: float = WAIT_SECONDS
    ) -> documents.TransactionView:
        """Send and wait. Raises TransactionRejected also when the ledger refused it in its block."""
        return await self._run(flows.execute(self._memory, wallet, messages, LIFETIME_MS, seconds, time.monotonic))

    def _personal(self, wallet: Wallet, call: Call[T]) -> Flow[T]:
        return flows.personal(self._memory, wallet, call)

    async def _run(self, flow: Flow[T]) -> T:
        """Do what the flow asks for, step by step."""
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except ClientError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Exchange | Pause) -> object:
        if isinstance(step, Pause):
            await self._pause(step.seconds)
            return None
        try:
            response = await self._http.request(**request_of(step))
        except httpx.TransportError as error:
            raise no_answer(self.url, error) from error
        return step.call.read(response.status_code, response.content)
