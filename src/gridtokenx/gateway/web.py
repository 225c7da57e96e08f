"""Reading requests and writing answers: strict, bounded, and with one shape of error.

Every route is a plain function of the request. FastAPI documents them, msgspec reads and writes JSON: a body or a
parameter that is not exactly what the route takes is refused by name, and nothing that comes from outside can raise
anything but `Refused`.
"""

import asyncio
import re
from functools import cache
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from fastapi.responses import Response
from msgspec import inspect
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from gridtokenx.engine.comet.answers import Answer
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Document
from gridtokenx.gateway.documents import Request as RequestDocument
from gridtokenx.gateway.entrance import values_of
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.sentences import language_for

BODY_BYTES_MAX = 65_536
SUBMISSION_BYTES_MAX = 4_194_304
"""Some hundred transactions of full size, thousands of usual ones."""
BODY_SECONDS_MAX = 15.0
"""From the head of a request to the end of its body: four megabytes over a slow line."""
FIELD_CHARACTERS_MAX = 120
"""A refusal repeats at most so much of what it refuses."""

Q = TypeVar("Q", bound=RequestDocument)

_NUMBER = re.compile(r"[0-9]{1,15}")
_JSON = re.compile(r"application/json *(;.*)?", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def answer(document: Document | Answer, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The document as JSON."""
    return Response(_encode(document), status, headers, "application/json")


def private(document: Document, status: int = 200) -> Response:
    """An answer that nobody between may keep."""
    return answer(document, status, {"Cache-Control": "no-store"})


def refusal(refused: Refused, scope: Scope, instance: str | msgspec.UnsetType = msgspec.UNSET) -> Response:
    """The problem as JSON in the language that the request prefers, with the headers that belong to its status.
    `instance` names this occurrence."""
    language = language_for(",".join(values_of(scope, b"accept-language")))
    headers = {"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.status in {429, 503}:
        headers["Retry-After"] = str(refused.retry_s)
    problem = refused.problem(language)
    problem.instance = instance
    return Response(_encode(problem), refused.status, headers, "application/problem+json")


async def read_body(request: Request, kind: type[Q], bytes_max: int = BODY_BYTES_MAX) -> Q:
    """The body, of at most `bytes_max`. Refuses with `MEDIA_TYPE_UNKNOWN` (JSON is what is taken for granted),
    `BODY_TOO_LARGE`, `BODY_TOO_SLOW`, `REQUEST_MALFORMED` naming the place."""
    media_type = request.headers.get("content-type", "application/json")
    if _JSON.fullmatch(media_type) is None:
        raise Refused(GatewayCode.MEDIA_TYPE_UNKNOWN, "content-type", "application/json is expected")
    length = request.headers.get("content-length", "0")
    if _NUMBER.fullmatch(length) is None or int(length) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for piece in request.stream():
                body += piece
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError:
        detail = f"a body has to arrive within {BODY_SECONDS_MAX:g} seconds"
        raise Refused(GatewayCode.BODY_TOO_SLOW, "body", detail) from None
    except ClientDisconnect:
        raise Refused(GatewayCode.REQUEST_MALFORMED, "body", "the request ended before its body") from None
    return read_json(bytes(body), kind)


def read_json(data: bytes | str, kind: type[Q]) -> Q:
    """The document in these bytes. Refuses with `REQUEST_MALFORMED` naming the place."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _malformed(error) from None


def read_query(request: Request, kind: type[Q]) -> Q:
    """What stands behind the question mark. Refuses with `REQUEST_MALFORMED`: unknown names, and names given twice."""
    items = request.query_params.multi_items()
    parameters = dict(items)
    if len(parameters) != len(items):
        raise Refused(GatewayCode.REQUEST_MALFORMED, "query", "a parameter is given twice")
    try:
        query = msgspec.convert(parameters, kind, strict=False)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise _malformed(error) from None
    for name in _whole_numbers(kind) & parameters.keys():
        if re.fullmatch("[0-9]+", parameters[name]) is None:
            raise Refused(GatewayCode.REQUEST_MALFORMED, name, "a whole number is written in digits alone")
    return query


@cache
def _whole_numbers(kind: type[RequestDocument]) -> frozenset[str]:
    """The parameters that are whole numbers: msgspec alone would take `1.0` and `1e3` for such."""
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)
    types = {field.encode_name: getattr(field.type, "types", (field.type,)) for field in struct.fields}
    return frozenset(name for name, kinds in types.items() if any(isinstance(each, inspect.IntType) for each in kinds))


def read_number(request: Request, name: str) -> int:
    """A whole number in the path. Refuses with `REQUEST_MALFORMED`."""
    text: str = request.path_params[name]
    if _NUMBER.fullmatch(text) is None:
        raise Refused(GatewayCode.REQUEST_MALFORMED, name, "a whole number of at most 15 digits is expected")
    return int(text)


def read_hex(text: str, size: int, name: str) -> bytes:
    """`size` bytes in hexadecimal. Refuses with `REQUEST_MALFORMED`."""
    if len(text) != 2 * size or re.fullmatch("[0-9a-f]*", text) is None:
        raise Refused(GatewayCode.REQUEST_MALFORMED, name, f"{2 * size} lower-case hexadecimal digits are expected")
    return bytes.fromhex(text)


def _malformed(error: Exception) -> Refused:
    """The place is what msgspec names at the end of its message: ``... - at `$.transactions[3]` ``."""
    text = str(error)
    field = text.rsplit("`", 2)[1].removeprefix("$").removeprefix(".") if text.endswith("`") else ""
    sentence = text.split(" - at `", maxsplit=1)[0]
    return Refused(GatewayCode.REQUEST_MALFORMED, field[:FIELD_CHARACTERS_MAX], sentence[: 2 * FIELD_CHARACTERS_MAX])


def _too_large(bytes_max: int) -> Refused:
    return Refused(GatewayCode.BODY_TOO_LARGE, "body", f"at most {bytes_max} bytes are taken")


def describe(
    answer_kind: type[Document] | type[Answer],
    *,
    query: type[RequestDocument] | None = None,
    body: type[RequestDocument] | None = None,
    status: int = 200,
    personal: bool = False,
    refuses: tuple[GatewayCode, ...] = (),
    also: dict[int, type[Document]] | None = None,
) -> dict[str, Any]:
    """What FastAPI writes into the OpenAPI document about a route, as keyword arguments of its decorator. `refuses`:
    codes beyond those that follow from the rest (`openapi`). `also`: further answers that are no refusals."""
    extra: dict[str, Any] = {"x-refusals": [code.name for code in refuses]}
    if query is not None:
        extra["parameters"] = _parameters(query)
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(body)}}}
    if personal:
        extra["security"] = [{"session": []}]
    responses: dict[int | str, dict[str, Any]] = {
        number: {
            "description": (kind.__doc__ or "").split("\n", maxsplit=1)[0],
            "content": {"application/json": {"schema": _reference(kind)}},
        }
        for number, kind in {status: answer_kind, **(also or {})}.items()
    }
    return {"openapi_extra": extra, "responses": responses, "status_code": status, "response_class": Response}


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _parameters(query: type[RequestDocument]) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(query)
    properties = schema["$defs"][query.__name__]["properties"]
    required = schema["$defs"][query.__name__].get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": own} for name, own in properties.items()
    ]
