"""Imports go down only: one test reads the ladder and checks every import in the package."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "gridtokenx"

LADDER = {
    "ledger": 0,
    "modules": 10,
    "modules.identity": 11,
    "modules.tokens": 12,
    "modules.authority": 13,
    "modules.grid": 14,
    "modules.market": 15,
    "modules.settlement": 16,
    "chains": 20,
    "engine": 30,
    "signer": 31,
    "gateway": 40,
    "client": 41,
    "simulation": 42,
    "operations": 43,
    "bench": 44,
    "cli": 50,
}
"""A room imports from rooms with a smaller number, and from itself. Equal numbers do not know each other."""

DRAWS_FROM_BELOW_ONLY = {"ledger", "modules", "chains"}
"""The ledger is deterministic: none of these modules may be imported there."""
FORBIDDEN_IN_LEDGER = {"time", "random", "os", "pathlib", "datetime", "secrets", "threading", "asyncio", "socket"}


def room_of(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "modules" and len(parts) > 1 else parts[0]


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
    return found


def test_every_room_stands_on_the_ladder() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert rooms <= set(LADDER), f"give these a rung: {sorted(rooms - set(LADDER))}"


def test_imports_go_down_only() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        own = room_of(".".join(path.relative_to(SOURCE).with_suffix("").parts))
        for name in imports_of(path):
            if not name.startswith("gridtokenx."):
                continue
            other = room_of(name.removeprefix("gridtokenx."))
            if other in LADDER and own in LADDER and other != own and LADDER[other] >= LADDER[own]:
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}")
    assert wrong == []


def test_the_ledger_knows_no_clock_and_no_chance() -> None:
    wrong = []
    for room in sorted(DRAWS_FROM_BELOW_ONLY):
        for path in sorted((SOURCE / room).rglob("*.py")):
            wrong += [f"{path.name} imports {name}" for name in imports_of(path) if name in FORBIDDEN_IN_LEDGER]
    assert wrong == []
