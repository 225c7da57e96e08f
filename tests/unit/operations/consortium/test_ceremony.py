"""Equal files make equal bytes; what was tampered with is found; the genesis is what was signed for."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operations.consortium.played import CHAIN, FOUR, SCENARIO, played

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.authority.messages import Standing
from gridtokenx.modules.authority.state import MEMBERS
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY
from gridtokenx.operations.consortium.ceremony import TERMS, CeremonyRefused, make_consortium
from gridtokenx.operations.consortium.checks import check_files
from gridtokenx.operations.consortium.example import NODE
from gridtokenx.operations.consortium.manifest import BUNDLE, FILE, examine, examine_path, write_consortium
from gridtokenx.operations.consortium.organisation import DOMAIN, Organisation, OrganisationUnusable, parse_organisation
from gridtokenx.operations.consortium.terms import TermsUnusable, parse_terms
from gridtokenx.operations.network.bundle import BundleUnusable, bundle_bytes, read_bundle
from gridtokenx.operations.network.node_folder import BUNDLE as INSTALLED
from gridtokenx.operations.network.node_folder import install_bundle

PROGRAM = """
import sys
from hashlib import sha256
from pathlib import Path
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY
from gridtokenx.operations.consortium.ceremony import make_consortium
from gridtokenx.operations.network.bundle import bundle_bytes
terms, scenario, *files = map(Path, sys.argv[1:])
contents = [(file.parent.name, file.read_bytes()) for file in files]
print(sha256(bundle_bytes(make_consortium(contents, terms.read_bytes(), scenario).bundle)).hexdigest())
"""


def test_any_order_on_any_machine_gives_the_same_bytes() -> None:
    them = played()
    made = make_consortium(them.contents(), them.terms_content, SCENARIO, CHAIN)
    again = make_consortium(them.contents()[::-1], them.terms_content, SCENARIO, CHAIN)
    assert bundle_bytes(made.bundle) == bundle_bytes(again.bundle)
    files = sorted(them.folder.glob("*/organisation.toml"))
    said = set()
    for seed, order in (("1", files), ("2", files[::-1])):
        words = [sys.executable, "-c", PROGRAM, them.folder / "terms.toml", SCENARIO, *order]
        ended = subprocess.run(
            words, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"}, capture_output=True, check=True
        )
        said.add(ended.stdout.decode().strip())
    assert said == {sha256(bundle_bytes(made.bundle)).hexdigest()}


def test_the_genesis_is_what_was_signed_for() -> None:
    them = played()
    made = make_consortium(them.contents(), them.terms_content, SCENARIO, CHAIN)
    examined = examine(made.bundle)
    assert examined.problems == () and not examined.manifest.sandbox
    assert examined.manifest.chain == CHAIN and examined.manifest.begins == "2027-01-03T17:00:00+00:00"
    assert [seat.power for seat in examined.manifest.members] == [10] * 21
    assert made.bundle.genesis is not None
    state, _ = import_state(CONSORTIUM, made.bundle.genesis)
    assert len(state.rows[MEMBERS.prefix]) == len(state.rows[VALIDATORS.prefix]) == 21
    assert all(member.standing == Standing.SEATED for _, member in state.items(MEMBERS))
    assert [line for module in CONSORTIUM.modules if module.invariants for line in module.invariants(state)] == []
    # Nobody has keys of the account through which deliveries are paid; the members' own hold their stakes.
    clearing = state.get(ACCOUNTS, holder_of(state, RoleName.CLEARING))
    assert clearing is not None and clearing.keys_hash not in {member.account for _, member in state.items(MEMBERS)}
    for _, member in state.items(MEMBERS):
        account = state.get(ACCOUNTS, member.account)
        assert account is not None and account.held_micro == account.balance_micro == member.stake_micro


def test_with_homes_it_is_a_sandbox(tmp_path: Path) -> None:
    four = played(*FOUR)
    made = make_consortium(four.contents(), four.terms_content, SCENARIO, CHAIN, homes_in=tmp_path / "scenario")
    examined = examine(made.bundle)
    assert examined.problems == () and examined.manifest.sandbox
    assert made.homes is not None and made.homes.chain == CHAIN and made.scenario.chain == CHAIN


def test_nothing_is_made_of_files_with_problems() -> None:
    them = played()
    with pytest.raises(CeremonyRefused) as refused:
        make_consortium(them.contents({"mea": None}), them.terms_content, SCENARIO, "elsewhere")
    assert len(refused.value.problems) > 20


def test_anybody_makes_the_signed_bytes_from_the_file() -> None:
    own = played().organisations["egat"]
    said = tomllib.loads(own.toml().decode())
    del said["signatures"]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert own.description.signed_bytes() == DOMAIN + text.encode()
    assert parse_organisation(own.toml()) == own


def test_a_node_keeps_the_papers_that_came_with_its_network(tmp_path: Path) -> None:
    four = played(*FOUR)
    bundle = make_consortium(four.contents(), four.terms_content, SCENARIO).bundle
    write_consortium(tmp_path / "made", bundle, examine(bundle).manifest)
    assert examine_path(tmp_path / "made").problems == ()
    node = tmp_path / "node"
    (four.folder / FOUR[0] / NODE).rename(node)
    try:
        install_bundle(node, read_bundle(tmp_path / "made" / BUNDLE))
        assert (node / INSTALLED).read_bytes() == (tmp_path / "made" / BUNDLE).read_bytes()
    finally:
        node.rename(four.folder / FOUR[0] / NODE)
    (tmp_path / "made" / FILE).write_text("{}")
    assert "does not say what is in" in examine_path(tmp_path / "made").problems[0]


def tampered(bundle: Any, **changes: Any) -> tuple[str, ...]:
    return examine(bundle._replace(**changes)).problems


def test_a_bundle_that_was_tampered_with_is_found_out() -> None:
    them, four = played(), played(*FOUR)
    bundle = make_consortium(four.contents(), four.terms_content, SCENARIO).bundle
    other = make_consortium(them.contents(), them.terms_content, SCENARIO).bundle
    assert any("cards" in said for said in tampered(bundle, cards=bundle.cards[1:]))
    assert any("links" in said for said in tampered(bundle, profile=type(bundle.profile)(links="quic")))
    assert any("ledger's" in said for said in tampered(bundle, consensus_genesis=other.consensus_genesis))
    swapped = " ".join(tampered(bundle, genesis=other.genesis, consensus_genesis=other.consensus_genesis))
    assert "members" in swapped and "validators" in swapped
    later = bundle.papers[TERMS].replace(b"2027", b"2028")
    assert any("begin when" in said for said in tampered(bundle, papers={**bundle.papers, TERMS: later}))
    forged = {name: data.replace(b"1000000", b"9000000") for name, data in bundle.papers.items()}
    assert any("something else" in said for said in tampered(bundle, papers=forged))
    with pytest.raises(BundleUnusable, match="no papers"):
        tampered(bundle, papers={})
    with pytest.raises(BundleUnusable, match="damaged"):
        tampered(bundle, genesis=b"nothing")


def test_money_of_nobody_is_found() -> None:
    four = played(*FOUR)
    bundle = make_consortium(four.contents(), four.terms_content, SCENARIO).bundle
    assert bundle.genesis is not None
    state, _ = import_state(CONSORTIUM, bundle.genesis)
    richer = state.rows[MONEY.prefix][MONEY_KEY]
    state.put(MONEY, MONEY_KEY, msgspec.structs.replace(richer, supply_micro=richer.supply_micro + 1))
    said = tampered(bundle, genesis=export_state(CONSORTIUM, state))
    assert any("other money" in each for each in said)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'chain = "gridtokenx-thailand"', rb'chain = "gridtokenx-thailand\n"'),
        (b'group = "grid"', rb'group = "\u001b[2J"'),
        (b'group = "grid"', rb'"\u001b[2J" = "grid"'),
        (b'name = "mea"', rb'name = "mea\n"'),
        (b'legal_name = "M', rb'legal_name = "\u202eM'),
    ],
)
def test_what_cannot_be_seen_is_refused_and_not_repeated(before: bytes, after: bytes) -> None:
    content = played(*FOUR).organisations["mea"].toml()
    assert before in content
    problems = check_files([("mea", content.replace(before, after))]).problems
    assert len(problems) == 1 and "no organisation's file" in problems[0].sentence
    assert problems[0].sentence.isprintable()


def test_something_added_to_the_file_is_found(tmp_path: Path) -> None:
    four = played(*FOUR)
    bundle = make_consortium(four.contents(), four.terms_content, SCENARIO).bundle
    write_consortium(tmp_path / "made", bundle, examine(bundle).manifest)
    with zipfile.ZipFile(tmp_path / "made" / BUNDLE, "a") as archive:
        archive.writestr("more", b"more")
    assert "holds more than" in examine_path(tmp_path / "made").problems[-1]


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """Content with pieces cut out, put in, doubled or flipped."""
    place = st.integers(0, len(content))
    piece = st.one_of(st.binary(max_size=8), st.sampled_from([b"[", b"=", b'"', b"\n[[[[", b"\xff", b"-1", b"9" * 50]))
    cut = st.tuples(place, place, piece).map(lambda at: content[: min(at[:2])] + at[2] + content[max(at[:2]) :])
    put = st.tuples(place, piece).map(lambda at: content[: at[0]] + at[1] + content[at[0] :])
    return st.one_of(cut, put)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_mutated_file_is_refused_in_a_sentence_or_says_the_same(data: st.DataObject) -> None:
    four = played(*FOUR)
    own = four.organisations["mea"]
    content = data.draw(mutations(own.toml()))
    findings = check_files([("mea", content), *four.contents({"mea": None})], four.terms, CHAIN)
    assert all(problem.sentence and "\x1b" not in problem.sentence for problem in findings.problems)
    if not findings.problems:
        found = {entry.file: entry.organisation for entry in findings.entries}["mea"]
        assert found.description == own.description


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_mutated_terms_are_refused_in_a_sentence_or_are_terms(data: st.DataObject) -> None:
    content = data.draw(mutations(played().terms_content))
    with suppress(TermsUnusable):
        assert parse_terms(content).chain_terms.seat_power > 0


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_a_legal_name_or_refused(text: str) -> None:
    own = played().organisations["mea"]
    try:
        description = msgspec.structs.replace(own.description, legal_name=text)
        parsed = parse_organisation(Organisation(description, {}).toml())
    except (ValueError, OrganisationUnusable):
        return
    assert parsed.description.legal_name == text
