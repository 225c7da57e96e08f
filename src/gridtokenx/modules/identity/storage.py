"""Batteries: what the registrar says of them, and how full they are by their meters."""

from collections.abc import Iterator

import msgspec

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import POWER_W_MAX
from gridtokenx.ledger.quantities import PARTS_PER_MILLION, interval_of
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Whole
from gridtokenx.modules.identity.messages import (
    IdentityCode,
    PartsPerMillion,
    Power,
    RegisterStorage,
    RoleName,
    Source,
)
from gridtokenx.modules.identity.rosters import SPLIT_RULES, roster_at
from gridtokenx.modules.identity.state import PORTFOLIOS, require_role


class Storage(Record, frozen=True):
    """A site's battery. Key: the site's own portfolio, whose export power of the source storage it discharges with.
    The loss is taken when it charges. `alone`: its meter sees nothing else."""

    capacity_wh: Whole
    charge_w: Power
    efficiency_ppm: PartsPerMillion
    alone: bool


class StorageLevel(Record, frozen=True):
    """How full a battery that stands alone was at the end of an interval, and its meter's registers then. Key:
    portfolio."""

    interval: Whole
    level_wh: Whole
    import_wh: Whole
    export_wh: Whole


STORAGES: Table[Storage] = Table(0x2B, "storages", Storage)
STORAGE_LEVELS: Table[StorageLevel] = Table(0x2C, "storage_levels", StorageLevel)


def register_storage(state: State, context: Context, message: RegisterStorage) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `STORAGE_INVALID` (names what does not fit). Said again, the newer counts."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    put_storage(state, interval_of(context.time_ms), message)
    return ()


def put_storage(state: State, interval: int, message: RegisterStorage) -> None:
    """Level and registers are those at the end of `interval`. `STORAGE_INVALID`."""
    portfolio = state.get(PORTFOLIOS, message.portfolio)
    if portfolio is None or not portfolio.site:
        raise Rejected(IdentityCode.STORAGE_INVALID, "portfolio")
    storage_w = portfolio.export_w[Source.STORAGE]
    if message.alone and sum(portfolio.export_w) != storage_w:
        raise Rejected(IdentityCode.STORAGE_INVALID, "alone")
    for name, fits in (
        ("portfolio", storage_w > 0),
        ("capacity_wh", 0 < message.capacity_wh <= POWER_W_MAX),
        ("charge_w", message.charge_w > 0),
        ("efficiency_ppm", message.efficiency_ppm > 0),
        ("level_wh", message.level_wh <= message.capacity_wh),
    ):
        if not fits:
            raise Rejected(IdentityCode.STORAGE_INVALID, name)
    storage = Storage(message.capacity_wh, message.charge_w, message.efficiency_ppm, message.alone)
    state.put(STORAGES, message.portfolio, storage)
    if message.alone:
        level = StorageLevel(interval, message.level_wh, message.import_wh, message.export_wh)
        state.put(STORAGE_LEVELS, message.portfolio, level)
    elif state.get(STORAGE_LEVELS, message.portfolio) is not None:
        state.delete(STORAGE_LEVELS, message.portfolio)


def stored_wh(storage: Storage, energy_wh: int) -> int:
    """What of a charged energy can be given again, rounded down."""
    return energy_wh * storage.efficiency_ppm // PARTS_PER_MILLION


def storage_of(state: State, portfolio_id: bytes, interval: int) -> Storage | None:
    """The battery of a site; of a portfolio with members all of theirs as one, as good as the best of them. The loop is
    over the members."""
    rows = state.rows[STORAGES.prefix]
    if portfolio_id not in state.rows[SPLIT_RULES.prefix]:
        return rows.get(portfolio_id)
    own = [rows[member] for member in roster_at(state, portfolio_id, interval).members if member in rows]
    if not own:
        return None
    return Storage(
        sum(one.capacity_wh for one in own),
        sum(one.charge_w for one in own),
        max(one.efficiency_ppm for one in own),
        alone=False,
    )


def follow_meter(state: State, portfolio_id: bytes, interval: int, import_wh: int, export_wh: int) -> None:
    """The registers at the end of an interval, as last measured: what was charged and given since the last ones. They
    are cumulative, so a missing reading or a late one changes nothing in the end."""
    level = state.get(STORAGE_LEVELS, portfolio_id)
    if level is None or interval <= level.interval:
        return
    storage = state.rows[STORAGES.prefix][portfolio_id]
    level_wh = level.level_wh + stored_wh(storage, max(import_wh - level.import_wh, 0))
    level_wh -= max(export_wh - level.export_wh, 0)
    changed = StorageLevel(interval, min(max(level_wh, 0), storage.capacity_wh), import_wh, export_wh)
    state.put(STORAGE_LEVELS, portfolio_id, changed)


def invariants(state: State) -> Iterator[str]:
    """A battery that stands alone has a level, within its capacity."""
    for key, storage in state.items(STORAGES):
        level = state.get(STORAGE_LEVELS, key)
        if storage.alone != (level is not None):
            yield f"storage {key.hex()} and its level disagree"
        elif level is not None and level.level_wh > storage.capacity_wh:
            yield f"storage {key.hex()} holds {msgspec.structs.asdict(level)}, more than it can"
