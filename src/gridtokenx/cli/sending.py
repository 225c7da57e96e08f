"""How commands sign a transaction and send it, or write it to a file that travels from signer to signer."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridtokenx.cli.connection import open_client, open_keys, open_keystore
from gridtokenx.cli.console import advice_on, out, print_facts, print_json
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.keys import PrivateKey
    from gridtokenx.client.transactions import KeyList
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.ledger.codec import Message

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

Facts = Callable[["TransactionView"], dict[str, str]]
"""What a receipt means, in words."""


@dataclass(frozen=True)
class Sending:
    """Who signs, with which other signers of the account, and where it goes. `propose`: to this file, with its number
    `nonce` (None: the account's next one) and until when it may be sent (`expires`, in Bangkok time; None: some
    minutes from now)."""

    key: list[str]
    keys: Path
    passphrase_file: Path | None
    account: str | None
    url: str
    as_json: bool
    propose: Path | None
    signer: list[str]
    threshold: int | None
    nonce: int | None
    expires: str | None

    def client(self) -> "Client":
        """Of the gateway that it goes to."""
        return open_client(self.url)

    def sender(self) -> bytes:
        """The account that signs; no passphrase is needed to know it."""
        keystore = open_keystore(self.keys)
        return self._account_id() or self._key_list([keystore.public_key(name) for name in self.key]).hash()

    def send(self, client: "Client", message: "Message", facts: Facts = lambda view: {}) -> None:
        """Sign, send, and say what became of it; or write the proposal. Raises the client's errors."""
        mine = open_keys(self.keys, self.key, self.passphrase_file)
        if self.propose is not None:
            self._write(client, mine, message, self.propose)
            return
        print_outcome(client.execute(self._wallet(mine), message), self.as_json, facts)

    def _key_list(self, mine: list[bytes]) -> "KeyList":
        """The account's: keys at hand and those of the others."""
        from gridtokenx.cli.values import hexadecimal
        from gridtokenx.client.transactions import KeyList
        from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES

        others = [hexadecimal(text, PUBLIC_KEY_BYTES, "public key") for text in self.signer]
        public_keys = {*mine, *others}
        return KeyList.of(public_keys, self.threshold or len(public_keys))

    def _account_id(self) -> bytes | None:
        from gridtokenx.cli.values import hexadecimal
        from gridtokenx.ledger.account import ACCOUNT_BYTES

        return None if self.account is None else hexadecimal(self.account, ACCOUNT_BYTES, "account")

    def _wallet(self, mine: "list[PrivateKey]") -> "Wallet":
        """Raises SigningError where more signatures are needed than there are keys at hand."""
        from gridtokenx.client.wallet import Wallet

        return Wallet(mine, self._key_list([key.public_key for key in mine]), self._account_id())

    def _write(self, client: "Client", mine: "list[PrivateKey]", message: "Message", file: Path) -> None:
        """A proposal with the signatures of the keys at hand."""
        from gridtokenx.cli.values import moment_ms
        from gridtokenx.client.ceremony import propose
        from gridtokenx.client.transactions import LIFETIME_MS

        key_list = self._key_list([key.public_key for key in mine])
        now = client.status()
        nonce = self.nonce
        if nonce is None:
            if len(mine) < key_list.threshold:
                raise typer.BadParameter(
                    "name the transaction's number with --nonce: 1 for the account's first one, then one more each "
                    "time (the gateway tells it only to whoever has enough of the account's keys)"
                )
            nonce = client.account(self._wallet(mine)).nonce_highest + 1
        expires_ms = now.time_ms + LIFETIME_MS if self.expires is None else moment_ms(self.expires, now.time_ms)
        sender = self._account_id() or key_list.hash()
        proposal = propose(now.chain, sender, nonce, expires_ms, [message], key_list)
        for key in mine:
            proposal = proposal.sign(key)
        proposal.write(file)
        print_json(proposal.describe())
        out.print(still_missing(proposal.missing), highlight=False, soft_wrap=True)


def _options(
    *,
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
    """What every command that signs takes."""


def signs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options by which transactions are signed and sent; it gets them as its argument `sending`."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        sending = Sending(**{field.name: given.pop(field.name) for field in fields(Sending)})
        if sending.propose is None and (sending.nonce or sending.expires):
            raise typer.BadParameter("--nonce and --expires are for a proposal: add --propose FILE")
        command(**given, sending=sending)

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "sending"]
    shared = inspect.signature(_options).parameters.values()
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared)]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in keywords}
    return run


def still_missing(count: int) -> str:
    """What to do next with a proposal."""
    if count:
        return f"{count} more needed: pass the file on; `gridtokenx tx sign` adds one."
    return "All signatures are there: `gridtokenx tx send` sends it."


def print_outcome(view: "TransactionView", as_json: bool, facts: Facts = lambda view: {}) -> None:
    """Ends with 1 if the ledger refused it."""
    from msgspec import to_builtins

    known = {} if view.code or view.height is None else facts(view)
    if as_json:
        print_json(to_builtins(view) | known)
    else:
        lines = {"transaction": view.id, "state": view.state}
        if view.height is not None:
            lines |= {"code": f"{view.name} ({view.code})", "block": str(view.height)}
        print_facts(lines | known)
        if view.code:
            out.print(advice_on(view.name or ""), highlight=False, soft_wrap=True)
    if view.code:
        raise typer.Exit(1)
