"""The battery's law: bounds, losses and the connection point, for any flows."""

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.simulation.battery import Battery, BatteryInstruction

BATTERIES = st.builds(Battery, st.integers(1, 20_000), st.integers(4, 20_000), st.integers(500, 1000))
FLOWS = st.lists(st.tuples(st.integers(-4_000, 4_000), st.integers(-2_000, 2_000), st.booleans()), max_size=50)


@given(BATTERIES, st.integers(0, 1000), FLOWS)
def test_charge_power_and_energy_stay_in_bounds(
    battery: Battery, share: int, flows: list[tuple[int, int, bool]]
) -> None:
    charge = begin = battery.capacity_wh * share // 1000
    taken = given_back = 0
    for surplus, target, may_discharge in flows:
        before = charge
        charge, net = battery.step(charge, surplus, BatteryInstruction(target, may_discharge))
        moved = surplus - net
        assert 0 <= charge <= battery.capacity_wh
        assert abs(moved) <= battery.power_w // 4
        assert (moved > 0) <= (charge >= before) and (moved < 0) == (charge < before)
        assert may_discharge or moved >= 0
        assert abs(net - target) <= abs(surplus - target)  # it never makes the deviation larger
        taken += max(0, moved)
        given_back += max(0, -moved)
    assert given_back <= begin + taken * battery.round_trip_permille // 1000


def test_a_cycle_by_hand() -> None:
    battery = Battery(10_000, 4_000, 900)
    own_use, hold = BatteryInstruction(0, True), BatteryInstruction(0, False)
    assert battery.step(0, 800, own_use) == (720, 0)
    assert battery.step(0, 1_500, own_use) == (900, 500)  # 4 kW is 1,000 Wh a quarter
    assert battery.step(9_910, 800, own_use) == (10_000, 700)  # 100 in, 90 stored, full
    assert battery.step(720, -300, own_use) == (420, 0)
    assert battery.step(200, -300, own_use) == (0, -100)
    assert battery.step(720, -300, hold) == (720, -300)
    assert battery.step(720, 100, BatteryInstruction(600, True)) == (220, 600)  # keeps a sale
    assert battery.step(0, -300, BatteryInstruction(-500, True)) == (
        180,
        -500,
    )  # stores a purchase not needed
