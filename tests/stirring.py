"""What stirs a market (`traffic.py`), from a seed: halts by hand and their ends, links that carry less or more for a
while, makers who come and go, icebergs and orders that stay near. It knows no rule; much of it is refused."""

import random

from msgspec.structs import replace
from tests.world import WATT, World, buy, pseudonym, sell

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import (
    EndMaker,
    EnrolMaker,
    Halt,
    HaltReason,
    MakerTerms,
    PlaceOrder,
    Resume,
    SetMakerProgramme,
)
from gridtokenx.modules.market.state import HALTS

PROGRAMME = MakerTerms(2 * WATT, 200, 500, 3_600_000, 500_000, 3, 4)
ENDED = replace(PROGRAMME, makers_max=0)


class Stirring:
    """One block after the other."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed + 2)

    def wires(self) -> list[bytes]:
        """What offices and the dealer send in this block."""
        world, draw, found = self.world, self.random, []
        if draw.random() < 0.06:
            found.append(world.sign("operator", self._of_operator()))
        if draw.random() < 0.05:
            found.append(world.sign("egat", self._capacity(LinkKind.BORDER, *draw.choice(((1, 2), (2, 3))))))
        if draw.random() < 0.02:
            found.append(world.sign("mea", self._capacity(LinkKind.FEEDER, 12, 0)))
        if draw.random() < 0.05:
            come_or_go = draw.choice((EnrolMaker, EnrolMaker, EndMaker))
            found.append(world.sign("dealer", come_or_go(pseudonym("dealer"))))
        if draw.random() < 0.1:
            found.append(world.sign("dealer", *self._quotes()))
        return found

    def _quotes(self) -> list[PlaceOrder]:
        """Of the dealer, on both sides of one price."""
        draw = self.random
        interval, middle = self.world.time_ms // INTERVAL_MS + draw.randint(1, 5), draw.randrange(3_000, 5_000) * 1_000
        name = f"quote {interval} {middle}"
        conventional = int(Source.CONVENTIONAL)
        return [
            sell("dealer", 400, interval, middle + 400_000, f"{name} ask", source=conventional),
            buy("dealer", 400, interval, middle - 400_000, f"{name} bid"),
        ]

    def dressed(self, order: PlaceOrder) -> PlaceOrder:
        """Some orders stay in their zone or on their feeder, some show a part of themselves."""
        draw = self.random
        order = replace(order, scope=draw.choice((0, 0, 0, 0, 1, 2)))
        if draw.random() < 0.2:
            return replace(order, display_wh=max(100, order.quantity_wh // draw.randrange(2, 8)), minimum_wh=0)
        return order

    def _of_operator(self) -> Halt | Resume | SetMakerProgramme:
        draw, now = self.random, self.world.time_ms
        place = draw.choice((0, now // INTERVAL_MS + draw.randint(1, 5))), draw.randrange(4)
        kind = draw.random()
        if kind < 0.1:
            return SetMakerProgramme(draw.randint(1, 3), draw.choice((PROGRAMME, PROGRAMME, ENDED)))
        if kind < 0.5:
            halts = sorted(self.world.state.rows[HALTS.prefix])
            key = draw.choice(halts) if halts else bytes(5)
            return Resume(int.from_bytes(key[:4], "big"), key[4])
        until_ms = draw.choice((0, now + 60_000, now + 600_000, now + 3_600_000))
        return Halt(*place, until_ms, int(draw.choice([reason for reason in HaltReason if reason])))

    def _capacity(self, kind: LinkKind, first: int, second: int) -> SetCapacity:
        draw = self.random
        interval = self.world.time_ms // INTERVAL_MS + draw.randint(1, 5)
        there_w, back_w = (draw.choice((0, 4_000, 16_000, 40_000)) for _ in range(2))
        return SetCapacity(int(kind), first, second, interval, draw.randint(1, 4), there_w, back_w)
