"""Cheats over seeds: what they gain, with the rule of the draw and without it."""

from enum import Enum
from typing import NamedTuple

from gridtokenx.ledger.block import BlockOutcome, draw_of
from gridtokenx.ledger.codec import Decoder
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import NOBODY, Trade
from gridtokenx.simulation.blockorder.flow import Flow, Step
from gridtokenx.simulation.blockorder.front_runner import Planner, victims_in
from gridtokenx.simulation.blockorder.replay import Replay

BLOCK_MS = 1_000
"""After it was sent an order stands in a block."""

GATEWAYS = 4
"""One of so many, each with an equal share of the homes, cheats its own users."""

_decode_trade: Decoder[Trade] = Decoder(Trade)


class Place(Enum):
    """Where the cheat's transactions stand."""

    NOWHERE = "honest"
    FIRST = "first"
    """Before all others, whenever it likes: the proposer without the rule; and a gateway that holds its users' orders
    back for a block, by any rule."""
    DRAWN = "drawn"
    """Where the draw puts them, which it knows before it sends."""
    LEAVING_OUT = "leaving out"
    """Where the draw puts them; but if it does not come before all whom it wants to come before, its block holds its
    own transactions alone, and the others' stand in the next."""


class Cheat(NamedTuple):
    """Who cheats: under how many participants, and whose orders it sees (one of how many gateways; 1: all)."""

    place: Place
    participants: int = 1
    gateways: int = 1


class Played(NamedTuple):
    """What one run came to. `victims_wh`: what victims traded with the cheat; `traded_wh`: all trades but the cheat's
    first legs; `left_out`: blocks from which the cheat left out everybody else."""

    gain_micro: int
    homes_micro: int
    victims_wh: int
    traded_wh: int
    attacks: int
    left_out: int


class _Run:
    def __init__(self, flow: Flow, cheat: Cheat, seed: int) -> None:
        self._cheat = cheat
        self._seed = seed
        """Draws the dealers, and which homes are a cheating gateway's."""
        self._replay = Replay(flow.scenario, cheat.participants, seed)
        self._own = frozenset(dealer.owner.participant for dealer in self._replay.dealers)
        self._accounts = tuple(dealer.owner.account for dealer in self._replay.dealers)
        self._client_id = 1
        self._victims_wh = 0
        self._traded_wh = 0
        self._attacks = 0
        self._left_out = 0

    def play(self, flow: Flow) -> Played:
        """All of it; what the cheat and the homes have more than at the beginning."""
        replay = self._replay
        before_micro, homes_micro = replay.balance_micro(self._accounts), replay.balance_micro(replay.homes)
        for step in flow.steps:
            self._step(step)
        replay.block(max(flow.end_ms, replay.time_ms + 1), ())
        return Played(
            replay.balance_micro(self._accounts) - before_micro,
            replay.balance_micro(replay.homes) - homes_micro,
            self._victims_wh,
            self._traded_wh,
            self._attacks,
            self._left_out,
        )

    def _step(self, step: Step) -> None:
        time_ms = step.time_ms + BLOCK_MS
        own, stands_alone = self._attack(step, time_ms)
        if stands_alone:
            self._count(self._replay.block(time_ms - 1, own))
            own = []
        self._count(self._replay.block(time_ms, (*step.transactions, *own)))

    def _attack(self, step: Step, time_ms: int) -> tuple[list[bytes], bool]:
        """The cheat's transactions, and whether they stand in a block before the others'."""
        place, replay, app_hash = self._cheat.place, self._replay, self._replay.app_hash
        if place is Place.NOWHERE:
            return [], False
        dealer = min(replay.dealers, key=lambda one: draw_of(app_hash, one.owner.participant))
        own_draw = draw_of(app_hash, dealer.owner.participant)
        planner = Planner(replay.state, time_ms, dealer.portfolio, self._own, self._client_id)
        planned = list(planner.attacks(self._seen(step)))
        self._client_id = planner.first_client_id
        lucky = [attack for attack in planned if own_draw < draw_of(app_hash, attack.victim)]
        leaves_out = place is Place.LEAVING_OUT and len(lucky) < len(planned)
        chosen = lucky if place is Place.DRAWN else planned
        self._attacks += len(chosen)
        self._left_out += leaves_out
        wires = [replay.sign(dealer, time_ms, leg) for attack in chosen for leg in attack.legs]
        return wires, bool(wires) and (place is Place.FIRST or leaves_out)

    def _seen(self, step: Step) -> list[bytes]:
        """Of the transactions those that the cheat sees in time."""
        if self._cheat.gateways == 1:
            return list(step.transactions)
        return [
            wire
            for wire in step.transactions
            if all(
                (int.from_bytes(victim.participant, "big") + self._seed) % self._cheat.gateways == 0
                for victim in victims_in(self._replay.state, [wire])
            )
        ]

    def _count(self, outcome: BlockOutcome) -> None:
        for encoded in outcome.trades:
            trade = _decode_trade.trusted(encoded)
            if trade.buyer == NOBODY:
                continue  # of an auction purchases count
            taker, maker = trade.buyer, trade.seller
            if trade.taker_side == Side.SELL:
                taker, maker = maker, taker
            if taker in self._accounts:
                continue
            self._traded_wh += trade.quantity_wh
            if maker in self._accounts:
                self._victims_wh += trade.quantity_wh


def play(flow: Flow, cheat: Cheat, seed: int) -> Played:
    """One cheat under recorded flow, on a chain of its own."""
    return _Run(flow, cheat, seed).play(flow)
