"""The `gridtokenx` command. Each group of commands has a file of its own; this one puts them together."""

from typing import Annotated

import typer

import gridtokenx
from gridtokenx.cli import (
    agent,
    audit,
    authority,
    consortium,
    keys,
    light,
    maker,
    market,
    network,
    node,
    portfolio,
    query,
    scenario,
    signer,
    snapshot,
    tx,
    up,
)
from gridtokenx.cli.bench import bench
from gridtokenx.cli.export import export
from gridtokenx.cli.league import forecasts, league
from gridtokenx.cli.options import DEFAULT_DATA, DEFAULT_PORT, Data, Port
from gridtokenx.cli.simulate import simulate
from gridtokenx.cli.top import top
from gridtokenx.cli.verify import verify

app = typer.Typer(
    name="gridtokenx",
    help="A peer-to-peer energy market on its own ledger.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gridtokenx {gridtokenx.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """A peer-to-peer energy market on its own ledger."""


@app.command()
def doctor(data: Data = DEFAULT_DATA, port: Port = DEFAULT_PORT) -> None:
    """Look at what the market needs from this machine, and say what to do where it lacks."""
    from gridtokenx.cli.doctor import doctor as examine

    raise typer.Exit(examine(data, [port]))


app.command()(up.up)
app.command()(up.down)
app.command()(up.reset)
app.command()(top)
app.command()(simulate)
app.command()(league)
app.command()(forecasts)
app.command()(bench)
app.command()(verify)
app.command()(export)
app.add_typer(scenario.app, name="scenario")
app.add_typer(network.app, name="network")
app.add_typer(node.app, name="node")
app.add_typer(signer.app, name="signer")
app.add_typer(consortium.app, name="consortium")
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(keys.app, name="keys")
app.add_typer(tx.app, name="tx")
app.add_typer(portfolio.app, name="portfolio")
app.add_typer(market.app, name="market")
app.add_typer(maker.app, name="maker")
app.add_typer(agent.app, name="agent")
app.add_typer(query.app, name="query")
app.add_typer(light.app, name="light")
app.add_typer(authority.app, name="authority")
app.add_typer(audit.app, name="audit")
