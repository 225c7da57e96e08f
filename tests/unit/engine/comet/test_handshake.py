"""Stopped between any two calls of ABCI, a node says where it stands, gets the blocks it lacks again, and loses nothing
that it accepted."""

import json
import shutil
from pathlib import Path

import pytest
from coin_chain import CHAIN_NAME, GENESIS_MS, Sender, batch_of, id_of
from coin_comet import Decided, make_folder, node_id_of_number, node_seed, open_node
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY
from gridtokenx.engine.comet.calls import WrongGenesis
from gridtokenx.engine.comet.engine import CODE_OK, CODE_RETRY, CometEngine
from gridtokenx.engine.engine import LostBlocks
from gridtokenx.engine.journal import Journal
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.batch import BATCHES, SeenBatch, batch_id, decode_batch, decode_batch_header

FIRST_MS = GENESIS_MS + 1_000


class Comet:
    """CometBFT's side of one node: what was decided, and the handshake that brings an application up to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decided: list[Decided] = []
        self.answers: list[bytes] = []
        make_folder(path)
        self.node = open_node(0, path)
        self.begun = False

    def restart(self) -> None:
        self.node.crash()
        self.node = open_node(0, self.path)

    def shake_hands(self) -> None:
        """`Info`, `InitChain` if the application has no block, then every block that it lacks."""
        info = self.node.call("info")
        height = info.last_block_height
        assert height <= len(self.decided), "an application never is ahead of consensus"
        if height == 0:
            answer = self.node.begin()
            assert len(answer.validators) == 4 and answer.app_hash == self.node.engine.head.app_hash
            self.begun = True
        elif height <= len(self.answers):
            assert info.last_block_app_hash == self.answers[height - 1]
        for block in self.decided[height:]:
            self.finalized(block)
            self.node.commit()

    def finalized(self, block: Decided) -> None:
        answer = self.node.finalize(block)
        assert len(answer.tx_results) == len(block.batches)
        if block.height <= len(self.answers):
            assert answer.app_hash == self.answers[block.height - 1], "a replay gives the same app hash"
        else:
            self.answers.append(answer.app_hash)


CALLS = ("init_chain", "prepare", "process", "finalize", "commit")


@settings(max_examples=12)
@given(stops=st.lists(st.sets(st.sampled_from(CALLS)), min_size=1, max_size=4))
def test_stopping_after_any_call_loses_nothing(tmp_path_factory, stops) -> None:
    """`stops`: for each height, after which calls the process is killed."""
    comet = Comet(tmp_path_factory.mktemp("node") / "data")
    sender = Sender(0)
    accepted: list[bytes] = []
    for stops_here in stops:
        comet.shake_hands()
        if "init_chain" in stops_here:
            comet.restart()
            comet.shake_hands()
        node, height = comet.node, len(comet.decided) + 1
        time_ms = FIRST_MS + 1_000 * height
        wire = sender.send(1)
        assert node.submit(wire)[0].standing is Standing.PENDING
        accepted.append(wire)
        proposed = node.propose(time_ms)
        if "prepare" in stops_here:
            comet.restart()
            comet.shake_hands()
            assert comet.node.propose(time_ms) == proposed, "it is offered again"
        assert comet.node.accepts(time_ms, proposed)
        if "process" in stops_here:
            comet.restart()
            comet.shake_hands()
        block = Decided(height, time_ms, 1, tuple(proposed))
        comet.decided.append(block)
        comet.finalized(block)
        if "finalize" in stops_here:
            assert comet.node.call("info").last_block_height == height - 1
            comet.restart()
            assert comet.node.call("info").last_block_height == height - 1
            assert comet.node.mempool.standing(id_of(wire)).standing is Standing.PENDING
            comet.shake_hands()
        else:
            comet.node.commit()
        if "commit" in stops_here:
            comet.restart()
            comet.shake_hands()
        assert comet.node.call("info").last_block_height == height
        assert {comet.node.mempool.standing(id_of(one)).standing for one in accepted} == {Standing.COMMITTED}
        assert len(comet.node.mempool) == 0
        assert comet.node.propose(time_ms + 1_000) == []
    comet.node.crash()
    straight = open_node(2)
    assert [straight.live(block).app_hash for block in comet.decided] == comet.answers
    straight.crash()


@pytest.fixture
def comet(tmp_path) -> Comet:
    comet = Comet(tmp_path / "data")
    comet.shake_hands()
    yield comet
    comet.node.crash()


def by(number: int) -> dict[str, object]:
    return {"author": node_id_of_number(number), "seed": node_seed(number)}


def test_a_new_node_says_that_it_has_no_block_yet(tmp_path) -> None:
    comet = Comet(tmp_path / "data")
    info = comet.node.call("info")
    assert (info.last_block_height, info.last_block_app_hash, info.app_version) == (0, b"", 1)
    comet.restart()
    assert comet.node.call("info") == info
    comet.node.crash()


def test_a_second_finalize_without_a_commit_is_an_error_not_a_wait(comet) -> None:
    block = Decided(1, FIRST_MS, 0, ())
    comet.node.finalize(block)
    with pytest.raises(RuntimeError, match="not committed"):
        comet.node.finalize(block)
    comet.node.commit()


def test_a_second_finalize_after_a_crash_gives_the_same(comet) -> None:
    wires = (batch_of(Sender(1).send(2), **by(1)), b"nonsense")
    first = comet.node.finalize(Decided(1, FIRST_MS, 0, wires))
    for _ in range(2):
        comet.restart()
        assert comet.node.call("info").last_block_height == 0
        comet.shake_hands()
        assert comet.node.finalize(Decided(1, FIRST_MS, 0, wires)) == first
    comet.node.commit()
    assert comet.node.call("info").last_block_app_hash == first.app_hash


def test_what_was_journaled_and_not_committed_is_offered_to_peers_again(comet) -> None:
    comet.node.submit(Sender(0).send(1))
    (wire,) = comet.node.offers()
    assert comet.node.offers() == []
    comet.restart()
    assert comet.node.offers() == [wire]
    assert len(comet.node.mempool) == 1
    comet.node.live(Decided(1, FIRST_MS, 0, (wire,)))
    comet.restart()
    assert comet.node.offers() == []


def test_what_others_committed_while_this_node_was_down_is_not_offered_again(comet) -> None:
    mine, later = Sender(0).send(1), Sender(1).send(2)
    comet.node.submit(mine)
    (wire,) = comet.node.offers()
    comet.node.submit(later)
    comet.restart()
    assert len(comet.node.mempool) == 2
    comet.decided.append(Decided(1, FIRST_MS, 2, (wire,)))
    comet.shake_hands()
    committed = comet.node.mempool.standing(id_of(mine))
    assert (committed.standing, committed.height, committed.code) == (Standing.COMMITTED, 1, 0)
    assert comet.node.mempool.standing(id_of(later)).standing is Standing.PENDING
    (offered,) = comet.node.offers()
    assert decode_batch(offered).transactions == (later,)
    assert comet.node.propose(FIRST_MS + 1_000) == [offered]
    comet.restart()
    assert comet.node.offers() == [offered]
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.COMMITTED


def test_a_node_may_wait_for_its_genesis(tmp_path) -> None:
    """Until then it holds nothing and takes nothing in; then it is as one that had it from the start."""
    path = tmp_path / "waits"
    make_folder(path)
    make_folder(tmp_path / "other", 1)
    node, other = open_node(0, path, waits=True), open_node(1, tmp_path / "other")
    other.begin()
    other.submit(Sender(0).send(1))
    (wire,) = other.offers()
    for _ in range(2):
        info = node.call("info")
        assert (info.last_block_height, info.last_block_app_hash) == (0, b"")
        assert not node.application.has_begun and not node.engine.may_accept()
        assert node.insert(wire) == CODE_RETRY
        assert node.storage.head() is None
        node.crash()
        node = open_node(0, path, waits=True)
    answer = node.begin()
    assert answer.app_hash == other.engine.head.app_hash == node.engine.head.app_hash
    assert len(answer.validators) == 4
    assert node.engine.may_accept() and node.insert(wire) == CODE_OK
    assert node.submit(Sender(1).send(1))[0].standing is Standing.PENDING
    node.crash()
    node = open_node(0, path, waits=True)
    assert node.application.has_begun
    assert node.begin().app_hash == answer.app_hash
    block = Decided(1, FIRST_MS, 1, (wire,))
    assert node.finalize(block).app_hash == other.finalize(block).app_hash
    node.crash()
    other.crash()


def test_a_node_that_waits_takes_no_other_genesis(tmp_path) -> None:
    path = tmp_path / "waits"
    make_folder(path)
    node = open_node(0, path, waits=True)
    named = json.dumps({"genesis_sha256": "00" * 32}).encode()
    with pytest.raises(WrongGenesis):
        node.call("init_chain", chain_id=CHAIN_NAME, app_state_bytes=named)
    assert not node.application.has_begun and node.storage.head() is None
    node.crash()


def test_what_a_snapshot_has_already_is_not_offered_again(comet) -> None:
    """The state came from the peers, without its blocks: it knows which batches were in them."""
    mine, later = Sender(0).send(1), Sender(1).send(2)
    comet.node.submit(mine)
    (wire,) = comet.node.offers()
    comet.node.submit(later)
    header = decode_batch_header(decode_batch(wire).header)
    comet.node.application.state.put(BATCHES, batch_id(decode_batch(wire).header), SeenBatch(header.expires_ms))
    comet.node.engine.adopted()
    (offered,) = comet.node.offers()
    assert decode_batch(offered).transactions == (later,)
    assert len(comet.node.mempool) == 1
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.UNKNOWN


def test_what_expired_while_this_node_was_down_is_noted(comet) -> None:
    mine = Sender(0).send(1, expires_ms=GENESIS_MS + 20_000)
    comet.node.submit(mine)
    comet.restart()
    comet.decided.append(Decided(1, GENESIS_MS + 30_000, 2, ()))
    comet.shake_hands()
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.EXPIRED
    comet.restart()
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.EXPIRED
    assert comet.node.offers() == [] and len(comet.node.mempool) == 0


def test_a_transaction_that_others_took_in_too_is_committed_once(comet) -> None:
    """Its sender was not sure, and sent it to two nodes."""
    mine = Sender(0).send(1)
    comet.node.submit(mine)
    (own,) = comet.node.propose(FIRST_MS)
    theirs = batch_of(mine, **by(1))
    comet.node.live(Decided(1, FIRST_MS, 1, (theirs,)))
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.PENDING, "its own batch still waits"
    comet.node.live(Decided(2, FIRST_MS + 1_000, 0, (own,)))
    place = comet.node.mempool.standing(id_of(mine))
    assert (place.standing, place.code, place.height) == (Standing.COMMITTED, 0, 1)


def test_a_database_without_its_blocks_gets_them_again(comet, tmp_path) -> None:
    """The others have them; what the journal holds is offered until it is in one."""
    mine = Sender(0).send(1)
    comet.node.submit(mine)
    (own,) = comet.node.offers()
    answer = comet.node.live(Decided(1, FIRST_MS, 0, (own,)))
    comet.node.crash()
    shutil.rmtree(tmp_path / "data" / "db")
    comet.node = open_node(0, tmp_path / "data")
    assert comet.node.engine.head.height == 0
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.PENDING
    assert comet.node.live(Decided(1, FIRST_MS, 0, (own,))).app_hash == answer.app_hash
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.COMMITTED


def test_another_state_than_the_journal_saw_is_noticed(comet, tmp_path) -> None:
    comet.node.live(Decided(1, FIRST_MS, 0, ()))
    comet.node.crash()
    journal = Journal(tmp_path / "data" / "journal")
    journal.mark(1, bytes(32))
    journal.close()
    with pytest.raises(LostBlocks):
        open_node(0, tmp_path / "data")
    journal = Journal(tmp_path / "data" / "journal")
    journal.mark(2, bytes(32))
    journal.close()
    comet.node = open_node(0, tmp_path / "data")


@pytest.mark.parametrize(
    ("chain", "state"),
    [
        ("another", '{"genesis_sha256": "GENESIS"}'),
        ("coin-test", '{"genesis_sha256": "00"}'),
        ("coin-test", "{}"),
        ("coin-test", ""),
        ("coin-test", "\xff"),
        ("coin-test", '{"genesis_sha256": 5}'),
    ],
)
def test_a_genesis_of_another_chain_stops_the_node(comet, chain, state) -> None:
    genesis = comet.node.application.storage.head().genesis_hash.hex()
    with pytest.raises(WrongGenesis):
        comet.node.call(
            "init_chain", chain_id=chain, app_state_bytes=state.replace("GENESIS", genesis).encode("latin-1")
        )


def test_a_query_never_stops_the_node(comet) -> None:
    assert comet.node.call("query", path="/record", data=LAST_BLOCK_STATE_KEY).value
    for path, data in (("/record", b""), ("", b"x"), ("/record", b"\xff" * 300), ("/record", b"\x00")):
        answer = comet.node.call("query", path=path, data=data)
        assert answer.value == b""
    assert comet.node.call("echo", message="words").message == "words"


def test_blocks_that_others_may_want_are_kept(comet) -> None:
    comet.node.calls._blocks_kept = 2
    kept = [
        (comet.node.finalize(Decided(height, FIRST_MS + height, 0, ())), comet.node.commit().retain_height)[1]
        for height in range(1, 6)
    ]
    assert kept == [0, 0, 1, 2, 3]


def test_what_expired_long_ago_costs_no_signature_check_at_a_restart(comet, monkeypatch) -> None:
    """The journal keeps whole segments: most of what is in one was in a block, and is forgotten there by now."""
    mine = Sender(0).send(1, expires_ms=GENESIS_MS + 20_000)
    comet.node.submit(mine)
    comet.decided.append(Decided(1, FIRST_MS, 0, tuple(comet.node.propose(FIRST_MS))))
    comet.decided.append(Decided(2, GENESIS_MS + 60_000, 0, ()))
    comet.decided.append(Decided(3, GENESIS_MS + 61_000, 0, ()))
    comet.shake_hands()
    assert [*comet.node.application.state.keys(BATCHES)] == []
    monkeypatch.setattr(CometEngine, "check", None)
    comet.restart()
    comet.node.live(Decided(4, GENESIS_MS + 62_000, 0, ()))
    assert comet.node.mempool.standing(id_of(mine)).standing is Standing.COMMITTED
