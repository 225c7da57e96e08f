"""`gridtokenx export`: the whole state, as a genesis that another chain can begin with, or as JSON for people."""

from pathlib import Path
from typing import Annotated

import typer

from gridtokenx.cli.console import folder_failures, write_new
from gridtokenx.cli.options import CHAIN, DEFAULT_DATA, NO_MARKET_ADVICE, Data


def export(
    file: Annotated[Path, typer.Argument(help="Where the export goes; nothing is overwritten. `-` is the output.")],
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For people: tables, field names, bytes in hex.")] = False,
) -> None:
    """Write the state after the last block. The market may be running."""
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.operations.export import read_state

    with folder_failures(NO_MARKET_ADVICE):
        content = read_state(DataFolder(data), CHAIN, as_json=as_json)
    if str(file) == "-":
        typer.echo(content, nl=False)
        return
    write_new(file, content, 0o644)
