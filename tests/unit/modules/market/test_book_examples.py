"""What the book does, one example each; the faults that other engines showed among them."""

import pytest
from msgspec.structs import replace
from tests.unit.modules.market.trading_floor import (
    INTERVAL,
    TICK,
    Floor,
    add_participant,
    book_content,
    key_of,
    order,
    pseudonym,
    trades,
)

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.identity.state import PARTICIPANTS
from gridtokenx.modules.market.book import BOOKS, book_of, keys_of, rest
from gridtokenx.modules.market.matching import Stopped
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS

NEARBY = (1 * TICK, 2 * TICK, 4 * TICK, 6 * TICK)
"""Wheeling: same feeder, same zone, one border, two borders."""


def test_nothing_to_meet() -> None:
    floor = Floor()
    matched = floor.buy(1, 500, 40)
    assert (matched.fills, matched.expired, matched.filled_wh, matched.stopped) == ((), (), 0, Stopped.NO)
    assert floor.open_wh() == {1: 500}


def test_best_price_first_then_first_come() -> None:
    floor = Floor()
    for name, price in ((1, 42), (2, 41), (3, 40), (4, 41)):
        floor.sell(name, 100, price)
    assert trades(floor.buy(9, 350, 41)) == [(3, 100, 40), (2, 100, 41), (4, 100, 41)]
    assert floor.open_wh() == {1: 100, 9: 50}
    floor.check()


def test_an_incoming_seller_gets_what_the_resting_buyers_bid() -> None:
    floor = Floor()
    for name, price in ((1, 40), (2, 42), (3, 41), (4, 42)):
        floor.buy(name, 100, price)
    assert trades(floor.sell(9, 350, 41)) == [(2, 100, 42), (4, 100, 42), (3, 100, 41)]
    assert floor.open_wh() == {1: 100, 9: 50}


def test_a_partial_fill_keeps_its_place() -> None:
    floor = Floor()
    floor.sell(1, 300, 40)
    floor.sell(2, 300, 40)
    assert trades(floor.buy(8, 100, 40)) == [(1, 100, 40)]
    assert trades(floor.buy(9, 300, 40)) == [(1, 200, 40), (2, 100, 40)]
    assert floor.open_wh() == {2: 200}
    floor.check()


def test_a_fill_shows_the_resting_order_as_it_was() -> None:
    floor = Floor()
    floor.sell(1, 300, 40)
    before = floor.open_order(1)
    fill = floor.buy(2, 100, 45).fills[0]
    assert (fill.key, fill.maker, fill.price_micro, fill.wheeling_micro) == (key_of(1), before, 40 * TICK, 0)
    assert floor.open_order(1) == replace(before, remaining_wh=200)


def test_books_of_intervals_are_apart() -> None:
    floor = Floor()
    floor.sell(1, 100, 40)
    other = order(Side.SELL, 100, 39, place=50, interval=INTERVAL + 1)
    rest(floor.state, book_of(floor.state, INTERVAL + 1), key_of(2), other)
    assert trades(floor.buy(9, 300, 40)) == [(1, 100, 40)]
    assert sorted(floor.state.index(BOOKS)) == [INTERVAL, INTERVAL + 1]
    floor.check()


def test_nothing_empty_stays() -> None:
    floor = Floor()
    floor.sell(1, 100, 40)
    floor.sell(2, 100, 41, feeder=1)
    floor.buy(9, 200, 41)
    assert floor.state.index(BOOKS) == {}
    floor.buy(3, 100, 41)
    floor.cancel(3)
    assert floor.state.index(BOOKS) == {}


@pytest.mark.parametrize(
    ("feeder", "expected"),
    [
        (0, [(1, 100, 40), (2, 100, 40), (3, 100, 39)]),  # delivered 41, 42, 43
        (1, [(2, 100, 40), (1, 100, 40), (3, 100, 39)]),  # delivered 41, 42, 43
        (2, [(3, 100, 39), (1, 100, 40), (2, 100, 40)]),  # delivered 40, 44, 44: then the earlier of the two
        (3, [(3, 100, 39)]),  # delivered 43, 46, 46
        (4, []),  # no way leads there
    ],
)
def test_sellers_are_ranked_by_delivered_price(feeder: int, expected: list[tuple[int, int, int]]) -> None:
    floor = Floor(NEARBY)
    floor.sell(1, 100, 40, feeder=0)
    floor.sell(2, 100, 40, feeder=1)
    floor.sell(3, 100, 39, feeder=2)
    assert trades(floor.buy(9, 300, 45, feeder=feeder)) == expected
    floor.check()


def test_buyers_are_ranked_by_what_is_left_after_wheeling() -> None:
    floor = Floor(NEARBY)
    floor.buy(1, 100, 44, feeder=2)  # 44 - 4 = 40
    floor.buy(2, 100, 43, feeder=1)  # 43 - 2 = 41
    floor.buy(3, 100, 42, feeder=0)  # 42 - 1 = 41, nearer
    matched = floor.sell(9, 300, 40, feeder=0)
    assert trades(matched) == [(3, 100, 41), (2, 100, 41), (1, 100, 40)]
    assert [fill.wheeling_micro // TICK for fill in matched.fills] == [1, 2, 4]


def test_no_limit_is_broken_by_wheeling() -> None:
    floor = Floor(NEARBY)
    floor.sell(1, 100, 40, feeder=1)
    assert trades(floor.buy(2, 100, 41, feeder=0)) == []
    assert trades(floor.buy(3, 100, 42, feeder=0)) == [(1, 100, 40)]


def test_equal_delivered_prices_go_to_the_nearer_then_the_earlier() -> None:
    flat = (3 * TICK,) * 4
    floor = Floor(flat)
    floor.sell(1, 100, 40, feeder=2)
    floor.sell(2, 100, 40, feeder=1)
    floor.sell(3, 100, 40, feeder=1, source=Source.WIND)
    floor.sell(4, 100, 40, feeder=1)
    floor.sell(5, 100, 40, feeder=0)
    expected = [(5, 100, 40), (2, 100, 40), (3, 100, 40), (4, 100, 40), (1, 50, 40)]
    assert trades(floor.buy(9, 450, 43, feeder=0)) == expected
    floor.check()


def test_an_incoming_buyer_meets_only_the_sources_it_accepts() -> None:
    floor = Floor()
    floor.sell(1, 100, 38, source=Source.CONVENTIONAL)
    floor.sell(2, 100, 39, source=Source.WIND)
    floor.sell(3, 100, 40, source=Source.SOLAR)
    green = 1 << Source.SOLAR | 1 << Source.WIND
    assert trades(floor.buy(9, 300, 45, source=green)) == [(2, 100, 39), (3, 100, 40)]
    assert floor.open_wh() == {1: 100, 9: 100}


def test_a_resting_buyer_meets_only_the_sources_it_accepts() -> None:
    floor = Floor()
    floor.buy(1, 100, 42, source=1 << Source.WIND)
    floor.buy(2, 100, 41)
    floor.buy(3, 100, 40, source=1 << Source.SOLAR | 1 << Source.STORAGE)
    assert trades(floor.sell(9, 300, 40, source=Source.SOLAR)) == [(2, 100, 41), (3, 100, 40)]
    floor.check()


def test_an_expired_order_leaves_without_trading() -> None:
    floor = Floor()
    floor.sell(1, 100, 40, expires_ms=1_000)
    floor.sell(2, 100, 40, expires_ms=1_001)
    gone = floor.open_order(1)
    floor.time_ms = 1_000
    matched = floor.buy(9, 50, 40)
    assert list(matched.expired) == [(key_of(1), gone)]
    assert trades(matched) == [(2, 50, 40)]
    assert floor.open_wh() == {2: 50}
    floor.check()


def test_an_expired_order_that_is_not_met_stays() -> None:
    floor = Floor()
    floor.sell(1, 100, 40)
    floor.sell(2, 100, 40, expires_ms=1_000)
    floor.time_ms = 1_000
    assert not floor.buy(9, 100, 40).expired
    assert floor.open_wh() == {2: 100}


@pytest.mark.parametrize(("mine", "theirs"), [(1, 1), (1, 2), (4, 4)])
def test_an_order_stops_before_a_related_party(mine: int, theirs: int) -> None:
    """The same participant, the same group, and a participant of whom nothing is registered."""
    floor = Floor()
    add_participant(floor.state, 1, group=7)
    add_participant(floor.state, 2, group=7)
    floor.sell(1, 100, 39, participant=3)
    floor.sell(2, 100, 40, participant=theirs)
    floor.sell(3, 100, 40, participant=3)
    matched = floor.buy(9, 300, 45, participant=mine)
    assert (trades(matched), matched.filled_wh, matched.stopped) == ([(1, 100, 39)], 100, Stopped.RELATED)
    assert floor.open_wh() == {2: 100, 3: 100}
    floor.check()


def test_group_0_is_no_group_and_other_groups_are_strangers() -> None:
    floor = Floor()
    for number, group in ((1, 0), (2, 0), (3, 7), (4, 8)):
        add_participant(floor.state, number, group)
    floor.sell(1, 100, 40, participant=1)
    floor.sell(2, 100, 40, participant=3)
    assert trades(floor.buy(8, 100, 40, participant=2)) == [(1, 100, 40)]
    assert trades(floor.buy(9, 100, 40, participant=4)) == [(2, 100, 40)]


def test_who_is_filled_before_a_related_party_was_not_stopped() -> None:
    floor = Floor()
    floor.sell(1, 100, 40, participant=3)
    floor.sell(2, 100, 40, participant=1)
    assert floor.buy(9, 100, 40, participant=1).stopped == Stopped.NO


@pytest.mark.parametrize("levels", [1, 2, 7])
@pytest.mark.parametrize("feeders", [1, 2])
def test_at_the_step_limit_matching_stops(levels: int, feeders: int) -> None:
    floor = Floor()
    for number in range(MATCH_STEPS_PER_ORDER_MAX + 1):
        floor.sell(number, 10, 40 + number % levels, feeder=number % feeders)
    matched = floor.buy(999, 10 * MATCH_STEPS_PER_ORDER_MAX + 5, 60)
    assert len(matched.fills) == MATCH_STEPS_PER_ORDER_MAX
    assert matched.stopped == Stopped.STEP_LIMIT
    assert len(floor.open_wh()) == 1
    floor.check()


def test_an_order_that_needs_just_the_limit_of_steps_is_not_stopped() -> None:
    floor = Floor()
    for number in range(MATCH_STEPS_PER_ORDER_MAX + 1):
        floor.sell(number, 10, 40)
    assert floor.buy(998, 10 * MATCH_STEPS_PER_ORDER_MAX, 60).stopped == Stopped.NO
    assert floor.buy(999, 20, 60).stopped == Stopped.NO
    assert floor.open_wh() == {999: 10}


def test_expired_orders_are_steps() -> None:
    floor = Floor()
    for number in range(MATCH_STEPS_PER_ORDER_MAX):
        floor.sell(number, 10, 40, expires_ms=5)
    floor.sell(300, 10, 40)
    floor.time_ms = 5
    matched = floor.buy(999, 10, 60)
    assert (matched.filled_wh, len(matched.expired)) == (0, MATCH_STEPS_PER_ORDER_MAX)
    assert matched.stopped == Stopped.STEP_LIMIT
    assert floor.open_wh() == {300: 10}


def test_keys_come_in_an_order_that_content_decides() -> None:
    stories = ([1, 2, 3, 4, 5, 6], [4, 6, 1, 5, 3, 2])
    prices = {1: 40, 2: 41, 3: 40, 4: 30, 5: 31, 6: 30}
    listed = []
    for story in stories:
        floor = Floor()
        for name in story:
            side = Side.SELL if name <= 3 else Side.BUY
            resting = order(side, 100, prices[name], place=name, feeder=name % 2)
            book = floor.book
            book.enter(key_of(name), resting)
        listed.append(keys_of(floor.book, 100))
        assert keys_of(floor.book, 4) == listed[-1][:4]
        assert keys_of(floor.book, 0) == []
    assert listed[0] == listed[1]
    assert sorted(listed[0]) == [key_of(name) for name in range(1, 7)]


# What others got wrong.


def test_two_equal_bids_of_one_buyer_are_two_bids() -> None:
    floor = Floor()
    floor.buy(1, 500, 40, participant=5)
    floor.buy(2, 700, 40, participant=5)
    assert trades(floor.sell(9, 2_000, 40)) == [(1, 500, 40), (2, 700, 40)]
    assert floor.open_wh() == {9: 800}


def test_supply_that_ends_inside_a_step_is_sold_out() -> None:
    floor = Floor()
    floor.sell(1, 1_000, 30)
    floor.sell(2, 500, 30)
    assert trades(floor.buy(3, 1_000, 40)) == [(1, 1_000, 30)]
    assert trades(floor.buy(4, 1_000, 40)) == [(2, 500, 30)]
    assert floor.open_wh() == {4: 500}


def test_nobody_sells_below_its_limit_when_the_first_level_is_used_up() -> None:
    floor = Floor()
    floor.buy(1, 100, 110)
    floor.buy(2, 500, 90)
    assert trades(floor.sell(9, 300, 100)) == [(1, 100, 110)]
    assert floor.open_wh() == {2: 500, 9: 200}


def test_a_filled_order_is_not_there_to_be_cancelled() -> None:
    floor = Floor()
    floor.sell(1, 100, 40)
    floor.sell(2, 100, 40)
    floor.buy(9, 150, 40)
    assert floor.state.get(ORDERS, key_of(1)) is None
    floor.cancel(2)
    assert floor.open_wh() == {}
    floor.check()


@pytest.mark.parametrize("name", [0, 1, 2**64 - 1])
def test_any_client_id_will_do(name: int) -> None:
    floor = Floor()
    floor.sell(name, 100, 40)
    assert trades(floor.buy(9, 100, 40)) == [(name, 100, 40)]


# Roll-backs, beyond those that the model test draws at random.


def test_a_name_may_return_to_its_level_with_a_new_place() -> None:
    floor = Floor()
    for name in (1, 2, 3):
        floor.sell(name, 100, 40)
    floor.cancel(1)
    floor.sell(1, 100, 40)
    floor.check()
    assert trades(floor.buy(9, 300, 40)) == [(2, 100, 40), (3, 100, 40), (1, 100, 40)]


def test_a_transaction_that_does_everything_is_taken_back() -> None:
    floor = Floor()
    for name in range(1, 9):
        floor.sell(name, 100, 40 + name // 4, feeder=name % 2, expires_ms=10 if name == 5 else 99)
    floor.state.keep()
    before = book_content(floor.state.index(BOOKS))
    rows = dict(floor.state.rows[ORDERS.prefix])
    floor.time_ms = 10
    floor.cancel(2)
    floor.buy(20, 450, 41)
    floor.sell(2, 100, 40)
    floor.buy(21, 1_000, 50)
    floor.cancel(21)
    assert floor.state.index(BOOKS) == {}
    floor.state.roll_back(0)
    assert book_content(floor.state.index(BOOKS)) == before
    assert floor.state.rows[ORDERS.prefix] == rows
    floor.check()


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_an_iceberg_that_was_met_in_full_is_taken_back_with_what_was_met_behind_it(parts: int) -> None:
    floor = Floor()
    floor.sell(1, 100 * parts, 40, display_wh=100)
    floor.sell(2, 50, 41)
    floor.state.keep()
    before, rows = book_content(floor.state.index(BOOKS)), dict(floor.state.rows[ORDERS.prefix])
    assert floor.buy(9, 100 * parts + 50, 41).filled_wh == 100 * parts + 50
    floor.state.roll_back(0)
    assert book_content(floor.state.index(BOOKS)) == before
    assert floor.state.rows[ORDERS.prefix] == rows
    floor.check()


@pytest.mark.parametrize("feeder", [0, 2])
def test_a_match_that_a_bug_breaks_off_is_taken_back(feeder: int) -> None:
    floor = Floor()
    add_participant(floor.state, 1, group=7)
    for name in range(1, 6):
        floor.sell(name, 100, 40, feeder=name % 2, participant=10 + name)
    floor.state.rows[PARTICIPANTS.prefix][pseudonym(14)] = "not a record"
    floor.state.keep()
    before = book_content(floor.state.index(BOOKS))
    rows = dict(floor.state.rows[ORDERS.prefix])
    with pytest.raises(AttributeError):
        floor.buy(9, 500, 40, participant=1, feeder=feeder)
    floor.state.roll_back(0)
    assert book_content(floor.state.index(BOOKS)) == before
    assert floor.state.rows[ORDERS.prefix] == rows


def test_every_touched_order_is_reported_as_changed() -> None:
    floor = Floor()
    for name in (1, 2, 3, 4):
        floor.sell(name, 100, 40, expires_ms=5 if name == 2 else 99)
    floor.time_ms = 5
    floor.state.take_changes()
    floor.buy(9, 150, 40)
    floor.cancel(4)
    floor.sell(5, 100, 60)
    changes = {key[1:]: value is None for key, value in floor.state.take_changes()}
    assert changes == {key_of(1): True, key_of(2): True, key_of(3): False, key_of(4): True, key_of(5): False}
