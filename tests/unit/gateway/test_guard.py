"""What holds for every answer: headers, hosts, methods, limits, and the languages of refusals."""

import ipaddress
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from tests.unit.gateway.market import Market, story

from gridtokenx.gateway import limits, web
from gridtokenx.gateway.app import ROUTERS, make_app
from gridtokenx.gateway.codes import STATUS, GatewayCode
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.entrance import BUDGETS, UNLIMITED, Surroundings
from gridtokenx.gateway.guard import CONTENT_SECURITY_POLICY, SECURITY_HEADERS
from gridtokenx.gateway.server import GatewaySettings

ANSWERS = [
    ("GET", "/", {}),
    ("GET", "/v1/status", {}),
    ("HEAD", "/v1/status", {}),
    ("GET", "/v1/nothing", {}),
    ("DELETE", "/v1/status", {}),
    ("GET", "/v1/status?more=1", {}),
    ("GET", "/v1/accounts/" + "00" * 32, {}),
    ("GET", "/v1/status", {"Host": "evil.example"}),
    ("OPTIONS", "/v1/transactions", {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}),
    ("POST", "/v1/transactions", {"Content-Type": "text/plain"}),
    ("GET", "/metrics", {}),
    ("GET", "/openapi.json", {}),
]


@story
async def test_every_answer_has_them(market: Market) -> None:
    for method, path, headers in ANSWERS:
        response = await market.web.request(method, path, headers=headers)
        for name, value in SECURITY_HEADERS:
            assert response.headers.get_list(name.decode()) == [value.decode()], (method, path)
        assert "strict-transport-security" not in response.headers
        assert "set-cookie" not in response.headers
        assert "access-control-allow-credentials" not in response.headers


@story
async def test_a_fault_has_them_too(market: Market) -> None:
    market.gateway.model.terms.clear()
    interval = min(market.gateway.model.intervals)
    response = await market.web.get(f"/v1/intervals/{interval}")
    assert response.status_code == 500
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.json()["instance"].startswith("urn:uuid:")


def test_scripts_come_from_here_and_nobody_frames_the_page() -> None:
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == rules["connect-src"] == "'self'"
    assert "script-src" not in rules
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == rules["object-src"] == "'none'"
    assert "unsafe-eval" not in CONTENT_SECURITY_POLICY


async def answers_of(data: Path, surroundings: Surroundings, **client: object) -> httpx.AsyncClient:
    app = make_app(Gateway(data), surroundings)
    transport = httpx.ASGITransport(app, **client)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@story
async def test_under_tls_browsers_are_told_to_stay_there(market: Market) -> None:
    async with await answers_of(market.gateway.folder.path, Surroundings(has_tls=True)) as web:
        response = await web.get("/v1/status")
    assert response.headers["strict-transport-security"] == "max-age=31536000"


HOSTS = {
    "localhost": 200,
    "127.0.0.1:8545": 200,
    "[::1]:8545": 200,
    "market.example:8545": 200,
    "evil.example": 421,
    "evil.example:8545": 421,
    "": 421,
}


@story
async def test_only_names_of_this_gateway_are_served(market: Market) -> None:
    named = Surroundings(names=frozenset({"market.example"}))
    async with await answers_of(market.gateway.folder.path, named) as web:
        for host, status in HOSTS.items():
            response = await web.get("/v1/codes", headers={"Host": host})
            assert response.status_code == status, host
            if status != 200:
                assert (response.json()["name"], response.json()["field"]) == ("HOST_UNKNOWN", "host")


@story
async def test_any_page_may_ask_and_none_sends_along_what_it_does_not_have(market: Market) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    for path in ("/v1/status", "/v1/accounts/" + "00" * 32, "/v1/nothing"):
        response = await market.web.options(path, headers=asked)
        assert response.status_code == 204 and not response.content
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-headers"] == "Authorization, Content-Type"


METHODS = {
    "/v1/status": "GET, HEAD",
    "/v1/transactions": "POST",
    "/v1/faucet": "GET, HEAD, POST",
    "/v1/intervals/1/book": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
}


@story
async def test_other_methods_are_refused_with_those_that_work(market: Market) -> None:
    for path, allow in METHODS.items():
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "NONSENSE"):
            response = await market.web.request(method, path)
            assert (response.status_code, response.json()["name"]) == (405, "METHOD_NOT_ALLOWED"), (method, path)
            assert response.headers["allow"] == allow
    # Made-up methods are counted together, or a stranger could fill memory with them.
    text = (await market.web.get("/metrics")).text
    assert 'method="other"' in text and "NONSENSE" not in text


MEDIA_TYPES = {
    None: 200,
    "application/json": 200,
    "Application/JSON; charset=utf-8": 200,
    "application/json;charset=utf-8": 200,
    "text/plain": 415,
    "application/jsonp": 415,
    "application/x-www-form-urlencoded": 415,
    "": 415,
}


@story
async def test_bodies_are_json(market: Market) -> None:
    body = b'{"account": "%s"}' % (b"00" * 32)
    for media_type, status in MEDIA_TYPES.items():
        headers = {} if media_type is None else {"Content-Type": media_type}
        response = await market.web.post("/v1/challenges", content=body, headers=headers)
        assert response.status_code == status, media_type
        if status != 200:
            assert response.json()["name"] == "MEDIA_TYPE_UNKNOWN"


@story
async def test_a_body_that_does_not_come_is_not_waited_for(market: Market) -> None:
    async def forever() -> AsyncIterator[bytes]:
        yield b"{"
        while True:
            await market.gateway.next_block(0.01)
            yield b" "

    original = web.BODY_SECONDS_MAX
    web.BODY_SECONDS_MAX = 0.05
    try:
        response = await market.web.post("/v1/challenges", content=forever())
    finally:
        web.BODY_SECONDS_MAX = original
    assert (response.status_code, response.json()["name"]) == (408, "BODY_TOO_SLOW")


@story
async def test_who_asks_too_much_is_told_when_to_come_back(market: Market) -> None:
    far = ("203.0.113.9", 1)
    async with await answers_of(market.gateway.folder.path, Surroundings(), client=far) as web:
        body = {"account": "00" * 32}
        statuses = [(await web.post("/v1/challenges", json=body)).status_code for _ in range(limits.SIGN_INS.burst)]
        assert 429 not in statuses
        while (response := await web.post("/v1/challenges", json=body)).status_code != 429:
            pass
        assert response.json()["name"] == "TOO_MANY" and response.headers["retry-after"] == "1"
        # Reading has a budget of its own, and so has everybody else.
        assert (await web.get("/v1/codes")).status_code == 200
    async with await answers_of(market.gateway.folder.path, Surroundings(), client=("203.0.113.8", 1)) as web:
        assert (await web.post("/v1/challenges", json=body)).status_code != 429


def test_what_has_a_limit_of_its_own_is_a_route() -> None:
    routes = {
        (method, route.path)  # type: ignore[attr-defined]
        for router in ROUTERS
        for route in router.routes
        for method in getattr(route, "methods", None) or ()
    }
    assert set(BUDGETS) <= routes
    assert {("GET", path) for path in UNLIMITED} <= routes


def test_every_code_of_the_gateway_has_a_status_that_is_none_of_success() -> None:
    assert set(STATUS) == set(GatewayCode)
    assert all(400 <= status < 600 for status in STATUS.values())


def test_settings_become_surroundings(tmp_path: Path) -> None:
    proxies = (ipaddress.ip_network("10.0.0.0/8"),)
    settings = GatewaySettings(tmp_path, "Gateway.Example", names=("Market.Example.",), proxies=proxies)
    assert settings.surroundings() == Surroundings(frozenset({"gateway.example", "market.example"}), proxies)
    assert GatewaySettings(tmp_path, certificate=tmp_path / "x").surroundings().has_tls


def test_names_of_headers_are_in_lower_case_as_servers_want_them() -> None:
    assert all(re.fullmatch(rb"[a-z-]+", name) for name, _ in SECURITY_HEADERS)
