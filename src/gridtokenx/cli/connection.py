"""What the commands that talk to a market share: options, the client, wallets, and how a refusal is said."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.keys import PrivateKey
    from gridtokenx.client.keystore import Keystore
    from gridtokenx.client.wallet import Wallet

DEFAULT_KEYS = Path("data/keys")
DEFAULT_URL = "http://127.0.0.1:8545"

Keys = Annotated[Path, typer.Option("--keys", help="Folder of the key files.", envvar="GRIDTOKENX_KEYS")]
Url = Annotated[str, typer.Option("--url", help="Address of the market's gateway.", envvar="GRIDTOKENX_URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with the passphrase; else GRIDTOKENX_PASSPHRASE, else it is asked."),
]
KeyNames = Annotated[
    list[str],
    typer.Option("--key", help="Name of a key that signs; give it several times for an account of several keys."),
]
AccountHex = Annotated[
    str | None,
    typer.Option("--account", help="Id of the account, if its keys were rotated (else it follows from the keys)."),
]

out = Console()
err = Console(stderr=True)


def open_client(url: str) -> "Client":
    """A client of the gateway."""
    from gridtokenx.client.client import Client

    return Client(url)


def open_keystore(folder: Path) -> "Keystore":
    """The keys in a folder."""
    from gridtokenx.client.keystore import Keystore

    return Keystore(folder)


def open_keys(folder: Path, names: list[str], passphrase_file: Path | None) -> "list[PrivateKey]":
    """The keys of these names. The passphrase is asked for only if one of them needs it."""
    from gridtokenx.client.passphrase import read_passphrase

    keystore = open_keystore(folder)
    encrypted = [name for name in names if keystore.is_encrypted(name)]
    passphrase = None
    if encrypted:
        passphrase = read_passphrase(passphrase_file, question=f"Passphrase of {', '.join(encrypted)}: ")
    return [keystore.open(name, passphrase) for name in names]


def open_wallet(folder: Path, names: list[str], passphrase_file: Path | None, account: str | None) -> "Wallet":
    """A wallet of the account that these keys sign for together."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.ledger.account import ACCOUNT_BYTES

    if not names:
        raise typer.BadParameter("name a key with --key; `gridtokenx keys list` shows them")
    account_id = None if account is None else hexadecimal(account, ACCOUNT_BYTES, "account")
    return Wallet(open_keys(folder, names, passphrase_file), account=account_id)


def account_of(folder: Path, text: str) -> bytes:
    """An account: its id, or the name of a key that opened it."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.client.transactions import KeyList
    from gridtokenx.ledger.account import ACCOUNT_BYTES

    keystore = open_keystore(folder)
    if text in keystore.names():
        return KeyList((keystore.public_key(text),)).hash()
    return hexadecimal(text, ACCOUNT_BYTES, "account, nor the name of a key here")


@contextmanager
def failures() -> Iterator[None]:
    """Say what went wrong and what to do about it, and end with 1."""
    from gridtokenx.cli.advice import ADVICE
    from gridtokenx.client.errors import ClientError, TransactionRejected

    try:
        yield
    except ClientError as error:
        err.print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
        if isinstance(error, TransactionRejected):
            err.print(f"Transaction {error.transaction_id.hex()}", highlight=False, soft_wrap=True)
        advice = ADVICE.get(error.name) or HINTS.get(error.name)
        if advice:
            err.print(advice, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


HINTS = {
    "TransportError": "Is the market running? `gridtokenx up` starts one; --url names another.",
    "AnswerNotUnderstood": "Something else answers at this address: check --url.",
    "WrongChain": "Another market answers at this address: check --url.",
    "KeyUnknown": "`gridtokenx keys list` shows what there is; --keys names another folder.",
    "KeyExists": "Choose another name.",
    "PassphraseWrong": "Type it again; nothing was changed.",
    "PassphraseMissing": "Give --passphrase-file, or set GRIDTOKENX_PASSPHRASE.",
    "PhraseInvalid": "Compare with what was written down; all 24 words, in order.",
    "KeyFileCorrupt": "Restore the file from a backup, or the key from its 24 words: `gridtokenx keys import`.",
    "StillPending": "`gridtokenx tx status` tells later; sending the same again does no harm.",
    "TransactionExpired": "Nothing of it happened: send it again.",
    "SESSION_MISSING": "Name the account's keys with --key.",
    "CHALLENGE_NOT_SIGNED": "These keys are not the account's present ones: give the right --key, or --account.",
    "NOT_FOUND": "It may be in another market, or not in a block yet: check id and --url.",
    "NODE_UNREACHABLE": "The gateway waits for its node: try again in a moment.",
    "NOT_READY": "The gateway is still reading the chain: try again in a moment.",
    "TOO_MANY": "Wait a moment, then try again.",
}
"""For what is no code of the ledger."""


def print_json(document: object) -> None:
    """A document of the API, or plain data."""
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(document), indent=2))


def print_facts(facts: dict[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        out.print(f"{name:<{width}}  {value}", highlight=False, soft_wrap=True)


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()
