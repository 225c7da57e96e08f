"""What only an account's owner may ask: a challenge signed by its keys opens a short session.

The order of refusals is the same everywhere: no session, a session that has ended, somebody else's account; only then
is anything looked at. So a stranger learns nothing, not even whether an account exists.
"""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents, views
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.past import past_account
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, Limit, NoQuery, Number, gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.sessions import CHALLENGE_LIFETIME_MS, SESSION_LIFETIME_MS, Sessions
from gridtokenx.gateway.web import describe, private, read_body, read_hex, read_query
from gridtokenx.ledger.account import ACCOUNT_BYTES, ACCOUNTS
from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from gridtokenx.ledger.transaction import Auth
from gridtokenx.modules.market.messages import CLIENT_ID_BYTES
from gridtokenx.modules.market.state import ORDERS, POSITIONS, order_key, position_key
from gridtokenx.modules.settlement.state import STATEMENTS

PORTFOLIO_BYTES = 8
LOOKUPS_PER_PAGE_MAX = 4_000

NOT_SIGNED = (GatewayCode.CHALLENGE_INVALID, GatewayCode.CHALLENGE_NOT_SIGNED)

router = APIRouter()

Interval = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class OrdersQuery(documents.Request):
    """Open orders by client id, or those that are gone, newest last; after which client id."""

    state: Literal["open", "gone"] = "open"
    after: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16})?$")] = ""
    limit: Limit = 100


class PositionsQuery(documents.Request):
    """From which interval on."""

    start: Interval = 0
    limit: Limit = 300


class StatementsQuery(documents.Request):
    """After which interval; of one portfolio or of all one's own."""

    after: Number = 0
    limit: Limit = 300
    portfolio: documents.ShortName | None = None


class AccountQuery(documents.Request):
    """As it was after which block, on an archive; without it as it is."""

    height: Number | None = None


class RecordQuery(documents.Request):
    """Which record: `account`; `order` with `client_id`; `position` or `statement` with `interval` and `portfolio`."""

    record: Literal["account", "order", "position", "statement"] = "account"
    client_id: documents.ShortName | None = None
    interval: Interval | None = None
    portfolio: documents.ShortName | None = None


@router.post(
    "/v1/challenges",
    summary="Something to sign, to be let in",
    **describe(documents.ChallengeAnswer, body=documents.ChallengeRequest),
)
async def make_challenge(request: Request) -> Response:
    """Good once and for two minutes. Every account gets one, whether it exists or not."""
    read_query(request, NoQuery)
    wanted = await read_body(request, documents.ChallengeRequest)
    account = read_hex(wanted.account, ACCOUNT_BYTES, "account")
    challenge = gateway_of(request).sessions.challenge(account)
    return private(documents.ChallengeAnswer(challenge.hex(), CHALLENGE_LIFETIME_MS))


@router.post(
    "/v1/sessions",
    summary="Be let in with a signed challenge",
    **describe(documents.SessionAnswer, body=documents.SessionRequest, status=201, refuses=NOT_SIGNED),
)
async def open_session(request: Request) -> Response:
    """The signatures are those of a transaction, over `CHALLENGE_DOMAIN` and the challenge's bytes."""
    read_query(request, NoQuery)
    signed = await read_body(request, documents.SessionRequest)
    gateway = gateway_of(request)
    token, session = gateway.sessions.open(read_challenge(signed.challenge), read_auth(signed.auth))
    gateway.metrics.sessions.inc()
    return private(documents.SessionAnswer(token, session.account.hex(), SESSION_LIFETIME_MS), 201)


def read_challenge(text: str) -> bytes:
    """The bytes of a challenge. Refuses with `REQUEST_MALFORMED`."""
    return read_hex(text, len(text) // 2, "challenge")


def read_auth(document: documents.AuthDocument) -> Auth:
    """Keys and signatures. Refuses with `REQUEST_MALFORMED`."""
    keys = tuple(read_hex(key, PUBLIC_KEY_BYTES, "auth.keys") for key in document.keys)
    signatures = tuple(
        (index, read_hex(signature, SIGNATURE_BYTES, "auth.signatures")) for index, signature in document.signatures
    )
    return Auth(document.algorithm, document.threshold, keys, signatures)


def account_of_token(sessions: Sessions, authorization: str | None) -> bytes:
    """The account behind `Bearer ...`. Refuses with `SESSION_MISSING`, `SESSION_ENDED`."""
    kind, _, token = (authorization or "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Refused(GatewayCode.SESSION_MISSING, "authorization", "sign in: POST /v1/challenges, /v1/sessions")
    return sessions.find(token.strip()).account


def require_owner(request: Request) -> bytes:
    """The account in the path, if the session is its own. Refuses with `SESSION_MISSING`, `SESSION_ENDED`,
    `NOT_YOUR_ACCOUNT`."""
    own = account_of_token(gateway_of(request).sessions, request.headers.get("authorization"))
    if request.path_params["id"] != own.hex():
        raise Refused(GatewayCode.NOT_YOUR_ACCOUNT, "id", "this session is another account's")
    return own


@router.get(
    "/v1/accounts/{id}",
    summary="One's own account",
    **describe(
        documents.AccountView,
        query=AccountQuery,
        personal=True,
        refuses=(GatewayCode.HISTORY_MISSING, *NOT_FOUND),
    ),
)
async def get_account(request: Request) -> Response:
    """Balance, holds, nonces, portfolios; on an archive also as they were after any block. 404 for a block before the
    account was opened."""
    own = require_owner(request)
    query, model = read_query(request, AccountQuery), gateway_of(request).model
    if query.height is not None:
        return private(past_account(model, own, query.height))
    record = views.account_of(model, own)
    assert record is not None, "a session is of an account that exists"
    return private(views.account_view(model, own, record))


@router.get(
    "/v1/accounts/{id}/orders",
    summary="One's own orders",
    **describe(documents.Orders, query=OrdersQuery, personal=True),
)
async def get_orders(request: Request) -> Response:
    """Open ones come from state, block orders that wait among them; gone ones from memory, the newest of them only."""
    own = require_owner(request)
    query, model = read_query(request, OrdersQuery), gateway_of(request).model
    if query.state == "gone":
        traces = [item for item in model.memory.of_account(own) if model.find_open(order_key(own, item[0])) is None]
        shown = [views.traced_order_view(*item) for item in traces[-query.limit :]]
        return private(documents.Orders(model.head.height, shown, ""))
    after = order_key(own, read_hex(query.after, CLIENT_ID_BYTES, "after")) if query.after else own
    found = [(key, order) for key in model.open_of(own) if key > after and (order := model.find_open(key)) is not None]
    page = [views.open_order_view(model, *item) for item in found[: query.limit]]
    following = page[-1].client_id if len(found) > query.limit else ""
    return private(documents.Orders(model.head.height, page, following))


@router.get(
    "/v1/accounts/{id}/orders/{client_id}",
    summary="State of one's own order by its client id, also when it is gone",
    **describe(documents.OrderView, query=NoQuery, personal=True, refuses=NOT_FOUND),
)
async def get_order(request: Request) -> Response:
    """Known at once: an order that was accepted here is `pending` before any block has it. 404 for one that was never
    placed, or is gone longer than this gateway remembers."""
    own = require_owner(request)
    read_query(request, NoQuery)
    client_id = read_hex(request.path_params["client_id"], CLIENT_ID_BYTES, "client_id")
    view = views.order_view(gateway_of(request).model, order_key(own, client_id))
    if view is None:
        raise Refused(GatewayCode.NOT_FOUND, "client_id", "no such order, or one that is gone for long")
    return private(view)


@router.get(
    "/v1/accounts/{id}/positions",
    summary="What one's own portfolios traded, by interval",
    **describe(documents.Positions, query=PositionsQuery, personal=True),
)
async def get_positions(request: Request) -> Response:
    """Intervals that are not final yet."""
    own = require_owner(request)
    query, model = read_query(request, PositionsQuery), gateway_of(request).model
    portfolios = list(model.portfolios_of.get(own, ()))
    intervals = sorted(number for number in model.intervals if number >= query.start)
    found: list[documents.PositionView] = []
    lookups, following = 0, 0
    for number in intervals:
        if len(found) >= query.limit or lookups >= LOOKUPS_PER_PAGE_MAX:
            following = number
            break
        lookups += len(portfolios)
        views_here = [views.position_view(model, number, portfolio) for portfolio in portfolios]
        found += [view for view in views_here if view is not None]
    return private(documents.Positions(views.reader_head(model).height, found, following))


@router.get(
    "/v1/accounts/{id}/statements",
    summary="Results of settled intervals",
    **describe(documents.Statements, query=StatementsQuery, personal=True),
)
async def get_statements(request: Request) -> Response:
    """What state still holds, and what this gateway remembers of before."""
    own = require_owner(request)
    query, model = read_query(request, StatementsQuery), gateway_of(request).model
    portfolios = list(model.portfolios_of.get(own, ()))
    if query.portfolio is not None:
        portfolios = [own_portfolio(model, own, query.portfolio)]
    keys = sorted(
        (number, portfolio)
        for portfolio in portfolios
        for number in model.statements.of(portfolio)
        if number > query.after
    )
    page = whole_intervals(keys, query.limit)
    shown = [
        views.statement_view(
            number, portfolio, model.statements.of(portfolio)[number], model.statements.rebate_micro(number, portfolio)
        )
        for number, portfolio in page
    ]
    following = page[-1][0] if len(page) < len(keys) else 0
    return private(documents.Statements(model.head.height, model.statements.oldest, shown, following))


def whole_intervals(keys: list[tuple[int, bytes]], limit: int) -> list[tuple[int, bytes]]:
    """The first `limit` keys, and the rest of the interval in which they end: pages are cut between intervals."""
    end = min(limit, len(keys))
    while end < len(keys) and keys[end][0] == keys[end - 1][0]:
        end += 1
    return keys[:end]


@router.get(
    "/v1/accounts/{id}/proof",
    summary="Proof of one's own record under the app hash",
    **describe(documents.RecordProof, query=RecordQuery, personal=True),
)
async def get_record_proof(request: Request) -> Response:
    """Also of absence: that there is no such order, position or statement. The node makes it, between two blocks."""
    own = require_owner(request)
    query, gateway = read_query(request, RecordQuery), gateway_of(request)
    key = record_key(gateway.model, own, query)
    proven = await gateway.prove(key)
    claim = documents.StateClaim(
        proven.app_hash.hex(),
        key.hex(),
        None if proven.value is None else proven.value.hex(),
        documents.StateProof(proven.proof_items.hex(), [siblings.hex() for siblings in proven.proof_path]),
    )
    return private(documents.RecordProof(query.record, proven.height, claim))


def record_key(model: ReadModel, own: bytes, query: RecordQuery) -> bytes:
    """The record's key in the commitment."""
    if query.record == "account":
        return bytes([ACCOUNTS.prefix]) + own
    if query.record == "order":
        client_id = read_hex(query.client_id or "", CLIENT_ID_BYTES, "client_id")
        return bytes([ORDERS.prefix]) + order_key(own, client_id)
    portfolio = own_portfolio(model, own, query.portfolio or "")
    if query.interval is None:
        raise Refused(GatewayCode.REQUEST_MALFORMED, "interval", "the record of which interval?")
    prefix = POSITIONS.prefix if query.record == "position" else STATEMENTS.prefix
    return bytes([prefix]) + position_key(query.interval, portfolio)


def own_portfolio(model: ReadModel, own: bytes, text: str) -> bytes:
    """The portfolio that the text names, if it is the account's. Refuses with `REQUEST_MALFORMED`,
    `NOT_YOUR_ACCOUNT`."""
    portfolio = read_hex(text, PORTFOLIO_BYTES, "portfolio")
    if portfolio not in model.portfolios_of.get(own, ()):
        raise Refused(GatewayCode.NOT_YOUR_ACCOUNT, "portfolio", "this portfolio is not the account's")
    return portfolio
