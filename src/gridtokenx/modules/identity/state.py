"""Keys and records of identity."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import AccountId, PublicKey, Small, Whole
from gridtokenx.modules.identity.messages import (
    Feeder16,
    IdentityCode,
    Kyc,
    Licence,
    Power,
    PowersBySource,
    Pseudonym,
    RoleName,
)

# The member of an enum costs several times a global name to look up, and this is asked for each order.
_NO_LICENCE, _VERIFIED = int(Licence.NONE), int(Kyc.VERIFIED)


class Role(Record, frozen=True):
    """Who holds an office."""

    account: AccountId


class Zone(Record, frozen=True):
    """A bidding zone: its distributor's account and the zones it borders on."""

    name: Annotated[str, msgspec.Meta(max_length=32)]
    distributor: AccountId
    neighbours: tuple[Small, ...]


class Feeder(Record, frozen=True):
    """A feeder below a zone."""

    zone: Small
    name: Annotated[str, msgspec.Meta(max_length=32)]


class Participant(Record, frozen=True):
    """A person or company, as a pseudonym. Equal groups other than 0 are related parties.
    `short_wh` and `long_wh` are a dealer's licensed open position in one interval without a site."""

    licence: Small
    licence_until_ms: Whole
    kyc: Small
    kyc_until_ms: Whole
    suspended: bool
    group: Whole
    short_wh: Whole
    long_wh: Whole

    def trades_until_ms(self) -> int:
        """The instant from which it may not trade; 0 if it may not at all."""
        if self.suspended or self.licence == _NO_LICENCE or self.kyc != _VERIFIED:
            return 0
        licence_ms, kyc_ms = self.licence_until_ms, self.kyc_until_ms
        return min(kyc_ms, licence_ms)


class Portfolio(Record, frozen=True):
    """What orders and positions name: the sites that one account trades together. Powers in W, `export_w` by source,
    are those of its own site; one with members has none (`rosters.powers_at`)."""

    account: AccountId
    participant: Pseudonym
    feeder: Feeder16
    import_w: Power
    export_w: PowersBySource
    site: Annotated[bytes, msgspec.Meta(max_length=8)]


class Site(Record, frozen=True):
    """A connection point with its meter."""

    portfolio: Pseudonym
    feeder: Feeder16
    meter: Annotated[bytes, msgspec.Meta(max_length=8)]


class Meter(Record, frozen=True):
    """A meter signs its readings with its own key."""

    public_key: PublicKey
    site: Pseudonym
    portfolio: Pseudonym


PARTICIPANT_CHANGED = 0x20
"""Kind of scheduled work: licence, KYC or suspension changed; the market answers it by cancelling what may no
longer stand."""

METER_STARTED = 0x21
"""Kind of scheduled work: a meter was connected; settlement answers it by taking down its registers. Payload: interval
‖ meter ‖ import ‖ export (eight bytes each)."""

ROLES: Table[Role] = Table(0x20, "roles", Role)
ZONES: Table[Zone] = Table(0x21, "zones", Zone)
FEEDERS: Table[Feeder] = Table(0x22, "feeders", Feeder)
PARTICIPANTS: Table[Participant] = Table(0x23, "participants", Participant)
PORTFOLIOS: Table[Portfolio] = Table(0x24, "portfolios", Portfolio, common=("export_w",))
SITES: Table[Site] = Table(0x25, "sites", Site)
METERS: Table[Meter] = Table(0x26, "meters", Meter)


def role_key(role: RoleName) -> bytes:
    """One byte."""
    return bytes([role])


def zone_key(zone: int) -> bytes:
    """One byte."""
    return bytes([zone])


def feeder_key(feeder: int) -> bytes:
    """Two bytes, big-endian."""
    return feeder.to_bytes(2, "big")


def holder_of(state: State, role: RoleName) -> bytes:
    """The account that holds the role; `ROLE_VACANT` if nobody does."""
    role_record = state.get(ROLES, role_key(role))
    if role_record is None:
        raise Rejected(IdentityCode.ROLE_VACANT, role.name.lower())
    return role_record.account


def require_role(state: State, sender: bytes, role: RoleName) -> None:
    """Refuse a sender who does not hold the role."""
    if holder_of(state, role) != sender:
        raise Rejected(IdentityCode.NOT_AUTHORISED, role.name.lower())


def zone_of(state: State, feeder: int) -> int:
    """The zone above a feeder; `FEEDER_UNKNOWN`."""
    record = state.get(FEEDERS, feeder_key(feeder))
    if record is None:
        raise Rejected(IdentityCode.FEEDER_UNKNOWN, "feeder")
    return record.zone


def distributor_of(state: State, feeder: int) -> bytes:
    """The account of the distributor of a feeder's zone."""
    zone = state.get(ZONES, zone_key(zone_of(state, feeder)))
    if zone is None:
        raise Rejected(IdentityCode.ZONE_UNKNOWN, "feeder")
    return zone.distributor


def add_portfolio(
    state: State,
    portfolio: bytes,
    account_id: bytes,
    feeder: int,
    import_w: int,
    export_w: PowersBySource,
    site: bytes,
) -> None:
    """`PORTFOLIO_EXISTS`, `OWNER_UNKNOWN`, `FEEDER_UNKNOWN`, `PARTICIPANT_UNKNOWN`."""
    if state.get(PORTFOLIOS, portfolio) is not None:
        raise Rejected(IdentityCode.PORTFOLIO_EXISTS, "portfolio")
    zone_of(state, feeder)
    participant = owner_of(state, account_id)
    participant_of(state, participant)
    state.put(PORTFOLIOS, portfolio, Portfolio(account_id, participant, feeder, import_w, export_w, site))


def participant_of(state: State, participant: bytes) -> Participant:
    """The participant, or `PARTICIPANT_UNKNOWN`."""
    record = state.get(PARTICIPANTS, participant)
    if record is None:
        raise Rejected(IdentityCode.PARTICIPANT_UNKNOWN, "participant")
    return record


def owner_of(state: State, account_id: bytes) -> bytes:
    """The participant whose account it is, or `OWNER_UNKNOWN`."""
    account = state.get(ACCOUNTS, account_id)
    if account is None:
        raise Rejected(IdentityCode.OWNER_UNKNOWN, "account")
    return account.participant


def are_related(state: State, first: bytes, second: bytes) -> bool:
    """Whether two participants are one, or declared related (the same group)."""
    if first == second:
        return True
    a, b = state.get(PARTICIPANTS, first), state.get(PARTICIPANTS, second)
    return a is not None and b is not None and a.group != 0 and a.group == b.group


def references(state: State) -> Iterator[str]:
    """Every reference leads somewhere, both ways."""
    for key, portfolio in state.items(PORTFOLIOS):
        if state.get(ACCOUNTS, portfolio.account) is None:
            yield f"portfolio {key.hex()} names an unknown account"
        if state.get(PARTICIPANTS, portfolio.participant) is None:
            yield f"portfolio {key.hex()} names an unknown participant"
        if portfolio.site and state.get(SITES, portfolio.site) is None:
            yield f"portfolio {key.hex()} names an unknown site"
    for key, site in state.items(SITES):
        if site.meter and state.get(METERS, site.meter) is None:
            yield f"site {key.hex()} names an unknown meter"
    for key, meter in state.items(METERS):
        owner = state.get(SITES, meter.site)
        if owner is None or owner.meter != key or owner.portfolio != meter.portfolio:
            yield f"meter {key.hex()} and its site disagree"
