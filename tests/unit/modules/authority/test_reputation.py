"""Reputation: the published formula, who loses a seat and who takes it, doubt, and what those can do who play with it
(A6)."""

from collections.abc import Callable, Iterable
from random import Random

import msgspec
import pytest
from tests.consortium import SEATED, TERMS, Consortium, consensus_key, node_key
from tests.invariants import Watch
from tests.world import MINUTE_MS, batch_of, pseudonym, report_of

from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.rotation import next_voters, rotation_of
from gridtokenx.ledger.validator import address_of
from gridtokenx.modules.authority.messages import Act, RotatedKey, Standing, Withdraw
from gridtokenx.modules.authority.reputation import mix, voter_score
from gridtokenx.modules.authority.state import MEMBERS, epoch_of
from gridtokenx.modules.authority.terms import CENSORED_PPM_MAX

FULL = 1_000_000


def made(**changes: object) -> Consortium:
    """At the first block of its second epoch."""
    consortium = Consortium(msgspec.structs.replace(TERMS, **changes))
    Watch(consortium.world)
    end_epoch(consortium)
    return consortium


def end_epoch(consortium: Consortium, **more: object) -> None:
    """Blocks of one kind until the running epoch is judged."""
    number = epoch_of(consortium.world.state).number
    while epoch_of(consortium.world.state).number == number:
        consortium.block(**more)  # type: ignore[arg-type]


def proposer(consortium: Consortium) -> str:
    """Whose turn the next block is: it says whose votes for the last one it holds."""
    rotation = rotation_of(consortium.world.state, consortium.height)
    assert rotation is not None
    address = next_voters(rotation.voters, rotation.coming).proposer
    (name,) = [name for name in SEATED if address in consortium.addresses(name)]
    return name


def scores(consortium: Consortium, names: Iterable[str] = SEATED) -> dict[str, int]:
    return {name: consortium.conduct(name).score_ppm for name in names}


def standings(consortium: Consortium) -> set[str]:
    return {consortium.standing(name) for name in SEATED}


# --- the formula


def published(reputation: int, blocks: int, absent: int, missed: int, bad: int, voters: int) -> int:
    """docs/authorities.md, written a second time."""
    score = FULL - absent * FULL // blocks - min(FULL, missed * voters * FULL // blocks) // 4 - bad * 250_000
    return (reputation * 3 + max(score, 0)) // 4


@pytest.mark.parametrize("seed", range(5))
def test_the_published_formula_over_epochs_of_every_kind(seed: int) -> None:
    random = Random(seed)
    consortium = made(demote_below_ppm=0)
    names = list(SEATED)
    expected = scores(consortium)
    for _ in range(6):
        absent = dict.fromkeys(names, 0)
        missed_before = {name: consortium.conduct(name).missed_total for name in names}
        number, blocks = epoch_of(consortium.world.state).number, 0
        while epoch_of(consortium.world.state).number == number:
            away = random.sample(names, 1) if random.random() < 0.5 else []
            consortium.block(away=away, round_=random.choice([0, 0, 0, 1, 2]))
            blocks += 1
            for name in away:
                absent[name] += 1
        assert blocks == TERMS.epoch_blocks
        for name in names:
            missed = consortium.conduct(name).missed_total - missed_before[name]
            expected[name] = published(expected[name], blocks, absent[name], missed, 0, 10)
        assert scores(consortium) == expected
    assert min(expected.values()) < FULL


def test_scores_at_their_edges() -> None:
    assert voter_score(20, 0, 0, 0, 21) == FULL
    assert voter_score(20, 20, 20, 4, 21) == 0
    assert voter_score(3_600, 1_200, 0, 0, 21) == 666_667 == CENSORED_PPM_MAX + 1
    assert voter_score(21, 0, 1, 0, 21) == 750_000
    assert voter_score(100, 0, 0, 3, 21) == 250_000
    assert mix(FULL, 0) == 750_000
    assert mix(1, 0) == mix(0, 3) == 0


def test_who_misses_its_turn_is_known_by_the_rule_of_consensus() -> None:
    """The block before was agreed on in round 2: those who had its rounds 0 and 1 missed a turn each."""
    consortium = made()
    first = proposer(consortium)
    consortium.block()
    consortium.block(round_=2)
    missed = [name for name in SEATED if consortium.conduct(name).missed]
    assert first in missed and len(missed) == 2


# --- who loses a seat


def test_a_dead_validator_loses_its_seat_after_two_epochs() -> None:
    consortium = made()
    end_epoch(consortium, away=("ipp",))
    assert (consortium.standing("ipp"), scores(consortium)["ipp"]) == ("SEATED", 750_000)
    end_epoch(consortium, away=("ipp",))
    assert (consortium.standing("ipp"), scores(consortium)["ipp"]) == ("RESERVE", 562_500)
    assert not consortium.votes("ipp")
    assert consortium.world.state.rows[NODES.prefix][consortium.member("ipp").node].licensed
    assert set(scores(consortium).values()) == {562_500, FULL}


def test_of_several_one_an_epoch_and_never_below_the_floor() -> None:
    """Nine of ten at the floor: the worst goes, then nobody, however bad. (One of ten is away from each block: no more,
    else nobody could say who.)"""
    consortium = made(seats_min=9, demote_below_ppm=666_666)
    dead = ("ipp", "sec", "ieat")
    for _ in range(8):
        number, turn = epoch_of(consortium.world.state).number, 0
        while epoch_of(consortium.world.state).number == number:
            consortium.block(away=(dead[turn % 3],), round_=1)
            turn += 1
    assert [consortium.standing(name) for name in dead].count("RESERVE") <= 1
    assert sum(consortium.standing(name) == "SEATED" for name in SEATED) >= 9


def test_a_seat_that_waits_for_the_caps_is_not_judged_until_it_votes() -> None:
    consortium = made(epoch_changes=1)
    assert consortium.do("techno", Withdraw()) == "OK"  # uses up the epoch
    consortium.candidate("newcomer")
    while epoch_of(consortium.world.state).changes == 0:
        assert consortium.do("province", Withdraw()) == "OK"
    number = consortium.propose("egat-hq", Act.ADMIT, "newcomer")
    assert consortium.vote(number, "mea-hq", "erc", "ipp", "bank-one") == "CARRIED"
    assert consortium.standing("newcomer") == "SEATED"
    while not consortium.votes("newcomer"):
        assert consortium.conduct("newcomer").blocks_total == 0
        consortium.block()
    end_epoch(consortium)
    expected = consortium.height - 1 - consortium.conduct("newcomer").from_height + 1
    assert consortium.conduct("newcomer").blocks_total == expected
    assert scores(consortium, ["newcomer"]) == {"newcomer": FULL}


# --- doubt


def test_when_two_fifths_are_away_nobody_is_blamed() -> None:
    """It may be the network that is torn: those who are left do not count themselves into a majority."""
    consortium = made()
    torn = ("egat-hq", "ipp", "sec", "ieat")
    before = scores(consortium)
    for _ in range(20):
        end_epoch(consortium, away=torn)
    assert scores(consortium) == before
    assert standings(consortium) == {"SEATED"}
    # Healed, the count begins anew: nothing of that time is held against them.
    end_epoch(consortium)
    assert set(scores(consortium).values()) == {FULL}


def test_an_epoch_that_ends_in_doubt_moves_nobody_and_one_with_little_doubt_does() -> None:
    consortium = made()
    number = epoch_of(consortium.world.state).number

    def epoch(doubtful: Callable[[int], bool]) -> None:
        nonlocal number
        block = 0
        while epoch_of(consortium.world.state).number == number:
            block += 1
            consortium.block(away=("ipp", "sec") if doubtful(block) else ("ipp",))
        number += 1

    epoch(lambda block: block == 20)  # the last one
    assert scores(consortium)["ipp"] == FULL
    epoch(lambda block: block in (5, 6))  # more than a twentieth
    assert scores(consortium)["ipp"] == FULL
    epoch(lambda block: block == 5)
    assert scores(consortium)["ipp"] == 750_000


def test_a_bad_batch_is_proved_and_counts_through_doubt() -> None:
    consortium = made()
    report_bad_batch(consortium, "ipp")
    end_epoch(consortium, away=("sec", "ieat"))
    assert scores(consortium)["ipp"] == FULL
    assert consortium.conduct("ipp").bad == 1
    end_epoch(consortium)
    assert scores(consortium)["ipp"] == mix(FULL, 750_000)


def report_bad_batch(consortium: Consortium, name: str) -> None:
    world, node = consortium.world, consortium.member(name).node
    wire = batch_of((b"nothing",), 1, world.time_ms + MINUTE_MS, world.chain, node, node_key(name))
    assert consortium.do("alice", report_of(wire, 0, node_key(name))) == "OK"


# --- reserves


def demoted() -> Consortium:
    """`ipp` was dead for two epochs and is a reserve now."""
    consortium = made()
    end_epoch(consortium, away=("ipp",))
    end_epoch(consortium, away=("ipp",))
    return consortium


def follow(consortium: Consortium, epochs: int) -> list[str]:
    """The node of `ipp` names every checkpoint; its standing after each epoch."""
    seen = []
    for _ in range(epochs):
        number = epoch_of(consortium.world.state).number
        while epoch_of(consortium.world.state).number == number:
            if consortium.standing("ipp") == "RESERVE":
                consortium.observe("ipp", 1)
            else:
                consortium.block()
        seen.append(consortium.standing("ipp"))
    return seen


def test_a_reserve_earns_its_seat_back_by_following_for_long() -> None:
    """No flapping: from 562,500 to 900,000 it takes six epochs; being dead again two."""
    consortium = demoted()
    reputation, epochs = 562_500, 0
    while reputation < TERMS.promote_from_ppm:
        reputation, epochs = mix(reputation, FULL), epochs + 1
    assert epochs == 6
    assert follow(consortium, epochs) == ["RESERVE"] * (epochs - 1) + ["SEATED"]
    consortium.blocks(2)
    assert consortium.votes("ipp")
    assert scores(consortium)["ipp"] == reputation


def test_a_reserve_that_does_not_follow_stays_one() -> None:
    consortium = demoted()
    for _ in range(6):
        end_epoch(consortium)
    assert consortium.standing("ipp") == "RESERVE"
    assert scores(consortium)["ipp"] < 150_000


def test_bad_batches_of_a_reserve_count() -> None:
    consortium = demoted()
    report_bad_batch(consortium, "ipp")
    follow(consortium, 1)
    assert scores(consortium)["ipp"] == mix(562_500, 750_000)


def test_the_best_reserve_takes_a_seat_that_is_free() -> None:
    consortium = made(seats_max=10)
    consortium.admit("newcomer")
    assert consortium.standing("newcomer") == "RESERVE"
    assert consortium.do("techno", Withdraw()) == "OK"
    number = epoch_of(consortium.world.state).number
    while epoch_of(consortium.world.state).number == number:
        consortium.observe("newcomer", 1)
    end_epoch(consortium)
    assert consortium.standing("newcomer") == "SEATED"


# --- gaming


def test_fewer_than_a_third_of_proposers_demote_nobody_by_leaving_out_its_votes() -> None:
    consortium = made()
    coalition, victim = {"egat-hq", "mea-hq", "erc"}, "ipp"
    lowest = FULL
    for _ in range(400):
        consortium.block(away=(victim,) if proposer(consortium) in coalition else ())
        lowest = min(lowest, scores(consortium)[victim])
    assert consortium.standing(victim) == "SEATED"
    assert 690_000 < lowest < 720_000  # three of ten blocks
    assert {scores(consortium)[name] for name in coalition} == {FULL}


def test_half_of_the_proposers_would() -> None:
    """Where it ends: that many can stop the chain as well."""
    consortium = made()
    coalition, victim = {"egat-hq", "mea-hq", "erc", "sec", "ieat"}, "ipp"
    for _ in range(400):
        consortium.block(away=(victim,) if proposer(consortium) in coalition else ())
    assert consortium.standing(victim) == "RESERVE"


def test_a_fifth_that_withholds_its_votes_shields_itself_and_the_dead_and_harms_nobody() -> None:
    """Even by one block an epoch, the last. Against it there is the vote of the members."""
    consortium = made()
    number = epoch_of(consortium.world.state).number
    for _ in range(6):
        block = 0
        while epoch_of(consortium.world.state).number == number:
            block += 1
            consortium.block(away=("sec", "ieat", "ipp") if block == 20 else ("ipp",))
        number += 1
    assert standings(consortium) == {"SEATED"}
    assert set(scores(consortium).values()) == {FULL}
    vote = consortium.propose("erc", Act.REMOVE, "ipp")
    assert consortium.vote(vote, "egat-hq", "mea-hq", "techno") == "CARRIED"
    assert not consortium.votes("ipp")


def test_late_votes_harm_those_alone_who_are_late() -> None:
    """A member that is late on purpose whenever its victim proposes: the victim's score is untouched."""
    consortium = made()
    for _ in range(200):
        consortium.block(away=("sec",) if proposer(consortium) == "ipp" else ())
    assert scores(consortium)["ipp"] == FULL
    assert scores(consortium)["sec"] < FULL
    assert standings(consortium) == {"SEATED"}


def test_a_late_vote_and_a_dead_proposer_are_not_mistaken_for_each_other() -> None:
    """Rounds above 0 cost those whose turns they were, and not those who voted in them."""
    consortium = made()
    for _ in range(60):
        round_ = int(last_turn(consortium) == "ipp")
        consortium.block(round_=round_)
    end_epoch(consortium)
    assert scores(consortium)["ipp"] < FULL
    assert {scores(consortium)[name] for name in SEATED if name != "ipp"} == {FULL}


def last_turn(consortium: Consortium) -> str:
    """Who had round 0 of the last block."""
    rotation = rotation_of(consortium.world.state, consortium.height)
    assert rotation is not None
    (name,) = [name for name in SEATED if rotation.voters.proposer in consortium.addresses(name)]
    return name


def test_a_new_key_does_not_wipe_out_what_was_counted() -> None:
    consortium = made()
    for _ in range(10):
        consortium.block(away=("ipp",))
    assert consortium.do("ipp", consortium.rotation("ipp", RotatedKey.CONSENSUS), away=("ipp",)) == "OK"
    end_epoch(consortium, away=("ipp",))
    assert scores(consortium)["ipp"] == 750_000
    assert address_of(consensus_key("ipp", 1).keys[0]) in consortium.addresses("ipp")
    assert consortium.world.state.rows[MEMBERS.prefix][pseudonym("ipp")].standing == Standing.SEATED
