"""The market in this process: the solo engine under a clock that stands where it is put.

Transactions go the way they go in a node: their signatures are checked at the door, the mempool packs them into
batches that the node's key signs, batches become blocks, the ledger executes. What is left out is waiting: no
clock, no other process, no journal, and no wait for the disk.
"""

from collections.abc import Callable, Mapping, Sequence

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.engine.application import Application
from gridtokenx.engine.clocks import VirtualClock
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor, Mempool, Standing
from gridtokenx.engine.solo import SoloEngine
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.market.messages import Side as LedgerSide
from gridtokenx.modules.market.state import (
    ORDERS,
    POSITIONS,
    Order,
    client_id_of_order,
    position_key,
)
from gridtokenx.modules.tokens.state import account_of, free_micro
from gridtokenx.simulation.driver import AccountView, Outcome, source_of
from gridtokenx.simulation.genesis import Connection, Dealer, OwnedAccount, ScenarioGenesis
from gridtokenx.simulation.observation import BestPrices, BookView, OpenOrder, Side
from gridtokenx.simulation.reach import BooksByFeeder, add_level

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)


class EngineMarket:
    """A whole chain, and the port by which the driver reaches it. `on_block` is told of every block."""

    def __init__(
        self,
        genesis: ScenarioGenesis,
        storage: Storage | None = None,
        on_block: Callable[[State, BlockOutcome], None] = lambda state, outcome: None,
        application: Application | None = None,
    ) -> None:
        """Begin with the genesis, or go on where the storage ends. With a `storage` every block is kept.
        `application` is one of another kind, over the same storage."""
        self.application = application or Application(CONSORTIUM, storage)
        if not self.application.load():
            self.application.init_chain(genesis.data)
        node_key = NodeKey(genesis.node_key.secret())
        author = BatchAuthor(genesis.chain, genesis.node_id, node_key, first_sequence=1)
        mempool = Mempool(
            genesis.chain, author, self.state.rows[ACCOUNTS.prefix], freezes=self.state.rows[FREEZE.prefix]
        )
        self._on_block = on_block
        self._codes: dict[bytes, int] = {}
        self._older_codes: dict[bytes, int] = {}
        self._generation = 0
        self._mempool = mempool
        self._engine = SoloEngine(self.application, mempool, VirtualClock(), genesis.node_id)
        self._engine.on_block = self._note_block
        self._engine.start()

    @property
    def state(self) -> State:
        """The ledger's state after the last block."""
        return self.application.state

    def advance(self, time_ms: int) -> None:
        """Make blocks up to `time_ms`: one at every gate and deadline on the way, one at the end."""
        self._engine.advance(time_ms)

    def _note_block(self, outcome: BlockOutcome) -> None:
        """Remember each transaction's code for as long as somebody may ask: one lifetime at least, two at most."""
        generation = outcome.header.time_ms // TRANSACTION_LIFETIME_MS_MAX
        if generation != self._generation:
            self._generation = generation
            self._older_codes, self._codes = self._codes, {}
        for batch in outcome.batches:
            for encoded in batch.receipts:
                receipt = _decode_receipt.trusted(encoded)
                self._codes[receipt.transaction] = receipt.code
        self._on_block(self.state, outcome)

    # What follows is the driver's port.

    def time_ms(self) -> int:
        """That of the last block."""
        return self.application.last_block().time_ms

    def account(self, connection: Connection | Dealer, first_interval: int, end_interval: int) -> AccountView:
        """Read from the tables."""
        owner = connection.owner.account
        account = account_of(self.state, owner)
        rows = self.state.rows[ORDERS.prefix]
        orders = tuple(_open_order(key, rows[key]) for key in sorted(key for key in rows if key.startswith(owner)))
        positions_wh: dict[int, int] = {}
        for interval in range(first_interval, end_interval):
            position = self.state.get(POSITIONS, position_key(interval, connection.portfolio))
            if position is not None and (position.sold_wh or position.bought_wh):
                positions_wh[interval] = position.sold_wh - position.bought_wh
        return AccountView(free_micro(account), account.nonce_highest, orders, positions_wh)

    def nonce_highest(self, owner: OwnedAccount) -> int:
        """Read from the account."""
        return account_of(self.state, owner.account).nonce_highest

    def books(self, first_interval: int, end_interval: int) -> BooksByFeeder:
        """Added up from the open orders."""
        books: dict[int, dict[int, BookView]] = {interval: {} for interval in range(first_interval, end_interval)}
        for order in self.state.rows[ORDERS.prefix].values():
            if order.interval in books:
                add_level(books[order.interval], order.feeder, order.side == LedgerSide.BUY, order.remaining_wh)
        return books

    def best_prices(self, dealer: Dealer, first_interval: int, end_interval: int) -> Mapping[int, BestPrices]:
        """From the open orders of others."""
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for order in self.state.rows[ORDERS.prefix].values():
            if order.portfolio != dealer.portfolio:
                number, price_micro = order.interval, order.price_micro
                if order.side == LedgerSide.BUY:
                    bids[number] = max(price_micro, bids.get(number, 0))
                else:
                    asks[number] = min(price_micro, asks.get(number, price_micro))
        return {
            interval: BestPrices(bids.get(interval), asks.get(interval))
            for interval in range(first_interval, end_interval)
        }

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """Into the mempool, for the next block."""
        self._engine.submit([transaction.wire for transaction in transactions])

    def outcome(self, transaction_id: bytes) -> Outcome:
        """From the receipts of the last blocks, else from the mempool."""
        code = self._codes.get(transaction_id, self._older_codes.get(transaction_id))
        if code is not None:
            return Outcome.OK if code == KernelCode.OK else Outcome.REFUSED
        pending = self._mempool.standing(transaction_id).standing is Standing.PENDING
        return Outcome.PENDING if pending else Outcome.GONE


def _open_order(key: bytes, order: Order) -> OpenOrder:
    client_id = client_id_of_order(key)
    return OpenOrder(
        client_id,
        order.interval,
        Side.BUY if order.side == LedgerSide.BUY else Side.SELL,
        source_of(client_id),
        order.price_micro,
        order.remaining_wh,
    )
