"""The ASGI application: routes, errors in one shape, metrics of every request."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridtokenx import __version__
from gridtokenx.gateway import documents, personal, public, stream, stream_documents, transactions
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.metrics import Metrics
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.web import refusal

log = logging.getLogger("gridtokenx.gateway")


def make_app(gateway: Gateway) -> FastAPI:
    """The application around a gateway; whoever makes it runs the gateway.

    FastAPI documents the routes; plain ones in front of its own answer them, in two thirds of the time.
    """
    app = FastAPI(
        title="GridTokenX gateway",
        version=__version__,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    for router in (public.router, transactions.router, personal.router, stream.router):
        app.include_router(router)
        app.router.routes[:0] = [
            Route(route.path, route.endpoint, methods=sorted(route.methods or ()))
            for route in router.routes
            if isinstance(route, APIRoute)
        ]
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _fault)
    paths: dict[object, str] = {route.endpoint: route.path for route in app.routes if isinstance(route, Route)}
    app.add_middleware(Measured, metrics=gateway.metrics, paths=paths)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)


async def _not_routed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return refusal(Refused(GatewayCode.METHOD_NOT_ALLOWED, "method", "this path knows other methods"))
    if error.status_code == 404:
        return refusal(Refused(GatewayCode.NOT_FOUND, "path", "there is no such path"))
    return refusal(Refused(GatewayCode.REQUEST_MALFORMED, "", str(error.detail)))


async def _fault(request: Request, error: Exception) -> Response:
    """A mistake of ours: told without details, logged with them."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(Refused(GatewayCode.GATEWAY_FAULT, "", "a mistake of the gateway; its log says more"))


class Measured:
    """Counts and times every request by the pattern of its route."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Mapping[object, str]) -> None:
        """`paths`: the pattern of each endpoint."""
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = self._paths.get(scope.get("endpoint"), "none")
            self._metrics.answered(route, scope["method"], status, time.perf_counter() - started)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: paths by FastAPI, schemas by msgspec."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        named = vars(documents) | vars(stream_documents)
        kinds = [
            kind
            for kind in named.values()
            if isinstance(kind, type) and issubclass(kind, (documents.Document, documents.Request))
        ]
        _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        components = document.setdefault("components", {})
        components["schemas"] = schemas
        components["securitySchemes"] = {"session": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            in_path = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", path)
            ]
            for operation in operations.values():
                operation["parameters"] = in_path + operation.get("parameters", [])
        app.openapi_schema = document
    return app.openapi_schema
