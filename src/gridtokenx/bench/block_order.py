"""`bench block-order`: what those gain who cheat with the order inside a block, with the rule of the draw and without.

The shipped community's own order flow of a day, recorded and executed again by the real ledger with a cheat added;
and the same homes with agents that price at random. Means over seeds with their confidence intervals of 95 %
(`gridtokenx.simulation.blockorder` says what is modelled). And what it costs a node to write down who left out what.
"""

import os
from functools import partial

from gridtokenx.bench.sightings import sighting_cost
from gridtokenx.bench.simulate import SCENARIO
from gridtokenx.simulation.blockorder.flow import Flow, record, zero_intelligence
from gridtokenx.simulation.blockorder.racer import Race, run_races
from gridtokenx.simulation.blockorder.study import GATEWAYS, Cheat, Place, Played, play
from gridtokenx.simulation.league import Mean
from gridtokenx.simulation.processes import in_processes
from gridtokenx.simulation.scenario import Scenario, load_scenario

GROUP = 5

CHEATS = {
    "honest": Cheat(Place.NOWHERE),
    "proposer_without_rule": Cheat(Place.FIRST),
    "proposer_with_rule": Cheat(Place.DRAWN),
    "proposer_leaving_out": Cheat(Place.LEAVING_OUT),
    "group_with_rule": Cheat(Place.DRAWN, GROUP),
    "gateway": Cheat(Place.FIRST, gateways=GATEWAYS),
}
"""For a gateway the rule makes no difference: its orders stand a block before its users'."""

AHEAD_MS = 50

RACES = {
    "racer_first_come": Race(AHEAD_MS, watches=True, drawn=False),
    "racer_with_rule": Race(AHEAD_MS, watches=True, drawn=True),
    "racer_first_come_owner_away": Race(AHEAD_MS, watches=False, drawn=False),
    "racer_with_rule_owner_away": Race(AHEAD_MS, watches=False, drawn=True),
}


def run(quick: bool) -> dict[str, object]:
    """Both flows over twelve seeds; quick: the shipped agents over two."""
    seeds, events = (2, 50) if quick else (12, 200)
    scenario = load_scenario(SCENARIO)
    flows = {"community": scenario} if quick else {"community": scenario, "random": zero_intelligence(scenario)}
    figures: dict[str, object] = {}
    for name, homes in flows.items():
        print(f"recording a day of {name}", flush=True)
        figures |= measure(name, record(homes, days=1), seeds)
    figures |= race(scenario, events, seeds)
    figures |= sighting_cost(50 if quick else 200)
    return figures | {"seeds": seeds, "days": 1, "group": GROUP, "gateways": GATEWAYS, "ahead_ms": AHEAD_MS}


def measure(name: str, flow: Flow, seeds: int) -> dict[str, object]:
    """Every cheat over all seeds under this flow."""
    tasks = [(cheat, seed) for cheat in CHEATS.values() for seed in range(1, seeds + 1)]
    played = in_processes(partial(_play, flow), tasks, os.cpu_count() or 1)
    runs = {cheat: played[number * seeds : (number + 1) * seeds] for number, cheat in enumerate(CHEATS)}
    honest = runs.pop("honest")
    first = sum(one.gain_micro for one in runs["proposer_without_rule"])
    figures: dict[str, object] = {f"{name}_traded_kwh": round(sum(one.traded_wh for one in honest) / 1_000 / seeds, 1)}
    figures[f"{name}_blocks"] = len(flow.steps)
    for cheat, own in runs.items():
        gain = sum(one.gain_micro for one in own)
        victims_wh = sum(one.victims_wh for one in own)
        lost = [before.homes_micro - after.homes_micro for before, after in zip(honest, own, strict=True)]
        figures[f"{name}_{cheat}_watt"] = _mean([one.gain_micro / 1e6 for one in own])
        figures[f"{name}_{cheat}_watt_per_victims_kwh"] = round(gain / 1_000 / victims_wh, 3) if victims_wh else 0.0
        figures[f"{name}_{cheat}_victims_kwh"] = round(victims_wh / 1_000 / seeds, 1)
        figures[f"{name}_{cheat}_homes_lose_watt"] = _mean([one / 1e6 for one in lost])
        figures[f"{name}_{cheat}_attacks"] = round(sum(one.attacks for one in own) / seeds, 1)
        figures[f"{name}_{cheat}_blocks_left_out"] = round(sum(one.left_out for one in own) / seeds, 1)
        figures[f"{name}_{cheat}_of_gain_without_rule"] = round(gain / first, 3) if first else 0.0
    return figures


def race(scenario: Scenario, events: int, seeds: int) -> dict[str, object]:
    """Which share of the bargains a racer gets."""
    tasks = [(one, seed) for one in RACES.values() for seed in range(1, seeds + 1)]
    shares = in_processes(partial(_race, scenario, events), tasks, os.cpu_count() or 1)
    return {
        f"{name}_share": _mean(shares[number * seeds : (number + 1) * seeds]) for number, name in enumerate(RACES)
    } | {"race_events": events * seeds}


def _play(flow: Flow, task: tuple[Cheat, int]) -> Played:
    return play(flow, *task)


def _race(scenario: Scenario, events: int, task: tuple[Race, int]) -> float:
    return run_races(scenario, task[0], events, task[1])


def _mean(values: list[float]) -> list[float]:
    """Mean, and half the width of its confidence interval."""
    mean = Mean.of(values)
    return [round(mean.value, 3), round(mean.half_width or 0.0, 3)]
