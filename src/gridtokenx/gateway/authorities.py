"""What anybody may ask about those who run the chain: members, proposals, powers, and how the chain served."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import authority_documents, authority_views, documents
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, NoQuery, Number, gateway_of
from gridtokenx.gateway.web import answer, describe, read_hex, read_query
from gridtokenx.ledger.batch import NODE_ID_BYTES
from gridtokenx.modules.authority.state import MEMBERS

PAGE_MAX = 100
DAYS_MAX = 400
"""As many as the chain remembers."""
DAYS_SHOWN = 30

router = APIRouter()


class ProposalsQuery(documents.Request):
    """Those that are `open`, or `decided`, or all; before which number, without it the newest."""

    state: Literal["open", "decided"] | None = None
    before: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_MAX


class AvailabilityQuery(documents.Request):
    """Before which day (counted from the epoch, UTC), without it the newest; how many."""

    before: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] = DAYS_SHOWN


@router.get(
    "/v1/authorities",
    summary="Who runs the chain: members, terms, powers, validators",
    **describe(authority_documents.Authorities, query=NoQuery),
)
async def get_authorities(request: Request) -> Response:
    """Two hundred members at most, so all of them. Without a consortium: nodes and validators alone."""
    read_query(request, NoQuery)
    return answer(authority_views.authorities_view(gateway_of(request).model))


@router.get(
    "/v1/authorities/proposals",
    summary="What members propose and decide, with their votes",
    **describe(authority_documents.Proposals, query=ProposalsQuery),
)
async def get_proposals(request: Request) -> Response:
    """Newest first. Decided ones are kept for ninety days."""
    query, model = read_query(request, ProposalsQuery), gateway_of(request).model
    is_open = None if query.state is None else query.state == "open"
    page = authority_views.proposals_page(model, is_open=is_open, before=query.before, limit=query.limit)
    return answer(page)


@router.get(
    "/v1/authorities/{member}",
    summary="One member, with its documents and what is proved against it",
    **describe(authority_documents.MemberDetail, query=NoQuery, refuses=NOT_FOUND),
)
async def get_member(request: Request) -> Response:
    """404 for one that never applied, or has left and was forgotten."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    key = read_hex(request.path_params["member"], NODE_ID_BYTES, "member")
    member = model.authority.get(MEMBERS, key)
    if member is None:
        raise Refused(GatewayCode.NOT_FOUND, "member", "there is no such member")
    return answer(authority_views.member_detail(model, key, member))


@router.get(
    "/v1/availability",
    summary="How the chain served, day by day, against its goal",
    **describe(authority_documents.Availability, query=AvailabilityQuery),
)
async def get_availability(request: Request) -> Response:
    """From the times and rounds of the blocks themselves; nobody has to be believed."""
    query = read_query(request, AvailabilityQuery)
    return answer(authority_views.availability_page(gateway_of(request).model, query.before, query.limit))
