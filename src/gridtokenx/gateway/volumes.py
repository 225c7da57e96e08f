"""What was traded in an interval, in all and in each zone."""

import msgspec

from gridtokenx.gateway.documents import TradeView
from gridtokenx.ledger.quantities import value_micro


class ZoneVolume(msgspec.Struct):
    """What was sold and bought in one zone. The last trade there had this price, and the energy came to it over so many
    borders."""

    sold_wh: int = 0
    bought_wh: int = 0
    last_price_micro: int | None = None
    last_borders: int = 0

    def count(self, trade: TradeView, *, is_sale: bool) -> None:
        """Add what a trade sold here, or bought; take off what is void."""
        quantity_wh = trade.quantity_wh if trade.voids is None else -trade.quantity_wh
        if is_sale:
            self.sold_wh += quantity_wh
        else:
            self.bought_wh += quantity_wh
        if trade.voids is None:
            self.last_price_micro = trade.price_micro
            self.last_borders = 0 if is_sale else max(len(trade.zones) - 1, 0)

    def add(self, later: "ZoneVolume") -> None:
        """What came after this."""
        self.sold_wh += later.sold_wh
        self.bought_wh += later.bought_wh
        if later.last_price_micro is not None:
            self.last_price_micro, self.last_borders = later.last_price_micro, later.last_borders


class Volume(msgspec.Struct):
    """Trades of one interval."""

    traded_wh: int = 0
    traded_micro: int = 0
    last_price_micro: int | None = None
    zones: dict[int, ZoneVolume] = {}

    def of_zone(self, zone: int) -> ZoneVolume:
        """Those of a zone, from now on if there were none."""
        return self.zones.setdefault(zone, ZoneVolume())

    def count(self, trade: TradeView) -> None:
        """Add a trade to the sums; of an auction's trades purchases count."""
        sign = 0 if trade.auction and trade.taker == "sell" else 1 if trade.voids is None else -1
        self.traded_wh += sign * trade.quantity_wh
        self.traded_micro += sign * value_micro(trade.price_micro, trade.quantity_wh)
        if trade.voids is None:
            self.last_price_micro = trade.price_micro

    def add(self, later: "Volume") -> None:
        """What came after this."""
        self.traded_wh += later.traded_wh
        self.traded_micro += later.traded_micro
        if later.last_price_micro is not None:
            self.last_price_micro = later.last_price_micro
        for zone, added in later.zones.items():
            self.of_zone(zone).add(added)

    def prices_alone(self) -> "Volume":
        """The last prices, without sums."""
        zones = {zone: msgspec.structs.replace(own, sold_wh=0, bought_wh=0) for zone, own in self.zones.items()}
        return Volume(last_price_micro=self.last_price_micro, zones=zones)
