"""A market of Thailand's seven zones for the tests here: borders with limits, a home in each zone, more in Bangkok.

Nobody trades by itself: tests send the orders, signed as their owners would.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.browser.pages import StandingMarket, standing_market
from tests.unit.gateway.market import NODE_SEED, wallet_of
from tests.world import Founding, at, buy, interval_at, order, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.client.client import Client
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.ledger.codec import Message
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.identity.state import FEEDERS, feeder_key, zone_key
from gridtokenx.modules.identity.state import ZONES as TABLE_OF_ZONES
from gridtokenx.modules.market.messages import Scope, Side
from gridtokenx.simulation.genesis import NEIGHBOURS, ZONES

NOON = interval_at(12)
HOMES = {"ann": 11, "bob": 11, "eve": 12, "cen": 21, "nor": 31, "nee": 41, "eas": 51, "wes": 61, "sou": 71}
"""By feeder: 11 and 12 in Bangkok, then one in each zone in the order of `ZONES`."""


def seven_zones(time_ms: int, call_phase_ms: int) -> Founding:
    """Bangkok to Central 10 kWh and back 4, West to South 2 kWh each way, East to Bangkok shut; feeder 12: 1 kWh."""
    community = Founding(msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=call_phase_ms), time_ms)
    for number, name in enumerate(ZONES, start=1):
        distributor = community.accounts["mea" if name == "Bangkok" else "pea"]
        neighbours = tuple(ZONES.index(other) + 1 for other in NEIGHBOURS[name])
        community.builder.add_zone(number, name, distributor, neighbours)
        if number > 3:
            community.builder.add_feeder(10 * number + 1, number, f"feeder {10 * number + 1}")
    for name, feeder in HOMES.items():
        community.add_home(name, feeder, {Source.SOLAR: 60_000}, 60_000)
    for first, second, forward_w, backward_w in ((1, 2, 40_000, 16_000), (6, 7, 8_000, 8_000), (1, 5, 0, 0)):
        community.builder.limit_border(first, second, forward_w, backward_w)
    community.builder.limit_feeder(12, 4_000, 4_000)
    return community


class Orders:
    """Sends what homes, and the market operator, sign."""

    def __init__(self, market: StandingMarket) -> None:
        self._client = Client(market.url)
        self._wallets = {name: wallet_of(name) for name in (*HOMES, "operator")}

    def send(self, name: str, *messages: Message) -> None:
        """One transaction; returns when it is in a block."""
        self._client.execute(self._wallets[name], *messages)


def trade_a_while(orders: Orders) -> None:
    """What continuous trading might have done: Bangkok's surplus went to Central and on to the North, until the border
    was full; what stays home and what is out of reach waits."""
    orders.send("ann", sell("ann", 14_000, NOON, 3_000_000, "a1"))
    orders.send("cen", buy("cen", 6_000, NOON, 4_200_000, "c1"))
    orders.send("nor", buy("nor", 5_000, NOON, 4_600_000, "n1"))
    orders.send("sou", sell("sou", 5_000, NOON, 2_700_000, "s1"))
    orders.send("wes", buy("wes", 3_000, NOON, 3_900_000, "w1"))
    orders.send("eve", order("eve", Side.SELL, 900, NOON, 3_050_000, "e1", scope=Scope.FEEDER))
    orders.send("nee", buy("nee", 2_000, NOON, 3_800_000, "t1"), sell("nee", 1_500, NOON, 4_400_000, "t2"))
    orders.send("eas", buy("eas", 1_000, NOON, 3_500_000, "x1"))


def collect_a_call(orders: Orders) -> None:
    """What may wait when a gate comes: all zones but one, and a border that will be full."""
    orders.send("ann", sell("ann", 9_000, NOON, 2_900_000, "a1"), sell("ann", 6_000, NOON, 3_300_000, "a2"))
    orders.send("bob", buy("bob", 3_000, NOON, 4_000_000, "b1"))
    orders.send("cen", buy("cen", 8_000, NOON, 4_700_000, "c1"), buy("cen", 4_000, NOON, 4_400_000, "c2"))
    orders.send("nor", buy("nor", 5_000, NOON, 4_900_000, "n1"), sell("nor", 1_000, NOON, 4_200_000, "n2"))
    orders.send("sou", sell("sou", 6_000, NOON, 2_500_000, "s1"))
    orders.send("wes", buy("wes", 4_000, NOON, 4_300_000, "w1"))
    orders.send("eve", sell("eve", 2_500, NOON, 2_800_000, "e1"))


def one_zone() -> Founding:
    """Bangkok alone, with one home, and no call phase."""
    community = Founding(msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=0), at(11))
    state = community.builder.state
    for number in (2, 3):
        state.delete(TABLE_OF_ZONES, zone_key(number))
        state.delete(FEEDERS, feeder_key(10 * number + 1))
    community.builder.add_zone(1, "Bangkok", community.accounts["mea"])
    community.add_home("ann", 11, {Source.SOLAR: 60_000}, 60_000)
    return community


@contextlib.contextmanager
def founded_market(folders: pytest.TempPathFactory, community: Founding, speed: int = 1) -> Iterator[StandingMarket]:
    """What such a community serves."""
    data: Path = folders.mktemp("zones") / "data"
    create_data_folder(data, community.builder.finish(), NODE_SEED)
    with standing_market(data, folders, speed) as market:
        yield market


@contextlib.contextmanager
def coupled_market(
    folders: pytest.TempPathFactory, minute: int, call_phase_ms: int, speed: int = 1
) -> Iterator[StandingMarket]:
    """From so many minutes after eleven on."""
    with founded_market(folders, seven_zones(at(11, minute), call_phase_ms), speed) as market:
        yield market
