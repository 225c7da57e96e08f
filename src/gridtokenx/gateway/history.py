"""What was: records as they were after any block, on a node that is an archive.

Anybody may ask for what anybody may see now: tables that belong to nobody. Whatever is somebody's is behind the same
session as its present form, and one sees of a portfolio only what was while it was one's own.
"""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.history import History, Version
from gridtokenx.gateway import documents, page_documents
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.past import history_of, is_owner, require_height
from gridtokenx.gateway.personal import PORTFOLIO_BYTES, RecordQuery, record_key, require_owner
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, Number, gateway_of
from gridtokenx.gateway.web import answer, describe, private, read_query
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.consensus import CONSENSUS
from gridtokenx.ledger.header import LAST_BLOCK
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.identity.state import FEEDERS, ROLES, ZONES
from gridtokenx.modules.market.state import (
    HOLIDAYS,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    POSITIONS,
    SKY,
    TERMS,
    TERMS_VERSION,
)
from gridtokenx.modules.settlement.state import STATEMENTS

VERSIONS_PAGE: Final = 100
VERSIONS_PAGE_MAX: Final = 1_000
KEY_DIGITS_MAX: Final = 256
NO_KEY: Final = "-"
"""In the place of the key of a table that has one record, under no key."""

PUBLIC: Final = frozenset(
    table.prefix
    for table in (
        *(LAST_BLOCK, NODES, VALIDATORS, CONSENSUS, ROLES, ZONES, FEEDERS),
        *(TERMS, TERMS_VERSION, INTERVALS, SKY, HOLIDAYS, MAKER_PROGRAMMES, MAKER_DUTIES),
    )
)
"""Tables that belong to nobody: how the market and its network are set up, and how makers keep what they promised."""

REFUSES: Final = (GatewayCode.HISTORY_MISSING, *NOT_FOUND)

_BY_NAME: Final = {table.name: table for table in CONSORTIUM.tables.values()}
_PORTFOLIO_TABLES: Final = frozenset({POSITIONS.prefix, STATEMENTS.prefix})

router = APIRouter()

Page = Annotated[int, msgspec.Meta(ge=1, le=VERSIONS_PAGE_MAX)]


class HeightQuery(documents.Request):
    """After which block; without it the last one."""

    height: Number | None = None


class VersionsQuery(documents.Request):
    """Written by blocks from which to which height, both included; without them all that is known."""

    first: Number | None = None
    last: Number | None = None
    limit: Page = VERSIONS_PAGE


class OwnVersionsQuery(RecordQuery):
    """Which record, as for its proof; written by blocks from which to which height."""

    first: Number | None = None
    last: Number | None = None
    limit: Page = VERSIONS_PAGE


@router.get(
    "/v1/history/{table}/{key}",
    summary="A public record as it was after a block",
    **describe(page_documents.PastRecord, query=HeightQuery, refuses=(*REFUSES, GatewayCode.RECORD_NOT_PUBLIC)),
)
async def get_past_record(request: Request) -> Response:
    """Of an archive only. There is no proof: the tree of an earlier block is not kept; the block's own transactions and
    receipts can be proved."""
    query, key = read_query(request, HeightQuery), _public_key(request)
    history = history_of(gateway_of(request).model)
    height = _height(history, query.height)
    version = history.at(key, height)
    return answer(
        page_documents.PastRecord(
            height,
            history.since,
            None if version is None or version.record is None else version.record.hex(),
            None if version is None else version.height,
        )
    )


@router.get(
    "/v1/history/{table}/{key}/versions",
    summary="All versions of a public record",
    **describe(page_documents.RecordVersions, query=VersionsQuery, refuses=(*REFUSES, GatewayCode.RECORD_NOT_PUBLIC)),
)
async def get_versions(request: Request) -> Response:
    """Oldest first; the first version that is known may be older than `since`, where history begins."""
    query, key = read_query(request, VersionsQuery), _public_key(request)
    history = history_of(gateway_of(request).model)
    return answer(_versions(history, key, query))


@router.get(
    "/v1/accounts/{id}/history",
    summary="All versions of one's own account, order, position or statement",
    **describe(page_documents.RecordVersions, query=OwnVersionsQuery, personal=True, refuses=REFUSES),
)
async def get_own_versions(request: Request) -> Response:
    """Of a position or a statement what was while the portfolio was one's own."""
    own = require_owner(request)
    query, model = read_query(request, OwnVersionsQuery), gateway_of(request).model
    key, history = record_key(model, own, query), history_of(model)
    shown = _versions(history, key, query)
    if key[0] in _PORTFOLIO_TABLES:
        portfolio = key[-PORTFOLIO_BYTES:]
        shown.versions = [one for one in shown.versions if is_owner(history, own, portfolio, one.height)]
    return private(shown)


def _height(history: History, height: int | None) -> int:
    return history.until if height is None else require_height(history, height)


def _public_key(request: Request) -> bytes:
    """The prefixed key in the path. Refuses with `NOT_FOUND` for a table that there is not, `RECORD_NOT_PUBLIC`,
    `REQUEST_MALFORMED`."""
    table = _BY_NAME.get(request.path_params["table"])
    if table is None:
        raise Refused(GatewayCode.NOT_FOUND, "table", f"there are: {', '.join(sorted(_BY_NAME))}")
    if table.prefix not in PUBLIC:
        raise Refused(GatewayCode.RECORD_NOT_PUBLIC, "table", f"{table.name} are somebody's: sign in for your own")
    text: str = request.path_params["key"]
    return bytes([table.prefix]) + (b"" if text == NO_KEY else _key_bytes(text))


def _key_bytes(text: str) -> bytes:
    try:
        if not 0 < len(text) <= KEY_DIGITS_MAX or text != bytes.fromhex(text).hex():
            raise ValueError
    except ValueError:
        detail = f"lower-case hexadecimal digits are expected, {KEY_DIGITS_MAX} at most, or {NO_KEY} for no key"
        raise Refused(GatewayCode.REQUEST_MALFORMED, "key", detail) from None
    return bytes.fromhex(text)


def _versions(history: History, key: bytes, query: VersionsQuery | OwnVersionsQuery) -> page_documents.RecordVersions:
    first = history.since if query.first is None else require_height(history, query.first)
    last = _height(history, query.last)
    found = history.versions(key, first, last, query.limit)
    following = found[-1].height + 1 if len(found) == query.limit else 0
    return page_documents.RecordVersions(
        history.since, history.until, [_version(one) for one in found], following if following <= last else 0
    )


def _version(version: Version) -> page_documents.RecordVersion:
    return page_documents.RecordVersion(version.height, None if version.record is None else version.record.hex())
