"""`gridtokenx signer`: a validator's key apart from its nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import folder_failures, out, print_facts, print_json, refuse
from gridtokenx.cli.options import AsJson

if TYPE_CHECKING:
    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.guard import Signed
    from gridtokenx.signer.keys import KeyPlace

DEFAULT_SIGNER = Path("signer")
NOT_RUNNING = 1

app = typer.Typer(help="A validator's key apart from its nodes, also in hardware.", no_args_is_help=True)

SignerData = Annotated[Path, typer.Option("--data", help="The signer's folder; nothing is written outside it.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="CometBFT's priv_validator_key.json; it is copied.")]
Library = Annotated[Path | None, typer.Option("--pkcs11", help="Library of the hardware, such as libsofthsm2.so.")]
Token = Annotated[str, typer.Option("--token", help="Label of the hardware's token.")]
Label = Annotated[str, typer.Option("--label", help="Label of the key in the token.")]
PinFile = Annotated[
    Path | None, typer.Option("--pin-file", help="File with the token's PIN; else GRIDTOKENX_SIGNER_PIN has it.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a new key, in the token or in a file.")]
State = Annotated[
    Path | None, typer.Option("--state", help="priv_validator_state.json: what this key has signed last.")
]
Above = Annotated[
    int | None,
    typer.Option("--above", min=0, help="Sign nothing up to this height; 0 for a key that has never signed."),
]


@app.command()
def init(
    chain: Annotated[str, typer.Option(help="Name of the chain: a key signs for one.")],
    data: SignerData = DEFAULT_SIGNER,
    key: KeyFile = None,
    pkcs11: Library = None,
    token: Token = "",
    label: Label = "",
    pin_file: PinFile = None,
    generate: Generate = False,
    state: State = None,
    above: Above = None,
) -> None:
    """Make a signer, with a new key or with one that is there."""
    from gridtokenx.signer.folder import create_signer

    place = _place(key, pkcs11, token, label, pin_file, generate=generate)
    with folder_failures():
        made = create_signer(data, chain, place, _signed(chain, state, above, generate=generate), generate=generate)
    print_facts({"public key": made})
    if key is not None:
        out.print(f"Delete {key} now: a key in two places signs twice.", highlight=False, soft_wrap=True)
    out.print("Then: gridtokenx node init --signer PUBLIC_KEY, and gridtokenx signer run", highlight=False)


@app.command()
def run(
    nodes: Annotated[
        list[Path], typer.Option("--node", help="Socket at which a node waits: its folder's run/signer.sock.")
    ],
    data: SignerData = DEFAULT_SIGNER,
    lease_seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="A node that is silent for so long loses the lease.")
    ] = 4.0,
) -> None:
    """Sign for these nodes, one at a time. Ctrl-C stops it; nothing is lost."""
    import asyncio
    import logging

    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.server import Signer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with folder_failures():
        signer = Signer(SignerFolder(data), nodes, lease_seconds)
    asyncio.run(signer.run())


@app.command()
def status(data: SignerData = DEFAULT_SIGNER, as_json: AsJson = False) -> None:
    """Show key, last signature, lease, nodes, refusals, times. Exit code 1 when the signer does not run."""
    from gridtokenx.engine.control import NobodyThere, ask
    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.guard import read_guard
    from gridtokenx.signer.server import describe

    folder = SignerFolder(data)
    with folder_failures():
        config = folder.read()
        try:
            found = ask(folder.socket, {"do": "status"})
        except NobodyThere:
            key = bytes.fromhex(config.key.public_key)
            last = read_guard(folder.guard(config.key.public_key), config.chain, key)
            staged = folder.read_next()
            found = describe(config.chain, key, last.place) | {
                "running": False,
                "next_key": staged.public_key if staged else None,
            }
    if as_json:
        print_json(found)
    else:
        nodes = found.pop("nodes", [])
        refused = found.pop("refused", {})
        print_facts({name.replace("_", " "): "-" if value is None else value for name, value in found.items()})
        print_facts({f"refused, {name}": count for name, count in sorted(refused.items())})
        print_facts({node["socket"]: "connected" if node["connected"] else "away" for node in nodes})
    if not found["running"]:
        raise typer.Exit(NOT_RUNNING)


@app.command()
def rotate(
    data: SignerData = DEFAULT_SIGNER,
    key: KeyFile = None,
    pkcs11: Library = None,
    token: Token = "",
    label: Label = "",
    pin_file: PinFile = None,
    generate: Generate = False,
    state: State = None,
    above: Above = None,
) -> None:
    """Stage the key that comes next. `signer switch` changes to it, when the chain knows it."""
    from gridtokenx.signer.folder import SignerFolder, stage_key

    place = _place(key, pkcs11, token, label, pin_file, generate=generate)
    with folder_failures():
        folder = SignerFolder(data)
        signed = _signed(folder.read().chain, state, above, generate=generate)
        staged = stage_key(folder, place, signed, generate=generate)
    print_facts({"next public key": staged})
    out.print("Tell the chain of it; when it votes from the next block on: gridtokenx signer switch", highlight=False)


@app.command()
def switch(data: SignerData = DEFAULT_SIGNER) -> None:
    """Change to the staged key, whether the signer runs or not."""
    from gridtokenx.engine.control import NobodyThere, Refused, ask
    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.keyring import Keyring

    folder = SignerFolder(data)
    with folder_failures():
        folder.read()
        try:
            key = ask(folder.socket, {"do": "switch"})["public_key"]
        except Refused as refusal:
            refuse(str(refusal), code=2)
        except NobodyThere:
            with _held(folder):
                key = Keyring(folder).switch().hex()
    print_facts({"public key": key})


@app.command()
def recover(
    above: Annotated[int, typer.Option("--above", min=1, help="Sign nothing up to this height.")],
    data: SignerData = DEFAULT_SIGNER,
) -> None:
    """Begin anew above a height, for each key of which it was lost or damaged what it has signed last.

    Give a height above everything that the key may have signed: one that the chain reaches later than now, while no
    node that this key votes for has run. Whoever gives too small a one may sign twice, and lose the validator's place.
    """
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.guard import nothing_up_to, read_guard, write_guard

    folder, mended = SignerFolder(data), []
    with folder_failures(), _held(folder):
        config = folder.read()
        for place in filter(None, (config.key, config.old_key, folder.read_next())):
            file, key = folder.guard(place.public_key), bytes.fromhex(place.public_key)
            try:
                read_guard(file, config.chain, key)
            except FolderUnusable:
                write_guard(file, config.chain, key, nothing_up_to(above))
                mended.append(place.public_key)
    if not mended:
        refuse("What each key has signed last is there, and whole: there is nothing to recover.", code=2)
    print_facts({"public key": ", ".join(mended), "signs above height": above})


@contextmanager
def _held(folder: "SignerFolder") -> Iterator[None]:
    lock = folder.lock()
    try:
        yield
    finally:
        lock.release()


def _place(
    key: Path | None, pkcs11: Path | None, token: str, label: str, pin_file: Path | None, *, generate: bool
) -> "KeyPlace":
    """Where the options say that the key is. Ends with 2 if they say no one place."""
    from gridtokenx.signer.keys import KeyPlace

    if pkcs11 is not None:
        if key is not None or not token or not label:
            refuse("A key in hardware needs --pkcs11, --token and --label, and no --key.", code=2)
        pin = str(pin_file.resolve()) if pin_file else ""
        return KeyPlace("pkcs11", library=str(pkcs11), token=token, label=label, pin_file=pin)
    if (key is None) != generate or token or label or pin_file:
        refuse("Give --key FILE, or --generate for a new key in a file, or --pkcs11, --token and --label.", code=2)
    return KeyPlace("file", file=str(key.resolve()) if key else "")


def _signed(chain: str, state: Path | None, above: int | None, *, generate: bool) -> "Signed":
    """What the key has signed last. Ends with 2 if the options do not say it."""
    from gridtokenx.signer.folder import read_comet_state
    from gridtokenx.signer.guard import Signed, nothing_up_to

    if generate and (state is not None or above):
        refuse("A new key has signed nothing: leave --state and --above away.", code=2)
    if generate:
        return Signed()
    if (state is None) == (above is None):
        refuse(
            "Say what this key has signed so far, or it may sign twice: --state priv_validator_state.json of the node "
            "that had it (stopped for good), or --above HEIGHT; --above 0 for a key that has never signed.",
            code=2,
        )
    return read_comet_state(state, chain) if state is not None else nothing_up_to(above or 0)
