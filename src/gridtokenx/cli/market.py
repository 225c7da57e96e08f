"""`gridtokenx market`: what the market's operator says of trade."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import failures
from gridtokenx.cli.sending import Sending, signs

if TYPE_CHECKING:
    from gridtokenx.client.client import Client

app = typer.Typer(help="Halt trade and let it go on, as the market's operator.", no_args_is_help=True)


class ReasonName(StrEnum):
    """Why trade is halted, under the names of the ledger's `HaltReason`."""

    GRID_EMERGENCY = "grid-emergency"
    DOUBTFUL_PRICES = "doubtful-prices"
    TECHNICAL_FAULT = "technical-fault"
    SUSPECTED_ABUSE = "suspected-abuse"
    EXERCISE = "exercise"


Interval = Annotated[
    str | None,
    typer.Option(help="Of one delivery interval (14:30, 2026-06-01 14:30, or its number) instead of all."),
]
Zone = Annotated[int | None, typer.Option(min=1, max=255, help="In one zone instead of all.")]


@app.command()
@signs
def halt(
    sending: Sending,
    reason: Annotated[ReasonName, typer.Option(help="Why; everybody sees it.")],
    interval: Interval = None,
    zone: Zone = None,
    until: Annotated[str | None, typer.Option(help="Until when, in Bangkok time; else until it is resumed.")] = None,
) -> None:
    """Halt trade. Orders are taken, changed and cancelled as ever; what has collected meets in a call at the end."""
    from gridtokenx.cli.values import moment_ms
    from gridtokenx.modules.market.messages import Halt, HaltReason

    with failures(), sending.client() as client:
        until_ms = 0 if until is None else moment_ms(until, client.status().time_ms)
        message = Halt(_number(client, interval), zone or 0, until_ms, int(HaltReason[reason.name]))
        sending.send(client, message, lambda view: {"halted": _place(interval, zone)})


@app.command()
@signs
def resume(sending: Sending, interval: Interval = None, zone: Zone = None) -> None:
    """Let trade go on that was halted, named as the halt names it: by the operator or by a price band."""
    from gridtokenx.modules.market.messages import Resume

    with failures(), sending.client() as client:
        message = Resume(_number(client, interval), zone or 0)
        sending.send(client, message, lambda view: {"goes on": _place(interval, zone)})


def _number(client: "Client", interval: str | None) -> int:
    from gridtokenx.cli.values import interval_number, is_number

    if interval is None:
        return 0
    return interval_number(interval, 0 if is_number(interval) else client.status().time_ms)


def _place(interval: str | None, zone: int | None) -> str:
    """In words."""
    when = "all intervals" if interval is None else f"interval {interval}"
    return f"{when} in {'all zones' if zone is None else f'zone {zone}'}"
