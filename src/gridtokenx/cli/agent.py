"""`gridtokenx agent`: standing instructions, followed by a process of one's own, with one's own keys."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import open_client, open_wallet
from gridtokenx.cli.console import failures, print_facts, print_json, say
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url
from gridtokenx.cli.tx import only_portfolio

if TYPE_CHECKING:
    from gridtokenx.client.standing.agent import StandingAgent

app = typer.Typer(help="Follow standing instructions: sell what the roof has left, buy cheap.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="TOML with [[sell]] and [[buy]] (docs/standing.md).")]
MemoryFolder = Annotated[
    Path | None, typer.Option("--memory", help="Where it writes down what it does; FILE.memory unless told.")
]


@app.command()
def run(
    file: File,
    key: KeyNames,
    once: Annotated[bool, typer.Option("--once", help="One round, then end: for timers.")] = False,
    memory: MemoryFolder = None,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Do what the instructions say, until it is stopped. It may be killed at any moment: nothing is placed twice."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with failures(), _agent(file, key, _memory_of(file, memory), keys, passphrase_file, account, url) as agent:
        say(f"follows {len(agent.instructions)} instructions, memory in {agent.memory.folder}")
        if once:
            agent.round()
        else:
            agent.run(stop.wait)


@app.command()
def plan(
    file: File,
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Which orders the instructions ask for now, if nothing had been placed for them before. Places nothing."""
    from tempfile import TemporaryDirectory

    from gridtokenx.cli.values import delivery, kilowatt_hours, watt

    with TemporaryDirectory() as folder, failures():
        with _agent(file, key, Path(folder), keys, passphrase_file, account, url) as agent:
            wishes = agent.wishes(agent.client.status())
        lines = [
            {
                "instruction": wish.instruction,
                "side": "sell" if wish.order.side else "buy",
                "delivery": delivery(wish.order.interval),
                "kwh": kilowatt_hours(wish.order.quantity_wh),
                "price": watt(wish.order.price_micro),
            }
            for wish in wishes
        ]
    if as_json:
        print_json(lines)
        return
    for line in lines:
        say("{delivery}  {side} {kwh} kWh at {price}  ({instruction})".format(**line))
    if not lines:
        say("nothing: too little is known or left, or it is placed already")


@app.command()
def status(file: File, memory: MemoryFolder = None, as_json: AsJson = False) -> None:
    """What the agent did, from what it wrote down; no key and no market is asked."""
    from gridtokenx.cli.agent_file import read_instructions
    from gridtokenx.cli.values import bangkok, kilowatt_hours
    from gridtokenx.client.standing.memory import last_look, read_journal
    from gridtokenx.client.standing.summary import summarise

    instructions, _ = read_instructions(file)
    folder = _memory_of(file, memory)
    with failures():
        lines = summarise([one.name for one in instructions], read_journal(folder))
        looked_ms = last_look(folder)
    if as_json:
        print_json({"looked_ms": looked_ms, "instructions": lines})
        return
    print_facts({"last round": "never" if looked_ms is None else f"{bangkok(looked_ms)} in Bangkok"})
    for line in lines:
        print_facts(
            {
                line.name: f"{line.placed} orders placed for {kilowatt_hours(line.placed_wh)} kWh"
                f" ({kilowatt_hours(line.filled_wh)} kWh filled at once), {line.open} not known yet"
                + (f", last refusal {line.last_refusal}" if line.last_refusal else "")
            }
        )


@contextmanager
def _agent(
    file: Path,
    key: list[str],
    memory: Path,
    keys: Path,
    passphrase_file: Path | None,
    account: str | None,
    url: str,
) -> "Iterator[StandingAgent]":
    """The agent, with its client and its memory, for as long as the context lasts."""
    from gridtokenx.cli.agent_file import read_instructions
    from gridtokenx.client.standing.agent import StandingAgent
    from gridtokenx.client.standing.memory import Memory

    instructions, named = read_instructions(file)
    with open_client(url) as client:
        wallet = open_wallet(keys, key, passphrase_file, account)
        with Memory(memory) as kept:
            yield StandingAgent(client, wallet, only_portfolio(client, wallet, named), instructions, kept, say)


def _memory_of(file: Path, memory: Path | None) -> Path:
    return memory or file.with_suffix(".memory")
