"""Who comes in, and by which name: hosts, proxies, and how much each address may ask for.

A browser can be talked into asking a server on its own machine in the name of a foreign page, once that page's name
leads to 127.0.0.1 ("DNS rebinding"). Such a request names the foreign host; so only names that are this gateway's own
are served. An IP address cannot be led elsewhere and is always good.

Loopback is trusted and has no limits unless told otherwise: what runs on the machine is its owner's. A proxy on
the same machine must be named (`proxies`), and then the address that it reports counts. One that is not named, but
says that it forwards, gets the limits of a single caller: rather too little for all than no limit for anybody.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.limits import GIFTS, READS, SIGN_INS, STREAMS_MAX, SUBMISSIONS, Buckets
from gridtokenx.gateway.problems import Refused, too_many

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_CHARACTERS_MAX = 300
"""A name has at most 253, a port five."""
FORWARDING_CHARACTERS_MAX = 1_000
IPV6_PREFIX = 64
"""One household has at least so much of IPv6: it counts as one caller."""
NOWHERE = "no address"
"""Of a caller on a local socket, which has none."""

BUDGETS = {
    ("POST", "/v1/transactions"): SUBMISSIONS,
    ("POST", "/v1/challenges"): SIGN_INS,
    ("POST", "/v1/sessions"): SIGN_INS,
    ("POST", "/v1/faucet"): GIFTS,
}
"""What these requests count against; every other one is a read."""
UNLIMITED = frozenset({"/health", "/health/live"})
"""For supervisors, who must hear of a gateway that is busy too."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an operator says of the place where a gateway stands."""

    names: frozenset[str] = frozenset()
    """Host names that lead to it, in lower case and without port, beside `localhost` and every IP address."""
    proxies: tuple[Network, ...] = ()
    """Reverse proxies: whose word on the address of a caller counts."""
    limits_loopback: bool = False
    """Whether callers on this machine have limits like others."""
    has_tls: bool = False
    """Whether the gateway itself speaks TLS."""


class Entrance:
    """Of one gateway."""

    def __init__(self, surroundings: Surroundings, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self.surroundings = surroundings
        self._buckets = {budget: Buckets(budget, clock=clock) for budget in (READS, *BUDGETS.values())}
        self._streams: Counter[str] = Counter()

    def require_host(self, scope: Scope) -> None:
        """The request names this gateway. Refuses with `HOST_UNKNOWN`."""
        hosts = values_of(scope, b"host")
        if len(hosts) != 1 or len(hosts[0]) > HOST_CHARACTERS_MAX or not is_own_host(hosts[0], self.surroundings.names):
            raise Refused(GatewayCode.HOST_UNKNOWN, "host", "this gateway is not known by this name")

    def require_room(self, scope: Scope) -> None:
        """The caller may make this request. Refuses with `TOO_MANY`. A submission counts once it has been read
        (`require_submissions`), but who may submit nothing at all is not even read."""
        caller = self.caller_of(scope)
        if caller is None or scope["path"] in UNLIMITED:
            return
        budget = BUDGETS.get((scope["method"], scope["path"]), READS)
        bucket = self._buckets[budget]
        if wait_s := (bucket.wait_s if budget is SUBMISSIONS else bucket.take)(caller):
            raise too_many(budget, wait_s)

    def require_submissions(self, scope: Scope, transactions: int) -> None:
        """The caller may submit so many. Refuses with `TOO_MANY`."""
        caller = self.caller_of(scope)
        if caller is not None and (wait_s := self._buckets[SUBMISSIONS].take(caller, transactions)):
            raise too_many(SUBMISSIONS, wait_s)

    def open_stream(self, scope: Scope) -> str | None:
        """One more listener at this address: what to hand to `close_stream`. Refuses with `TOO_MANY`."""
        caller = self.caller_of(scope)
        if caller is not None:
            if self._streams[caller] >= STREAMS_MAX:
                raise Refused(GatewayCode.TOO_MANY, "", f"one address may have {STREAMS_MAX} streams")
            self._streams[caller] += 1
        return caller

    def close_stream(self, caller: str | None) -> None:
        """The listener is gone."""
        if caller is not None:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]

    def caller_of(self, scope: Scope) -> str | None:
        """Whom a request counts against; None for whom no limits count."""
        peer = read_address(scope["client"][0]) if scope.get("client") else None
        if peer is None:
            return NOWHERE
        forwarded = values_of(scope, b"forwarded"), values_of(scope, b"x-forwarded-for")
        says_it_forwards = any(forwarded)
        if says_it_forwards and self._is_proxy(peer):
            peer = self._behind_proxies(peer, *forwarded)
        elif self._is_trusted(peer) and not says_it_forwards:
            return None
        return _household(peer)

    def _is_trusted(self, peer: Address) -> bool:
        return peer.is_loopback and not self.surroundings.limits_loopback and not self._is_proxy(peer)

    def _behind_proxies(self, peer: Address, forwarded: list[str], x_forwarded_for: list[str]) -> Address:
        """The last address before the first proxy of ours. A caller can write these headers too, and a proxy may
        pass on the one that it does not set: two that disagree are worth nothing."""
        found = {
            self._last_stranger(peer, addresses)
            for addresses in (_addresses_of_forwarded(forwarded), _items(x_forwarded_for))
            if addresses
        }
        return found.pop() if len(found) == 1 else peer

    def _last_stranger(self, peer: Address, chain: list[str]) -> Address:
        for text in reversed(chain):
            address = read_address(text)
            if address is None:
                return peer
            peer = address
            if not self._is_proxy(address):
                return address
        return peer

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self.surroundings.proxies)


def values_of(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header, in order."""
    return [value.decode("latin-1") for own, value in scope["headers"] if own == name]


@lru_cache(1_024)
def is_own_host(host: str, names: frozenset[str]) -> bool:
    """Whether a `Host` (with or without port) can only lead here."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdecimal():
        name = host.lower()
    if name.startswith("[") and name.endswith("]"):
        return read_address(name[1:-1]) is not None
    name = name.removesuffix(".")
    return name == "localhost" or name.endswith(".localhost") or name in names or read_address(name) is not None


@lru_cache(4_096)
def read_address(text: str) -> Address | None:
    """An IP address, with brackets or a port or not; None for anything else. IPv4 inside IPv6 is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _household(address: Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def _items(values: list[str]) -> list[str]:
    text = ",".join(values)[-FORWARDING_CHARACTERS_MAX:]
    return [item.strip() for item in text.split(",")] if text else []


def _addresses_of_forwarded(values: list[str]) -> list[str]:
    """The `for=` of each hop (RFC 7239)."""
    hops = []
    for item in _items(values):
        pairs = dict(pair.strip().lower().partition("=")[::2] for pair in item.split(";"))
        hops.append(pairs.get("for", ""))
    return hops
