"""Development keys: signing keys that anybody can derive, so that a scenario is the same on every machine.

Whoever knows a scenario's file can sign for everyone in it. That is what a market for looking at and testing
needs, and why a chain with real money must never be started from one.
"""

from hashlib import sha256

from gridtokenx.client.keys import PrivateKey

_DOMAIN = "gridtokenx development key, never for real money"


def development_key(seed: str, name: str) -> PrivateKey:
    """The key that a scenario's seed text gives this name."""
    return PrivateKey(sha256(f"{_DOMAIN}\0{seed}\0{name}".encode()).digest())


def development_pseudonym(seed: str, name: str) -> bytes:
    """Eight bytes for a participant, site, meter or node. A real registrar draws them at random."""
    return sha256(f"gridtokenx development pseudonym\0{seed}\0{name}".encode()).digest()[:8]
