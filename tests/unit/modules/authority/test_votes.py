"""Votes at their edges: ties, the last vote, the last millisecond, an electorate that changes while they are open."""

import msgspec
import pytest
from tests.consortium import SEATED, STAKE_MICRO, TERMS, Consortium, consensus_key, node_key
from tests.invariants import Watch
from tests.world import HOUR_MS, MINUTE_MS, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.authority.messages import (
    Act,
    NodeLicence,
    Propose,
    Replacement,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.proposals import count_votes
from gridtokenx.modules.authority.state import BALLOTS, PROPOSALS
from gridtokenx.modules.identity.messages import RegisterAccount


@pytest.fixture
def consortium() -> Consortium:
    consortium = Consortium()
    Watch(consortium.world)
    consortium.blocks(2)
    return consortium


def double_sign(consortium: Consortium, name: str, height: int = 1) -> None:
    """Consensus proves it of the member."""
    address = address_of(consortium.member(name).consensus_key)
    consortium.block(misbehaviour=(Misbehaviour(1, address, height, 1, 100, 10),))


def counted(consortium: Consortium, number: int) -> tuple[int, int, int]:
    """(yes, no, who may vote)."""
    return count_votes(consortium.world.state, number.to_bytes(8, "big"), consortium.proposal(number))


def replacement(consortium: Consortium, name: str, account: bytes | None = None) -> Replacement:
    return Replacement(
        account or consortium.member(name).account, node_key(name, 1).keys[0], consensus_key(name, 1).keys[0]
    )


def licence(consortium: Consortium, by: str = "erc") -> int:
    """Five may vote, three carry it."""
    ask = NodeLicence(signer("gateway").keys[0], True)
    return consortium.propose(by, Act.LICENSE, "gateway", ask)


def test_one_vote_less_does_not_carry_it_and_the_last_one_does(consortium: Consortium) -> None:
    number = consortium.propose("mea-hq", Act.REMOVE, "bank-one")
    assert consortium.vote(number, "erc", "ipp") == "OPEN"  # three of six, four needed
    assert consortium.standing("bank-one") == "SEATED"
    assert consortium.vote(number, "techno") == "CARRIED"
    assert consortium.standing("bank-one") == "LEFT"
    assert consortium.do("province", Vote(number, True)) == "PROPOSAL_CLOSED"


def test_a_tie_is_lost_as_soon_as_nobody_can_break_it() -> None:
    four = {name: SEATED[name] for name in ("egat-hq", "mea-hq", "techno", "province", "sec", "ieat")}
    consortium = Consortium(members=four)
    consortium.blocks(2)
    number = licence(consortium, "egat-hq")
    assert consortium.vote(number, "techno") == "OPEN"
    assert consortium.vote(number, "mea-hq", yes=False) == "OPEN"
    assert consortium.vote(number, "province", yes=False) == "LOST"
    assert counted(consortium, number) == (2, 2, 4)


def test_no_votes_that_cannot_be_made_up_for_end_it(consortium: Consortium) -> None:
    number = licence(consortium)
    assert consortium.vote(number, "egat-hq", "mea-hq", yes=False) == "OPEN"
    assert consortium.vote(number, "techno", yes=False) == "LOST"


def test_a_member_votes_once_and_does_not_change_its_mind(consortium: Consortium) -> None:
    number = licence(consortium)
    assert consortium.do("erc", Vote(number, False)) == "SAID_ALREADY"
    assert consortium.do("techno", Vote(number, False)) == "OK"
    assert consortium.do("techno", Vote(number, True)) == "SAID_ALREADY"
    assert counted(consortium, number) == (1, 1, 5)
    assert consortium.do("techno", Vote(77, True)) == "PROPOSAL_UNKNOWN"


@pytest.mark.parametrize(("before_ms", "code", "outcome"), [(1, "OK", "CARRIED"), (0, "PROPOSAL_CLOSED", "LOST")])
def test_the_last_millisecond(consortium: Consortium, before_ms: int, code: str, outcome: str) -> None:
    number = licence(consortium)
    assert consortium.vote(number, "mea-hq") == "OPEN"
    closes_ms = consortium.proposal(number).closes_ms
    consortium.block(time_ms=closes_ms - 1_000)
    assert consortium.do("techno", Vote(number, True), time_ms=closes_ms - before_ms) == code
    assert consortium.outcome(number) == outcome


def test_at_its_end_it_is_counted_by_who_may_vote_then(consortium: Consortium) -> None:
    """Four of seven are not two thirds; when two of the others are suspended, four of five are."""
    number = consortium.propose("egat-hq", Act.REMOVE, "central-bank")
    assert consortium.vote(number, "mea-hq", "erc", "ipp") == "OPEN"
    double_sign(consortium, "techno")
    double_sign(consortium, "province")
    assert consortium.outcome(number) == "OPEN"
    consortium.block(time_ms=consortium.proposal(number).closes_ms)
    assert consortium.outcome(number) == "CARRIED"


def test_who_is_suspended_or_leaves_takes_its_vote_away(consortium: Consortium) -> None:
    number = consortium.propose("egat-hq", Act.REMOVE, "bank-one")
    assert consortium.vote(number, "ipp", "province") == "OPEN"
    assert counted(consortium, number) == (3, 0, 6)
    double_sign(consortium, "ipp")
    assert counted(consortium, number) == (2, 0, 5)
    assert consortium.do("province", Withdraw()) == "OK"
    assert counted(consortium, number) == (1, 0, 4)
    # Reinstated, it is counted again: it is the same member that spoke, by the same account.
    assert consortium.vote(consortium.propose("erc", Act.REINSTATE, "ipp"), "egat-hq", "mea-hq", "techno") == "CARRIED"
    assert counted(consortium, number) == (2, 0, 5)


def test_the_proposer_s_own_vote_goes_with_it_and_the_proposal_stays(consortium: Consortium) -> None:
    number = consortium.propose("mea-hq", Act.REMOVE, "bank-one")
    assert consortium.do("mea-hq", Withdraw()) == "OK"
    assert counted(consortium, number) == (0, 0, 5)
    assert consortium.vote(number, "egat-hq", "erc", "ipp", "techno") == "CARRIED"


def test_a_replaced_account_votes_anew(consortium: Consortium) -> None:
    spare = signer("spare of ipp", 2, 3)
    assert consortium.do("registrar", RegisterAccount(pseudonym("ipp"), 0, 2, spare.keys)) == "OK"
    (account,) = [
        key
        for key, record in consortium.world.state.rows[1].items()
        if record.participant == pseudonym("ipp") and key != consortium.member("ipp").account
    ]
    consortium.world.signers["spare"], consortium.world.accounts["spare"] = spare, account
    number = consortium.propose("egat-hq", Act.REMOVE, "bank-one")
    assert consortium.vote(number, "ipp") == "OPEN"
    assert consortium.do("spare", Vote(number, True)) == "NOT_A_MEMBER"
    swap = consortium.propose("sec", Act.REPLACE, "ipp", replacement(consortium, "ipp", account))
    assert consortium.vote(swap, "ieat") == "CARRIED"
    assert counted(consortium, number) == (1, 0, 6)
    assert consortium.do("ipp", Vote(number, True)) == "NOT_A_MEMBER"
    assert consortium.do("spare", Vote(number, False)) == "OK"
    assert counted(consortium, number) == (1, 1, 6)
    assert consortium.member("ipp").staked_by == consortium.world.accounts["ipp"]


def test_nobody_is_replaced_by_an_account_of_another(consortium: Consortium) -> None:
    stolen = replacement(consortium, "ipp", consortium.member("sec").account)
    number = consortium.propose("sec", Act.REPLACE, "ipp", stolen)
    assert consortium.vote(number, "ieat") == "FAILED"
    assert CONSORTIUM.codes[consortium.proposal(number).code] == "NOT_A_MEMBER"


def test_the_account_of_a_node_never_speaks_for_its_member(consortium: Consortium) -> None:
    """Else the emergency tier, which names a lost node's next key, would get that member's vote with it."""
    number = consortium.propose("sec", Act.REPLACE, "ipp", replacement(consortium, "ipp"))
    assert consortium.vote(number, "ieat") == "CARRIED"
    rows = consortium.world.state.rows[1]
    before = {key for key, record in rows.items() if record.participant == pseudonym("ipp")}
    assert before == {consortium.world.accounts["ipp"]}


def test_the_emergency_tier_replaces_no_more_than_an_epoch_allows(consortium: Consortium) -> None:
    """Also where consensus keys stay: else it had the nodes of all members at once, and with them every batch."""
    names = ["ipp", "bank-one", "techno", "province", "erc"]
    outcomes = []
    for name in names:
        kept = msgspec.structs.replace(
            replacement(consortium, name), consensus_key=consortium.member(name).consensus_key
        )
        number = consortium.propose("sec", Act.REPLACE, name, kept)
        outcomes.append(consortium.vote(number, "ieat"))
        failed = CONSORTIUM.codes[consortium.proposal(number).code]
    assert outcomes == ["CARRIED"] * TERMS.epoch_changes + ["FAILED"] * (len(names) - TERMS.epoch_changes)
    assert failed == "ROTATION_TOO_SOON"
    consortium.blocks(TERMS.epoch_blocks)
    number = consortium.propose("sec", Act.REPLACE, "erc", replacement(consortium, "erc"))
    assert consortium.vote(number, "ieat") == "CARRIED"


def test_nobody_votes_on_itself(consortium: Consortium) -> None:
    number = consortium.propose("mea-hq", Act.REMOVE, "mea-hq")
    assert consortium.do("mea-hq", Vote(number, False)) == "POWER_MISSING"
    assert counted(consortium, number) == (0, 0, 6)
    number = consortium.propose("mea-hq", Act.REMOVE, "ipp")
    assert consortium.do("ipp", Vote(number, False)) == "POWER_MISSING"


def test_a_node_of_the_same_name_takes_nobody_s_vote(consortium: Consortium) -> None:
    ask = NodeLicence(signer("gateway").keys[0], True)
    number = consortium.propose("erc", Act.LICENSE, "techno", ask)
    assert consortium.do("techno", Vote(number, False)) == "OK"


def test_what_nobody_could_vote_on_is_not_proposed() -> None:
    few = {name: SEATED[name] for name in ("egat-hq", "mea-hq", "erc", "techno", "sec")}
    consortium = Consortium(members=few)
    consortium.blocks(2)
    ask = Propose(int(Act.REPLACE), pseudonym("sec"), encode(replacement(consortium, "sec")))
    assert consortium.do("sec", ask) == "POWER_MISSING"


def test_the_same_is_proposed_again_only_when_it_is_decided(consortium: Consortium) -> None:
    number = licence(consortium)
    ask = Propose(int(Act.LICENSE), pseudonym("gateway"), encode(NodeLicence(signer("gateway").keys[0], True)))
    assert consortium.do("techno", ask) == "PROPOSAL_REPEATED"
    assert consortium.vote(number, "egat-hq", "mea-hq", "techno", yes=False) == "LOST"
    assert consortium.do("techno", ask) == "OK"


def test_a_member_has_so_many_open_proposals(consortium: Consortium) -> None:
    for number in range(limits.PROPOSALS_OF_MEMBER_MAX):
        consortium.propose("erc", Act.LICENSE, f"gateway {number}", NodeLicence(signer(f"g {number}").keys[0], True))
    more = Propose(int(Act.LICENSE), pseudonym("more"), encode(NodeLicence(signer("more").keys[0], True)))
    assert consortium.do("erc", more) == "PROPOSALS_EXCEEDED"
    assert consortium.do("techno", more) == "OK"


def test_what_is_carried_and_cannot_be_done_says_why_and_keeps_its_votes(consortium: Consortium) -> None:
    first, second = licence(consortium), 0
    ask = NodeLicence(signer("gateway").keys[0], True)  # the same key for another node
    second = consortium.propose("erc", Act.LICENSE, "gateway two", ask)
    assert consortium.vote(first, "mea-hq", "techno") == "CARRIED"
    before = consortium.world.export()
    assert consortium.vote(second, "mea-hq", "techno") == "FAILED"
    assert CONSORTIUM.codes[consortium.proposal(second).code] == "NODE_KEY_TAKEN"
    assert counted(consortium, second) == (3, 0, 5)
    assert before != consortium.world.export()
    assert consortium.do("egat-hq", Vote(second, True)) == "PROPOSAL_CLOSED"


def test_an_act_that_fails_half_way_is_taken_back_whole(consortium: Consortium) -> None:
    """The node's key of a replacement is good, the consensus key is another member's."""
    broken = Replacement(
        consortium.member("ipp").account, node_key("ipp", 1).keys[0], consortium.member("erc").consensus_key
    )
    member = consortium.member("ipp")
    number = consortium.propose("sec", Act.REPLACE, "ipp", broken)
    assert consortium.vote(number, "ieat") == "FAILED"
    assert CONSORTIUM.codes[consortium.proposal(number).code] == "CONSENSUS_KEY_TAKEN"
    assert consortium.member("ipp") == member
    assert consortium.do("ipp", Vote(number, True)) == "PROPOSAL_CLOSED"


def test_numbers_go_on_when_proposals_are_forgotten(consortium: Consortium) -> None:
    number = licence(consortium)
    assert consortium.vote(number, "mea-hq", "techno") == "CARRIED"
    decided_ms = consortium.world.time_ms
    consortium.block(time_ms=decided_ms + limits.PROPOSAL_KEPT_MS - 1)
    assert consortium.numbers() == [number]
    consortium.block(time_ms=decided_ms + limits.PROPOSAL_KEPT_MS)
    assert consortium.numbers() == []
    assert consortium.world.state.rows[BALLOTS.prefix] == {}
    assert consortium.propose("mea-hq", Act.REMOVE, "bank-one") == number + 1


def test_what_is_malformed_is_no_proposal(consortium: Consortium) -> None:
    terms = encode(TERMS)
    bad = encode(msgspec.structs.replace(TERMS, seats_min=0))
    for expected, ask in (
        ("ACT_UNKNOWN", Propose(0, b"", b"")),
        ("ACT_UNKNOWN", Propose(9, b"", b"")),
        ("PROPOSAL_MALFORMED", Propose(int(Act.SET_TERMS), b"", b"")),
        ("PROPOSAL_MALFORMED", Propose(int(Act.SET_TERMS), b"", terms + b"\x00")),
        ("PROPOSAL_MALFORMED", Propose(int(Act.SET_TERMS), bytes(8), terms)),
        ("PROPOSAL_MALFORMED", Propose(int(Act.REMOVE), b"1234567", b"")),
        ("PROPOSAL_MALFORMED", Propose(int(Act.REMOVE), pseudonym("ipp"), terms)),
        ("PROPOSAL_MALFORMED", Propose(int(Act.LICENSE), pseudonym("node"), terms)),
        ("TERMS_OUT_OF_BOUNDS", Propose(int(Act.SET_TERMS), b"", bad)),
        ("MEMBER_UNKNOWN", Propose(int(Act.REMOVE), pseudonym("alice"), b"")),
        ("STANDING_WRONG", Propose(int(Act.REINSTATE), pseudonym("ipp"), b"")),
    ):
        assert consortium.do("erc", ask) == expected
    assert consortium.do("sec", Propose(int(Act.RESUME), b"", b"")) == "MARKET_NOT_FROZEN"
    assert consortium.world.state.rows[PROPOSALS.prefix] == {}


# --- while the market is frozen


def freeze(consortium: Consortium) -> int:
    assert consortium.vote(consortium.propose("sec", Act.FREEZE), "ieat") == "CARRIED"
    return consortium.world.time_ms


def resume(consortium: Consortium, *names: str) -> int:
    assert consortium.vote(consortium.propose("sec", Act.RESUME), "ieat") == "CARRIED"
    return consortium.world.time_ms


def test_a_vote_that_a_freeze_stops_ends_later_by_as_much(consortium: Consortium) -> None:
    number = licence(consortium)
    closes_ms = consortium.proposal(number).closes_ms
    began_ms = freeze(consortium)
    assert consortium.do("mea-hq", Vote(number, True)) == "FROZEN"
    consortium.world.skip_to(closes_ms + 5 * MINUTE_MS)
    assert consortium.outcome(number) == "OPEN"
    ended_ms = resume(consortium)
    due_ms = closes_ms + ended_ms - began_ms
    consortium.world.skip_to(due_ms - 2)
    assert consortium.do("mea-hq", Vote(number, True), time_ms=due_ms - 1) == "OK"
    assert consortium.do("techno", Vote(number, True), time_ms=due_ms) == "PROPOSAL_CLOSED"
    assert consortium.outcome(number) == "LOST"


def test_who_keeps_the_market_stopped_can_be_removed_and_then_the_others_resume(consortium: Consortium) -> None:
    freeze(consortium)
    assert consortium.do("erc", Propose(int(Act.RESUME), b"", b"")) == "POWER_MISSING"
    for name in ("sec", "central-bank", "ieat"):
        number = consortium.propose("erc", Act.REMOVE, name)
        assert consortium.vote(number, "mea-hq", "egat-hq", "ipp", "techno") == "CARRIED"
    number = consortium.propose("ipp", Act.RESUME)
    assert consortium.vote(number, "mea-hq", "egat-hq", "erc") == "OPEN"
    assert consortium.vote(number, "techno") == "CARRIED"
    assert consortium.do("erc", Propose(int(Act.RESUME), b"", b"")) == "MARKET_NOT_FROZEN"


def test_a_suspended_member_can_be_reinstated_while_the_market_is_frozen(consortium: Consortium) -> None:
    freeze(consortium)
    double_sign(consortium, "sec")
    number = consortium.propose("erc", Act.REINSTATE, "sec")
    assert consortium.vote(number, "mea-hq", "egat-hq", "ipp", "techno") == "CARRIED"
    assert consortium.member("sec").stake_micro == STAKE_MICRO


def test_the_last_primary_member_does_not_leave() -> None:
    few = {name: SEATED[name] for name in ("egat-hq", "erc", "ipp", "bank-one", "techno", "province")}
    consortium = Consortium(members=few)
    consortium.blocks(2)
    assert consortium.do("egat-hq", Withdraw()) == "OK"
    assert consortium.do("erc", Withdraw()) == "STANDING_WRONG"
    number = consortium.propose("erc", Act.REMOVE, "erc")
    assert consortium.vote(number, "ipp", "bank-one", "techno") == "FAILED"
    assert consortium.standing("erc") == "SEATED"


def test_new_terms_count_for_what_is_proposed_after_them(consortium: Consortium) -> None:
    before = licence(consortium)
    shorter = msgspec.structs.replace(TERMS, vote_ms=HOUR_MS // 2)
    assert consortium.vote(consortium.propose("erc", Act.SET_TERMS, "", shorter), "mea-hq") == "CARRIED"
    after = consortium.propose("erc", Act.REMOVE, "ipp")
    assert [
        consortium.proposal(number).closes_ms - consortium.proposal(number).opened_ms for number in (before, after)
    ] == [HOUR_MS, HOUR_MS // 2]
