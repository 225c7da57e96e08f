"""Finding scenarios by their names or folders."""

from collections.abc import Iterator
from pathlib import Path

from gridtokenx.simulation.scenario import ScenarioError

SHIPPED = Path(__file__).resolve().parents[3] / "scenarios"
"""The folder beside the sources; an installation without sources names folders instead."""


def find_scenario(text: str) -> Path:
    """The folder of a scenario: a path as it stands, else the name of a shipped one.

    Raises `ScenarioError` that lists the shipped ones.
    """
    for folder in (Path(text), Path("scenarios") / text, SHIPPED / text):
        file = folder / "scenario.toml" if folder.is_dir() else folder
        if file.is_file():
            return file.parent
    shipped = sorted(path.parent.name for path in SHIPPED.glob("*/scenario.toml"))
    known = f"; the shipped ones are {', '.join(shipped)}" if shipped else ""
    raise ScenarioError(f"there is no scenario '{text}': give a folder that holds scenario.toml{known}")


def scenarios_in(folders: list[Path]) -> Iterator[Path]:
    """Folders of scenarios in (or directly under) each folder, once each, in the order of names."""
    seen: set[Path] = set()
    for folder in folders:
        for file in sorted([*folder.glob("scenario.toml"), *folder.glob("*/scenario.toml")]):
            if file.resolve() not in seen and not file.parent.name.startswith("."):
                seen.add(file.resolve())
                yield file.parent
