"""`gridtokenx light`: what a gateway says, proved by what the chain's validators signed."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import open_client, open_wallet
from gridtokenx.cli.console import failures, print_facts, print_json
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url

if TYPE_CHECKING:
    from gridtokenx.client.light import ProvingClient
    from gridtokenx.engine.comet.headers import LightBlock

DEFAULT_TRUSTED = Path("trusted")

app = typer.Typer(help="Prove what a gateway says, to who trusts no node.", no_args_is_help=True)

Trusted = Annotated[
    Path, typer.Option("--trusted", help="File of the blocks that are trusted.", envvar="GRIDTOKENX_TRUSTED")
]
Witnesses = Annotated[
    list[str],
    typer.Option("--witness", help="Address of another owner's gateway, to compare with; several times for several."),
]
Hash = Annotated[str, typer.Option("--hash", help="Its hash, 64 hexadecimal digits, from somebody you trust.")]


@app.command()
def start(
    height: Annotated[int, typer.Option(min=1, help="Height of the block to trust.")],
    block_hash: Hash,
    trusted: Trusted = DEFAULT_TRUSTED,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Trust a block from now on: height and hash come from somebody you trust, not from the gateway."""
    from gridtokenx.cli.values import hexadecimal

    wanted = hexadecimal(block_hash.lower(), 32, "hash")
    with _proving(url, [], trusted) as proving:
        found = proving.start(height, wanted)
    _print_block(found, as_json)


@app.command()
def block(
    height: Annotated[int, typer.Argument(min=0, help="Height; by default the newest.")] = 0,
    trusted: Trusted = DEFAULT_TRUSTED,
    witness: Witnesses = [],  # noqa: B006 - the command line makes a list of its own
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Prove a block's header, and trust it from now on."""
    with _proving(url, witness, trusted) as proving:
        found = proving.block(height)
    _print_block(found, as_json)


@app.command()
def receipt(
    transaction: Annotated[str, typer.Argument(help="Id of the transaction, 64 hexadecimal digits.")],
    trusted: Trusted = DEFAULT_TRUSTED,
    witness: Witnesses = [],  # noqa: B006 - likewise
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Prove what became of a transaction."""
    from gridtokenx.chains.consortium import CONSORTIUM
    from gridtokenx.cli.values import hexadecimal

    transaction_id = hexadecimal(transaction, 32, "transaction")
    with _proving(url, witness, trusted) as proving:
        found = proving.receipt(transaction_id)
    name = CONSORTIUM.codes.get(found.code, "")
    facts = {"transaction": transaction, "code": found.code, "name": name, "proved": True}
    if as_json:
        print_json(facts)
    else:
        print_facts({"transaction": transaction, "code": f"{found.code} {name}".rstrip(), "proved": "yes"})


@app.command()
def account(
    key: KeyNames,
    trusted: Trusted = DEFAULT_TRUSTED,
    witness: Witnesses = [],  # noqa: B006 - likewise
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Prove the balance of one's own account, now."""
    from gridtokenx.cli.values import bangkok, watt

    with _proving(url, witness, trusted) as proving:
        wallet = open_wallet(keys, key, passphrase_file, account)
        found = proving.account(wallet)
    own = found.account
    if as_json:
        amounts = {name: getattr(own, name) for name in ("balance_micro", "held_micro", "debt_micro")} if own else {}
        print_json({"account": wallet.account.hex(), "exists": own is not None, "height": found.height, **amounts})
        return
    facts = {"account": wallet.account.hex(), "exists": "no"}
    if own is not None:
        facts = {
            "account": wallet.account.hex(),
            "balance": f"{watt(own.balance_micro)} WATT",
            "held": f"{watt(own.held_micro)} WATT",
            "debt": f"{watt(own.debt_micro)} WATT",
        }
    print_facts(facts | {"proved": f"after block {found.height}, by {bangkok(found.time_ms)} in Bangkok"})


@contextmanager
def _proving(url: str, witnesses: list[str], trusted: Path) -> "Iterator[ProvingClient]":
    """A client that proves, on the chain that the file is of, or else that the gateway names."""
    from gridtokenx.client.errors import NotProved
    from gridtokenx.client.light import ProvingClient
    from gridtokenx.engine.comet.light_errors import StoreUnusable
    from gridtokenx.engine.comet.light_store import LightStore

    with failures(), ExitStack() as stack:
        client, *others = (stack.enter_context(open_client(one)) for one in (url, *witnesses))
        try:
            store = LightStore(client.status().chain, trusted)
        except StoreUnusable as error:
            raise NotProved(error) from error
        yield ProvingClient(client, store, others)


def _print_block(found: "LightBlock", as_json: bool) -> None:
    from gridtokenx.cli.values import bangkok

    header = found.header
    time_ms = header.time_ns // 1_000_000
    if as_json:
        print_json(
            {
                "chain": header.chain,
                "height": header.height,
                "time_ms": time_ms,
                "hash": found.hash.hex(),
                "app_hash_before": header.app_hash.hex(),
                "validators": len(found.validators.members),
            }
        )
        return
    print_facts(
        {
            "block": str(header.height),
            "time": f"{bangkok(time_ms)} in Bangkok",
            "hash": found.hash.hex(),
            "app hash": f"{header.app_hash.hex()} after block {header.height - 1}",
            "signed": f"by more than two thirds of {len(found.validators.members)} validators",
        }
    )
