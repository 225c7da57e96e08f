"""`gridtokenx snapshot`: the state after a block, as a backup and for a node that goes on from there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import err, folder_failures, out, print_json, refuse
from gridtokenx.cli.options import CHAIN, DEFAULT_DATA, NO_MARKET_ADVICE, AsJson, Data

if TYPE_CHECKING:
    from gridtokenx.engine.snapshots import SnapshotStore

app = typer.Typer(help="The state after a block, as a backup and for a node that goes on from there.")

HASH_DIGITS = 64

To = Annotated[
    Path | None, typer.Option("--to", help="Folder of the snapshots; else `snapshots` in the market's folder.")
]


@app.command()
def make(
    data: Data = DEFAULT_DATA,
    to: To = None,
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest stay in the folder.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Write a snapshot of the last block. The market may be running."""
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.engine.snapshot_maker import SnapshotImpossible
    from gridtokenx.engine.snapshots import SnapshotStore
    from gridtokenx.operations.backup import back_up

    folder = DataFolder(data)
    store = SnapshotStore(to or folder.snapshots, keep)
    with folder_failures(NO_MARKET_ADVICE):
        try:
            snapshot = back_up(folder, store)
        except SnapshotImpossible as error:
            refuse(f"No snapshot: {error}.")
    _show(store, [snapshot.height], as_json=as_json)


@app.command("list")
def list_(data: Data = DEFAULT_DATA, to: To = None, as_json: AsJson = False) -> None:
    """Which snapshots there are, newest first."""
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.engine.snapshots import SnapshotStore

    store = SnapshotStore(to or DataFolder(data).snapshots)
    with folder_failures(NO_MARKET_ADVICE):
        _show(store, [snapshot.height for snapshot in store.newest()], as_json=as_json)


@app.command()
def restore(
    snapshot: Annotated[Path, typer.Argument(help="Folder of one snapshot, such as data/snapshots/1000.")],
    genesis: Annotated[Path, typer.Option("--genesis", help="The chain's genesis.bin.")],
    app_hash: Annotated[
        str, typer.Option("--app-hash", help="What the block left, from a source you trust: 64 hex digits.")
    ],
    data: Annotated[Path, typer.Option("--data", help="Folder to be made; there must be nothing yet.")],
    node_key: Annotated[
        Path | None, typer.Option("--node-key", help="node.key of the node that goes on; else it gets a new one.")
    ] = None,
) -> None:
    """Make the folder of a node that goes on from a snapshot. Each piece must lead to the app hash."""
    from gridtokenx.engine.snapshots import SnapshotFolder, SnapshotRejected
    from gridtokenx.engine.worker import load_chain
    from gridtokenx.operations.backup import restore_folder

    trusted = _read_hash(app_hash)
    with folder_failures():
        seed = None if node_key is None else node_key.read_bytes()
        try:
            head = restore_folder(
                data, SnapshotFolder(snapshot), trusted, load_chain(CHAIN).kind, genesis.read_bytes(), seed
            )
        except SnapshotRejected as rejection:
            refuse(f"This snapshot is not the one: {rejection}.", "Nothing was written.")
    out.print(f"{data} stands at block {head.height:,} of {head.chain}.", highlight=False, soft_wrap=True)
    if node_key is None:
        err.print("Its node key is new: it may sign batches once the chain knows it.", highlight=False, soft_wrap=True)


def _read_hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != HASH_DIGITS or not found:
        refuse(f"An app hash has {HASH_DIGITS} hexadecimal digits, this is {text!r}.", code=2)
    return found


def _show(store: "SnapshotStore", heights: list[int], *, as_json: bool) -> None:
    from gridtokenx.engine.snapshots import app_hash_of

    rows = []
    for height in heights:
        folder = store.folder(height)
        snapshot = folder.read()
        rows.append(
            {
                "height": height,
                "app_hash": app_hash_of(snapshot).hex(),
                "chunks": snapshot.chunks,
                "bytes": folder.bytes_held(),
                "path": str(folder.path),
            }
        )
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("No snapshots.")
    for row in rows:
        line = f"Block {row['height']:,}: {row['chunks']} chunks, {row['bytes']:,} bytes, in {row['path']}"
        out.print(line, highlight=False, soft_wrap=True)
        out.print(f"  app hash {row['app_hash']}", highlight=False, soft_wrap=True)
