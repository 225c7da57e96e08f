"""What codes mean: all of them, and what the `type` of a problem leads to."""

from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import CodeLine, Codes
from gridtokenx.gateway.problems import TYPE_PREFIX, Refused
from gridtokenx.gateway.public import NOT_FOUND, NoQuery
from gridtokenx.gateway.sentences import sentence
from gridtokenx.gateway.web import answer, describe, read_query

router = APIRouter()


@cache
def all_codes() -> dict[int, str]:
    """The name of each code of the ledger and of the gateway, rising."""
    names = CONSORTIUM.codes | {int(code): code.name for code in GatewayCode}
    return dict(sorted(names.items()))


@router.get("/v1/codes", summary="All codes, and what they mean", **describe(Codes, query=NoQuery))
async def get_codes(request: Request) -> Response:
    """The ledger's and the gateway's, with a sentence in English and in Thai."""
    read_query(request, NoQuery)
    return answer(Codes([_line(code, name) for code, name in all_codes().items()]))


@router.get(
    TYPE_PREFIX + "{name}", summary="What a problem is about", **describe(Codes, query=NoQuery, refuses=NOT_FOUND)
)
async def get_problem(request: Request) -> Response:
    """Where the `type` of a problem leads: the codes of this name, of which there is mostly one."""
    read_query(request, NoQuery)
    wanted = request.path_params["name"]
    lines = [_line(code, name) for code, name in all_codes().items() if name == wanted]
    if not lines:
        raise Refused(GatewayCode.NOT_FOUND, "name", "there is no problem of this name")
    return answer(Codes(lines))


def _line(code: int, name: str) -> CodeLine:
    return CodeLine(code, name, sentence(name, "en"), sentence(name, "th"))
