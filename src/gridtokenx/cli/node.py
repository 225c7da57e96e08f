"""`gridtokenx node`: one node of a network, on a machine of its own."""

import asyncio
import os
import re
import signal
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import folder_failures, out, print_facts, print_json, refuse, write_new
from gridtokenx.cli.options import DEFAULT_DATA, DEFAULT_PORT, AsJson, Data, Port
from gridtokenx.cli.up import SECONDS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gridtokenx.operations.network.card import NodeCard
    from gridtokenx.operations.network.join_file import JoinFile
    from gridtokenx.operations.network.kinds import NodeKind
    from gridtokenx.operations.supervisor import Supervisor

TEND_SECONDS = 0.25
LINE_SECONDS = 10.0
DEFAULT_SCENARIO = "community-week"

HASH_DIGITS = 64
KINDS_HELP = "What it does: validator, backup, observer, archive, gateway, rpc or boot."

app = typer.Typer(help="One node of a network of several machines.", no_args_is_help=True)

SignerKey = Annotated[
    str,
    typer.Option("--signer", help="Public key of the signer of its votes (`signer status`), or the signer's folder."),
]


@app.command()
def init(
    name: Annotated[str, typer.Option(help="Its name among the others: lower-case letters, digits, hyphens.")],
    address: Annotated[str, typer.Option(help="HOST:PORT at which the others reach it, such as 10.0.0.1:26656.")],
    data: Data = DEFAULT_DATA,
    kind: Annotated[str, typer.Option(help=KINDS_HELP)] = "validator",
    signer: SignerKey = "",
    as_json: AsJson = False,
) -> None:
    """Make a node's keys, and the card that goes to the others. The keys never leave the folder."""
    from gridtokenx.operations.network.node_folder import CARD, create_node

    with folder_failures(), node_failures():
        card = create_node(data, name, address, _kind(kind), signer_key=_key_of_signer(signer))
    _show(card, data / CARD, as_json=as_json)


@app.command()
def card(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show a node's card."""
    from gridtokenx.operations.network.card import read_card
    from gridtokenx.operations.network.node_folder import CARD

    with node_failures():
        _show(read_card(data / CARD), data / CARD, as_json=as_json)


@app.command()
def genesis(
    cards: Annotated[list[Path], typer.Argument(help="The cards of all nodes.", metavar="CARD...")],
    to: Annotated[Path, typer.Option("--to", help="File to be made: it goes to every node.")] = Path("network.zip"),
    sites: Annotated[
        Path | None, typer.Option(help="Folder to be made for the simulated sites, which one node plays.")
    ] = None,
    scenario: Annotated[str, typer.Option(help="Name or folder of the market's scenario.")] = DEFAULT_SCENARIO,
    fast: Annotated[bool, typer.Option("--fast", help="A block each half second, not each second.")] = False,
    quic: Annotated[bool, typer.Option("--quic", help="QUIC links (experimental), not TCP.")] = False,
) -> None:
    """Make a network of these nodes, with the market of a scenario that begins now."""
    from tempfile import TemporaryDirectory

    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.operations.network.bundle import Profile, bundle_bytes, make_bundle
    from gridtokenx.operations.network.card import check_cards, read_card
    from gridtokenx.simulation.market_folder import MarketFolder
    from gridtokenx.simulation.moved import first_state, move_scenario

    with folder_failures(), node_failures(), TemporaryDirectory() as temporary:
        for option, path in (("--sites", sites), ("--to", to)):
            if path is not None and path.exists():
                raise FolderUnusable(f"{path} exists already: choose another name for {option}")
        found = [read_card(file) for file in cards]
        check_cards(found)
        market = MarketFolder(sites if sites is not None else Path(temporary))
        market.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        moved = move_scenario(find_scenario(scenario), market.scenario, time.time_ns() // 1_000_000)
        profile = Profile("quic" if quic else "tcp", "fast" if fast else "normal")
        bundle, made = make_bundle(found, moved, profile)
        market.write_companions(made)
        market.save_driver_state(first_state(moved, made))
    content = bundle_bytes(bundle)
    write_new(to, content, 0o644)
    print_facts({"chain": made.chain, "nodes": len(found), "file": to, "SHA-256": sha256(content).hexdigest()})
    out.print(
        "Compare the SHA-256 on every machine, then: gridtokenx node start --network FILE",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def join(
    name: Annotated[str, typer.Option(help="Its name: lower-case letters, digits, hyphens.")],
    address: Annotated[str, typer.Option(help="HOST:PORT at which others may reach it.")],
    network: Annotated[Path, typer.Option(help="The network's file.")],
    gateways: Annotated[
        list[str], typer.Option("--gateway", help="URL of a gateway; two at least, of different owners.")
    ],
    data: Data = DEFAULT_DATA,
    trust: Annotated[
        str | None, typer.Option(help="HEIGHT:HASH of a block you believe in; else the gateways are believed.")
    ] = None,
    kind: Annotated[str, typer.Option(help="What it does: observer, archive, gateway, rpc or backup.")] = "observer",
    signer: SignerKey = "",
) -> None:
    """Make a node that follows a chain which others have run for long. It takes its state from a snapshot."""
    from gridtokenx.operations.network.bundle import read_bundle
    from gridtokenx.operations.network.join_file import write_join_file
    from gridtokenx.operations.network.node_folder import create_node, install_bundle

    with folder_failures(), node_failures():
        wanted_kind = _kind(kind)
        if wanted_kind.votes or not wanted_kind.follows:
            raise ValueError(
                f"a node that joins later cannot be a {wanted_kind}: give observer, archive, gateway, rpc or backup"
            )
        bundle, wanted = read_bundle(network), _join_by(gateways, trust)
        create_node(data, name, address, wanted_kind, signer_key=_key_of_signer(signer))
        install_bundle(data, bundle)
        write_join_file(data, wanted)
    _show_trust(wanted, trust)
    out.print(f"Then: gridtokenx node start --data {data}", highlight=False, soft_wrap=True)


@app.command()
def become(
    kind: Annotated[str, typer.Argument(help="observer, archive, gateway or rpc.")],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Make a node that is off one of another kind. Validators and boot nodes stay what they are.

    Who becomes an archive keeps every version of every record from its next start on. An archive that becomes something
    else forgets its history for good.
    """
    from gridtokenx.operations.network.node_folder import CARD, change_kind

    with folder_failures(), node_failures():
        card = change_kind(data, _kind(kind))
    _show(card, data / CARD, as_json=as_json)


@app.command()
def rejoin(
    data: Data = DEFAULT_DATA,
    gateways: Annotated[
        list[str],
        typer.Option(
            "--gateway", help="URL of a gateway, two at least: take the state from a snapshot, not from blocks."
        ),
    ] = [],  # noqa: B006 - typer copies it
    trust: Annotated[
        str | None, typer.Option(help="HEIGHT:HASH of a block you believe in; else the gateways are believed.")
    ] = None,
) -> None:
    """Forget the state of a node that is off: it takes it anew from the others at its next start.

    For a node that stopped because its state is not that of the others, and for one of which only card, keys and
    network.zip are left. Keys, what its validator signed last, and the batches that it promised to bring into a block
    stay.
    """
    from gridtokenx.operations.network.join_file import write_join_file
    from gridtokenx.operations.network.node_folder import forget_state

    with folder_failures(), node_failures():
        wanted = _join_by(gateways, trust) if gateways or trust else None
        forget_state(data)
        if wanted is not None:
            write_join_file(data, wanted)
    if wanted is not None:
        _show_trust(wanted, trust)
    out.print(f"Then: gridtokenx node start --data {data}", highlight=False, soft_wrap=True)


@app.command()
def start(
    data: Data = DEFAULT_DATA,
    network: Annotated[Path | None, typer.Option(help="The network's file, at the first start.")] = None,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT to listen on for the others; by default every interface, the card's port.")
    ] = "",
    peers: Annotated[
        list[str], typer.Option("--peer", help="NAME=HOST:PORT of a node that is not where its card says.")
    ] = [],  # noqa: B006 - typer copies it
    port: Port = DEFAULT_PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes that check signatures.")] = 1,
    sites: Annotated[Path | None, typer.Option(help="Folder of the simulated sites, if they play here.")] = None,
) -> None:
    """Run a node and its gateway. Ctrl-C stops them; nothing is lost."""
    from gridtokenx.operations.network.bundle import read_bundle
    from gridtokenx.operations.network.card import read_card
    from gridtokenx.operations.network.machine import Machine, machine_programs, prepare
    from gridtokenx.operations.network.node_folder import CARD, install_bundle
    from gridtokenx.operations.supervisor import Supervisor

    with folder_failures(), node_failures():
        machine = Machine(data, listen, port, workers, dict(_named(peer) for peer in peers), sites)
        if network is not None:
            install_bundle(data, read_bundle(network))
        prepare(machine)
        programs, kind = machine_programs(machine), read_card(data / CARD).kind
    supervisor = Supervisor(programs, data / "logs")
    served = f", its gateway at http://127.0.0.1:{port}" if kind.follows else ""
    out.print(f"{kind.capitalize()} in {data}{served}, Ctrl-C stops it.", highlight=False, soft_wrap=True)
    try:
        asyncio.run(_watch(supervisor, data, follows=kind.follows))
    finally:
        supervisor.stop()
    out.print("Stopped; `gridtokenx node start` goes on.", highlight=False, soft_wrap=True)


async def _watch(supervisor: "Supervisor", data: Path, *, follows: bool) -> None:
    """Keep the processes, and say from time to time where the node stands, if it `follows` a chain."""
    from gridtokenx.engine.comet.rpc import RpcFailed
    from gridtokenx.operations.network.consensus_view import look

    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    ends_s = time.monotonic() + float(os.environ.get(SECONDS_VARIABLE, "inf"))
    told_s = time.monotonic()
    while not stopping.is_set() and time.monotonic() < ends_s:
        for sentence in supervisor.tend():
            out.print(sentence, highlight=False, soft_wrap=True)
        if follows and time.monotonic() - told_s >= LINE_SECONDS:
            told_s = time.monotonic()
            try:
                view = await look(data / "run" / "rpc.sock")
            except RpcFailed as error:
                out.print(_waits_for(data) or f"waiting: {error}", markup=False, highlight=False, soft_wrap=True)
            else:
                doing = "  catching up" if view.catching_up else ""
                out.print(
                    f"block {view.height:,}  {view.peers} peers  round {view.round}{doing}",
                    highlight=False,
                    soft_wrap=True,
                )
        try:
            await asyncio.wait_for(stopping.wait(), TEND_SECONDS)
        except TimeoutError:
            continue


def _waits_for(data: Path) -> str:
    """What the node says that it waits for; empty if it says nothing."""
    from gridtokenx.engine.folder import DataFolder

    try:
        return DataFolder(data).waits.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _key_of_signer(text: str) -> bytes | None:
    """A public key, or that of the signer in a folder; None if nothing is given. Raises ValueError, FolderUnusable."""
    from gridtokenx.signer.folder import SignerFolder

    if not text:
        return None
    if re.fullmatch("[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    if not Path(text).is_dir():
        raise ValueError(
            f"'{text}' is no signer: give the 64 digits of its public key (`signer status`), or its folder"
        )
    return bytes.fromhex(SignerFolder(Path(text)).read().key.public_key)


def _join_by(gateways: list[str], trust: str | None) -> "JoinFile":
    """Whom to ask, and which block to believe in. Ends with 2 for too few, with 1 if they cannot be asked. Raises
    ValueError."""
    from gridtokenx.operations.network.join_file import JoinFile
    from gridtokenx.operations.network.joining import CannotJoin, find_trust

    if len(gateways) < 2:
        refuse("one gateway alone could show anything", "Give --gateway twice, of different owners.", code=2)
    try:
        return find_trust(gateways) if trust is None else JoinFile(tuple(gateways), *_trusted(trust))
    except CannotJoin as error:
        refuse(str(error), "Look at the addresses, or ask somebody you believe for --trust.")


def _show_trust(wanted: "JoinFile", given: str | None) -> None:
    print_facts({"trusted block": wanted.height, "its hash": wanted.block_hash})
    if given is None:
        out.print(
            "Compare the hash with somebody you believe: on it rests all that this node will have.", soft_wrap=True
        )


def _trusted(text: str) -> tuple[int, str]:
    """HEIGHT:HASH. Raises ValueError."""
    height, _, block_hash = text.partition(":")
    if not height.isdecimal() or int(height) < 1 or len(block_hash) != HASH_DIGITS:
        raise ValueError(f"'{text}' is no block: write HEIGHT:HASH, the hash in {HASH_DIGITS} hexadecimal digits")
    return int(height), bytes.fromhex(block_hash).hex()


def _kind(text: str) -> "NodeKind":
    """One of the kinds. Raises ValueError."""
    from gridtokenx.operations.network.kinds import NodeKind

    try:
        return NodeKind(text)
    except ValueError:
        raise ValueError(f"'{text}' is no kind of node: give one of {', '.join(NodeKind)}") from None


def _named(text: str) -> tuple[str, str]:
    """NAME=HOST:PORT. Raises ValueError."""
    from gridtokenx.operations.network.card import check_address

    name, equals, address = text.partition("=")
    if not equals:
        raise ValueError(f"'{text}' names no peer: write NAME=HOST:PORT")
    check_address(address)
    return name, address


def _show(card: "NodeCard", file: Path, *, as_json: bool) -> None:
    facts = {
        "name": card.name,
        "kind": card.kind,
        "votes": card.votes,
        "address": card.address,
        "node id": card.node_id.hex(),
        "batch key": card.batch_key,
        "validator key": card.validator_key,
        "link id": card.link_id,
        "peer id": card.peer().peer_id,
    }
    if as_json:
        print_json({name.replace(" ", "_"): value for name, value in facts.items()} | {"card": str(file)})
        return
    print_facts(facts)
    out.print(f"Send {file} to whoever makes the network; everything in it is public.", highlight=False, soft_wrap=True)


@contextmanager
def node_failures() -> "Iterator[None]":
    """Cards, bundles, names and addresses that do not fit."""
    from gridtokenx.operations.network.bundle import BundleUnusable
    from gridtokenx.operations.network.card import CardUnusable

    try:
        yield
    except (CardUnusable, BundleUnusable, ValueError) as error:
        refuse(str(error), "`--help` says what can be given.", code=2)
