"""What the commands that talk to a market share: the client, keys, wallets and accounts."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.keys import PrivateKey
    from gridtokenx.client.keystore import Keystore
    from gridtokenx.client.wallet import Wallet


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

    account_id = None if account is None else hexadecimal(account, ACCOUNT_BYTES, "account")
    return Wallet(open_keys(folder, names, passphrase_file), account=account_id)


def account_of(folder: Path, text: str) -> bytes:
    """An account: its id, or the name of a key here, for the account that the key opened."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.client.transactions import KeyList
    from gridtokenx.ledger.account import ACCOUNT_BYTES

    keystore = open_keystore(folder)
    if text in keystore.names():
        return KeyList((keystore.public_key(text),)).hash()
    return hexadecimal(text, ACCOUNT_BYTES, "account, nor the name of a key here")
