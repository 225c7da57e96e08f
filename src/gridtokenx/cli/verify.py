"""`gridtokenx verify`: replay the chain, and compare everything that is stored."""

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from gridtokenx.cli.console import err, folder_failures, out, print_json
from gridtokenx.cli.options import CHAIN, DEFAULT_DATA, NO_MARKET_ADVICE, AsJson, Data

if TYPE_CHECKING:
    from gridtokenx.operations.verify import Verification


def verify(
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that check signatures.")] = min(
        os.cpu_count() or 1, 8
    ),
) -> None:
    """Replay the chain from its genesis; check every hash, signature, record and invariant.

    Ends with 1 and the exact place if anything is not what it was.
    """
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.operations.verify import verify_folder

    with folder_failures(NO_MARKET_ADVICE), _Bar(err) as bar:
        found = verify_folder(DataFolder(data), CHAIN, workers, bar.progress)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
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


def _print(found: "Verification") -> None:
    rate = found.transactions / found.seconds if found.seconds else 0
    out.print(
        f"{found.chain or 'the chain'}: {found.blocks:,} blocks to height {found.height:,}, "
        f"{found.transactions:,} transactions, {found.signatures:,} signatures, {found.records:,} records, "
        f"{found.journal_entries:,} journal entries in {found.seconds:.1f} s ({rate:,.0f} transactions/s).",
        highlight=False,
        soft_wrap=True,
    )
    for note in found.notes:
        out.print(f"Note: {note}.", markup=False, highlight=False, soft_wrap=True)
    for finding in found.findings:
        out.print(Text.assemble((finding.place, "bold red"), f": {finding.what}"), soft_wrap=True)
    if found.is_sound:
        out.print(f"[green]Everything is what it was.[/green] App hash {found.app_hash}", highlight=False)
    else:
        out.print(f"[bold red]{len(found.findings)} found.[/bold red]", highlight=False)
