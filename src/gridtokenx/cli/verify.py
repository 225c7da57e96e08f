"""`gridtokenx verify`: replay the chain, and compare everything that is stored."""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gridtokenx.cli.options import DEFAULT_DATA, Data

if TYPE_CHECKING:
    from gridtokenx.operations.verify import Verification

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"


def verify(
    data: Data = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that check signatures.")] = min(
        os.cpu_count() or 1, 8
    ),
) -> None:
    """Replay the chain from its genesis; check every hash, signature, record and invariant.

    Ends with 1 and the exact place if anything is not what it was.
    """
    from gridtokenx.engine.folder import DataFolder, FolderUnusable
    from gridtokenx.operations.verify import verify_folder

    console = Console(stderr=True)
    try:
        with _Bar(console) as bar:
            found = verify_folder(DataFolder(data), CHAIN, workers, bar.progress)
    except (FolderUnusable, FileNotFoundError) as error:
        console.print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _print(Console(), found)
    if not found.is_sound:
        raise typer.Exit(1)


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, doing: str, done: int, total: int) -> None:
        """One line for each kind of work."""
        from rich.progress import TaskID

        if doing not in self._tasks:
            self._tasks[doing] = self._bar.add_task(doing, total=total)
        self._bar.update(TaskID(self._tasks[doing]), completed=done, total=total)


def _print(console: Console, found: "Verification") -> None:
    rate = found.transactions / found.seconds if found.seconds else 0
    console.print(
        f"{found.chain or 'the chain'}: {found.blocks:,} blocks to height {found.height:,}, "
        f"{found.transactions:,} transactions, {found.signatures:,} signatures, {found.records:,} records, "
        f"{found.journal_entries:,} journal entries in {found.seconds:.1f} s ({rate:,.0f} transactions/s).",
        highlight=False,
        soft_wrap=True,
    )
    for note in found.notes:
        console.print(f"Note: {note}.", highlight=False, soft_wrap=True)
    for finding in found.findings:
        console.print(f"[bold red]{finding.place}[/bold red]: {finding.what}", highlight=False, soft_wrap=True)
    if found.is_sound:
        console.print(f"[green]Everything is what it was.[/green] App hash {found.app_hash}", highlight=False)
    else:
        console.print(f"[bold red]{len(found.findings)} found.[/bold red]", highlight=False)
