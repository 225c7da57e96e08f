"""Nonces: a window that remembers what was used, against the obvious model that remembers everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.ledger.account import use_nonce
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.limits import NONCE_WINDOW


class Model:
    """Every nonce that was ever used."""

    def __init__(self) -> None:
        self.used: set[int] = set()

    def use(self, nonce: int) -> KernelCode:
        highest = max(self.used, default=0)
        if nonce > highest + NONCE_WINDOW:
            return KernelCode.NONCE_JUMP
        if nonce < highest and nonce < highest - NONCE_WINDOW:
            return KernelCode.NONCE_TOO_OLD
        if nonce in self.used or nonce < 1:
            return KernelCode.NONCE_USED
        self.used.add(nonce)
        return KernelCode.OK


def used_by_window(steps: list[int]) -> tuple[list[KernelCode], int, bytes]:
    highest, gaps, codes = 0, b"", []
    for nonce in steps:
        try:
            highest, gaps = use_nonce(highest, gaps, nonce)
            codes.append(KernelCode.OK)
        except Rejected as rejection:
            codes.append(KernelCode(rejection.code))
    return codes, highest, gaps


@given(st.lists(st.integers(0, 40) | st.integers(0, 4_000) | st.integers(1_000, 1_060), max_size=120))
def test_the_window_says_what_the_model_says(steps: list[int]) -> None:
    model = Model()
    codes, highest, gaps = used_by_window(steps)
    assert codes == [model.use(nonce) for nonce in steps]
    assert highest == max(model.used, default=0)
    lowest = max(highest - NONCE_WINDOW, 1)
    missing = {nonce for nonce in range(lowest, highest) if nonce not in model.used}
    bits = int.from_bytes(gaps, "big")
    assert missing == {highest - 1 - k for k in range(bits.bit_length()) if bits >> k & 1 and highest - 1 - k >= 1}


@given(st.permutations(range(1, 60)))
def test_any_order_is_taken_and_leaves_no_trace(order: list[int]) -> None:
    codes, highest, gaps = used_by_window(order)
    assert set(codes) == {KernelCode.OK}
    assert (highest, gaps) == (59, b"")


@pytest.mark.parametrize(
    ("highest", "nonce", "code"),
    [
        (0, 0, KernelCode.NONCE_USED),
        (5, 5, KernelCode.NONCE_USED),
        (5, 4, KernelCode.NONCE_USED),
        (5_000, 3_000, KernelCode.NONCE_TOO_OLD),
        (0, NONCE_WINDOW + 1, KernelCode.NONCE_JUMP),
    ],
)
def test_what_is_refused(highest: int, nonce: int, code: KernelCode) -> None:
    with pytest.raises(Rejected) as caught:
        use_nonce(highest, b"", nonce)
    assert caught.value.code == code


def test_the_furthest_jump_is_taken() -> None:
    highest, gaps = use_nonce(0, b"", NONCE_WINDOW)
    assert highest == NONCE_WINDOW
    assert int.from_bytes(gaps, "big") == 2 ** (NONCE_WINDOW - 1) - 1
    assert len(gaps) == NONCE_WINDOW // 8
