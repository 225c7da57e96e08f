"""Auctions worked out by hand, as a table of lines (B8, B3).

`sell a 2.000 300` and `buy a 3.000 300`: an order in zone a, in WATT per kWh and Wh. `link a b 100 50 0.300`: free
capacity from a to b and back, and wheeling. After the orders stands what is expected: `price a 2.500` (or `none`),
`flow a b 100` and `rent a b 0.012` (in WATT; of several links between them one after the other), `sold a 300`,
`bought a 200`, `cut a 2.000 100 0`, `welfare 0.300`.
"""

import pytest
from tests.unit.modules.market.auction_model import run

from gridtokenx.modules.market.auction.clearing import Entry, Method, Outcome
from gridtokenx.modules.market.auction.problem import Link

EXAMPLES = {
    "one zone, prices between the last that trade and the next": """
        sell a 1.000 300
        sell a 2.000 300
        buy a 4.000 200
        buy a 3.000 300
        buy a 1.500 900
        sold a 500
        bought a 500
        cut a 2.000 200 0
        price a 2.000
        welfare 1.000
    """,
    "one zone, all of both steps trades: the middle": """
        sell a 1.000 300
        sell a 2.600 300
        buy a 3.000 300
        buy a 1.500 300
        sold a 300
        price a 2.050
        welfare 0.600
    """,
    "the middle is rounded down to the tick": """
        sell a 1.000 100
        buy a 1.001 100
        sold a 100
        price a 1.000
        welfare 0.0001
    """,
    "rounded down also below zero, where nothing trades": """
        sell a 0.001 100
        buy a -0.002 100
        sold a 0
        price a -0.001
        welfare 0
    """,
    "nothing crosses: a price, but no trade": """
        sell a 3.000 100
        buy a 2.000 100
        sold a 0
        bought a 0
        cut a 2.000 0 0
        price a 2.500
    """,
    "only sellers: no price": """
        sell a 3.000 100
        sold a 0
        price a none
        welfare 0
    """,
    "only buyers: no price": """
        buy a 3.000 100
        bought a 0
        price a none
    """,
    "nobody at all": """
        link a b 100 100 0.300
        price a none
        price b none
        flow a b 0
    """,
    "all at one price: as much as possible trades, at that price": """
        sell a 2.000 500
        buy a 2.000 300
        sold a 300
        bought a 300
        cut a 2.000 300 300
        price a 2.000
        welfare 0
    """,
    "a tie at the marginal level: the longer side is cut": """
        sell a 1.000 100
        sell a 2.000 100
        buy a 3.000 150
        buy a 2.000 200
        sold a 200
        bought a 200
        cut a 2.000 100 50
        price a 2.000
    """,
    "two zones, more than enough capacity: prices differ by wheeling": """
        sell a 1.000 900
        buy b 3.000 500
        sell b 2.000 500
        link a b 9000 9000 0.300
        flow a b 500
        price a 1.000
        price b 1.300
        sold b 0
        bought b 500
        rent a b 0
        welfare 0.850
    """,
    "two zones, the border fills: what the prices differ by beyond wheeling is rent": """
        sell a 1.000 900
        buy b 3.000 500
        sell b 2.000 500
        link a b 200 0 0.300
        flow a b 200
        price a 1.000
        price b 2.000
        sold b 300
        rent a b 0.140
        welfare 0.640
    """,
    "two zones, no free capacity: each alone": """
        sell a 1.000 900
        buy a 1.200 100
        buy b 3.000 500
        sell b 2.000 500
        link a b 0 900 0.300
        flow a b 0
        price a 1.000
        price b 2.500
        rent a b 0
        welfare 0.520
    """,
    "energy flows from the second zone to the first": """
        buy a 3.000 500
        sell b 1.000 500
        sell b 1.200 500
        link a b 0 400 0.300
        flow a b -400
        price a 3.000
        price b 1.000
        rent a b 0.680
    """,
    "a gain as large as wheeling is no reason to carry": """
        sell a 1.000 500
        buy b 1.300 500
        link a b 900 900 0.300
        flow a b 0
        sold a 0
        price a 1.000
        price b 1.300
        welfare 0
    """,
    "over a border without wheeling zones are one, and equals do not flow": """
        sell a 1.000 100
        buy a 1.000 100
        sell b 1.000 100
        buy b 1.000 100
        link a b 900 900 0
        flow a b 0
        sold a 100
        sold b 100
        price a 1.000
        price b 1.000
    """,
    "three in a ring: the direct border first, then round about": """
        sell a 1.000 900
        buy c 3.000 500
        link a b 900 900 0.300
        link b c 200 900 0.300
        link c a 900 250 0.300
        flow c a -250
        flow a b 200
        flow b c 200
        price a 1.000
        price b 1.300
        price c 3.000
        rent a b 0
        rent b c 0.280
        rent c a 0.425
        welfare 0.705
    """,
    "a ring of equals: nothing goes round": """
        sell a 1.000 100
        buy a 1.000 100
        link a b 900 900 0
        link b c 900 900 0
        link c a 900 900 0
        flow a b 0
        flow b c 0
        flow c a 0
        price b 1.000
    """,
    "two equal lines: the last one carries least": """
        sell a 1.000 500
        buy b 3.000 500
        link a b 300 300 0.300
        link a b 300 300 0.300
        flow a b 300 200
        price a 1.850
        price b 2.150
    """,
    "a zone through which energy only passes has a price": """
        sell a 1.000 500
        buy c 3.000 500
        link a b 300 300 0.300
        link b c 900 900 0.300
        flow a b 300
        flow b c 300
        price a 1.000
        price b 2.700
        price c 3.000
        sold b 0
    """,
    "a feeder behind a full line": """
        sell f 0.500 800
        buy f 2.000 100
        sell z 3.000 500
        buy z 4.000 500
        link f z 300 300 0
        flow f z 300
        price f 0.500
        price z 3.000
        sold f 400
        sold z 200
        rent f z 0.750
    """,
}


def micro(text: str) -> int:
    """`1.250` WATT as millionths."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.removeprefix("-").partition(".")
    return sign * (int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0))


def told(outcome: Outcome, names: list[str], links: list[Link], line: list[str]) -> list[object]:
    """What the outcome says of that of which a line of an example has its last words."""
    match line:
        case ["welfare", _]:
            return [outcome.welfare_micro]
        case ["flow" | "rent" as what, a, b, *_]:
            values = outcome.flows_wh if what == "flow" else outcome.rents_micro
            ends = (names.index(a), names.index(b))
            return [value for value, link in zip(values, links, strict=True) if (link.a, link.b) == ends]
        case ["cut", name, *_]:
            cut = outcome.cuts[names.index(name)]
            return [] if cut is None else [cut.price_micro, cut.sell_wh, cut.buy_wh]
    values_of = {"price": outcome.prices_micro, "sold": outcome.sold_wh, "bought": outcome.bought_wh}
    return [values_of[line[0]][names.index(line[1])]]


def wanted(line: list[str]) -> list[object]:
    match line:
        case ["price", _, "none"]:
            return [None]
        case ["price", _, amount] | ["welfare", amount]:
            return [micro(amount)]
        case ["rent", _, _, *amounts]:
            return [micro(amount) for amount in amounts]
        case ["flow", _, _, *flows]:
            return [int(flow) for flow in flows]
        case ["cut", _, price, sell, buy]:
            return [micro(price), int(sell), int(buy)]
    return [int(line[-1])]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_out_as_worked_by_hand(name: str) -> None:
    lines = [line.split() for line in EXAMPLES[name].strip().splitlines()]
    zones = {zone for line in lines for zone in (line[1:3] if line[0] == "link" else line[1:2]) if zone.isalpha()}
    names = sorted(zones)
    links: list[Link] = []
    entries: list[Entry] = []
    expected: list[list[str]] = []
    for line in lines:
        match line:
            case ["sell" | "buy" as side, zone, price, quantity]:
                entries.append((names.index(zone), side == "sell", micro(price), int(quantity)))
            case ["link", a, b, forward, backward, cost]:
                links.append(Link(names.index(a), names.index(b), int(forward), int(backward), micro(cost)))
            case _:
                expected.append(line)
    outcome = run(len(names), links, entries)
    assert outcome.method == Method.SOLVED
    for line in expected:
        assert told(outcome, names, links, line) == wanted(line), line
