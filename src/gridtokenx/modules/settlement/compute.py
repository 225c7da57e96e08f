"""Statements: what one portfolio did in one interval, from its position and its meter."""

from gridtokenx.ledger.quantities import energy_wh_of, interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import PORTFOLIOS, SITES, Portfolio
from gridtokenx.modules.identity.storage import follow_meter
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.state import EMPTY_POSITION, INTERVALS, POSITIONS, Position
from gridtokenx.modules.settlement.netting import estimate_import_wh, residual_money, split_energy
from gridtokenx.modules.settlement.state import (
    REGISTERS,
    REGISTERS_BY_INTERVAL,
    SAME_QUARTER,
    Quality,
    Registers,
    SameQuarter,
    Statement,
)

SAME_QUARTER_DAYS = 7


def freeze_registers(state: State, interval: int, portfolio_id: bytes) -> None:
    """Set the registers at the interval's end on those before it; missing ones are estimated. Nothing for a portfolio
    whose meter has no registers to start from."""
    portfolio = state.rows[PORTFOLIOS.prefix][portfolio_id]
    meter = meter_of_portfolio(state, portfolio)
    before = state.get(REGISTERS, interval_key(interval - 1) + meter)
    if before is None or not meter:
        return
    now = state.get(REGISTERS, interval_key(interval) + meter)
    if now is None:
        estimate_wh = _estimate_wh(state, interval, portfolio_id, portfolio, meter)
        now = follow(before, NO_READING, estimate_wh)
    else:
        now = follow(before, now, 0)
    state.index(REGISTERS_BY_INTERVAL).put(state, interval_key(interval) + meter, now)
    follow_meter(state, portfolio_id, interval, now.import_wh, now.export_wh)
    if now.quality == Quality.MEASURED and before.quality != Quality.ESTIMATED:
        _remember_quarter(state, interval, meter, now.import_wh - before.import_wh)


NO_READING = Registers(0, 0, 0, Quality.ESTIMATED)


def follow(before: Registers, now: Registers, estimate_wh: int) -> Registers:
    """`now` as it stands on the registers before it: what was settled by then never falls. A measured value below it
    leaves the rest of an overestimate (`lift_wh`) to be caught up with; an estimate adds to it."""
    if now.quality == Quality.ESTIMATED:
        return Registers(before.import_wh, before.export_wh, before.lift_wh + estimate_wh, now.quality)
    lift_wh = max(before.import_wh + before.lift_wh - now.import_wh, 0)
    return Registers(now.import_wh, now.export_wh, lift_wh, now.quality)


def make_statement(state: State, interval: int, portfolio_id: bytes) -> Statement | None:
    """The statement from frozen registers; None for a portfolio that neither metered nor traded."""
    portfolio = state.rows[PORTFOLIOS.prefix][portfolio_id]
    position = state.get(POSITIONS, interval_key(interval) + portfolio_id)
    metered = _metered(state, interval, meter_of_portfolio(state, portfolio))
    if position is None and metered is None:
        return None
    import_wh, export_wh, quality = metered or (0, 0, Quality.MEASURED)
    return _statement(state, interval, position or EMPTY_POSITION, import_wh, export_wh, quality)


def _statement(
    state: State, interval: int, position: Position, import_wh: int, export_wh: int, quality: int
) -> Statement:
    opened = state.rows[INTERVALS.prefix][interval_key(interval)]
    energy = split_energy(position.sold_wh - position.bought_wh, import_wh, export_wh)
    charge_micro, credit_micro = residual_money(terms_of(state, opened), opened.tariff_micro, position, energy)
    return Statement(
        import_wh,
        export_wh,
        position.sold_wh,
        position.bought_wh,
        energy.undelivered_wh,
        energy.unused_wh,
        energy.other_import_wh,
        energy.other_export_wh,
        position.purchase_cost_micro,
        position.sale_value_micro - position.sale_fee_micro,
        charge_micro,
        credit_micro,
        quality,
    )


def meter_of_portfolio(state: State, portfolio: Portfolio) -> bytes:
    """The meter's id, or nothing for a portfolio without a site."""
    site = state.get(SITES, portfolio.site) if portfolio.site else None
    return site.meter if site else b""


def _metered(state: State, interval: int, meter: bytes) -> tuple[int, int, int] | None:
    """(import, export, quality) of the interval, if both its ends are known: import with what estimates lift it."""
    before = state.get(REGISTERS, interval_key(interval - 1) + meter)
    now = state.get(REGISTERS, interval_key(interval) + meter)
    if before is None or now is None or not meter:
        return None
    import_wh = now.import_wh + now.lift_wh - before.import_wh - before.lift_wh
    return import_wh, now.export_wh - before.export_wh, now.quality


def _estimate_wh(state: State, interval: int, portfolio_id: bytes, portfolio: Portfolio, meter: bytes) -> int:
    position = state.get(POSITIONS, interval_key(interval) + portfolio_id) or EMPTY_POSITION
    return estimate_import_wh(
        position.bought_wh - position.sold_wh,
        _same_quarter_wh(state, interval, meter),
        energy_wh_of(portfolio.import_w),
    )


def _same_quarter_wh(state: State, interval: int, meter: bytes) -> tuple[int, ...]:
    """Measured import of this quarter-hour in the seven days before, as far as there is any."""
    past = state.get(SAME_QUARTER, meter + bytes([calendar.quarter_of(interval)]))
    if past is None:
        return ()
    days_ago = calendar.day_of(interval) - past.last_day
    within = max(SAME_QUARTER_DAYS + 1 - days_ago, 0)
    return past.energies_wh[-within:] if within else ()


def _remember_quarter(state: State, interval: int, meter: bytes, import_wh: int) -> None:
    """Keep the measured import of this quarter-hour for the estimates of the next seven days."""
    key = meter + bytes([calendar.quarter_of(interval)])
    day = calendar.day_of(interval)
    past = state.get(SAME_QUARTER, key)
    energies: tuple[int, ...] = ()
    if past is not None and day - past.last_day < SAME_QUARTER_DAYS:
        missing = (0,) * (day - past.last_day - 1)
        energies = past.energies_wh + missing
    state.put(SAME_QUARTER, key, SameQuarter(day, (*energies, import_wh)[-SAME_QUARTER_DAYS:]))
