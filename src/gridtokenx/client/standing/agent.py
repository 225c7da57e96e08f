"""The agent: looks, plans, writes down, sends, and finds out what became of it.

Nothing is placed twice, whenever the process dies: each transaction is signed and on disk before it is sent, and after
a restart the same bytes are sent again, which count once; only when the ledger says that they never will count may the
same order be signed anew. Each order is a transaction of its own, so that one that is refused stops no other.
"""

from collections.abc import Callable, Sequence
from datetime import date

from gridtokenx.client.client import Client
from gridtokenx.client.errors import AnswerNotUnderstood, StillPending, TransactionExpired, TransportError, Unavailable
from gridtokenx.client.standing.instructions import Instruction
from gridtokenx.client.standing.memory import Became, Memory, Written
from gridtokenx.client.standing.planning import DAYS_BACK, Facts, Wish, plan
from gridtokenx.client.transactions import LIFETIME_MS, SignedTransaction
from gridtokenx.client.wallet import NONCE_CODES, Wallet
from gridtokenx.gateway.documents import IntervalView, PositionView, StatusView, Submitted, TransactionView
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.modules.market.messages import MarketCode, Side
from gridtokenx.modules.tokens.messages import TokensCode

ROUND_MS = 60_000
"""Between two rounds, in chain time."""
RETRY_MS = 15 * ROUND_MS
"""When what was refused for a reason that passes is tried again, in chain time."""
POLL_SECONDS = 1.0
AWAY_SECONDS = 5.0
"""Between attempts while there is no gateway."""
ORDERS_PER_ROUND_MAX = 200
WAIT_SECONDS = 30.0

PASSING = frozenset(
    {
        KernelCode.FROZEN,
        TokensCode.BALANCE_TOO_LOW,
        TokensCode.DEBT_FIRST,
        MarketCode.ARREARS_TOO_HIGH,
        MarketCode.POSITION_LIMIT,
        MarketCode.NOT_ALLOWED_TO_TRADE,
        MarketCode.CANCELLED_IN_THIS_BLOCK,
        *NONCE_CODES,
    }
)
"""Refusals that may be none later. For any other an order of this instruction and interval is not tried again."""

NO_GATEWAY = (TransportError, Unavailable, AnswerNotUnderstood)


class StandingAgent:
    """Follows the instructions of one portfolio. `say` gets a line for everything that it does."""

    def __init__(
        self,
        client: Client,
        wallet: Wallet,
        portfolio: bytes,
        instructions: Sequence[Instruction],
        memory: Memory,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.client = client
        self.wallet = wallet
        self.portfolio = portfolio
        self.instructions = instructions
        self.memory = memory
        self.say = say
        self._exported_wh: dict[int, int] = {}
        self._unsent: set[str] = set()
        """Transactions that this process signed, and nobody has seen yet."""

    def run(self, stops: Callable[[float], bool]) -> None:
        """Rounds until `stops`, which waits so many seconds and says whether to stop, says so. A gateway that is away
        is waited for."""
        away = False
        while True:
            try:
                next_ms = self.round() + ROUND_MS
                if away:
                    self.say("the gateway is back")
                away = False
                while self.client.status().time_ms < next_ms:
                    if stops(POLL_SECONDS):
                        return
            except NO_GATEWAY as error:
                if not away:
                    self.say(f"no gateway: {error}; trying again")
                away = True
                if stops(AWAY_SECONDS):
                    return

    def round(self) -> int:
        """Finish what was begun, then do what the instructions ask for now. Chain time of the round."""
        now = self.client.status()
        self.memory.begin(now.chain, self.wallet.account, self.portfolio)
        self.finish()
        if now.frozen_since_ms is None:
            self.sign(now, self.wishes(now))
            self.finish()
        self.memory.looked(now.time_ms)
        return now.time_ms

    def wishes(self, now: StatusView) -> list[Wish]:
        """What the instructions ask for, without what was done already or is not to be tried now."""
        wished = plan(self.instructions, self.portfolio, self.facts(now))
        return [wish for wish in wished if self._may_try(wish, now.time_ms)][:ORDERS_PER_ROUND_MAX]

    def facts(self, now: StatusView) -> Facts:
        """What the gateway says."""
        terms = self.client.terms()
        views = [view for view in self._intervals(now.interval) if view.gate_ms > now.time_ms]
        holidays = frozenset(_day_of_date(date) for date in terms.calendar.holidays)
        sold_wh, bought_wh = {}, {}
        for position in self._positions(now.interval):
            sold_wh[position.interval] = position.sold_wh + position.open_sell_wh
            bought_wh[position.interval] = position.bought_wh + position.open_buy_wh
        self._read_exports(now.interval)
        numbers = [view.interval for view in views]
        return Facts(numbers, terms.current.order_wh_min, holidays, self._exported_wh, sold_wh, bought_wh)

    def sign(self, now: StatusView, wishes: Sequence[Wish]) -> None:
        """Sign them and write them down. Nothing is sent."""
        if not wishes:
            return
        if not self.wallet.nonces.is_known:
            self.wallet.nonces.learn(self.client.account(self.wallet).nonce_highest)
        written = []
        for wish in wishes:
            signed = self.wallet.sign(now.chain, now.time_ms, [wish.order], LIFETIME_MS)
            written.append(
                Written(
                    signed.id.hex(),
                    signed.wire.hex(),
                    signed.nonce,
                    signed.expires_ms,
                    now.time_ms,
                    wish.instruction,
                    wish.order.client_id.hex(),
                    wish.order.interval,
                    Side(wish.order.side).name.lower(),
                    wish.order.quantity_wh,
                    wish.order.price_micro,
                )
            )
        self.memory.write([*written])
        self._unsent.update(one.id for one in written)

    def finish(self) -> None:
        """Send what is written down and not finished, the very bytes, and write down what became of it."""
        unfinished = self.memory.unfinished()
        if not unfinished:
            return
        answers = self.client.submit([bytes.fromhex(one.wire) for one in unfinished])
        for one, answer in zip(unfinished, answers, strict=True):
            became = self._became(one, answer, is_first=one.id in self._unsent)
            self._unsent.discard(one.id)
            if became is not None:
                self.memory.write([became])
                self._tell(one, became)

    def _became(self, one: Written, answer: Submitted, *, is_first: bool) -> Became | None:
        """None while it is open. A refusal at the door says something only of what is shown for the first time: what
        was sent before may have been taken then, and only the chain knows."""
        if answer.state == "busy":
            return None
        if answer.state == "refused" and is_first:
            if answer.code in NONCE_CODES:
                self.wallet.nonces.forget()
            return Became(one.id, one.time_ms, answer.code, answer.name)
        if answer.state == "refused":
            view = self.client.transaction(bytes.fromhex(one.id))
            if view.state != "committed":
                over = view.state == "expired" or self.client.status().time_ms > one.expires_ms
                return Became(one.id, one.time_ms, expired=True, name="expired") if over else None
            return self._committed(one, view)
        sent = SignedTransaction(
            bytes.fromhex(one.id), bytes.fromhex(one.wire), self.wallet.account, one.nonce, one.expires_ms
        )
        try:
            return self._committed(one, self.client.wait(sent, WAIT_SECONDS))
        except TransactionExpired:
            return Became(one.id, one.time_ms, expired=True, name="expired")
        except StillPending:
            return None

    def _committed(self, one: Written, view: TransactionView) -> Became:
        time_ms = view.time_ms or one.time_ms
        if view.code:
            if view.code in NONCE_CODES:
                self.wallet.nonces.forget()
            return Became(one.id, time_ms, view.code, view.name or "")
        _, filled_wh, resting_wh = view.results[0]
        return Became(one.id, time_ms, filled_wh=filled_wh, resting_wh=resting_wh)

    def _may_try(self, wish: Wish, time_ms: int) -> bool:
        """Not while something is open, nor after it was placed; a refusal that may pass after a while."""
        known = self.memory.last(wish.order.client_id)
        if known is None:
            return True
        _, became = known
        if became is None or (not became.expired and became.code == KernelCode.OK):
            return False
        return became.expired or (became.code in PASSING and time_ms >= became.time_ms + RETRY_MS)

    def _tell(self, one: Written, became: Became) -> None:
        what = f"{one.instruction}: {one.side} {one.quantity_wh} Wh of interval {one.interval}"
        if became.expired:
            self.say(f"{what}: in no block, will be signed again")
        elif became.code:
            again = ", will be tried again" if became.code in PASSING else ""
            self.say(f"{what}: refused, {became.name}{again}")
        else:
            self.say(f"{what}: placed, {became.filled_wh} Wh filled, {became.resting_wh} Wh resting")

    def _intervals(self, start: int) -> list[IntervalView]:
        found: list[IntervalView] = []
        while True:
            page = self.client.intervals(start)
            found += page.intervals
            if not page.next:
                return found
            start = page.next

    def _positions(self, start: int) -> list[PositionView]:
        found: list[PositionView] = []
        while True:
            page = self.client.positions(self.wallet, start)
            found += [position for position in page.positions if position.portfolio == self.portfolio.hex()]
            if not page.next:
                return found
            start = page.next

    def _read_exports(self, now: int) -> None:
        """What meters said since the last look; a correction of older ones is not looked for."""
        oldest = now - (DAYS_BACK + 1) * INTERVALS_PER_DAY
        self._exported_wh = {number: wh for number, wh in self._exported_wh.items() if number >= oldest}
        after = max(oldest, max(self._exported_wh, default=0))
        while True:
            page = self.client.statements(self.wallet, after, portfolio=self.portfolio)
            for line in page.statements:
                if line.quality != "estimated":
                    self._exported_wh[line.interval] = line.export_wh
            if not page.next:
                return
            after = page.next


def _day_of_date(text: str) -> int:
    """Days since the epoch."""
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
