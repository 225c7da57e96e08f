"""`gridtokenx network`: many nodes on this machine, one market, and the faults that networks have."""

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from gridtokenx.cli.console import err, folder_failures, out, print_json, refuse
from gridtokenx.cli.consortium import consortium_failures, find_consortium, split_names
from gridtokenx.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridtokenx.operations.network.folder import NetworkFolder
    from gridtokenx.operations.network.plan import NetworkPlan

DEFAULT_NETWORK = Path("network")
DEFAULT_SCENARIO = "community-week"
DEFAULT_VALIDATORS = 4
START_SECONDS_MAX = 60.0
DOWN_SECONDS_MAX = 60.0
POLL_SECONDS = 0.25

WIDTH_OF_A_FILE = 120
"""Where output goes that is no terminal."""

FIXED = {
    "validators": "--validators",
    "observers": "--observers",
    "archives": "--archives",
    "gateway_nodes": "--gateway-nodes",
    "rpcs": "--rpcs",
    "boots": "--boots",
    "backups": "--backups",
    "backed": "--backed",
    "blocks": "--fast",
    "market": "--bare",
}
"""What cannot change once a network has begun, and the option that says it."""

WITH_A_CONSORTIUM = frozenset(
    {"links", "blocks", "direct", "delay_ms", "gateways", "workers", "processors", "snapshot_blocks"}
    | {"observers", "archives", "rpcs", "boots"}
)
"""What may be said of a network whose validators are the members' nodes. Other nodes that sign batches need a licence,
which members vote on when it runs."""

app = typer.Typer(help="Run many nodes on this machine, and see what faults do to them.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--data", help="Folder of the network; nothing is written outside it.")]
NodeNumber = Annotated[int, typer.Argument(min=1, help="Number of the node.", metavar="N")]
ProcessName = Annotated[str, typer.Argument(help="Number of the node; or `signer`, which backups share.", metavar="N")]


@app.command()
def up(
    validators: Annotated[int | None, typer.Option(min=1, help="Nodes that vote (4).")] = None,
    observers: Annotated[int | None, typer.Option(min=0, help="Nodes that only follow (0).")] = None,
    archives: Annotated[int | None, typer.Option(min=0, help="Nodes that keep all history (0).")] = None,
    gateway_nodes: Annotated[int | None, typer.Option(min=0, help="Nodes for the public, without a vote (0).")] = None,
    rpcs: Annotated[int | None, typer.Option(min=0, help="Nodes that answer and take nothing in (0).")] = None,
    boots: Annotated[
        int | None, typer.Option(min=0, help="Nodes that only tell others of each other; --direct (0).")
    ] = None,
    backups: Annotated[
        int | None, typer.Option(min=0, help="Nodes that stand in for one validator, whose key a signer has (0).")
    ] = None,
    backed: Annotated[int | None, typer.Option(min=1, help="The validator that the backups stand in for (1).")] = None,
    scenario: Annotated[
        str | None, typer.Option(help=f"Name or folder of the market's scenario ({DEFAULT_SCENARIO}).")
    ] = None,
    consortium: Annotated[
        str | None,
        typer.Option(help="Begin with the ceremony of a consortium: `thailand`, or a folder that `example` made."),
    ] = None,
    members: Annotated[str, typer.Option(help="Only these of a shipped consortium: egat,mea,pea,erc.")] = "",
    data: Folder = DEFAULT_NETWORK,
    fast: Annotated[bool | None, typer.Option("--fast", help="A block each half second, not each second.")] = None,
    quic: Annotated[bool | None, typer.Option("--quic/--tcp", help="QUIC links between the nodes, not TCP.")] = None,
    direct: Annotated[
        bool | None, typer.Option("--direct/--proxied", help="Nodes talk without the proxy: faster, but no faults.")
    ] = None,
    delay_ms: Annotated[int | None, typer.Option("--delay-ms", min=0, help="Added to each link, each way (0).")] = None,
    gateways: Annotated[
        int | None, typer.Option(min=0, help="Validators and observers with one (all; of many, four).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes a node that check signatures (1).")] = None,
    processors: Annotated[int | None, typer.Option(min=0, help="Threads of each CometBFT (0: all).")] = None,
    snapshot_blocks: Annotated[
        int | None, typer.Option(min=0, help="Blocks between snapshots, from which nodes join (1000; 0: none).")
    ] = None,
    bare: Annotated[bool | None, typer.Option("--bare", help="Consensus alone, without a market.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")] = False,
) -> None:
    """Start a network, or go on with the one in the folder. Ctrl-C stops it; nothing is lost."""
    from gridtokenx.operations.network.folder import NetworkFolder

    given: dict[str, Any] = {
        "validators": validators,
        "observers": observers,
        "archives": archives,
        "gateway_nodes": gateway_nodes,
        "rpcs": rpcs,
        "boots": boots,
        "backups": backups,
        "backed": backed,
        "links": None if quic is None else ("quic" if quic else "tcp"),
        "blocks": None if fast is None else "fast",
        "market": None if bare is None else False,
        "direct": direct,
        "delay_ms": delay_ms,
        "gateways": gateways,
        "workers": workers,
        "processors": processors,
        "snapshot_blocks": snapshot_blocks,
    }
    folder = NetworkFolder(data)
    wanted = {name: value for name, value in given.items() if value is not None}
    if consortium is None:
        if members:
            refuse("only a consortium has members", "Name it with --consortium, or leave out --members.", code=2)
        _make_ready(folder, wanted, scenario)
    else:
        _hold_ceremony(folder, wanted, scenario, consortium, split_names(members))
    if detach:
        _leave_running(folder)
        status(data)
        return
    _run_here(folder)
    out.print(
        f"Stopped. The network is kept in {data}; `gridtokenx network up` goes on with it.",
        highlight=False,
        soft_wrap=True,
    )


def _make_ready(folder: "NetworkFolder", given: dict[str, Any], scenario: str | None) -> None:
    """Found the network, or change what may change of the one that is there."""
    import msgspec

    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.operations.network.founding import found_network
    from gridtokenx.operations.network.plan import NetworkPlan, read_plan, write_plan

    with folder_failures(), _plan_failures():
        if not folder.plan.exists():
            plan = NetworkPlan(**({"validators": DEFAULT_VALIDATORS} | given))
            if scenario is not None and not plan.market:
                refuse("consensus alone has no scenario", "Leave out --bare or --scenario.", code=2)
            place = find_scenario(scenario or DEFAULT_SCENARIO) if plan.market else None
            with out.status(f"making {plan.nodes} nodes"):
                found_network(folder.path, plan, place)
            return
        plan = read_plan(folder.plan)
        _refuse_changes(plan, given, folder.path)
        if scenario is not None:
            refuse(
                f"the market in {folder.path} has begun already",
                "Leave out --scenario, or name another folder with --data.",
                code=2,
            )
        write_plan(folder.plan, msgspec.structs.replace(plan, **given))


def _hold_ceremony(
    folder: "NetworkFolder", given: dict[str, Any], scenario: str | None, consortium: str, members: list[str]
) -> None:
    """Found a network of a consortium's members: as their folders are, or played from an example that begins now."""
    from tempfile import TemporaryDirectory

    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.ledger.quantities import INTERVAL_MS
    from gridtokenx.operations.consortium.example import files_in, play
    from gridtokenx.operations.consortium.terms import FILE, parse_terms, read_terms
    from gridtokenx.operations.network.founding import found_network
    from gridtokenx.operations.network.plan import NetworkPlan

    if unfit := sorted(set(given) - WITH_A_CONSORTIUM):
        option = "bare" if unfit[0] == "market" else unfit[0].replace("_", "-")
        refuse("a consortium's members are its validators, and they run a market", f"Leave out --{option}.", code=2)
    with folder_failures(), _plan_failures(), consortium_failures(), TemporaryDirectory() as temporary:
        if folder.plan.exists():
            raise FolderUnusable(
                f"there is a network in {folder.path} already: leave out --consortium to go on with it"
            )
        place = Path(consortium)
        if not files_in(place):
            source, place = find_consortium(consortium), Path(temporary) / "consortium"
            begins_ms = time.time_ns() // 1_000_000 // INTERVAL_MS * INTERVAL_MS
            changes = {"begins": datetime.fromtimestamp(begins_ms // 1_000, UTC)}
            changes |= {name: given[name] for name in ("blocks", "links") if name in given}
            play(source, place, f"gridtokenx-{source.name}", members, changes)
        elif members:
            refuse(f"the members in {place} have begun to sign", "Leave out --members.", code=2)
        terms = parse_terms(read_terms(place / FILE))
        for name, said in (("blocks", terms.blocks), ("links", terms.links)):
            if given.get(name, said) != said:
                refuse(
                    f"the terms in {place} have {name} = {said}", "Leave the option out, or change the terms.", code=2
                )
        plan = NetworkPlan(len(files_in(place)), **(given | {"blocks": terms.blocks, "links": terms.links}))
        with out.status(f"the ceremony of {plan.validators} organisations"):
            found_network(folder.path, plan, find_scenario(scenario or terms.scenario), place)


def _refuse_changes(plan: "NetworkPlan", given: dict[str, Any], path: Path) -> None:
    for name, option in FIXED.items():
        if name in given and given[name] != getattr(plan, name):
            refuse(
                f"the network in {path} was made with {name} = {getattr(plan, name)}",
                f"Leave out {option}, or name another folder with --data.",
                code=2,
            )


def _run_here(folder: "NetworkFolder") -> None:
    from gridtokenx.cli.network_view import watch
    from gridtokenx.operations.network.ports import PortsTaken
    from gridtokenx.operations.network.runner import Network

    async def run() -> None:
        await watch(Network(folder), out)

    with folder_failures():
        try:
            asyncio.run(run())
        except PortsTaken as error:
            refuse(str(error), code=2)


def _leave_running(folder: "NetworkFolder") -> None:
    from gridtokenx.engine.control import NobodyThere, ask

    folder.logs.mkdir(mode=0o700, exist_ok=True)
    log = folder.log("network")
    command = [sys.executable, "-m", "gridtokenx.operations.network.runner", "--data", str(folder.path.resolve())]
    with log.open("ab") as stream:
        began = stream.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    ends_s = time.monotonic() + START_SECONDS_MAX
    nodes: list[dict[str, Any]] = []
    with out.status("starting"):
        while time.monotonic() < ends_s:
            if process.poll() is not None:
                said = log.read_bytes()[began:].decode(errors="replace").strip()
                refuse(said or f"the network ended with status {process.returncode}", f"See {log}.", code=2)
            with suppress(NobodyThere):
                nodes = ask(folder.control, {"do": "status"})["nodes"]
            if nodes and all(node["height"] for node in nodes if node["kind"] != "boot"):
                return
            time.sleep(POLL_SECONDS)
    if not nodes:
        refuse(f"the network did not answer within {START_SECONDS_MAX:g} s", f"See {log}.", code=2)
    err.print("Not every node has a block yet; `gridtokenx network logs N` says why.", highlight=False, soft_wrap=True)


@app.command()
def status(data: Folder = DEFAULT_NETWORK, as_json: AsJson = False) -> None:
    """Show every node: state, block, app hash, peers, round, waiting transactions, gateway."""
    answer = _ask(data, {"do": "status"})
    if as_json:
        print_json(answer)
    else:
        from gridtokenx.cli.network_view import status_table

        wide = out if out.is_terminal else Console(width=WIDTH_OF_A_FILE)
        wide.print(status_table(answer["nodes"], wide.width))
    for sentence in answer["disagreements"]:
        err.print(sentence, style="red", highlight=False, soft_wrap=True)
    if answer["disagreements"]:
        raise typer.Exit(1)


@app.command()
def logs(
    node: NodeNumber,
    data: Folder = DEFAULT_NETWORK,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 40,
    consensus: Annotated[bool, typer.Option("--consensus", help="CometBFT's log, not the node's.")] = False,
) -> None:
    """Show what a node has written last."""
    from gridtokenx.operations.network.bare import LOG
    from gridtokenx.operations.network.programs import node_name

    folder = _folder(data)
    file = folder.node(node).path / LOG if consensus else folder.log(node_name(node))
    if not file.exists():
        refuse(f"there is no {file}: has node {node} run yet?", "`gridtokenx network status` shows the nodes.")
    for line in file.read_text(errors="replace").splitlines()[-lines:]:
        typer.echo(line)


@app.command()
def kill(node: ProcessName, data: Folder = DEFAULT_NETWORK) -> None:
    """End a node as a power cut would. It stays off until `restart`."""
    _do_to("kill", node, data, f"is off; `gridtokenx network restart {node}` starts it.")


@app.command()
def pause(node: ProcessName, data: Folder = DEFAULT_NETWORK) -> None:
    """Let a node hang, as an overloaded machine does, until `resume`."""
    _do_to("pause", node, data, f"hangs; `gridtokenx network resume {node}` lets it go on.")


@app.command()
def resume(node: ProcessName, data: Folder = DEFAULT_NETWORK) -> None:
    """Let a paused node go on."""
    _do_to("resume", node, data, "goes on.")


@app.command()
def restart(node: ProcessName, data: Folder = DEFAULT_NETWORK) -> None:
    """Start a node again: one that runs is ended cleanly first."""
    _do_to("restart", node, data, "starts.")


@app.command()
def join(data: Folder = DEFAULT_NETWORK) -> None:
    """Add a node that follows: it takes the state from a snapshot of another, or block after block without one."""
    answer = _ask(data, {"do": "join"})
    height = answer["trusted_height"]
    how = f"from the snapshot of block {height:,}" if height else "block after block, as there is no snapshot yet"
    out.print(
        f"Node {answer['node']} joins, {how}; `gridtokenx network status` shows how far it is.",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def partition(
    groups: Annotated[str, typer.Argument(help="Nodes that still reach each other: 1,2/3,4 or 1-3/4.")],
    data: Folder = DEFAULT_NETWORK,
    silent: Annotated[
        bool, typer.Option("--silent", help="Links swallow everything instead of breaking: nobody is told.")
    ] = False,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Only what earlier groups say to later ones is lost, silently.")
    ] = False,
) -> None:
    """Cut the links between groups of nodes. Nodes that are not named are one more group."""
    from gridtokenx.operations.network.plan import parse_groups

    with _plan_failures():
        named = parse_groups(groups)
    # A connection cannot have half of it cut, only silenced.
    flow = "silent" if silent or one_way else "cut"
    _ask_proxy(data, {"do": "partition", "groups": named, "flow": flow, "one_way": one_way})
    out.print("Cut; `gridtokenx network heal` mends it.", highlight=False, soft_wrap=True)


@app.command()
def heal(data: Folder = DEFAULT_NETWORK) -> None:
    """Mend all links."""
    _ask_proxy(data, {"do": "heal"})
    out.print("All links are open.", highlight=False, soft_wrap=True)


@app.command()
def delay(
    delay_ms: Annotated[int, typer.Argument(min=0, max=10_000, metavar="MS", help="Milliseconds, each way.")],
    data: Folder = DEFAULT_NETWORK,
) -> None:
    """Slow all links down, as distance does; 0 ends it."""
    _ask_proxy(data, {"do": "delay", "delay_ms": delay_ms})
    out.print(f"Every link takes {delay_ms} ms longer, each way.", highlight=False, soft_wrap=True)


@app.command()
def links(data: Folder = DEFAULT_NETWORK, as_json: AsJson = False) -> None:
    """Show what each link has carried."""
    answer = _ask_proxy(data, {"do": "links"})
    if as_json:
        print_json(answer)
        return
    from gridtokenx.cli.network_view import links_table

    out.print(links_table(answer["links"]))


@app.command()
def down(data: Folder = DEFAULT_NETWORK) -> None:
    """Stop a network that runs in the background, cleanly."""
    from gridtokenx.engine.control import NobodyThere, ask
    from gridtokenx.engine.folder import DataFolder, FolderLock, FolderUnusable

    folder = _folder(data)
    try:
        ask(folder.control, {"do": "down"})
    except NobodyThere:
        out.print(f"No network is running in {data}.", highlight=False, soft_wrap=True)
        return
    ends_s = time.monotonic() + DOWN_SECONDS_MAX
    while time.monotonic() < ends_s:
        try:
            FolderLock(DataFolder(folder.path)).release()
        except FolderUnusable:
            time.sleep(POLL_SECONDS)
        else:
            out.print(f"Stopped. The network is kept in {data}.", highlight=False, soft_wrap=True)
            return
    refuse(f"the network has not stopped within {DOWN_SECONDS_MAX:g} s", f"Look into {folder.logs}.", code=2)


def _folder(data: Path) -> "NetworkFolder":
    from gridtokenx.operations.network.folder import NetworkFolder

    folder = NetworkFolder(data)
    if not folder.plan.exists():
        refuse(f"there is no network in {data}", "`gridtokenx network up` makes one; --data names another.", code=2)
    return folder


def _do_to(deed: str, name: str, data: Path, done: str) -> None:
    _ask(data, {"do": deed, "node": int(name) if name.isdecimal() else name})
    who = f"Node {name}" if name.isdecimal() else f"The {name}"
    out.print(f"{who} {done}", highlight=False, soft_wrap=True)


def _ask(data: Path, question: dict[str, Any]) -> dict[str, Any]:
    from gridtokenx.engine.control import NobodyThere, Refused, ask

    folder = _folder(data)
    try:
        return ask(folder.control, question)
    except NobodyThere:
        _not_running(data)
    except Refused as error:
        refuse(str(error))


def _ask_proxy(data: Path, question: dict[str, Any]) -> dict[str, Any]:
    from gridtokenx.engine.control import NobodyThere, Refused, ask
    from gridtokenx.operations.network.plan import read_plan
    from gridtokenx.operations.network.proxy import control_socket

    folder = _folder(data)
    with folder_failures():
        if read_plan(folder.plan).direct:
            refuse("these nodes talk directly", "Stop the network and start it with `--proxied` to have its links cut.")
    try:
        return ask(control_socket(folder.path), question)
    except NobodyThere:
        _not_running(data)
    except Refused as error:
        refuse(str(error))


def _not_running(data: Path) -> NoReturn:
    refuse(f"the network in {data} does not run", f"`gridtokenx network up --data {data}` starts it.", code=2)


@contextmanager
def _plan_failures() -> "Iterator[None]":
    """A plan or groups that cannot be."""
    try:
        yield
    except ValueError as error:
        refuse(str(error), "`--help` says what can be given.", code=2)
