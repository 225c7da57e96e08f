"""From the organisations' files to the bundle that everybody starts from. Equal files give equal bytes, in any order
and on any machine: nothing looks at a clock, and nothing is compressed. What people signed is in the bundle, under
`papers/`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from gridtokenx.chains.genesis import FOREVER_MS, GenesisBuilder
from gridtokenx.client.transactions import KeyList
from gridtokenx.modules.authority.messages import Standing
from gridtokenx.modules.authority.state import Member
from gridtokenx.modules.identity.messages import Kyc, Licence, RoleName
from gridtokenx.modules.identity.state import Participant, owner_of
from gridtokenx.operations.consortium.checks import Problem, check_files
from gridtokenx.operations.consortium.organisation import GROUPS, TIERS, Description, member_id
from gridtokenx.operations.consortium.terms import CeremonyTerms, parse_terms
from gridtokenx.operations.network.bundle import Bundle, bundle_of
from gridtokenx.simulation.genesis import (
    VAULTS,
    ZONES,
    ScenarioGenesis,
    add_zones,
    begin_chain,
    make_genesis,
    office_name,
)
from gridtokenx.simulation.moved import move_scenario
from gridtokenx.simulation.scenario import Scenario

TERMS: Final = "terms.toml"
ORGANISATIONS: Final = "organisations/"
"""Names of papers in the bundle."""


class CeremonyRefused(Exception):
    """No chain begins from these files. `problems` says all reasons."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Made(NamedTuple):
    """A bundle; the scenario moved to its beginning, and what its simulated homes need, if the chain has them."""

    bundle: Bundle
    scenario: Scenario
    homes: ScenarioGenesis | None


def make_consortium(
    contents: Iterable[tuple[str, bytes]],
    terms_content: bytes,
    scenario: Path,
    chain: str = "",
    *,
    homes_in: Path | None = None,
) -> Made:
    """Check everything, then make the bundle. `chain` is the one that all must have signed for; without it the files
    say which. `homes_in`: a folder for the scenario whose simulated homes the chain has too; they and the offices are
    then held by development keys.

    Raises `CeremonyRefused`, `TermsUnusable`, `ScenarioError`.
    """
    terms = parse_terms(terms_content)
    findings = check_files(contents, terms, chain, offices=homes_in is None)
    if findings.problems:
        raise CeremonyRefused(findings.problems)
    organisations = [entry.organisation for entry in findings.entries]
    descriptions = [each.description for each in organisations]
    block_ms = terms.profile.pace.block_ms
    homes: ScenarioGenesis | None = None
    with TemporaryDirectory() as temporary:
        place = homes_in if homes_in is not None else Path(temporary) / "scenario"
        moved = move_scenario(scenario, place, terms.begins_ms, descriptions[0].chain)
        if homes_in is not None:
            homes = make_genesis(moved, (), block_ms, lambda builder: add_members(builder, descriptions, terms))
            genesis = homes.data
        else:
            builder = begin_chain(moved, block_ms)
            accounts = {each.name: account_of(each) for each in descriptions}
            add_zones(builder, {zone: accounts[name] for zone, name in terms.distributors.items()}, moved)
            add_members(builder, descriptions, terms)
            _add_offices(builder, accounts, terms)
            genesis = builder.finish()
    papers = {f"{ORGANISATIONS}{each.description.name}.toml": each.toml() for each in organisations}
    bundle = bundle_of(genesis, [each.node for each in descriptions], terms.profile, {TERMS: terms_content, **papers})
    return Made(bundle, moved, homes)


_VERIFIED: Final = Participant(
    Licence.NONE, 0, Kyc.VERIFIED, FOREVER_MS, suspended=False, group=0, short_wh=0, long_wh=0
)


def account_of(description: Description) -> bytes:
    """The account of a member's officers."""
    return KeyList.of(description.officers, description.threshold).hash()


def add_members(builder: GenesisBuilder, descriptions: Sequence[Description], terms: CeremonyTerms) -> None:
    """Each with its account, its stake in it, its node and its seat. Zones come before."""
    builder.set_consortium(terms.chain_terms)
    for each in descriptions:
        name, batch_key = member_id(each.tax_id), bytes.fromhex(each.node.batch_key)
        account = add_organisation(builder, each, each.stake_micro)
        builder.add_member(name, member_of(each, account, terms.begins_ms), batch_key)


def add_organisation(builder: GenesisBuilder, description: Description, balance_micro: int) -> bytes:
    """A participant with the account of its officers, which is returned; whether it is a member or not."""
    name = member_id(description.tax_id)
    builder.add_participant(name, _VERIFIED)
    return builder.add_account(name, description.officers, description.threshold, balance_micro)


def member_of(description: Description, account: bytes, since_ms: int) -> Member:
    """What the ledger says of an organisation that is in from the start. Nobody attests to it there: whoever compares
    the hash does."""
    return Member(
        name=description.legal_name,
        tax_id=description.tax_id,
        group=int(GROUPS[description.group]),
        tier=int(TIERS[description.tier]),
        zone=ZONES.index(description.zone) + 1,
        standing=int(Standing.SEATED),
        since_ms=since_ms,
        account=account,
        node=description.node.node_id,
        consensus_key=bytes.fromhex(description.node.validator_key),
        documents=tuple(bytes.fromhex(each.sha256) for each in description.documents),
        stake_micro=description.stake_micro,
        staked_by=account,
        rotated_height=0,
        attested_by=(),
        endorsed_by=(),
    )


def _add_offices(builder: GenesisBuilder, accounts: Mapping[str, bytes], terms: CeremonyTerms) -> None:
    """Who holds which office. No keys lead to the account that clears intervals, nor to that of congestion rent."""
    held = {office: accounts[name] for office, name in terms.offices.items()}
    for role in RoleName:
        if role not in VAULTS:
            builder.set_role(role, held[office_name(role)])
    for role, near in VAULTS.items():
        trustee = owner_of(builder.state, held[office_name(near)])
        builder.set_role(role, builder.add_vault(trustee, office_name(role)))
    builder.set_bank(held["bank"], held["attester"], 0)
