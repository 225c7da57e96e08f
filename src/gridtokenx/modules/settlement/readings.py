"""Taking readings in: what is refused, what counts, what corrects."""

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.freeze import is_in_time
from gridtokenx.ledger.quantities import energy_wh_of, interval_end_ms, interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import METERS, PORTFOLIOS, Meter, distributor_of
from gridtokenx.modules.market.checks import terms_of
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
    Settlement,
    Stage,
    is_done,
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
    interval = state.get(INTERVALS, interval_key(reading.interval))
    if interval is None:
        raise Rejected(SettlementCode.INTERVAL_UNKNOWN, "interval")
    end_ms, terms = interval_end_ms(reading.interval), terms_of(state, interval)
    if context.time_ms < end_ms:
        raise Rejected(SettlementCode.READING_TOO_EARLY, "interval")
    _check_against_neighbours(state, meter, reading)
    known = state.get(REGISTERS, interval_key(reading.interval) + reading.meter)
    if is_done(state, Stage.COMPUTING, interval_key(reading.interval) + meter.portfolio):
        _check_correction(known, cause, in_time=is_in_time(state, context.time_ms, end_ms, terms.correction_ms))
        measured = Registers(reading.import_wh, reading.export_wh, 0, Quality.CORRECTED)
        correct(state, context, reading.interval, reading.meter, meter.portfolio, measured)
    else:
        metering = settlement_of(state, reading.interval).stage == Stage.METERING
        in_time = metering and is_in_time(state, context.time_ms, end_ms, terms.metering_deadline_ms)
        _check_first(known, cause, in_time=in_time)
        measured = Registers(reading.import_wh, reading.export_wh, 0, Quality.MEASURED)
        state.index(REGISTERS_BY_INTERVAL).put(state, interval_key(reading.interval) + reading.meter, measured)
        _count(state, context, reading.interval)
    _remember_measured(state, reading)


def _check_first(known: Registers | None, cause: Cause | None, in_time: bool) -> None:
    """Of an interval that has not been calculated for this meter: by chain time, whether or not the deadline has
    been worked off. What comes between is to be sent again, as the correction."""
    if not in_time and (known is None or cause is not None):
        raise Rejected(SettlementCode.INTERVAL_SETTLING, "interval")
    if cause is not None:
        raise Rejected(SettlementCode.NOTHING_TO_CORRECT, "interval")
    if known is not None:
        raise Rejected(SettlementCode.READING_REPEATED, "interval")


def _check_correction(known: Registers | None, cause: Cause | None, in_time: bool) -> None:
    """The one correction: a late reading of an estimated interval, or the distributor's of a measured one."""
    if known is None or known.quality == Quality.CORRECTED or not in_time:
        raise Rejected(SettlementCode.READING_LATE, "interval")
    if known.quality == Quality.MEASURED and cause is None:
        raise Rejected(SettlementCode.READING_REPEATED, "interval")


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
    estimated = state.get(REGISTERS, interval_key(reading.interval - 1) + reading.meter)
    if before is None and estimated is not None:
        # Measured so long ago that only the estimates since then are kept; they carry its registers.
        before = LastMeasured(reading.interval - NEIGHBOURS_MAX, estimated.import_wh, estimated.export_wh)
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


def _remember_measured(state: State, reading: Reading) -> None:
    newest = state.get(LAST_MEASURED, reading.meter)
    if newest is None or newest.interval <= reading.interval:
        measured = LastMeasured(reading.interval, reading.import_wh, reading.export_wh)
        state.put(LAST_MEASURED, reading.meter, measured)


def _count(state: State, context: Context, interval: int) -> None:
    """One more meter has reported; with the last one the interval settles."""
    current = settlement_of(state, interval)
    readings = current.readings + 1
    changed = Settlement(current.stage, readings, current.cursor, current.paid_in_micro, current.paid_out_micro)
    state.put(SETTLEMENTS, interval_key(interval), changed)
    if is_complete(state, interval) and may_settle(state, interval):
        schedule.add(state, context.time_ms, SETTLE, interval_key(interval))


def meter_started(state: State, context: Context, payload: bytes) -> int:
    """Scheduled when a meter was connected: take down its registers at the end of the interval that was running, and
    let no interval up to that wait for its readings."""
    interval, meter = int.from_bytes(payload[:4], "big"), payload[4:12]
    import_wh, export_wh = int.from_bytes(payload[12:20], "big"), int.from_bytes(payload[20:], "big")
    start = Registers(import_wh, export_wh, 0, Quality.MEASURED)
    state.index(REGISTERS_BY_INTERVAL).put(state, payload[:12], start)
    state.put(LAST_MEASURED, meter, LastMeasured(interval, import_wh, export_wh))
    number = interval
    while _is_metering(state, number) and interval - number < NEIGHBOURS_MAX:
        _count(state, context, number)
        number -= 1
    return interval - number + 1


def _is_metering(state: State, interval: int) -> bool:
    known = state.get(INTERVALS, interval_key(interval)) is not None
    return known and settlement_of(state, interval).stage == Stage.METERING


def may_settle(state: State, interval: int) -> bool:
    """An interval settles after the one before it: its energy is the step between two registers."""
    before = interval_key(interval - 1)
    if state.get(INTERVALS, before) is None:
        return True
    return settlement_of(state, interval - 1).stage > Stage.COMPUTING


def is_complete(state: State, interval: int) -> bool:
    """Whether every meter has reported."""
    return settlement_of(state, interval).readings >= len(state.rows[METERS.prefix])
