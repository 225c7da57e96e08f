"""Who leaves out what was there in time, as one node saw it.

A node writes down when each batch came to it and when it heard each block's proposal (`engine.sightings`); the chain
says what was in the blocks, and who proposed them. A batch is **ripe** for a block if it came `grace_ms` or more before
that block's proposal, was in no block yet, could stand in one of that time, and its author may sign batches. A ripe
batch that is not in the block was **left out** if an honest proposer would have had room for it: the block has fewer
signatures than even the slowest honest proposer takes, or it took batches of another author out of turn.

That a batch came here does not prove that it came to the proposer. So nobody is named for one block, but for what it
does again and again while others do not (`THRESHOLD`, which is said with each verdict).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gridtokenx.engine.comet.capacity import SIGNATURES_MIN
from gridtokenx.engine.pool import BLOCK_BYTES_MAX
from gridtokenx.engine.sightings import Sighting, Sightings
from gridtokenx.engine.storage import Reader, StoredBlock
from gridtokenx.ledger.batch import NODES, BatchHeader
from gridtokenx.ledger.limits import BATCHES_PER_BLOCK_MAX, TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.operations.reading import batches_in

GRACE_MS: Final = 500
"""From here to the proposer a batch may take as long as it took to come here, and some more."""

BLOCKS_MIN: Final = 5
"""Of one proposer, with a ripe batch of one author: fewer say nothing."""

NAMED_PERMILLE: Final = 500
"""Who leaves an author out of so many of these blocks, or more, is named,"""

OTHERS_PERMILLE: Final = 100
"""if another proposer with as many such blocks left it out of so many of its own at most."""

OUTSTANDING: Final = 10
"""Who leaves batches out so many times as often as all others together, in `BLOCKS_MIN` blocks at least, stands out:
worth a look, and no more, because a node with slow links does the same."""

BLOCKS_BEFORE: Final = 20
"""Read before the first that counts."""

THRESHOLD: Final = (
    f"A proposer is named if it left an author's ripe batches out of at least {NAMED_PERMILLE // 10} % of its blocks, "
    f"of which at least {BLOCKS_MIN} had a ripe one, while another proposer left them out of at most "
    f"{OTHERS_PERMILLE // 10} %. An author is named if its batches expired although blocks had room."
)


class ProposerLine(msgspec.Struct, frozen=True):
    """Of one proposer: blocks that this node heard proposed, those of them that left out a ripe batch; ripe batches in
    their time, how many were left out."""

    proposer: str
    blocks: int
    blocks_left_out: int
    ripe: int
    left_out: int


class AuthorLine(msgspec.Struct, frozen=True):
    """Of one author: batches that came here or were in blocks, of which so many came with their block only (`unseen`);
    blocks that passed over them (`delay`), until they were in one; how many expired in none; numbers between them that
    nobody saw (`gaps`)."""

    author: str
    batches: int
    in_blocks: int
    unseen: int
    delay_median: int
    delay_p99: int
    left_out: int
    expired: int
    gaps: int


class PairLine(msgspec.Struct, frozen=True):
    """One proposer and one author: blocks with a ripe batch, and of these those that left one out."""

    proposer: str
    author: str
    blocks: int
    left_out: int
    best_other_permille: int | None
    is_named: bool


class CensorshipReport(msgspec.Struct, frozen=True):
    """What one node saw between two heights. `watched`: blocks whose proposal it heard; `missed`: batches that it had
    no room to write down. `notes` name nobody."""

    chain: str
    first: int
    last: int
    watched: int
    missed: int
    grace_ms: int
    proposers: tuple[ProposerLine, ...]
    authors: tuple[AuthorLine, ...]
    pairs: tuple[PairLine, ...]
    verdicts: tuple[str, ...]
    notes: tuple[str, ...]
    threshold: str = THRESHOLD


class NothingSeen(Exception):
    """There is nothing to audit; says why."""


@dataclass(slots=True)
class _Batch:
    """One batch: what is known of it when the blocks have been read up to here."""

    seen: Sighting
    passed_over: int = 0
    left_out: int = 0


@dataclass(slots=True)
class _Author:
    sequences: set[int] = field(default_factory=set)
    in_blocks: int = 0
    unseen: int = 0
    left_out: int = 0
    expired: int = 0
    expired_with_room: int = 0
    last_in_block: int = -1
    delays: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Content:
    """What a block holds."""

    names: dict[bytes, BatchHeader] = field(default_factory=dict)
    signatures: int = 0
    size: int = 0
    had: Counter[bytes] = field(default_factory=Counter)
    """Signatures by author."""
    last: dict[bytes, int] = field(default_factory=dict)
    """Signatures of each author's last batch."""

    def add(self, name: bytes, header: BatchHeader, signatures: int, size: int) -> None:
        """The next batch."""
        self.names[name] = header
        self.signatures += signatures
        self.size += size
        self.had[header.author] += signatures
        self.last[header.author] = signatures

    def has_room(self, one: Sighting) -> bool:
        """Whether every honest proposer would have taken this one too (`BatchPool.choose`)."""
        if len(self.names) >= BATCHES_PER_BLOCK_MAX or self.size + one.size > BLOCK_BYTES_MAX:
            return False
        own = self.had[one.author]
        return self.signatures < SIGNATURES_MIN or any(
            author != one.author and self.had[author] - last > own for author, last in self.last.items()
        )


class _Audit:
    """Reads blocks in order."""

    def __init__(self, licensed: frozenset[bytes], grace_ms: int) -> None:
        self.watched = 0
        self.missed = 0
        self.blocks: Counter[bytes] = Counter()
        self.ripe: Counter[bytes] = Counter()
        self.left_out: Counter[bytes] = Counter()
        self.blocks_left_out: Counter[bytes] = Counter()
        self.pair_blocks: Counter[tuple[bytes, bytes]] = Counter()
        self.pair_left_out: Counter[tuple[bytes, bytes]] = Counter()
        self.authors: dict[bytes, _Author] = {}
        self._licensed = licensed
        self._grace_ms = grace_ms
        self._waiting: dict[bytes, _Batch] = {}
        self._in_blocks: dict[bytes, int] = {}
        """Ids of batches in blocks → until when they count."""

    def skip(self, stored: StoredBlock) -> None:
        """A block before the first: what it holds may be written down after it, and waits for nothing."""
        for name, _, header, _ in batches_in(stored):
            self._in_blocks[name] = header.expires_ms

    def read(self, stored: StoredBlock, sightings: Sightings | None) -> None:
        """The next block, and what came before it."""
        if sightings is not None:
            self.missed += sightings.missed
            for one in sightings.batches:
                if one.id not in self._in_blocks:
                    self._waiting.setdefault(one.id, _Batch(one))
                    self._author(one.author).sequences.add(one.sequence)
        content = _Content()
        for name, batch, header, size in batches_in(stored):
            known = self._waiting.get(name)
            # Of one that nobody saw before: one for each transaction, as most have.
            signatures = len(batch.transactions) if known is None else known.seen.signatures
            content.add(name, header, signatures, size)
        if sightings is not None and sightings.proposed_ms:
            self._judge(stored, content, sightings.proposed_ms)
        self._settle(stored.block.time_ms, content)

    def _judge(self, stored: StoredBlock, content: _Content, proposed_ms: int) -> None:
        """Which ripe batches this block's proposer took."""
        proposer, time_ms = stored.block.proposer, stored.block.time_ms
        self.watched += 1
        self.blocks[proposer] += 1
        ripe: set[bytes] = set()
        wronged: set[bytes] = set()
        for name, waiting in self._waiting.items():
            one = waiting.seen
            if name not in content.names and one.seen_ms <= proposed_ms:
                waiting.passed_over += 1
            if not self._is_ripe(one, time_ms, proposed_ms):
                continue
            is_left_out = name not in content.names and content.has_room(one)
            if name not in content.names and not is_left_out:
                continue  # there was no room: nobody's doing
            ripe.add(one.author)
            self.ripe[proposer] += 1
            if is_left_out:
                wronged.add(one.author)
                waiting.left_out += 1
                self.left_out[proposer] += 1
                self._author(one.author).left_out += 1
        self.blocks_left_out[proposer] += bool(wronged)
        self.pair_blocks.update((proposer, author) for author in ripe)
        self.pair_left_out.update((proposer, author) for author in wronged)

    def _is_ripe(self, one: Sighting, time_ms: int, proposed_ms: int) -> bool:
        in_time = one.seen_ms + self._grace_ms <= proposed_ms
        may_stand = time_ms <= one.expires_ms <= time_ms + TRANSACTION_LIFETIME_MS_MAX
        return in_time and may_stand and one.author in self._licensed

    def _settle(self, time_ms: int, content: _Content) -> None:
        """What the block holds, and what can be in none after it, waits no more."""
        for name, header in content.names.items():
            author = self._author(header.author)
            author.sequences.add(header.sequence)
            author.in_blocks += 1
            author.last_in_block = max(author.last_in_block, header.sequence)
            self._in_blocks[name] = header.expires_ms
            known = self._waiting.pop(name, None)
            if known is None:
                author.unseen += 1
            else:
                author.delays.append(known.passed_over)
        for name in [name for name, one in self._waiting.items() if one.seen.expires_ms <= time_ms]:
            gone = self._waiting.pop(name)
            author = self._author(gone.seen.author)
            author.expired += 1
            author.expired_with_room += gone.left_out > 0
        for name in [name for name, expires_ms in self._in_blocks.items() if expires_ms < time_ms]:
            del self._in_blocks[name]

    def _author(self, name: bytes) -> _Author:
        return self.authors.setdefault(name, _Author())


def audit_censorship(reader: Reader, blocks: int, grace_ms: int = GRACE_MS) -> CensorshipReport:
    """The last so many blocks of this database, whose node may be running. Raises `NothingSeen` if there are none, or
    if the node wrote nothing down for any of them."""
    head, beginning = reader.head(), reader.beginning()
    if head is None or head.height == 0:
        raise NothingSeen("this node has no blocks yet")
    first = max(1 if beginning is None else beginning.height + 1, head.height - blocks + 1)
    licensed = frozenset(
        key[1:] for key, value in reader.scan(bytes([NODES.prefix])) if NODES.decode.trusted(value).licensed
    )
    audit = _Audit(licensed, grace_ms)
    for height in range(max(1, first - BLOCKS_BEFORE), head.height + 1):
        stored = reader.block(height)
        if stored is not None and height < first:
            audit.skip(stored)
        elif stored is not None:
            audit.read(stored, reader.sightings(height))
    if not audit.watched:
        raise NothingSeen(
            f"this node heard none of the blocks {first} to {head.height} proposed: audit the folder of a node that "
            "takes part in consensus, after it has followed the chain for some blocks"
        )
    return _report(audit, head.chain, first, head.height, grace_ms)


def _report(audit: _Audit, chain: str, first: int, last: int, grace_ms: int) -> CensorshipReport:
    proposers = tuple(
        ProposerLine(
            name.hex(), audit.blocks[name], audit.blocks_left_out[name], audit.ripe[name], audit.left_out[name]
        )
        for name in sorted(audit.blocks)
    )
    authors = tuple(_author_line(name, audit.authors[name]) for name in sorted(audit.authors))
    pairs = tuple(_pair_line(audit, proposer, author) for proposer, author in sorted(audit.pair_blocks))
    verdicts = (*_verdicts_on_proposers(pairs), *_verdicts_on_authors(audit))
    notes = tuple(_notes(proposers))
    return CensorshipReport(
        chain, first, last, audit.watched, audit.missed, grace_ms, proposers, authors, pairs, verdicts, notes
    )


def _author_line(name: bytes, author: _Author) -> AuthorLine:
    delays = sorted(author.delays)
    # Numbers above the last one in a block may be on their way.
    numbers = [number for number in author.sequences if number <= author.last_in_block]
    gaps = author.last_in_block - min(numbers) + 1 - len(numbers) if numbers else 0
    return AuthorLine(
        name.hex(),
        len(author.sequences),
        author.in_blocks,
        author.unseen,
        _quantile(delays, 0.5),
        _quantile(delays, 0.99),
        author.left_out,
        author.expired,
        gaps,
    )


def _quantile(ascending: Sequence[int], share: float) -> int:
    """The smallest value that so large a share does not exceed; 0 of nothing."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else 0


def _pair_line(audit: _Audit, proposer: bytes, author: bytes) -> PairLine:
    blocks, left_out = audit.pair_blocks[proposer, author], audit.pair_left_out[proposer, author]
    others = [
        audit.pair_left_out[other, author] * 1_000 // audit.pair_blocks[other, author]
        for other in audit.blocks
        if other != proposer and audit.pair_blocks[other, author] >= BLOCKS_MIN
    ]
    best = min(others, default=None)
    is_named = (
        blocks >= BLOCKS_MIN
        and left_out * 1_000 >= NAMED_PERMILLE * blocks
        and best is not None
        and best <= OTHERS_PERMILLE
    )
    return PairLine(proposer.hex(), author.hex(), blocks, left_out, best, is_named)


def _verdicts_on_proposers(pairs: Sequence[PairLine]) -> Iterator[str]:
    for pair in pairs:
        if pair.is_named:
            assert pair.best_other_permille is not None, "somebody else took them"
            yield (
                f"Node {pair.proposer} left out batches of node {pair.author} that were there in time: in "
                f"{pair.left_out} of {pair.blocks} blocks that it proposed; another proposer did so in "
                f"{pair.best_other_permille / 10:.1f} % of its own."
            )


def _notes(lines: Sequence[ProposerLine]) -> Iterator[str]:
    """On those who stand out: whoever leaves out now and then only, when it pays, is not named, but does."""
    for own in lines:
        blocks = sum(line.blocks for line in lines if line is not own)
        left_out = sum(line.blocks_left_out for line in lines if line is not own)
        # Cross-multiplied, so that others without any are no division by nothing.
        if own.blocks_left_out >= BLOCKS_MIN and own.blocks_left_out * blocks > OUTSTANDING * left_out * own.blocks:
            yield (
                f"Node {own.proposer} stands out: it left something out of {own.blocks_left_out} of {own.blocks} "
                f"blocks, the others of {left_out} of {blocks}. Its links may be slow, or it chooses: compare with "
                "what other nodes saw."
            )


def _verdicts_on_authors(audit: _Audit) -> Iterator[str]:
    for name, author in sorted(audit.authors.items()):
        if author.expired_with_room:
            yield (
                f"{author.expired_with_room} batches of node {name.hex()} came here, were left out of blocks that had "
                "room, and expired: either no proposer had them, or all that had them left them out."
            )
