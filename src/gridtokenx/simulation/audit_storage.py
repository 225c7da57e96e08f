"""Batteries: their levels follow their meters, and what was traded could be in them. The auditor's own arithmetic."""

from typing import Any

from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.identity.state import FEEDERS, PORTFOLIOS, SITES
from gridtokenx.modules.identity.storage import STORAGE_LEVELS, STORAGES, Storage, StorageLevel
from gridtokenx.modules.market.state import EMPTY_POSITION, INTERVALS, POSITIONS, SKY, Position
from gridtokenx.modules.settlement.state import REGISTERS
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_told import Told

Changed = dict[bytes, tuple[Any, Any]]


class StorageAudit:
    """`copy` is the auditor's copy of the tables, by prefix, after the block."""

    def __init__(self, copy: dict[int, dict[bytes, Any]]) -> None:
        self.copy = copy

    def check(self, told: Told, changes: dict[int, Changed]) -> list[str]:
        """What does not hold after this block."""
        found = []
        levels = changes[STORAGE_LEVELS.prefix]
        for key, (old, new) in levels.items():
            if new is not None and not self._may_be(told, key, old, new):
                found.append(f"the battery of {key.hex()} holds {new}, its meter does not say so")
        for key, (old, new) in changes[POSITIONS.prefix].items():
            storage = self.copy[STORAGES.prefix].get(key[4:])
            if storage is None or new is None:
                continue
            interval, before = int.from_bytes(key[:4], "big"), old or EMPTY_POSITION
            now = self.copy[STORAGE_LEVELS.prefix].get(key[4:])
            starts = [one for one in levels.get(key[4:], ()) if one] or [now]
            if rules.net_sale_wh(new) > rules.net_sale_wh(before) and all(
                self._short(storage, one, key[4:], interval) for one in starts
            ):
                found.append(f"position {key.hex()} sells what cannot be in its battery")
            grew = storage.alone and rules.net_purchase_wh(new) > rules.net_purchase_wh(before)
            if grew and all(self._too_full(storage, one, key[4:], interval) for one in starts):
                found.append(f"position {key.hex()} buys what does not fit into its battery")
        return found

    def _may_be(self, told: Told, key: bytes, old: StorageLevel | None, new: StorageLevel) -> bool:
        """As the registrar said in this block, or the level before with what the registers moved since."""
        if any(message.portfolio == key and message.level_wh == new.level_wh for message in told.storages):
            return True
        meter = self.copy[SITES.prefix][self.copy[PORTFOLIOS.prefix][key].site].meter
        registers = self.copy[REGISTERS.prefix].get(new.interval.to_bytes(4, "big") + meter)
        if old is None or registers is None:
            return False
        storage: Storage = self.copy[STORAGES.prefix][key]
        # Several intervals of a block are one step here, and cut only at its end: so it may be cut more often.
        if new.interval != old.interval + 1:
            return new.level_wh in range(storage.capacity_wh + 1)
        taken, given = max(new.import_wh - old.import_wh, 0), max(new.export_wh - old.export_wh, 0)
        level = old.level_wh + rules.down(taken * storage.efficiency_ppm, 10**6) - given
        return bool(new.level_wh == max(0, min(level, storage.capacity_wh)))

    def _short(self, storage: Storage, start: StorageLevel | None, portfolio: bytes, since: int) -> bool:
        """Whether all sales together run the battery empty in that interval or later."""
        last = int.from_bytes(max(self.copy[INTERVALS.prefix]), "big")
        if storage.alone and start is not None:
            level, first = start.level_wh, start.interval + 1
        else:
            level, first = storage.capacity_wh, since - 96
        for interval in range(first, last + 1):
            position = self._position(interval, portfolio)
            if storage.alone:
                moved = position.bought_wh - position.sold_wh - position.open_sell_wh
                level += rules.down(moved * storage.efficiency_ppm, 10**6) if moved > 0 else moved
            else:
                sale = rules.net_sale_wh(position)
                needed = sale - self._others(portfolio, interval) if sale > 0 else 0
                gained = rules.down(rules.down(storage.charge_w, 4) * storage.efficiency_ppm, 10**6)
                level += -needed if needed > 0 else gained
            if level < 0 and interval >= since:
                return True
            level = max(0, min(level, storage.capacity_wh))
        return False

    def _too_full(self, storage: Storage, start: StorageLevel | None, portfolio: bytes, since: int) -> bool:
        if start is None:
            return False
        level = start.level_wh
        for interval in range(start.interval + 1, int.from_bytes(max(self.copy[INTERVALS.prefix]), "big") + 1):
            position = self._position(interval, portfolio)
            moved = position.bought_wh + position.open_buy_wh - position.sold_wh
            level += rules.down(moved * storage.efficiency_ppm, 10**6) if moved > 0 else moved
            if level > storage.capacity_wh and interval >= since:
                return True
            level = max(0, min(level, storage.capacity_wh))
        return False

    def _position(self, interval: int, portfolio: bytes) -> Position:
        found: Position = self.copy[POSITIONS.prefix].get(interval.to_bytes(4, "big") + portfolio, EMPTY_POSITION)
        return found

    def _others(self, portfolio: bytes, interval: int) -> int:
        """What the site's other sources can give."""
        site = self.copy[PORTFOLIOS.prefix][portfolio]
        zone = self.copy[FEEDERS.prefix][site.feeder.to_bytes(2, "big")].zone
        sky = self.copy[SKY.prefix].get(bytes([zone, rules.bangkok(interval).month]))
        return rules.can_export(site.export_w, sky, interval, without=Source.STORAGE)
