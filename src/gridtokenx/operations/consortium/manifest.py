"""What is in a consortium's bundle, found in its very bytes: members, powers, hashes. Whoever has the bundle makes the
manifest anew and needs to believe nobody's.

    network.zip     what `gridtokenx node start --network` takes
    manifest.json   what is in it, for people and programs, and its hash: the one that is compared aloud
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import VALIDATORS, Validator, address_of
from gridtokenx.modules.authority.state import MEMBERS, terms_of
from gridtokenx.modules.identity.state import ROLES, ZONES
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY
from gridtokenx.operations.consortium.ceremony import ORGANISATIONS, TERMS, account_of, member_of
from gridtokenx.operations.consortium.checks import check_files
from gridtokenx.operations.consortium.organisation import Description, Organisation, member_id
from gridtokenx.operations.consortium.terms import CeremonyTerms, TermsUnusable, parse_terms
from gridtokenx.operations.network.bundle import Bundle, BundleUnusable, bundle_bytes, bundle_of, read_bundle

BUNDLE: Final = "network.zip"
FILE: Final = "manifest.json"
FORMAT: Final = "gridtokenx-consortium-1"


class Seat(msgspec.Struct, frozen=True):
    """A member, as the bundle has it."""

    name: str
    legal_name: str
    legal_name_th: str
    tax_id: str
    group: str
    tier: str
    zone: str
    power: int
    stake_watt: int
    officers: str
    member: str
    node: str
    validator: str
    peer: str
    file_sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`network_sha256` is the hash that is compared aloud. `sandbox`: development keys hold offices, so nothing of
    worth may be on this chain."""

    format: str
    network_sha256: str
    chain: str
    begins: str
    sandbox: bool
    app_hash: str
    genesis_sha256: str
    terms_sha256: str
    members: tuple[Seat, ...]

    def document(self) -> bytes:
        """The file's content."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


class Examined(NamedTuple):
    """What a bundle holds, and in sentences what is wrong with it."""

    manifest: Manifest
    problems: tuple[str, ...]


def examine(bundle: Bundle) -> Examined:
    """Look at what is in a bundle: the signatures, and whether members, validators, stakes and terms in the genesis are
    what was signed. The market's own terms come from a scenario that is not in it: only who makes the bundle anew knows
    that these are right.

    Raises `BundleUnusable` for one that no ceremony made.
    """
    terms_content = bundle.papers.get(TERMS)
    if terms_content is None or bundle.genesis is None:
        raise BundleUnusable("this network was not made by a ceremony: there are no papers of organisations in it")
    try:
        terms = parse_terms(terms_content)
        state, commitment = import_state(CONSORTIUM, bundle.genesis)
    except (TermsUnusable, Rejected) as error:
        raise BundleUnusable(f"the bundle is damaged: {error}") from None
    last = last_block(state)
    papers = [
        (name.removeprefix(ORGANISATIONS), content)
        for name, content in sorted(bundle.papers.items())
        if name.startswith(ORGANISATIONS)
    ]
    sandbox = _is_sandbox(state)
    findings = check_files(papers, terms, last.chain, offices=not sandbox)
    descriptions = [entry.organisation.description for entry in findings.entries]
    manifest = Manifest(
        format=FORMAT,
        network_sha256=sha256(bundle_bytes(bundle)).hexdigest(),
        chain=last.chain,
        begins=datetime.fromtimestamp(last.time_ms // 1_000, UTC).isoformat(),
        sandbox=sandbox,
        app_hash=commitment.root().hex(),
        genesis_sha256=sha256(bundle.genesis).hexdigest(),
        terms_sha256=sha256(terms_content).hexdigest(),
        members=tuple(_seat(entry.organisation, state) for entry in findings.entries),
    )
    return Examined(
        manifest, (*map(str, findings.problems), *_discrepancies(bundle, descriptions, terms, state, sandbox))
    )


def examine_path(path: Path) -> Examined:
    """The folder that a ceremony made, whose manifest is compared with the bundle beside it; or a bundle by itself.

    Raises `BundleUnusable`.
    """
    if not path.is_dir():
        return examine(read_bundle(path))
    examined = examine(read_bundle(path / BUNDLE))
    problems = list(examined.problems)
    try:
        says = (path / FILE).read_bytes()
    except OSError as error:
        problems.append(f"{path / FILE} cannot be read: {error.strerror}")
    else:
        if says != examined.manifest.document():
            problems.append(f"{path / FILE} does not say what is in {path / BUNDLE}: make both again with `init`")
    if sha256((path / BUNDLE).read_bytes()).hexdigest() != examined.manifest.network_sha256:
        problems.append(f"{path / BUNDLE} holds more than a ceremony puts there: make it again with `init`")
    return Examined(examined.manifest, tuple(problems))


def write_consortium(path: Path, bundle: Bundle, manifest: Manifest) -> None:
    """The folder of a ceremony, whole or not at all. Raises OSError if there is something at `path`."""
    draft = path.with_name(f".{path.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / BUNDLE).write_bytes(bundle_bytes(bundle))
    (draft / FILE).write_bytes(manifest.document())
    draft.rename(path)


def aloud(digest: str) -> list[str]:
    """A hash in groups of four digits, four a line: as it is read to others."""
    groups = [digest[at : at + 4] for at in range(0, len(digest), 4)]
    return ["  ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]


def _is_sandbox(state: State) -> bool:
    """Whether somebody who is no member holds an office."""
    money = state.rows[MONEY.prefix][MONEY_KEY]
    holders = {
        *(role.account for _, role in state.items(ROLES)),
        *(zone.distributor for _, zone in state.items(ZONES)),
        *(money.bank, money.attester),
    }
    accounts = [state.get(ACCOUNTS, holder) for holder in holders]
    return any(account is None or state.get(MEMBERS, account.participant) is None for account in accounts)


def _seat(organisation: Organisation, state: State) -> Seat:
    description = organisation.description
    key = bytes.fromhex(description.node.validator_key)
    validator = state.get(VALIDATORS, address_of(key))
    return Seat(
        name=description.name,
        legal_name=description.legal_name,
        legal_name_th=description.legal_name_th,
        tax_id=description.tax_id,
        group=description.group,
        tier=description.tier,
        zone=description.zone,
        power=validator.power if validator else 0,
        stake_watt=description.stake_watt,
        officers=f"{description.threshold} of {len(description.keys)}",
        member=member_id(description.tax_id).hex(),
        node=description.node.node_id.hex(),
        validator=address_of(key).hex(),
        peer=description.peer,
        file_sha256=sha256(organisation.toml()).hexdigest(),
    )


def _discrepancies(
    bundle: Bundle, descriptions: Sequence[Description], terms: CeremonyTerms, state: State, sandbox: bool
) -> Iterator[str]:
    """What in the bundle does not follow from what was signed."""
    assert bundle.genesis is not None
    if list(bundle.cards) != sorted((each.node for each in descriptions), key=lambda card: card.name):
        yield "the cards in the bundle are not those of the organisations"
    if bundle.profile != terms.profile:
        yield "links and blocks are not those of the terms"
    if last_block(state).time_ms != terms.begins_ms:
        yield "the chain does not begin when the terms say"
    if bundle_of(bundle.genesis, bundle.cards, bundle.profile).consensus_genesis != bundle.consensus_genesis:
        yield "the consensus engine's genesis does not begin with the ledger's"
    power = terms.chain_terms.seat_power
    members, validators = {}, {}
    for each in descriptions:
        member = member_of(each, account_of(each), terms.begins_ms)
        members[member_id(each.tax_id)] = member
        validators[address_of(member.consensus_key)] = Validator(member.consensus_key, power, member.node)
    if dict(state.items(MEMBERS)) != members:
        yield "the members in the ledger's genesis are not what the organisations signed"
    if dict(state.items(VALIDATORS)) != validators:
        yield "the validators in the ledger's genesis are not the organisations' nodes"
    if terms_of(state) != terms.chain_terms:
        yield "the consortium's terms in the ledger's genesis are not those of the ceremony"
    stakes_micro = sum(each.stake_micro for each in descriptions)
    if not sandbox and state.rows[MONEY.prefix][MONEY_KEY].supply_micro != stakes_micro:
        yield "the ledger's genesis has other money than the members' stakes"
    for each in descriptions:
        account = state.get(ACCOUNTS, account_of(each))
        node = state.get(NODES, each.node.node_id)
        if account is None or account.participant != member_id(each.tax_id) or account.held_micro != each.stake_micro:
            yield f"the officers of {each.name} do not have its account and its stake in the ledger's genesis"
        if node is None or not node.licensed or node.public_key != bytes.fromhex(each.node.batch_key):
            yield f"the node of {each.name} may not sign batches in the ledger's genesis"
