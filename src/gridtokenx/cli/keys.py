"""`gridtokenx keys`: keys on this machine, encrypted, and the words that bring one back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from gridtokenx.cli.connection import open_keys, open_keystore
from gridtokenx.cli.console import err, failures, out, print_facts, print_json, write_new
from gridtokenx.cli.options import DEFAULT_KEYS, AsJson, Keys, PassphraseFile

if TYPE_CHECKING:
    from gridtokenx.client.keys import PrivateKey

app = typer.Typer(help="Keys on this machine.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the key: lower-case letters, digits, - and _.")]


@app.command("new")
def new_key(name: Name, keys: Keys = DEFAULT_KEYS, passphrase_file: PassphraseFile = None) -> None:
    """Make a key, encrypted under a passphrase. Write its 24 words down: `keys phrase` shows them."""
    from gridtokenx.client.keys import PrivateKey

    _add(name, PrivateKey.generate(), keys, passphrase_file)


@app.command("import")
def import_key(
    name: Name,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    phrase_file: Annotated[Path | None, typer.Option("--phrase-file", help="File with the 24 words.")] = None,
) -> None:
    """Bring a key back from its 24 words, encrypted under a new passphrase."""
    from getpass import getpass

    from gridtokenx.client.keys import PrivateKey

    with failures():
        # What is not text cannot hold words of the list: the phrase is refused like any other wrong one.
        words = phrase_file.read_text(encoding="utf-8", errors="replace") if phrase_file else getpass("The 24 words: ")
        key = PrivateKey.from_phrase(words)
    _add(name, key, keys, passphrase_file)


@app.command("list")
def list_keys(keys: Keys = DEFAULT_KEYS, as_json: AsJson = False) -> None:
    """All keys in the folder, with the accounts that they opened."""
    with failures():
        keystore = open_keystore(keys)
        found = [_facts(keys, name) for name in keystore.names()]
    if as_json:
        print_json(found)
        return
    if not found:
        err.print(f"There are no keys in {keys}: `gridtokenx keys new NAME` makes one.", soft_wrap=True)
        return
    table = Table(box=None)
    for heading in ("name", "account", "public key", "protection"):
        table.add_column(heading, overflow="fold")
    for facts in found:
        table.add_row(*facts.values())
    out.print(table)


@app.command("show")
def show_key(name: Name, keys: Keys = DEFAULT_KEYS, as_json: AsJson = False) -> None:
    """Public key and account of one key; needs no passphrase."""
    with failures():
        facts = _facts(keys, name)
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


@app.command("phrase")
def show_phrase(
    name: Name,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Nobody is looking.")] = False,
) -> None:
    """Show the 24 words of a key. Whoever reads them has the key."""
    if not yes:
        typer.confirm("Whoever sees the next line has the key. Is nobody looking?", abort=True, err=True)
    with failures():
        (key,) = open_keys(keys, [name], passphrase_file)
    typer.echo(key.phrase())


@app.command("export")
def export_key(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Where the key file goes; nothing is overwritten.")],
    keys: Keys = DEFAULT_KEYS,
) -> None:
    """Copy a key file, still encrypted, for a backup."""
    with failures():
        keystore = open_keystore(keys)
        keystore.public_key(name)  # whole, and readable by its owner alone
        data = keystore.path(name).read_bytes()
    write_new(file, data, 0o600)
    out.print(f"Written to {file}.", highlight=False, soft_wrap=True)


def _add(name: str, key: "PrivateKey", keys: Path, passphrase_file: Path | None) -> None:
    from gridtokenx.client.passphrase import read_passphrase

    with failures():
        keystore = open_keystore(keys)
        keystore.path(name)  # a wrong name is said before a passphrase is asked for
        passphrase = read_passphrase(passphrase_file, question=f"New passphrase of {name}: ", repeat=True)
        keystore.add(name, key, passphrase)
        print_facts(_facts(keys, name))


def _facts(keys: Path, name: str) -> dict[str, str]:
    from gridtokenx.client.transactions import KeyList

    keystore = open_keystore(keys)
    public_key = keystore.public_key(name)
    return {
        "name": name,
        "account": KeyList((public_key,)).hash().hex(),
        "public_key": public_key.hex(),
        "protection": "passphrase" if keystore.is_encrypted(name) else "none (a development key)",
    }
