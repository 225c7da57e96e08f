"""The way to a development market's faucet, which gives visitors an account, a small site and play money.

The faucet is another process, with the keys of a development market; this gateway has none. It listens at a socket in
the market's own folder. One connection carries one question and one answer, each a line of JSON.
"""

import asyncio
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.engine.folder import socket_address
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.page_documents import FaucetAnswer, FaucetRequest, FaucetView
from gridtokenx.gateway.personal import NOT_SIGNED, read_auth, read_challenge
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, NoQuery, gateway_of
from gridtokenx.gateway.web import answer, describe, private, read_body, read_query

LINE_BYTES_MAX = 16_384
ANSWER_SECONDS_MAX = 10.0

NO_FAUCET = "This market has no faucet: accounts are opened by its registrar."

REFUSES = (
    *NOT_SIGNED,
    *NOT_FOUND,
    GatewayCode.FAUCET_CLOSED,
    GatewayCode.FAUCET_UNREACHABLE,
    GatewayCode.READ_ONLY,
)

router = APIRouter()


class FaucetQuestion(msgspec.Struct):
    """What a gateway asks: how the faucet stands, or (with keys that somebody has shown to own) for an account."""

    kind: Literal["view", "join"]
    algorithm: int = 0
    threshold: int = 1
    keys: list[str] = msgspec.field(default_factory=list)
    profile: str = ""


class FaucetReply(msgspec.Struct, omit_defaults=True):
    """One of three. A refusal is a code of the gateway's with its sentence."""

    view: FaucetView | None = None
    joined: FaucetAnswer | None = None
    code: GatewayCode | None = None
    field: str = ""
    detail: str = ""


@router.get(
    "/v1/faucet",
    summary="Whether there is a faucet, and what it gives",
    **describe(FaucetView, query=NoQuery, refuses=(GatewayCode.FAUCET_UNREACHABLE,)),
)
async def get_faucet(request: Request) -> Response:
    """Only a development market has one: everybody can derive its keys, and its money buys nothing."""
    read_query(request, NoQuery)
    faucet = gateway_of(request).faucet
    if faucet is None:
        return answer(FaucetView(exists=False, open=False, sentence=NO_FAUCET))
    reply = await _ask(faucet, FaucetQuestion("view"))
    if reply.view is None:
        raise _unreachable()
    return answer(reply.view)


@router.post(
    "/v1/faucet",
    summary="An account, a small site and play money for one's own keys",
    **describe(FaucetAnswer, body=FaucetRequest, status=202, refuses=REFUSES),
)
async def join(request: Request) -> Response:
    """For whoever shows that the keys are at hand, by signing a challenge for the account that they open. The same keys
    get the same answer again. 404 where there is no faucet."""
    read_query(request, NoQuery)
    gateway = gateway_of(request)
    gateway.require_intake()
    wanted = await read_body(request, FaucetRequest)
    if gateway.faucet is None:
        raise Refused(GatewayCode.NOT_FOUND, "path", "this market has no faucet")
    auth = read_auth(wanted.auth)
    gateway.sessions.admit_newcomer(read_challenge(wanted.challenge), auth)
    keys = [key.hex() for key in auth.keys]
    question = FaucetQuestion("join", auth.algorithm, auth.threshold, keys, wanted.profile)
    reply = await _ask(gateway.faucet, question)
    if reply.joined is None:
        raise _unreachable()
    return private(reply.joined, 202)


async def _ask(faucet: Path, question: FaucetQuestion) -> FaucetReply:
    """Refuses with what the faucet refuses, and with `FAUCET_UNREACHABLE`."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            reader, writer = await asyncio.open_unix_connection(_address(faucet), limit=LINE_BYTES_MAX)
            try:
                writer.write(msgspec.json.encode(question) + b"\n")
                reply = msgspec.json.decode(await reader.readline(), type=FaucetReply)
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        raise _unreachable() from error
    if reply.code is not None:
        raise Refused(reply.code, reply.field, reply.detail)
    return reply


def _unreachable() -> Refused:
    detail = "the faucet does not answer: asking again with the same keys is harmless"
    return Refused(GatewayCode.FAUCET_UNREACHABLE, "", detail)


@cache
def _address(faucet: Path) -> str:
    """Found once: for a long path it keeps a folder open."""
    return socket_address(faucet)
