"""What holds for every request and every answer, whatever the route: the gateway's outermost layer.

Requests for other hosts and callers without room are refused here, mistakes of ours become an answer without details,
every answer gets the headers below and is counted.

**Other pages.** Any page may ask this gateway, and gets no more than its own server would: there are no cookies, and
nothing that a browser sends by itself opens anything. Who may see or do something shows it in the request, with a
token or a signature that a foreign page does not have. The same holds for the stream, so it does not look at `Origin`.
What a page on a foreign host could otherwise reach, a gateway on loopback, is kept by the check of the host.
"""

import logging
import time
import uuid

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.entrance import Entrance, values_of
from gridtokenx.gateway.metrics import Metrics
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.web import refusal

log = logging.getLogger("gridtokenx.gateway")

Headers = tuple[tuple[bytes, bytes], ...]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Scripts and connections (the stream's too) to this gateway only. Plots set styles of elements: hence the exception
for styles."""

UNUSED_FEATURES = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), "
UNUSED_FEATURES += "midi=(), payment=(), serial=(), usb=()"

SECURITY_HEADERS: Headers = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", UNUSED_FEATURES.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Allow, Content-Language, Retry-After"),
)
ONLY_TLS: Headers = ((b"strict-transport-security", b"max-age=31536000"),)

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
"""Counted by name; a caller can make up others without end."""
REFUSED_HANDSHAKE = 1_008
"""RFC 6455, 7.4.1: policy violation. Before the handshake is answered, servers turn any code into status 403."""


class Guard:
    """Around all routes."""

    def __init__(self, router: Router, entrance: Entrance, metrics: Metrics) -> None:
        self._router = router
        self._entrance = entrance
        self._metrics = metrics
        self._routes = [route for route in router.routes if isinstance(route, Route)]
        self._paths: dict[object, str] = {route.endpoint: route.path for route in self._routes}
        self._headers = SECURITY_HEADERS + (ONLY_TLS if entrance.surroundings.has_tls else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._listen(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    async def _listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._entrance.require_host(scope)
        except Refused:
            await send({"type": "websocket.close", "code": REFUSED_HANDSHAKE})
        else:
            await self._router(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        try:
            try:
                await (self._door(scope) or self._router)(scope, receive, send_with_headers)
            except Refused as refused:
                await refusal(refused, scope)(scope, receive, send_with_headers)
            except HTTPException as error:
                await self._not_routed(scope, error)(scope, receive, send_with_headers)
            except Exception as error:
                answer = self._fault(scope, error)
                if status:
                    raise  # the answer is under way: the connection can only be cut off
                await answer(scope, receive, send_with_headers)
        finally:
            route = self._paths.get(scope.get("endpoint"), "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.answered(route, method, status or 500, time.perf_counter() - started)

    def _door(self, scope: Scope) -> Response | None:
        """What is answered here and now; None for whoever may pass. Refuses with `HOST_UNKNOWN`, `TOO_MANY`."""
        self._entrance.require_host(scope)
        self._entrance.require_room(scope)
        if scope["method"] == "OPTIONS" and values_of(scope, b"access-control-request-method"):
            return Response(status_code=204, headers=PREFLIGHT_HEADERS)
        return None

    def _not_routed(self, scope: Scope, error: HTTPException) -> Response:
        """No route takes this path, or none with this method."""
        if error.status_code != 405:
            return refusal(Refused(GatewayCode.NOT_FOUND, "path", "there is no such path"), scope)
        path = scope["path"]
        methods = {name for route in self._routes if route.path_regex.match(path) for name in route.methods or ()}
        answer = refusal(Refused(GatewayCode.METHOD_NOT_ALLOWED, "method", "this path knows other methods"), scope)
        answer.headers["Allow"] = ", ".join(sorted(methods))
        return answer

    def _fault(self, scope: Scope, error: Exception) -> Response:
        """A mistake of ours: told without details, logged with them, under a name by which both are found."""
        name = f"urn:uuid:{uuid.uuid4()}"
        log.error("%s %s failed: %s", scope["method"], scope["path"], name, exc_info=error)
        refused = Refused(GatewayCode.GATEWAY_FAULT, "", "a mistake of the gateway; its log says more")
        return refusal(refused, scope, instance=name)
