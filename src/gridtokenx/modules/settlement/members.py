"""Portfolios with members in settlement: their statement from all meters, the split, and what a correction changes.

All money of a split goes through the residual supplier, as everything does that meters decide: nobody's debt stops
anybody's share, and a correction touches nobody else's trade.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.rosters import (
    FIRST_INTERVALS,
    MEMBERSHIPS,
    ROSTERS,
    SPLIT_RULES,
    delete_version,
    membership_at,
    roster_at,
    version_ends,
)
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.state import INTERVALS, POSITIONS, Interval, Position
from gridtokenx.modules.settlement.money import settle_residual
from gridtokenx.modules.settlement.netting import residual_money
from gridtokenx.modules.settlement.split import share_out, split_energy_of_many
from gridtokenx.modules.settlement.state import (
    SPLIT_AGAIN,
    SPLITS,
    SPLITS_BY_INTERVAL,
    STATEMENTS,
    STATEMENTS_BY_INTERVAL,
    Quality,
    Split,
    Stage,
    Statement,
    is_done,
)


def to_split(state: State, interval: int) -> list[bytes]:
    """The portfolios with members that traded in the interval, in key order."""
    key, rows = interval_key(interval), state.rows[POSITIONS.prefix]
    return [portfolio for portfolio in state.keys(SPLIT_RULES) if key + portfolio in rows]


def split(state: State, context: Context, item: bytes) -> None:
    """Write the portfolio's statement and its split, and into its members' statements what they have of it. Item:
    interval ‖ portfolio."""
    made, statements = make_split(state, item)
    state.index(SPLITS_BY_INTERVAL).put(state, item, made)
    for key, statement in statements.items():
        state.index(STATEMENTS_BY_INTERVAL).put(state, key, statement)


def make_split(state: State, item: bytes) -> tuple[Split, dict[bytes, Statement]]:
    """From the position of the portfolio and the statements of its members as they stand: the split, and the statements
    with it by interval ‖ portfolio. Members without a statement (a meter that has not begun) have no part."""
    interval, portfolio_id = int.from_bytes(item[:4], "big"), item[4:]
    opened: Interval = state.rows[INTERVALS.prefix][item[:4]]
    position: Position = state.rows[POSITIONS.prefix][item]
    rows = state.rows[STATEMENTS.prefix]
    keys = [item[:4] + member for member in roster_at(state, portfolio_id, interval).members]
    members = [rows[key] for key in keys if key in rows]
    import_wh, export_wh = sum(one.import_wh for one in members), sum(one.export_wh for one in members)
    energy = split_energy_of_many(position.sold_wh, position.bought_wh, import_wh, export_wh)
    charge, credit = residual_money(terms_of(state, opened), opened.tariff_micro, position, energy)
    proceeds, cost = position.sale_value_micro - position.sale_fee_micro, position.purchase_cost_micro
    old_charge, old_credit = sum(one.charge_micro for one in members), sum(one.credit_micro for one in members)
    gain = proceeds - cost + credit - charge + old_charge - old_credit
    sharing = share_out(state.rows[SPLIT_RULES.prefix][portfolio_id], gain, members)
    shared = sum(sharing.shares_micro)
    made = Split(
        old_charge,
        old_credit,
        max(gain, 0),
        max(-gain, 0),
        abs(sharing.commission_micro),
        sharing.weight,
        abs(shared),
    )
    own = Statement(
        import_wh,
        export_wh,
        position.sold_wh,
        position.bought_wh,
        energy.undelivered_wh,
        energy.unused_wh,
        energy.other_import_wh,
        energy.other_export_wh,
        cost,
        proceeds,
        charge,
        credit,
        _quality(members),
        old_credit + max(shared, 0),
        old_charge + max(-shared, 0),
    )
    statements = {
        key: replace(rows[key], split_charge_micro=max(-share, 0), split_credit_micro=max(share, 0))
        for key, share in zip([key for key in keys if key in rows], sharing.shares_micro, strict=True)
    }
    return made, {item: own, **statements}


def _quality(members: list[Statement]) -> int:
    """Of a sum: estimated if any part is, else corrected if any is."""
    qualities = {member.quality for member in members}
    for quality in (Quality.ESTIMATED, Quality.CORRECTED):
        if quality in qualities:
            return quality
    return Quality.MEASURED


def member_corrected(state: State, context: Context, item: bytes) -> None:
    """A statement changed: if it is a member's, have the interval of its portfolio split anew."""
    membership = membership_at(state, item[4:], int.from_bytes(item[:4], "big"))
    if membership is not None and item[:4] + membership.portfolio in state.rows[SPLITS.prefix]:
        schedule.add(state, context.time_ms, SPLIT_AGAIN, item[:4] + membership.portfolio)


def split_again(state: State, context: Context, item: bytes) -> int:
    """Scheduled when statements of members changed after the split: the split is as if they had been so at once. Who
    was paid already pays or gets the difference. Nothing for an interval that is being forgotten."""
    if state.get(SPLITS, item) is None:
        return 1
    made, statements = make_split(state, item)
    state.put(SPLITS, item, made)
    for key, statement in statements.items():
        old = state.rows[STATEMENTS.prefix][key]
        if statement != old:
            state.put(STATEMENTS, key, statement)
        change = statement.owed_micro() - old.owed_micro()
        if change and is_done(state, Stage.PAYING, key):
            account_id = state.rows[PORTFOLIOS.prefix][key[4:]].account
            settle_residual(state, context, account_id, max(change, 0), max(-change, 0))
    return len(statements)


def roster_ended(state: State, context: Context, payload: bytes) -> int:
    """Scheduled a day after the last interval of a roster or membership: forget it when that interval and all before it
    are forgotten, else look again a day later."""
    key, until = payload[:12], int.from_bytes(payload[12:], "big")
    if int.from_bytes(key[8:], "big") not in state.index(FIRST_INTERVALS).get(key[:8], ()):
        return 1
    oldest = min(state.rows[INTERVALS.prefix], default=None)
    if oldest is not None and int.from_bytes(oldest, "big") < until:
        version_ends(state, key, until, context.time_ms)
    else:
        delete_version(state, ROSTERS if state.get(ROSTERS, key) is not None else MEMBERSHIPS, key)
    return 1


def split_invariants(state: State) -> Iterator[str]:
    """A portfolio's gain is what it has beyond its members' old bills, no more than that is split, and what the split
    gives to one it takes from another."""
    for key, made in state.items(SPLITS):
        line = state.get(STATEMENTS, key)
        if line is None:
            continue
        gain = line.sale_proceeds_micro - line.purchase_cost_micro + line.credit_micro - line.charge_micro
        gain += made.old_charge_micro - made.old_credit_micro
        if gain != made.gain_micro - made.loss_micro:
            yield f"split {key.hex()} says {made.gain_micro - made.loss_micro}, its statement gives {gain}"
        if made.commission_micro + made.shared_micro > abs(gain):
            yield f"split {key.hex()} gives away more than there is"
        members = roster_at(state, key[4:], int.from_bytes(key[:4], "big")).members
        rows = [state.get(STATEMENTS, key[:4] + member) for member in members]
        given = sum(row.split_credit_micro - row.split_charge_micro for row in rows if row is not None)
        given += line.split_credit_micro - line.split_charge_micro
        if given != made.old_charge_micro - made.old_credit_micro:
            yield f"split {key.hex()} gives {given} to its portfolio and members"
