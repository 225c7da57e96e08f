"""`gridtokenx consortium`: organisations describe themselves, sign, and begin a chain together."""

import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gridtokenx.cli.connection import open_keys
from gridtokenx.cli.console import err, failures, folder_failures, out, print_facts, print_json, refuse, write_new
from gridtokenx.cli.options import DEFAULT_DATA, DEFAULT_KEYS, AsJson, Keys, PassphraseFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gridtokenx.operations.consortium.checks import Problem
    from gridtokenx.operations.consortium.manifest import Examined
    from gridtokenx.operations.consortium.organisation import Organisation
    from gridtokenx.operations.network.card import NodeCard

SHIPPED = Path(__file__).resolve().parents[3] / "consortia"
"""The folder beside the sources; an installation without sources names folders instead."""

WIDTH_OF_A_FILE = 160
"""Where output goes that is no terminal."""

app = typer.Typer(help="Begin the chain of a consortium: every organisation signs its own file.", no_args_is_help=True)

FileName = Annotated[Path, typer.Argument(help="The organisation's file.", metavar="FILE")]
Files = Annotated[list[Path], typer.Argument(help="The files of all organisations.", metavar="FILE...")]
NodeFolder = Annotated[
    Path | None, typer.Option("--node", help="Folder of the organisation's node, as `gridtokenx node init` makes it.")
]
Only = Annotated[str, typer.Option("--members", help="Only these, with commas between: egat,mea,pea,erc.")]


@app.command()
def draft(
    to: Annotated[Path, typer.Option("--to", help="File to be made.")] = Path("organisation.toml"),
    node: NodeFolder = None,
    name: Annotated[str | None, typer.Option(help="Short name, as egat: for a node that is made now.")] = None,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of the node for the others: for one that is made now.")
    ] = None,
    chain: Annotated[str | None, typer.Option(help="Name of the chain that is to begin.")] = None,
    legal_name: Annotated[str | None, typer.Option(help="As registered, in English.")] = None,
    legal_name_th: Annotated[str | None, typer.Option(help="As registered, in Thai.")] = None,
    tax_id: Annotated[str | None, typer.Option(help="13 digits.")] = None,
    group: Annotated[str | None, typer.Option(help="grid, trade, finance, regulation or technology.")] = None,
    tier: Annotated[str | None, typer.Option(help="primary, secondary, technical or emergency.")] = None,
    zone: Annotated[str | None, typer.Option(help="Where the node stands: Bangkok, Central, North ...")] = None,
    stake: Annotated[int | None, typer.Option(min=0, help="WATT that it puts in.")] = None,
    officers: Annotated[
        list[str], typer.Option("--officer", help="Public key of an officer (`keys show`), or name of a key here.")
    ] = [],  # noqa: B006 - typer copies it
    threshold: Annotated[int | None, typer.Option(min=1, help="How many officers sign for it.")] = None,
    documents: Annotated[
        list[Path], typer.Option("--document", help="A paper that others have seen: its hash goes into the file.")
    ] = [],  # noqa: B006
    keys: Keys = DEFAULT_KEYS,
) -> None:
    """Describe an organisation in a file that its officers sign. What no option says is asked for."""
    from gridtokenx.operations.consortium.organisation import FORMAT, Organisation, describe, documents_of

    with consortium_failures(), folder_failures():
        if to.exists():
            refuse(f"{to} exists already", "Choose another name with --to: nothing is overwritten.", code=2)
        folder = node or Path(_asked(None, "--node", "Folder of its node", str(DEFAULT_DATA)))
        values: dict[str, Any] = {
            "format": FORMAT,
            "chain": _asked(chain, "--chain", "Name of the chain"),
            "legal_name": _asked(legal_name, "--legal-name", "Legal name, in English"),
            "legal_name_th": _asked(legal_name_th, "--legal-name-th", "Legal name, in Thai"),
            "tax_id": _asked(tax_id, "--tax-id", "Tax id, 13 digits"),
            "group": _asked(group, "--group", "Group (grid, trade, finance, regulation, technology)"),
            "tier": _asked(tier, "--tier", "Tier (primary, secondary, technical, emergency)"),
            "zone": _asked(zone, "--zone", "Zone where its node stands"),
            "stake_watt": _whole(_asked(stake, "--stake", "Stake in WATT")),
        }
        named = officers or _asked(None, "--officer", "Officers: public keys or names, with spaces between").split()
        values["keys"] = sorted(_public_key(keys, each) for each in named)
        values["threshold"] = _whole(_asked(threshold, "--threshold", "How many of them sign"))
        papers = documents or [Path(each) for each in _asked(None, "--document", "Papers (files)").split()]
        values["documents"] = documents_of(papers)
        description = describe(values, lambda: _card(folder, name, address))
        organisation = Organisation(description, {})
    write_new(to, organisation.toml(), 0o644)
    _show_file(organisation)
    out.print(
        f"Read {to}, then sign it: gridtokenx consortium sign {to} --key NAME --node {folder}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def sign(
    file: FileName,
    names: Annotated[list[str], typer.Option("--key", help="Name of an officer's key that signs; repeatable.")] = [],  # noqa: B006
    node: NodeFolder = None,
    consensus_file: Annotated[
        Path | None,
        typer.Option("--consensus-key", help="File of the key that votes, where it is not in the node's folder."),
    ] = None,
    signatures: Annotated[
        list[str],
        typer.Option("--signature", help="KEY:SIGNATURE in hexadecimal digits, made by hardware out of --bytes."),
    ] = [],  # noqa: B006
    bytes_to: Annotated[
        Path | None, typer.Option("--bytes", help="File to be made of the bytes that are signed; signs nothing.")
    ] = None,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Add signatures to an organisation's file: of officers (--key), and of its node (--node)."""
    from gridtokenx.engine.folder import replace_durably
    from gridtokenx.operations.consortium.node_keys import consensus_key, node_keys
    from gridtokenx.operations.consortium.organisation import read_organisation

    if not (names or node or consensus_file or signatures or bytes_to):
        refuse("nobody signs", "Give --key for an officer, --node for the organisation's node, or both.", code=2)
    with consortium_failures(), folder_failures(), failures():
        organisation = read_organisation(file)
        _show_file(organisation)
        if bytes_to is not None:
            write_new(bytes_to, organisation.description.signed_bytes(), 0o644)
            return
        signers = [*open_keys(keys, names, passphrase_file)]
        signers += node_keys(node) if node is not None else []
        signers += [consensus_key(consensus_file)] if consensus_file is not None else []
        signed = organisation.signed_with(signers)
        for text in signatures:
            key, _, signature = text.partition(":")
            signed = signed.with_signature(bytes.fromhex(key), bytes.fromhex(signature))
        replace_durably(file, signed.toml())
    description = signed.description
    officers = sum(signed.has_signed(key) for key in description.officers)
    print_facts(
        {
            "officers who signed": f"{officers}, {description.threshold} are needed",
            "node": "has signed" if all(map(signed.has_signed, description.node_keys.values())) else "has not signed",
        }
    )


@app.command()
def check(
    files: Files,
    terms: Annotated[
        Path | None, typer.Option(help="The terms: without them each file by itself, and doubles.")
    ] = None,
    chain: Annotated[str, typer.Option(help="Name of the chain that all must have signed for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look at organisations' files, and say everything that is wrong with them. Ends with 1 if something is."""
    from gridtokenx.operations.consortium.checks import check_files, read_files
    from gridtokenx.operations.consortium.terms import parse_terms, read_terms

    with consortium_failures():
        agreed = parse_terms(read_terms(terms)) if terms is not None else None
        contents, unreadable = read_files(files)
        findings = check_files(contents, agreed, chain)
    problems = [*unreadable, *findings.problems]
    if as_json:
        print_json({"files": len(files), "problems": [problem._asdict() for problem in problems]})
    else:
        _say(problems)
    if problems:
        raise typer.Exit(1)
    if not as_json:
        out.print(f"{len(files)} files: nothing is wrong with them.", highlight=False, soft_wrap=True)


@app.command("init")
def make(
    files: Files,
    terms: Annotated[Path, typer.Option(help="The terms that everybody has.")],
    chain: Annotated[str, typer.Option(help="Name of the chain, as in the files.")],
    to: Annotated[Path, typer.Option("--out", help="Folder to be made.")],
    scenario: Annotated[str, typer.Option(help="Name or folder of a scenario, if not that of the terms.")] = "",
    sites: Annotated[
        Path | None,
        typer.Option(
            help="Folder to be made for the scenario's simulated homes: development keys then hold the offices."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the network's file out of all organisations' files: everybody makes the same bytes. Compare the hash."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.operations.consortium.ceremony import make_consortium
    from gridtokenx.operations.consortium.checks import read_files
    from gridtokenx.operations.consortium.manifest import examine, write_consortium
    from gridtokenx.operations.consortium.terms import parse_terms, read_terms
    from gridtokenx.simulation.market_folder import MarketFolder
    from gridtokenx.simulation.moved import first_state

    with consortium_failures(), folder_failures():
        for option, path in (("--out", to), ("--sites", sites)):
            if path is not None and path.exists():
                raise FolderUnusable(f"{path} exists already: choose another name for {option}")
        content = read_terms(terms)
        contents, unreadable = read_files(files)
        if unreadable:
            _refuse_all(unreadable)
        place = find_scenario(scenario or parse_terms(content).scenario)
        market = None
        if sites is not None:
            market = MarketFolder(sites)
        made = make_consortium(contents, content, place, chain, homes_in=market.scenario if market else None)
        if market is not None and made.homes is not None:
            market.path.chmod(0o700)
            market.write_companions(made.homes)
            market.save_driver_state(first_state(made.scenario, made.homes))
        examined = examine(made.bundle)
        write_consortium(to, made.bundle, examined.manifest)
    _show_bundle(examined, as_json=as_json)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="The folder that `init` made, or a network.zip.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Show the members, their powers, and the hash that is compared; look whether they are what was signed."""
    from gridtokenx.operations.consortium.manifest import examine_path

    with consortium_failures():
        examined = examine_path(path)
    _show_bundle(examined, as_json=as_json)
    if examined.problems:
        raise typer.Exit(1)


@app.command()
def example(
    name: Annotated[str, typer.Argument(help="Name or folder of a consortium: `thailand` is shipped.")],
    to: Annotated[Path, typer.Option("--out", help="Folder to be made.")],
    chain: Annotated[str, typer.Option(help="Name of the chain; gridtokenx-NAME without it.")] = "",
    begins: Annotated[
        datetime | None, typer.Option(help="Time of block 0, in UTC; without it that of the example.")
    ] = None,
    members: Only = "",
) -> None:
    """Play all organisations of an example: make their keys, and let each sign its own file."""
    from datetime import UTC

    from gridtokenx.operations.consortium.example import play

    changes = {} if begins is None else {"begins": begins.replace(tzinfo=UTC)}
    with consortium_failures(), folder_failures():
        source = find_consortium(name)
        files = play(source, to, chain or f"gridtokenx-{source.name}", split_names(members), changes)
    print_facts({"organisations": len(files), "terms": to / "terms.toml", "files": f"{to}/*/organisation.toml"})
    out.print(
        f"Then: gridtokenx consortium init {to}/*/organisation.toml --terms {to}/terms.toml "
        f"--chain {chain or f'gridtokenx-{source.name}'} --out DIR",
        highlight=False,
        soft_wrap=True,
    )


def find_consortium(text: str) -> Path:
    """The folder of a consortium that can be played: a path as it stands, else the name of a shipped one.

    Raises `ExampleUnusable` that lists the shipped ones.
    """
    from gridtokenx.operations.consortium.example import ORGANISATIONS, ExampleUnusable

    for folder in (Path(text), SHIPPED / text):
        if (folder / ORGANISATIONS).is_file():
            return folder.resolve()
    shipped = ", ".join(sorted(path.parent.name for path in SHIPPED.glob(f"*/{ORGANISATIONS}")))
    raise ExampleUnusable(f"there is no consortium '{text}': give a folder that holds {ORGANISATIONS}, or {shipped}")


def split_names(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _asked(value: Any, option: str, question: str, default: str | None = None) -> Any:
    """What an option says, else the answer of who sits there."""
    if value is not None:
        return value
    if not sys.stdin.isatty():
        if default is not None:
            return default
        refuse(f"{question}: nobody is there to be asked", f"Give {option}.", code=2)
    return str(typer.prompt(question, default=default, err=True)).strip()


def _whole(value: Any) -> int:
    """A whole number that was typed. Raises ValueError."""
    text = str(value).replace(",", "").replace("_", "")
    if not text.isdecimal() or len(text) > len(str(10**12)):
        raise ValueError(f"'{value}' is no whole number")
    return int(text)


def _public_key(keys: Path, text: str) -> str:
    """Of an officer: its digits, or those of a key here. Raises ValueError."""
    import re

    from gridtokenx.cli.connection import open_keystore

    if re.fullmatch("[0-9a-f]{64}", text):
        return text
    with failures():
        return open_keystore(keys).public_key(text).hex()


def _card(folder: Path, name: str | None, address: str | None) -> "NodeCard":
    """Of the node in the folder; one is made if there is none."""
    from gridtokenx.operations.network.card import read_card
    from gridtokenx.operations.network.node_folder import CARD, create_node

    if (folder / CARD).is_file():
        if name is not None or address is not None:
            refuse(
                f"there is a node in {folder} already", "Leave out --name and --address: its card says both.", code=2
            )
        return read_card(folder / CARD)
    short = _asked(name, "--name", "Short name of the organisation: small letters, digits, hyphens")
    return create_node(folder, short, _asked(address, "--address", "HOST:PORT at which the others reach its node"))


def _show_file(organisation: "Organisation") -> None:
    description = organisation.description
    print_facts(
        {
            "chain": description.chain,
            "organisation": f"{description.name}: {description.legal_name}, {description.legal_name_th}",
            "tax id": description.tax_id,
            "group, tier, zone": f"{description.group}, {description.tier}, {description.zone}",
            "stake": f"{description.stake_watt:,} WATT",
            "officers": f"{description.threshold} of {len(description.keys)} sign",
            "node": description.peer,
        }
        | {f"document {each.name}": each.sha256 for each in description.documents}
    )


def _show_bundle(examined: "Examined", *, as_json: bool) -> None:
    import msgspec

    from gridtokenx.operations.consortium.manifest import aloud

    manifest = examined.manifest
    if as_json:
        print_json(msgspec.to_builtins(manifest) | {"problems": examined.problems})
        return
    table = Table(box=None)
    headings = ("name", "legal name", "group", "tier", "zone", "power", "officers", "node id", "address")
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading == "power" else "left")
    for seat in manifest.members:
        table.add_row(
            *(seat.name, f"{seat.legal_name}\n{seat.legal_name_th}", seat.group, seat.tier, seat.zone),
            *(str(seat.power), seat.officers, seat.node, seat.peer.partition("@")[2]),
        )
    wide = out if out.is_terminal else Console(width=WIDTH_OF_A_FILE)
    wide.print(table)
    print_facts({"chain": manifest.chain, "begins": manifest.begins, "app hash": manifest.app_hash})
    if manifest.sandbox:
        out.print("A sandbox: development keys hold offices. Nothing of worth may be on this chain.", soft_wrap=True)
    for sentence in examined.problems:
        err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    out.print("\nCompare aloud, each organisation for itself:", highlight=False)
    for line in aloud(manifest.network_sha256):
        out.print(f"  {line}", highlight=False)


def _say(problems: "Sequence[Problem]") -> None:
    for problem in problems:
        err.print(str(problem), style="red", markup=False, highlight=False, soft_wrap=True)


def _refuse_all(problems: "Sequence[Problem]") -> None:
    _say(problems)
    err.print("Nothing was made: mend these, then do it again.", highlight=False)
    raise typer.Exit(2)


@contextmanager
def consortium_failures() -> "Iterator[None]":
    """Files, terms and bundles that do not fit."""
    from gridtokenx.operations.consortium.ceremony import CeremonyRefused
    from gridtokenx.operations.consortium.example import ExampleUnusable
    from gridtokenx.operations.consortium.organisation import OrganisationUnusable
    from gridtokenx.operations.consortium.terms import TermsUnusable
    from gridtokenx.operations.network.bundle import BundleUnusable
    from gridtokenx.operations.network.card import CardUnusable

    try:
        yield
    except CeremonyRefused as refused:
        _refuse_all(refused.problems)
    except (OrganisationUnusable, TermsUnusable, ExampleUnusable) as error:
        refuse(str(error), "docs/consortium.md says what can be written there.", code=2)
    except (BundleUnusable, CardUnusable, ValueError) as error:
        refuse(str(error), "`--help` says what can be given.", code=2)
