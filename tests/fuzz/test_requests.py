"""Bytes that no client would send: whatever comes in, a coded problem goes out, and the gateway lives on.

What is no HTTP at all is answered by the server itself, before any line of ours: 400 or 431 without a body, or an end
of the connection.
"""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.processes.processes import free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding

from gridtokenx.client.client import Client
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.gateway.codes import STATUS, GatewayCode
from gridtokenx.gateway.server import HEAD_BYTES_MAX
from gridtokenx.gateway.web import SUBMISSION_BYTES_MAX

pytestmark = pytest.mark.slow

WAIT_SECONDS_MAX = 30
CODES = {code.value: STATUS[code] for code in GatewayCode}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    data: Path = tmp_path_factory.mktemp("requests") / "data"
    create_data_folder(data, founding().builder.finish(), NODE_SEED)
    number = free_port()
    with node_process(data, 60), gateway_process(data, number):
        yield number
        with Client(f"http://127.0.0.1:{number}") as client:
            assert client.health().ready
        metrics = exchange(number, request("GET", "/metrics"))[1].decode()
        assert 'status="500"' not in metrics and 'name="GATEWAY_FAULT"' not in metrics


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole one that ends its connection; headers replace those of its own."""
    own = {"Host": "localhost", "Connection": "close", "Content-Type": "application/json"}
    own["Content-Length"] = str(len(body))
    named = own | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def exchange(port: int, sent: bytes, is_last: bool = False) -> tuple[int, bytes]:
    """(status, body) of the answer; (0, nothing) when the connection ends without one. `is_last`: our side ends the
    connection after these bytes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), WAIT_SECONDS_MAX) as connection:
        # A server that has said no may end the connection before it has read everything.
        with contextlib.suppress(OSError):
            connection.sendall(sent)
            if is_last:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65_536):
                received += piece
    if not received:
        return 0, b""
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def expect(port: int, sent: bytes, *allowed: GatewayCode) -> None:
    """One of these problems."""
    status, body = exchange(port, sent)
    assert body, status
    problem = json.loads(body)
    assert problem["status"] == status == CODES[problem["code"]]
    assert problem["name"] in {code.name for code in allowed}, problem
    assert len(body) < 2_000


MALFORMED = GatewayCode.REQUEST_MALFORMED

BODIES = {
    "nothing": b"",
    "half": b'{"transactions": ["00"',
    "deep": b"[" * 60_000,
    "deep in place": b'{"transactions": ' + b'{"a":' * 30_000,
    "no value": b'{"transactions": }',
    "NUL": b"\x00" * 100,
    "NUL in text": b'{"transactions": ["\x00"]}',
    "not UTF-8": b'{"transactions": ["\xff\xfe"]}',
    "half a surrogate": b'{"transactions": ["\\ud800"], "x": 1}',
    "byte order mark": b'\xef\xbb\xbf{"transactions": ["00"]}',
    "UTF-16": '{"transactions": ["00"]}'.encode("utf-16"),
    "large number": b'{"transactions": [' + b"9" * 5_000 + b"]}",
    "endless number": b'{"transactions": [1e999999]}',
    "not a number": b'{"transactions": [NaN]}',
    "two documents": b'{"transactions": ["00"]} {"transactions": ["00"]}',
    "list": b'["00"]',
    "null": b"null",
    "text": b'"transactions"',
    "more fields": b'{"transactions": ["00"], "' + b"x" * 1_000 + b'": 1}',
    "none": b'{"transactions": []}',
    "too many": b'{"transactions": [' + b",".join([b'"00"'] * 501) + b"]}",
    "numbers": b'{"transactions": [1, 2]}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "form": b"transactions=00",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_that_are_none(port: int, body: bytes) -> None:
    expect(port, request("POST", "/v1/transactions", body), MALFORMED)


PATHS = {
    "NUL": "/v1/intervals/%00",
    "NUL at the end": "/v1/status%00",
    "not UTF-8": "/v1/intervals/%ff%fe",
    "broken escape": "/v1/intervals/%zz",
    "up": "/v1/../../etc/passwd",
    "up, hidden": "/v1/%2e%2e/%2e%2e/etc/passwd",
    "backslashes": "/assets/..\\..\\etc\\passwd",
    "long": "/v1/" + "a" * 8_000,
    "deep": "/v1" + "/a" * 4_000,
    "large number": "/v1/blocks/" + "9" * 4_000,
    "negative": "/v1/blocks/-1",
    "Thai digits": "/v1/blocks/%E0%B9%91",
    "many parameters": "/v1/status?" + "&".join(f"a{n}=1" for n in range(3_000)),
    "one parameter often": "/v1/blocks?" + "&".join(["limit=1"] * 3_000),
    "parameter not UTF-8": "/v1/search?q=%ff&x=%00",
    "parameter without end": "/v1/search?q=" + "a" * 20_000,
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_paths_that_lead_nowhere(port: int, path: str) -> None:
    expect(port, request("GET", path), MALFORMED, GatewayCode.NOT_FOUND)


def test_bodies_that_are_too_large_are_not_read(port: int) -> None:
    too_large = GatewayCode.BODY_TOO_LARGE
    head = request("POST", "/v1/transactions", Content_Length=str(SUBMISSION_BYTES_MAX + 1))
    expect(port, head, too_large)
    expect(port, request("POST", "/v1/challenges", Content_Length=str(10**14)), too_large)
    pieces = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    chunked = request("POST", "/v1/challenges", Transfer_Encoding="chunked", Content_Length="")
    expect(port, chunked + pieces * 40 + b"0\r\n\r\n", too_large)


def test_media_types_that_are_none_of_ours(port: int) -> None:
    for media_type in ("text/plain", "multipart/form-data; boundary=x", "application/json-seq", "\xff", "json"):
        sent = request("POST", "/v1/transactions", b'{"transactions": ["00"]}', Content_Type=media_type)
        expect(port, sent, GatewayCode.MEDIA_TYPE_UNKNOWN)


def test_odd_headers_are_passed_over_or_refused_by_name(port: int) -> None:
    odd = {
        "Authorization": "Bearer \xff\xfe",
        "Accept-Language": "\xff;q=\xff," * 500,
        "X-Forwarded-For": "," * 3_000,
        "Forwarded": 'for="[' * 500,
        "Accept-Encoding": "\xff",
        "Range": "bytes=0-,1-,2-",
        "If-None-Match": '"' * 2_000,
    }
    for name, value in odd.items():
        expect(port, request("GET", "/v1/accounts/" + "00" * 32, **{name.replace("-", "_"): value}), *GatewayCode)
    expect(port, request("GET", "/v1/status", Host="evil.example"), GatewayCode.HOST_UNKNOWN)
    expect(port, request("GET", "/v1/status", Host="x" * 5_000), GatewayCode.HOST_UNKNOWN)
    expect(port, request("GET", "/v1/status", Host=""), GatewayCode.HOST_UNKNOWN)


NO_HTTP = {
    "many headers": request("GET", "/v1/status", **{f"A{number}": "1" for number in range(200)}),
    "a large header": request("GET", "/v1/status", A="a" * 4 * HEAD_BYTES_MAX),
    "length is no number": request("POST", "/v1/transactions", Content_Length="-1"),
    "two lengths": request("POST", "/v1/transactions", Content_Length="1\r\nContent-Length: 2"),
    "a name with a blank": request("GET", "/v1/status").replace(b"Host:", b"Ho st:"),
    "no version": b"GET /v1/status\r\n\r\n",
    "version nine": b"GET /v1/status HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100ca010000c60303") + bytes(200),
    "NUL": bytes(1_000),
    "a blank line": b"\r\n" * 2_000 + b"x",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_what_is_no_http_is_told_so_or_cut_off(port: int, sent: bytes) -> None:
    status, body = exchange(port, sent, is_last=True)
    assert (status in {0, 400, 431} and not body) or json.loads(body)["status"] == status


def test_connections_that_never_say_anything_keep_nobody_waiting(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(200):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port), WAIT_SECONDS_MAX))
            idle.sendall(request("POST", "/v1/transactions", Content_Length="1000")[: number + 1])
        for _ in range(20):
            assert exchange(port, request("GET", "/v1/status"))[0] == 200


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=st.sampled_from(["GET", "POST", "PUT"]), path=st.binary(max_size=60), body=st.binary(max_size=200))
def test_any_bytes(port: int, method: str, path: bytes, body: bytes) -> None:
    sent = request(method, "/PATH", body).replace(b"/PATH", b"/" + path, 1)
    status, answer = exchange(port, sent)
    assert status < 500
    if answer and status >= 400:
        assert json.loads(answer)["status"] == status


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["transactions", "account", "challenge", "auth", "keys"]) | st.text(), inner, max_size=4
            )
        ),
        max_leaves=20,
    ),
    path=st.sampled_from(["/v1/transactions", "/v1/challenges", "/v1/sessions", "/v1/faucet"]),
)
def test_any_json(port: int, body: object, path: str) -> None:
    text = json.dumps(body).encode()
    status, answer = exchange(port, request("POST", path, text))
    assert status < 500
    if status >= 400:
        assert json.loads(answer)["status"] == status
