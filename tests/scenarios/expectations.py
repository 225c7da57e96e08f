"""What a scenario expects: receipts, accounts, books, trades, statements."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.consortium import Consortium
from tests.scenarios.words import ScenarioError, amount, energy, interval_of, span, time_of
from tests.world import pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.freeze import is_frozen
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.ledger.validator import VALIDATORS, address_of
from gridtokenx.modules.authority.state import KEY_OWNERS, MISDEEDS, MisdeedKind, Outcome
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import FEEDER_LINK
from gridtokenx.modules.identity.rosters import roster_at
from gridtokenx.modules.identity.state import zone_key
from gridtokenx.modules.identity.storage import STORAGE_LEVELS
from gridtokenx.modules.market import prices
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.messages import HaltReason, Side
from gridtokenx.modules.market.presence import counted_ms, present_ms, standstills
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    CLEARINGS,
    HALTS,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    NOBODY,
    ORDERS,
    POSITIONS,
    MakerEnd,
    Verdict,
    zone_interval_key,
)
from gridtokenx.modules.settlement.state import PAYABLES, SPLITS, STATEMENTS, Quality, Stage, settlement_of
from gridtokenx.modules.tokens.state import money

if TYPE_CHECKING:
    from tests.scenarios.table import Player


def check_receipt(expected: str, name: str, receipt: Receipt) -> None:
    """`OK`, `OK fills 1 kWh rests 0.5 kWh`, `OK left 1 kWh`, or a code."""
    code, _, rest = expected.partition(" ")
    assert name == code, f"got {name} {receipt.results}"
    if not rest:
        return
    (result,) = receipt.results
    if found := re.fullmatch(r"fills (\S+ \w+) rests (\S+ \w+)", rest):
        wanted = tuple(energy(*part.split()) for part in found.groups())
        assert result[1:] == wanted, f"filled and rests {result[1:]} Wh"
    elif found := re.fullmatch(r"left (\S+ \w+)", rest):
        assert result == (energy(*found[1].split()),), f"left {result} Wh"
    else:
        raise ScenarioError(f"{rest!r} is no outcome")


def check(player: "Player", what: str, expected: str) -> None:
    """One `expect` line."""
    subject, _, rest = what.partition(" ")
    checks = {
        "book": _book,
        "blocks": _blocks,
        "trades": _trades,
        "links": _links,
        "auction": _auction,
        "price": _price,
        "band": _band,
        "halt": _halt,
        "statement": _statement,
        "position": _position,
        "split": _split,
        "share": _share,
        "roster": _roster,
        "stored": _stored,
        "money": _money,
        "tariff": _tariff,
        "interval": _interval,
        "summary": _summary,
        "validators": _validators,
        "misdeeds": _misdeeds,
        "member": _member,
        "seats": _seats,
        "proposal": _proposal,
        "reputation": _reputation,
        "market": _market,
        "duty": _duty,
        "makers": _makers,
    }
    if subject in checks:
        checks[subject](player, rest, expected)
    else:
        _account(player, what, expected)


def _shown(micro: int) -> str:
    return f"{Decimal(micro) / 10**6:,.6f}"


def _name_of(player: "Player", account: bytes) -> str:
    if account == NOBODY:
        return "auction"
    return next(name for name, own in player.world.accounts.items() if own == account)


def _account(player: "Player", name: str, expected: str) -> None:
    account = player.world.account(name)
    payable = player.world.state.get(PAYABLES, player.world.accounts[name])
    real = {
        "balance": account.balance_micro,
        "held": account.held_micro,
        "free": account.balance_micro - account.held_micro,
        "debt": account.debt_micro,
        "owed": payable.amount_micro if payable else 0,
    }
    _compare({key: _shown(value) for key, value in real.items()}, expected, _amount_shown)


def _amount_shown(text: str) -> str:
    return _shown(amount(text))


def _compare(real: dict[str, str], expected: str, show: object) -> None:
    """`name value name value`: each as told."""
    assert callable(show)
    told = expected.split()
    for key, value in zip(told[::2], told[1::2], strict=True):
        assert key in real, f"there is no {key}, only {', '.join(real)}"
        assert real[key] == show(value), f"{key} is {real[key]}"


def _items(text: str) -> list[str]:
    return [] if text in ("empty", "none") else [part.strip() for part in text.split(";")]


def _book(player: "Player", when: str, expected: str) -> None:
    """Open orders, sellers first, best first, then in order of place; where an iceberg is told (`shows 500 Wh`), what
    each shows counts too."""
    tell_shown = " shows " in expected
    interval = interval_of(when, player.clock)
    orders = [
        (
            order.side != Side.SELL,
            order.price_micro * (1 if order.side == Side.SELL else -1),
            order.place,
            key,
            order,
        )
        for key, order in player.world.state.rows[ORDERS.prefix].items()
        if order.interval == interval
    ]
    real = []
    for *_, key, order in sorted(orders, key=lambda item: item[:3]):
        verb = "sells" if order.side == Side.SELL else "buys"
        name = _name_of(player, key[:32])
        shows = f" shows {order.shown_wh} Wh" if tell_shown and order.display_wh else ""
        real.append(f"{name} {verb} {order.remaining_wh} Wh at {_shown(order.price_micro)}{shows}")
    wanted = []
    for part in _items(expected):
        who, verb, number, unit, _, price, *shows = part.split()
        told = f" shows {energy(*shows[1:])} Wh" if shows else ""
        wanted.append(f"{who} {verb} {energy(number, unit)} Wh at {_amount_shown(price)}{told}")
    assert real == wanted, f"the book is {'; '.join(real) or 'empty'}"


def _blocks(player: "Player", _: str, expected: str) -> None:
    """Block orders that wait, the earliest first: `sun sells 1 kWh of 4 from 12:00 at 4.00`."""
    waiting = sorted(player.world.state.items(BLOCK_ORDERS), key=lambda item: item[1].place)
    real = [
        f"{_name_of(player, key[:32])} {'sells' if block.side == Side.SELL else 'buys'} {block.quantity_wh} Wh"
        f" of {block.intervals} from {block.interval} at {_shown(block.price_micro)}"
        for key, block in waiting
    ]
    wanted = []
    for part in _items(expected):
        who, verb, number, unit, _, count, _, when, _, price = part.split()
        first = interval_of(when, player.clock)
        wanted.append(f"{who} {verb} {energy(number, unit)} Wh of {count} from {first} at {_amount_shown(price)}")
    assert real == wanted, f"waiting are {'; '.join(real) or 'none'}"


def _links(player: "Player", when: str, expected: str) -> None:
    """What trades send over the links of an interval on balance, of those that carry something: `1-2 3 kWh`, against
    the direction `-3 kWh`; `12` for a feeder's link."""
    network = network_of(player.world.state, interval_of(when, player.clock))
    real = []
    for number in sorted(network.keys):
        link = network.link(number)
        if link is not None and link.net_wh:
            name = f"{number - FEEDER_LINK}" if number & FEEDER_LINK else f"{number >> 8}-{number & 255}"
            real.append(f"{name} {link.net_wh} Wh")
    wanted = []
    for part in _items(expected):
        name, number, unit = part.split()
        wanted.append(f"{name} {energy(number, unit)} Wh")
    assert real == wanted, f"the links carry {'; '.join(real) or 'none'}"


def _auction(player: "Player", when: str, expected: str) -> None:
    """Of each zone (or feeder with a limit) where anything traded its price, what it sold and bought, then flows and
    their rent: `1 at 1.00 sold 900 Wh bought 0 Wh; 1-2 500 Wh rent 0.14`; `nothing` of an auction without trades,
    `none` if there is none."""
    clearing = player.world.state.get(CLEARINGS, interval_key(interval_of(when, player.clock)))
    if clearing is None or expected == "none":
        assert clearing is None and expected == "none", f"the auction is {clearing}"
        return
    real = []
    for node in clearing.nodes:
        if node.sold_wh or node.bought_wh:
            name = node.place - FEEDER_LINK if node.place & FEEDER_LINK else node.place
            real.append(f"{name} at {_shown(node.price_micro)} sold {node.sold_wh} bought {node.bought_wh}")
    for link in sorted(clearing.links, key=lambda link: link.link):
        if link.flow_wh:
            name = f"{link.link - FEEDER_LINK}" if link.link & FEEDER_LINK else f"{link.link >> 8}-{link.link & 255}"
            real.append(f"{name} {link.flow_wh} rent {_shown(link.rent_micro)}")
    wanted = []
    for part in _items("none" if expected == "nothing" else expected):
        if found := re.fullmatch(r"(\d+) at (\S+) sold (\S+ \w+) bought (\S+ \w+)", part):
            name, price, sold, bought = found.groups()
            energies = energy(*sold.split()), energy(*bought.split())
            wanted.append(f"{name} at {_amount_shown(price)} sold {energies[0]} bought {energies[1]}")
        else:
            name, number, unit, _, rent = part.split()
            wanted.append(f"{name} {energy(number, unit)} rent {_amount_shown(rent)}")
    assert real == wanted, f"the auction is {'; '.join(real) or 'nothing'}"


def _at_place(player: "Player", rest: str) -> tuple[int, int]:
    """`1 12:00`, a zone and an interval."""
    zone, _, when = rest.partition(" ")
    return interval_of(when, player.clock), int(zone)


def _price(player: "Player", rest: str, expected: str) -> None:
    """`4.082; trades 0; renewable 0.0835`: the reference price of a zone, and those of its parts that are named."""
    state = player.world.state
    number, zone = _at_place(player, rest)
    interval = state.rows[INTERVALS.prefix][interval_key(number)]
    known = prices.reference_of(state, interval, terms_of(state, interval), number, zone)
    price, *parts = _items(expected)
    real = {"price": _shown(known.price_micro)}
    wanted = {"price": _amount_shown(price)}
    for part in parts:
        word, value = part.split()
        real[word] = _shown(getattr(known, f"{word}_micro"))
        wanted[word] = _amount_shown(value)
    assert real == wanted, f"it is {real}: {known}"


def _band(player: "Player", rest: str, expected: str) -> None:
    """`2.00 to 5.998`."""
    state = player.world.state
    number, zone = _at_place(player, rest)
    interval = state.rows[INTERVALS.prefix][interval_key(number)]
    real = prices.band_of(state, interval, terms_of(state, interval), number, zone)
    assert real == tuple(amount(each) for each in expected.split(" to ")), f"it is {real}"


def _halt(player: "Player", rest: str, expected: str) -> None:
    """`band until 10:01`, `exercise` of one without an end, or `none`: of `1 12:00`, `1 all`, `all all`."""
    zone, when = rest.split()
    number = 0 if when == "all" else interval_of(when, player.clock)
    halted = player.world.state.get(HALTS, zone_interval_key(number, 0 if zone == "all" else int(zone)))
    if expected == "none":
        assert halted is None, f"it is {halted}"
        return
    assert halted is not None, "there is none"
    reason, _, until = expected.partition(" until ")
    wanted = HaltReason[reason.upper().replace("-", "_")], time_of(until, player.clock) if until else 0
    assert (halted.reason, halted.until_ms) == wanted, f"it is {halted}"


def _trades(player: "Player", _: str, expected: str) -> None:
    """All trades since the last such line, and `void` before those that were taken back, in order: `bob from alice
    1 kWh at 4.500`; where zones are told (`over 1-2-3`), they count too."""
    tell_zones = " over " in expected
    real = [
        f"{'void ' if trade.voids else ''}{_name_of(player, trade.buyer)} from {_name_of(player, trade.seller)}"
        f" {trade.quantity_wh} Wh at {_shown(trade.price_micro)}"
        + (f" over {'-'.join(map(str, trade.zones))}" if tell_zones and trade.zones else "")
        for trade in player.trades
    ]
    wanted = []
    for part in _items(expected):
        deal, *zones = part.split(" over ")
        *void, buyer, _, seller, number, unit, _, price = deal.split()
        told = [*void, f"{buyer} from {seller} {energy(number, unit)} Wh at {_amount_shown(price)}"]
        wanted.append(" ".join([*told, *(f"over {zone}" for zone in zones)]))
    player.trades.clear()
    assert real == wanted, f"the trades are {'; '.join(real) or 'none'}"


ENERGIES = {
    "import": "import_wh",
    "export": "export_wh",
    "sold": "sold_wh",
    "bought": "bought_wh",
    "undelivered": "undelivered_wh",
    "unused": "unused_wh",
    "other-import": "other_import_wh",
    "other-export": "other_export_wh",
}
AMOUNTS = {
    "cost": "purchase_cost_micro",
    "proceeds": "sale_proceeds_micro",
    "charge": "charge_micro",
    "credit": "credit_micro",
}


def _statement(player: "Player", rest: str, expected: str) -> None:
    """`undelivered 0.5 kWh; charge 1.20; estimated`: of one party and interval."""
    name, _, when = rest.partition(" ")
    key = interval_key(interval_of(when, player.clock)) + pseudonym(name)
    statement = player.world.state.get(STATEMENTS, key)
    if expected == "none":
        assert statement is None, f"it is {statement}"
        return
    assert statement is not None, "there is none"
    for part in _items(expected):
        word, _, value = part.partition(" ")
        if word in ENERGIES:
            real, wanted = getattr(statement, ENERGIES[word]), energy(*value.split())
        elif word in AMOUNTS:
            real, wanted = getattr(statement, AMOUNTS[word]), amount(value)
        else:
            real, wanted = statement.quality, Quality[word.upper()]
        assert real == wanted, f"{word} is {real}, not {wanted}"


def _position(player: "Player", rest: str, expected: str) -> None:
    """`sold 1 kWh; bought 0 kWh; collateral 2.05`."""
    name, _, when = rest.partition(" ")
    key = interval_key(interval_of(when, player.clock)) + pseudonym(name)
    position = player.world.state.get(POSITIONS, key)
    if expected == "none":
        assert position is None, f"it is {position}"
        return
    assert position is not None, "there is none"
    energies = {"sold": "sold_wh", "bought": "bought_wh", "selling": "open_sell_wh", "buying": "open_buy_wh"}
    amounts = {"collateral": "collateral_micro", "cost": "purchase_cost_micro", "value": "sale_value_micro"}
    for part in _items(expected):
        word, _, value = part.partition(" ")
        if word in energies:
            real, wanted = getattr(position, energies[word]), energy(*value.split())
        else:
            real, wanted = getattr(position, amounts[word]), amount(value)
        assert real == wanted, f"{word} is {real}, not {wanted}"


def _duty(player: "Player", rest: str, expected: str) -> None:
    """`kept; present 58:30; counted 1:00:00; fees 0.004; rebate 0.002`: a maker's in one interval, `open` until its
    gate, or `none`. What is present now counts until the last block."""
    name, _, when = rest.partition(" ")
    state, own = player.world.state, interval_key(interval_of(when, player.clock)) + pseudonym(name)
    duty = state.get(MAKER_DUTIES, own)
    if expected == "none":
        assert duty is None, f"it is {duty}"
        return
    assert duty is not None, "there is none"
    still = standstills(state, own, player.world.time_ms)
    real = {
        "present": duty.held_ms + present_ms(still, duty, player.world.time_ms),
        "counted": counted_ms(still, duty.from_ms, duty.until_ms),
        "fees": duty.fees_micro,
        "rebate": duty.rebate_micro,
    }
    for part in _items(expected):
        word, _, value = part.partition(" ")
        if not value:
            assert Verdict(duty.verdict).name.lower() == word, f"it is {Verdict(duty.verdict).name.lower()}"
        else:
            wanted = span(value) if word in ("present", "counted") else amount(value)
            assert real[word] == wanted, f"{word} is {real[word]}, not {wanted}"


def _makers(player: "Player", zone: str, expected: str) -> None:
    """`dora from 12:00 missed 1; mike from 12:00 until Wed 00:00 dropped`: a zone's makers, or `none`."""
    programme = player.world.state.get(MAKER_PROGRAMMES, zone_key(int(zone)))
    names = {pseudonym(name): name for name in player.world.accounts}
    real = []
    for one in programme.makers if programme else ():
        end = f" until {one.until} {MakerEnd(one.end).name.lower()}" if one.until else ""
        real.append(f"{names[one.portfolio]} from {one.first} missed {one.missed_in_a_row}{end}")
    wanted = []
    for part in _items(expected):
        found = re.fullmatch(r"(\S+) from (.*?\d\d:\d\d)(?: missed (\d+))?(?: until (.*?\d\d:\d\d) (\w+))?", part)
        assert found is not None, f"{part!r} is no maker"
        name, first, missed, until, end = found.groups()
        tail = f" until {interval_of(until, player.clock)} {end}" if until else ""
        wanted.append(f"{name} from {interval_of(first, player.clock)} missed {missed or 0}{tail}")
    assert real == wanted, f"they are {'; '.join(real) or 'none'}"


def _split(player: "Player", rest: str, expected: str) -> None:
    """`gain 1.20; commission 0.12; shared 1.08`: of a portfolio with members in one interval."""
    name, _, when = rest.partition(" ")
    made = player.world.state.get(SPLITS, interval_key(interval_of(when, player.clock)) + pseudonym(name))
    if expected == "none":
        assert made is None, f"it is {made}"
        return
    assert made is not None, "there is none"
    for part in _items(expected):
        word, value = part.split()
        real = getattr(made, f"{word.replace('-', '_')}_micro")
        assert real == amount(value), f"{word} is {real}, not {value}"


def _share(player: "Player", rest: str, expected: str) -> None:
    """`0.54`, or `-0.54` of a loss: what a statement has of a split."""
    name, _, when = rest.partition(" ")
    line = player.world.state.get(STATEMENTS, interval_key(interval_of(when, player.clock)) + pseudonym(name))
    assert line is not None, "there is no statement"
    real = _shown(line.split_credit_micro - line.split_charge_micro)
    assert real == _amount_shown(expected), f"it is {real}"


def _roster(player: "Player", rest: str, expected: str) -> None:
    """`alice; bob`: whom a portfolio trades in an interval, in the order of names, or `empty`."""
    name, _, when = rest.partition(" ")
    roster = roster_at(player.world.state, pseudonym(name), interval_of(when, player.clock))
    names = {pseudonym(site): site for site in player.world.sites}
    real = sorted(names[member] for member in roster.members)
    assert real == _items(expected), f"it is {'; '.join(real) or 'empty'}"


def _stored(player: "Player", name: str, expected: str) -> None:
    """`4.5 kWh`: what was in a battery that stands alone when its meter was last read."""
    level = player.world.state.get(STORAGE_LEVELS, pseudonym(name))
    real = "none" if level is None else level.level_wh
    assert real == (expected if expected == "none" else energy(*expected.split())), f"it is {real}"


def _money(player: "Player", _: str, expected: str) -> None:
    current = money(player.world.state)
    real = {"supply": _shown(current.supply_micro), "reserves": _shown(current.reserves_micro)}
    _compare(real, expected, _amount_shown)


def _tariff(player: "Player", when: str, expected: str) -> None:
    interval = player.world.state.get(INTERVALS, interval_key(interval_of(when, player.clock)))
    assert interval is not None, "that interval is not open"
    assert interval.tariff_micro == amount(expected), f"it is {_shown(interval.tariff_micro)}"


def _interval(player: "Player", when: str, expected: str) -> None:
    number = interval_of(when, player.clock)
    known = player.world.state.get(INTERVALS, interval_key(number)) is not None
    real = Stage(settlement_of(player.world.state, number).stage).name.lower() if known else "gone"
    assert real == expected, f"it is {real}"


def _names(player: "Player") -> list[str]:
    """All names that this scenario uses anywhere: keys and ids are made of names."""
    return sorted({word for line in player.scenario.story for column in line.columns for word in column.split()})


def _validators(player: "Player", _: str, expected: str) -> None:
    """`red 10 for north; blue 5 for south`, in the order of their names, or `none`."""
    real = []
    for name in _names(player):
        validator = player.world.state.get(VALIDATORS, address_of(signer(name).keys[0]))
        if validator is not None:
            node = next(word for word in _names(player) if pseudonym(word) == validator.node)
            real.append(f"{name} {validator.power} for {node}")
    assert len(real) == len(player.world.state.rows[VALIDATORS.prefix]), "some have names that nobody said"
    assert real == _items(expected), f"they are {'; '.join(real) or 'none'}"


def _misdeeds(player: "Player", node: str, expected: str) -> None:
    """`bad_batch by alice; bad_batch by bob`: of a node, in the order of their reports, or `none`."""
    rows = [row for key, row in player.world.state.items(MISDEEDS) if key[:8] == pseudonym(node)]
    rows.sort(key=lambda row: row.reported_ms)
    real = [f"{MisdeedKind(row.kind).name.lower()} by {_name_of(player, row.reporter)}" for row in rows]
    assert real == _items(expected), f"they are {'; '.join(real) or 'none'}"


def _member(player: "Player", name: str, expected: str) -> None:
    """`candidate`, `reserve`, `seated`, `suspended`, `left`, or `unknown`."""
    real = Consortium.around(player.world).standing(name).lower()
    assert real == expected, f"it is {real}"


def _seats(player: "Player", _: str, expected: str) -> None:
    """Who votes in consensus, as consensus was told: `egat; erc; mea`, in the order of names."""
    owners = {pseudonym(name): name for name in player.world.accounts}
    rows = player.world.state.rows
    real = sorted(owners[rows[KEY_OWNERS.prefix][address].member] for address in rows[VALIDATORS.prefix])
    assert real == _items(expected), f"they are {'; '.join(real)}"


def _proposal(player: "Player", number: str, expected: str) -> None:
    """`open`, `carried`, `lost`, or `failed STANDING_WRONG`."""
    proposal = Consortium.around(player.world).proposal(int(number))
    real = Outcome(proposal.outcome).name.lower() + (f" {CONSORTIUM.codes[proposal.code]}" if proposal.code else "")
    assert real == expected, f"it is {real}"


def _reputation(player: "Player", name: str, expected: str) -> None:
    """In millionths."""
    real = Consortium.around(player.world).conduct(name).score_ppm
    assert real == int(expected.replace(",", "")), f"it is {real:,}"


def _market(player: "Player", _: str, expected: str) -> None:
    """`frozen` or `open`."""
    real = "frozen" if is_frozen(player.world.state) else "open"
    assert real == expected, f"it is {real}"


def _summary(player: "Player", _: str, expected: str) -> None:
    """Of the last block: `traded 2 kWh; for 9.00; taken 1 kWh; given 2 kWh; settled 2 kWh; paid 9.49; voided 1 kWh;
    worth 4.50`."""
    summary = last_block(player.world.state).summary
    energies = {
        "traded": summary.traded_wh,
        "taken": summary.metered_import_wh,
        "given": summary.metered_export_wh,
        "settled": summary.settled_wh,
        "voided": summary.voided_wh,
    }
    amounts = {"for": summary.traded_micro, "paid": summary.settled_micro, "worth": summary.voided_micro}
    for part in _items(expected):
        word, _, value = part.partition(" ")
        real = energies[word] if word in energies else amounts[word]
        wanted = energy(*value.split()) if word in energies else amount(value)
        assert real == wanted, f"{word} is {real}, not {wanted}"
