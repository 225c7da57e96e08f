"""Visitors' sites in the flesh: their meters count what a recorded home did, so that nobody has to own a meter.

A visitor's site repeats the rows of one of the scenario's homes, some days earlier if the scenario has a history, times
a factor below one. Which home and which factor follows from the account alone. Registers are a sum of such rows, so
they are the same however often the process that reads them is started again.
"""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from gridtokenx.client.keys import PrivateKey
from gridtokenx.modules.settlement.messages import Reading, signed_reading
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.development_keys import development_key, development_pseudonym
from gridtokenx.simulation.scenario import Scenario, Site
from gridtokenx.simulation.tariff_view import INTERVALS_PER_DAY

SOLAR_HOME, FLAT = "solar-home", "flat"
PROFILES = (SOLAR_HOME, FLAT)

PERMILLE = {SOLAR_HOME: (600, 1_000), FLAT: (250, 500)}
"""How much of a recorded home a visitor's site is, at least and at most: a flat uses less, and has no sun."""

HOME_W_MAX = 50_000
"""A connection beyond this is no home's."""

CAPACITY_STEP_W = 100
DAYS_EARLIER_MAX = 7
"""A week, so that weekdays stay weekdays."""


class Sent(msgspec.Struct, frozen=True):
    """A transaction as it was signed: sending the same bytes again counts once."""

    id: bytes
    wire: bytes
    nonce: int
    expires_ms: int
    attempts: int = 1


class Visitor(msgspec.Struct, frozen=True):
    """One who came. `registration` and `gift` are None once they are in blocks; their ids stay. `next_interval` is the
    first that the meter has not told of, 0 while the site is not registered; registers are those before it."""

    account: bytes
    algorithm: int
    threshold: int
    keys: tuple[bytes, ...]
    profile: str
    registration: Sent | None = None
    gift: Sent | None = None
    ids: tuple[bytes, ...] = ()
    first_interval: int = 0
    next_interval: int = 0
    import_wh: int = 0
    export_wh: int = 0

    @property
    def has_joined(self) -> bool:
        """Whether account, site and money are there."""
        return bool(self.ids) and self.registration is None and self.gift is None


class Source(msgspec.Struct, frozen=True):
    """The rows that a visitor's meter counts, and what its connection can."""

    home: str
    days_earlier: int
    permille: int
    solar: bool
    import_w: int
    solar_w: int

    def net_export_wh(self, community: Community, interval: int) -> int:
        """Of an interval that has happened; 0 where nothing was recorded."""
        load_wh, pv_wh = community.recorded_wh(self.home, interval - self.days_earlier * INTERVALS_PER_DAY)
        used_wh = load_wh * self.permille // 1_000
        return (pv_wh * self.permille // 1_000 if self.solar else 0) - used_wh


class Visitors:
    """All that came to one market, oldest first."""

    def __init__(self, scenario: Scenario, chain: str, community: Community, known: Iterable[Visitor] = ()) -> None:
        """`known`: those of before a restart."""
        self._scenario, self._chain, self._community = scenario, chain, community
        self._of = {visitor.account: visitor for visitor in known}
        homes = [site for site in scenario.sites if site.import_capacity_w <= HOME_W_MAX] or list(scenario.sites)
        self._homes = homes
        self._solar_homes = [site for site in homes if site.export_capacity_w("solar")]

    def __len__(self) -> int:
        """How many came."""
        return len(self._of)

    @property
    def profiles(self) -> tuple[str, ...]:
        """What sites there are to choose from."""
        return PROFILES if self._solar_homes else (FLAT,)

    def state(self) -> tuple[Visitor, ...]:
        """What has to be kept."""
        return tuple(self._of.values())

    def find(self, account: bytes) -> Visitor | None:
        """The visitor with this account."""
        return self._of.get(account)

    def put(self, visitor: Visitor) -> None:
        """One more, or one that has changed."""
        self._of[visitor.account] = visitor

    def unfinished(self) -> list[Visitor]:
        """Those whose account, site or money is not there yet."""
        return [visitor for visitor in self._of.values() if not visitor.has_joined]

    def source(self, visitor: Visitor) -> Source:
        """Where the rows of the visitor's meter come from: drawn from the account."""
        solar = visitor.profile == SOLAR_HOME
        homes = self._solar_homes if solar else self._homes
        drawn = int.from_bytes(sha256(b"rows of a visitor" + visitor.account).digest()[:8], "big")
        home = homes[drawn % len(homes)]
        least, most = PERMILLE[visitor.profile]
        permille = least + drawn // len(homes) % (most - least + 1)
        days_earlier = min(DAYS_EARLIER_MAX, self._scenario.history_intervals // INTERVALS_PER_DAY)
        return Source(home.name, days_earlier, permille, solar, *_capacities_w(home, permille, solar))

    def pseudonym(self, account: bytes, of: str) -> bytes:
        """Of a visitor's `site` or `participant`."""
        return development_pseudonym(self._scenario.development_seed, f"visitor {account.hex()} {of}")

    def meter_key(self, account: bytes) -> PrivateKey:
        """With which the visitor's meter signs."""
        return development_key(self._scenario.development_seed, f"visitor {account.hex()} meter")

    def meter(self, end_interval: int) -> list[tuple[Reading, ...]]:
        """Let every visitor's meter tell of all intervals before `end_interval` that it has not told of; readings of
        one interval together, rising. Before the first delivery and after the last recorded row registers stand."""
        by_interval: dict[int, list[Reading]] = {}
        for visitor in self.state():
            if visitor.first_interval and visitor.next_interval < end_interval:
                for reading in self._readings(visitor, end_interval):
                    by_interval.setdefault(reading.interval, []).append(reading)
        return [tuple(by_interval[interval]) for interval in sorted(by_interval)]

    def _readings(self, visitor: Visitor, end_interval: int) -> list[Reading]:
        source, key, meter = (
            self.source(visitor),
            self.meter_key(visitor.account),
            self.pseudonym(visitor.account, "site"),
        )
        import_wh, export_wh = visitor.import_wh, visitor.export_wh
        readings = []
        for interval in range(visitor.next_interval, end_interval):
            if self._scenario.first_interval <= interval < self._scenario.end_interval:
                net_wh = source.net_export_wh(self._community, interval)
                import_wh += max(0, -net_wh)
                export_wh += max(0, net_wh)
            signed = signed_reading(self._chain, meter, interval, import_wh, export_wh)
            readings.append(Reading(meter, interval, import_wh, export_wh, key.public_key, key.sign(signed)))
        changed = msgspec.structs.replace(visitor, next_interval=end_interval, import_wh=import_wh, export_wh=export_wh)
        self.put(changed)
        return readings


def _capacities_w(home: Site, permille: int, solar: bool) -> tuple[int, int]:
    """(import, solar): the home's, times the factor, rounded up to a step: no row of it is above that."""

    def part(capacity_w: int) -> int:
        return -(-capacity_w * permille // (1_000 * CAPACITY_STEP_W)) * CAPACITY_STEP_W

    return part(home.import_capacity_w), part(home.export_capacity_w("solar")) if solar else 0
