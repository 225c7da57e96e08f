"""Asking a gateway: `Client`; `async_client.AsyncClient` has the same methods.

Every call may be repeated without harm, so both repeat one that got no answer, or that the gateway could not do at the
moment, a few times with growing pauses. A transaction is sent again as the very same bytes: it counts once. Methods
raise the errors of `errors`; those that take a wallet sign in by themselves.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from gridtokenx.client import calls, flows
from gridtokenx.client.calls import Call
from gridtokenx.client.errors import AddressInvalid, ClientError, TransportError
from gridtokenx.client.flows import Exchange, Flow, Memory, Pause, Sent
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

DEFAULT_URL = "http://127.0.0.1:8545"
TIMEOUT_SECONDS = 20.0
"""Longer than a gateway holds an answer back."""
WAIT_SECONDS = 60.0


class Client:
    """Asks and waits for the answer. May be used by several threads."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        chain: str | None = None,
        tls: ssl.SSLContext | None = None,
        http: httpx.Client | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url`: of the gateway; raises AddressInvalid. `chain`: refuse to talk to another one; by default the first
        that answers. `tls`: whom to trust, for a gateway with a certificate of its own. `http`: a client of one's own,
        for proxies, or for an application in this process. `pause`: waits so many seconds between attempts."""
        self._memory = Memory(chain)
        self.url = checked_address(url)
        self._http = http or httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, verify=tls or True)
        self._pause = pause

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def status(self) -> documents.StatusView:
        """Where the chain is, and its time."""
        return self._run(flows.status(self._memory))

    def health(self) -> documents.HealthView:
        """Whether the gateway can do its work; else why not."""
        return self._run(flows.ask(calls.health()))

    def codes(self) -> documents.Codes:
        """All codes and their names."""
        return self._run(flows.ask(calls.codes()))

    def intervals(self, start: int | None = None, limit: int | None = None) -> documents.Intervals:
        """Delivery intervals that are open or not final yet."""
        return self._run(flows.ask(calls.intervals(start, limit)))

    def interval(self, number: int) -> documents.IntervalView:
        """One of them."""
        return self._run(flows.ask(calls.interval(number)))

    def book(self, number: int, feeder: int | None = None, levels: int | None = None) -> documents.BookView:
        """Depth; with a feeder also by delivered price."""
        return self._run(flows.ask(calls.book(number, feeder, levels)))

    def prices(self, number: int) -> documents.PricesView:
        """Reference prices of an interval, with their parts, bands and halts."""
        return self._run(flows.ask(calls.prices(number)))

    def auction(self, number: int) -> documents.AuctionView:
        """The auction of an interval: indicative in its call phase, final after it."""
        return self._run(flows.ask(calls.auction(number)))

    def auction_history(self, number: int) -> coupled_documents.CallHistory:
        """How its indicative outcome changed in its call phase."""
        return self._run(flows.ask(calls.auction_history(number)))

    def auction_curves(self, number: int, zone: int) -> coupled_documents.CallCurves:
        """Supply and demand of a zone in it."""
        return self._run(flows.ask(calls.auction_curves(number, zone)))

    def network(self, number: int) -> coupled_documents.NetworkView:
        """Zones and borders of an interval: prices, flows, what is free."""
        return self._run(flows.ask(calls.network(number)))

    def zone_feeders(
        self, number: int, zone: int, after: int | None = None, limit: int | None = None
    ) -> coupled_documents.ZoneFeeders:
        """The feeders of a zone in an interval, with their links."""
        return self._run(flows.ask(calls.zone_feeders(number, zone, after, limit)))

    def interval_trades(self, number: int, after: int | None = None, limit: int | None = None) -> documents.Trades:
        """Trades of one interval."""
        return self._run(flows.ask(calls.interval_trades(number, after, limit)))

    def block_orders(self) -> documents.BlockOrders:
        """Block orders that wait beside the books, without names."""
        return self._run(flows.ask(calls.block_orders()))

    def trades(self, after: int | None = None, limit: int | None = None) -> documents.Trades:
        """Trades of all intervals; without `after` the newest."""
        return self._run(flows.ask(calls.trades(after, limit)))

    def blocks(self, before: int | None = None, limit: int | None = None) -> documents.Blocks:
        """Blocks, newest first."""
        return self._run(flows.ask(calls.blocks(before, limit)))

    def block(self, height: int) -> documents.BlockView:
        """One block with its batches."""
        return self._run(flows.ask(calls.block(height)))

    def light_block(self, height: int) -> LightBlock:
        """Header, votes and validators of a block, as the gateway says them (`light.ProvingClient` believes only what
        is proved). Height 0: the newest. Raises NotFound also where one node alone runs the market."""
        return self._run(flows.light_block(self._memory, height))

    def transaction(self, transaction_id: bytes) -> documents.TransactionView:
        """State of a transaction, now."""
        return self._run(flows.ask(calls.transaction(transaction_id)))

    def receipt_proof(self, transaction_id: bytes) -> documents.ReceiptProof:
        """What shows a stranger what became of it (`proofs.check_receipt`)."""
        return self._run(flows.ask(calls.receipt_proof(transaction_id)))

    def community(self, start: int | None = None, limit: int | None = None) -> page_documents.Community:
        """Settled intervals, summed over everybody; without `start` the newest."""
        return self._run(flows.ask(calls.community(start, limit)))

    def savings(self) -> page_documents.Savings:
        """What the market was worth to its homes."""
        return self._run(flows.ask(calls.savings()))

    def terms(self) -> page_documents.TermsInForce:
        """The market's terms, and the next ones."""
        return self._run(flows.ask(calls.terms()))

    def places(self) -> page_documents.Places:
        """Zones and feeders."""
        return self._run(flows.ask(calls.places()))

    def aggregators(self) -> portfolio_documents.Aggregators:
        """Portfolios that sites can join, and their rules."""
        return self._run(flows.ask(calls.aggregators()))

    def makers(self) -> maker_documents.Makers:
        """Programmes for makers, and who keeps them how."""
        return self._run(flows.ask(calls.makers()))

    def maker(self, portfolio: bytes) -> maker_documents.MakerDuties:
        """A maker's presence, interval by interval."""
        return self._run(flows.ask(calls.maker(portfolio)))

    def search(self, text: str) -> page_documents.SearchResults:
        """What a text may mean: a block, a transaction, an account, an interval."""
        return self._run(flows.ask(calls.search(text)))

    def public_account(self, account: bytes) -> page_documents.PublicAccount:
        """What anybody may know of an account."""
        return self._run(flows.ask(calls.public_account(account)))

    def authorities(self) -> authority_documents.Authorities:
        """Who runs the chain: members, terms, powers, validators."""
        return self._run(flows.ask(calls.authorities()))

    def authority(self, member: bytes) -> authority_documents.MemberDetail:
        """One member, with its documents and what is proved against it."""
        return self._run(flows.ask(calls.authority(member)))

    def proposals(
        self, state: str | None = None, before: int | None = None, limit: int | None = None
    ) -> authority_documents.Proposals:
        """What members propose and decide, newest first: `open`, `decided`, or all."""
        return self._run(flows.ask(calls.proposals(state, before, limit)))

    def availability(self, before: int | None = None, limit: int | None = None) -> authority_documents.Availability:
        """How the chain served, day by day; without `before` the newest days."""
        return self._run(flows.ask(calls.availability(before, limit)))

    def faucet(self) -> page_documents.FaucetView:
        """Whether this market has a faucet, and what it gives."""
        return self._run(flows.ask(calls.faucet()))

    def join(self, wallet: Wallet, profile: str = "solar-home") -> page_documents.FaucetAnswer:
        """Ask the faucet for an account of the wallet's keys, a small site (`solar-home` or `flat`) and play money."""
        return self._run(flows.join(self._memory, wallet, profile))

    def account(self, wallet: Wallet, height: int | None = None) -> documents.AccountView:
        """One's own account; of an archive also as it was after a block."""
        return self._run(self._personal(wallet, calls.account(wallet.account, height)))

    def own_versions(
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
        return self._run(self._personal(wallet, call))

    def past_record(self, table: str, key: bytes, height: int | None = None) -> page_documents.PastRecord:
        """A public record as it was after a block; of an archive."""
        return self._run(flows.ask(calls.past_record(table, key, height)))

    def versions(
        self, table: str, key: bytes, first: int | None = None, last: int | None = None, limit: int | None = None
    ) -> page_documents.RecordVersions:
        """Its versions that blocks of these heights wrote; of an archive."""
        return self._run(flows.ask(calls.versions(table, key, first, last, limit)))

    def orders(
        self, wallet: Wallet, state: str = "open", after: str = "", limit: int | None = None
    ) -> documents.Orders:
        """One's own orders, `open` or `gone`."""
        return self._run(self._personal(wallet, calls.orders(wallet.account, state, after, limit)))

    def order(self, wallet: Wallet, client_id: bytes) -> documents.OrderView:
        """State of one's own order, also when it is gone."""
        return self._run(self._personal(wallet, calls.order(wallet.account, client_id)))

    def positions(self, wallet: Wallet, start: int | None = None, limit: int | None = None) -> documents.Positions:
        """What one's own portfolios traded."""
        return self._run(self._personal(wallet, calls.positions(wallet.account, start, limit)))

    def statements(
        self, wallet: Wallet, after: int | None = None, limit: int | None = None, portfolio: bytes | None = None
    ) -> documents.Statements:
        """Results of settled intervals."""
        return self._run(self._personal(wallet, calls.statements(wallet.account, after, limit, portfolio)))

    def portfolios(self, wallet: Wallet) -> portfolio_documents.OwnPortfolios:
        """One's own portfolios, their members and memberships."""
        return self._run(self._personal(wallet, calls.portfolios(wallet.account)))

    def splits(
        self, wallet: Wallet, after: int | None = None, limit: int | None = None
    ) -> portfolio_documents.SplitsOfAccount:
        """How results of portfolios with members were split."""
        return self._run(self._personal(wallet, calls.splits(wallet.account, after, limit)))

    def duties(self, wallet: Wallet, after: int | None = None, limit: int | None = None) -> maker_documents.OwnDuties:
        """What is missing of one's own duties as a maker."""
        return self._run(self._personal(wallet, calls.duties(wallet.account, after, limit)))

    def bill(
        self, wallet: Wallet, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
    ) -> page_documents.Bill:
        """One's own bill of a `day` (YYYY-MM-DD) or a `month` (YYYY-MM), by default of the chain's present day."""
        return self._run(self._personal(wallet, calls.bill(wallet.account, day, month, portfolio)))

    def bill_table(
        self, wallet: Wallet, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
    ) -> str:
        """The same as comma-separated values."""
        return self._run(self._personal(wallet, calls.bill_table(wallet.account, day, month, portfolio)))

    def record_proof(
        self,
        wallet: Wallet,
        record: str = "account",
        client_id: bytes | None = None,
        interval: int | None = None,
        portfolio: bytes | None = None,
    ) -> documents.RecordProof:
        """Proof of one's own record (`proofs.check_record`)."""
        return self._run(
            self._personal(wallet, calls.record_proof(wallet.account, record, client_id, interval, portfolio))
        )

    def submit(self, wires: Sequence[bytes], *, acceptance: bool = False) -> list[documents.Submitted]:
        """Send signed transactions; an answer for each, in order. With `acceptance` those that the node took carry its
        signed promise (`proofs.check_acceptance`)."""
        return self._run(flows.submit(wires, acceptance))

    def send(self, wallet: Wallet, *messages: Message, lifetime_ms: int = LIFETIME_MS) -> SignedTransaction:
        """Sign and send one transaction; it is on the node's disk when this returns. Raises TransactionRejected."""
        return self._run(flows.send(self._memory, wallet, messages, lifetime_ms))

    def send_many(
        self, wallet: Wallet, groups: Sequence[Sequence[Message]], lifetime_ms: int = LIFETIME_MS
    ) -> list[Sent]:
        """One transaction for each group of messages, sent together; refusals stand in the answers."""
        return self._run(flows.send_many(self._memory, wallet, groups, lifetime_ms))

    def wait(self, transaction: SignedTransaction | bytes, seconds: float = WAIT_SECONDS) -> documents.TransactionView:
        """The transaction once it is in a block, whatever its code. Raises TransactionExpired, StillPending."""
        return self._run(flows.wait(*name_of(transaction), seconds, time.monotonic))

    def execute(self, wallet: Wallet, *messages: Message, seconds: float = WAIT_SECONDS) -> documents.TransactionView:
        """Send and wait. Raises TransactionRejected also when the ledger refused it in its block."""
        return self._run(flows.execute(self._memory, wallet, messages, LIFETIME_MS, seconds, time.monotonic))

    def _personal(self, wallet: Wallet, call: Call[T]) -> Flow[T]:
        return flows.personal(self._memory, wallet, call)

    def _run(self, flow: Flow[T]) -> T:
        """Do what the flow asks for, step by step."""
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except ClientError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Exchange | Pause) -> object:
        if isinstance(step, Pause):
            self._pause(step.seconds)
            return None
        try:
            response = self._http.request(**request_of(step))
        except httpx.TransportError as error:
            raise no_answer(self.url, error) from error
        return step.call.read(response.status_code, response.content)


def checked_address(url: str) -> str:
    """The address. Raises AddressInvalid unless it is one of HTTP, with a host."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressInvalid(f"{url} is no address of a gateway: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise AddressInvalid(f"{url} is no address of a gateway")
    return url


def request_of(exchange: Exchange) -> dict[str, Any]:
    """What to ask, as arguments of httpx."""
    call, headers = exchange.call, {"Content-Type": "application/json"}
    if exchange.token is not None:
        headers["Authorization"] = f"Bearer {exchange.token}"
    return {
        "method": call.method,
        "url": call.path,
        "params": call.parameters,
        "content": call.content,
        "headers": headers,
    }


def no_answer(url: str, error: httpx.TransportError) -> TransportError:
    """What httpx raised, in this package's words."""
    return TransportError(f"no answer from {url}: {str(error) or type(error).__name__}")


def name_of(transaction: SignedTransaction | bytes) -> tuple[bytes, int | None]:
    """(id, expiry if it is known)."""
    if isinstance(transaction, SignedTransaction):
        return transaction.id, transaction.expires_ms
    return transaction, None
