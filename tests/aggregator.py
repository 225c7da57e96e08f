"""An aggregator's portfolio in memory, on a Wednesday before noon: for tests that need members of long standing.

`hub` trades `sun`, `roof` and `flat` under the name `pool`; `bob` stands outside.
"""

from functools import cache

from tests.world import WATT, Founding, World, at, buy, interval_at, pseudonym, sell, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.quantities import interval_end_ms
from gridtokenx.modules.identity.messages import (
    AcceptMember,
    JoinPortfolio,
    Licence,
    OpenPortfolio,
    Source,
    SplitKind,
    SplitRule,
)
from gridtokenx.modules.identity.rosters import SPLIT_RULES
from gridtokenx.modules.tokens.messages import Transfer

WEDNESDAY_NOON = interval_at(12, day=2)
SITES = ("sun", "roof", "flat")
RULE = SplitRule(SplitKind.METERED, 100_000, 500_000)


@cache
def monday() -> World:
    """`hub` trades sun, roof and flat from Wednesday on; bob stands outside; the supplier can pay."""
    founding = Founding(time_ms=at(9, 50))
    founding.add_account("hub", signer("hub"), 1_000 * WATT, Licence.AGGREGATOR)
    founding.add_home("sun", export_w={Source.SOLAR: 8_000}, import_w=8_000, balance_micro=10 * WATT)
    founding.add_home("roof", export_w={Source.SOLAR: 4_000}, import_w=8_000, balance_micro=10 * WATT)
    founding.add_home("flat", import_w=8_000, balance_micro=WATT)
    founding.add_home("bob", export_w={Source.HYDRO: 40_000}, import_w=40_000, balance_micro=10_000 * WATT)
    world = founding.start()
    world.do("bob", Transfer(world.accounts["supplier"], 5_000 * WATT))
    assert world.code("hub", OpenPortfolio(pseudonym("pool"), 11, RULE)) == "OK"
    for name in SITES:
        assert world.code(name, JoinPortfolio(pseudonym(name), pseudonym("pool"), RULE)) == "OK"
        assert world.code("hub", AcceptMember(pseudonym(name))) == "OK"
    return world


@cache
def wednesday() -> World:
    """The same on Wednesday at 11:46, and no meter has counted anything so far."""
    world = go_on(monday(), RULE)
    for interval in range(interval_at(10), WEDNESDAY_NOON - 1):
        report(world, interval, {})
    return world


def go_on(origin: World, rule: SplitRule) -> World:
    """A copy of a world, by another rule."""
    state = import_state(CONSORTIUM, origin.export())[0]
    state.put(SPLIT_RULES, pseudonym("pool"), rule)
    world = World(export_state(CONSORTIUM, state), origin.signers, origin.accounts, origin.sites)
    world.nonces, world.sequence = dict(origin.nonces), origin.sequence
    return world


def trade(world: World, interval: int, sold_wh: int, bought_wh: int) -> None:
    """The portfolio sells to bob and buys from him."""
    if sold_wh:
        assert world.code("hub", sell("pool", sold_wh, interval, 4 * WATT, f"s{interval}")) == "OK"
        assert world.code("bob", buy("bob", sold_wh, interval, 5 * WATT, f"b{interval}")) == "OK"
    if bought_wh:
        hydro = int(Source.HYDRO)
        assert world.code("bob", sell("bob", bought_wh, interval, 3 * WATT, f"a{interval}", source=hydro)) == "OK"
        assert world.code("hub", buy("pool", bought_wh, interval, 4 * WATT, f"p{interval}")) == "OK"


def report(world: World, interval: int, energies_wh: dict[str, tuple[int, int]], *silent: str) -> None:
    """The interval ends, and one before it that nobody told of; the meters count so much, and report unless they are
    silent."""
    if interval == WEDNESDAY_NOON:
        report(world, interval - 1, {})
    world.skip_to(interval_end_ms(interval) + 1)
    readings = [world.meter(name, interval, *energies_wh.get(name, (0, 0))) for name in (*SITES, "bob")]
    said = [reading for reading, name in zip(readings, (*SITES, "bob"), strict=True) if name not in silent]
    if said:
        assert world.code("operator", world.submit(*said)) == "OK"
