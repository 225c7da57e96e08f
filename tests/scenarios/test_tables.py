"""Plays every scenario of every table in this folder, one test each, named by its title and requirement ids."""

import re
from pathlib import Path

import pytest
from tests.scenarios.table import Player, Scenario, read_scenarios

FOLDER = Path(__file__).parent
REQUIREMENT = re.compile(r"[A-Q]\d{1,2}")


def _cases() -> list[object]:
    cases = []
    for path in sorted(FOLDER.glob("*.txt")):
        for scenario in read_scenarios(path):
            name = re.sub(r"\W+", "_", f"{path.stem} {scenario.title} {' '.join(scenario.ids)}")
            cases.append(pytest.param(scenario, id=name))
    return cases


@pytest.mark.parametrize("scenario", _cases())
def test_scenario(scenario: Scenario) -> None:
    assert scenario.ids and all(REQUIREMENT.fullmatch(name) for name in scenario.ids), scenario.ids
    Player(scenario).play()
