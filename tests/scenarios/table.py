"""Scenarios as text tables: how they are read and played. `README.md` beside this file says what a line may say.

After every block of every scenario the auditor and the ledger's own invariants must have nothing to say, and every
derived structure must equal the one built anew.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.consortium import Consortium, consensus_key
from tests.invariants import Watch
from tests.scenarios import expectations, founding, words
from tests.scenarios.actions import message_of
from tests.scenarios.words import Clock, ScenarioError, time_of
from tests.world import World

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import schedule
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY
from gridtokenx.ledger.quantities import INTERVAL_MS, interval_end_ms, interval_key
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.market.state import INTERVALS, Trade

READING_DELAY_MS = 1_000
"""How long after an interval its readings come."""

CONSENSUS_BLOCK_MS = 60_000
"""How far apart blocks are, at most, on a chain with a consensus that does not stand still."""

decode_trade: Decoder[Trade] = Decoder(Trade)


@dataclass
class Line:
    """One line: its number in the file, its first word and its columns."""

    number: int
    columns: list[str]


@dataclass
class Scenario:
    """One scenario of a file. `ids` are the requirements it shows."""

    ids: list[str]
    title: str
    founding: list[Line] = field(default_factory=list)
    story: list[Line] = field(default_factory=list)


def read_scenarios(path: Path) -> Iterator[Scenario]:
    """All scenarios of a file; its lines before the first one found the community of each."""
    common: list[Line] = []
    scenario: Scenario | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = raw.partition("#")[0].strip() if not raw.startswith("##") else raw
        if text.startswith("## "):
            if scenario is not None:
                yield scenario
            ids, _, title = text[3:].partition(":")
            scenario = Scenario([name.strip() for name in ids.split(",")], title.strip(), list(common))
        elif text:
            line = Line(number, [column.strip() for column in text.split("|")])
            if len(line.columns) > 1:
                if scenario is None:
                    raise ScenarioError(f"line {number}: a story before the first scenario")
                scenario.story.append(line)
            else:
                (common if scenario is None else scenario.founding).append(line)
    if scenario is not None:
        yield scenario


class Player:
    """Plays one scenario; raises AssertionError or ScenarioError naming the line."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.plans: dict[tuple[str, int], tuple[int, int]] = {}
        self.silent: set[tuple[str, int]] = set()
        self.trades: list[Trade] = []
        self.placed = 0
        self.metered = 0
        """The first interval whose readings have not come."""
        self.world: World
        self.codes: set[int] = set()

    def play(self) -> None:
        self._found()
        story = self.scenario.story
        position = 0
        while position < len(story):
            count = 1
            while position + count < len(story) and story[position + count].columns[0] == "and":
                count += 1
            lines = story[position : position + count]
            try:
                self._step(lines)
            except (AssertionError, ScenarioError, KeyError, ValueError) as error:
                numbers = f"line {lines[0].number}" + (f" to {lines[-1].number}" if count > 1 else "")
                raise AssertionError(f"{numbers}: {' | '.join(lines[0].columns)}\n{error}") from error
            position += count

    def _found(self) -> None:
        community = founding.Community()
        for line in self.scenario.founding:
            try:
                community.add(line.columns[0])
            except (ScenarioError, KeyError, ValueError) as error:
                raise AssertionError(f"line {line.number}: {line.columns[0]}\n{error}") from error
        self.world = community.start()
        self.metered = (self.world.time_ms - READING_DELAY_MS) // INTERVAL_MS
        self.world.watchers.append(lambda block, outcome: self.trades.extend(map(decode_trade, outcome.trades)))
        Watch(self.world)

    def _step(self, lines: list[Line]) -> None:
        first, *columns = lines[0].columns
        verb, _, rest = first.partition(" ")
        if verb in ("at", "resumes"):
            time_ms = time_of(rest, self.clock)
            if verb == "at":
                self._advance(time_ms)
            elif columns == [""]:
                self.world.block(time_ms=time_ms)
                self.clock.now_ms = time_ms
            if columns != [""]:
                self._block(lines, max(time_ms, self.world.time_ms + 1))
        elif verb == "meters":
            who, said = columns
            interval, energies = words.metered(said, self.clock)
            self.plans[who, interval] = energies
        elif verb == "silent":
            self.silent.update((columns[0], number) for number in words.intervals(columns[1], self.clock))
        elif verb == "expect":
            expectations.check(self, columns[0], columns[1])
        elif verb in ("blocks", "proved"):
            self._consortium_step(verb, *columns)
        else:
            known = "at, resumes, and, meters, silent, blocks, proved or expect"
            raise ScenarioError(f"a line begins with {known}, not with {verb!r}")

    def _consortium_step(self, verb: str, what: str, how: str) -> None:
        """`blocks | 40 | without ipp sec`, `blocks | 15 | newcomer observes`, `blocks | 5 | all vote`;
        `proved | ipp | signed twice at 7`, its key of before with `by its former key` after it."""
        consortium = Consortium.around(self.world)
        if verb == "proved":
            found = re.fullmatch(r"signed twice at (\d+)( by its former key)?", how)
            if found is None:
                raise ScenarioError(f"{how!r} is nothing that consensus proves")
            member = consortium.member(what)
            key = consensus_key(what).keys[0] if found[2] else member.consensus_key
            consortium.block(misbehaviour=(Misbehaviour(1, address_of(key), int(found[1]), 1, 100, 10),))
        elif how.endswith(" observes"):
            consortium.observe(how.removesuffix(" observes"), int(what))
        else:
            away = how.removeprefix("without ").split() if how.startswith("without ") else []
            if not away and how != "all vote":
                raise ScenarioError(f"{how!r} says nothing of who votes")
            consortium.blocks(int(what), away=away)
        self.clock.now_ms = self.world.time_ms

    def _block(self, lines: list[Line], time_ms: int) -> None:
        """All transactions of the lines in one block; their receipts against the last column."""
        signed = []
        for line in lines:
            _, who, action, _ = line.columns
            name, using, signer = words.party(who)
            message = message_of(self, name, action)
            body = self.world.body(name, message, expires_ms=time_ms + 60_000)
            signed.append(words.sign(self.world, name, body, using, signer))
        receipts = self.world.run(*signed, time_ms=time_ms)
        self.clock.now_ms = time_ms
        for line, receipt in zip(lines, receipts, strict=True):
            self.codes.add(receipt.code)
            expectations.check_receipt(line.columns[3], CONSORTIUM.codes[receipt.code], receipt)

    def _advance(self, until_ms: int) -> None:
        """Let time pass: a block whenever something falls due, and when readings come, and with a consensus one a
        minute."""
        world = self.world
        beats = world.state.get(CONSENSUS, CONSENSUS_KEY) is not None
        while True:
            reading_ms = max(interval_end_ms(self.metered) + READING_DELAY_MS, world.time_ms + 1)
            due_ms = max(schedule.next_due_ms(world.state) or until_ms, world.time_ms + 1)
            beat_ms = world.time_ms + CONSENSUS_BLOCK_MS if beats else due_ms
            next_ms = min(reading_ms, due_ms, beat_ms)
            if next_ms > until_ms:
                break
            transactions = []
            if next_ms == reading_ms:
                transactions = self._readings(self.metered)
                self.metered += 1
            for receipt in (
                world.run(*transactions, time_ms=next_ms) if transactions else world.block(time_ms=next_ms).batches
            ):
                assert receipt.code == 0, f"readings were refused: {CONSORTIUM.codes[receipt.code]}"
        self.clock.now_ms = until_ms

    def _readings(self, interval: int) -> list[bytes]:
        world = self.world
        if interval_key(interval) not in world.state.rows[INTERVALS.prefix]:
            return []
        readings = []
        for name in sorted(world.sites):
            energies = self.plans.get((name, interval), (0, 0))
            reading = world.meter(name, interval, *energies)
            if (name, interval) not in self.silent:
                readings.append(reading)
        return (
            [world.sign("operator", world.submit(*readings), expires_ms=world.time_ms + INTERVAL_MS // 2)]
            if readings
            else []
        )
