"""A battery behind the meter: capacity, power, losses, and the one law by which it moves in an interval."""

from typing import NamedTuple

from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR


class BatteryInstruction(NamedTuple):
    """What the connection point shall read in an interval, and whether stored energy may be spent on it.

    `target_wh` is export minus import. The device follows the flows of its own connection point as they
    happen, as a home battery does; the instruction is given before the interval starts.
    """

    target_wh: int
    may_discharge: bool


class Battery(NamedTuple):
    """`round_trip_permille` of the energy that goes in comes out; the loss is taken when charging."""

    capacity_wh: int
    power_w: int
    round_trip_permille: int

    def step(self, charge_wh: int, surplus_wh: int, instruction: BatteryInstruction) -> tuple[int, int]:
        """Move one interval on: returns the new charge and the net export at the connection point.

        `surplus_wh` is PV minus load. Energy above the target is stored as far as power and room allow; a
        lack is covered from the store if the instruction permits. Stored energy is rounded down: the loss
        keeps the rest.
        """
        excess_wh = surplus_wh - instruction.target_wh
        most_wh = self.power_w // INTERVALS_PER_HOUR
        if excess_wh > 0:
            room_wh = (self.capacity_wh - charge_wh) * 1000 // self.round_trip_permille
            taken_wh = min(excess_wh, most_wh, room_wh)
            return charge_wh + taken_wh * self.round_trip_permille // 1000, surplus_wh - taken_wh
        if excess_wh < 0 and instruction.may_discharge:
            given_wh = min(-excess_wh, most_wh, charge_wh)
            return charge_wh - given_wh, surplus_wh + given_wh
        return charge_wh, surplus_wh
