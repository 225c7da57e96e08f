"""What of the public book concerns a site: the energy that rests where any way leads to."""

from collections.abc import Mapping

from gridtokenx.simulation.genesis import NEIGHBOURS, feeder_number
from gridtokenx.simulation.observation import BookView
from gridtokenx.simulation.scenario import Scenario

BooksByFeeder = Mapping[int, Mapping[int, BookView]]
"""By interval and feeder."""


def feeders_reached(scenario: Scenario) -> dict[str, frozenset[int]]:
    """By site and maker, the feeders to which any way leads: those of its zone, and of zones beyond borders that carry
    anything at all."""
    closed = {
        frozenset((border.from_zone, border.to_zone))
        for border in scenario.borders
        if not border.forward_w and not border.backward_w
    }
    found: dict[str, frozenset[int]] = {}
    for zone in dict.fromkeys(place.zone for place in scenario.places):
        reached, waiting = {zone}, [zone]
        while waiting:
            here = waiting.pop()
            beyond = [
                each for each in NEIGHBOURS[here] if each not in reached and frozenset((here, each)) not in closed
            ]
            reached.update(beyond)
            waiting += beyond
        feeders = frozenset(feeder_number(scenario, place) for place in scenario.places if place.zone in reached)
        found |= {site.name: feeders for site in scenario.sites if scenario.place_of(site).zone == zone}
        found |= {maker.name: feeders for maker in scenario.makers if scenario.zone == zone}
    return found


def add_level(books: dict[int, BookView], feeder: int, buys: bool, energy_wh: int) -> None:
    """So much more rests on one side of a feeder's book."""
    book = books.get(feeder, BookView(0, 0))
    bid_wh, ask_wh = (energy_wh, 0) if buys else (0, energy_wh)
    books[feeder] = BookView(book.bid_wh + bid_wh, book.ask_wh + ask_wh)


def together(books: BooksByFeeder, feeders: frozenset[int]) -> dict[int, BookView]:
    """What rests on any of these feeders, by interval."""
    return {
        interval: BookView(
            sum(book.bid_wh for feeder, book in by_feeder.items() if feeder in feeders),
            sum(book.ask_wh for feeder, book in by_feeder.items() if feeder in feeders),
        )
        for interval, by_feeder in books.items()
    }
