"""What a block means for each topic of the stream."""

from collections.abc import Iterable, Mapping, Sequence

from gridtokenx.gateway import views
from gridtokenx.gateway.auctions import auction_view, is_over
from gridtokenx.gateway.calls import note_calls
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import BlockLine, Document, OrderView
from gridtokenx.gateway.facts import BlockFacts, OwnTrade
from gridtokenx.gateway.hub import Hub, Topic
from gridtokenx.gateway.prices import prices_view
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.readmodel import Advance, ReadModel, newest
from gridtokenx.gateway.stream_documents import AccountEvent, BookEvent, OwnTradeView, TradesEvent
from gridtokenx.gateway.zones import network_view
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.market.halted import ALL
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import HALTS, REFERENCES, account_of_order, client_id_of_order, order_key

BLOCKS, TRADES, ACCOUNT = "blocks", "trades", "account"
BOOK_PREFIX, AUCTION_PREFIX, NETWORK_PREFIX, PRICES_PREFIX = "book:", "auction:", "network:", "prices:"
OF_INTERVAL = (BOOK_PREFIX, AUCTION_PREFIX, NETWORK_PREFIX, PRICES_PREFIX)
_ACCOUNT_PREFIX = "account:"
TRADES_IN_SNAPSHOT = 100
ORDERS_IN_SNAPSHOT = 1_000
GONE_ORDERS_IN_SNAPSHOT = 100

_NEW_KEYS = Refused(GatewayCode.SESSION_ENDED, "token", "the account has new keys: sign in again")


def begin(hub: Hub, model: ReadModel, lines: Mapping[int, BlockLine]) -> None:
    """The two topics that go back into history: from the blocks that the model has read again."""
    first = model.head.height if not model.history else model.history[0].facts.height - 1
    blocks, trades = hub.topic(BLOCKS, first), hub.topic(TRADES, first)
    for advance in model.history:
        height = advance.facts.height
        if height in lines:
            blocks.publish(height, lines[height])
        else:
            blocks.complete_since = height
        if advance.facts.trades:
            trades.publish(height, TradesEvent([trade.view for trade in advance.facts.trades]))


def publish(hub: Hub, model: ReadModel, advance: Advance) -> None:
    """Tell everybody who listens what a block did. To be called while the model stands at that block."""
    facts = advance.facts
    hub.topic(BLOCKS, facts.height - 1).publish(facts.height, facts.line)
    if facts.trades:
        event = TradesEvent([trade.view for trade in facts.trades])
        hub.topic(TRADES, facts.height - 1).publish(facts.height, event)
    note_calls(model, advance.books)
    for interval in advance.books:
        _publish_book(hub, model, interval, facts.height)
        _publish_network(hub, model, interval)
    for name, topic in list(hub.topics.items()):
        if name.startswith(AUCTION_PREFIX):
            _publish_auction(hub, model, name, topic)
        elif name.startswith(PRICES_PREFIX):
            _publish_prices(hub, model, facts, name, topic)


def publish_accounts(hub: Hub, model: ReadModel, advances: Sequence[Advance]) -> None:
    """Tell the owners who listen what these blocks did to their orders, statements and trades. To be called when the
    model stands at the last of them: an account is shown as it is there."""
    touched = {account for advance in advances for account in advance.accounts}
    heard: dict[bytes, Topic] = {}
    for name, topic in list(hub.topics.items()):
        if not name.startswith(_ACCOUNT_PREFIX):
            continue
        account, keys = _account_of_topic(name)
        record = views.account_of(model, account) if account in touched else None
        if not topic.listeners:
            hub.drop(name)
        elif record is not None and record.keys_hash != keys:
            hub.end(name, _NEW_KEYS)
        elif record is not None:
            heard[account] = topic
    trades = _trades_by_account([trade for advance in advances for trade in advance.facts.trades], heard)
    for account, topic in heard.items():
        changed = model.memory.of_account(account, advances[0].facts.height - 1)
        orders = [_remembered_order(model, account, client_id) for client_id, _ in changed]
        topic.publish(model.head.height, _account_event(model, account, orders, trades[account]))


def snapshot(model: ReadModel, topic: str, newest_block: BlockLine) -> Document:
    """All there is to know of a public topic now."""
    if topic == BLOCKS:
        return newest_block
    if topic == TRADES:
        return TradesEvent([trade.view for trade in newest(model.trades, TRADES_IN_SNAPSHOT)])
    if topic.startswith(AUCTION_PREFIX):
        return auction_view(model, int(topic.removeprefix(AUCTION_PREFIX)))
    if topic.startswith(NETWORK_PREFIX):
        return network_view(model, int(topic.removeprefix(NETWORK_PREFIX)))
    if topic.startswith(PRICES_PREFIX):
        return prices_view(model, int(topic.removeprefix(PRICES_PREFIX)))
    interval = int(topic.removeprefix(BOOK_PREFIX))
    depth = model.depth(interval)
    return BookEvent(
        interval, depth.checksum(), depth.side(Side.BUY), depth.side(Side.SELL), interval not in model.trading
    )


def account_topic(account: bytes, keys: bytes) -> str:
    """Where messages for those who signed in with an account's keys are kept in the hub; they know it as `account`.
    New keys have a topic of their own: who signed in with old ones hears no more."""
    return f"{_ACCOUNT_PREFIX}{account.hex()}:{keys.hex()}"


def _account_of_topic(name: str) -> tuple[bytes, bytes]:
    account, _, keys = name.removeprefix(_ACCOUNT_PREFIX).partition(":")
    return bytes.fromhex(account), bytes.fromhex(keys)


def account_snapshot(model: ReadModel, account: bytes) -> Document:
    """How the account stands, its open orders, and the last of those that are gone."""
    keys = model.open_of(account)[:ORDERS_IN_SNAPSHOT]
    orders = [views.open_order_view(model, key, order) for key in keys if (order := model.find_open(key)) is not None]
    traces = model.memory.of_account(account)
    gone = [item for item in traces if model.find_open(order_key(account, item[0])) is None]
    orders += [views.traced_order_view(*item) for item in gone[-GONE_ORDERS_IN_SNAPSHOT:]]
    return _account_event(model, account, orders, [])


def _publish_auction(hub: Hub, model: ReadModel, name: str, topic: Topic) -> None:
    """While somebody listens: what the auction would be, then what it decided."""
    number = int(name.removeprefix(AUCTION_PREFIX))
    if not topic.listeners or number not in model.intervals:
        hub.drop(name)
        return
    view = auction_view(model, number)
    if view.state != "open":
        topic.publish(model.head.height, view)
    if is_over(view):
        hub.drop(name)


def _publish_prices(hub: Hub, model: ReadModel, facts: BlockFacts, name: str, topic: Topic) -> None:
    """While somebody listens: when a reference or a halt of the interval changed, and a last time at its gate."""
    number = int(name.removeprefix(PRICES_PREFIX))
    if not topic.listeners or number not in model.intervals:
        hub.drop(name)
        return
    closed, own = number not in model.trading, (interval_key(number), interval_key(ALL))
    tables = {REFERENCES.prefix, HALTS.prefix}
    if closed or any(key[0] in tables and key[1:5] in own for key, _ in facts.changes):
        topic.publish(model.head.height, prices_view(model, number))
    if closed:
        hub.drop(name)


def _publish_book(hub: Hub, model: ReadModel, interval: int, height: int) -> None:
    depth = model.depth(interval)
    bids, asks = depth.take_changed()
    name = f"{BOOK_PREFIX}{interval}"
    topic = hub.topics.get(name)
    if topic is None:
        return
    closed = interval not in model.trading
    topic.publish(height, BookEvent(interval, depth.checksum(), bids, asks, closed))
    if closed:
        hub.drop(name)


def _publish_network(hub: Hub, model: ReadModel, interval: int) -> None:
    """While somebody listens, and as often as the interval changes."""
    name = f"{NETWORK_PREFIX}{interval}"
    topic = hub.topics.get(name)
    if topic is None:
        return
    if topic.listeners and interval in model.intervals:
        topic.publish(model.head.height, network_view(model, interval))
    if not topic.listeners or interval not in model.trading:
        hub.drop(name)


def _remembered_order(model: ReadModel, account: bytes, client_id: bytes) -> OrderView:
    view = views.order_view(model, order_key(account, client_id))
    assert view is not None, "an order that changed is known"
    return view


def _trades_by_account(trades: list[OwnTrade], accounts: Iterable[bytes]) -> dict[bytes, list[OwnTradeView]]:
    """Of each of these accounts. Most trades are of others: those are not even looked at twice."""
    own: dict[bytes, list[OwnTradeView]] = {account: [] for account in accounts}
    for trade in trades if own else ():
        for key, side in ((trade.buyer_order, "buy"), (trade.seller_order, "sell")):
            account = account_of_order(key)
            if account in own:
                own[account].append(OwnTradeView(client_id_of_order(key).hex(), side, trade.view))
    return own


def _account_event(
    model: ReadModel, account: bytes, orders: list[OrderView], trades: list[OwnTradeView]
) -> AccountEvent:
    record = views.account_of(model, account)
    assert record is not None, "a session is of an account that exists"
    return AccountEvent(views.account_view(model, account, record), orders, trades)
