"""What travels by WebSocket: what a listener may say, and what it hears. Habits as in `documents`."""

from typing import Annotated, Any

import msgspec

from gridtokenx.gateway.documents import AccountView, Document, Level, OrderView, Problem, Request, TradeView


class Subscription(Request):
    """A topic: `blocks`, `trades`, `book:{interval}`, `auction:{interval}` (an `AuctionView` each block from the call
    phase until it is final), `network:{interval}` (a `NetworkView` with each block that changed it),
    `prices:{interval}` (a `PricesView` whenever one changes, until the gate) or `account`.
    `after` is the last sequence one has of it."""

    topic: str
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class StreamRequest(Request):
    """What a listener may say. `token` (of a session) comes before or with the first `account`; `pong` answers a
    ping."""

    subscribe: Annotated[list[Subscription], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=list)
    unsubscribe: Annotated[list[str], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=list)
    token: str | None = None
    pong: bool | None = None


class StreamMessage(Document):
    """What a listener hears of a topic. `kind`: `snapshot` (all there is; forget what you have) or `update`.
    `sequence` is the height it tells of; of an update, `previous` is the sequence before it in the topic: if it is
    greater than the last one heard, something was missed."""

    topic: str
    kind: str
    sequence: int
    previous: int
    data: Any


class StreamProblem(Document):
    """What was asked and is not done; `topic` may be empty."""

    topic: str
    kind: str
    problem: Problem


class StreamPing(Document):
    """Sent while there is nothing else to say; answer it."""

    kind: str
    sequence: int


class TradesEvent(Document):
    """Of the topic `trades`."""

    trades: list[TradeView]


class BookEvent(Document):
    """Of a book: the levels that changed, with what is there now (quantity 0: gone; a snapshot has all), and the
    checksum over all levels after that (`checksum_of`). `closed`: the gate has closed, no more will come."""

    interval: int
    checksum: str
    bids: list[Level]
    asks: list[Level]
    closed: bool = False


class OwnTradeView(Document):
    """A trade of one's own order, from its side."""

    client_id: str
    side: str
    trade: TradeView


class AccountEvent(Document):
    """Of one's own account: how it stands, the orders that changed (a snapshot: those that are open, and the last
    that are gone), and one's trades in the block."""

    account: AccountView
    orders: list[OrderView]
    trades: list[OwnTradeView]
