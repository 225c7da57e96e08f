"""The rules of a light client: what follows from a trusted block is believed, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace as with_rules
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from ed25519_zebra import ed_verify
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.engine.comet.light_chain import (
    CHAIN,
    NS,
    Powers,
    hash_of,
    header_at,
    key,
    make_chain,
    now_ms,
    public_key,
    signed,
    validators_of,
)

from gridtokenx.engine.comet.headers import (
    ABSENT,
    POWER_SUM_MAX,
    VALIDATORS_MAX,
    BlockId,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteFlag,
    check_light_block,
    check_validators,
    header_hash,
    validators_hash,
    vote_bytes,
)
from gridtokenx.engine.comet.light import Rules, check_block, verify, verify_before
from gridtokenx.engine.comet.light_errors import (
    BlockInvalid,
    ChainUnknown,
    FromTheFuture,
    HeightNotLater,
    LightError,
    LinkBroken,
    OverlapTooLow,
    PowerTooLow,
    RulesInvalid,
    SignatureFalse,
    TimeNotLater,
    TrustExpired,
    ValidatorsMismatch,
)

RULES = Rules()
FOUR: Powers = {1: 10, 2: 10, 3: 10, 4: 10}
NEXT_FOUR: Powers = {1: 10, 2: 10, 3: 10, 5: 11}
BLOCKS = make_chain([FOUR, FOUR, FOUR, NEXT_FOUR, NEXT_FOUR], {3: {4: VoteFlag.NIL}, 4: {5: VoteFlag.ABSENT}})
NOW_MS = now_ms(BLOCKS)


def test_the_next_and_a_later_block_follow() -> None:
    for earlier in range(4):
        for later in range(earlier + 1, 4):
            verify(BLOCKS[earlier], BLOCKS[later], NOW_MS, RULES)


def test_the_block_before_follows_by_its_hash() -> None:
    for later in range(1, 4):
        verify_before(BLOCKS[later].header, BLOCKS[later - 1])
    with pytest.raises(LinkBroken):
        verify_before(BLOCKS[3].header, BLOCKS[1])


def changed(value: Any) -> Iterator[Any]:
    """Values of the same type that are not this one."""
    if isinstance(value, VoteFlag):
        yield from (flag for flag in VoteFlag if flag is not value)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value + 2**62, 0 if value else 7)
    elif isinstance(value, str):
        yield from (value + "x", "", value.upper())
    elif isinstance(value, bytes):
        yield from (b"", value[:-1], value + b"\x00", bytes(len(value)))
        for place in (0, len(value) - 1) if value else ():
            yield value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
    elif isinstance(value, tuple):
        yield from (value[:-1], value + value[-1:], value[::-1])
        for place, item in enumerate(value):
            yield from ((*value[:place], other, *value[place + 1 :]) for other in changed(item))
    else:
        assert isinstance(value, msgspec.Struct)
        for name in value.__struct_fields__:
            yield from (replace(value, **{name: other}) for other in changed(getattr(value, name)))


def test_no_field_can_be_changed() -> None:
    """Every field of header, commit and validators, in several ways: refused by name, whatever it is."""
    for block in (BLOCKS[2], BLOCKS[3]):
        tried = 0
        for forged in changed(block):
            if forged == block:
                continue
            tried += 1
            with pytest.raises(LightError):
                verify(BLOCKS[1], forged, NOW_MS, RULES)
            with pytest.raises(LightError):
                check_block(forged, CHAIN)
        assert tried > 200


def test_a_rewritten_block_needs_its_validators_signatures() -> None:
    """Whoever changes a header and mends every hash still lacks the keys."""
    header = replace(BLOCKS[2].header, app_hash=hash_of("richer"))
    commit = replace(BLOCKS[2].commit, block=replace(BLOCKS[2].commit.block, hash=header_hash(header)))
    forged = replace(BLOCKS[2], header=header, commit=commit)
    check_light_block(forged, CHAIN)
    with pytest.raises(SignatureFalse):
        verify(BLOCKS[1], forged, NOW_MS, RULES)


def test_invented_validators_are_not_the_trusted_ones() -> None:
    strangers: Powers = {7: 10, 8: 10, 9: 10}
    following = signed(header_at(2, strangers, strangers, BLOCKS[0], "forged"), strangers)
    later = signed(header_at(3, strangers, strangers, BLOCKS[1], "forged"), strangers)
    check_block(following, CHAIN)
    with pytest.raises(ValidatorsMismatch):
        verify(BLOCKS[0], following, NOW_MS, RULES)
    with pytest.raises(OverlapTooLow):
        verify(BLOCKS[0], later, NOW_MS, RULES)


def test_more_than_two_thirds_of_its_own() -> None:
    """Of 40, 27 are enough and 26 are not; nil votes and absent ones count for nothing."""
    powers: Powers = {1: 13, 2: 13, 3: 1, 4: 13}
    for flag in (VoteFlag.NIL, VoteFlag.ABSENT):
        enough = signed(header_at(1, powers, powers, None), powers, {4: flag})
        check_block(enough, CHAIN)
        with pytest.raises(PowerTooLow):
            check_block(signed(enough.header, powers, {3: flag, 4: flag}), CHAIN)


def test_two_thirds_themselves_are_too_few() -> None:
    powers: Powers = {1: 10, 2: 10, 3: 10}
    with pytest.raises(PowerTooLow):
        check_block(signed(header_at(1, powers, powers, None), powers, {3: VoteFlag.NIL}), CHAIN)


def test_votes_of_another_height() -> None:
    """Signed by all, for this very block, at the next height."""
    commit = replace(BLOCKS[1].commit, height=3)
    numbers = {public_key(number): number for number in FOUR}
    members = BLOCKS[1].validators.members
    votes = tuple(
        replace(vote, signature=key(numbers[member.public_key]).sign(vote_bytes(CHAIN, commit, vote)))
        for vote, member in zip(commit.votes, members, strict=True)
    )
    with pytest.raises(BlockInvalid, match="another height"):
        check_block(replace(BLOCKS[1], commit=replace(commit, votes=votes)), CHAIN)


def test_more_than_a_third_of_the_trusted() -> None:
    """Of 30 trusted, the new validators keep 11 or 10. It is the trusted weight that counts, not the new one."""
    trusted: Powers = {1: 10, 2: 11, 3: 9}
    for kept, holds in ((2, True), (1, False)):
        newer: Powers = {kept: 1, 7: 100, 8: 100}
        first = signed(header_at(1, trusted, newer, None), trusted)
        third = signed(header_at(3, newer, newer, first), newer)
        if holds:
            verify(first, third, NOW_MS, RULES)
            with pytest.raises(OverlapTooLow):
                verify(first, third, NOW_MS, with_rules(RULES, level=Fraction(1, 2)))
            # Who voted for no block, or not at all, vouches for nothing.
            silent = signed(third.header, newer, {kept: VoteFlag.NIL})
            with pytest.raises(OverlapTooLow):
                verify(first, silent, NOW_MS, RULES)
        else:
            with pytest.raises(OverlapTooLow):
                verify(first, third, NOW_MS, RULES)


def test_nobody_votes_twice() -> None:
    """Neither as two members of the set nor by standing in another's place."""
    member = Validator(public_key(1), 10)
    with pytest.raises(BlockInvalid, match="twice"):
        check_validators(ValidatorSet((member, member)))
    votes = BLOCKS[0].commit.votes
    twice = replace(BLOCKS[0], commit=replace(BLOCKS[0].commit, votes=(votes[0], votes[0], *votes[2:])))
    with pytest.raises(BlockInvalid, match="another validator's place"):
        check_block(twice, CHAIN)


def test_bounds_of_validators() -> None:
    with pytest.raises(BlockInvalid, match="members"):
        check_validators(ValidatorSet(()))
    many = tuple(Validator(hash_of(number), 1) for number in range(VALIDATORS_MAX + 1))
    check_validators(ValidatorSet(many[:-1]))
    with pytest.raises(BlockInvalid, match="members"):
        check_validators(ValidatorSet(many))
    half = POWER_SUM_MAX // 2
    check_validators(ValidatorSet((Validator(public_key(1), half), Validator(public_key(2), half))))
    with pytest.raises(BlockInvalid, match="power"):
        check_validators(ValidatorSet((Validator(public_key(1), half + 1), Validator(public_key(2), half + 1))))
    for power in (0, -1):
        with pytest.raises(BlockInvalid, match="no power"):
            check_validators(ValidatorSet((Validator(public_key(1), power),)))


def test_another_chain() -> None:
    with pytest.raises(ChainUnknown):
        check_block(BLOCKS[0], "another")
    elsewhere = replace(BLOCKS[1].header, chain="another")
    with pytest.raises(ChainUnknown):
        verify(BLOCKS[0], signed(elsewhere, FOUR), NOW_MS, RULES)


def test_heights_and_times_rise() -> None:
    for earlier in (BLOCKS[1], BLOCKS[0]):
        with pytest.raises(HeightNotLater):
            verify(BLOCKS[1], earlier, NOW_MS, RULES)
    for ahead_ns in (0, 1):
        header = replace(BLOCKS[2].header, time_ns=BLOCKS[0].header.time_ns - ahead_ns)
        with pytest.raises(TimeNotLater):
            verify(BLOCKS[0], signed(header, FOUR), NOW_MS, RULES)
    with pytest.raises(TimeNotLater):
        verify_before(replace(BLOCKS[1].header, time_ns=BLOCKS[0].header.time_ns), BLOCKS[0])


def test_trust_ends_and_the_future_is_not_believed() -> None:
    trusted, block = BLOCKS[0], BLOCKS[2]
    start_ms = trusted.header.time_ns // NS
    verify(trusted, block, start_ms + RULES.trust_ms, RULES)  # its time has some nanoseconds more
    with pytest.raises(TrustExpired):
        verify(trusted, block, start_ms + RULES.trust_ms + 1, RULES)
    time_ms = block.header.time_ns // NS
    verify(trusted, block, time_ms - RULES.drift_ms + 1, RULES)
    with pytest.raises(FromTheFuture):
        verify(trusted, block, time_ms - RULES.drift_ms, RULES)


def test_the_limits_of_time_to_the_nanosecond() -> None:
    """Trust ends at the end of the period; a header is from the future when it is as far ahead as clocks may differ."""
    start_ms = BLOCKS[0].header.time_ns // NS
    trusted = signed(replace(BLOCKS[0].header, time_ns=start_ms * NS), FOUR)
    ahead = signed(replace(BLOCKS[2].header, time_ns=(start_ms + 500) * NS), FOUR)
    verify(trusted, ahead, start_ms + RULES.trust_ms - 1, RULES)
    with pytest.raises(TrustExpired):
        verify(trusted, ahead, start_ms + RULES.trust_ms, RULES)
    verify(trusted, ahead, start_ms + 500 - RULES.drift_ms + 1, RULES)
    with pytest.raises(FromTheFuture):
        verify(trusted, ahead, start_ms + 500 - RULES.drift_ms, RULES)


@pytest.mark.parametrize(
    "settings",
    [{"level": Fraction(1, 4)}, {"level": Fraction(4, 3)}, {"trust_ms": 0}, {"drift_ms": -1}],
)
def test_rules_out_of_bounds(settings: dict[str, Any]) -> None:
    with pytest.raises(RulesInvalid):
        Rules(**settings)


def test_signatures_are_judged_by_zip_215() -> None:
    """A key of small order and a signature of zeros: valid by ZIP-215 for any message, refused by stricter libraries.
    CometBFT takes such a vote, so a light client that did not would be cut off from the chain."""
    small = bytes([1]) + bytes(31)
    signature = small + bytes(32)
    assert ed_verify(signature, b"any message", small)
    powers: Powers = {1: 10, 2: 10, 3: 10}
    members = (*validators_of(powers).members, Validator(small, 1))
    odd = ValidatorSet(members)
    header = replace(header_at(1, powers, powers, None), validators_hash=validators_hash(odd))
    whole = signed(header, powers)
    last = replace(whole.commit.votes[0], validator=members[-1].address, signature=signature)
    block = replace(whole, commit=replace(whole.commit, votes=(*whole.commit.votes, last)), validators=odd)
    check_block(block, CHAIN)


def test_a_vote_is_for_its_round_and_not_for_a_prevote() -> None:
    block = signed(BLOCKS[1].header, FOUR, round_=3)
    check_block(block, CHAIN)
    with pytest.raises(SignatureFalse):
        check_block(replace(block, commit=replace(block.commit, round=4)), CHAIN)
    vote = block.commit.votes[0]
    prevote = vote_bytes(CHAIN, block.commit, vote).replace(b"\x08\x02", b"\x08\x01", 1)
    number = next(number for number in FOUR if public_key(number) == block.validators.members[0].public_key)
    votes = (replace(vote, signature=key(number).sign(prevote)), *block.commit.votes[1:])
    with pytest.raises(SignatureFalse):
        check_block(replace(block, commit=replace(block.commit, votes=votes)), CHAIN)


def test_the_first_block_has_none_before_it() -> None:
    half = BlockId(hash_of("x"), 0, b"")
    for before in (half, BlockId(b"", 1, hash_of("x"))):
        with pytest.raises(BlockInvalid, match="last block"):
            check_block(signed(replace(BLOCKS[1].header, last_block=before), FOUR), CHAIN)


SETS = st.dictionaries(st.integers(1, 8), st.integers(1, 12), min_size=1, max_size=6)
FLAGS = st.dictionaries(st.integers(1, 8), st.sampled_from(list(VoteFlag)))


def obviously(trusted: LightBlock, block: LightBlock, level: Fraction) -> bool:
    """The rules once more, as a sum of fractions."""
    weight = {member.public_key: member.power for member in block.validators.members}
    for_it = [
        member.public_key
        for vote, member in zip(block.commit.votes, block.validators.members, strict=True)
        if vote != ABSENT and vote.flag == VoteFlag.COMMIT
    ]
    if Fraction(sum(weight[own] for own in for_it), sum(weight.values())) <= Fraction(2, 3):
        return False
    if block.height == trusted.height + 1:
        return block.header.validators_hash == trusted.header.next_validators_hash
    before = {member.public_key: member.power for member in trusted.validators.members}
    return Fraction(sum(before.get(own, 0) for own in for_it), sum(before.values())) > level


@given(SETS, SETS, FLAGS, st.booleans(), st.sampled_from([Fraction(1, 3), Fraction(1, 2), Fraction(1)]))
def test_any_powers_and_votes(
    trusted: Powers, newer: Powers, flags: dict[int, VoteFlag], next_one: bool, level: Fraction
) -> None:
    first = signed(header_at(1, trusted, newer if len(flags) % 2 else trusted, None), trusted)
    block = signed(header_at(2 if next_one else 5, newer, newer, first), newer, flags)
    rules = with_rules(RULES, level=level)
    try:
        verify(first, block, NOW_MS, rules)
    except (PowerTooLow, OverlapTooLow, ValidatorsMismatch):
        assert not obviously(first, block, level)
    else:
        assert obviously(first, block, level)
