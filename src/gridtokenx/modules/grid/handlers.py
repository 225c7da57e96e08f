"""The grid's operators say what their links carry."""

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY, energy_wh_of, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.messages import GridCode, LinkKind, SetCapacity, SetLimit
from gridtokenx.modules.grid.network import NETWORKS, network_of
from gridtokenx.modules.grid.state import LIMITS, LINKS, REOPENED, Limit, Link, invariants, link_key
from gridtokenx.modules.grid.topology import DISTRIBUTORS, TOPOLOGY, Step, border_step, feeder_step
from gridtokenx.modules.identity.messages import IdentityCode, RoleName
from gridtokenx.modules.identity.rosters import first_unopened
from gridtokenx.modules.identity.state import require_role


def set_limit(state: State, context: Context, message: SetLimit) -> tuple[int, ...]:
    """`LINK_UNKNOWN`, `NOT_AUTHORISED`. Receipt: the first interval for which it counts."""
    step = own_step(state, context, message)
    first = first_unopened(context.time_ms)
    limit_link(state, step, first, message.forward_w, message.backward_w)
    return (first,)


def limit_link(state: State, step: Step, first: int, forward_w: int, backward_w: int) -> None:
    """From interval `first` on a link carries so much along the step and against it. Forgets what no interval of the
    day before needs any more."""
    key = link_key(step >> 1)
    known = state.get(LIMITS, key)
    earlier = [] if known is None else [change for change in known.changes if change[0] < first]
    needed = first - 4 * INTERVALS_PER_DAY
    while len(earlier) > 1 and earlier[1][0] <= needed:
        del earlier[0]
    state.put(LIMITS, key, Limit((*earlier, (first, *in_direction(step, forward_w, backward_w)))))


def set_capacity(state: State, context: Context, message: SetCapacity) -> tuple[int, ...]:
    """`LINK_UNKNOWN`, `NOT_AUTHORISED`, `INTERVAL_PASSED`, `INTERVALS_INVALID` (none, or not all of them are open),
    `LINK_WITHOUT_LIMIT` (a feeder's link that one of them does not count). Receipt: how many intervals changed."""
    step = own_step(state, context, message)
    last = message.interval + message.intervals - 1
    if message.interval <= interval_of(context.time_ms):
        raise Rejected(GridCode.INTERVAL_PASSED, "interval")
    if not message.intervals or last >= first_unopened(context.time_ms):
        raise Rejected(GridCode.INTERVALS_INVALID, "intervals")
    forward_wh, backward_wh = in_direction(step, message.forward_w, message.backward_w)
    for interval in range(message.interval, last + 1):
        network = network_of(state, interval)
        link = network.link(step >> 1)
        if link is None:
            raise Rejected(GridCode.LINK_WITHOUT_LIMIT, "first")
        network.put(state, step >> 1, Link(forward_wh, backward_wh, link.net_wh))
    return (message.intervals,)


def own_step(state: State, context: Context, message: SetLimit | SetCapacity) -> Step:
    """The step from the link's first end to its second: `LINK_UNKNOWN`; `NOT_AUTHORISED` if it is not the sender's."""
    topology = state.index(TOPOLOGY)
    if message.link == LinkKind.BORDER:
        if message.second not in topology.neighbours.get(message.first, ()):
            raise Rejected(GridCode.LINK_UNKNOWN, "first")
        require_role(state, context.sender, RoleName.TRANSMISSION)
        return border_step(message.first, message.second)
    if message.link != LinkKind.FEEDER or message.first not in topology.zone_of or message.second:
        raise Rejected(GridCode.LINK_UNKNOWN, "first")
    if state.index(DISTRIBUTORS)[message.first] != context.sender:
        raise Rejected(IdentityCode.NOT_AUTHORISED, "sender")
    return feeder_step(message.first, out=True)


def in_direction(step: Step, forward_w: int, backward_w: int) -> tuple[int, int]:
    """What a link carries each way in an interval, in Wh, as its own direction has it."""
    forward_wh, backward_wh = energy_wh_of(forward_w), energy_wh_of(backward_w)
    return (backward_wh, forward_wh) if step & 1 else (forward_wh, backward_wh)


MODULE = Module(
    name="grid",
    codes=GridCode,
    tables=(LIMITS, LINKS, REOPENED),
    handlers={SetLimit: set_limit, SetCapacity: set_capacity},
    indexes=(TOPOLOGY, DISTRIBUTORS, NETWORKS),
    urgent=frozenset({SetLimit, SetCapacity}),
    invariants=invariants,
)
