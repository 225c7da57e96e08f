"""`gridtokenx query`: what is on the chain. Public things need no key, one's own are signed for."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from gridtokenx.cli import query_history
from gridtokenx.cli.connection import open_client, open_wallet
from gridtokenx.cli.console import err, failures, out, print_facts, print_json
from gridtokenx.cli.options import (
    DEFAULT_KEYS,
    DEFAULT_URL,
    AccountHex,
    AsJson,
    Height,
    KeyNames,
    Keys,
    PassphraseFile,
    Url,
)

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.gateway.documents import BlockView, DeliveredLevel, Level

app = typer.Typer(help="Ask a market.", no_args_is_help=True)
app.command()(query_history.record)
app.command()(query_history.versions)
app.command()(query_history.balance)

Interval = Annotated[str, typer.Argument(help="Begin of delivery in Bangkok: 14:30, 2026-06-01 14:30, or its number.")]
LATEST = "latest"


@app.command()
def account(
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    height: Height = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Balance of one's own account: free, held for orders and trades, owed for energy."""
    from gridtokenx.cli.values import bangkok, watt

    with failures(), open_client(url) as client:
        view = client.account(open_wallet(keys, key, passphrase_file, account), height)
    if as_json:
        print_json(view)
        return
    print_facts(
        {
            "account": view.account,
            "balance": f"{watt(view.balance_micro)} WATT",
            "held": f"{watt(view.held_micro)} WATT",
            "free": f"{watt(view.free_micro)} WATT",
            "debt": f"{watt(view.debt_micro)} WATT",
            "portfolios": ", ".join(view.portfolios) or "none",
            "as of": f"block {view.height}, {bangkok(view.time_ms)} in Bangkok",
        }
    )


@app.command()
def orders(
    key: KeyNames,
    gone: Annotated[bool, typer.Option("--gone", help="Those that are no longer open.")] = False,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """One's own orders."""
    from gridtokenx.cli.values import delivery, kilowatt_hours, watt

    with failures(), open_client(url) as client:
        view = client.orders(open_wallet(keys, key, passphrase_file, account), "gone" if gone else "open")
    if as_json:
        print_json(view)
        return
    table = _table("client id", "state", "delivery", "side", "WATT/kWh", "filled", "left")
    for one in view.orders:
        table.add_row(
            one.client_id,
            one.state if not one.code else one.name,
            ""
            if one.interval is None
            else delivery(one.interval) + (f" x {one.intervals}" if one.intervals > 1 else ""),
            one.side or "",
            "" if one.price_micro is None else watt(one.price_micro),
            *("" if wh is None else kilowatt_hours(wh) for wh in (one.filled_wh, one.remaining_wh)),
        )
    _print(table, "There are none.")


@app.command()
def book(
    interval: Interval,
    feeder: Annotated[int | None, typer.Option(help="Show delivered prices as seen from this feeder.")] = None,
    levels: Annotated[int, typer.Option(min=1, max=1_000, help="Levels of each side.")] = 20,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Depth of one delivery interval, best first."""
    with failures(), open_client(url) as client:
        view = client.book(_interval(client, interval), feeder, levels)
    if as_json:
        print_json(view)
    elif view.delivered_asks is not None and view.delivered_bids is not None:
        _print(_delivered_table(view.delivered_asks, view.delivered_bids), "The book is empty.")
    else:
        _print(_level_table(view.asks, view.bids), "The book is empty.")


@app.command(name="block-orders")
def block_orders(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Block orders that wait beside the books, in the order in which they are tried again."""
    from gridtokenx.cli.values import bangkok, delivery, kilowatt_hours, watt

    with failures(), open_client(url) as client:
        view = client.block_orders()
    if as_json:
        print_json(view)
        return
    table = _table("first delivery", "quarters", "side", "kWh each", "WATT/kWh", "feeder", "scope", "until")
    for one in view.block_orders:
        table.add_row(
            *(delivery(one.interval), str(one.intervals), one.side, kilowatt_hours(one.quantity_wh)),
            *(watt(one.price_micro), str(one.feeder), one.scope, bangkok(one.expires_ms)),
        )
    _print(table, "There are none.")


@app.command()
def trades(
    interval: Annotated[str | None, typer.Option(help="Of one delivery interval only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """The newest trades, without names; of one interval from its first."""
    from gridtokenx.cli.values import bangkok, delivery, kilowatt_hours, watt

    with failures(), open_client(url) as client:
        if interval is None:
            view = client.trades(limit=limit)
        else:
            view = client.interval_trades(_interval(client, interval), limit=limit)
    if as_json:
        print_json(view)
        return
    table = _table("time", "delivery", "kWh", "WATT/kWh", "wheeling", "source", "taker")
    for one in view.trades:
        table.add_row(
            bangkok(one.time_ms, "%m-%d %H:%M:%S"),
            delivery(one.interval),
            kilowatt_hours(one.quantity_wh),
            watt(one.price_micro),
            watt(one.wheeling_micro),
            one.source,
            one.taker if one.voids is None else "void",
        )
    _print(table, "There are none.")


@app.command()
def prices(interval: Interval, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Reference prices of one delivery interval by zone: what they are made of, the band, and halts."""
    from gridtokenx.cli.values import bangkok, watt

    with failures(), open_client(url) as client:
        view = client.prices(_interval(client, interval))
    if as_json:
        print_json(view)
        return
    for one in view.zones:
        band = ""
        if one.low_micro is not None and one.high_micro is not None:
            band = f", trades from {watt(one.low_micro)} to {watt(one.high_micro)}"
        since = "" if one.changed_height is None else f", since block {one.changed_height}"
        parts = ("anchor", "called", "trades", "renewable", "book", "congestion")
        named = ", ".join(f"{part} {watt(getattr(one, f'{part}_micro'))}" for part in parts)
        lines = [f"zone {one.zone}: {watt(one.price_micro)} WATT/kWh{band}{since}", f"  {named}"]
        for halt in one.halts:
            until = "the operator resumes" if halt.until_ms is None else bangkok(halt.until_ms)
            lines.append(f"  halted until {until}: {halt.reason.replace('_', ' ')}")
        for line in lines:
            out.print(line, highlight=False, soft_wrap=True)


@app.command()
def block(
    height: Annotated[str, typer.Argument(help="Height, or `latest`.")] = LATEST,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """One block: links, roots, summary, transactions with their codes."""
    from gridtokenx.cli.values import is_number

    if height != LATEST and not is_number(height):
        raise typer.BadParameter(f"{height!r} is no height: write a number, or {LATEST}")
    with failures(), open_client(url) as client:
        view = client.block(client.status().height if height == LATEST else int(height))
    if as_json:
        print_json(view)
    else:
        _print_block(view)


@app.command()
def receipt(
    transaction: Annotated[str, typer.Argument(help="Id of the transaction: 64 hexadecimal digits.")],
    proof: Annotated[bool, typer.Option("--proof", help="Check the proof, and show it.")] = False,
    app_hash: Annotated[
        str | None, typer.Option(help="App hash of the block, from another source; else from this gateway.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What became of a transaction; with --proof, checked against the app hash of its block."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.client.proofs import check_receipt
    from gridtokenx.ledger.crypto import HASH_BYTES
    from gridtokenx.ledger.genesis import readable

    name = hexadecimal(transaction, HASH_BYTES, "transaction")
    with failures(), open_client(url) as client:
        if not proof and app_hash is None:
            view = client.transaction(name)
            print_json(view) if as_json else print_facts(_without_nothing(readable(view)))
            return
        document = client.receipt_proof(name)
        trusted = client.block(document.height).app_hash if app_hash is None else app_hash
        found = check_receipt(hexadecimal(trusted, HASH_BYTES, "app hash"), name, document)
    if app_hash is None:
        err.print("The app hash is this gateway's own word: compare it with another's (--app-hash).", soft_wrap=True)
    if as_json:
        print_json({"receipt": readable(found), "app_hash": trusted, "proof": readable(document)})
        return
    print_facts({**readable(found), "block": document.height, "app_hash": trusted, "proved": "yes"})


def _interval(client: "Client", text: str) -> int:
    """A number or a time; chain time is asked for only if it is needed."""
    from gridtokenx.cli.values import interval_number, is_number

    return interval_number(text, 0 if is_number(text) else client.status().time_ms)


def _table(*headings: str) -> Table:
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _print(table: Table, nothing: str) -> None:
    if table.row_count:
        out.print(table)
    else:
        err.print(nothing)


def _level_table(asks: "list[Level]", bids: "list[Level]") -> Table:
    from gridtokenx.cli.values import kilowatt_hours, watt

    table = _table("side", "WATT/kWh", "kWh", "orders", "feeder", "sources")
    for side, level in [*(("sell", one) for one in reversed(asks)), *(("buy", one) for one in bids)]:
        table.add_row(
            side,
            watt(level.price_micro),
            kilowatt_hours(level.quantity_wh),
            str(level.orders),
            str(level.feeder),
            _sources(level.sources),
        )
    return table


def _delivered_table(asks: "list[DeliveredLevel]", bids: "list[DeliveredLevel]") -> Table:
    from gridtokenx.cli.values import kilowatt_hours, watt

    table = _table("side", "delivered", "limit", "kWh", "orders", "feeder", "sources")
    for side, level in [*(("sell", one) for one in reversed(asks)), *(("buy", one) for one in bids)]:
        table.add_row(
            side,
            watt(level.delivered_micro),
            watt(level.price_micro),
            kilowatt_hours(level.quantity_wh),
            str(level.orders),
            str(level.feeder),
            _sources(level.sources),
        )
    return table


def _sources(mask: int) -> str:
    from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source

    if mask == ANY_SOURCE_MASK:
        return "any"
    return "+".join(source.name.lower() for source in Source if mask >> source & 1)


def _print_block(view: "BlockView") -> None:
    from gridtokenx.cli.values import bangkok, kilowatt_hours, watt

    summary = view.summary
    print_facts(
        {
            "block": str(view.height),
            "time": f"{bangkok(view.time_ms)} in Bangkok",
            "hash": view.hash,
            "previous": view.previous,
            "app hash": view.app_hash,
            "proposer": view.proposer,
            "batches root": view.batches_root,
            "receipts root": view.receipts_root,
            "trades root": view.trades_root,
            "block before": "no votes on it here"
            if view.commit_round is None
            else f"agreed in round {view.commit_round}, {len(view.absent)} votes absent",
            "traded": f"{kilowatt_hours(summary.traded_wh)} kWh for {watt(summary.traded_micro)} WATT",
            "metered": f"{kilowatt_hours(summary.metered_import_wh)} kWh in, "
            f"{kilowatt_hours(summary.metered_export_wh)} kWh out",
            "settled": f"{kilowatt_hours(summary.settled_wh)} kWh for {watt(summary.settled_micro)} WATT",
        }
    )
    for batch in view.batches:
        for name, code in zip(batch.transactions, batch.codes, strict=True):
            out.print(f"  {name}  code {code}", highlight=False, soft_wrap=True)


def _without_nothing(facts: object) -> dict[str, object]:
    assert isinstance(facts, dict)
    return {name: value for name, value in facts.items() if value not in (None, [])}
