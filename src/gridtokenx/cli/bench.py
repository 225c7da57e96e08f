"""`gridtokenx bench NAME`: figures, with the JSON object that tools read as the last line."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from gridtokenx.bench.report import finish
from gridtokenx.engine.comet.binary import CometMissing
from gridtokenx.operations.network.plan import DELAY_MS_MAX, NODES_MAX


class Benchmark(StrEnum):
    """Each is a module of `gridtokenx.bench`, of the same name with `_` for `-`, with a function `run(quick)`."""

    LEDGER = "ledger"
    BOOK = "book"
    COUPLED_BOOK = "coupled-book"
    AUCTION = "auction"
    TREE = "tree"
    SIMULATE = "simulate"
    RESTART = "restart"
    SNAPSHOTS = "snapshots"
    VERIFY = "verify"
    GATEWAY = "gateway"
    PAGE = "page"
    CONSENSUS = "consensus"
    JOIN = "join"
    SIGNER = "signer"
    HISTORY = "history"
    FAILOVER = "failover"
    MEMBERSHIP = "membership"
    BLOCK_ORDER = "block-order"
    ALL = "all"


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    quick: Annotated[bool, typer.Option("--quick", help="Under 50 seconds, with smaller numbers.")] = False,
    validators: Annotated[
        str,
        typer.Option("--validators", metavar="N[,N...]", help="consensus: how many; several numbers make a table."),
    ] = "1",
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=2, max=300, help="consensus: of full load (60; 15 with --quick).")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="consensus: blocks of half a second.")] = False,
    delay_ms: Annotated[
        int, typer.Option("--delay-ms", min=0, max=DELAY_MS_MAX, help="consensus: delay of each link, each way.")
    ] = 0,
    drills: Annotated[
        int | None, typer.Option("--drills", min=1, max=10_000, help="failover: how many (100; 3 with --quick).")
    ] = None,
) -> None:
    """Measure. Figures of machines that do other things at the same time are worth little: compare ratios."""
    numbers = parse_validators(validators)
    names = [one for one in Benchmark if one is not Benchmark.ALL] if name is Benchmark.ALL else [name]
    for one in names:
        typer.echo(f"{one.value}{' (quick)' if quick else ''}")
        module = import_module(f"gridtokenx.bench.{one.value.replace('-', '_')}")
        try:
            if one is Benchmark.CONSENSUS:
                finish(module.run(quick, numbers, seconds, fast=fast, delay_ms=delay_ms))
            elif one is Benchmark.FAILOVER:
                finish(module.run(quick, drills))
            else:
                finish(module.run(quick))
        except CometMissing as error:
            typer.echo(f"not measured: {error}", err=True)
            if name is one:
                raise typer.Exit(1) from None


def parse_validators(text: str) -> list[int]:
    """`1,4,7` as numbers; `typer.BadParameter` unless each can be a network on one machine."""
    parts = text.split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= NODES_MAX for part in parts):
        raise typer.BadParameter(f"'{text}': give numbers from 1 to {NODES_MAX}, with commas between them")
    return [int(part) for part in parts]
