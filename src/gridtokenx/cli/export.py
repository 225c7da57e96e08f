"""`gridtokenx export`: the whole state, as a genesis that another chain can begin with, or as JSON for people."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gridtokenx.cli.connection import err
from gridtokenx.cli.options import DEFAULT_DATA, Data

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"


def export(
    file: Annotated[Path, typer.Argument(help="Where the export goes; nothing is overwritten. `-` is the output.")],
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For people: tables, field names, bytes in hex.")] = False,
) -> None:
    """Write the state after the last block. The market may be running."""
    from gridtokenx.engine.folder import DataFolder, FolderUnusable
    from gridtokenx.operations.export import read_state

    folder = DataFolder(data)
    try:
        folder.require()
        content = read_state(folder, CHAIN, as_json=as_json)
    except (FolderUnusable, FileNotFoundError) as error:
        err.print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if str(file) == "-":
        typer.echo(content, nl=False)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        err.print(f"[red]{file} cannot be written: {error.strerror}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
