"""What a light client needs to follow the chain without a node: commits and validators, as CometBFT gives them.

CometBFT's own API listens for its node alone. These routes pass on the two answers that outsiders need, in CometBFT's
form; nothing in them has to be believed (`docs/light-client.md`).
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.engine.comet.answers import CommitAnswer, ValidatorsAnswer
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.public import NOT_FOUND, NoQuery, gateway_of
from gridtokenx.gateway.web import answer, describe, read_number, read_query

REFUSES = (*NOT_FOUND, GatewayCode.NO_CONSENSUS)

router = APIRouter()


@router.get(
    "/v1/consensus/commits/{height}",
    summary="A block's consensus header, and the votes that made it final",
    **describe(CommitAnswer, query=NoQuery, refuses=REFUSES),
)
async def get_commit(request: Request) -> Response:
    """The app hash in it is that of the block before: what block H did is proved by header H + 1."""
    read_query(request, NoQuery)
    height = read_number(request, "height")
    return answer(await gateway_of(request).ask_consensus(lambda rpc: rpc.commit(height)))


@router.get(
    "/v1/consensus/validators/{height}",
    summary="Who votes on a block, with which power",
    **describe(ValidatorsAnswer, query=NoQuery, refuses=REFUSES),
)
async def get_validators(request: Request) -> Response:
    """All of them, in CometBFT's order, which is that of the votes."""
    read_query(request, NoQuery)
    height = read_number(request, "height")
    return answer(await gateway_of(request).ask_consensus(lambda rpc: rpc.validators(height)))
