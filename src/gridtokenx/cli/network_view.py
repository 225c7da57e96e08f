"""How a network looks in a terminal."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gridtokenx.cli.up import SECONDS_VARIABLE

if TYPE_CHECKING:
    from gridtokenx.operations.network.runner import Network

LOOK_SECONDS = 1.0
LINE_SECONDS = 5.0
NEWS_LINES = 6
HASH_CHARACTERS = 12

LEASE = {True: "holds it", False: "waits", None: ""}
"""Of nodes that share a signer: which one is served now."""

COLOURS = {"running": "green", "paused": "yellow", "stopped": "red"}


def status_table(nodes: Sequence[dict[str, Any]], width: int = 120) -> Table:
    """A row for each node."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("node", "kind", "state", "block", "app hash", "peers", "round", "waiting"):
        table.add_column(name, justify="right" if name in {"block", "peers", "round", "waiting"} else "left")
    has_lease = any(node["lease"] is not None for node in nodes)
    if has_lease:
        table.add_column("lease")
    if width >= 100:
        table.add_column("gateway")
    for node in nodes:
        state = node["state"] if not node["catching_up"] else "catching up"
        cells = [
            f"{node['number']}",
            node["kind"],
            Text(state, COLOURS.get(node["state"], "default")),
            _number(node["height"]),
            (node["app_hash"] or "")[:HASH_CHARACTERS],
            _number(node["peers"]),
            _number(node["round"]),
            _number(node["pending"]),
            *([LEASE[node["lease"]]] if has_lease else []),
        ]
        table.add_row(*cells, *([node["gateway"] or ""] if width >= 100 else []))
    return table


def links_table(links: Sequence[dict[str, Any]]) -> Table:
    """A row for each direction of each link."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in (
        ("from", "right"),
        ("to", "right"),
        ("state", "left"),
        ("delay ms", "right"),
        ("bytes", "right"),
    ):
        table.add_column(name, justify="right" if side == "right" else "left")
    for link in links:
        one, other = link["nodes"]
        for at, (sender, receiver) in enumerate(((one, other), (other, one))):
            row = (sender, receiver, link["flows"][at], link["delay_ms"][at], f"{link['bytes'][at]:,}")
            table.add_row(*map(str, row))
    return table


async def watch(network: "Network", console: Console) -> None:
    """Run a network until it is told to stop, and show how it is: a table that stays on a terminal, else lines."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, network.stop)
    if (seconds := os.environ.get(SECONDS_VARIABLE)) is not None:
        loop.call_later(float(seconds), network.stop)
    news: list[str] = []
    running = asyncio.create_task(network.run(news.append if console.is_terminal else _printing(console)))
    console.print(f"{network.plan.nodes} nodes in {network.folder.path}, Ctrl-C stops them.", highlight=False)
    showing = asyncio.create_task(_show(network, console, news))
    await running
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)


async def _show(network: "Network", console: Console, news: list[str]) -> None:
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            console.print(_line(await network.answer({"do": "status"})), highlight=False, soft_wrap=True)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_frame(await network.answer({"do": "status"}), news, console.width), refresh=True)
            await asyncio.sleep(LOOK_SECONDS)


def _frame(answer: dict[str, Any], news: list[str], width: int) -> RenderableType:
    parts: list[RenderableType] = [status_table(answer["nodes"], width)]
    parts += [Text(sentence, "red") for sentence in answer["disagreements"]]
    parts += [Text(sentence, "grey50") for sentence in news[-NEWS_LINES:]]
    return Group(*parts)


def _line(answer: dict[str, Any]) -> str:
    heights = [node["height"] for node in answer["nodes"] if node["height"] is not None]
    running = sum(node["state"] == "running" for node in answer["nodes"])
    blocks = f"block {max(heights):,}" + (f" (one at {min(heights):,})" if min(heights) < max(heights) else "")
    told = "; ".join(answer["disagreements"])
    place = time.strftime("%H:%M:%S")
    return f"{place}  {running} of {len(answer['nodes'])} nodes run, {blocks if heights else 'no block yet'}  {told}"


def _printing(console: Console) -> Any:
    return lambda sentence: console.print(sentence, highlight=False, soft_wrap=True)


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
