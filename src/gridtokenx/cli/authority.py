"""`gridtokenx authority`: who runs the chain, and what its members do: apply, vouch, propose, vote, replace keys.

An account of a member often needs several signatures. All commands that sign take the same options: keys at hand with
`--key` several times, those of others with `--signer` and `--threshold`, or a file that travels with `--propose`
(`gridtokenx tx sign`, `gridtokenx tx send`).
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import open_client
from gridtokenx.cli.console import err, failures, folder_failures, out, print_facts, print_json
from gridtokenx.cli.options import DEFAULT_URL, AsJson, Url
from gridtokenx.cli.sending import Sending, signs

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.engine.folder import NodeKey
    from gridtokenx.gateway.authority_documents import TermsOfConsortium
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.ledger.codec import Record
    from gridtokenx.modules.authority.state import ConsortiumTerms
    from gridtokenx.signer.keys import Key

app = typer.Typer(help="Who runs the chain: members, votes, keys.", no_args_is_help=True)
propose_app = typer.Typer(help="Propose something for members to vote on.", no_args_is_help=True)
rotate_app = typer.Typer(help="Replace a key of one's own node; the new key signs.", no_args_is_help=True)
app.add_typer(propose_app, name="propose")
app.add_typer(rotate_app, name="rotate")

MemberText = Annotated[str, typer.Argument(help="Id of the member (16 hexadecimal digits), or its name.")]
NodeKeyFile = Annotated[Path, typer.Option("--node-key", help="The node's data folder, or its file node.key.")]
ConsensusKeyFile = Annotated[
    Path,
    typer.Option("--consensus-key", help="CometBFT's file priv_validator_key.json of the node, or a signer's folder."),
]


class GroupName(StrEnum):
    """Under the names of the ledger's `Group`."""

    GRID = "grid"
    TRADE = "trade"
    FINANCE = "finance"
    REGULATION = "regulation"
    TECHNOLOGY = "technology"


class TierName(StrEnum):
    """Under the names of the ledger's `Tier`."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    TECHNICAL = "technical"
    EMERGENCY = "emergency"


class Choice(StrEnum):
    """Of a vote."""

    YES = "yes"
    NO = "no"


class ProposalState(StrEnum):
    """Which proposals are shown."""

    OPEN = "open"
    DECIDED = "decided"
    ALL = "all"


@app.command()
def status(
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days of availability.")] = 7,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Members, votes, reputation, open proposals, and the availability of each and of the network."""
    from msgspec import to_builtins

    from gridtokenx.cli.authority_view import print_status

    with failures(), open_client(url) as client:
        view, served, proposed = client.authorities(), client.availability(limit=days), client.proposals("open")
    if as_json:
        print_json(
            {
                "authorities": to_builtins(view),
                "availability": to_builtins(served),
                "proposals": to_builtins(proposed),
            }
        )
    else:
        print_status(view, served, proposed)


@app.command()
def show(member: MemberText, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """One member, with its documents and what is proved against it."""
    from gridtokenx.cli.authority_view import member_facts

    with failures(), open_client(url) as client:
        view = client.authority(_member_id(client, member))
    print_json(view) if as_json else print_facts(member_facts(view))


@app.command()
def powers(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Which tier may do what, who votes on it, and what share carries it."""
    from gridtokenx.cli.authority_view import powers_table

    with failures(), open_client(url) as client:
        view = client.authorities()
    if as_json:
        print_json(view.powers)
    elif view.powers:
        out.print(powers_table(view.powers))
    else:
        err.print("This chain has no consortium: an office sets its nodes and validators.", soft_wrap=True)


@app.command()
def proposals(
    state: Annotated[ProposalState, typer.Option(help="open, decided or all.")] = ProposalState.OPEN,
    before: Annotated[int | None, typer.Option(min=1, help="Only those with a smaller number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 20,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What members propose, with the votes by name; newest first."""
    from gridtokenx.cli.authority_view import print_proposals

    wanted = None if state is ProposalState.ALL else state.value
    with failures(), open_client(url) as client:
        page = client.proposals(wanted, before, limit)
    if as_json:
        print_json(page)
        return
    print_proposals(page, "There are none.")
    if page.next:
        out.print(f"Earlier ones: --before {page.next}", highlight=False)


@app.command()
@signs
def apply(
    name: Annotated[str, typer.Argument(help="Name of the organisation, as in its documents.")],
    tax_id: Annotated[str, typer.Option("--tax-id", help="Its thirteen digits.")],
    group: Annotated[GroupName, typer.Option(help="What it is in the market.")],
    tier: Annotated[TierName, typer.Option(help="Which powers it asks for: `gridtokenx authority powers`.")],
    zone: Annotated[int, typer.Option(min=0, max=65_535, help="Bidding zone in which its node stands.")],
    node_key: NodeKeyFile,
    consensus_key: ConsensusKeyFile,
    document: Annotated[
        list[Path], typer.Option("--document", help="A document that shows who it is; its hash goes to the chain.")
    ],
    stake: Annotated[str | None, typer.Option(help="WATT that are held; by default what the terms ask for.")] = None,
    *,
    sending: Sending,
) -> None:
    """Ask to become a member. The node's two keys sign the application, the account's keys sign the transaction."""
    from hashlib import sha256

    from gridtokenx.cli.values import amount_micro
    from gridtokenx.ledger.batch import NODE_ID_BYTES
    from gridtokenx.modules.authority.messages import Apply, Group, Tier, signed_application
    from gridtokenx.modules.authority.taxid import is_tax_id

    if not is_tax_id(tax_id):
        raise typer.BadParameter(f"{tax_id!r} is no tax id: thirteen digits, of which the last checks the others")
    node, consensus = _node_key(node_key), _consensus_key(consensus_key)
    node_id = sha256(node.public_key).digest()[:NODE_ID_BYTES]
    with failures(), sending.client() as client:
        stake_micro = _terms(client).stake_micro if stake is None else amount_micro(stake)
        hashes = tuple(sha256(file.read_bytes()).digest() for file in document)
        own = client.public_account(sending.sender()).participant
        if own is None:
            raise typer.BadParameter("the chain does not know the account of these keys: its registrar opens accounts")
        member = bytes.fromhex(own)
        said = signed_application(member, tax_id, node_id, node.public_key, consensus.public_key)
        message = Apply(
            member,
            name,
            tax_id,
            int(Group[group.name]),
            int(Tier[tier.name]),
            zone,
            node_id,
            node.public_key,
            consensus.public_key,
            hashes,
            stake_micro,
            node.sign(said),
            consensus.sign(said),
        )
        sending.send(client, message, lambda view: {"node": node_id.hex()})


@app.command()
@signs
def attest(member: MemberText, sending: Sending) -> None:
    """Say that one saw a candidate's documents, and that it is who it says it is."""
    from gridtokenx.modules.authority.messages import Attest

    with failures(), sending.client() as client:
        sending.send(client, Attest(_member_id(client, member)))


@app.command()
@signs
def endorse(member: MemberText, sending: Sending) -> None:
    """Say that a candidate should come."""
    from gridtokenx.modules.authority.messages import Endorse

    with failures(), sending.client() as client:
        sending.send(client, Endorse(_member_id(client, member)))


@app.command()
@signs
def withdraw(sending: Sending) -> None:
    """Take one's application back, or leave. The stake of who leaves stays held for the time of an appeal."""
    from gridtokenx.modules.authority.messages import Withdraw

    with failures(), sending.client() as client:
        sending.send(client, Withdraw())


@app.command()
@signs
def vote(
    number: Annotated[int, typer.Argument(min=1, help="Number of the proposal: `gridtokenx authority proposals`.")],
    choice: Annotated[Choice, typer.Argument(help="yes or no.")],
    sending: Sending,
) -> None:
    """Vote on a proposal, once."""
    from gridtokenx.modules.authority.messages import Vote

    with failures(), sending.client() as client:
        sending.send(client, Vote(number, choice is Choice.YES), _outcome)


@app.command()
@signs
def observe(member: MemberText, node_key: NodeKeyFile, sending: Sending) -> None:
    """Name the newest checkpoint for a candidate's or reserve's node, by hand: nodes do it by themselves. The node's
    key signs what this gateway says, so ask the node's own (--url)."""
    from gridtokenx.modules.authority.words import observation

    key = _node_key(node_key)
    with failures(), sending.client() as client:
        name, step = _member_id(client, member), _terms(client).checkpoint_blocks
        # A checkpoint is known from the block after it.
        height = (client.status().height - 1) // step * step
        if height == 0:
            raise typer.BadParameter(f"there is no checkpoint before block {step}: wait for it")
        header_hash = bytes.fromhex(client.block(height).hash)
        message = observation(name, height, header_hash, key)
        sending.send(
            client, message, lambda view: {"checkpoint": str(height), "observed_blocks": str(view.results[0][0])}
        )


@propose_app.command("admit")
@signs
def propose_admit(member: MemberText, sending: Sending) -> None:
    """Let a candidate in."""
    _propose(sending, "ADMIT", member)


@propose_app.command("remove")
@signs
def propose_remove(member: MemberText, sending: Sending) -> None:
    """Let a member go."""
    _propose(sending, "REMOVE", member)


@propose_app.command("reinstate")
@signs
def propose_reinstate(member: MemberText, sending: Sending) -> None:
    """Take a suspended member back; a penalty that was not taken yet is its stake again."""
    _propose(sending, "REINSTATE", member)


@propose_app.command("freeze")
@signs
def propose_freeze(sending: Sending) -> None:
    """Stop the market in an emergency."""
    _propose(sending, "FREEZE")


@propose_app.command("resume")
@signs
def propose_resume(sending: Sending) -> None:
    """Let the market go on."""
    _propose(sending, "RESUME")


@propose_app.command("replace")
@signs
def propose_replace(
    member: MemberText,
    new_account: Annotated[str, typer.Option("--new-account", help="Account that speaks for the member from then on.")],
    new_node_key: Annotated[str, typer.Option("--new-node-key", help="Its node's new public key.")],
    new_consensus_key: Annotated[str, typer.Option("--new-consensus-key", help="Its new public key for votes.")],
    sending: Sending,
) -> None:
    """Give a member that lost its keys new ones."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.authority.messages import Replacement

    value = Replacement(
        hexadecimal(new_account, 32, "account"),
        hexadecimal(new_node_key, 32, "public key"),
        hexadecimal(new_consensus_key, 32, "public key"),
    )
    _propose(sending, "REPLACE", member, value)


@propose_app.command("license")
@signs
def propose_license(
    node: Annotated[str, typer.Argument(help="Id of a node that is no member's: 16 hexadecimal digits.")],
    public_key: Annotated[str, typer.Option("--public-key", help="The node's public key.")],
    revoke: Annotated[bool, typer.Option("--revoke", help="It may not sign batches any more.")] = False,
    *,
    sending: Sending,
) -> None:
    """Let a node that is no member's sign batches, or stop it."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.authority.messages import NodeLicence

    value = NodeLicence(hexadecimal(public_key, 32, "public key"), not revoke)
    subject = hexadecimal(node, 8, "node")
    with failures(), sending.client() as client:
        _send_proposal(client, sending, "LICENSE", subject, value)


@propose_app.command("terms")
@signs
def propose_terms(
    changes: Annotated[
        list[str], typer.Argument(help="What changes, such as vote_ms=172800000 or group_seats=6,6,4,3,2.")
    ],
    sending: Sending,
) -> None:
    """Change the consortium's terms; what is not named stays as it is."""
    from gridtokenx.ledger.errors import Rejected
    from gridtokenx.modules.authority.terms import check_terms

    with failures(), sending.client() as client:
        value = _changed(_terms(client), changes)
        try:
            check_terms(value)
        except Rejected as rejected:
            raise typer.BadParameter(f"{rejected.field} is out of its bounds, or does not fit the others") from None
        _send_proposal(client, sending, "SET_TERMS", b"", value)


@rotate_app.command("node")
@signs
def rotate_node(
    new_key: Annotated[
        Path,
        typer.Option(
            "--new-key", help="The node's data folder: its next key is made there, and counts when the chain has it."
        ),
    ],
    member: Annotated[str, typer.Option("--member", help="One's own member: its id, or its name.")],
    sending: Sending,
) -> None:
    """Replace the key with which one's node signs batches. The running node takes it by itself."""
    _rotate(sending, "NODE", member, _next_node_key(new_key))


@rotate_app.command("consensus")
@signs
def rotate_consensus(
    new_key: Annotated[
        Path,
        typer.Option(
            "--new-key", help="File priv_validator_key.json with the new key, or a signer's folder: its staged key."
        ),
    ],
    member: Annotated[str, typer.Option("--member", help="One's own member: its id, or its name.")],
    sending: Sending,
) -> None:
    """Replace the key with which one's node votes."""
    _rotate(sending, "CONSENSUS", member, _consensus_key(new_key))


def _rotate(sending: Sending, kind: str, member: str, key: "Key") -> None:
    from gridtokenx.modules.authority.messages import RotatedKey
    from gridtokenx.modules.authority.words import rotation

    with failures(), sending.client() as client:
        message = rotation(_member_id(client, member), RotatedKey[kind], key)
        sending.send(client, message, lambda view: {"new_key": key.public_key.hex()})


def _propose(sending: Sending, act: str, member: str | None = None, value: "Record | None" = None) -> None:
    with failures(), sending.client() as client:
        subject = b"" if member is None else _member_id(client, member)
        _send_proposal(client, sending, act, subject, value)


def _send_proposal(client: "Client", sending: Sending, act: str, subject: bytes, value: "Record | None") -> None:
    from gridtokenx.ledger.codec import encode
    from gridtokenx.modules.authority.messages import Act, Propose

    message = Propose(int(Act[act]), subject, b"" if value is None else encode(value))
    sending.send(client, message, lambda view: {"proposal": str(view.results[0][0])})


def _outcome(view: "TransactionView") -> dict[str, str]:
    from gridtokenx.modules.authority.state import Outcome

    return {"proposal_is": Outcome(view.results[0][0]).name.lower()}


def _member_id(client: "Client", text: str) -> bytes:
    """By its id, or by a name that only one member has."""
    from gridtokenx.cli.values import hexadecimal

    members = client.authorities().members
    found = [one.member for one in members if text in (one.member, one.name)]
    if not found:
        found = [one.member for one in members if text.lower() in one.name.lower()]
    if len(found) != 1:
        several = "several members are" if found else "no member is"
        raise typer.BadParameter(f"{several} called {text!r}: `gridtokenx authority status --json` shows names and ids")
    return hexadecimal(found[0], 8, "member")


def _terms(client: "Client") -> "TermsOfConsortium":
    """Those in force."""
    terms = client.authorities().terms
    if terms is None:
        raise typer.BadParameter("this chain has no consortium: an office sets its nodes and validators")
    return terms


def _changed(terms: "TermsOfConsortium", changes: list[str]) -> "ConsortiumTerms":
    import msgspec

    from gridtokenx.cli.values import is_number
    from gridtokenx.modules.authority.state import ConsortiumTerms

    values = msgspec.to_builtins(terms)
    for change in changes:
        name, _, text = change.partition("=")
        numbers = text.split(",")
        wanted = len(values[name]) if isinstance(values.get(name), list) else 1
        if name not in values or len(numbers) != wanted or not all(is_number(number) for number in numbers):
            names = ", ".join(values)
            raise typer.BadParameter(
                f"{change!r} changes no term: write NAME=NUMBER (group_seats: five of them), with one of {names}"
            )
        values[name] = [int(number) for number in numbers] if wanted > 1 else int(text)
    return ConsortiumTerms(**values | {"group_seats": tuple(values["group_seats"])})


def _node_key(path: Path) -> "NodeKey":
    """The key that signs batches; a file that is missing is not made."""
    from gridtokenx.engine.folder import DataFolder, FolderUnusable, load_or_create_node_key

    file = DataFolder(path).key if path.is_dir() else path
    with folder_failures():
        if not file.is_file():
            raise FolderUnusable(f"{file} is no key file: name a node's data folder, or its file node.key")
        return load_or_create_node_key(file)


def _next_node_key(path: Path) -> "NodeKey":
    """The next key of the node in this folder, made if there is none; or the key in this file."""
    from gridtokenx.engine.folder import DataFolder, load_or_create_node_key

    if not path.is_dir():
        return _node_key(path)
    with folder_failures():
        return load_or_create_node_key(DataFolder(path).next_key)


def _consensus_key(path: Path) -> "Key":
    """The key in CometBFT's file; or a signer's, wherever that has it: the staged one, if there is one."""
    from gridtokenx.signer.folder import SignerFolder
    from gridtokenx.signer.keys import FileKey, open_key

    with folder_failures():
        if not path.is_dir():
            return FileKey(path)
        folder = SignerFolder(path)
        return open_key(folder.read_next() or folder.read().key, path)
