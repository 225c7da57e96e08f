"""The routes of a gateway as plain values: what to ask, and how to read the answer. No network here.

`Client` and `AsyncClient` are two ways of carrying these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from gridtokenx.client.errors import AnswerNotUnderstood, ApiError, NotAuthorised, NotFound, Unavailable
from gridtokenx.engine.comet.answers import CommitAnswer, ValidatorsAnswer
from gridtokenx.gateway import (
    authority_documents,
    coupled_documents,
    documents,
    maker_documents,
    page_documents,
    portfolio_documents,
)
from gridtokenx.ledger.transaction import Auth

T = TypeVar("T")

Parameter = str | int | None

PROXY_STATUS = frozenset((502, 503, 504))
"""With a page of its own a proxy says so that the gateway behind it is away."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. It may be repeated without harm, whatever became of the first; that holds for every call here."""

    method: str
    path: str
    answer: type[T]
    query: dict[str, Parameter] = field(default_factory=dict)
    body: documents.Request | None = None

    @property
    def content(self) -> bytes | None:
        """The body's bytes."""
        return None if self.body is None else msgspec.json.encode(self.body)

    @property
    def parameters(self) -> dict[str, str | int]:
        """What stands behind the question mark."""
        return {name: value for name, value in self.query.items() if value is not None}

    def read(self, status: int, content: bytes) -> T:
        """The answer. Raises ApiError (or one of its kinds) when it is a refusal, AnswerNotUnderstood for anything
        that this version of a gateway does not say."""
        # A gateway that is not ready answers its health with 503 and says why.
        if status < 400 or (status == 503 and self.answer is documents.HealthView):
            return _text(content) if self.answer is str else _decode(content, self.answer)  # type: ignore[return-value]
        try:
            problem = _decode(content, documents.Problem)
        except AnswerNotUnderstood:
            if status in PROXY_STATUS:
                raise Unavailable("a proxy answers: the gateway behind it does not", status=status) from None
            raise
        raise _error(status, problem)


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise AnswerNotUnderstood(f"no answer of a gateway: {error}") from None


def _text(content: bytes) -> str:
    """For the one answer that is no JSON: a table."""
    try:
        return content.decode()
    except UnicodeError as error:
        raise AnswerNotUnderstood(f"no answer of a gateway: {error}") from None


def _error(status: int, problem: documents.Problem) -> ApiError:
    kind = ApiError
    if status in {401, 403}:
        kind = NotAuthorised
    elif status == 404:
        kind = NotFound
    elif status == 429 or status >= 500:
        kind = Unavailable
    return kind(problem.detail, status=status, code=problem.code, name=problem.name, field=problem.field)


def status() -> Call[documents.StatusView]:
    """Where the chain is."""
    return Call("GET", "/v1/status", documents.StatusView)


def health() -> Call[documents.HealthView]:
    """Whether the gateway can do its work."""
    return Call("GET", "/health", documents.HealthView)


def codes() -> Call[documents.Codes]:
    """All codes and their names."""
    return Call("GET", "/v1/codes", documents.Codes)


def submit(transactions: Sequence[bytes], acceptance: bool = False) -> Call[documents.SubmissionAnswer]:
    """Signed transactions, some hundred at most; with `acceptance` the node's promise for each that it takes."""
    body = documents.Submission([wire.hex() for wire in transactions])
    query: dict[str, Parameter] = {"acceptance": "true" if acceptance else None}
    return Call("POST", "/v1/transactions", documents.SubmissionAnswer, query, body)


def consensus_commit(height: int) -> Call[CommitAnswer]:
    """A block's consensus header, and the votes that made it final."""
    return Call("GET", f"/v1/consensus/commits/{height}", CommitAnswer)


def consensus_validators(height: int) -> Call[ValidatorsAnswer]:
    """Who votes on a block, with which power."""
    return Call("GET", f"/v1/consensus/validators/{height}", ValidatorsAnswer)


def transaction(transaction_id: bytes, wait_ms: int = 0) -> Call[documents.TransactionView]:
    """State of a transaction."""
    path = f"/v1/transactions/{transaction_id.hex()}"
    return Call("GET", path, documents.TransactionView, {"wait_ms": wait_ms or None})


def receipt_proof(transaction_id: bytes) -> Call[documents.ReceiptProof]:
    """What shows a stranger what became of it."""
    return Call("GET", f"/v1/transactions/{transaction_id.hex()}/proof", documents.ReceiptProof)


def intervals(start: int | None = None, limit: int | None = None) -> Call[documents.Intervals]:
    """Delivery intervals that are open or not final yet."""
    return Call("GET", "/v1/intervals", documents.Intervals, {"start": start, "limit": limit})


def interval(number: int) -> Call[documents.IntervalView]:
    """One of them."""
    return Call("GET", f"/v1/intervals/{number}", documents.IntervalView)


def book(number: int, feeder: int | None = None, levels: int | None = None) -> Call[documents.BookView]:
    """Depth, with a feeder also by delivered price."""
    return Call("GET", f"/v1/intervals/{number}/book", documents.BookView, {"feeder": feeder, "levels": levels})


def interval_trades(number: int, after: int | None = None, limit: int | None = None) -> Call[documents.Trades]:
    """Trades of one interval."""
    return Call("GET", f"/v1/intervals/{number}/trades", documents.Trades, {"after": after, "limit": limit})


def auction(number: int) -> Call[documents.AuctionView]:
    """The auction of an interval: indicative in its call phase, final after it."""
    return Call("GET", f"/v1/auctions/{number}", documents.AuctionView)


def prices(number: int) -> Call[documents.PricesView]:
    """Reference prices of an interval, with their parts, bands and halts."""
    return Call("GET", f"/v1/prices/{number}", documents.PricesView)


def block_orders() -> Call[documents.BlockOrders]:
    """Block orders that wait."""
    return Call("GET", "/v1/block-orders", documents.BlockOrders)


def auction_history(number: int) -> Call[coupled_documents.CallHistory]:
    """How its indicative outcome changed in its call phase."""
    return Call("GET", f"/v1/auctions/{number}/history", coupled_documents.CallHistory)


def auction_curves(number: int, zone: int) -> Call[coupled_documents.CallCurves]:
    """Supply and demand of a zone in it."""
    return Call("GET", f"/v1/auctions/{number}/curves/{zone}", coupled_documents.CallCurves)


def network(number: int) -> Call[coupled_documents.NetworkView]:
    """Zones and borders of an interval: prices, flows, what is free."""
    return Call("GET", f"/v1/network/{number}", coupled_documents.NetworkView)


def zone_feeders(
    number: int, zone: int, after: int | None = None, limit: int | None = None
) -> Call[coupled_documents.ZoneFeeders]:
    """The feeders of a zone in an interval, with their links."""
    path = f"/v1/network/{number}/zones/{zone}"
    return Call("GET", path, coupled_documents.ZoneFeeders, {"after": after, "limit": limit})


def trades(after: int | None = None, limit: int | None = None) -> Call[documents.Trades]:
    """Trades of all intervals."""
    return Call("GET", "/v1/trades", documents.Trades, {"after": after, "limit": limit})


def blocks(before: int | None = None, limit: int | None = None) -> Call[documents.Blocks]:
    """Blocks, newest first."""
    return Call("GET", "/v1/blocks", documents.Blocks, {"before": before, "limit": limit})


def block(height: int) -> Call[documents.BlockView]:
    """One block."""
    return Call("GET", f"/v1/blocks/{height}", documents.BlockView)


def community(start: int | None = None, limit: int | None = None) -> Call[page_documents.Community]:
    """Settled intervals, summed over everybody."""
    return Call("GET", "/v1/community", page_documents.Community, {"start": start, "limit": limit})


def savings() -> Call[page_documents.Savings]:
    """What the market was worth to its homes."""
    return Call("GET", "/v1/community/savings", page_documents.Savings)


def terms() -> Call[page_documents.TermsInForce]:
    """The market's terms."""
    return Call("GET", "/v1/terms", page_documents.TermsInForce)


def places() -> Call[page_documents.Places]:
    """Zones and feeders."""
    return Call("GET", "/v1/places", page_documents.Places)


def search(text: str) -> Call[page_documents.SearchResults]:
    """What a text may mean."""
    return Call("GET", "/v1/search", page_documents.SearchResults, {"q": text})


def public_account(account: bytes) -> Call[page_documents.PublicAccount]:
    """What anybody may know of an account."""
    return Call("GET", f"/v1/explorer/accounts/{account.hex()}", page_documents.PublicAccount)


def authorities() -> Call[authority_documents.Authorities]:
    """Who runs the chain."""
    return Call("GET", "/v1/authorities", authority_documents.Authorities)


def authority(member: bytes) -> Call[authority_documents.MemberDetail]:
    """One member."""
    return Call("GET", f"/v1/authorities/{member.hex()}", authority_documents.MemberDetail)


def proposals(
    state: str | None = None, before: int | None = None, limit: int | None = None
) -> Call[authority_documents.Proposals]:
    """What members propose and decide; `open`, `decided`, or all."""
    query: dict[str, Parameter] = {"state": state, "before": before, "limit": limit}
    return Call("GET", "/v1/authorities/proposals", authority_documents.Proposals, query)


def availability(before: int | None = None, limit: int | None = None) -> Call[authority_documents.Availability]:
    """How the chain served, day by day."""
    return Call("GET", "/v1/availability", authority_documents.Availability, {"before": before, "limit": limit})


def faucet() -> Call[page_documents.FaucetView]:
    """Whether there is a faucet, and what it gives."""
    return Call("GET", "/v1/faucet", page_documents.FaucetView)


def join(signed: bytes, auth: Auth, profile: str) -> Call[page_documents.FaucetAnswer]:
    """Ask the faucet for an account of these keys, a site and play money."""
    body = page_documents.FaucetRequest(signed.hex(), _auth_document(auth), profile)
    return Call("POST", "/v1/faucet", page_documents.FaucetAnswer, body=body)


def challenge(account: bytes) -> Call[documents.ChallengeAnswer]:
    """A challenge for the account to sign."""
    body = documents.ChallengeRequest(account.hex())
    return Call("POST", "/v1/challenges", documents.ChallengeAnswer, body=body)


def session(signed: bytes, auth: Auth) -> Call[documents.SessionAnswer]:
    """A session for whoever signed this challenge."""
    body = documents.SessionRequest(signed.hex(), _auth_document(auth))
    return Call("POST", "/v1/sessions", documents.SessionAnswer, body=body)


def _auth_document(auth: Auth) -> documents.AuthDocument:
    return documents.AuthDocument(
        auth.algorithm,
        auth.threshold,
        [key.hex() for key in auth.keys],
        [(index, signature.hex()) for index, signature in auth.signatures],
    )


def account(own: bytes, height: int | None = None) -> Call[documents.AccountView]:
    """One's own account; of an archive also as it was after a block."""
    return Call("GET", f"/v1/accounts/{own.hex()}", documents.AccountView, {"height": height})


def own_versions(
    own: bytes,
    record: str = "account",
    client_id: bytes | None = None,
    interval: int | None = None,
    portfolio: bytes | None = None,
    first: int | None = None,
    last: int | None = None,
    limit: int | None = None,
) -> Call[page_documents.RecordVersions]:
    """Versions of one's own `account`, `order`, `position` or `statement` that blocks of these heights wrote."""
    query = _own_record(record, client_id, interval, portfolio) | {"first": first, "last": last, "limit": limit}
    return Call("GET", f"/v1/accounts/{own.hex()}/history", page_documents.RecordVersions, query)


def past_record(table: str, key: bytes, height: int | None = None) -> Call[page_documents.PastRecord]:
    """A public record as it was after a block; of an archive."""
    return Call("GET", _history(table, key), page_documents.PastRecord, {"height": height})


def versions(
    table: str, key: bytes, first: int | None = None, last: int | None = None, limit: int | None = None
) -> Call[page_documents.RecordVersions]:
    """Its versions that blocks of these heights wrote, both included."""
    query: dict[str, Parameter] = {"first": first, "last": last, "limit": limit}
    return Call("GET", f"{_history(table, key)}/versions", page_documents.RecordVersions, query)


def _history(table: str, key: bytes) -> str:
    return f"/v1/history/{table}/{key.hex() or '-'}"


def orders(own: bytes, state: str = "open", after: str = "", limit: int | None = None) -> Call[documents.Orders]:
    """One's own orders, `open` or `gone`."""
    query: dict[str, Any] = {"state": state, "after": after or None, "limit": limit}
    return Call("GET", f"/v1/accounts/{own.hex()}/orders", documents.Orders, query)


def order(own: bytes, client_id: bytes) -> Call[documents.OrderView]:
    """State of one's own order."""
    return Call("GET", f"/v1/accounts/{own.hex()}/orders/{client_id.hex()}", documents.OrderView)


def positions(own: bytes, start: int | None = None, limit: int | None = None) -> Call[documents.Positions]:
    """What one's own portfolios traded."""
    return Call("GET", f"/v1/accounts/{own.hex()}/positions", documents.Positions, {"start": start, "limit": limit})


def statements(
    own: bytes, after: int | None = None, limit: int | None = None, portfolio: bytes | None = None
) -> Call[documents.Statements]:
    """Results of settled intervals."""
    query: dict[str, Parameter] = {
        "after": after,
        "limit": limit,
        "portfolio": None if portfolio is None else portfolio.hex(),
    }
    return Call("GET", f"/v1/accounts/{own.hex()}/statements", documents.Statements, query)


def aggregators() -> Call[portfolio_documents.Aggregators]:
    """Portfolios that sites can join."""
    return Call("GET", "/v1/aggregators", portfolio_documents.Aggregators)


def portfolios(own: bytes) -> Call[portfolio_documents.OwnPortfolios]:
    """One's own portfolios, their members and memberships."""
    return Call("GET", f"/v1/accounts/{own.hex()}/portfolios", portfolio_documents.OwnPortfolios)


def splits(own: bytes, after: int | None = None, limit: int | None = None) -> Call[portfolio_documents.SplitsOfAccount]:
    """How results of portfolios with members were split."""
    query: dict[str, Parameter] = {"after": after, "limit": limit}
    return Call("GET", f"/v1/accounts/{own.hex()}/splits", portfolio_documents.SplitsOfAccount, query)


def makers() -> Call[maker_documents.Makers]:
    """Programmes for makers, and who keeps them."""
    return Call("GET", "/v1/makers", maker_documents.Makers)


def maker(portfolio: bytes) -> Call[maker_documents.MakerDuties]:
    """A maker's presence, interval by interval."""
    return Call("GET", f"/v1/makers/{portfolio.hex()}", maker_documents.MakerDuties)


def duties(own: bytes, after: int | None = None, limit: int | None = None) -> Call[maker_documents.OwnDuties]:
    """What is missing of one's own duties as a maker."""
    query: dict[str, Parameter] = {"after": after, "limit": limit}
    return Call("GET", f"/v1/accounts/{own.hex()}/duties", maker_documents.OwnDuties, query)


def bill(
    own: bytes, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
) -> Call[page_documents.Bill]:
    """One's own bill."""
    return Call("GET", f"/v1/accounts/{own.hex()}/bill", page_documents.Bill, _bill_query(day, month, portfolio))


def bill_table(
    own: bytes, day: str | None = None, month: str | None = None, portfolio: bytes | None = None
) -> Call[str]:
    """The same as comma-separated values."""
    return Call("GET", f"/v1/accounts/{own.hex()}/bill.csv", str, _bill_query(day, month, portfolio))


def _bill_query(day: str | None, month: str | None, portfolio: bytes | None) -> dict[str, Parameter]:
    return {"day": day, "month": month, "portfolio": None if portfolio is None else portfolio.hex()}


def record_proof(
    own: bytes,
    record: str = "account",
    client_id: bytes | None = None,
    interval: int | None = None,
    portfolio: bytes | None = None,
) -> Call[documents.RecordProof]:
    """Proof of one's own `account`, `order`, `position` or `statement`."""
    query = _own_record(record, client_id, interval, portfolio)
    return Call("GET", f"/v1/accounts/{own.hex()}/proof", documents.RecordProof, query)


def _own_record(
    record: str, client_id: bytes | None, interval: int | None, portfolio: bytes | None
) -> dict[str, Parameter]:
    return {
        "record": record,
        "client_id": None if client_id is None else client_id.hex(),
        "interval": interval,
        "portfolio": None if portfolio is None else portfolio.hex(),
    }
