"""Lines that found a community, before its story begins."""

import re
from typing import Any

import msgspec
from tests.consortium import TERMS, found_member
from tests.scenarios.words import WEEKDAYS, Clock, ScenarioError, amount, energy, power, programme, time_of, whole
from tests.world import MONDAY_MS, Founding, World, at, pseudonym, signer

from gridtokenx.chains.genesis import DEFAULT_TERMS, TPA_DRAFT_2026
from gridtokenx.ledger.quantities import BANGKOK_OFFSET_MS, DAY_MS
from gridtokenx.modules.authority.messages import Group, Tier
from gridtokenx.modules.identity.messages import Licence, Source

MONDAY = (MONDAY_MS + BANGKOK_OFFSET_MS) // DAY_MS


def day_number(weekday: str) -> int:
    """Days since the epoch."""
    return MONDAY + WEEKDAYS.index(weekday)


class Community:
    """Collects the lines; `start` makes the chain."""

    def __init__(self) -> None:
        self.terms = DEFAULT_TERMS
        self.lines: list[str] = []
        self.genesis_ms = at(9, 50)

    def add(self, line: str) -> None:
        """Terms count at once, everything else at the start."""
        verb, _, rest = line.partition(" ")
        if verb == "terms":
            self._change_terms(rest)
        elif verb == "begins":
            self.genesis_ms = time_of(rest, Clock())
        elif verb in (
            "home",
            "battery",
            "dealer",
            "aggregator",
            "account",
            "sky",
            "holiday",
            "consensus",
            "consortium",
            "member",
            "link",
            "makers",
            "zone",
            "feeder",
        ):
            self.lines.append(line)
        else:
            known = (
                "home, battery, dealer, aggregator, account, terms, sky, holiday, link, makers, zone, feeder, "
                "consensus, consortium"
            )
            raise ScenarioError(f"a community begins, has {known}, consortium and member, not {verb!r}")

    def _change_terms(self, text: str) -> None:
        if text == "tpa-draft-2026":
            self.terms = msgspec.structs.replace(self.terms, **TPA_DRAFT_2026)
            return
        name, number = text.split()
        if name not in self.terms.__struct_fields__:
            raise ScenarioError(f"there is no term {name}")
        self.terms = msgspec.structs.replace(self.terms, **{name: int(number.replace(",", ""))})

    def start(self) -> World:
        """The chain after its genesis."""
        self.founding = Founding(self.terms, self.genesis_ms)
        for line in self.lines:
            verb, _, rest = line.partition(" ")
            getattr(self, f"_{verb}")(rest)
        return self.founding.start()

    def _home(self, text: str) -> None:
        """`alice on 11 sells 4 kW solar and 2 kW storage, buys 15 kW, has 1,000.00, group 7, until Tue 10:00`"""
        head, *parts = re.split(r", ", text)
        found = re.fullmatch(r"([\w-]+) on (\d+)(?: sells (.*))?", head)
        if found is None:
            raise ScenarioError(f"{head!r} is no home")
        name, feeder, sells = found.groups()
        export_w = {}
        for part in sells.split(" and ") if sells else ():
            number, unit, source = part.split()
            export_w[Source[source.upper()]] = power(number, unit)
        more: dict[str, Any] = {}
        for part in parts:
            self._home_part(more, part)
        self.founding.add_home(name, int(feeder), export_w, **more)

    def _battery(self, text: str) -> None:
        """`of alice 10 kWh at 5 kW, gives back 90 %` behind her meter; `alone with 4 kWh` when nothing else is."""
        found = re.fullmatch(r"of ([\w-]+) (\S+ \w+) at (\S+ \w+), gives back (\S+) %(?:, alone with (\S+ \w+))?", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no battery")
        name, capacity, charge, back, alone = found.groups()
        self.founding.builder.add_storage(
            pseudonym(name),
            energy(*capacity.split()),
            power(*charge.split()),
            whole(back, 10_000),
            energy(*alone.split()) if alone else None,
        )

    def _home_part(self, more: dict[str, Any], part: str) -> None:
        word, _, rest = part.partition(" ")
        if word == "buys":
            more["import_w"] = power(*rest.split())
        elif word == "has":
            more["balance_micro"] = amount(rest)
        elif word == "group":
            more["group"] = int(rest)
        elif word == "until":
            more["until_ms"] = time_of(rest, Clock())
        else:
            more["licence"] = Licence[word.upper()]

    def _dealer(self, text: str) -> None:
        """`dora on 11 short 500 kWh long 500 kWh has 10,000.00`"""
        found = re.fullmatch(r"([\w-]+) on (\d+) short (\S+ \w+) long (\S+ \w+) has (\S+)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no dealer")
        name, feeder, short, long, has = found.groups()
        self.founding.add_dealer(name, int(feeder), energy(*short.split()), energy(*long.split()), amount(has))

    def _aggregator(self, text: str) -> None:
        """`hub has 10,000.00`: its portfolios are opened in the story."""
        found = re.fullmatch(r"([\w-]+) has (\S+)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no aggregator")
        self.founding.add_account(found[1], signer(found[1]), amount(found[2]), Licence.AGGREGATOR)

    def _account(self, text: str) -> None:
        """`board of alice has 10.00 by 2 of 3`: a further account of a participant, or a new one's."""
        found = re.fullmatch(r"([\w-]+)(?: of ([\w-]+))? has (\S+)(?: by (\d) of (\d))?", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no account")
        name, owner, has, threshold, count = found.groups()
        keys = signer(name, int(threshold or 1), int(count or 1))
        self.founding.add_account(name, keys, amount(has), participant=owner)

    def _sky(self, text: str) -> None:
        """`zone 1 month 6: 12:00 800, 12:15 750`; every other quarter-hour is dark."""
        found = re.fullmatch(r"zone (\d+) month (\d+): (.*)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no sky")
        zone, month, quarters = found.groups()
        per_mille = [0] * 96
        for part in quarters.split(", "):
            clock, number = part.split()
            hour, minute = clock.split(":")
            per_mille[int(hour) * 4 + int(minute) // 15] = int(number)
        self.founding.builder.set_sky(int(zone), {int(month): tuple(per_mille)})

    def _link(self, text: str) -> None:
        """`1-2 carries 8 kWh, back 4 kWh`: what a border, or a feeder's link (`12`), carries in an interval."""
        found = re.fullmatch(r"(\d+)(?:-(\d+))? carries (\S+ \w+), back (\S+ \w+)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no link")
        first, second, there, back = found.groups()
        powers = energy(*there.split()) * 4, energy(*back.split()) * 4
        if second:
            self.founding.builder.limit_border(int(first), int(second), *powers)
        else:
            self.founding.builder.limit_feeder(int(first), *powers)

    def _makers(self, text: str) -> None:
        """`of zone 1: 2 at most, spread 0.50, ...`: a programme (`words.programme`)."""
        zone, _, terms = text.removeprefix("of zone ").partition(": ")
        self.founding.builder.add_maker_programme(int(zone), programme(terms))

    def _zone(self, text: str) -> None:
        """`4 South of pea beside 1 and 3`: one more zone, its distributor, and the zones that it borders on."""
        found = re.fullmatch(r"(\d+) ([\w-]+) of ([\w-]+) beside (\d+(?: and \d+)*)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no zone")
        number, name, distributor, beside = found.groups()
        neighbours = tuple(int(other) for other in beside.split(" and "))
        self.founding.builder.add_zone(int(number), name, self.founding.accounts[distributor], neighbours)

    def _feeder(self, text: str) -> None:
        """`41 in zone 4`"""
        found = re.fullmatch(r"(\d+) in zone (\d+)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no feeder")
        self.founding.builder.add_feeder(int(found[1]), int(found[2]), f"feeder {found[1]}")

    def _consensus(self, text: str) -> None:
        """`of 0.5 s blocks`"""
        found = re.fullmatch(r"of (\S+) s blocks", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no consensus")
        self.founding.builder.set_consensus(whole(found[1], 1_000))

    def _consortium(self, text: str) -> None:
        """`of 1 s blocks, seats_min 4, seats_max 12`: its terms, as far as they are others than those of the tests."""
        head, *changes = text.split(", ")
        self._consensus(head)
        pairs = (change.split() for change in changes)
        changed = {name: int(number.replace(",", "")) for name, number in pairs}
        self.founding.builder.set_consortium(msgspec.structs.replace(TERMS, **changed))

    def _member(self, text: str) -> None:
        """`erc: primary, regulation, zone 2`"""
        found = re.fullmatch(r"([\w-]+): (\w+), (\w+), zone (\d)", text)
        if found is None:
            raise ScenarioError(f"{text!r} is no member")
        name, tier, group, zone = found.groups()
        found_member(self.founding, name, Group[group.upper()], Tier[tier.upper()], int(zone))

    def _holiday(self, text: str) -> None:
        self.founding.builder.add_holiday(day_number(text))
