"""Bounds of the terms: the last value on each side is taken, the next one is not."""

import msgspec
import pytest
from tests.world import DEFAULT_TERMS, WATT

from gridtokenx.ledger.errors import Rejected
from gridtokenx.modules.market.handlers import check_terms
from gridtokenx.modules.market.messages import MarketCode, Terms

BOUNDS = {
    "on_peak_micro": (DEFAULT_TERMS.buy_back_micro, 100 * WATT, 1),
    "off_peak_micro": (DEFAULT_TERMS.buy_back_micro, 100 * WATT, 1),
    "buy_back_micro": (0, DEFAULT_TERMS.off_peak_micro, 1),
    "band_ppm": (0, 1_000_000, 1),
    "halt_ms": (0, 3_600_000, 1),
    "reference_wh": (100, 10**9, 1),
    "undelivered_spread_micro": (0, 10 * WATT, 1),
    "unused_spread_micro": (0, 10 * WATT, 1),
    "grid_fee_ppm": (0, 200_000, 1),
    "trading_fee_ppm": (0, 50_000, 1),
    "wheeling_base_micro": (0, 10 * WATT, 1_000),
    "wheeling_feeder_micro": (0, 10 * WATT, 1_000),
    "wheeling_border_micro": (0, 10 * WATT, 1_000),
    "tick_micro": (1_000, 50_000, 1_000),
    "order_wh_min": (1, 10**6, 1),
    "gate_ms": (0, 3_600_000, 1),
    "call_phase_ms": (0, 3_600_000, 1),
    "metering_deadline_ms": (60_000, 86_400_000, 1),
    "correction_ms": (DEFAULT_TERMS.metering_deadline_ms, 30 * 86_400_000, 1),
    "arrears_limit_micro": (0, 10**6 * WATT, 1),
}
"""Least, most, and a step beyond. The tick must also divide wheeling, so 0.05 is the most that fits the rest."""


def changed(name: str, value: int) -> Terms:
    return msgspec.structs.replace(DEFAULT_TERMS, **{name: value})


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name: str) -> None:
    least, most, step = BOUNDS[name]
    check_terms(changed(name, least))
    check_terms(changed(name, most))
    for value in (least - step, most + step):
        if value < 0:
            continue
        with pytest.raises(Rejected) as caught:
            check_terms(changed(name, value))
        assert caught.value.code == MarketCode.TERMS_INVALID


def test_every_term_has_bounds() -> None:
    assert set(BOUNDS) == set(Terms.__struct_fields__)


@pytest.mark.parametrize("name", [name for name in BOUNDS if name.startswith("wheeling") or name == "tick_micro"])
def test_what_prices_are_made_of_lies_on_the_thousand(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        check_terms(changed(name, 200_500))
    assert caught.value.field == name


def test_wheeling_lies_on_the_tick() -> None:
    check_terms(changed("tick_micro", 50_000))
    with pytest.raises(Rejected):
        check_terms(changed("tick_micro", 60_000))
