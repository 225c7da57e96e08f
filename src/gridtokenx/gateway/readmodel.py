"""The read model: what pages ask for, in memory, made of committed blocks and nothing else.

It starts by reading the node's database: the newest blocks again for what state does not keep (recent trades, orders
that are gone, older statements), then the present records. From there it follows block by block. It can be dropped and
built anew at any moment, and a page never waits for a block in the making.

Everything here is of one height, that of `head`. What is read through `reader` may be of a later one while a large
block is being taken in, piece by piece, so that nobody who asks has to wait for all of it.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec

from gridtokenx.engine.storage import Change, Head, Reader
from gridtokenx.gateway.bills import Prices, without_meters
from gridtokenx.gateway.callmemory import CallMemory, Indication
from gridtokenx.gateway.community import CommunityMemory
from gridtokenx.gateway.coupled_documents import NetworkView
from gridtokenx.gateway.depth import Depth, LevelChanges, count
from gridtokenx.gateway.facts import (
    PIECE,
    SEQUENCE_BITS,
    BlockFacts,
    OwnTrade,
    Work,
    finish,
    read_facts,
    trades_of,
)
from gridtokenx.gateway.memory import AnyOrder, OrderMemory
from gridtokenx.gateway.statements import StatementMemory
from gridtokenx.gateway.volumes import Volume
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.freeze import FREEZE, PAST_FREEZES
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.authority.state import (
    BALLOTS,
    CONDUCT,
    CONSORTIUM_TERMS,
    EPOCH,
    KEY_OWNERS,
    MEMBERS,
    MISDEEDS,
    PENALTIES,
    PROPOSALS,
    SERVICE_DAYS,
)
from gridtokenx.modules.grid.network import Network
from gridtokenx.modules.grid.state import LIMITS, LINKS
from gridtokenx.modules.grid.topology import TOPOLOGY, Topology
from gridtokenx.modules.identity.rosters import (
    FIRST_INTERVALS,
    JOIN_REQUESTS,
    MEMBERSHIPS,
    ROSTERS,
    SPLIT_RULES,
    membership_at,
)
from gridtokenx.modules.identity.state import FEEDERS, PORTFOLIOS, ZONES, Feeder, Portfolio, Zone
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    CLEARINGS,
    HALTS,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    NO_PORTFOLIO,
    ORDERS,
    POSITIONS,
    REFERENCES,
    TERMS,
    BlockOrder,
    Clearing,
    Halted,
    Interval,
    MakerDuty,
    Order,
    Phase,
    Reference,
    account_of_order,
)
from gridtokenx.modules.settlement.state import SETTLEMENTS, SPLITS, STATEMENTS, Settlement, Stage, Statement

AUTHORITY_TABLES: dict[int, Table[Any]] = {
    table.prefix: table
    for table in (
        *(NODES, VALIDATORS, FREEZE, PAST_FREEZES, CONSORTIUM_TERMS, MEMBERS, KEY_OWNERS, CONDUCT, EPOCH),
        *(PROPOSALS, BALLOTS, PENALTIES, MISDEEDS, SERVICE_DAYS),
    )
}
"""Who runs the chain: small tables, kept as they are."""

MEMBER_TABLES: dict[int, Table[Any]] = {
    table.prefix: table for table in (SPLIT_RULES, JOIN_REQUESTS, MEMBERSHIPS, ROSTERS, SPLITS, MAKER_PROGRAMMES)
}
"""Portfolios with members, and programmes for makers: kept as they are too."""

PLACE_TABLES: dict[int, Table[Any]] = {table.prefix: table for table in (LIMITS, LINKS, REFERENCES, HALTS)}
"""Of links and zones: likewise."""

FOLLOWED = (
    AUTHORITY_TABLES.keys()
    | MEMBER_TABLES.keys()
    | {table.prefix for table in (ORDERS, INTERVALS, TERMS, ZONES, FEEDERS, PORTFOLIOS, SETTLEMENTS, STATEMENTS)}
    | PLACE_TABLES.keys()
    | {CLEARINGS.prefix, MAKER_DUTIES.prefix, BLOCK_ORDERS.prefix}
)
"""Tables whose changes must be in the node's feed."""

TRADES_MAX = 100_000
STORED_BLOCKS_PER_PAGE = 100
HISTORY_BLOCKS_MAX = 10_000
HISTORY_TRANSACTIONS_MAX = 50_000
"""How far back a start reads again: some seconds of work at most."""
BLOCK_HASHES_MAX = 100_000
"""Newest blocks that are found by their hash; about 15 MB."""


K = TypeVar("K", int, bytes)
R = TypeVar("R", bound=Record)


class Advance(msgspec.Struct, frozen=True):
    """What one block changed, for those who follow."""

    facts: BlockFacts
    books: list[int]
    """Intervals that changed, or their depth, or what their links carry."""
    accounts: set[bytes]
    """Whose orders or statements changed."""


def after_sequence(trades: deque[OwnTrade], sequence: int, limit: int) -> list[OwnTrade]:
    """The first `limit` of them with a greater sequence."""
    start = bisect_right(trades, sequence, key=lambda trade: trade.view.sequence)
    return list(islice(trades, start, start + limit))


def newest(trades: deque[OwnTrade], limit: int) -> list[OwnTrade]:
    """The last `limit` of them."""
    return list(islice(trades, max(0, len(trades) - limit), None))


class _OrderChanges(msgspec.Struct, frozen=True):
    """What some records do to the open orders, by key, and what follows for the owners and the books: laid out so that
    taking it in is a few operations on whole tables, however many orders there are."""

    before: dict[bytes, Order]
    after: dict[bytes, Order | None]
    """None: gone."""
    standing: dict[bytes, Order]
    new_of: dict[bytes, dict[bytes, None]]
    gone: list[bytes]
    levels: dict[int, LevelChanges]


class _TradesOfInterval(msgspec.Struct, frozen=True):
    """Trades of one block in one interval: the first comes first."""

    trades: list[OwnTrade]
    volume: Volume


class _Digested(msgspec.Struct, frozen=True):
    """A block that is ready to be taken in."""

    facts: BlockFacts
    orders: _OrderChanges
    others: list[Change]
    """Records of the other tables."""
    trades_of: dict[int, _TradesOfInterval]
    accounts: set[bytes]
    """Whose orders changed."""


class FeedMissing(Exception):
    """The node's feed does not reach back to where the model stands: build it anew."""


class ReadModel:
    """Open orders, intervals, trades and statements as of `head`."""

    def __init__(self, reader: Reader) -> None:
        """Reads everything; FileNotFoundError when the database has no genesis yet."""
        self.reader = reader
        head = reader.head()
        if head is None:
            raise FileNotFoundError("the node has not written its genesis yet")
        self.head: Head = head
        beginning = reader.beginning()
        self.first_height = 1 if beginning is None else beginning.height + 1
        """The first block that this node may have: the chain's, or the one after the snapshot it was restored from."""
        self.orders: dict[bytes, Order] = {}
        self.orders_of: dict[bytes, dict[bytes, None]] = {}
        """Keys of the open orders of each account."""
        self.block_orders: dict[bytes, BlockOrder] = {}
        """Those that wait; some hundred at most."""
        self.depths: dict[int, Depth] = {}
        self.intervals: dict[int, Interval] = {}
        self.trading: set[int] = set()
        """Intervals whose gate has not closed."""
        self.terms: dict[int, Terms] = {}
        self.clearings: dict[int, Clearing] = {}
        self.auctions: tuple[int, dict[int, Indication]] = (0, {})
        """Of one height, as far as somebody asked (`auctions`)."""
        self.calls: dict[int, CallMemory] = {}
        """How the auctions of intervals built up, while this gateway followed (`calls`)."""
        self.networks: tuple[int, dict[int, NetworkView]] = (0, {})
        """Of one height, as far as somebody asked (`zones`)."""
        self.settlements: dict[int, Settlement] = {}
        self.volumes: dict[int, Volume] = {}
        self.portfolios: dict[bytes, Portfolio] = {}
        self.portfolios_of: dict[bytes, dict[bytes, None]] = {}
        self.trades: deque[OwnTrade] = deque()
        self.trades_of: dict[int, deque[OwnTrade]] = {}
        """The same by interval."""
        self.trades_since = 0
        """All trades with at least this sequence are in `trades`."""
        self.memory = OrderMemory()
        self.statements = StatementMemory()
        self.community = CommunityMemory()
        self.heights: dict[str, int] = {}
        """Of the newest blocks, by the hash of their header."""
        self.history: list[Advance] = []
        """The blocks read again at the start, without their books: for buffers of streams."""
        self.authority = State()
        """The rows of `AUTHORITY_TABLES`, for the ledger's own questions."""
        self.members = State()
        """The rows of `MEMBER_TABLES`, likewise."""
        self.members.rebuild_indexes((FIRST_INTERVALS,))
        self.duties_of: dict[bytes, dict[int, MakerDuty]] = {}
        """Of makers' portfolios, by interval, as long as state has them."""
        self._topology: Topology | None = None
        self._grid = State()
        self._numbered: dict[int, tuple[Table[Any], dict[int, Any]]] = {
            SETTLEMENTS.prefix: (SETTLEMENTS, self.settlements),
            TERMS.prefix: (TERMS, self.terms),
            CLEARINGS.prefix: (CLEARINGS, self.clearings),
        }
        """Tables that are kept as they are, by number."""
        self._read_everything()

    def _read_everything(self) -> None:
        self._read(TERMS, ZONES, FEEDERS, PORTFOLIOS, SPLIT_RULES, MEMBERSHIPS, ROSTERS)
        self._read_history()
        self._forget_present()
        self._read(*MEMBER_TABLES.values(), INTERVALS, SETTLEMENTS, STATEMENTS)
        self._read(CLEARINGS, MAKER_DUTIES, BLOCK_ORDERS, *PLACE_TABLES.values(), *AUTHORITY_TABLES.values())
        self._write_orders(finish(self._order_changes(self.reader.scan(bytes([ORDERS.prefix])))))
        self._read_volumes()
        for interval in sorted(self.settlements):
            self._settle(interval)

    def _forget_present(self) -> None:
        """What is kept as it is now: reading history again left later states of it."""
        for kept, tables in (
            (self.authority, AUTHORITY_TABLES),
            (self.members, MEMBER_TABLES),
            (self._grid, PLACE_TABLES),
        ):
            for prefix in tables:
                kept.rows[prefix].clear()
        for rows in (self.clearings, self.duties_of, self.block_orders):
            rows.clear()

    @property
    def zones(self) -> dict[int, Zone]:
        """All bidding zones, by number."""
        return {int.from_bytes(key, "big"): zone for key, zone in self._grid.items(ZONES)}

    @property
    def references(self) -> dict[bytes, Reference]:
        """Reference prices, by interval ‖ zone."""
        return self._grid.rows[REFERENCES.prefix]

    @property
    def halts(self) -> dict[bytes, Halted]:
        """Halts of trade, by interval ‖ zone, 0 for all."""
        return self._grid.rows[HALTS.prefix]

    @property
    def feeders(self) -> dict[int, Feeder]:
        """All feeders, by number."""
        return {int.from_bytes(key, "big"): feeder for key, feeder in self._grid.items(FEEDERS)}

    def prices_of(self, interval: int) -> Prices | None:
        """What an interval costs; None if it is not known any more."""
        known = self.intervals.get(interval)
        if known is None:
            return self.statements.prices.get(interval)
        return Prices(known.tariff_micro, self.terms[known.terms])

    @property
    def topology(self) -> Topology:
        """How near feeders are to each other."""
        if self._topology is None:
            self._topology = self._grid.indexes[TOPOLOGY.name] = TOPOLOGY.build(self._grid)
        return self._topology

    def network(self, interval: int) -> Network:
        """What the links of an interval carry, as of now."""
        assert self.topology is self._grid.index(TOPOLOGY)
        return Network(self._grid, interval)

    def advance(self) -> Iterator[Advance | None]:
        """See the blocks that were committed since: yields one `Advance` each, and None between the pieces of work that
        a large block makes, when everything still stands at the block before. Raises FeedMissing when it has been away
        for too long."""
        # One call into RocksDB that holds Python's lock and cannot be cut: two to three milliseconds for each thousand
        # records that the blocks wrote.
        self.reader.refresh()
        head = self.reader.head()
        assert head is not None, "a database never loses its head"
        for height in range(self.head.height + 1, head.height + 1):
            digested = yield from self._digest(height)
            if digested is None:
                raise FeedMissing(f"block {height} is no longer in the feed")
            facts = digested.facts
            self.head = msgspec.structs.replace(head, height=height, time_ms=facts.time_ms, app_hash=facts.app_hash)
            yield self._take_in(digested)

    def depth(self, interval: int) -> Depth:
        """The book of an interval; empty for one without orders."""
        return self.depths.get(interval) or Depth()

    def trades_after(self, sequence: int, limit: int) -> tuple[list[OwnTrade], int]:
        """(trades with a greater sequence, oldest first, at most `limit`; the `sequence` to go on from). Older ones
        than the memory has are read from their blocks, at most 100 blocks a call: a page may be empty."""
        if sequence + 1 < self.trades_since:
            return self._stored_trades(sequence, limit)
        page = after_sequence(self.trades, sequence, limit)
        return page, page[-1].view.sequence if page else sequence

    def _stored_trades(self, sequence: int, limit: int) -> tuple[list[OwnTrade], int]:
        page: list[OwnTrade] = []
        first = max(sequence >> SEQUENCE_BITS, self.first_height)
        last = min(first + STORED_BLOCKS_PER_PAGE, self.head.height)
        for height in range(first, last + 1):
            stored, results = self.reader.block(height), self.reader.results(height)
            if stored is None or results is None:
                continue
            page += [trade for trade in trades_of(stored, results) if trade.view.sequence > sequence]
            if len(page) >= limit:
                page = page[:limit]
                return page, page[-1].view.sequence
        return page, (last + 1 << SEQUENCE_BITS) - 1

    def _read_history(self) -> None:
        """Follow the newest blocks from an empty model: what they say of orders and statements stays."""
        start = self._history_start()
        self.memory.complete_since = start
        self.trades_since = start << SEQUENCE_BITS
        for height in range(start, self.head.height + 1):
            digested = finish(self._digest(height))
            assert digested is not None, "the start was chosen so that every block is there"
            changed = self._take_in(digested)
            self.history.append(Advance(changed.facts, [], changed.accounts))
        for rows in (self.orders, self.orders_of, self.depths, self.intervals, self.trading, self.settlements):
            rows.clear()

    def _history_start(self) -> int:
        """The first block to read again."""
        transactions, height = 0, self.head.height
        while height > max(0, self.head.height - HISTORY_BLOCKS_MAX) and transactions < HISTORY_TRANSACTIONS_MAX:
            results = self.reader.results(height)
            if results is None or self.reader.feed(height) is None:
                break
            transactions += sum(len(outcome.receipts) for outcome in results.batches)
            height -= 1
        return height + 1

    def _read(self, *tables: Table[Any]) -> None:
        for table in tables:
            for key, value in self.reader.scan(bytes([table.prefix])):
                self._write(table.prefix, key[1:], value)

    def _read_volumes(self) -> None:
        """Each trade stands in one buyer's position; the blocks read again give last prices only."""
        known, self.volumes = self.volumes, {}
        for number in self.intervals:
            self.volumes[number] = known.get(number, Volume()).prices_alone()
        for key, value in self.reader.scan(bytes([POSITIONS.prefix])):
            position = POSITIONS.decode.trusted(value)
            volume = self._volume(int.from_bytes(key[1:5], "big"))
            volume.traded_wh += position.bought_wh
            volume.traded_micro += position.purchase_value_micro
            if position.sold_wh or position.bought_wh:
                zone_volume = volume.of_zone(self.topology.zone_of[self.portfolios[key[5:]].feeder])
                zone_volume.sold_wh += position.sold_wh
                zone_volume.bought_wh += position.bought_wh
        for depth in self.depths.values():
            depth.take_changed()

    def _digest(self, height: int) -> Work[_Digested | None]:
        """All work that a block makes and that can be done while everything else still stands at the block before;
        None if the feed does not have the block. The memory of orders runs ahead: it is asked last."""
        stored = self.reader.block(height)
        yield
        results = self.reader.results(height)
        yield
        changes = self.reader.feed(height)
        if stored is None or results is None or changes is None:
            return None
        yield
        facts = yield from read_facts(stored, results, changes)
        orders = yield from self._order_changes(change for change in changes if change[0][0] == ORDERS.prefix)
        trades_of = yield from self._by_interval(facts.trades, changes)
        others = [change for change in changes if change[0][0] != ORDERS.prefix]
        accounts = yield from self.memory.follow(facts, *self._with_block_orders(orders, others))
        return _Digested(facts, orders, others, trades_of, accounts)

    def _by_interval(self, trades: list[OwnTrade], changes: list[Change]) -> Work[dict[int, _TradesOfInterval]]:
        """The trades of a block by interval, in their order, with the volume of each and of the zones in it."""
        found: dict[int, _TradesOfInterval] = {}
        feeders = {
            key[1:]: PORTFOLIOS.decode.trusted(value).feeder
            for key, value in changes
            if value is not None and key[0] == PORTFOLIOS.prefix
        }
        for number, trade in enumerate(trades):
            if number % PIECE == PIECE - 1:
                yield
            own = found.setdefault(trade.view.interval, _TradesOfInterval([], Volume()))
            own.trades.append(trade)
            view, volume = trade.view, own.volume
            volume.count(view)
            for portfolio, is_sale in ((trade.seller_portfolio, True), (trade.buyer_portfolio, False)):
                if portfolio == NO_PORTFOLIO:
                    continue
                feeder = feeders[portfolio] if portfolio in feeders else self.portfolios[portfolio].feeder
                volume.of_zone(self.topology.zone_of[feeder]).count(view, is_sale=is_sale)
        return found

    def _order_changes(self, rows: Iterable[Change]) -> Work[_OrderChanges]:
        """What these records of orders (None: gone) change against those that stand, each named once."""
        changes = _OrderChanges({}, {}, {}, {}, [], {})
        for number, (prefixed, value) in enumerate(rows):
            if number % PIECE == PIECE - 1:
                yield
            key = prefixed[1:]
            old = self.orders.get(key)
            order = changes.after[key] = None if value is None else ORDERS.decode.trusted(value)
            if old is not None:
                changes.before[key] = old
                count(changes.levels.setdefault(old.interval, {}), old, -1)
            if order is not None:
                changes.standing[key] = order
                count(changes.levels.setdefault(order.interval, {}), order, 1)
                if old is None:
                    changes.new_of.setdefault(account_of_order(key), {})[key] = None
            elif old is not None:
                changes.gone.append(key)
        return changes

    def _with_block_orders(
        self, orders: _OrderChanges, others: list[Change]
    ) -> tuple[dict[bytes, AnyOrder], dict[bytes, AnyOrder | None]]:
        """Before and after the block: orders, and block orders. A name may have gone from one kind to the other."""
        before: dict[bytes, AnyOrder] = {**orders.before}
        after: dict[bytes, AnyOrder | None] = {**orders.after}
        for prefixed, value in others:
            if prefixed[0] == BLOCK_ORDERS.prefix:
                key = prefixed[1:]
                if key in self.block_orders:
                    before[key] = self.block_orders[key]
                if after.get(key) is None:
                    after[key] = None if value is None else BLOCK_ORDERS.decode.trusted(value)
        return before, after

    def open_of(self, account: bytes) -> list[bytes]:
        """Names of the account's open orders, and of its block orders that wait, rising."""
        waiting = [key for key in self.block_orders if account_of_order(key) == account]
        return sorted([*self.orders_of.get(account, ()), *waiting])

    def find_open(self, key: bytes) -> AnyOrder | None:
        """The order, or block order, of this name that is open."""
        return self.orders.get(key) or self.block_orders.get(key)

    def _take_in(self, digested: _Digested) -> Advance:
        """Everything goes from the block before to this one."""
        facts, accounts = digested.facts, digested.accounts
        books = set(digested.orders.levels)
        self._write_orders(digested.orders)
        progressed: list[int] = []
        for prefixed, value in digested.others:
            prefix, key = prefixed[0], prefixed[1:]
            if prefix == INTERVALS.prefix:
                books.add(int.from_bytes(key, "big"))
            if prefix in {LINKS.prefix, CLEARINGS.prefix}:
                books.add(int.from_bytes(key[:4], "big"))
            if prefix == STATEMENTS.prefix and key[4:] in self.portfolios:
                accounts.add(self.portfolios[key[4:]].account)
            if prefix == SETTLEMENTS.prefix:
                progressed.append(int.from_bytes(key, "big"))
            self._write(prefix, key, value)
        for interval in progressed:
            self._settle(interval)
        self._remember(facts.trades, digested.trades_of)
        self._note_hash(facts.line.hash, facts.height)
        self.memory.settle(facts.transactions)
        return Advance(facts, sorted(books), accounts)

    def _remember(self, trades: list[OwnTrade], trades_of: dict[int, _TradesOfInterval]) -> None:
        """Trades of a block, and the same by interval; the oldest of all are forgotten for lack of room."""
        self.trades.extend(trades)
        for interval, own in trades_of.items():
            self.trades_of.setdefault(interval, deque()).extend(own.trades)
            self._volume(interval).add(own.volume)
        while len(self.trades) > TRADES_MAX:
            oldest = self.trades.popleft().view
            self.trades_since = oldest.sequence + 1
            self.trades_of[oldest.interval].popleft()
            if not self.trades_of[oldest.interval]:
                del self.trades_of[oldest.interval]

    def _settle(self, interval: int) -> None:
        """Add the interval up if it is settled, and all that it consists of is known: its record came before its
        statements, or both stand in state."""
        settlement, prices = self.settlements.get(interval), self.prices_of(interval)
        if settlement is None or settlement.stage != Stage.SETTLED or interval not in self.intervals or prices is None:
            return
        self.statements.put_prices(interval, prices)
        if interval not in self.community.intervals:
            volume = self._volume(interval)
            statements = [
                (portfolio, self._counted(interval, portfolio, statement), bool(self.portfolios[portfolio].site))
                for portfolio, statement in self.statements.of_interval(interval)
            ]
            self.community.settle(interval, prices, statements, volume.traded_wh, volume.traded_micro)

    def _note_hash(self, block_hash: str, height: int) -> None:
        self.heights[block_hash] = height
        if len(self.heights) > BLOCK_HASHES_MAX:
            del self.heights[next(iter(self.heights))]

    def _volume(self, interval: int) -> Volume:
        return self.volumes.setdefault(interval, Volume())

    def _write(self, prefix: int, key: bytes, value: bytes | None) -> None:
        """One record as it is now, of any table but that of orders."""
        if prefix == INTERVALS.prefix:
            number = int.from_bytes(key, "big")
            _replace(self.intervals, number, INTERVALS, value)
            if number in self.intervals and self.intervals[number].phase == Phase.TRADING:
                self.trading.add(number)
            else:
                self.trading.discard(number)
            if value is not None:
                self._volume(number)
            else:
                self.volumes.pop(number, None)
                self.depths.pop(number, None)
                self.calls.pop(number, None)
        elif prefix in self._numbered:
            table, rows = self._numbered[prefix]
            _replace(rows, int.from_bytes(key, "big"), table, value)
        elif prefix == STATEMENTS.prefix:
            if value is not None:
                self._put_statement(int.from_bytes(key[:4], "big"), key[4:], STATEMENTS.decode.trusted(value))
        elif prefix == PORTFOLIOS.prefix and value is not None:
            portfolio = PORTFOLIOS.decode.trusted(value)
            self.portfolios[key] = portfolio
            self.portfolios_of.setdefault(portfolio.account, {})[key] = None
        elif prefix == MAKER_DUTIES.prefix:
            self._write_duty(int.from_bytes(key[:4], "big"), key[4:], value)
        elif prefix == BLOCK_ORDERS.prefix:
            _replace(self.block_orders, key, BLOCK_ORDERS, value)
        elif prefix in PLACE_TABLES:
            _replace(self._grid.rows[prefix], key, PLACE_TABLES[prefix], value)
        elif prefix in AUTHORITY_TABLES:
            _replace(self.authority.rows[prefix], key, AUTHORITY_TABLES[prefix], value)
        elif prefix in MEMBER_TABLES:
            _replace(self.members.rows[prefix], key, MEMBER_TABLES[prefix], value)
            if prefix in {ROSTERS.prefix, MEMBERSHIPS.prefix}:
                self.members.rebuild_indexes((FIRST_INTERVALS,))
        elif prefix in {ZONES.prefix, FEEDERS.prefix} and value is not None:
            place: Table[Any] = ZONES if prefix == ZONES.prefix else FEEDERS
            self._grid.rows[prefix][key] = place.decode.trusted(value)
            self._topology = None

    def _write_duty(self, interval: int, portfolio: bytes, value: bytes | None) -> None:
        """A maker's duty; its rebate is remembered as long as the statement."""
        own = self.duties_of.setdefault(portfolio, {})
        _replace(own, interval, MAKER_DUTIES, value)
        if not own:
            del self.duties_of[portfolio]
        elif interval in own and own[interval].rebate_micro:
            self.statements.put_rebate(interval, portfolio, own[interval].rebate_micro)

    def _put_statement(self, interval: int, portfolio: bytes, statement: Statement) -> None:
        before = self.statements.put(interval, portfolio, statement)
        if before is not None and before != statement:
            old, new = (self._counted(interval, portfolio, one) for one in (before, statement))
            self.community.correct(interval, portfolio, old, new)

    def has_members(self, portfolio: bytes) -> bool:
        """Whether it is an aggregator's portfolio, made for the sites of others."""
        return portfolio in self.members.rows[SPLIT_RULES.prefix]

    def _counted(self, interval: int, portfolio: bytes, statement: Statement) -> Statement:
        """The statement as it counts in sums over everybody: what members and their portfolio both say counts once,
        meters of the members, what trades do not explain of the portfolio."""
        if self.has_members(portfolio):
            return without_meters(statement)
        membership = membership_at(self.members, portfolio, interval)
        if membership is None or interval_key(interval) + membership.portfolio not in self.members.rows[SPLITS.prefix]:
            return statement
        return msgspec.structs.replace(statement, other_import_wh=0, other_export_wh=0)

    def _write_orders(self, changes: _OrderChanges) -> None:
        """Open orders, by key, by owner and in their books."""
        self.orders.update(changes.standing)
        for account, keys in changes.new_of.items():
            self.orders_of.setdefault(account, {}).update(keys)
        for key in changes.gone:
            del self.orders[key]
            account = account_of_order(key)
            own = self.orders_of[account]
            del own[key]
            if not own:
                del self.orders_of[account]
        for interval, levels in changes.levels.items():
            self.depths.setdefault(interval, Depth()).apply(levels)


def _replace(rows: dict[K, R], key: K, table: Table[R], value: bytes | None) -> None:
    if value is None:
        rows.pop(key, None)
    else:
        rows[key] = table.decode.trusted(value)
