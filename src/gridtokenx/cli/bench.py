"""`gridtokenx bench NAME`: figures, with the JSON object that tools read as the last line."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from gridtokenx.bench.report import finish


class Benchmark(StrEnum):
    """Each is a module of `gridtokenx.bench` with a function `run(quick)`."""

    LEDGER = "ledger"
    BOOK = "book"
    TREE = "tree"
    SIMULATE = "simulate"
    RESTART = "restart"
    VERIFY = "verify"
    GATEWAY = "gateway"
    PAGE = "page"
    ALL = "all"


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    quick: Annotated[bool, typer.Option("--quick", help="Under 50 seconds, with smaller numbers.")] = False,
) -> None:
    """Measure. Figures of machines that do other things at the same time are worth little: compare ratios."""
    names = [one for one in Benchmark if one is not Benchmark.ALL] if name is Benchmark.ALL else [name]
    for one in names:
        typer.echo(f"{one.value}{' (quick)' if quick else ''}")
        finish(import_module(f"gridtokenx.bench.{one.value}").run(quick))
