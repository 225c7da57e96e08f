"""The planner: what a community could save at most, to hold the market against.

`formulation` is the linear program, as it is published; `model` the community's limits as arrays; `linear` the way to
the solver. Two planners use it, with one answer (`planned.Planned`):

- `perfect_foresight` knows every row that will be recorded: an upper bound of what any market could save;
- `equal_foresight` knows at each moment what the agents know, commits contracts as their gates close, and then meets
  the recorded rows under the market's own imbalance rules: what a clever planner really gets.
"""

from gridtokenx.simulation.planner.formulation import Rules
from gridtokenx.simulation.planner.linear import PlannerError
from gridtokenx.simulation.planner.perfect import perfect_foresight
from gridtokenx.simulation.planner.planned import Planned, PlannedInterval, stored_value_micro
from gridtokenx.simulation.planner.rolling import equal_foresight

__all__ = [
    "Planned",
    "PlannedInterval",
    "PlannerError",
    "Rules",
    "equal_foresight",
    "perfect_foresight",
    "stored_value_micro",
]
