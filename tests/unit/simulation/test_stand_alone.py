"""A battery with nothing else behind its meter takes part in a scenario, and the ledger knows how full it is."""

import shutil
from pathlib import Path

import pytest

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.genesis import import_state
from gridtokenx.modules.identity.storage import STORAGE_LEVELS, STORAGES, Storage
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.scenario import ScenarioError, load_scenario
from gridtokenx.simulation.simulate import run_simulation

SCENARIOS = Path(__file__).parents[3] / "scenarios"

CELL = """
[[site]]
name = "cell"
participant = "cell-owner"
import_capacity_w = 8_000
money_watt = 1_500
sources = [{ kind = "storage", export_capacity_w = 4_000 }]
battery = { capacity_wh = 8_000, power_w = 4_000, round_trip_permille = 900, charge_at_start_wh = 4_000, alone = true }
agent = { kind = "patient" }
"""


def neighbours_with(folder: Path, site: str, load_wh: int = 0) -> Path:
    """The two neighbours, and one more whose load is always the same."""
    wanted = folder / "scenario"
    shutil.copytree(SCENARIOS / "two-neighbours", wanted)
    with (wanted / "scenario.toml").open("a", encoding="utf-8") as file:
        file.write(site)
    header, *rows = (wanted / "meters.csv").read_text(encoding="utf-8").splitlines()
    lines = [f"{header},cell.load_wh", *(f"{row},{load_wh}" for row in rows)]
    (wanted / "meters.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return wanted


def test_it_buys_and_sells_within_what_is_in_it(tmp_path: Path) -> None:
    """Every block is audited: levels by the meter, sales and purchases by the levels."""
    scenario = load_scenario(neighbours_with(tmp_path, CELL))
    result = run_simulation(scenario, check=True)
    cell = next(site for site in result.report.homes if site.name == "cell")
    assert cell.saved_micro > 0
    assert result.report.refused.get("POSITION_LIMIT", 0) == 0


def test_batteries_of_homes_are_registered_and_have_no_level(tmp_path: Path) -> None:
    """Only of one that stands alone a level is known, which is its first charge."""
    scenario = load_scenario(neighbours_with(tmp_path, CELL))
    genesis = make_genesis(scenario)
    rows = import_state(CONSORTIUM, genesis.data)[0].rows
    sites = {name: connection.portfolio for name, connection in genesis.connections.items()}
    home, cell = rows[STORAGES.prefix][sites["home-06"]], rows[STORAGES.prefix][sites["cell"]]
    assert home == Storage(5_000, 2_500, 900_000, alone=False)
    assert cell == Storage(8_000, 4_000, 900_000, alone=True)
    levels = rows[STORAGE_LEVELS.prefix]
    assert {key: level.level_wh for key, level in levels.items()} == {sites["cell"]: 4_000}
    assert sites["home-10"] not in rows[STORAGES.prefix]


@pytest.mark.parametrize(
    ("site", "load_wh", "said"),
    [
        (CELL, 10, "0 W"),
        (
            CELL.replace('kind = "storage", ', 'kind = "solar", export_capacity_w = 1 }, { kind = "storage", '),
            0,
            "alone",
        ),
    ],
)
def test_alone_means_alone(tmp_path: Path, site: str, load_wh: int, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        Community(load_scenario(neighbours_with(tmp_path, site, load_wh)))
