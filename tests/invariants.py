"""What must hold after every block, whatever happened: hung into a `World`, it raises AssertionError.

The auditor's findings, the modules' own invariants, and derived structures equal to those built anew.
"""

from typing import Any

from tests.world import World

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import schedule
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.genesis import genesis_rows
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import NETWORKS, network_of
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.rosters import FIRST_INTERVALS
from gridtokenx.modules.market.book import BOOKS
from gridtokenx.modules.market.presence import QUOTES
from gridtokenx.modules.market.state import DUES_BY_INTERVAL, DUTIES_BY_INTERVAL, POSITIONS_BY_INTERVAL
from gridtokenx.modules.settlement.state import (
    PAYABLES,
    PAYABLES_BY_AGE,
    PORTFOLIO_LIST,
    REGISTERS_BY_INTERVAL,
    SPLITS_BY_INTERVAL,
    STATEMENTS_BY_INTERVAL,
    payable_age,
)
from gridtokenx.simulation.auditor import Auditor


class Watch:
    """Looks at every block of a world. The full state is audited by `finish`."""

    def __init__(self, world: World) -> None:
        self.world = world
        rows = tuple(genesis_rows("consortium", world.genesis))
        self.auditor = Auditor(CONSORTIUM, rows)
        findings = self.auditor.check_state(rows)
        assert not findings, findings
        world.watchers.append(self.look)

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        """After one block."""
        findings = self.auditor.check_block(block, outcome)
        assert not findings, "\n".join(findings)
        check_modules(self.world.state)
        check_indexes(self.world.state)

    def finish(self) -> None:
        """The auditor's copy is the state, and all of it adds up."""
        findings = self.auditor.check_state(tuple(genesis_rows("consortium", self.world.export())))
        assert not findings, "\n".join(findings)


def check_modules(state: State) -> None:
    """What the modules say of themselves."""
    broken = [sentence for module in CONSORTIUM.modules for sentence in module.invariants(state)]
    assert not broken, "\n".join(broken)


def check_indexes(state: State) -> None:
    """Every derived structure is what one built from the tables would be."""
    lived = picture(state)
    anew = State()
    anew.rows = state.rows
    anew.rebuild_indexes(CONSORTIUM.indexes)
    assert lived == picture(anew)
    for interval in state.index(NETWORKS):
        network_of(anew, interval)
    assert network_picture(state) == network_picture(anew)


def picture(state: State) -> dict[str, Any]:
    """All derived structures as plain values, without what may differ: stale entries of the heaps."""
    waiting = {payable_age(account, payable) for account, payable in state.items(PAYABLES)}
    scheduled = state.rows[schedule.SCHEDULE.prefix]
    topology = state.index(TOPOLOGY)
    by_interval = (
        *(POSITIONS_BY_INTERVAL, DUES_BY_INTERVAL, REGISTERS_BY_INTERVAL, STATEMENTS_BY_INTERVAL),
        *(SPLITS_BY_INTERVAL, DUTIES_BY_INTERVAL),
    )
    return {
        "due": sorted({key for key in state.index(schedule.DUE) if key in scheduled}),
        "books": book_picture(state),
        "topology": {name: getattr(topology, name) for name in type(topology).__slots__ if name != "searches"},
        "payables": sorted({age for age in state.index(PAYABLES_BY_AGE) if age in waiting}),
        "first_intervals": dict(sorted(state.index(FIRST_INTERVALS).items())),
        "portfolios": state.index(PORTFOLIO_LIST).current(state),
        "maker_quotes": {
            own: (dict(sorted(quotes.orders.items())), [(side.ranks, side.sums) for side in quotes.sides])
            for own, quotes in sorted(state.index(QUOTES).items())
        },
        **{
            index.name: {number: sorted(keys) for number, keys in state.index(index).by_interval.items()}
            for index in by_interval
        },
    }


def book_picture(state: State) -> dict[Any, Any]:
    """Interval → of each queue limits and entries in order, and how it stands behind its front, if it does."""
    return {
        interval: {
            number: (
                [(rank, list(queue.levels[rank])) for rank in queue.ranks],
                queue.front is not None and [queue.half.only is None and head[:2] for head in queue.front.heads],
            )
            for number, queue in sorted(book.queues.items())
        }
        for interval, book in state.index(BOOKS).items()
    }


def network_picture(state: State) -> dict[Any, Any]:
    """Interval → which steps over its links are full, as lived and as looked at anew."""
    lived = state.index(NETWORKS)
    return {interval: (sorted(network.closed), network.full) for interval, network in sorted(lived.items())}
