"""The way in for transactions, and what became of them. Who knows an id may ask for it: ids tell nothing."""

import asyncio
from base64 import b64decode
from binascii import unhexlify
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.gateway import documents, views
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.core import BLOCK_SECONDS_MAX, Gateway
from gridtokenx.gateway.facts import PLACEMENTS
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, NoQuery, entrance_of, gateway_of
from gridtokenx.gateway.web import SUBMISSION_BYTES_MAX, answer, describe, read_body, read_hex, read_query
from gridtokenx.ledger.crypto import HASH_BYTES
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.limits import TRANSACTION_BYTES_MAX
from gridtokenx.ledger.transaction import decode_envelope
from gridtokenx.modules.market.state import order_key

WAIT_MS_MAX = 30_000

router = APIRouter()


class SubmissionQuery(documents.Request):
    """Whether the node's promise is wanted for each transaction that it takes."""

    acceptance: bool = False


class TransactionQuery(documents.Request):
    """How long to wait for the block."""

    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=WAIT_MS_MAX)] = 0


@router.post(
    "/v1/transactions",
    summary="Submit signed transactions, one or hundreds",
    **describe(
        documents.SubmissionAnswer,
        query=SubmissionQuery,
        body=documents.Submission,
        status=202,
        refuses=(GatewayCode.READ_ONLY,),
    ),
)
async def submit(request: Request) -> Response:
    """An answer for each, in order. What is `pending` is on the node's disk; sending the same again is harmless. With
    `acceptance` it carries the node's signed promise."""
    query = read_query(request, SubmissionQuery)
    gateway = gateway_of(request)
    gateway.require_intake()
    submission = await read_body(request, documents.Submission, SUBMISSION_BYTES_MAX)
    texts = submission.transactions
    entrance_of(request).require_submissions(request.scope, len(texts))
    answers: list[documents.Submitted | None] = [None] * len(texts)
    wires: dict[int, bytes] = {}
    for place, text in enumerate(texts):
        try:
            wires[place] = read_bytes(text)
        except Refused as refused:
            answers[place] = _submitted("", Standing.REFUSED, refused.problem(), place)
    if wires:
        said = await gateway.submit(list(wires.values()), acceptance=query.acceptance)
        for (place, wire), one in zip(wires.items(), said, strict=True):
            answers[place] = _answer_view(one, place)
            if one.standing is Standing.PENDING:
                _expect(gateway, wire, one.transaction_id)
    views_of_all = [view for view in answers if view is not None]
    for view in views_of_all:
        gateway.metrics.transactions.labels(view.state).inc()
    return answer(documents.SubmissionAnswer(views_of_all), 202)


def read_bytes(text: str) -> bytes:
    """The bytes in hexadecimal or base64 text. Refuses with `REQUEST_MALFORMED`."""
    if len(text) > 2 * TRANSACTION_BYTES_MAX:
        raise Refused(GatewayCode.BODY_TOO_LARGE, "", f"a transaction has at most {TRANSACTION_BYTES_MAX} bytes")
    for decode in (unhexlify, _unbase64):
        try:
            return decode(text)
        except ValueError:
            continue
    raise Refused(GatewayCode.REQUEST_MALFORMED, "", "neither hexadecimal nor base64")


def _unbase64(text: str) -> bytes:
    return b64decode(text, validate=True)


def _submitted(transaction_id: str, standing: Standing, problem: documents.Problem, place: int) -> documents.Submitted:
    field = f"transactions[{place}]"
    return documents.Submitted(
        transaction_id,
        standing.name.lower(),
        problem.code,
        problem.name,
        f"{field}.{problem.field}" if problem.field else field,
    )


def _answer_view(one: Answer, place: int) -> documents.Submitted:
    state = one.standing.name.lower()
    if one.standing is Standing.BUSY:
        code, name = int(GatewayCode.TOO_MANY), GatewayCode.TOO_MANY.name
    else:
        code, name = one.code, views.code_name(one.code)
    if code == KernelCode.OK:
        acceptance = None if one.acceptance is None else views.acceptance_view(one.acceptance)
        return documents.Submitted(one.transaction_id.hex(), state, code, name, "", acceptance)
    problem = documents.Problem(code, name, one.field, "")
    return _submitted(one.transaction_id.hex(), one.standing, problem, place)


def _expect(gateway: Gateway, wire: bytes, transaction_id: bytes) -> None:
    """Remember the orders of a transaction that was accepted: their owner may ask for them before its block."""
    body = CONSORTIUM.body.trusted(decode_envelope.trusted(wire).body)
    placements = [
        (order_key(body.sender, message.client_id), message)
        for message in body.messages
        if isinstance(message, PLACEMENTS)
    ]
    gateway.model.memory.expect(placements, transaction_id, body.expires_ms)


@router.get(
    "/v1/transactions/{id}",
    summary="State of a transaction",
    **describe(documents.TransactionView, query=TransactionQuery),
)
async def get_transaction(request: Request) -> Response:
    """With `wait_ms` the answer comes when the transaction is in a block or has expired, or after that time."""
    query, gateway = read_query(request, TransactionQuery), gateway_of(request)
    transaction_id = read_hex(request.path_params["id"], HASH_BYTES, "id")
    deadline = asyncio.get_running_loop().time() + query.wait_ms / 1_000
    while True:
        view = await _look_up(gateway, transaction_id)
        left = deadline - asyncio.get_running_loop().time()
        if view.state in {"committed", "expired"} or left <= 0:
            return answer(view)
        await gateway.next_block(left)


async def _look_up(gateway: Gateway, transaction_id: bytes) -> documents.TransactionView:
    view = _stored_view(gateway, transaction_id)
    if view is not None:
        return view
    standing = (await gateway.standing(transaction_id)).standing
    if standing in {Standing.COMMITTED, Standing.EXPIRED}:
        await gateway.next_block(BLOCK_SECONDS_MAX)  # the node is a block ahead
        view = _stored_view(gateway, transaction_id)
        if view is not None:
            return view
    return documents.TransactionView(transaction_id.hex(), standing.name.lower())


def _stored_view(gateway: Gateway, transaction_id: bytes) -> documents.TransactionView | None:
    reader = gateway.model.reader
    place = reader.place_of(transaction_id)
    if place is None:
        return None
    if place.expired:
        return documents.TransactionView(transaction_id.hex(), "expired", height=place.height)
    stored, results = reader.block(place.height), reader.results(place.height)
    if stored is None or results is None:
        name = views.code_name(place.code)
        return documents.TransactionView(transaction_id.hex(), "committed", place.code, name, height=place.height)
    return views.transaction_view(transaction_id, place, stored, results)


@router.get(
    "/v1/transactions/{id}/proof",
    summary="What shows a stranger what became of a transaction",
    **describe(documents.ReceiptProof, query=NoQuery, refuses=NOT_FOUND),
)
async def get_receipt_proof(request: Request) -> Response:
    """404 while it is in no block, and when its batch was refused as a whole: then there is no receipt."""
    read_query(request, NoQuery)
    reader = gateway_of(request).model.reader
    transaction_id = read_hex(request.path_params["id"], HASH_BYTES, "id")
    place = reader.place_of(transaction_id)
    results = None if place is None or place.expired else reader.results(place.height)
    if place is None or results is None or not results.batches[place.batch].receipts:
        raise Refused(GatewayCode.NOT_FOUND, "id", "there is no receipt of this transaction")
    return answer(views.receipt_proof(transaction_id, place, results))
