"""Taking readings in: what is refused, what counts, what corrects."""

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import energy_wh_of, interval_end_ms, interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import METERS, PORTFOLIOS, Meter, distributor_of
from gridtokenx.modules.market.state import INTERVALS
from gridtokenx.modules.settlement.correction import correct
from gridtokenx.modules.settlement.messages import (
    Cause,
    CorrectReading,
    Reading,
    SettlementCode,
    SubmitReadings,
)
from gridtokenx.modules.settlement.state import (
    LAST_MEASURED,
    REGISTERS,
    REGISTERS_BY_INTERVAL,
    SETTLE,
    SETTLEMENTS,
    LastMeasured,
    Quality,
    Registers,
    Stage,
    settlement_of,
)


def submit_readings(state: State, context: Context, message: SubmitReadings) -> tuple[int, ...]:
    """All of `SettlementCode` that names a reading."""
    for position, reading in enumerate(message.readings):
        try:
            _take_reading(state, context, message.chain, reading, None)
        except Rejected as rejection:
            raise Rejected(rejection.code, f"readings[{position}].{rejection.field}") from None
    return ()


def correct_reading(state: State, context: Context, message: CorrectReading) -> tuple[int, ...]:
    """`NOT_THE_DISTRIBUTOR`, `CAUSE_UNKNOWN`, `NOTHING_TO_CORRECT`, and as for a reading."""
    if message.cause not in list(Cause):
        raise Rejected(SettlementCode.CAUSE_UNKNOWN, "cause")
    meter = meter_of(state, message.reading.meter)
    portfolio = state.rows[PORTFOLIOS.prefix][meter.portfolio]
    if distributor_of(state, portfolio.feeder) != context.sender:
        raise Rejected(SettlementCode.NOT_THE_DISTRIBUTOR, "sender")
    _take_reading(state, context, message.chain, message.reading, Cause(message.cause))
    return ()


def meter_of(state: State, meter_id: bytes) -> Meter:
    """The meter, or `METER_UNKNOWN`."""
    meter = state.get(METERS, meter_id)
    if meter is None:
        raise Rejected(SettlementCode.METER_UNKNOWN, "meter")
    return meter


def _take_reading(state: State, context: Context, chain: str, reading: Reading, cause: Cause | None) -> None:
    """Record a reading that is in time, or correct a settled interval with one that is not."""
    if chain != context.chain:
        raise Rejected(SettlementCode.READING_OF_ANOTHER_CHAIN, "chain")
    meter = meter_of(state, reading.meter)
    if meter.public_key != reading.public_key:
        raise Rejected(SettlementCode.METER_KEY_WRONG, "public_key")
    if state.get(INTERVALS, interval_key(reading.interval)) is None:
        raise Rejected(SettlementCode.INTERVAL_UNKNOWN, "interval")
    if context.time_ms < interval_end_ms(reading.interval):
        raise Rejected(SettlementCode.READING_TOO_EARLY, "interval")
    settlement = settlement_of(state, reading.interval)
    known = state.get(REGISTERS, interval_key(reading.interval) + reading.meter)
    _check_against_neighbours(state, meter, reading)
    if settlement.stage != Stage.METERING:
        _correct_late(state, context, reading, known, cause, settlement.stage)
        return
    if cause is not None:
        raise Rejected(SettlementCode.NOTHING_TO_CORRECT, "interval")
    if known is not None:
        raise Rejected(SettlementCode.READING_REPEATED, "interval")
    _put_registers(state, reading, Quality.MEASURED)
    _remember_measured(state, reading)
    counted = settlement.readings + 1
    _put_count(state, reading.interval, counted)
    if counted >= len(state.rows[METERS.prefix]) and may_settle(state, reading.interval):
        schedule.add(state, context.time_ms, SETTLE, interval_key(reading.interval))


def _correct_late(
    state: State, context: Context, reading: Reading, known: Registers | None, cause: Cause | None, stage: int
) -> None:
    """The one correction: a late reading of an estimated interval, or the distributor's of a measured one."""
    if known is None or known.quality == Quality.CORRECTED or stage != Stage.SETTLED:
        raise Rejected(SettlementCode.READING_LATE, "interval")
    if known.quality == Quality.MEASURED and cause is None:
        raise Rejected(SettlementCode.READING_REPEATED, "interval")
    _put_registers(state, reading, Quality.CORRECTED)
    _remember_measured(state, reading)
    meter = meter_of(state, reading.meter)
    correct(state, context, reading.interval, meter.portfolio)


def _check_against_neighbours(state: State, meter: Meter, reading: Reading) -> None:
    """`REGISTER_WENT_BACK` (also a register that rolled over: the distributor replaces such a meter),
    `READING_OVER_CAPACITY`. A correction must fit between what was measured before and after it."""
    before, after = _neighbours(state, reading)
    if before is not None:
        import_wh = reading.import_wh - before.import_wh
        export_wh = reading.export_wh - before.export_wh
        if import_wh < 0 or export_wh < 0:
            raise Rejected(SettlementCode.REGISTER_WENT_BACK, "import_wh" if import_wh < 0 else "export_wh")
        portfolio = state.rows[PORTFOLIOS.prefix][meter.portfolio]
        intervals = reading.interval - before.interval
        if import_wh > energy_wh_of(portfolio.import_w) * intervals:
            raise Rejected(SettlementCode.READING_OVER_CAPACITY, "import_wh")
        if export_wh > energy_wh_of(sum(portfolio.export_w)) * intervals:
            raise Rejected(SettlementCode.READING_OVER_CAPACITY, "export_wh")
    if after is not None and (reading.import_wh > after.import_wh or reading.export_wh > after.export_wh):
        raise Rejected(SettlementCode.REGISTER_WENT_BACK, "import_wh")


def _neighbours(state: State, reading: Reading) -> tuple[LastMeasured | None, LastMeasured | None]:
    """The measured registers next before and next after the reading's interval, as far as they are kept."""
    newest = state.get(LAST_MEASURED, reading.meter)
    if newest is None or newest.interval < reading.interval:
        return newest, None
    before = _measured_near(state, reading, -1)
    return before, _measured_near(state, reading, 1)


NEIGHBOURS_MAX = 200
"""Intervals searched for a neighbour: more than the correction window keeps."""


def _measured_near(state: State, reading: Reading, step: int) -> LastMeasured | None:
    number = reading.interval
    for _ in range(NEIGHBOURS_MAX):
        number += step
        registers = state.get(REGISTERS, interval_key(number) + reading.meter)
        if registers is None:
            if state.get(INTERVALS, interval_key(number)) is None:
                return None
        elif registers.quality != Quality.ESTIMATED:
            return LastMeasured(number, registers.import_wh, registers.export_wh)
    return None


def _put_registers(state: State, reading: Reading, quality: Quality) -> None:
    registers = Registers(reading.import_wh, reading.export_wh, quality)
    state.index(REGISTERS_BY_INTERVAL).put(state, reading.interval, reading.meter, registers)


def _remember_measured(state: State, reading: Reading) -> None:
    newest = state.get(LAST_MEASURED, reading.meter)
    if newest is None or newest.interval <= reading.interval:
        measured = LastMeasured(reading.interval, reading.import_wh, reading.export_wh)
        state.put(LAST_MEASURED, reading.meter, measured)


def _put_count(state: State, interval: int, readings: int) -> None:
    current = settlement_of(state, interval)
    changed = type(current)(current.stage, readings, current.cursor, current.paid_in_micro, current.paid_out_micro)
    state.put(SETTLEMENTS, interval_key(interval), changed)


def may_settle(state: State, interval: int) -> bool:
    """An interval settles after the one before it: its energy is the step between two registers."""
    before = interval_key(interval - 1)
    if state.get(INTERVALS, before) is None:
        return True
    return settlement_of(state, interval - 1).stage > Stage.COMPUTING


def is_complete(state: State, interval: int) -> bool:
    """Whether every meter has reported."""
    return settlement_of(state, interval).readings >= len(state.rows[METERS.prefix])
