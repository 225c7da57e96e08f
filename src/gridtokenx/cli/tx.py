"""`gridtokenx tx`: sign and send. With `--propose` a transaction goes to a file instead, from signer to signer."""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import account_of, open_client, open_keys, open_wallet
from gridtokenx.cli.console import advice_on, failures, out, print_facts, print_json
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.keys import PrivateKey
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.ledger.codec import Message

app = typer.Typer(help="Sign transactions and send them.", no_args_is_help=True)

Propose = Annotated[
    Path | None,
    typer.Option("--propose", help="Write a proposal for other signers to this file, instead of sending."),
]
Threshold = Annotated[
    int | None, typer.Option(min=1, max=16, help="Signatures that the account needs; all of its keys' by default.")
]
Signers = Annotated[
    list[str],
    typer.Option("--signer", help="Public key of a further signer of the account; several times for several."),
]
NONCE_MAX = 2**63 - 1
ClientId = Annotated[str, typer.Argument(help="Client id of the order: 16 hexadecimal digits.")]


class SideName(StrEnum):
    """Of an order, under the names of the market's `Side`."""

    BUY = "buy"
    SELL = "sell"


class ForceName(StrEnum):
    """How long an order stays, under the names of the market's `TimeInForce`."""

    GOOD_TILL_GATE = "gtc"
    GOOD_TILL_TIME = "gtd"
    IMMEDIATE_OR_CANCEL = "ioc"
    FILL_OR_KILL = "fok"


@dataclass(frozen=True)
class Draft:
    """What a proposal says besides its message: where it goes, who else signs, its number, until when it may be sent
    (Bangkok time). None: as many signatures as there are keys, the account's next number, some minutes from now."""

    file: Path
    signers: list[str]
    threshold: int | None
    nonce: int | None
    expires: str | None


@app.command()
def transfer(
    recipient: Annotated[str, typer.Argument(help="Account id, or the name of a key here.")],
    amount: Annotated[str, typer.Argument(help="WATT, such as 12.50.")],
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    propose: Propose = None,
    signer: Signers = [],  # noqa: B006 - typer copies it
    threshold: Threshold = None,
    nonce: Annotated[int | None, typer.Option(min=1, max=NONCE_MAX, help="Number of a proposed transaction.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="Until when a proposal may be sent, in Bangkok time; from ten minutes before.")
    ] = None,
) -> None:
    """Pay from the free balance."""
    from gridtokenx.cli.values import amount_micro
    from gridtokenx.modules.tokens.messages import Transfer

    if propose is None and (signer or threshold or nonce or expires):
        raise typer.BadParameter("--signer, --threshold, --nonce and --expires are for a proposal: add --propose FILE")
    with failures():
        message = Transfer(account_of(keys, recipient), amount_micro(amount))
        with open_client(url) as client:
            if propose is None:
                wallet = open_wallet(keys, key, passphrase_file, account)
                _print_outcome(client.execute(wallet, message), as_json)
                return
            draft = Draft(propose, signer, threshold, nonce, expires)
            _propose(client, open_keys(keys, key, passphrase_file), account, message, draft)


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
    from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, PlaceOrder, Side, TimeInForce

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
            _portfolio(client, wallet, portfolio),
            name,
            number,
            int(Side[side.name]),
            price_micro,
            quantity_wh,
            sources,
            int(TimeInForce[_force(force, market, until).name]),
            expires_ms,
            minimum_wh,
            post_only,
            market,
        )
        view = client.execute(wallet, message)
        _, filled_wh, resting_wh = view.results[0]
        facts = {
            "order": name.hex(),
            "filled_kwh": values.kilowatt_hours(filled_wh),
            "resting_kwh": values.kilowatt_hours(resting_wh),
        }
        _print_committed(view, as_json, facts)


def _force(force: ForceName | None, market: bool, until: str | None) -> ForceName:
    """What was asked for; else what the other options ask for."""
    if force is None:
        force = ForceName.GOOD_TILL_GATE
        if market:
            force = ForceName.IMMEDIATE_OR_CANCEL
        elif until:
            force = ForceName.GOOD_TILL_TIME
    return force


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
    out.print(_still_missing(proposal.missing), highlight=False, soft_wrap=True)


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="A proposal, or copies of it that were signed in parallel.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Send a proposal that has all its signatures. Sending it again does no harm."""
    from gridtokenx.client.ceremony import Proposal, merge_all
    from gridtokenx.client.flows import Sent, require_taken

    with failures(), open_client(url) as client:
        transaction = merge_all([Proposal.read(file) for file in files]).transaction()
        (answer,) = client.submit([transaction.wire])
        require_taken(Sent(transaction, answer))
        _print_outcome(client.wait(transaction), as_json)


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
        _print_outcome(client.transaction(hexadecimal(transaction, HASH_BYTES, "transaction")), as_json)


def _propose(client: "Client", mine: "list[PrivateKey]", account: str | None, message: "Message", draft: Draft) -> None:
    """Write a proposal with the signatures of the keys at hand."""
    from gridtokenx.cli.values import hexadecimal, moment_ms
    from gridtokenx.client.ceremony import propose
    from gridtokenx.client.transactions import LIFETIME_MS, KeyList
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.ledger.account import ACCOUNT_BYTES
    from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES

    others = [hexadecimal(text, PUBLIC_KEY_BYTES, "public key") for text in draft.signers]
    public_keys = sorted({key.public_key for key in mine} | set(others))
    key_list = KeyList.of(public_keys, draft.threshold or len(public_keys))
    sender = key_list.hash() if account is None else hexadecimal(account, ACCOUNT_BYTES, "account")
    now = client.status()
    nonce = draft.nonce
    if nonce is None:
        if len(mine) < key_list.threshold:
            raise typer.BadParameter(
                "name the transaction's number with --nonce: 1 for the account's first one, then one more each time "
                "(the gateway tells it only to whoever has enough of the account's keys)"
            )
        nonce = client.account(Wallet(mine, key_list, sender)).nonce_highest + 1
    expires_ms = now.time_ms + LIFETIME_MS if draft.expires is None else moment_ms(draft.expires, now.time_ms)
    proposal = propose(now.chain, sender, nonce, expires_ms, [message], key_list)
    for key in mine:
        proposal = proposal.sign(key)
    proposal.write(draft.file)
    print_json(proposal.describe())
    out.print(_still_missing(proposal.missing), highlight=False, soft_wrap=True)


def _still_missing(count: int) -> str:
    if count:
        return f"{count} more needed: pass the file on; `gridtokenx tx sign` adds one."
    return "All signatures are there: `gridtokenx tx send` sends it."


def _portfolio(client: "Client", wallet: "Wallet", text: str | None) -> bytes:
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


def _print_outcome(view: "TransactionView", as_json: bool) -> None:
    """Ends with 1 if the ledger refused it."""
    if as_json:
        print_json(view)
    else:
        facts = {"transaction": view.id, "state": view.state}
        if view.height is not None:
            facts |= {"code": f"{view.name} ({view.code})", "block": str(view.height)}
        print_facts(facts)
        if view.code:
            out.print(advice_on(view.name or ""), highlight=False, soft_wrap=True)
    if view.code:
        raise typer.Exit(1)
