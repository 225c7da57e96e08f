"""Options that several commands share, so that they read alike everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA = Path("data")
DEFAULT_PORT = 8_545
DEFAULT_KEYS = DEFAULT_DATA / "keys"
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"
"""The rules that every command runs and reads by."""
NO_MARKET_ADVICE = "Name the folder of a market with --data; `gridtokenx up` makes one."

Data = Annotated[
    Path, typer.Option("--data", help="Folder that holds the market's state; nothing is written outside it.")
]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the API, on this machine only.")]
Url = Annotated[str, typer.Option("--url", help="Address of the market's gateway.", envvar="GRIDTOKENX_URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Keys = Annotated[Path, typer.Option("--keys", help="Folder of the key files.", envvar="GRIDTOKENX_KEYS")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with the passphrase; else GRIDTOKENX_PASSPHRASE, else it is asked."),
]
KeyNames = Annotated[
    list[str],
    typer.Option("--key", help="Name of a key that signs; give it several times for an account of several keys."),
]
AccountHex = Annotated[
    str | None,
    typer.Option("--account", help="Id of the account, if its keys were rotated (else it follows from the keys)."),
]
Height = Annotated[
    int | None, typer.Option("--height", min=0, help="As it was after this block, on an archive; else as it is.")
]


class ForceName(StrEnum):
    """How long an order stays, under the names of the market's `TimeInForce`."""

    GOOD_TILL_GATE = "gtc"
    GOOD_TILL_TIME = "gtd"
    IMMEDIATE_OR_CANCEL = "ioc"
    FILL_OR_KILL = "fok"
