"""Following a chain: few blocks are asked for, those are believed that the rules allow, and lies are noticed."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.engine.comet.light_chain import (
    CHAIN,
    NS,
    Powers,
    hash_of,
    header_at,
    make_chain,
    now_ms,
    signed,
    source_of,
)

from gridtokenx.engine.comet.headers import LightBlock, VoteFlag
from gridtokenx.engine.comet.light import Rules, verify
from gridtokenx.engine.comet.light_client import (
    BACK_MAX,
    NEWEST,
    WITNESS_PAUSES_SECONDS,
    AsyncLightClient,
    LightClient,
    Source,
)
from gridtokenx.engine.comet.light_errors import (
    BlockInvalid,
    BlockMissing,
    Conflict,
    LightError,
    NotConfirmed,
    NothingTrusted,
    OverlapTooLow,
    SourceFailed,
    StartRefused,
    StoreUnusable,
    TooFarBack,
    TrustExpired,
)
from gridtokenx.engine.comet.light_store import LightStore

FOUR: Powers = {1: 10, 2: 10, 3: 10, 4: 10}
STEADY = make_chain([FOUR] * 41)
NOW_MS = now_ms(STEADY)
# One of four leaves and another comes in every block: nobody of today is there four blocks later.
MOVING = make_chain([{number + place: 10 for number in range(4)} for place in range(41)])


def client_of(
    source: Source, *witnesses: Source, trusted: LightBlock, rules: Rules | None = None, store: LightStore | None = None
) -> LightClient:
    """A client that trusts this block, and waits for nobody."""
    held = LightStore(CHAIN) if store is None else store
    held.add(trusted)
    return LightClient(held, source, witnesses, rules, pause=lambda seconds: None)


def test_a_steady_chain_needs_one_question() -> None:
    asked: list[int] = []
    client = client_of(source_of(STEADY, asked), trusted=STEADY[0])
    assert client.verify(40, NOW_MS) == STEADY[39]
    assert asked == [40]
    assert client.verify(40, NOW_MS) == STEADY[39] and asked == [40]


def test_a_moving_chain_is_halved_until_it_holds() -> None:
    asked: list[int] = []
    client = client_of(source_of(MOVING, asked), trusted=MOVING[0])
    assert client.verify(40, now_ms(MOVING)) == MOVING[39]
    assert 10 < len(asked) < 39 and len(set(asked)) == len(asked)


def test_between_back_and_newest() -> None:
    asked: list[int] = []
    client = client_of(source_of(STEADY, asked), trusted=STEADY[9])
    assert client.verify(NEWEST, NOW_MS) == STEADY[39]
    assert client.verify(NEWEST, NOW_MS) == STEADY[39]
    assert client.verify(20, NOW_MS) == STEADY[19]
    asked.clear()
    assert client.verify(7, NOW_MS) == STEADY[6]
    assert asked == [7, 9, 8]


def test_trust_starts_with_a_hash_from_elsewhere() -> None:
    client = LightClient(LightStore(CHAIN), source_of(STEADY))
    with pytest.raises(NothingTrusted):
        client.verify(3, NOW_MS)
    with pytest.raises(StartRefused):
        client.start(2, STEADY[2].hash, NOW_MS)
    with pytest.raises(TrustExpired):
        client.start(2, STEADY[1].hash, NOW_MS + client.rules.trust_ms)
    unsigned = signed(STEADY[1].header, FOUR, {1: VoteFlag.ABSENT, 2: VoteFlag.ABSENT})
    with pytest.raises(LightError):
        LightClient(LightStore(CHAIN), source_of([unsigned])).start(2, unsigned.hash, NOW_MS)
    assert client.start(2, STEADY[1].hash, NOW_MS) == STEADY[1]
    assert client.verify(30, NOW_MS) == STEADY[29]


def test_when_trust_has_ended_only_hashes_still_hold() -> None:
    client = client_of(source_of(STEADY), trusted=STEADY[9])
    late_ms = STEADY[9].header.time_ns // NS + client.rules.trust_ms + 1
    with pytest.raises(TrustExpired):
        client.verify(20, late_ms)
    assert client.verify(5, late_ms) == STEADY[4]


def test_so_far_back_nobody_goes() -> None:
    far = signed(header_at(BACK_MAX + 2, FOUR, FOUR, None), FOUR)
    client = client_of(source_of(STEADY), trusted=far)
    with pytest.raises(TooFarBack):
        client.verify(1, NOW_MS)


def test_a_source_that_gives_another_height() -> None:
    client = client_of(lambda height: STEADY[5], trusted=STEADY[0])
    with pytest.raises(SourceFailed):
        client.verify(9, NOW_MS)
    with pytest.raises(BlockMissing):
        client_of(source_of(STEADY), trusted=STEADY[0]).verify(41, NOW_MS)


def test_a_source_that_denies_what_is_trusted() -> None:
    fork = make_chain([FOUR] * 4, fork="b")
    client = client_of(source_of(fork), trusted=STEADY[2])
    with pytest.raises(SourceFailed):
        client.verify(NEWEST, NOW_MS)
    with pytest.raises(LightError):
        client.verify(1, NOW_MS)


def test_nothing_is_trusted_that_was_not_proved() -> None:
    forged = list(STEADY)
    forged[29] = replace(STEADY[29], header=replace(STEADY[29].header, app_hash=hash_of("richer")))
    client = client_of(source_of(forged), trusted=STEADY[0])
    with pytest.raises(LightError):
        client.verify(30, NOW_MS)
    assert len(client.store) == 1


# --- exactly the rules ---------------------------------------------------------------------------------------------

SETS = st.lists(st.dictionaries(st.integers(1, 9), st.integers(1, 9), min_size=1, max_size=5), min_size=4, max_size=14)
DEFECTS = st.dictionaries(st.integers(2, 13), st.sampled_from(["weak", "broken", "signature"]), max_size=2)


def spoiled(block: LightBlock, defect: str, powers: Powers) -> LightBlock:
    """A block with something wrong in it."""
    if defect == "weak":
        return signed(block.header, powers, dict.fromkeys(powers, VoteFlag.NIL))
    if defect == "broken":
        return replace(block, header=replace(block.header, data_hash=hash_of("other")))
    first, *rest = block.commit.votes
    return replace(block, commit=replace(block.commit, votes=(replace(first, signature=bytes(64)), *rest)))


def follows(trusted: LightBlock, block: LightBlock, at_ms: int) -> bool | None:
    """By one step; None: it cannot be seen from here."""
    try:
        verify(trusted, block, at_ms, Rules())
    except OverlapTooLow:
        return None
    except LightError:
        return False
    return True


def slowly(blocks: Sequence[LightBlock], first: int, last: int, at_ms: int) -> bool:
    """Skipping as its definition says it: directly, or by way of the block in the middle."""
    direct = follows(blocks[first], blocks[last], at_ms)
    if direct is not None:
        return direct
    middle = (first + last) // 2
    return slowly(blocks, first, middle, at_ms) and slowly(blocks, middle, last, at_ms)


@given(SETS, DEFECTS)
def test_skipping_believes_what_its_definition_does(sets: list[Powers], defects: dict[int, str]) -> None:
    blocks = make_chain(sets)
    for height, defect in defects.items():
        if height <= len(blocks):
            blocks[height - 1] = spoiled(blocks[height - 1], defect, sets[height - 1])
    at_ms = now_ms(blocks)
    client = client_of(source_of(blocks), trusted=blocks[0])
    expected = slowly(blocks, 0, len(blocks) - 1, at_ms)
    try:
        client.verify(len(blocks), at_ms)
    except LightError:
        assert not expected
    else:
        assert expected
    if not defects:
        # One by one from the first: an honest chain always holds, however its validators move.
        assert expected
        assert all(follows(blocks[place], blocks[place + 1], at_ms) for place in range(len(blocks) - 1))


# --- witnesses -----------------------------------------------------------------------------------------------------


def fork_of(blocks: Sequence[LightBlock], sets: Sequence[Powers], place: int) -> list[LightBlock]:
    """The same chain up to a place; from there on the validators signed other blocks too."""
    forked = list(blocks[:place])
    for number in range(place, len(blocks)):
        header = header_at(number + 1, sets[number], sets[number + 1], forked[-1], "b")
        forked.append(signed(header, sets[number]))
    return forked


SETS_OF_STEADY = [FOUR] * 41
FORK = fork_of(STEADY, SETS_OF_STEADY, 20)


def silent(height: int) -> LightBlock:
    raise SourceFailed("nobody there")


def mad(height: int) -> LightBlock:
    raise BlockInvalid("this is no light block")


def test_a_witness_confirms() -> None:
    client = client_of(source_of(STEADY), silent, mad, source_of(STEADY), trusted=STEADY[0])
    assert client.verify(30, NOW_MS) == STEADY[29]


def test_no_witness_could_be_heard() -> None:
    client = client_of(source_of(STEADY), silent, mad, trusted=STEADY[0])
    with pytest.raises(NotConfirmed):
        client.verify(30, NOW_MS)
    assert len(client.store) == 1


def test_two_chains_give_evidence_of_both() -> None:
    client = client_of(source_of(STEADY), source_of(STEADY), source_of(FORK), trusted=STEADY[0])
    assert client.verify(10, NOW_MS) == STEADY[9]
    with pytest.raises(Conflict) as caught:
        client.verify(30, NOW_MS)
    evidence = caught.value.evidence
    assert evidence.witness == 2 and evidence.common == STEADY[9]
    assert (evidence.block, evidence.other) == (STEADY[29], FORK[29])
    for block in (evidence.block, evidence.other):
        verify(evidence.common, block, NOW_MS, Rules())
    assert client.store.get(30) is None


def test_the_place_where_they_part_is_found() -> None:
    """With a trace of several blocks, what both have is not in the evidence."""
    sets = [{number + place: 10 for number in range(4)} for place in range(41)]
    fork = fork_of(MOVING, sets, 20)
    client = client_of(source_of(MOVING), source_of(fork), trusted=MOVING[0])
    with pytest.raises(Conflict) as caught:
        client.verify(40, now_ms(MOVING))
    evidence = caught.value.evidence
    assert 1 < evidence.common.height <= 20 < evidence.block.height == evidence.other.height < 40
    assert evidence.block == MOVING[evidence.block.height - 1] and evidence.other == fork[evidence.other.height - 1]


def test_a_liar_for_a_witness_is_not_heard() -> None:
    """Another block that does not verify is no evidence; alone it confirms nothing either."""
    strangers: Powers = {7: 1, 8: 1}
    lie = signed(header_at(30, strangers, strangers, STEADY[28], "lie"), strangers)
    liar = source_of([*STEADY[:29], lie])
    assert client_of(source_of(STEADY), liar, source_of(STEADY), trusted=STEADY[0]).verify(30, NOW_MS) == STEADY[29]
    with pytest.raises(NotConfirmed):
        client_of(source_of(STEADY), liar, trusted=STEADY[0]).verify(30, NOW_MS)


def late(blocks: Sequence[LightBlock], asked_before: int) -> Callable[[int], LightBlock]:
    """A witness that gets its last block after so many questions."""
    asked = 0

    def source(height: int) -> LightBlock:
        nonlocal asked
        asked += 1
        return source_of(blocks if asked > asked_before else blocks[:-1])(height)

    return source


def test_a_witness_that_is_a_block_behind_is_waited_for() -> None:
    waited: list[float] = []
    store = LightStore(CHAIN)
    store.add(STEADY[0])
    client = LightClient(store, source_of(STEADY), [late(STEADY, 4)], pause=waited.append)
    assert client.verify(40, NOW_MS) == STEADY[39]
    assert waited == list(WITNESS_PAUSES_SECONDS[:2])
    never = LightClient(store, source_of(STEADY), [source_of(STEADY[:20])], pause=waited.append)
    with pytest.raises(NotConfirmed):
        never.verify(39, NOW_MS)


def test_a_height_from_the_future_is_found_by_its_time() -> None:
    """The source's chain is ahead in height, not in time: the witness's newest block is the proof."""
    high = signed(replace(header_at(60, FOUR, FOUR, None), time_ns=STEADY[38].header.time_ns + 1), FOUR)
    client = client_of(source_of([*STEADY, high]), source_of(STEADY), trusted=STEADY[0])
    with pytest.raises(Conflict) as caught:
        client.verify(60, NOW_MS)
    assert (caught.value.evidence.block, caught.value.evidence.other) == (high, STEADY[39])


def test_the_asynchronous_twin() -> None:
    def awaited(source: Source) -> Callable[[int], object]:
        async def ask(height: int) -> LightBlock:
            return source(height)

        return ask

    async def run() -> None:
        client = AsyncLightClient(LightStore(CHAIN), awaited(source_of(MOVING)), [awaited(source_of(MOVING))])
        await client.start(1, MOVING[0].hash, NOW_MS)
        assert await client.verify(40, now_ms(MOVING)) == MOVING[39]
        with pytest.raises(BlockMissing):
            await client.verify(41, now_ms(MOVING))

    asyncio.run(run())


# --- the store -----------------------------------------------------------------------------------------------------


def test_a_store_forgets_the_lowest() -> None:
    store = LightStore(CHAIN, blocks_max=3)
    for block in (STEADY[4], STEADY[9], STEADY[2], STEADY[7]):
        store.add(block)
    assert len(store) == 3 and store.get(3) is None and store.newest() == STEADY[9]
    store.add(STEADY[0])
    assert store.get(1) == STEADY[0] and store.get(5) is None
    assert store.below(8) == STEADY[0] and store.above(8) == STEADY[9] and store.below(1) is None
    assert store.above(10) is None


def test_a_store_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "trusted"
    first = client_of(source_of(STEADY), trusted=STEADY[0], store=LightStore(CHAIN, file))
    first.verify(20, NOW_MS)
    again = LightClient(LightStore(CHAIN, file), source_of(STEADY))
    assert [again.store.get(height) for height in (1, 20)] == [STEADY[0], STEADY[19]]
    assert again.verify(30, NOW_MS) == STEADY[29]
    assert [path.name for path in tmp_path.iterdir()] == ["trusted"]
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    file = tmp_path / "trusted"
    LightStore(CHAIN, file).add(STEADY[3])
    whole = file.read_bytes()
    with pytest.raises(StoreUnusable, match="of the chain"):
        LightStore("another", file)
    for place in range(0, len(whole), 7):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            file.write_bytes(content)
            try:
                held = LightStore(CHAIN, file)
            except StoreUnusable:
                continue
            # Only signatures and times of votes are not looked at again.
            block = held.get(4)
            assert block is not None and block.header == STEADY[3].header
    file.unlink()
    file.mkdir()
    with pytest.raises(StoreUnusable):
        LightStore(CHAIN, file)
