"""`bench simulate`: the shipped week, agents and signatures included, as a multiple of real time."""

import tempfile
from pathlib import Path

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation

SCENARIO = Path(__file__).resolve().parents[3] / "scenarios" / "community-week"
"""Ships beside the sources."""


def run(quick: bool) -> dict[str, object]:
    """The whole week (its first day when quick)."""
    days = 1 if quick else 7
    result = run_simulation(load_scenario(SCENARIO), days=days)
    return {
        "times_real_time": result.speed,
        "days": days,
        "seconds": round(result.real_ms / 1_000, 1),
        "transactions": result.report.transactions,
        "trades": result.report.trades,
        "app_hash": result.report.app_hash,
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }
