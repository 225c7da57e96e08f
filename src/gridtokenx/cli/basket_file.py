"""A basket as a file: TOML that people write.

[[leg]]
name = "charge"
side = "buy"
energy = "2"             # kWh, of each interval
interval = "12:00"       # begin of delivery in Bangkok
intervals = 4            # of a block order; 1 otherwise
price = "3.20"           # WATT per kWh, of a purchase delivered
source = "any"           # of a sale one source
force = "fok"            # the default; gtc and gtd (with until) may rest
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from gridtokenx.cli import values
from gridtokenx.cli.options import ForceName
from gridtokenx.client.baskets import Basket
from gridtokenx.ledger.limits import BLOCK_ORDER_INTERVALS_MAX
from gridtokenx.modules.market.messages import Scope, TimeInForce


class LegEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One leg, as it is written."""

    name: str
    side: Literal["buy", "sell"]
    energy: str
    interval: str
    price: str
    intervals: Annotated[int, msgspec.Meta(ge=1, le=BLOCK_ORDER_INTERVALS_MAX)] = 1
    source: str | None = None
    force: Literal["gtc", "gtd", "ioc", "fok"] = "fok"
    until: str | None = None
    scope: Literal["anywhere", "zone", "feeder"] = "anywhere"


class BasketEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    leg: list[LegEntry]
    portfolio: str | None = None


def read_basket_file(path: Path) -> BasketEntry:
    """Raises typer.BadParameter with a sentence that says what is wrong where."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), BasketEntry)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise typer.BadParameter(f"{path} is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"{path}: {error}; `gridtokenx tx basket --help` shows what a leg says") from None


def basket_of(entry: BasketEntry, portfolio: bytes, now_ms: int) -> Basket:
    """The basket, with times counted from chain time. Raises typer.BadParameter that names the leg."""
    basket = Basket(portfolio)
    for leg in entry.leg:
        try:
            basket = _add(basket, leg, now_ms)
        except typer.BadParameter as error:
            raise typer.BadParameter(f"leg {leg.name!r}: {error.message}") from None
    return basket


def _add(basket: Basket, leg: LegEntry, now_ms: int) -> Basket:
    if (leg.force == "gtd") != (leg.until is not None):
        raise typer.BadParameter('force = "gtd" and until belong together')
    selling = leg.side == "sell"
    if selling and leg.source is None:
        raise typer.BadParameter('of a sale the source must be said: source = "solar"')
    add = basket.sell if selling else basket.buy
    return add(
        leg.name,
        values.interval_number(leg.interval, now_ms),
        values.energy_wh(leg.energy),
        price_micro=values.price_micro(leg.price),
        intervals=leg.intervals,
        source=values.one_source(leg.source or "") if selling else values.source_mask(leg.source or "any"),
        force=TimeInForce[ForceName(leg.force).name],
        good_till_ms=values.moment_ms(leg.until, now_ms) if leg.until else 0,
        scope=int(Scope[leg.scope.upper()]),
    )
