"""`gridtokenx query record`, `versions`, `balance`: records as they are and as they were.

From an archive's gateway (`--url`) whatever is public; from a node's data folder (`--data`), which only its owner can
read, everything. The node may be running.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridtokenx.cli.connection import open_client
from gridtokenx.cli.console import err, failures, folder_failures, out, print_facts, print_json, refuse
from gridtokenx.cli.options import CHAIN, DEFAULT_URL, NO_MARKET_ADVICE, AsJson, Height, Url

if TYPE_CHECKING:
    from gridtokenx.engine.history import Version
    from gridtokenx.engine.storage import Reader
    from gridtokenx.ledger.state import Table

NO_KEY = "-"

TableName = Annotated[str, typer.Argument(help="Name of the table, such as terms or accounts.", metavar="TABLE")]
KeyHex = Annotated[
    str, typer.Argument(help=f"Key in hexadecimal digits; {NO_KEY} for a table of one record.", metavar="KEY")
]
NodeData = Annotated[
    Path | None, typer.Option("--data", help="A node's data folder, to be read in place of a gateway.")
]


def record(
    table: TableName,
    key: KeyHex,
    height: Height = None,
    data: NodeData = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """One record; with --height as it was after that block, if the node is an archive."""
    found, name = _table(table), _key(key)
    if data is not None:
        with _reader(data) as reader:
            at, written, value = _read(reader, bytes([found.prefix]) + name, height)
    else:
        with failures(), open_client(url) as client:
            view = client.past_record(table, name, height)
        at, written, value = view.height, view.written, None if view.value is None else bytes.fromhex(view.value)
    facts: dict[str, Any] = {"table": table, "key": key, "height": at, "written": written}
    if as_json:
        print_json(facts | {"record": _plain(found, value)})
        return
    print_facts({name: str(fact) for name, fact in facts.items() if fact is not None})
    _show(_plain(found, value))


def versions(
    table: TableName,
    key: KeyHex,
    first: Annotated[int | None, typer.Option(min=0, help="Written by this block or a later one.")] = None,
    last: Annotated[int | None, typer.Option(min=0, help="Written by this block or an earlier one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 100,
    data: NodeData = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """All versions of a record that an archive knows, oldest first."""
    found, name = _table(table), _key(key)
    if data is not None:
        with _reader(data) as reader:
            history = reader.history()
            begin, end = history.since if first is None else first, history.until if last is None else last
            rows = [
                (one.height, one.record) for one in history.versions(bytes([found.prefix]) + name, begin, end, limit)
            ]
            following = rows[-1][0] + 1 if len(rows) == limit and rows[-1][0] < end else 0
    else:
        with failures(), open_client(url) as client:
            view = client.versions(table, name, first, last, limit)
        rows = [(one.height, None if one.value is None else bytes.fromhex(one.value)) for one in view.versions]
        following = view.following
    if as_json:
        shown = [{"height": height, "record": _plain(found, value)} for height, value in rows]
        print_json({"table": table, "key": key, "versions": shown, "following": following})
        return
    for height, value in rows:
        out.print(f"block {height:,}", highlight=False)
        _show(_plain(found, value))
    if following:
        err.print(f"There are more: --first {following}", highlight=False, soft_wrap=True)
    elif not rows:
        err.print("There are none.")


def balance(
    account: Annotated[str, typer.Argument(help="Id of the account: 64 hexadecimal digits.", metavar="ACCOUNT")],
    data: Annotated[Path, typer.Option("--data", help="A node's data folder.")],
    height: Height = None,
    as_json: AsJson = False,
) -> None:
    """Balance of any account, out of the data folder of one's own node. One's own by a gateway: `query account`."""
    from gridtokenx.cli.values import hexadecimal, watt
    from gridtokenx.ledger.account import ACCOUNT_BYTES, ACCOUNTS

    name = hexadecimal(account, ACCOUNT_BYTES, "account")
    with _reader(data) as reader:
        at, _, value = _read(reader, bytes([ACCOUNTS.prefix]) + name, height)
    if value is None:
        refuse(f"there is no account {account} after block {at}", code=1)
    found = ACCOUNTS.decode.trusted(value)
    amounts = {
        "balance_micro": found.balance_micro,
        "held_micro": found.held_micro,
        "free_micro": found.balance_micro - found.held_micro,
        "debt_micro": found.debt_micro,
    }
    if as_json:
        print_json({"account": account, "height": at} | amounts)
        return
    words = {name.removesuffix("_micro"): f"{watt(amount)} WATT" for name, amount in amounts.items()}
    print_facts({"account": account} | words | {"as of": f"block {at}"})


def _read(reader: "Reader", key: bytes, height: int | None) -> "tuple[int, int | None, bytes | None]":
    """Height, block that wrote it if that is known, and record. Without a height any node has it."""
    if height is None:
        head = reader.head()
        assert head is not None, "a reader is of a database with a head"
        return head.height, None, reader.record(key)
    version: Version | None = reader.history().at(key, height)
    return (height, None, None) if version is None else (height, version.height, version.record)


@contextmanager
def _reader(data: Path) -> "Iterator[Reader]":
    """What the database of a node says, which may be running. Ends the command for a folder that is none, and for a
    height that is not known."""
    from tempfile import TemporaryDirectory

    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.engine.history import HistoryMissing
    from gridtokenx.engine.storage import Reader

    folder = DataFolder(data)
    with folder_failures(NO_MARKET_ADVICE), TemporaryDirectory() as own_files:
        folder.require()
        reader = Reader(folder.database, Path(own_files) / "reader")
        try:
            yield reader
        except HistoryMissing as missing:
            refuse(str(missing), code=2)
        finally:
            reader.close()


def _table(name: str) -> "Table[Any]":
    from gridtokenx.engine.worker import load_chain

    tables = {table.name: table for table in load_chain(CHAIN).tables.values()}
    if name not in tables:
        refuse(f"there is no table {name}", f"There are: {', '.join(sorted(tables))}.", code=2)
    return tables[name]


def _key(text: str) -> bytes:
    try:
        return b"" if text == NO_KEY else bytes.fromhex(text)
    except ValueError:
        refuse(f"'{text}' is no key", f"Write it in hexadecimal digits; {NO_KEY} for a table of one record.", code=2)


def _plain(table: "Table[Any]", value: bytes | None) -> Any:
    from gridtokenx.ledger.genesis import readable

    return None if value is None else readable(table.decode.trusted(value))


def _show(record: Any) -> None:
    if record is None:
        out.print("  no such record")
    else:
        print_facts({f"  {name}": value for name, value in record.items()})
