"""An auditor that does not trust the ledger.

It reads what everybody can read: the rows of the first state, then the bytes, trades and changed records of each
block. With its own arithmetic (`audit_rules`) it says what does not hold. It never looks at the ledger's live
state and uses none of its rules, so that an error would have to be made twice to go unseen.

    auditor = Auditor(CONSORTIUM, rows)      # findings of the first state: auditor.check_state(rows)
    findings = auditor.check_block(block, outcome)

A block costs time by what it changed, never by the size of the state; `check_state` looks at everything.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.consensus import CONSENSUS
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.header import LAST_BLOCK
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.schedule import SCHEDULE, SET_ASIDE
from gridtokenx.ledger.state import Table
from gridtokenx.modules.authority.state import MEMBERS, PENALTIES
from gridtokenx.modules.grid.state import LIMITS, LINKS
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.rosters import JOIN_REQUESTS, MEMBERSHIPS, ROSTERS, SPLIT_RULES
from gridtokenx.modules.identity.state import FEEDERS, METERS, PARTICIPANTS, PORTFOLIOS, ROLES, SITES, ZONES
from gridtokenx.modules.identity.storage import STORAGE_LEVELS, STORAGES
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import (
    AUCTIONS,
    BLOCK_ORDERS,
    CLEARINGS,
    DUES,
    EMPTY_POSITION,
    HALTS,
    INTERVALS,
    MAKER_DUTIES,
    ORDERS,
    POSITIONS,
    REFERENCES,
    SKY,
    TERMS,
    BlockOrder,
    Order,
    Position,
)
from gridtokenx.modules.settlement.state import (
    PAYABLES,
    RECALCULATE,
    REGISTERS,
    SETTLEMENTS,
    SPLIT_AGAIN,
    SPLITS,
    STATEMENTS,
    Quality,
    Settlement,
    Stage,
    Statement,
)
from gridtokenx.modules.tokens.state import MONEY, PAY_PAYABLE, REDEMPTIONS
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_makers import MakerAudit
from gridtokenx.simulation.audit_members import MemberAudit
from gridtokenx.simulation.audit_storage import StorageAudit
from gridtokenx.simulation.audit_told import Told, read_block
from gridtokenx.simulation.audit_trades import TradeAudit

WATCHED: tuple[Table[Any], ...] = (
    ACCOUNTS, MONEY, REDEMPTIONS, PAYABLES, ROLES, ZONES, FEEDERS, PARTICIPANTS, PORTFOLIOS, SITES, METERS,
    TERMS, INTERVALS, SKY, ORDERS, POSITIONS, DUES, REGISTERS, SETTLEMENTS, STATEMENTS, SCHEDULE, BLOCK_ORDERS,
    SET_ASIDE, CONSENSUS, LAST_BLOCK, MEMBERS, PENALTIES, SPLIT_RULES, JOIN_REQUESTS, MEMBERSHIPS, ROSTERS,
    SPLITS, STORAGES, STORAGE_LEVELS, LINKS, LIMITS, AUCTIONS, CLEARINGS, FREEZE, HALTS, REFERENCES,
    MAKER_DUTIES,
)  # fmt: skip
"""The tables that the auditor keeps a copy of."""

_BY_INTERVAL: tuple[Table[Any], ...] = (POSITIONS, STATEMENTS, DUES)
"""Whose keys begin with an interval, and which settlement makes worth of."""

_UNTRADED = Settlement(Stage.METERING, 0, b"", 0, 0)

Changed = dict[bytes, tuple[Any, Any]]
"""Key to (old record, new record) of one table in one block; None for absent."""


class Auditor:
    """Running sums over all blocks it was shown."""

    def __init__(self, chain: Chain, rows: Iterable[tuple[bytes, bytes]], trades: Sequence[bytes] = ()) -> None:
        """Starts from the rows of a state, (prefixed key, encoded record), which are canonical and which it believes:
        `check_state` says whether they add up. `trades` are those of the block that left this state; a genesis has
        none."""
        self.chain = chain
        self._decode = {table.prefix: table.decode.trusted for table in WATCHED}
        self.copy: dict[int, dict[bytes, Any]] = {table.prefix: {} for table in WATCHED}
        self.balances = self.debts = self.payables = 0
        self.held: defaultdict[bytes, int] = defaultdict(int)
        """What orders, trades, collateral, redemptions and stakes need, by account."""
        self.worth: defaultdict[bytes, int] = defaultdict(int)
        """Balance - debt + payable, as the account's own doings and settlements explain it."""
        self.open_wh: defaultdict[tuple[bytes, int], int] = defaultdict(int)
        self._holds: dict[bytes, int] = {}
        """What each order, position, redemption, member or penalty (by prefixed key) adds to its account's hold."""
        self._settled: dict[bytes, dict[bytes, int]] = {}
        """What each position, statement or due (by prefixed key) has added to whose worth so far."""
        self._by_interval: defaultdict[bytes, dict[bytes, None]] = defaultdict(dict)
        self._waits: dict[bytes, None] = {}
        """Scheduled work that will calculate a statement anew after a correction."""
        self._touched: dict[bytes, None] = {}
        self.findings: list[str] = []
        self._load(rows)
        self.map = rules.Map(self.copy[ZONES.prefix], self.copy[FEEDERS.prefix])
        self.members = MemberAudit(self.copy)
        self.storage = StorageAudit(self.copy)
        self.trades = TradeAudit(self.copy, self.map, self.members)
        self.trades.remember(trades)
        self.makers = MakerAudit(self.copy)

    # --- one block

    def check_block(self, block: Block, outcome: BlockOutcome) -> list[str]:
        """What does not hold after this block, in sentences; nothing when all is well."""
        self.findings = []
        self._touched = {}
        told = read_block(self.chain, block, outcome)
        self.findings += told.findings
        self.trades.check_block(told, block, outcome)
        changes = self._take(outcome.changes)
        self.members.check_rosters(told, changes)
        self.findings += self.members.findings
        self._follow_tokens(told, changes)
        self._follow_accounts(changes)
        self._follow_stakes(changes)
        self._follow_orders(changes)
        metered, paid = self._follow_settlement(changes)
        self.trades.check_blocks(told, changes[BLOCK_ORDERS.prefix])
        self.trades.check_auctions(changes[CLEARINGS.prefix], changes[INTERVALS.prefix])
        self.findings += self.makers.check(
            block.time_ms,
            told,
            self.trades.with_fees,
            changes[ORDERS.prefix],
            changes[MAKER_DUTIES.prefix],
            self.trades.add_due,
        )
        self.trades.check_positions(changes[POSITIONS.prefix], changes[DUES.prefix])
        self.trades.check_limits(changes[POSITIONS.prefix])
        self.trades.links.check(changes[LINKS.prefix])
        self.trades.bands.check(changes[REFERENCES.prefix])
        if self.copy[STORAGES.prefix]:
            self.findings += self.storage.check(told, changes)
        self.trades.voids.end_block(changes[INTERVALS.prefix], changes[SETTLEMENTS.prefix], changes[STATEMENTS.prefix])
        self.findings += self.trades.auctions.findings
        self.findings += self.trades.findings + self.trades.voids.findings + self.trades.links.findings
        self.findings += self.trades.bands.findings
        self._check_accounts()
        self._check_supplier()
        summary = outcome.summary
        voided = self.trades.voided_wh, self.trades.voided_micro
        expected = (self.trades.traded_wh, self.trades.traded_micro, *metered, *paid, *voided)
        told_summary = (
            summary.traded_wh,
            summary.traded_micro,
            summary.metered_import_wh,
            summary.metered_export_wh,
            summary.settled_wh,
            summary.settled_micro,
            summary.voided_wh,
            summary.voided_micro,
        )
        if expected != told_summary:
            self._find(f"the summary says {told_summary}, the block's records {expected}")
        return [f"block {block.height}: {finding}" for finding in self.findings]

    def _take(self, changes: list[tuple[bytes, bytes | None]]) -> dict[int, Changed]:
        """Bring the copy up to date; (old, new) of each changed record."""
        changed: dict[int, Changed] = {table.prefix: {} for table in WATCHED}
        for key, data in changes:
            rows = self.copy.get(key[0])
            if rows is None:
                continue
            own = key[1:]
            old = rows.get(own)
            new = None if data is None else self._decode[key[0]](data)
            if new is None and old is None:
                continue  # A transaction that was taken back had opened it.
            changed[key[0]][own] = (old, new)
            if new is None:
                rows.pop(own, None)
            else:
                rows[own] = new
        for key in changed[SET_ASIDE.prefix]:
            self._find(f"work was set aside: {key.hex()}")
        return changed

    def _follow_tokens(self, told: Told, changes: dict[int, Changed]) -> None:
        """Transfers, minting and burning move worth; supply follows minting and burning alone."""
        for sender, recipient, amount in told.transfers:
            self._move(sender, -amount)
            self._move(recipient, amount)
        minted = burnt = 0
        money = self.copy[MONEY.prefix][b""]
        for sender, recipient, amount in told.minted:
            minted += amount
            self._move(recipient, amount)
            if sender != money.bank:
                self._find(f"{sender.hex()} minted and is not the bank")
        redemptions = changes[REDEMPTIONS.prefix]
        for sender, account, key in told.confirmed:
            before = redemptions.get(key, (None, None))[0]
            amount = before.amount_micro if before else told.requested.get(key, 0)
            burnt += amount
            self._move(account, -amount)
            if sender != money.bank:
                self._find(f"{sender.hex()} burnt and is not the bank")
        old, new = changes[MONEY.prefix].get(b"", (money, money))
        if new.supply_micro != old.supply_micro + minted - burnt:
            self._find(f"supply went from {old.supply_micro} to {new.supply_micro}, minted {minted} burnt {burnt}")
        if minted and new.supply_micro > max(old.reserves_micro, new.reserves_micro):
            self._find(f"minted {minted} above the attested reserves")
        for key, (_, redemption) in redemptions.items():
            self._hold(REDEMPTIONS, key, key[:32], redemption.amount_micro if redemption else 0)

    def _follow_accounts(self, changes: dict[int, Changed]) -> None:
        for key, (old, new) in changes[ACCOUNTS.prefix].items():
            if new is None:
                self._find(f"account {key.hex()} vanished")
                continue
            self._touched[key] = None
            self.balances += new.balance_micro - (old.balance_micro if old else 0)
            self.debts += new.debt_micro - (old.debt_micro if old else 0)
        for key, (old, new) in changes[PAYABLES.prefix].items():
            self._touched[key] = None
            self.payables += (new.amount_micro if new else 0) - (old.amount_micro if old else 0)

    def _follow_stakes(self, changes: dict[int, Changed]) -> None:
        """A member's stake is held of one account; what it loses stays held until the fee pool gets it, or is stake
        again."""
        members = changes[MEMBERS.prefix]
        for key, (old, new) in members.items():
            self._hold(MEMBERS, key, (new or old).staked_by, new.stake_micro if new else 0)
            if old and new and new.staked_by != old.staked_by:
                self._find(f"the stake of member {key.hex()} changed its account")
        for key, (old, new) in changes[PENALTIES.prefix].items():
            member_before, member = members.get(key, (None, None))
            member = member or self.copy[MEMBERS.prefix].get(key) or member_before
            self._hold(PENALTIES, key, member.staked_by, new.amount_micro if new else 0)
            returned = member_before and member.stake_micro == member_before.stake_micro + (
                old.amount_micro if old else 0
            )
            if old and not new and not returned:
                self._move(member.staked_by, -old.amount_micro)
                self._move(self._holder(RoleName.FEE_POOL), old.amount_micro)

    def _follow_orders(self, changes: dict[int, Changed]) -> None:
        for key, (old, new) in changes[ORDERS.prefix].items():
            for order, sign in ((old, -1), (new, 1)):
                if order is not None:
                    self._open(order, sign)
            self._hold(ORDERS, key, key[:32], self._order_needs(new) if new else 0)
            if new is not None:
                position = order_position(new)
                if self.open_wh[position, new.side] and position not in self.copy[POSITIONS.prefix]:
                    self._find(f"order {key.hex()} has no position")
        for key, (old, new) in changes[BLOCK_ORDERS.prefix].items():
            for block, sign in ((old, -1), (new, 1)):
                for leg in () if block is None else block.legs():
                    self._open(leg, sign)
            self._hold(BLOCK_ORDERS, key, key[:32], self._block_needs(new) if new else 0)
        for key, (_, new) in changes[POSITIONS.prefix].items():
            self._check_open(key, new)

    def _follow_settlement(self, changes: dict[int, Changed]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Positions, statements and dues by the stage of their interval. Returns what was metered and what was
        settled in this block."""
        import_wh = export_wh = 0
        for table in _BY_INTERVAL:
            for key, (_, new) in changes[table.prefix].items():
                if new is None:
                    self._forget(table, key)
                else:
                    self._by_interval[key[:4]][bytes([table.prefix]) + key] = None
        for key, (old, new) in changes[STATEMENTS.prefix].items():
            if old is None and new is not None and key[4:] not in self.copy[SPLIT_RULES.prefix]:
                import_wh += new.import_wh
                export_wh += new.export_wh
        for key in self._to_check(changes):
            self._check_statement(key, self.copy[STATEMENTS.prefix][key])
        settled_wh = settled_micro = 0
        for interval, keys in self._to_settle(changes).items():
            for statement in self._bring_up_to_date(interval, keys):
                settled_wh += statement.sold_wh
                settled_micro += statement.purchase_cost_micro
            old, new = changes[SETTLEMENTS.prefix].get(interval, (None, None))
            if new and new.stage == Stage.SETTLED and (old is None or old.stage != Stage.SETTLED):
                self._check_interval(interval)
        return (import_wh, export_wh), (settled_wh, settled_micro)

    def _to_check(self, changes: dict[int, Changed]) -> dict[bytes, None]:
        """The statements that changed, whose registers changed at either end, or that waited to be calculated anew;
        not those that still wait."""
        found = dict.fromkeys(changes[STATEMENTS.prefix])
        for key in changes[REGISTERS.prefix]:
            meter, number = self.copy[METERS.prefix][key[4:]], int.from_bytes(key[:4], "big")
            for interval in (number, number + 1):
                found[interval.to_bytes(4, "big") + meter.portfolio] = None
        for key, (_, waits) in changes[SCHEDULE.prefix].items():
            if key[8] in (RECALCULATE, SPLIT_AGAIN):
                found[key[9:]] = None
                self._waits.pop(key, None)
                if waits is not None:
                    self._waits[key] = None
        if self.copy[SPLITS.prefix]:
            found |= {split: None for key in found if (split := self.members.split_of(key)) is not None}
        statements, waiting = self.copy[STATEMENTS.prefix], {key[9:] for key in self._waits}
        return {key: None for key in found if key in statements and key not in waiting}

    def _to_settle(self, changes: dict[int, Changed]) -> dict[bytes, list[bytes]]:
        """The records (by prefixed key) of each open interval that need a look: all of them when the settlement went
        on, else those that changed."""
        intervals = self.copy[INTERVALS.prefix]
        found = {key: list(self._by_interval[key]) for key in changes[SETTLEMENTS.prefix] if key in intervals}
        for table in _BY_INTERVAL:
            head = bytes([table.prefix])
            for key, (_, new) in changes[table.prefix].items():
                if new is not None and key[:4] not in changes[SETTLEMENTS.prefix]:
                    found.setdefault(key[:4], []).append(head + key)
        return found

    def _bring_up_to_date(self, interval: bytes, keys: list[bytes]) -> list[Statement]:
        """Holds and worth of these records of an interval, after its stage; returns statements newly paid."""
        settlement = self.copy[SETTLEMENTS.prefix].get(interval, _UNTRADED)
        clearing, supplier = self._holder(RoleName.CLEARING), self._holder(RoleName.RESIDUAL_SUPPLIER)
        paid = []
        for key in keys:
            table, own = key[0], key[1:]
            if table == POSITIONS.prefix:
                position, account = self.copy[table][own], self._account_of(own[4:])
                collected = is_past(settlement, Stage.COLLECTING, own[4:])
                amount = position.purchase_cost_micro
                self._hold(POSITIONS, own, account, 0 if collected else amount + position.collateral_micro)
                if collected:
                    self._explain(key, {account: -amount, clearing: amount})
            elif table == STATEMENTS.prefix and is_past(settlement, Stage.PAYING, own[4:]):
                statement, account = self.copy[table][own], self._account_of(own[4:])
                residual = statement.credit_micro - statement.charge_micro
                residual += statement.split_credit_micro - statement.split_charge_micro
                if key not in self._settled:
                    paid.append(statement)
                moves: defaultdict[bytes, int] = defaultdict(int)
                moves[account] += statement.sale_proceeds_micro + residual
                moves[clearing] -= statement.sale_proceeds_micro
                moves[supplier] -= residual
                self._explain(key, moves)
            elif table == DUES.prefix and settlement.stage == Stage.SETTLED:
                amount = self.copy[table][own].amount_micro
                self._explain(key, {own[4:]: amount, clearing: -amount})
        return paid

    # --- what must hold

    def _check_accounts(self) -> None:
        """Conservation, and each account that was touched."""
        supply = self.copy[MONEY.prefix][b""].supply_micro
        if self.balances != supply:
            self._find(f"balances sum to {self.balances}, the supply is {supply}")
        supplier = self._holder(RoleName.RESIDUAL_SUPPLIER)
        for key in self._touched:
            account = self.copy[ACCOUNTS.prefix].get(key)
            if account is None:
                self._find(f"there is no account {key.hex()}")
                continue
            name = f"account {key.hex()[:16]}"
            if not 0 <= account.held_micro <= account.balance_micro or account.debt_micro < 0:
                self._find(f"{name}: balance {account.balance_micro} held {account.held_micro}")
            if account.held_micro != self.held[key]:
                self._find(f"{name} holds {account.held_micro}, its orders, trades and stakes need {self.held[key]}")
            payable = self.copy[PAYABLES.prefix].get(key)
            if account.debt_micro and payable:
                self._find(f"{name} owes and is owed: the two should have been set off")
            worth = account.balance_micro - account.debt_micro + (payable.amount_micro if payable else 0)
            if key == supplier:
                worth += self.debts - account.debt_micro
            if account.debt_micro and account.balance_micro > account.held_micro and not self._pays_later(key):
                self._find(f"{name} owes {account.debt_micro} and has free money")
            if worth != self.worth[key]:
                self._find(f"{name} is worth {worth}, its history explains {self.worth[key]}")

    def _check_supplier(self) -> None:
        """What the residual supplier owes is what it could not pay."""
        account = self.copy[ACCOUNTS.prefix].get(self._holder(RoleName.RESIDUAL_SUPPLIER))
        if account is not None and account.debt_micro != self.payables:
            self._find(f"the residual supplier owes {account.debt_micro}, its payables are {self.payables}")

    def _pays_later(self, account: bytes) -> bool:
        """Whether it is the residual supplier's, and payments of it are due that did not fit into the block."""
        due = any(key[8] == PAY_PAYABLE for key in self.copy[SCHEDULE.prefix])
        return account == self._holder(RoleName.RESIDUAL_SUPPLIER) and due

    def _check_open(self, key: bytes, position: Position | None) -> None:
        buying, selling = self.open_wh[key, Side.BUY], self.open_wh[key, Side.SELL]
        told = position or EMPTY_POSITION
        if (buying, selling) != (told.open_buy_wh, told.open_sell_wh):
            self._find(f"position {key.hex()}: open orders sum to {buying} and {selling} Wh")

    def _check_statement(self, key: bytes, told: Statement) -> None:
        """The meter's two registers and the contract explain every number of it."""
        if key[4:] in self.copy[SPLIT_RULES.prefix]:
            interval = self.copy[INTERVALS.prefix][key[:4]]
            self.members.check_split(self._terms(interval.terms), interval.tariff_micro, key)
            self.findings += self.members.findings
            return
        portfolio = self.copy[PORTFOLIOS.prefix][key[4:]]
        site = self.copy[SITES.prefix].get(portfolio.site)
        number = int.from_bytes(key[:4], "big")
        registers = self.copy[REGISTERS.prefix]
        before = registers.get((number - 1).to_bytes(4, "big") + site.meter) if site else None
        now = registers.get(key[:4] + site.meter) if site else None
        position = self.copy[POSITIONS.prefix].get(key, EMPTY_POSITION)
        interval = self.copy[INTERVALS.prefix][key[:4]]
        expected = rules.expected_statement(
            self._terms(interval.terms),
            interval.tariff_micro,
            position,
            *rules.metered(before, now),
            now.quality if before and now else Quality.MEASURED,
        )
        if self.members.split_of(key) is not None:
            parts = told.split_charge_micro, told.split_credit_micro
            expected = replace(expected, split_charge_micro=parts[0], split_credit_micro=parts[1])
        if before and now and not rules.follows(before, now):
            self._find(f"statement {key.hex()}: registers {now} cannot follow {before}")
        if told != expected:
            self._find(f"statement {key.hex()} is {told}, contract and meter give {expected}")
        contracted = told.sold_wh - told.bought_wh
        imbalance = told.unused_wh - told.undelivered_wh
        residual = told.other_export_wh - told.other_import_wh
        if contracted + imbalance + residual != told.export_wh - told.import_wh:
            self._find(f"statement {key.hex()}: contract, imbalance and residual do not add up to the meter")
        if told.quality == Quality.ESTIMATED and (told.export_wh or told.import_wh < -contracted):
            self._find(f"statement {key.hex()}: an estimate that no rule gives")

    def _check_interval(self, interval: bytes) -> None:
        """Sold is bought, and what buyers paid is what sellers and payees got."""
        self.findings += self.members.unsplit(interval)
        keys = self._by_interval[interval]
        statements = [self.copy[key[0]][key[1:]] for key in keys if key[0] == STATEMENTS.prefix]
        dues = sum(self.copy[key[0]][key[1:]].amount_micro for key in keys if key[0] == DUES.prefix)
        number = int.from_bytes(interval, "big")
        sold, bought = sum(s.sold_wh for s in statements), sum(s.bought_wh for s in statements)
        if sold != bought:
            self._find(f"interval {number}: {sold} Wh sold, {bought} bought")
        paid = sum(s.purchase_cost_micro for s in statements)
        got = sum(s.sale_proceeds_micro for s in statements) + dues
        if paid != got:
            self._find(f"interval {number}: buyers paid {paid}, sellers and payees got {got}")

    def check_state(self, rows: Iterable[tuple[bytes, bytes]]) -> list[str]:
        """Everything at once: the copy equals these rows, and all of them add up."""
        fresh = Auditor(self.chain, rows)
        findings = [
            f"table {table.name}: {len(self.copy[table.prefix])} records followed, {len(own)} there or other ones"
            for table in WATCHED
            if (own := fresh.copy[table.prefix]) != self.copy[table.prefix]
        ]
        fresh._touched = dict.fromkeys(fresh.copy[ACCOUNTS.prefix])
        fresh.worth = self.worth
        fresh._check_accounts()
        fresh._check_supplier()
        for key in {**fresh.copy[POSITIONS.prefix], **{key: None for key, _ in fresh.open_wh}}:
            fresh._check_open(key, fresh.copy[POSITIONS.prefix].get(key))
        waiting = {key[9:] for key in fresh._waits}
        for key, statement in fresh.copy[STATEMENTS.prefix].items():
            if key[:4] in fresh.copy[INTERVALS.prefix] and key not in waiting:
                fresh._check_statement(key, statement)
        for key in fresh.copy[SET_ASIDE.prefix]:
            fresh._find(f"work was set aside: {key.hex()}")
        return findings + fresh.findings

    # --- sums

    def _load(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        for key, data in rows:
            if key[0] in self.copy:
                self.copy[key[0]][key[1:]] = self._decode[key[0]](data)
        everything = {prefix: {key: (None, new) for key, new in own.items()} for prefix, own in self.copy.items()}
        self._follow_accounts(everything)
        self._follow_stakes(everything)
        for key, redemption in self.copy[REDEMPTIONS.prefix].items():
            self._hold(REDEMPTIONS, key, key[:32], redemption.amount_micro)
        for key, order in self.copy[ORDERS.prefix].items():
            self._open(order, 1)
            self._hold(ORDERS, key, key[:32], self._order_needs(order))
        for key, block in self.copy[BLOCK_ORDERS.prefix].items():
            for leg in block.legs():
                self._open(leg, 1)
            self._hold(BLOCK_ORDERS, key, key[:32], self._block_needs(block))
        for table in _BY_INTERVAL:
            for key in self.copy[table.prefix]:
                self._by_interval[key[:4]][bytes([table.prefix]) + key] = None
        for interval, keys in list(self._by_interval.items()):
            self._bring_up_to_date(interval, list(keys))
        # What was settled before is in the balances already: the sums start from what there is.
        self.worth.clear()
        supplier = self._holder(RoleName.RESIDUAL_SUPPLIER)
        for key, account in self.copy[ACCOUNTS.prefix].items():
            payable = self.copy[PAYABLES.prefix].get(key)
            self.worth[key] = account.balance_micro - account.debt_micro + (payable.amount_micro if payable else 0)
        if supplier in self.copy[ACCOUNTS.prefix]:
            self.worth[supplier] += self.debts - self.copy[ACCOUNTS.prefix][supplier].debt_micro
        self._waits = dict.fromkeys(key for key in self.copy[SCHEDULE.prefix] if key[8] in (RECALCULATE, SPLIT_AGAIN))

    def _open(self, order: Order, sign: int) -> None:
        self.open_wh[order_position(order), order.side] += sign * order.remaining_wh

    def _order_needs(self, order: Order) -> int:
        interval = self.copy[INTERVALS.prefix][order.interval.to_bytes(4, "big")]
        terms = self._terms(interval.terms)
        if order.side == Side.BUY:
            return rules.buyers_escrow(terms, order.price_micro, order.remaining_wh)
        return rules.sellers_collateral(terms, interval.tariff_micro, order.price_micro, order.remaining_wh)

    def _block_needs(self, block: BlockOrder) -> int:
        return sum(self._order_needs(leg) for leg in block.legs())

    def _hold(self, table: Table[Any], key: bytes, account: bytes, amount: int) -> None:
        """The record now needs this much of its account held."""
        name = bytes([table.prefix]) + key
        self.held[account] += amount - self._holds.pop(name, 0)
        if amount:
            self._holds[name] = amount
        self._touched[account] = None

    def _explain(self, key: bytes, moves: dict[bytes, int]) -> None:
        """The record has by now moved this much worth, in all."""
        before = self._settled.get(key, {})
        for account in {**before, **moves}:
            self._move(account, moves.get(account, 0) - before.get(account, 0))
        self._settled[key] = dict(moves)

    def _forget(self, table: Table[Any], key: bytes) -> None:
        """The record is gone: what it moved stays moved."""
        name = bytes([table.prefix]) + key
        self._settled.pop(name, None)
        own = self._by_interval[key[:4]]
        own.pop(name, None)
        if not own:
            del self._by_interval[key[:4]]
        if table is POSITIONS and name in self._holds:
            self._hold(POSITIONS, key, self._account_of(key[4:]), 0)

    def _move(self, account: bytes, amount: int) -> None:
        self.worth[account] += amount
        self._touched[account] = None

    def _terms(self, version: int) -> Terms:
        terms: Terms = self.copy[TERMS.prefix][version.to_bytes(4, "big")]
        return terms

    def _holder(self, role: RoleName) -> bytes:
        record = self.copy[ROLES.prefix].get(bytes([role]))
        return record.account if record else b""

    def _account_of(self, portfolio: bytes) -> bytes:
        account: bytes = self.copy[PORTFOLIOS.prefix][portfolio].account
        return account

    def _find(self, sentence: str) -> None:
        self.findings.append(sentence)


def order_position(order: Order) -> bytes:
    """The key of the position that an order belongs to."""
    return order.interval.to_bytes(4, "big") + order.portfolio


def is_past(settlement: Settlement, stage: Stage, portfolio: bytes) -> bool:
    """Whether the portfolio's part of a stage is done. Of a held interval nothing is."""
    if settlement.stage == stage:
        return portfolio <= settlement.cursor
    return stage < settlement.stage <= Stage.SETTLED
