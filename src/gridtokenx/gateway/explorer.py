"""The explorer: what a text may mean, and what anybody may know of an account."""

import re
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents, page_documents, views
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.local_time import read_moment
from gridtokenx.gateway.page_documents import PublicAccount, SearchHit
from gridtokenx.gateway.public import NoQuery, gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import answer, describe, read_hex, read_query
from gridtokenx.ledger.account import ACCOUNT_BYTES
from gridtokenx.ledger.crypto import HASH_BYTES
from gridtokenx.ledger.quantities import interval_of, interval_start_ms
from gridtokenx.modules.identity.messages import Kyc, Licence, RoleName
from gridtokenx.modules.identity.state import PARTICIPANTS, ROLES
from gridtokenx.modules.market import calendar
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY

TEXT_CHARACTERS_MAX = 100

router = APIRouter()

_NUMBER = re.compile(r"#?([0-9]{1,15})")
_HASH = re.compile(rf"(?:0x)?([0-9a-f]{{{2 * HASH_BYTES}}})")


class SearchQuery(documents.Request):
    """A text as somebody typed it."""

    q: Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)]


@router.get("/v1/search", summary="What a text may mean", **describe(page_documents.SearchResults, query=SearchQuery))
async def search(request: Request) -> Response:
    """A block's height or hash, the id of a transaction or an account, an interval by number or by local time. Block
    hashes are found as far as this gateway's memory reaches. A text that means nothing finds nothing."""
    query, gateway = read_query(request, SearchQuery), gateway_of(request)
    text = " ".join(query.q.lower().split())
    hits: list[SearchHit] = []
    if (number := _NUMBER.fullmatch(text)) is not None:
        hits += _numbered(gateway, int(number[1]))
    elif (found := _HASH.fullmatch(text)) is not None:
        hits += _named(gateway, found[1])
    else:
        model = gateway.model
        moment = read_moment(text, calendar.day_of(interval_of(model.head.time_ms)))
        if moment is not None and _is_interval(model, moment):
            hits.append(_interval_hit(moment))
    return answer(page_documents.SearchResults(hits))


@router.get(
    "/v1/explorer/accounts/{id}",
    summary="What anybody may know of an account",
    **describe(PublicAccount, query=NoQuery),
)
async def get_public_account(request: Request) -> Response:
    """No balance, no portfolio, no name. An account that does not exist is no error: `exists` says so."""
    read_query(request, NoQuery)
    account_id = read_hex(request.path_params["id"], ACCOUNT_BYTES, "id")
    return answer(_public_account(gateway_of(request).model, account_id))


def _numbered(gateway: Gateway, number: int) -> list[SearchHit]:
    hits = []
    if (line := gateway.block_line(number) if 1 <= number <= gateway.model.head.height else None) is not None:
        hits.append(SearchHit("block", str(number), number, line.time_ms))
    if _is_interval(gateway.model, number):
        hits.append(_interval_hit(number))
    return hits


def _named(gateway: Gateway, name: str) -> list[SearchHit]:
    model, hits = gateway.model, []
    height = model.heights.get(name)
    if height is not None and (line := gateway.block_line(height)) is not None:
        hits.append(SearchHit("block", str(height), height, line.time_ms))
    place = model.reader.place_of(bytes.fromhex(name))
    if place is not None:
        hits.append(SearchHit("transaction", name, place.height, None))
    if views.account_of(model, bytes.fromhex(name)) is not None:
        hits.append(SearchHit("account", name, None, None))
    return hits


def _is_interval(model: ReadModel, number: int) -> bool:
    """Whether there is something to show of it."""
    return number in model.intervals or number in model.community.intervals


def _interval_hit(number: int) -> SearchHit:
    return SearchHit("interval", str(number), None, interval_start_ms(number))


def _public_account(model: ReadModel, account_id: bytes) -> PublicAccount:
    account, head = views.account_of(model, account_id), views.reader_head(model)
    view = PublicAccount(account_id.hex(), account is not None, head.height)
    if account is None:
        return view
    view.participant = account.participant.hex()
    view.keys_hash = account.keys_hash.hex()
    view.nonce_highest = account.nonce_highest
    view.roles = _roles(model, account_id)
    record = model.reader.record(bytes([PARTICIPANTS.prefix]) + account.participant)
    if record is not None:
        participant = PARTICIPANTS.decode.trusted(record)
        view.licence = Licence(participant.licence).name.lower()
        view.kyc = Kyc(participant.kyc).name.lower()
        view.trades = participant.trades_until_ms() > head.time_ms
    return view


def _roles(model: ReadModel, account_id: bytes) -> list[str]:
    """Offices of the account, in the order in which they are numbered, then those that other records name."""
    reader = model.reader
    rows = list(reader.scan(bytes([ROLES.prefix])))
    roles = [RoleName(key[1]).name.lower() for key, value in rows if ROLES.decode.trusted(value).account == account_id]
    record = reader.record(bytes([MONEY.prefix]) + MONEY_KEY)
    if record is not None:
        money = MONEY.decode.trusted(record)
        holders = (("bank", money.bank), ("attester", money.attester))
        roles += [name for name, holder in holders if holder == account_id]
    if any(zone.distributor == account_id for zone in model.zones.values()):
        roles.append("distributor")
    return roles
