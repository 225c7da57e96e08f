"""The pool is fair between authors, keeps every limit, and forgets nothing before its fate is known."""

import threading
from collections import Counter
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gridtokenx.engine import pool as pool_module
from gridtokenx.engine.pool import (
    FRAME_BYTES,
    OFFER_AGAIN_BLOCKS,
    OTHERS_BYTES_MAX,
    OTHERS_SIGNATURES_MAX,
    PASS_ON_BLOCKS,
    URGENT_SHARE,
    BatchPool,
    PendingBatch,
)
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import Batch, BatchHeader, batch_id
from gridtokenx.ledger.codec import encode

NOW = 1_800_000_000_000
OWN = b"node-own"
ALICE, BOB, CAROL = b"node-ali", b"node-bob", b"node-car"

_numbers = count(1)


def made(
    author: bytes, signatures: int = 1, size: int = 100, urgent: bool = False, expires_ms: int = NOW + 60_000
) -> PendingBatch:
    """A batch as the pool sees it; nobody here looks at signatures."""
    number = next(_numbers)
    header = BatchHeader("pool-test", author, number, expires_ms, bytes(32))
    batch = Batch(encode(header), bytes(64), (b"transaction %d" % number,))
    ids = (b"id %d" % number,)
    return PendingBatch(bytes(size), batch_id(batch.header), batch, header, ids, (b"sender",), signatures, urgent)


def came(pool: BatchPool, *batches: PendingBatch) -> None:
    """Others' batches, checked and found right."""
    for batch in batches:
        assert pool.reserve(batch.header.author, batch.id, len(batch.ids), len(batch.wire))
        pool.insert(batch)


def block(pool: BatchPool, *batches: PendingBatch) -> list[PendingBatch]:
    """One with these is committed."""
    return pool.settle([batch.id for batch in batches])


@pytest.fixture
def pool() -> BatchPool:
    return BatchPool(OWN)


def test_a_flooding_author_leaves_the_others_their_share(pool) -> None:
    flood = [made(ALICE, signatures=500) for _ in range(60)]
    few = [made(BOB, signatures=500) for _ in range(10)]
    own = [made(OWN, signatures=500) for _ in range(10)]
    came(pool, *flood, *few)
    pool.offer(own)
    chosen = pool.choose(NOW)
    assert sum(batch.signatures for batch in chosen) == limits.SIGNATURES_PER_BLOCK_MAX
    assert set(few) | set(own) <= set(chosen), "who asks for little gets all of it"
    assert [batch for batch in chosen if batch.header.author == ALICE] == flood[:40]


def test_authors_share_by_signatures_not_by_batches(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 1_000)
    came(pool, *(made(ALICE, signatures=100) for _ in range(20)), *(made(BOB, signatures=5) for _ in range(200)))
    had = Counter()
    for batch in pool.choose(NOW):
        had[batch.header.author] += batch.signatures
    assert had == {ALICE: 500, BOB: 500}


def test_an_author_can_ask_for_all_when_nobody_else_does(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 10)
    batches = [made(ALICE) for _ in range(12)]
    came(pool, *batches[:10])
    assert pool.choose(NOW) == batches[:10]


def test_urgent_batches_come_first_and_those_of_an_author_in_their_order(pool) -> None:
    plain = [made(ALICE) for _ in range(3)]
    urgent = [made(ALICE, urgent=True), made(BOB, urgent=True)]
    came(pool, plain[0], urgent[0], plain[1], urgent[1], plain[2])
    chosen = pool.choose(NOW)
    assert set(chosen[:2]) == set(urgent)
    assert chosen[2:] == plain


def test_who_calls_everything_urgent_gets_a_quarter_first_and_then_only_a_turn(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 400)
    came(pool, *(made(ALICE, urgent=True) for _ in range(400)))
    pool.offer([made(OWN) for _ in range(400)])
    chosen = pool.choose(NOW)
    first = 400 // URGENT_SHARE
    assert {batch.header.author for batch in chosen[:first]} == {ALICE}
    assert Counter(batch.header.author for batch in chosen) == {ALICE: 200, OWN: 200}


def test_an_emergency_is_not_behind_anothers_urgent_flood(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 100)
    came(pool, *(made(ALICE, urgent=True) for _ in range(90)))
    emergency = made(BOB, urgent=True)
    came(pool, emergency)
    assert emergency in pool.choose(NOW)[:2]


def test_a_block_has_room_for_so_many_batches_signatures_and_bytes(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "BATCHES_PER_BLOCK_MAX", 4)
    came(pool, *(made(ALICE, signatures=2) for _ in range(6)))
    assert len(pool.choose(NOW)) == 4
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 7)
    assert len(pool.choose(NOW)) == 3
    assert len(pool.choose(NOW, 2 * (100 + FRAME_BYTES))) == 2
    assert len(pool.choose(NOW, 2 * (100 + FRAME_BYTES) - 1)) == 1
    assert pool.choose(NOW, 100 + FRAME_BYTES - 1) == []
    assert pool.choose(NOW, 0) == []
    monkeypatch.setattr(pool_module, "BLOCK_BYTES_MAX", 100 + FRAME_BYTES)
    assert len(pool.choose(NOW)) == 1


def test_what_has_no_room_is_not_overtaken_by_the_same_authors_later_ones(pool, monkeypatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 10)
    first, large, small = made(ALICE, signatures=6), made(ALICE, signatures=5), made(ALICE, signatures=1)
    other = made(BOB, signatures=4)
    came(pool, first, large, small, other)
    assert set(pool.choose(NOW)) == {first, other}
    block(pool, first, other)
    assert pool.choose(NOW) == [large, small]


def test_what_cannot_be_used_is_passed_over_and_waits(pool) -> None:
    batches = [made(ALICE) for _ in range(3)]
    came(pool, *batches)
    assert pool.choose(NOW, usable=lambda batch: batch is not batches[0]) == batches[1:]
    assert pool.choose(NOW) == batches


def test_a_block_gets_what_is_enough_and_one_that_goes_beyond(pool) -> None:
    batches = [made(ALICE, signatures=3) for _ in range(4)]
    came(pool, *batches)
    assert pool.choose(NOW, signatures_enough=6) == batches[:2]
    assert pool.choose(NOW, signatures_enough=7) == batches[:3]
    assert pool.choose(NOW, signatures_enough=1) == batches[:1]


def test_a_block_gets_what_fits_its_time(pool) -> None:
    lifetime_ms = limits.TRANSACTION_LIFETIME_MS_MAX
    times = [NOW - 1, NOW, NOW + lifetime_ms, NOW + lifetime_ms + 1]
    batches = [made(ALICE, expires_ms=time_ms) for time_ms in times]
    came(pool, *batches)
    assert pool.choose(NOW) == batches[1:3]


def test_the_first_block_after_a_halt_leaves_what_it_would_refuse(pool) -> None:
    """Its time is that before the halt; accepted meanwhile was what expires ten minutes after the true time."""
    batch = made(ALICE, expires_ms=NOW + limits.TRANSACTION_LIFETIME_MS_MAX)
    batch.latest_ms = batch.header.expires_ms + 30_000
    came(pool, batch)
    assert pool.choose(NOW) == []
    assert pool.choose(NOW + 30_000) == [batch]


def test_others_have_a_quota_of_signatures_and_of_bytes_each(pool) -> None:
    most = OTHERS_SIGNATURES_MAX
    assert pool.reserve(ALICE, b"one", most - 1, 1)
    assert not pool.reserve(ALICE, b"two", 2, 1)
    assert pool.reserve(ALICE, b"two", 1, 1)
    assert pool.reserve(BOB, b"three", most, 1), "another author has its own"
    assert not pool.reserve(CAROL, b"four", 1, OTHERS_BYTES_MAX + 1)
    assert pool.reserve(CAROL, b"four", 1, OTHERS_BYTES_MAX)
    assert not pool.reserve(CAROL, b"five", 1, 1)
    pool.let_go(CAROL, b"four")
    assert pool.reserve(CAROL, b"five", 1, OTHERS_BYTES_MAX)


def test_many_who_flood_at_once_take_each_others_room_not_that_of_the_rest(pool, monkeypatch) -> None:
    monkeypatch.setattr(pool_module, "ALL_OTHERS_BYTES_MAX", 4_000)
    flooders = [b"flood-%02d" % number for number in range(4)]
    taken = dict.fromkeys([*flooders, ALICE], 0)
    for turn in range(100):
        for author in flooders:
            taken[author] += pool.reserve(author, b"%d" % turn, 1, 100)
    assert sum(taken.values()) == 40
    assert pool.reserve(ALICE, b"first", 1, 100), "who has little there still gets in"
    held = 100
    while pool.reserve(ALICE, b"%d" % held, 1, 100):
        held += 100
    assert held == 4_000 // 5, "as much as an equal part"
    pool.offer([made(OWN, size=50_000)])
    assert pool.reserve(BOB, b"first", 1, 100), "own batches take nobody's room"
    for turn in range(100):
        pool.let_go(flooders[0], b"%d" % turn)
    assert pool.reserve(flooders[1], b"again", 1, 100)


def test_a_transaction_in_two_batches_is_held_until_both_are_settled(pool) -> None:
    first, second = made(ALICE), made(BOB)
    second.ids = first.ids
    came(pool, first, second)
    block(pool, first)
    assert pool.holds(first.ids[0])
    block(pool, second)
    assert not pool.holds(first.ids[0])


def test_room_comes_back_when_a_batch_is_settled(pool) -> None:
    batch = made(ALICE, signatures=OTHERS_SIGNATURES_MAX, size=OTHERS_BYTES_MAX)
    came(pool, batch)
    assert not pool.reserve(ALICE, b"next", 1, 1)
    assert block(pool, batch) == [batch]
    assert pool.reserve(ALICE, b"next", OTHERS_SIGNATURES_MAX, OTHERS_BYTES_MAX)


def test_more_signatures_than_were_announced_count(pool) -> None:
    """Room is reserved by transactions; a batch of many signatures each is found out when it has been checked."""
    within, beyond = made(ALICE, signatures=OTHERS_SIGNATURES_MAX - 1), made(ALICE, signatures=2)
    came(pool, within)
    assert pool.reserve(ALICE, beyond.id, 1, 100)
    pool.insert(beyond)
    assert beyond.id not in pool
    assert pool.reserve(ALICE, b"small", 1, 100), "the room is free again"


def test_the_own_node_has_no_quota(pool) -> None:
    batches = [made(OWN, signatures=OTHERS_SIGNATURES_MAX) for _ in range(2)]
    pool.offer(batches)
    assert all(batch.id in pool for batch in batches)


def test_a_batch_that_is_here_or_being_checked_is_not_taken_twice(pool) -> None:
    batch = made(ALICE)
    assert pool.reserve(ALICE, batch.id, 1, 100)
    assert not pool.reserve(ALICE, batch.id, 1, 100)
    pool.insert(batch)
    assert not pool.reserve(ALICE, batch.id, 1, 100)
    assert pool.holds(batch.ids[0])
    block(pool, batch)
    assert not pool.holds(batch.ids[0])
    assert pool.reserve(ALICE, batch.id, 1, 100)


def test_what_was_settled_while_it_was_checked_does_not_come_in(pool) -> None:
    batch = made(ALICE, signatures=OTHERS_SIGNATURES_MAX)
    assert pool.reserve(ALICE, batch.id, OTHERS_SIGNATURES_MAX, 100)
    assert block(pool, batch) == []
    pool.insert(batch)
    assert batch.id not in pool and not pool.holds(batch.ids[0])
    assert pool.reserve(ALICE, b"next", OTHERS_SIGNATURES_MAX, 100), "and its room is free"
    pool.let_go(ALICE, batch.id)
    assert not pool.reserve(ALICE, b"more", 1, 100), "once"


def test_own_batches_are_offered_once_and_again_after_some_blocks(pool) -> None:
    batch = made(OWN)
    pool.offer([batch])
    assert pool.take_offers(10**6) == [batch]
    for _ in range(3):
        for _ in range(OFFER_AGAIN_BLOCKS):
            assert pool.take_offers(10**6) == []
            block(pool)
        assert pool.take_offers(10**6) == [batch]
    block(pool, batch)
    for _ in range(2 * OFFER_AGAIN_BLOCKS):
        block(pool)
        assert pool.take_offers(10**6) == []


def test_offers_that_nobody_took_are_not_piled_up(pool) -> None:
    """Without peers nobody asks: what waits is offered once, not once for every few blocks."""
    batch = made(OWN)
    pool.offer([batch])
    for _ in range(4 * OFFER_AGAIN_BLOCKS):
        block(pool)
    assert pool.take_offers(10**6) == [batch]
    assert pool.take_offers(10**6) == []


def test_others_batches_are_passed_on_once(pool) -> None:
    batch = made(ALICE)
    came(pool, batch)
    taken = []
    for _ in range(5 * OFFER_AGAIN_BLOCKS):
        taken.append(pool.take_offers(10**6))
        block(pool)
    assert taken[PASS_ON_BLOCKS] == [batch]
    assert [one for some in taken for one in some] == [batch]


def test_what_only_waits_for_its_turn_is_sent_to_nobody_again(pool) -> None:
    """With more than blocks take, every node would send everything to everybody."""
    own, others = [made(OWN) for _ in range(30)], [made(ALICE) for _ in range(30)]
    pool.offer(own)
    came(pool, *others)
    assert pool.take_offers(10**6) == own
    for one, other in zip(own, others, strict=True):
        block(pool, one, other)
        assert pool.take_offers(10**6) == []


def test_what_later_ones_overtake_is_offered_again_and_passed_on(pool) -> None:
    own, others = [made(OWN) for _ in range(9)], [made(ALICE) for _ in range(9)]
    pool.offer(own)
    came(pool, *others)
    assert pool.take_offers(10**6) == own
    offered = []
    for one, other in zip(own[1:], others[1:], strict=True):
        block(pool, one, other)
        offered.append(pool.take_offers(10**6))
    assert offered[PASS_ON_BLOCKS - 1] == others[:1]
    assert offered[OFFER_AGAIN_BLOCKS - 1] == own[:1]
    assert [batch for some in offered for batch in some] == others[:1] + own[:1]


def test_what_is_in_a_block_before_its_turn_is_not_offered(pool) -> None:
    first, second = made(OWN), made(OWN)
    pool.offer([first, second])
    block(pool, first)
    assert pool.take_offers(10**6) == [second]


def test_offers_come_in_portions_of_bytes_at_least_one(pool) -> None:
    batches = [made(OWN, size=size) for size in (40, 40, 40, 200, 10)]
    pool.offer(batches)
    assert [pool.take_offers(100) for _ in range(4)] == [batches[:2], batches[2:3], batches[3:4], batches[4:]]
    assert pool.take_offers(100) == []


def test_settling_what_nobody_knows_changes_nothing(pool) -> None:
    batch = made(ALICE)
    came(pool, batch)
    assert pool.settle([b"unknown", batch.id, batch.id, b"another"]) == [batch]
    assert pool.settle([batch.id]) == []
    assert pool.names() == frozenset()


def test_names_are_those_of_everything_that_waits(pool) -> None:
    own, other, unchecked = made(OWN), made(ALICE), made(BOB)
    pool.offer([own])
    came(pool, other)
    assert pool.reserve(BOB, unchecked.id, 1, 100)
    assert pool.names() == {own.id, other.id}


def test_threads_do_not_lose_a_batch_nor_count_one_twice(pool) -> None:
    """Authors' batches come in from several threads while another makes blocks of what is there; at the end each was
    in exactly one block and all room is free."""
    authors = [ALICE, BOB, CAROL]
    batches = {author: [made(author) for _ in range(400)] for author in (OWN, *authors)}
    in_blocks: list[PendingBatch] = []
    offered: list[PendingBatch] = []
    begin, coming = threading.Barrier(6), threading.Semaphore(0)

    def send(author: bytes) -> None:
        begin.wait()
        for batch in batches[author]:
            if author == OWN:
                pool.offer([batch])
            else:
                assert pool.reserve(author, batch.id, 1, len(batch.wire))
                pool.insert(batch)
            coming.release()

    def make_blocks() -> None:
        begin.wait()
        while len(in_blocks) < 1_600:
            coming.acquire()
            chosen = pool.choose(NOW)
            in_blocks.extend(pool.settle([batch.id for batch in chosen]))
            for _ in chosen[1:]:
                coming.acquire()

    def gossip() -> None:
        begin.wait()
        for _ in range(1_600):
            offered.extend(pool.take_offers(1_000))

    work = [threading.Thread(target=send, args=(author,)) for author in batches]
    work += [threading.Thread(target=make_blocks), threading.Thread(target=gossip)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in work)
    expected = {batch for own in batches.values() for batch in own}
    assert Counter(in_blocks) == Counter(dict.fromkeys(expected, 1))
    for author in authors:
        ordered = [batch for batch in in_blocks if batch.header.author == author]
        assert ordered == batches[author]
        assert pool.reserve(author, b"next", OTHERS_SIGNATURES_MAX, OTHERS_BYTES_MAX)
    assert set(offered) <= expected


class PoolMachine(RuleBasedStateMachine):
    """Against the obvious: a list of what waits, in the order in which it came."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BatchPool(OWN)
        self.waiting: list[PendingBatch] = []
        self.checking: list[PendingBatch] = []
        self.time_ms = NOW

    sizes = st.integers(1, 3_000)
    signatures = st.integers(1, limits.SIGNATURES_PER_BLOCK_MAX // 3)
    lives = st.integers(-1_000, limits.TRANSACTION_LIFETIME_MS_MAX + 1_000)

    @rule(signatures=signatures, size=sizes, urgent=st.booleans(), life_ms=lives)
    def take_own(self, signatures, size, urgent, life_ms) -> None:
        batch = made(OWN, signatures, size, urgent, self.time_ms + life_ms)
        self.pool.offer([batch])
        self.waiting.append(batch)

    def of(self, author: bytes) -> list[PendingBatch]:
        return [batch for batch in self.waiting if batch.header.author == author]

    @rule(author=st.sampled_from([ALICE, BOB]), signatures=signatures, size=sizes, urgent=st.booleans(), life_ms=lives)
    def begin_check(self, author, signatures, size, urgent, life_ms) -> None:
        batch = made(author, signatures, size, urgent, self.time_ms + life_ms)
        reserved = sum(1 for other in self.checking if other.header.author == author)
        held = sum(other.signatures for other in self.of(author))
        assert self.pool.reserve(author, batch.id, 1, size) == (held + reserved + 1 <= OTHERS_SIGNATURES_MAX)
        if held + reserved + 1 <= OTHERS_SIGNATURES_MAX:
            self.checking.append(batch)

    @precondition(lambda self: self.checking)
    @rule(data=st.data(), is_right=st.booleans())
    def end_check(self, data, is_right) -> None:
        batch = data.draw(st.sampled_from(self.checking))
        self.checking.remove(batch)
        if not is_right:
            self.pool.let_go(batch.header.author, batch.id)
            return
        self.pool.insert(batch)
        author = batch.header.author
        reserved = sum(1 for other in self.checking if other.header.author == author)
        if sum(other.signatures for other in self.of(author)) + reserved + batch.signatures <= OTHERS_SIGNATURES_MAX:
            self.waiting.append(batch)

    @rule(data=st.data(), later_ms=st.integers(0, 200_000))
    def commit(self, data, later_ms) -> None:
        self.time_ms += later_ms
        every = self.waiting + self.checking
        batches = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
        expired = self.pool.expired(self.time_ms, [batch.id for batch in batches])
        late = [one for one in self.waiting if one.header.expires_ms <= self.time_ms and one not in batches]
        assert set(expired) == set(late)
        settled = self.pool.settle([*(batch.id for batch in batches), *(batch.id for batch in expired)])
        gone = [*batches, *late]
        assert set(settled) == {batch for batch in self.waiting if batch in gone}
        self.waiting = [batch for batch in self.waiting if batch not in gone]
        self.checking = [batch for batch in self.checking if batch not in gone]

    @rule(bytes_max=st.integers(0, 20_000))
    def propose(self, bytes_max) -> None:
        chosen = self.pool.choose(self.time_ms, bytes_max)
        assert len(set(chosen)) == len(chosen)
        signatures, size = sum(batch.signatures for batch in chosen), sum(len(batch.wire) for batch in chosen)
        assert signatures <= limits.SIGNATURES_PER_BLOCK_MAX
        assert size + FRAME_BYTES * len(chosen) <= bytes_max
        fitting = [
            batch
            for batch in self.waiting
            if self.time_ms <= batch.header.expires_ms <= self.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX
        ]
        assert set(chosen) <= set(fitting)
        for author in (OWN, ALICE, BOB):
            for urgent in (False, True):
                mine = [one for one in fitting if one.header.author == author and one.is_urgent is urgent]
                ordered = [one for one in chosen if one.header.author == author and one.is_urgent is urgent]
                assert ordered == mine[: len(ordered)], "an author's oldest go first"
        if bytes_max >= sum(len(batch.wire) + FRAME_BYTES for batch in fitting):
            room = limits.SIGNATURES_PER_BLOCK_MAX - signatures
            left = [batch for batch in fitting if batch not in chosen]
            firsts = {batch.header.author: batch for batch in reversed(left)}
            assert all(batch.signatures > room for batch in firsts.values()), "nothing is left out that has room"

    @invariant()
    def the_same_waits(self) -> None:
        assert self.pool.names() == {batch.id for batch in self.waiting}
        others = [batch for batch in self.waiting if batch.header.author != OWN]
        assert all(self.pool.holds(batch.ids[0]) for batch in others)


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=25)
