"""Who asks, and whom: hosts, addresses behind proxies, limits by address."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import SUBMITTED_MAX
from gridtokenx.gateway.entrance import Entrance, Surroundings, is_own_host, read_address
from gridtokenx.gateway.limits import GIFTS, READS, SIGN_INS, STREAMS_MAX, SUBMISSIONS
from gridtokenx.gateway.problems import Refused

PROXIES = Surroundings(proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1/32")))


def scope(peer: str | None = "203.0.113.9", method: str = "GET", path: str = "/v1/status", **headers: str) -> Any:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "client": None if peer is None else (peer, 40_000),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
    }


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:8545", "localhost.", "market.localhost", "127.0.0.1", "127.0.0.1:1", "192.0.2.7:80"),
        *("[::1]", "[::1]:8545", "[2001:db8::1]:8545", "market.example", "Market.Example:443", "market.example."),
    ],
)
def test_names_that_lead_here(host: str) -> None:
    assert is_own_host(host, frozenset({"market.example"}))


@pytest.mark.parametrize(
    "host",
    [
        *("", ":", ":8545", "evil.example", "evil.example:8545", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("market.example.evil", "xmarket.example", "localhost:port", "[::1", "[localhost]", "127.1", "0x7f.1"),
        *("localhost@evil.example", "evil.example#localhost", "local host", "\x00"),
    ],
)
def test_names_of_others(host: str) -> None:
    assert not is_own_host(host, frozenset({"market.example"}))


@given(st.text())
def test_no_name_is_too_strange(host: str) -> None:
    is_own_host(host, frozenset())
    read_address(host)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["evil.example"], ["9" * 301]])
def test_a_request_names_this_gateway_once(hosts: list[str]) -> None:
    asked = scope() | {"headers": [(b"host", host.encode()) for host in hosts]}
    with pytest.raises(Refused) as refused:
        Entrance(Surroundings()).require_host(asked)
    assert refused.value.code is GatewayCode.HOST_UNKNOWN


@pytest.mark.parametrize(
    ("asked", "caller"),
    [
        (scope(), "203.0.113.9"),
        (scope("127.0.0.1"), None),
        (scope("::1"), None),
        (scope("::ffff:127.0.0.1"), None),
        (scope("::ffff:203.0.113.9"), "203.0.113.9"),
        (scope("2001:db8:0:1:aaaa::7"), "2001:db8:0:1::/64"),
        (scope("2001:db8:0:1:bbbb::8"), "2001:db8:0:1::/64"),
        (scope(None), "no address"),
        # Nobody's word counts but that of a proxy which is named.
        (scope(x_forwarded_for="198.51.100.1"), "203.0.113.9"),
        (scope(forwarded="for=198.51.100.1"), "203.0.113.9"),
        # A proxy on this machine that nobody has named: one caller, with limits.
        (scope("127.0.0.1", x_forwarded_for="198.51.100.1"), "127.0.0.1"),
        (scope("127.0.0.1", forwarded="for=198.51.100.1"), "127.0.0.1"),
    ],
)
def test_who_asks(asked: Any, caller: str | None) -> None:
    assert Entrance(Surroundings()).caller_of(asked) == caller


@pytest.mark.parametrize(
    ("asked", "caller"),
    [
        (scope("10.0.0.1", x_forwarded_for="198.51.100.1"), "198.51.100.1"),
        (scope("127.0.0.1", x_forwarded_for="198.51.100.1"), "198.51.100.1"),
        (scope("127.0.0.1", x_forwarded_for="127.0.0.1"), "127.0.0.1"),
        # Whatever the caller wrote before it reached a proxy does not count.
        (scope("10.0.0.1", x_forwarded_for="192.0.2.1, 198.51.100.1"), "198.51.100.1"),
        (scope("10.0.0.1", x_forwarded_for="192.0.2.1, 198.51.100.1, 10.0.0.2"), "198.51.100.1"),
        (scope("10.0.0.1", x_forwarded_for="10.0.0.3, 10.0.0.2"), "10.0.0.3"),
        (scope("10.0.0.1", forwarded="for=192.0.2.1, for=198.51.100.1;proto=https;by=10.0.0.1"), "198.51.100.1"),
        (scope("10.0.0.1", forwarded='For="[2001:db8::1]:4711"'), "2001:db8::/64"),
        (scope("10.0.0.1", forwarded="for=198.51.100.1:4711"), "198.51.100.1"),
        # Two headers that agree, and two of which the caller has written one.
        (scope("10.0.0.1", forwarded="for=198.51.100.1", x_forwarded_for="198.51.100.1"), "198.51.100.1"),
        (scope("10.0.0.1", forwarded="for=192.0.2.1", x_forwarded_for="198.51.100.1"), "10.0.0.1"),
        # What is no address says nothing.
        (scope("10.0.0.1", x_forwarded_for="unknown"), "10.0.0.1"),
        (scope("10.0.0.1", x_forwarded_for="198.51.100.1, _hidden"), "10.0.0.1"),
        (scope("10.0.0.1", forwarded="proto=https"), "10.0.0.1"),
        (scope("10.0.0.1", x_forwarded_for=""), "10.0.0.1"),
        # A proxy that does not forward is a caller like others, on loopback too.
        (scope("10.0.0.1"), "10.0.0.1"),
        (scope("127.0.0.1"), "127.0.0.1"),
        (scope("::1"), None),
    ],
)
def test_who_asks_behind_proxies(asked: Any, caller: str | None) -> None:
    assert Entrance(PROXIES).caller_of(asked) == caller


def test_loopback_may_be_limited_too() -> None:
    entrance = Entrance(Surroundings(limits_loopback=True))
    assert entrance.caller_of(scope("127.0.0.1")) == "127.0.0.1"


@given(st.text(), st.text())
def test_whatever_proxies_say_somebody_has_asked(forwarded: str, x_forwarded_for: str) -> None:
    headers = [(b"forwarded", forwarded.encode()), (b"x-forwarded-for", x_forwarded_for.encode())]
    assert Entrance(PROXIES).caller_of(scope("10.0.0.1") | {"headers": headers})


def served(entrance: Entrance, asked: Any, most: int) -> int:
    """How many of `most` requests are let in at once."""
    for number in range(most):
        try:
            entrance.require_room(asked)
        except Refused:
            return number
    return most


@pytest.mark.parametrize(
    ("method", "path", "burst"),
    [
        ("GET", "/v1/status", READS.burst),
        ("GET", "/v1/faucet", READS.burst),
        ("POST", "/v1/challenges", SIGN_INS.burst),
        ("POST", "/v1/sessions", SIGN_INS.burst),
        ("POST", "/v1/faucet", GIFTS.burst),
        ("GET", "/health", READS.burst * 2),
    ],
)
def test_a_burst_is_served_and_then_no_more(method: str, path: str, burst: int) -> None:
    entrance = Entrance(Surroundings(), clock=lambda: 0.0)
    assert served(entrance, scope(method=method, path=path), READS.burst * 2) == burst


def test_loopback_is_served_without_end() -> None:
    assert served(Entrance(Surroundings()), scope("127.0.0.1", "POST", "/v1/challenges"), 1_000) == 1_000


def test_submissions_count_by_transactions() -> None:
    entrance, asked = Entrance(Surroundings()), scope(method="POST", path="/v1/transactions")
    for _ in range(SUBMISSIONS.burst // SUBMITTED_MAX):
        entrance.require_room(asked)
        entrance.require_submissions(asked, SUBMITTED_MAX)
    with pytest.raises(Refused) as refused:
        entrance.require_submissions(asked, SUBMITTED_MAX)
    assert refused.value.code is GatewayCode.TOO_MANY
    assert 0 < refused.value.retry_s <= SUBMITTED_MAX / SUBMISSIONS.per_second + 1


def test_a_full_submission_fits_into_the_budget() -> None:
    assert SUBMISSIONS.burst >= SUBMITTED_MAX


def test_streams_of_one_address() -> None:
    entrance = Entrance(Surroundings())
    opened = [entrance.open_stream(scope()) for _ in range(STREAMS_MAX)]
    with pytest.raises(Refused):
        entrance.open_stream(scope())
    entrance.open_stream(scope("203.0.113.10"))
    assert [entrance.open_stream(scope("127.0.0.1")) for _ in range(STREAMS_MAX + 1)] == [None] * (STREAMS_MAX + 1)
    for caller in opened:
        entrance.close_stream(caller)
    assert entrance.open_stream(scope()) == "203.0.113.9"
