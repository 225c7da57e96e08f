"""The market behind a gateway: the driver's port over HTTP, signed in as each site in turn."""

from collections.abc import Mapping, Sequence

from gridtokenx.client.client import Client
from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.client.wallet import Wallet
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.simulation.driver import AccountView, Outcome, source_of
from gridtokenx.simulation.genesis import Connection, Dealer, OwnedAccount
from gridtokenx.simulation.observation import BestPrices, BookView, OpenOrder, Side
from gridtokenx.simulation.reach import BooksByFeeder, add_level

LEVELS_MAX = 1_000
TRANSACTIONS_PER_REQUEST_MAX = 400


class ApiMarket:
    """Every method raises `ClientError` when the gateway or its node cannot answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._wallets: dict[bytes, Wallet] = {}

    def use(self, client: Client) -> None:
        """Go on through another gateway of the same chain."""
        self._client = client

    def time_ms(self) -> int:
        """That of the last block which the gateway has followed."""
        return self._client.status().time_ms

    def account(self, connection: Connection | Dealer, first_interval: int, end_interval: int) -> AccountView:
        """Three questions, so three heights at worst: what does not fit together any more, the ledger refuses."""
        wallet = self._wallet(connection.owner)
        own = self._client.account(wallet)
        positions = self._client.positions(wallet, first_interval).positions
        return AccountView(
            own.free_micro,
            own.nonce_highest,
            self._orders(wallet),
            {
                position.interval: position.sold_wh - position.bought_wh
                for position in positions
                if position.interval < end_interval and (position.sold_wh or position.bought_wh)
            },
        )

    def exists(self, account: bytes) -> bool:
        """Anybody may ask that."""
        return self._client.public_account(account).exists

    def block_time_ms(self, transaction_id: bytes) -> int:
        """Of a transaction that is in a block."""
        time_ms = self._client.transaction(transaction_id).time_ms
        assert time_ms is not None, "a committed transaction has a block"
        return time_ms

    def nonce_highest(self, owner: OwnedAccount) -> int:
        """Read from the account."""
        return self._client.account(self._wallet(owner)).nonce_highest

    def books(self, first_interval: int, end_interval: int) -> BooksByFeeder:
        """Only of intervals that are open and have orders."""
        books: dict[int, dict[int, BookView]] = {}
        for view in self._client.intervals(first_interval, end_interval - first_interval).intervals:
            if view.interval < end_interval and view.open_orders:
                book = self._client.book(view.interval, levels=LEVELS_MAX)
                own = books[view.interval] = {}
                for levels, buys in ((book.bids, True), (book.asks, False)):
                    for level in levels:
                        add_level(own, level.feeder, buys, level.quantity_wh)
        return books

    def best_prices(self, dealer: Dealer, first_interval: int, end_interval: int) -> Mapping[int, BestPrices]:
        """From the depth, less the dealer's own orders. What it shows of icebergs is not told apart: it has none."""
        own: dict[tuple[int, Side, int], int] = {}
        for order in self._orders(self._wallet(dealer.owner)):
            name = order.interval, order.side, order.price_micro
            own[name] = own.get(name, 0) + order.open_wh
        found = {}
        for view in self._client.intervals(first_interval, end_interval - first_interval).intervals:
            if view.interval < end_interval and view.open_orders:
                book = self._client.book(view.interval, levels=LEVELS_MAX)
                best = [
                    next(
                        (
                            level.price_micro
                            for level in levels
                            if level.quantity_wh > own.get((view.interval, side, level.price_micro), 0)
                        ),
                        None,
                    )
                    for side, levels in ((Side.BUY, book.bids), (Side.SELL, book.asks))
                ]
                found[view.interval] = BestPrices(*best)
        return found

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """What was accepted is on the node's disk when this returns."""
        wires = [transaction.wire for transaction in transactions]
        for start in range(0, len(wires), TRANSACTIONS_PER_REQUEST_MAX):
            self._client.submit(wires[start : start + TRANSACTIONS_PER_REQUEST_MAX])

    def outcome(self, transaction_id: bytes) -> Outcome:
        """One that the node refused at its door is unknown, and so gone."""
        view = self._client.transaction(transaction_id)
        if view.state == "committed":
            return Outcome.OK if view.code == KernelCode.OK else Outcome.REFUSED
        return Outcome.PENDING if view.state == "pending" else Outcome.GONE

    def _orders(self, wallet: Wallet) -> tuple[OpenOrder, ...]:
        orders: list[OpenOrder] = []
        after = ""
        while True:
            page = self._client.orders(wallet, after=after)
            for order in page.orders:
                client_id = bytes.fromhex(order.client_id)
                assert order.interval is not None and order.price_micro is not None, "an open order has both"
                assert order.side is not None, "and a side"
                orders.append(
                    OpenOrder(
                        client_id,
                        order.interval,
                        Side(order.side),
                        source_of(client_id),
                        order.price_micro,
                        order.remaining_wh or 0,
                    )
                )
            if not page.next:
                return tuple(orders)
            after = page.next

    def _wallet(self, owner: OwnedAccount) -> Wallet:
        wallet = self._wallets.get(owner.account)
        if wallet is None:
            wallet = self._wallets[owner.account] = owner.wallet()
        return wallet
