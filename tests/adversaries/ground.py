"""Where attacks are tried: seven zones in a row, a feeder in each and more in the second one, victims who trade as ever
and strangers (`eve`, one a feeder) who can do what licences, connections and money allow, and have plenty of each.
"""

from msgspec.structs import replace
from tests.adversaries.work import work_of
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, at, decode_receipt

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.limits import MESSAGES_PER_TRANSACTION_MAX
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.book import book_of
from gridtokenx.modules.market.state import ORDERS

ZONES = 7
HOME_FEEDERS = (11, 21, 31, 41, 51, 61, 71)
"""One in each zone."""

ALL_SOURCES = dict.fromkeys(Source, 10**8)


def eve(feeder: int) -> str:
    """The attacker on a feeder; each is a stranger to the others."""
    return f"eve{feeder}"


def neighbour(feeder: int) -> str:
    """A stranger beside the attacker, on the feeders that are more than one in each zone."""
    return f"neighbour{feeder}"


class Ground:
    """A market under attack; where blocks are few and small, `watched` by the auditor and the ledger's invariants.
    `borders_wh`: what the border of a zone and the next one carries each way."""

    def __init__(
        self,
        more_feeders: int = 0,
        closed_feeders: bool = False,
        borders_wh: dict[int, int] | None = None,
        watched: bool = False,
    ) -> None:
        # Bands have attacks of their own; here orders at all prices must meet.
        founding = Founding(replace(DEFAULT_TERMS, band_ppm=0), at(9, 50))
        for zone in range(4, ZONES + 1):
            founding.builder.add_zone(zone, f"zone {zone}", founding.accounts["pea"], (zone - 1,))
            founding.builder.add_feeder(zone * 10 + 1, zone, f"feeder {zone}1")
        self.more = tuple(range(1_000, 1_000 + more_feeders))
        """Feeders in the second zone; if closed, nothing may leave them or come in."""
        for feeder in self.more:
            founding.builder.add_feeder(feeder, 2, f"feeder {feeder}")
            if closed_feeders:
                founding.builder.limit_feeder(feeder, 0, 0)
        for zone, limit_wh in (borders_wh or {}).items():
            founding.builder.limit_border(zone, zone + 1, limit_wh * 4, limit_wh * 4)
        for feeder in (*HOME_FEEDERS, *self.more):
            founding.add_home(eve(feeder), feeder, ALL_SOURCES, 10**8, 10**7 * WATT)
        for name, feeder in (("buyer", 11), ("seller", 21), *((neighbour(feeder), feeder) for feeder in self.more)):
            founding.add_home(name, feeder, ALL_SOURCES, 10**8, 10**7 * WATT)
        self.world = founding.start()
        if watched:
            Watch(self.world)

    def do(self, who: str, *messages: Message) -> list[tuple[int, ...]]:
        """All of them in one block; their results. Each must be taken."""
        steps = range(0, len(messages), MESSAGES_PER_TRANSACTION_MAX)
        wires = [self.world.sign(who, *messages[step : step + MESSAGES_PER_TRANSACTION_MAX]) for step in steps]
        outcome = self.world.block(self.world.batch(*wires))
        results: list[tuple[int, ...]] = []
        for receipt in map(decode_receipt, outcome.batches[0].receipts):
            assert receipt.code == 0, (CONSORTIUM.codes[receipt.code], receipt.failed)
            results += receipt.results
        return results

    def work(self, who: str, *messages: Message) -> int:
        """Instructions that the ledger's handlers take for these messages of one sender, now; nothing of it stays."""
        state = self.world.state
        context = Context(self.world.chain, 2**32, self.world.time_ms + 1, self.world.accounts[who])
        handlers = {kind: handler for module in CONSORTIUM.modules for kind, handler in module.handlers.items()}
        before = len(state.undo)

        def handle() -> None:
            for message in messages:
                handlers[type(message)](state, context, message)

        try:
            return work_of(handle)
        finally:
            state.roll_back(before)

    def open_orders(self) -> int:
        """How many rest."""
        return len(self.world.state.rows[ORDERS.prefix])

    def fronts(self) -> int:
        """Of the interval's book: what others have to look at."""
        book = book_of(self.world.state, NOON)
        return len(book.buyers.fronts) + len(book.sellers.fronts)
