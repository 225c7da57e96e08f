"""`gridtokenx tx`: sign and send. With `--propose` a transaction goes to a file instead, from signer to signer."""

import secrets
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import account_of, open_client, open_keys, open_wallet
from gridtokenx.cli.console import err, failures, out, print_facts, print_json, refuse, write_new
from gridtokenx.cli.options import (
    DEFAULT_KEYS,
    DEFAULT_URL,
    AccountHex,
    AsJson,
    ForceName,
    KeyNames,
    Keys,
    PassphraseFile,
    Url,
)
from gridtokenx.cli.sending import Sending, print_outcome, signs, still_missing

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.modules.market.messages import PlaceOrder, TimeInForce

CALL_TAKES = (
    "It takes limit orders until the gate: no --market, no --force ioc or fok, no --until before the gate, no "
    "--minimum, no --post-only, no --show, no --scope, a purchase of any source. Or name an interval further ahead."
)

app = typer.Typer(help="Sign transactions and send them.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(help="Client id of the order: 16 hexadecimal digits.")]


class SideName(StrEnum):
    """Of an order, under the names of the market's `Side`."""

    BUY = "buy"
    SELL = "sell"


class ScopeName(StrEnum):
    """How far an order looks, under the names of the market's `Scope`."""

    ANYWHERE = "anywhere"
    ZONE = "zone"
    FEEDER = "feeder"


@app.command()
@signs
def transfer(
    recipient: Annotated[str, typer.Argument(help="Account id, or the name of a key here.")],
    amount: Annotated[str, typer.Argument(help="WATT, such as 12.50.")],
    sending: Sending,
) -> None:
    """Pay from the free balance."""
    from gridtokenx.cli.values import amount_micro
    from gridtokenx.modules.tokens.messages import Transfer

    with failures():
        message = Transfer(account_of(sending.keys, recipient), amount_micro(amount))
        with sending.client() as client:
            sending.send(client, message)


@app.command()
def place(
    side: Annotated[SideName, typer.Argument(help="buy or sell.")],
    energy: Annotated[str, typer.Argument(help="kWh, such as 1.5.")],
    interval: Annotated[str, typer.Argument(help="Begin of delivery in Bangkok: 14:30, or 2026-06-01 14:30.")],
    key: KeyNames,
    price: Annotated[str | None, typer.Option(help="Limit in WATT per kWh; of a purchase: delivered.")] = None,
    market: Annotated[bool, typer.Option("--market", help="At the tariff or the buy-back instead of a limit.")] = False,
    source: Annotated[
        str | None, typer.Option(help="Of a sale: its source (solar). Of a purchase: any, or solar+wind.")
    ] = None,
    force: Annotated[ForceName | None, typer.Option("--force", help="gtc, gtd (with --until), ioc or fok.")] = None,
    until: Annotated[str | None, typer.Option(help="Own end of the order, in Bangkok time.")] = None,
    minimum: Annotated[str | None, typer.Option(help="At least so many kWh at once, or nothing.")] = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Refused if it would trade at once.")] = False,
    scope: Annotated[ScopeName, typer.Option(help="How far it looks: anywhere, zone or feeder.")] = ScopeName.ANYWHERE,
    show: Annotated[str | None, typer.Option(help="Show so many kWh at a time.")] = None,
    client_id: Annotated[str | None, typer.Option(help="16 hexadecimal digits by which the order is named.")] = None,
    portfolio: Annotated[str | None, typer.Option(help="Of several portfolios, which.")] = None,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Buy or sell energy of one quarter of an hour."""
    from gridtokenx.cli import values
    from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, PlaceOrder, Scope, Side

    if market == (price is not None):
        raise typer.BadParameter("give either --price or --market")
    price_micro = 0 if price is None else values.price_micro(price)
    quantity_wh = values.energy_wh(energy)
    minimum_wh = values.energy_wh(minimum) if minimum else 0
    sources = values.one_source(source or "solar") if side is SideName.SELL else values.source_mask(source or "any")
    name = secrets.token_bytes(CLIENT_ID_BYTES)
    if client_id is not None:
        name = values.hexadecimal(client_id, CLIENT_ID_BYTES, "client id")
    with failures(), open_client(url) as client:
        # All that was typed is understood before a passphrase is asked for.
        now_ms = client.status().time_ms
        number = values.interval_number(interval, now_ms)
        expires_ms = values.moment_ms(until, now_ms) if until else 0
        wallet = open_wallet(keys, key, passphrase_file, account)
        message = PlaceOrder(
            only_portfolio(client, wallet, portfolio),
            name,
            number,
            int(Side[side.name]),
            price_micro,
            quantity_wh,
            sources,
            int(_time_in_force(_force(force, market, until))),
            expires_ms,
            minimum_wh,
            post_only,
            market,
            int(Scope[scope.name]),
            values.energy_wh(show) if show else 0,
        )
        _look_at_call(client, message)
        view = client.execute(wallet, message)
        _, filled_wh, resting_wh = view.results[0]
        facts = {
            "order": name.hex(),
            "filled_kwh": values.kilowatt_hours(filled_wh),
            "resting_kwh": values.kilowatt_hours(resting_wh),
        }
        _print_committed(view, as_json, facts)


@app.command(name="block-order")
def block_order(
    side: Annotated[SideName, typer.Argument(help="buy or sell.")],
    energy: Annotated[str, typer.Argument(help="kWh in each interval, such as 1.5.")],
    interval: Annotated[str, typer.Argument(help="Begin of the first delivery: 14:30, or 2026-06-01 14:30.")],
    intervals: Annotated[int, typer.Argument(min=2, max=96, help="Of how many quarters of an hour, from there on.")],
    key: KeyNames,
    price: Annotated[str, typer.Option(help="Limit in WATT per kWh in each interval; of a purchase: delivered.")],
    source: Annotated[
        str | None, typer.Option(help="Of a sale: its source (solar). Of a purchase: any, or solar+wind.")
    ] = None,
    fill_or_kill: Annotated[bool, typer.Option("--fill-or-kill", help="At once, or not at all.")] = False,
    until: Annotated[str | None, typer.Option(help="How long it waits at most, in Bangkok time.")] = None,
    scope: Annotated[ScopeName, typer.Option(help="How far it looks: anywhere, zone or feeder.")] = ScopeName.ANYWHERE,
    client_id: Annotated[str | None, typer.Option(help="16 hexadecimal digits by which the order is named.")] = None,
    portfolio: Annotated[str | None, typer.Option(help="Of several portfolios, which.")] = None,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Buy or sell the same energy in each of several quarters of an hour: all of it or nothing.

    What cannot be filled at once waits, and is tried again each minute; `tx cancel` takes it back."""
    from gridtokenx.cli import values
    from gridtokenx.client.baskets import Basket
    from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, Scope

    if fill_or_kill and until:
        raise typer.BadParameter("give either --fill-or-kill or --until")
    selling = side is SideName.SELL
    price_micro, quantity_wh = values.price_micro(price), values.energy_wh(energy)
    sources = values.one_source(source or "solar") if selling else values.source_mask(source or "any")
    force = ForceName.FILL_OR_KILL if fill_or_kill else _force(None, False, until)
    name = None if client_id is None else values.hexadecimal(client_id, CLIENT_ID_BYTES, "client id")
    with failures(), open_client(url) as client:
        now_ms = client.status().time_ms
        number = values.interval_number(interval, now_ms)
        good_till_ms = values.moment_ms(until, now_ms) if until else 0
        wallet = open_wallet(keys, key, passphrase_file, account)
        basket = Basket(only_portfolio(client, wallet, portfolio))
        add = basket.sell if selling else basket.buy
        basket = add(
            "block order",
            number,
            quantity_wh,
            price_micro=price_micro,
            intervals=intervals,
            source=sources,
            force=_time_in_force(force),
            good_till_ms=good_till_ms,
            scope=int(Scope[scope.name]),
            client_id=name,
        )
        view = client.execute(wallet, *basket.messages())
        (outcome,) = basket.outcomes(view)
        facts = {
            "order": outcome.client_id.hex(),
            "filled_kwh": values.kilowatt_hours(outcome.filled_wh),
            "waiting_kwh": values.kilowatt_hours(outcome.waiting_wh),
        }
        _print_committed(view, as_json, facts)


@app.command()
def basket(
    file: Annotated[Path, typer.Argument(help="TOML with one [[leg]] for each order (docs/baskets.md).")],
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Send several orders that succeed together or leave nothing.

    A leg says name, side (buy, sell), energy in kWh, interval, price, and may say intervals, source, scope, force (fok
    unless told otherwise; gtc, gtd with until, ioc)."""
    from gridtokenx.cli import basket_file, values
    from gridtokenx.client.errors import TransactionRejected

    entry = basket_file.read_basket_file(file)
    with failures(), open_client(url) as client:
        # What the file says is understood before a passphrase is asked for.
        now_ms = client.status().time_ms
        basket_file.basket_of(entry, bytes(8), now_ms)
        wallet = open_wallet(keys, key, passphrase_file, account)
        wanted = basket_file.basket_of(entry, only_portfolio(client, wallet, entry.portfolio), now_ms)
        try:
            view = client.execute(wallet, *wanted.messages())
        except TransactionRejected as error:
            raise wanted.refused(error) from None
        facts = {
            outcome.leg: f"filled {values.kilowatt_hours(outcome.filled_wh)} kWh, "
            f"waiting {values.kilowatt_hours(outcome.waiting_wh)} kWh, order {outcome.client_id.hex()}"
            for outcome in wanted.outcomes(view)
        }
        _print_committed(view, as_json, facts)


def _look_at_call(client: "Client", message: "PlaceOrder") -> None:
    """Say that an interval's call phase runs, and what that means for the order; refuse before anything is signed what
    the ledger would refuse."""
    from gridtokenx.cli.values import bangkok
    from gridtokenx.client.errors import ClientError
    from gridtokenx.ledger.errors import Rejected
    from gridtokenx.modules.market.checks import check_call

    try:
        interval = client.interval(message.interval)
    except ClientError:
        return  # it is not open, or not known: the ledger says so
    if interval.phase != "call":
        return
    gate = bangkok(interval.gate_ms, "%H:%M:%S")
    try:
        check_call(message, interval.gate_ms)
    except Rejected as rejected:
        refuse(
            f"The call phase runs until {gate}, and takes no order like this ({rejected.field}).", CALL_TAKES, code=2
        )
    err.print(f"The call phase runs: nothing trades before the auction at {gate}.", highlight=False, soft_wrap=True)


def _force(force: ForceName | None, market: bool, until: str | None) -> ForceName:
    """What was asked for; else what the other options ask for."""
    if force is None:
        force = ForceName.GOOD_TILL_GATE
        if market:
            force = ForceName.IMMEDIATE_OR_CANCEL
        elif until:
            force = ForceName.GOOD_TILL_TIME
    return force


def _time_in_force(force: ForceName) -> "TimeInForce":
    from gridtokenx.modules.market.messages import TimeInForce

    return TimeInForce[force.name]


@app.command()
def cancel(
    client_id: ClientId,
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Take an open order back."""
    from gridtokenx.cli.values import hexadecimal, kilowatt_hours
    from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, CancelOrder

    message = CancelOrder(hexadecimal(client_id, CLIENT_ID_BYTES, "client id"))
    with failures(), open_client(url) as client:
        view = client.execute(open_wallet(keys, key, passphrase_file, account), message)
        _print_committed(view, as_json, {"taken_back_kwh": kilowatt_hours(view.results[0][0])})


@app.command()
def amend(
    client_id: ClientId,
    price: Annotated[str, typer.Option(help="New limit in WATT per kWh.")],
    energy: Annotated[str, typer.Option(help="New open quantity in kWh.")],
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change limit or open quantity. Less at the same limit keeps the place; anything else goes to the back."""
    from gridtokenx.cli import values
    from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, AmendOrder

    name = values.hexadecimal(client_id, CLIENT_ID_BYTES, "client id")
    message = AmendOrder(name, values.price_micro(price), values.energy_wh(energy))
    with failures(), open_client(url) as client:
        view = client.execute(open_wallet(keys, key, passphrase_file, account), message)
        _, filled_wh, resting_wh = view.results[0]
        facts = {"filled_kwh": values.kilowatt_hours(filled_wh), "resting_kwh": values.kilowatt_hours(resting_wh)}
        _print_committed(view, as_json, facts)


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(help="A proposal.")],
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Read what a proposal would do, and add a signature to it."""
    from gridtokenx.client.ceremony import Proposal

    with failures():
        proposal = Proposal.read(file)
        print_json(proposal.describe())
        if not yes:
            typer.confirm("Sign this?", abort=True, err=True)
        for one in open_keys(keys, key, passphrase_file):
            proposal = proposal.sign(one)
        proposal.write(file)
    out.print(still_missing(proposal.missing), highlight=False, soft_wrap=True)


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="A proposal, or copies of it that were signed in parallel.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    promise: Annotated[
        Path | None,
        typer.Option("--promise", help="Keep the node's signed promise in this new file (`audit acceptance`)."),
    ] = None,
) -> None:
    """Send a proposal that has all its signatures. Sending it again does no harm."""
    from msgspec.json import encode

    from gridtokenx.client.ceremony import Proposal, merge_all
    from gridtokenx.client.flows import Sent, require_taken

    if promise is not None and promise.exists():
        refuse(f"{promise} exists already: nothing was sent", "Choose another name: nothing is overwritten.", code=2)
    with failures(), open_client(url) as client:
        transaction = merge_all([Proposal.read(file) for file in files]).transaction()
        (answer,) = client.submit([transaction.wire], acceptance=promise is not None)
        require_taken(Sent(transaction, answer))
        if promise is not None and answer.acceptance is not None:
            kept = {"transaction": transaction.wire.hex(), "acceptance": answer.acceptance}
            write_new(promise, encode(kept), 0o644)
        print_outcome(client.wait(transaction), as_json)


@app.command()
def status(
    transaction: Annotated[str, typer.Argument(help="Id of the transaction: 64 hexadecimal digits.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What became of a transaction: pending, committed with a code, expired, or unknown here."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.ledger.crypto import HASH_BYTES

    with failures(), open_client(url) as client:
        print_outcome(client.transaction(hexadecimal(transaction, HASH_BYTES, "transaction")), as_json)


def only_portfolio(client: "Client", wallet: "Wallet", text: str | None) -> bytes:
    """The named portfolio, or the account's only one."""
    from gridtokenx.cli.values import hexadecimal

    if text is not None:
        return hexadecimal(text, 8, "portfolio")
    portfolios = client.account(wallet).portfolios
    if len(portfolios) != 1:
        known = ", ".join(portfolios) or "none"
        raise typer.BadParameter(f"the account trades {len(portfolios)} portfolios ({known}): name one by --portfolio")
    return bytes.fromhex(portfolios[0])


def _print_committed(view: "TransactionView", as_json: bool, facts: dict[str, str]) -> None:
    from msgspec import to_builtins

    if as_json:
        print_json(to_builtins(view) | facts)
        return
    print_facts({"transaction": view.id, "block": view.height, **facts})
