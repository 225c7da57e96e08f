"""The way in and out: applications and what they may not do, endorsements, leaving, and stakes that come back."""

import msgspec
import pytest
from tests.consortium import STAKE_MICRO, TERMS, Consortium, consensus_key, node_id, node_key, tax_id
from tests.invariants import Watch
from tests.world import WATT, Founding, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.transaction import check_transaction
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.authority.members import require_ready
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    AuthorityCode,
    Endorse,
    Group,
    Propose,
    RotatedKey,
    SetNode,
    SetValidator,
    Tier,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.state import CHECKPOINTS, KEY_OWNERS, MEMBERS, PENALTIES, ConsortiumTerms
from gridtokenx.modules.authority.taxid import is_tax_id
from gridtokenx.modules.authority.terms import DEFAULT_TERMS, check_terms
from gridtokenx.modules.identity.handlers import SMALL_ORDER_KEYS


@pytest.fixture
def consortium() -> Consortium:
    consortium = Consortium()
    Watch(consortium.world)
    consortium.blocks(2)
    return consortium


def held(consortium: Consortium, name: str) -> int:
    return consortium.world.account(name).held_micro


def applies(consortium: Consortium, name: str = "newcomer", **more: object) -> str:
    return consortium.do(name, consortium.application(name, **more))  # type: ignore[arg-type]


def test_a_newcomer_is_admitted_by_vote_and_takes_a_seat(consortium: Consortium) -> None:
    consortium.admit("newcomer")
    assert consortium.standing("newcomer") == "SEATED"
    assert consortium.votes("newcomer")
    assert consortium.world.state.rows[NODES.prefix][node_id("newcomer")].licensed
    assert held(consortium, "newcomer") == STAKE_MICRO


def test_what_an_application_must_be(consortium: Consortium) -> None:
    wrong = tax_id("newcomer")[:-1] + str((int(tax_id("newcomer")[-1]) + 1) % 10)
    for code, more in (
        ("STAKE_TOO_LOW", {"stake_micro": STAKE_MICRO - 1}),
        ("BALANCE_TOO_LOW", {"stake_micro": 11 * STAKE_MICRO}),
        ("TAX_ID_INVALID", {"tax_id": wrong}),
        ("TAX_ID_INVALID", {"tax_id": "\N{THAI DIGIT ZERO}" * 13}),
        ("TAX_ID_TAKEN", {"tax_id": tax_id("erc")}),
        ("GROUP_UNKNOWN", {"group": 6}),
        ("GROUP_UNKNOWN", {"tier": 0}),
        ("ZONE_UNKNOWN", {"zone": 9}),
        ("NODE_TAKEN", {"node": node_id("erc")}),
        ("NOT_A_MEMBER", {"member": pseudonym("second")}),
    ):
        assert applies(consortium, **more) == code, more
    assert held(consortium, "newcomer") == 0
    assert pseudonym("newcomer") not in consortium.world.state.rows[MEMBERS.prefix]
    assert applies(consortium) == "OK"
    assert applies(consortium) == "MEMBER_EXISTS"
    assert consortium.do("erc", consortium.application("erc")) == "MEMBER_EXISTS"


@pytest.mark.parametrize(
    "name", ["\x1b[2Jerc", "erc\n", " erc", "erc ", "e\u200brc", "\u202ecre", "\ufefferc", "\x9berc", "", "x" * 121]
)
def test_a_name_that_people_would_not_see_as_it_is(consortium: Consortium, name: str) -> None:
    application = msgspec.structs.replace(consortium.application("newcomer"), name=name)
    with pytest.raises(Rejected, match="MALFORMED"):
        check_transaction(consortium.world.sign("newcomer", application), CONSORTIUM.body)


@pytest.mark.parametrize("name", ["การไฟฟ้านครหลวง", "Société d'énergie (Asie) S.A.", "[/b] 3 & Sons", "日本電力"])
def test_a_name_in_any_writing(consortium: Consortium, name: str) -> None:
    application = msgspec.structs.replace(consortium.application("newcomer"), name=name)
    assert consortium.do("newcomer", application) == "OK"


def test_keys_of_others_are_refused(consortium: Consortium) -> None:
    assert applies(consortium, keys=(node_key("erc"), consensus_key("newcomer"))) == "NODE_KEY_TAKEN"
    assert applies(consortium, keys=(node_key("newcomer"), consensus_key("erc"))) == "CONSENSUS_KEY_TAKEN"
    weak = consortium.application("newcomer", consensus_key=min(SMALL_ORDER_KEYS))
    with pytest.raises(Rejected) as caught:
        check_transaction(consortium.world.sign("newcomer", weak), CONSORTIUM.body)
    assert caught.value.code is KernelCode.SIGNATURE_INVALID


def test_an_application_that_was_seen_cannot_be_copied(consortium: Consortium) -> None:
    seen = consortium.application("newcomer")
    assert consortium.do("second", seen) == "NOT_A_MEMBER"
    renamed = msgspec.structs.replace(seen, member=pseudonym("second"))
    with pytest.raises(Rejected) as caught:
        check_transaction(consortium.world.sign("second", renamed), CONSORTIUM.body)
    assert caught.value.code is KernelCode.SIGNATURE_INVALID


def test_a_candidate_takes_its_application_back_and_leaves_nothing(consortium: Consortium) -> None:
    def sizes() -> list[int]:
        return [len(consortium.world.state.rows[table.prefix]) for table in (MEMBERS, NODES, KEY_OWNERS)]

    before = sizes()
    for _ in range(3):
        assert applies(consortium) == "OK"
        assert consortium.do("newcomer", Withdraw()) == "OK"
    assert sizes() == before
    assert held(consortium, "newcomer") == 0


def test_who_applies_in_another_s_name_is_sent_away_by_vote(consortium: Consortium) -> None:
    assert applies(consortium, "second", tax_id=tax_id("newcomer")) == "OK"
    assert applies(consortium) == "TAX_ID_TAKEN"
    number = consortium.propose("erc", Act.REMOVE, "second")
    assert consortium.vote(number, "egat-hq", "mea-hq", "ipp", "techno") == "CARRIED"
    assert consortium.standing("second") == "unknown"
    assert held(consortium, "second") == 0
    assert applies(consortium) == "OK"


def test_each_step_of_the_way_is_needed(consortium: Consortium) -> None:
    def proposed() -> str:
        return consortium.do("egat-hq", Propose(int(Act.ADMIT), pseudonym("newcomer"), b""))

    assert proposed() == "MEMBER_UNKNOWN"
    assert applies(consortium) == "OK"
    assert proposed() == "NOT_ATTESTED"
    assert consortium.do("erc", Attest(pseudonym("newcomer"))) == "OK"
    assert proposed() == "NOT_ENDORSED"
    for name in ("egat-hq", "mea-hq"):
        assert consortium.do(name, Endorse(pseudonym("newcomer"))) == "OK"
    assert proposed() == "NOT_ENDORSED"  # both are grid operators
    assert consortium.do("ipp", Endorse(pseudonym("newcomer"))) == "OK"
    assert proposed() == "NOT_OBSERVED"
    consortium.observe("newcomer", 3 * TERMS.checkpoint_blocks)
    # Who spoke for it must still be a member when it counts.
    assert consortium.do("ipp", Withdraw()) == "OK"
    assert proposed() == "NOT_ENDORSED"
    assert consortium.do("techno", Endorse(pseudonym("newcomer"))) == "OK"
    assert proposed() == "OK"


def test_a_candidate_is_no_member_by_terms_that_were_raised(consortium: Consortium) -> None:
    consortium.candidate("newcomer")
    dearer = msgspec.structs.replace(TERMS, stake_micro=2 * STAKE_MICRO)
    assert consortium.vote(consortium.propose("erc", Act.SET_TERMS, "", dearer), "mea-hq") == "CARRIED"
    assert consortium.do("egat-hq", Propose(int(Act.ADMIT), pseudonym("newcomer"), b"")) == "STAKE_TOO_LOW"


def test_votes_for_one_application_do_not_admit_another(consortium: Consortium) -> None:
    """Proposed as a trader, it applies anew as an emergency coordinator while members vote."""
    consortium.candidate("newcomer")
    number = consortium.propose("egat-hq", Act.ADMIT, "newcomer")
    assert consortium.vote(number, "mea-hq", "erc") == "OPEN"
    assert consortium.do("newcomer", Withdraw()) == "OK"
    consortium.candidate("newcomer", tier=Tier.EMERGENCY)
    assert consortium.vote(number, "ipp") == "FAILED"
    assert CONSORTIUM.codes[consortium.proposal(number).code] == "STANDING_WRONG"
    assert consortium.standing("newcomer") == "CANDIDATE"


def test_an_application_is_not_admitted_by_a_proposal_of_its_own_instant(consortium: Consortium) -> None:
    """A block has one time: a proposal of that block may have been for the application before it."""
    consortium.candidate("newcomer")
    candidate = consortium.member("newcomer")
    with pytest.raises(Rejected) as caught:
        require_ready(consortium.world.state, candidate, pseudonym("newcomer"), candidate.since_ms)
    assert caught.value.code is AuthorityCode.STANDING_WRONG
    require_ready(consortium.world.state, candidate, pseudonym("newcomer"), candidate.since_ms + 1)


def test_observing_is_shown_without_a_gap(consortium: Consortium) -> None:
    assert applies(consortium) == "OK"
    blocks = TERMS.checkpoint_blocks
    consortium.observe("newcomer", 2 * blocks)
    shown = consortium.conduct("newcomer").observed_blocks
    assert shown > 0
    consortium.blocks(2 * blocks + 2)
    assert consortium.do("alice", consortium.observation("newcomer")) == "OK"
    assert consortium.conduct("newcomer").observed_blocks == 0


def test_what_an_observer_says_must_be_so(consortium: Consortium) -> None:
    assert applies(consortium) == "OK"
    consortium.blocks(TERMS.checkpoint_blocks)
    while consortium.height % TERMS.checkpoint_blocks != 1:
        consortium.block()
    good = consortium.observation("newcomer")
    assert consortium.do("alice", consortium.observation("newcomer", signer("liar"))) == "NOT_THE_NODES_KEY"
    assert consortium.do("alice", consortium.observation("erc")) == "STANDING_WRONG"
    ((height, _),) = consortium.world.state.items(CHECKPOINTS)
    assert good.height == int.from_bytes(height, "big")
    assert consortium.do("alice", good) == "OK"
    assert consortium.do("bob", good) == "SAID_ALREADY"
    consortium.blocks(TERMS.checkpoint_blocks)
    assert consortium.do("alice", good) == "CHECKPOINT_WRONG"
    forged = consortium.world.sign("alice", msgspec.structs.replace(good, height=good.height + 1))
    with pytest.raises(Rejected):
        check_transaction(forged, CONSORTIUM.body)


def test_the_stake_comes_back_when_the_time_of_an_appeal_is_over(consortium: Consortium) -> None:
    assert consortium.do("ipp", Withdraw()) == "OK"
    left_ms = consortium.world.time_ms
    assert not consortium.votes("ipp")
    assert consortium.do("ipp", consortium.application("ipp", node=node_id("new"))) == "MEMBER_EXISTS"
    consortium.world.skip_to(left_ms + TERMS.appeal_ms)
    assert (consortium.standing("ipp"), held(consortium, "ipp")) == ("LEFT", STAKE_MICRO)
    consortium.world.skip_to(left_ms + TERMS.appeal_ms + 1)
    assert (consortium.standing("ipp"), held(consortium, "ipp")) == ("unknown", 0)
    assert not consortium.world.state.rows[NODES.prefix][node_id("ipp")].licensed


def test_the_stake_stays_while_the_caps_keep_the_key_voting() -> None:
    """Who votes has something to lose, though it left long ago."""
    consortium = Consortium(msgspec.structs.replace(TERMS, seats_min=10, appeal_ms=30_000))
    Watch(consortium.world)
    consortium.blocks(2)
    assert consortium.do("province", Withdraw()) == "OK"
    consortium.blocks(100)
    assert consortium.votes("province") and held(consortium, "province") == STAKE_MICRO
    consortium.admit("newcomer")
    consortium.blocks(1)
    assert address_of(consensus_key("province").keys[0]) not in consortium.world.state.rows[0x0A]
    gone_ms = consortium.member("province").since_ms
    consortium.world.skip_to(gone_ms + 30_000)
    assert held(consortium, "province") == STAKE_MICRO
    consortium.world.skip_to(gone_ms + 30_000 + 60_001)
    assert held(consortium, "province") == 0


def test_who_left_comes_back_with_new_keys_alone(consortium: Consortium) -> None:
    assert consortium.do("ipp", Withdraw()) == "OK"
    consortium.world.skip_to(consortium.world.time_ms + TERMS.appeal_ms + 1)
    assert consortium.do("ipp", consortium.application("ipp", node=node_id("new"))) == "CONSENSUS_KEY_TAKEN"


def test_a_candidate_is_not_suspended_for_what_it_did_as_a_member(consortium: Consortium) -> None:
    """Reinstated by vote it would be in without a new admission."""
    assert consortium.do("ipp", Withdraw()) == "OK"
    old = consortium.member("ipp").consensus_key
    consortium.world.skip_to(consortium.world.time_ms + TERMS.appeal_ms + 1)
    ask = consortium.application("ipp", node=node_id("new"), generation=1)
    assert consortium.do("ipp", ask) == "OK"
    consortium.block(misbehaviour=(Misbehaviour(1, address_of(old), 1, 1, 100, 10),))
    assert consortium.standing("ipp") == "CANDIDATE"
    assert consortium.world.state.rows[PENALTIES.prefix] == {}
    assert consortium.do("ipp", Withdraw()) == "OK"
    assert held(consortium, "ipp") == 0


def test_a_node_key_is_replaced_and_the_old_one_answers_no_more_for_new_batches(consortium: Consortium) -> None:
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.NODE)) == "OK"
    assert consortium.world.state.rows[NODES.prefix][node_id("ipp")].public_key == node_key("ipp", 1).keys[0]
    assert consortium.do("ipp", msgspec.structs.replace(consortium.rotation("erc", RotatedKey.NODE))) == "NOT_A_MEMBER"


def test_there_are_so_many_members(consortium: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS_MAX", 11)
    assert applies(consortium) == "OK"
    assert applies(consortium, "second") == "MEMBERS_EXCEEDED"


def test_without_a_consortium_there_is_nothing_to_ask() -> None:
    founding = Founding()
    founding.add_home("alice", balance_micro=WATT)
    world = founding.start()
    for ask in (Attest(bytes(8)), Endorse(bytes(8)), Propose(1, bytes(8), b""), Vote(1, True), Withdraw()):
        assert world.code("alice", ask) == "NO_CONSORTIUM"


def test_with_a_consortium_no_office_sets_nodes_or_validators(consortium: Consortium) -> None:
    key = signer("another").keys[0]
    assert consortium.do("authority", SetNode(pseudonym("another"), key, True)) == "CONSORTIUM_DECIDES"
    assert consortium.do("authority", SetValidator(key, 1, node_id("erc"))) == "CONSORTIUM_DECIDES"


@pytest.mark.parametrize("text", ["0994000165501", "0107537000882", "0994000165510", "x994000165501", "099400016550"])
def test_tax_ids_against_the_rule_written_out(text: str) -> None:
    good = len(text) == 13 and text.isdigit()
    if good:
        weighted = sum(int(digit) * weight for digit, weight in zip(text, range(13, 1, -1), strict=False))
        good = (11 - weighted % 11) % 10 == int(text[12])
    assert is_tax_id(text) == good


@pytest.mark.parametrize(
    "changes",
    [
        {"seats_min": 2},
        {"seats_max": 101},
        {"seats_min": 22},
        {"seats_min": 100, "seats_max": 100},
        {"checkpoint_blocks": 3_601},
        {"appeal_ms": 0},
        {"vote_ms": 90 * 86_400_000},
        {"demote_below_ppm": 666_667},
        {"demote_below_ppm": 600_000, "promote_from_ppm": 600_000},
        {"seat_power": 0},
        {"epoch_changes": 0},
    ],
)
def test_terms_have_bounds(changes: dict[str, int]) -> None:
    terms: ConsortiumTerms = DEFAULT_TERMS
    check_terms(terms)
    with pytest.raises(Rejected):
        check_terms(msgspec.structs.replace(terms, **changes))


def test_the_largest_terms_fit_a_proposal() -> None:
    largest = msgspec.structs.replace(
        DEFAULT_TERMS, **{name: 2**62 for name in DEFAULT_TERMS.__struct_fields__ if name != "group_seats"}
    )
    assert len(encode(largest)) <= limits.PROPOSAL_BYTES_MAX
    assert len(Group) == len(DEFAULT_TERMS.group_seats)
