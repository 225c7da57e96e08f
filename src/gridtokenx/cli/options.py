"""Options that several commands share, so that they read alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA = Path("data")
DEFAULT_PORT = 8_545

Data = Annotated[
    Path, typer.Option("--data", help="Folder that holds the market's state; nothing is written outside it.")
]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the API, on this machine only.")]
