"""Every check of the ceremony fails as it should, and says which file and why."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.unit.operations.consortium.played import CHAIN, FOUR, Played, played

from gridtokenx.client.keys import PrivateKey
from gridtokenx.modules.authority.taxid import is_tax_id
from gridtokenx.operations.consortium.checks import check_files
from gridtokenx.operations.consortium.organisation import Organisation
from gridtokenx.operations.consortium.terms import CeremonyTerms, TermsUnusable, parse_terms, terms_document
from gridtokenx.operations.network.kinds import NodeKind

WEAK = "00" * 32


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("0994000617721", True),
        ("0105536112014", True),
        ("3100600445635", True),
        ("1234545678781", True),
        ("0994000617722", False),
        ("0105536112041", False),
        ("099400061772", False),
        ("09940006177210", False),
        ("0-99-4-000-61772-1", False),
        ("๐๙๙๔๐๐๐๖๑๗๗๒๑", False),
        ("", False),
    ],
)
def test_the_last_digit_of_a_tax_id_checks_the_others(text: str, right: bool) -> None:
    assert is_tax_id(text) is right


def test_nothing_is_wrong_with_the_shipped_consortium() -> None:
    all_of_them = played()
    assert len(all_of_them.organisations) == 21
    findings = check_files(all_of_them.contents(), all_of_them.terms, CHAIN)
    assert findings.problems == ()
    assert [entry.file for entry in findings.entries] == sorted(all_of_them.organisations)


def changed(name: str, **changes: Any) -> Callable[[Played], dict[str, Organisation | None]]:
    return lambda them: {name: them.signed(name, **changes)}


def with_node(name: str, **changes: Any) -> Callable[[Played], dict[str, Organisation | None]]:
    return lambda them: {name: them.with_node(name, **changes)}


def like(name: str, other: str, field: str) -> Callable[[Played], dict[str, Organisation | None]]:
    """One organisation says of itself what another says."""
    return lambda them: {
        name: them.signed(name, **{field: getattr(them.organisations[other].description, field)}),
    }


def card_like(name: str, other: str, field: str) -> Callable[[Played], dict[str, Organisation | None]]:
    return lambda them: {
        name: them.with_node(name, **{field: getattr(them.organisations[other].description.node, field)})
    }


def with_signature(them: Played, name: str, key: str, signature: str) -> Organisation:
    own = them.organisations[name]
    return Organisation(own.description, {**own.signatures, key: signature})


WRONG: dict[str, tuple[Callable[[Played], dict[str, Organisation | None]], str, str]] = {
    "tax id": (changed("mea", tax_id="0994000617722"), "mea", "0994000617722 is no tax id"),
    "group": (changed("mea", group="cooking"), "mea", "cooking is no group: write grid"),
    "tier": (changed("mea", tier="upper"), "mea", "upper is no tier"),
    "zone": (changed("mea", zone="Atlantis"), "mea", "Atlantis is no zone"),
    "follows": (with_node("mea", kind=NodeKind.OBSERVER), "mea", "is of the kind observer"),
    "threshold above officers": (changed("mea", threshold=4), "mea", "cannot open an account"),
    "officers in another order": (
        lambda them: {"mea": them.signed("mea", keys=them.organisations["mea"].description.keys[::-1])},
        "mea",
        "cannot open an account",
    ),
    "too few officers": (
        lambda them: {"mea": them.signed("mea", [them.keys["mea"][0], *them.keys["mea"][-3:]])},
        "mea",
        "1 of 2 officers have signed",
    ),
    "node has not signed": (
        lambda them: {"mea": them.signed("mea", them.keys["mea"][:-3])},
        "mea",
        "the consensus key of its node has not signed",
    ),
    "somebody else's signature": (
        lambda them: {"mea": with_signature(them, "mea", PrivateKey.generate().public_key.hex(), "00" * 64)},
        "mea",
        "is none of its own",
    ),
    "changed after it was signed": (
        lambda them: {
            "mea": Organisation(
                msgspec.structs.replace(them.organisations["mea"].description, stake_watt=2_000_000),
                them.organisations["mea"].signatures,
            )
        },
        "mea",
        "is of something else",
    ),
    "weak key": (with_node("mea", validator_key=WEAK), "mea", "anybody can sign"),
    "one key for two things": (
        lambda them: {
            "mea": them.with_node("mea", link_key=them.organisations["mea"].description.node.batch_key),
        },
        "mea",
        "for two purposes",
    ),
    "stake": (changed("mea", stake_watt=999_999), "mea", "its stake is 999,999 WATT: the terms want 1,000,000"),
    "another chain": (changed("mea", chain="elsewhere"), "mea", "for the chain elsewhere"),
    "same tax id": (like("mea", "egat", "tax_id"), "mea", "egat has the tax id"),
    "same legal name": (
        lambda them: {"mea": them.signed("mea", legal_name=them.organisations["egat"].description.legal_name.upper())},
        "mea",
        "egat has the legal name",
    ),
    "same name": (card_like("mea", "egat", "name"), "mea", "egat has the name egat"),
    "same address": (card_like("mea", "egat", "address"), "mea", "egat has the peer address"),
    "same address, spelled otherwise": (
        lambda them: {"mea": them.with_node("mea", address="EGAT.gridtokenx.example.:26656")},
        "mea",
        "egat has the peer address",
    ),
    "same node": (card_like("mea", "egat", "batch_key"), "mea", "egat has the node id"),
    "same consensus key": (card_like("mea", "egat", "validator_key"), "mea", "egat has the key"),
    "same link key": (card_like("mea", "egat", "link_key"), "mea", "egat has the key"),
    "same officer": (
        lambda them: {
            "mea": them.signed(
                "mea",
                [*them.keys["mea"][1:], *them.keys["egat"][:1]],
                keys=tuple(sorted(key.public_key.hex() for key in (*them.keys["mea"][1:3], them.keys["egat"][0]))),
            )
        },
        "mea",
        "egat has the key",
    ),
    "an empty seat": (lambda _: {"sec": None}, "", "group regulation has 2 organisations for 3 seats"),
    "a full group": (changed("sec", group="grid"), "", "group grid has 7 organisations for 6 seats"),
    "too few of a tier": (changed("sec", tier="technical"), "", "tier emergency has 2 organisations"),
    "a crowded zone": (changed("egat", zone="Bangkok"), "", "7 nodes stand in zone Bangkok, at most 6"),
    "an office of nobody": (lambda _: {"bank-1": None}, "", "the terms give bank to bank-1"),
    "wires of nobody": (lambda _: {"pea": None}, "", "the terms give South to pea"),
    "too few": (
        lambda them: dict.fromkeys(name for name in them.organisations if name not in FOUR[:3]),
        "",
        "there are 3 organisations, at least 4",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    change, file, sentence = WRONG[case]
    them = played()
    problems = check_files(them.contents(change(them)), them.terms, CHAIN).problems
    assert any(problem.file == file and sentence in problem.sentence for problem in problems), problems


def test_all_problems_are_said_at_once() -> None:
    them = played()
    contents = [
        *them.contents(
            {"mea": them.signed("mea", tax_id="1", zone="Atlantis"), "egat": them.signed("egat", stake_watt=1)}
        ),
        ("torn", b"format = "),
        ("again", them.organisations["pea"].toml()),
    ]
    problems = check_files(contents, them.terms, CHAIN).problems
    assert {problem.file for problem in problems} >= {"mea", "egat", "torn", "pea"}
    assert len([problem for problem in problems if problem.file == "mea"]) == 2


def test_a_third_of_the_nodes_in_one_zone_is_too_many() -> None:
    four = played(*FOUR)
    assert check_files(four.contents(), four.terms).problems == ()
    together = check_files(four.contents({"egat": four.signed("egat", zone="Bangkok")}), four.terms).problems
    assert [str(problem) for problem in together] == [
        "2 of 4 nodes stand in zone Bangkok: a third or more, so a blackout there stops the chain"
    ]


TERMS_WRONG: dict[str, tuple[Callable[[CeremonyTerms], CeremonyTerms | bytes], str]] = {
    "no zone": (lambda terms: terms_document(terms).replace(b"+00:00", b"").replace(b"+07:00", b""), "needs its zone"),
    "no quarter": (lambda terms: terms_document(terms).replace(b"T00:00:00", b"T00:01:00"), "quarter of an hour"),
    "an office too few": (lambda terms: terms_document(terms).replace(b'attester = "bot"\n', b""), "attester"),
    "an unknown office": (lambda terms: terms_document(terms).replace(b"attester", b"astrologer"), "astrologer"),
    "an unknown zone": (lambda terms: terms_document(terms).replace(b"South", b"Atlantis"), "Atlantis"),
    "an unknown tier": (lambda terms: terms_document(terms).replace(b"emergency", b"upper"), "upper"),
    "an unknown term": (lambda terms: terms_document(terms).replace(b"seat_power", b"seat_height"), "seat_height"),
    "out of bounds": (lambda terms: terms_document(terms).replace(b"seat_power = 10", b"seat_power = 0"), "seat_power"),
    "no number": (lambda terms: terms_document(terms).replace(b"zone_seats = 6", b"zone_seats = [6]"), "zone_seats"),
    "no terms": (lambda _: b"\xff", "no terms"),
}


@pytest.mark.parametrize("case", TERMS_WRONG)
def test_terms_that_cannot_be(case: str) -> None:
    change, sentence = TERMS_WRONG[case]
    content = change(played().terms)
    assert isinstance(content, bytes)
    with pytest.raises(TermsUnusable, match=sentence):
        parse_terms(content)
    assert parse_terms(terms_document(played().terms)) == played().terms
