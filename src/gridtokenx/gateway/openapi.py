"""The OpenAPI document: routes by FastAPI, schemas by msgspec, and what holds for all of them from here.

It says no more than is true: `tests/fuzz/test_openapi.py` tries every line of it against a running market.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.routing import Route

from gridtokenx import __version__
from gridtokenx.engine.comet import answers
from gridtokenx.gateway import (
    authority_documents,
    coupled_documents,
    documents,
    page_documents,
    portfolio_documents,
    stream_documents,
)
from gridtokenx.gateway.codes import STATUS, GatewayCode

DOCUMENTS: Final = (
    *(documents, coupled_documents, page_documents, portfolio_documents, authority_documents, stream_documents),
    answers,
)
"""Where the schemas are."""

HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
PATH_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "interval": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    "height": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    "zone": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    "id": HASH,
    "client_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "member": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "table": {"type": "string", "pattern": "^[a-z_]+$", "maxLength": 40},
    "key": {"type": "string", "pattern": "^(-|([0-9a-f]{2}){1,128})$"},
    "name": {"type": "string", "pattern": "^[A-Z][A-Z_]*$", "maxLength": 40},
}
"""What stands for the names in paths. A new name has to be added: there is no default."""

DESCRIPTION: Final = """\
The way in to a market: read it, sign orders, see one's own bill.

Bytes are lower-case hexadecimal text. Numbers are integers with their unit in the name: Wh, millionths of a WATT
(`_micro`), prices in millionths of a WATT per kWh, milliseconds since the epoch in UTC. They may need 63 bits.

Every refusal is a problem document (RFC 9457) with `code`, `name` and `field`; its `title` is in the language that
`Accept-Language` prefers, English or Thai. Any request may be refused with 421 (a host that is not this gateway's),
429 (too much in a short time; `Retry-After` says when) and 503 (the chain is being read, or its node does not answer).
"""

TAGS: Final = {
    "market": "Intervals, books, trades, terms: what everybody may see",
    "chain": "Blocks, transactions, and proofs of them",
    "account": "One's own: balance, orders, results, bill. Needs the token of a session",
    "community": "What a community saves, without names",
    "gateway": "How the gateway is, what its answers mean",
}

RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds after which it may succeed",
        "schema": {"type": "integer", "minimum": 1},
        "required": True,
    }
}
CHALLENGES_BEARER: Final = {
    "WWW-Authenticate": {
        "description": "How to sign in",
        "schema": {"type": "string", "const": "Bearer"},
        "required": True,
    }
}
HEADERS: Final[dict[int, dict[str, Any]]] = {401: CHALLENGES_BEARER, 429: RETRY_AFTER, 503: RETRY_AFTER}

ALWAYS: Final = (
    GatewayCode.REQUEST_MALFORMED,
    GatewayCode.HOST_UNKNOWN,
    GatewayCode.TOO_MANY,
    GatewayCode.NOT_READY,
    GatewayCode.NODE_UNREACHABLE,
)
"""Why any request may be refused."""
WITH_BODY: Final = (GatewayCode.BODY_TOO_LARGE, GatewayCode.BODY_TOO_SLOW, GatewayCode.MEDIA_TYPE_UNKNOWN)
PERSONAL: Final = (GatewayCode.SESSION_MISSING, GatewayCode.SESSION_ENDED, GatewayCode.NOT_YOUR_ACCOUNT)


def describe_routes(routers: Sequence[APIRouter]) -> Route:
    """The route of the document."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(make_document(routers))

    async def get_document(_: Request) -> Response:
        return Response(encoded(), media_type="application/json")

    return Route("/openapi.json", get_document)


def make_document(routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="GridTokenX gateway",
        version=__version__,
        description=DESCRIPTION,
        routes=[route for router in routers for route in router.routes],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": "/", "description": "This gateway"}],
    )
    kinds = [
        kind
        for module in DOCUMENTS
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, (documents.Document, documents.Request, answers.Answer))
    ]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    components = document.setdefault("components", {})
    components["schemas"] = schemas
    components["securitySchemes"] = {
        "session": {"type": "http", "scheme": "bearer", "description": "The token of POST /v1/sessions"}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            in_path = [_path_parameter(name) for name in re.findall(r"{(\w+)}", path)]
            operation["parameters"] = in_path + operation.get("parameters", [])
            operation["responses"] = _refusals(operation) | operation["responses"]
            operation.setdefault("tags", [_tag(path)])
    return document


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}


def _refusals(operation: dict[str, Any]) -> dict[str, Any]:
    """An answer for each status with which the operation may be refused, naming the codes."""
    codes = [*ALWAYS]
    codes += WITH_BODY if "requestBody" in operation else ()
    codes += PERSONAL if "security" in operation else ()
    codes += [GatewayCode[name] for name in operation.pop("x-refusals", ())]
    of_status: dict[int, list[GatewayCode]] = {}
    for code in dict.fromkeys(codes):
        of_status.setdefault(STATUS[code], []).append(code)
    return {str(status): _refusal(status, codes) for status, codes in sorted(of_status.items())}


def _refusal(status: int, codes: list[GatewayCode]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": ", ".join(f"{code} `{code.name}`" for code in codes),
        "content": {"application/problem+json": {"schema": schema}},
        "headers": HEADERS.get(status, {}),
    }


def _tag(path: str) -> str:
    """By the beginning of a path."""
    beginnings = {
        "/v1/accounts": "account",
        "/v1/challenges": "account",
        "/v1/sessions": "account",
        "/v1/community": "community",
        "/v1/blocks": "chain",
        "/v1/consensus": "chain",
        "/v1/authorities": "chain",
        "/v1/availability": "chain",
        "/v1/transactions": "chain",
        "/v1/status": "chain",
        "/v1/explorer": "chain",
        "/v1/search": "chain",
        "/v1/history": "chain",
        "/v1/codes": "gateway",
        "/v1/": "market",
    }
    return next((tag for beginning, tag in beginnings.items() if path.startswith(beginning)), "gateway")
