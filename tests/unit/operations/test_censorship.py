"""Whom the audit names, from what one node saw: real batches, real blocks, a node driven as CometBFT drives it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from coin_chain import GENESIS_MS, Sender, batch_of
from coin_comet import NODES_COUNT, CoinNode, Decided, make_folder, node_id_of_number, node_seed, open_node
from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.engine.comet.capacity import SIGNATURES_MIN
from gridtokenx.engine.sightings import SIGHTINGS_OF_AUTHOR_MAX, Sightings, Watch
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.batch import decode_batch, decode_batch_header
from gridtokenx.operations.censorship import BLOCKS_MIN, CensorshipReport, NothingSeen, audit_censorship

ROUNDS = 4 * (BLOCKS_MIN + 1)

Leaves = Callable[[int, int], bool]
"""Whether a proposer leaves out an author's batches."""


class Played:
    """Node 0, what comes to it, and the blocks that are decided."""

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self.path = path
        self.node: CoinNode = open_node(0, path)
        self.sequence = 0
        self.waiting: list[bytes] = []

    def arrive(self, author: int, transactions: int = 1, expires_ms: int = GENESIS_MS + 60_000) -> bytes:
        """A batch of another node comes by gossip."""
        self.sequence += 1
        sender = Sender(author, nonce=1_000 + self.sequence * 10)
        wire = batch_of(
            *(sender.send(0) for _ in range(transactions)),
            sequence=self.sequence,
            expires_ms=expires_ms,
            author=node_id_of_number(author),
            seed=node_seed(author),
        )
        self.node.insert(wire)
        self.waiting.append(wire)
        return wire

    def block(self, proposer: int, leaves: Leaves = lambda proposer, author: False, *, heard: bool = True) -> None:
        """Of all that waits and that the proposer does not leave out."""
        height = self.node.next_height
        chosen = [wire for wire in self.waiting if not leaves(proposer, author_of(wire))]
        time_ms = GENESIS_MS + height * 1_000
        if heard:
            assert self.node.accepts(time_ms, chosen)
        self.node.live(Decided(height, time_ms, proposer, tuple(chosen)))
        self.waiting = [wire for wire in self.waiting if wire not in chosen]

    def rounds(self, count: int, leaves: Leaves) -> None:
        """Each of three authors sends a batch before each block; all four propose in turn."""
        for number in range(count):
            for author in (1, 2, 3):
                self.arrive(author)
            self.block(number % NODES_COUNT, leaves)

    def audit(self, blocks: int = 1_000) -> CensorshipReport:
        assert self.node.storage is not None
        return audit_censorship(self.node.storage, blocks, grace_ms=0)


def author_of(wire: bytes) -> int:
    return int(decode_batch_header(decode_batch(wire).header).author[-3:])


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    made = Played(tmp_path / "n")
    yield made
    made.node.crash()


def nobody(proposer: int, author: int) -> bool:
    return False


def test_where_everybody_takes_what_is_there_nobody_is_named(played) -> None:
    played.rounds(ROUNDS, nobody)
    report = played.audit()
    assert report.verdicts == report.notes == () and report.watched == ROUNDS and report.missed == 0
    assert {line.left_out for line in report.proposers} == {0}
    assert sum(line.ripe for line in report.proposers) == 3 * ROUNDS
    for line in report.authors:
        assert (line.batches, line.in_blocks, line.unseen) == (ROUNDS, ROUNDS, 0)
        assert (line.delay_median, line.delay_p99, line.expired) == (0, 0, 0)


def test_one_proposer_that_leaves_out_one_author_is_named_with_it(played) -> None:
    played.rounds(ROUNDS, lambda proposer, author: (proposer, author) == (3, 2))
    report = played.audit()
    (verdict,) = report.verdicts
    assert node_id_of_number(3).hex() in verdict and node_id_of_number(2).hex() in verdict
    (pair,) = [pair for pair in report.pairs if pair.left_out]
    assert (pair.blocks, pair.left_out, pair.best_other_permille, pair.is_named) == (ROUNDS // 4, ROUNDS // 4, 0, True)
    (author,) = [line for line in report.authors if line.author == node_id_of_number(2).hex()]
    assert (author.delay_median, author.delay_p99) == (0, 1), "the next proposer took them"


def test_who_leaves_out_now_and_then_stands_out_and_is_not_named(played) -> None:
    """Of its blocks a third, when it pays."""
    for round_ in range(3 * BLOCKS_MIN):
        for proposer in range(NODES_COUNT):
            played.arrive(2)
            played.block(proposer, lambda one, author, skips=round_ % 3 == 0: one == 3 and skips)
    report = played.audit()
    assert report.verdicts == ()
    (note,) = report.notes
    assert f"left something out of {BLOCKS_MIN} of {3 * BLOCKS_MIN} blocks, the others of 0 of {9 * BLOCKS_MIN}" in note


def test_too_few_blocks_name_nobody(played) -> None:
    played.rounds(4 * (BLOCKS_MIN - 1), lambda proposer, author: (proposer, author) == (3, 2))
    report = played.audit()
    assert report.verdicts == () and [line.left_out for line in report.proposers] == [0, 0, 0, BLOCKS_MIN - 1]


def test_who_is_left_out_by_everybody_is_said_when_it_expires(played) -> None:
    lost = played.arrive(1, expires_ms=GENESIS_MS + 5_000)
    for number in range(8):
        played.block(number % NODES_COUNT, lambda proposer, author: True)
    report = played.audit()
    (line,) = report.authors
    assert (line.batches, line.in_blocks, line.expired) == (1, 0, 1)
    (verdict,) = report.verdicts
    assert verdict.startswith("1 batches of node " + node_id_of_number(author_of(lost)).hex())


def test_what_expired_while_this_node_heard_no_proposals_accuses_nobody(played) -> None:
    played.arrive(1, expires_ms=GENESIS_MS + 2_000)
    played.block(0, lambda proposer, author: True, heard=False)
    played.block(1, lambda proposer, author: True, heard=False)
    played.waiting.clear()
    played.arrive(2)
    played.block(2)
    report = played.audit()
    assert report.verdicts == () and [line.expired for line in report.authors] == [1, 0]


def test_a_full_block_leaves_out_whose_turn_it_is_not_and_no_one_else(played) -> None:
    """Author 1 has had more than the slowest proposer takes; author 2 nothing at all."""
    large = SIGNATURES_MIN // 2 + 1
    for _ in range(3):
        played.arrive(1, large)
    third = played.waiting[-1]
    ours = played.arrive(2)
    height, time_ms = 1, GENESIS_MS + 1_000
    assert played.node.accepts(time_ms, played.waiting[:2])
    played.node.live(Decided(height, time_ms, 3, tuple(played.waiting[:2])))
    report = played.audit()
    assert author_of(third) == 1 and author_of(ours) == 2
    assert [(line.author[-1], line.left_out) for line in report.authors] == [("1", 0), ("2", 1)]


def test_what_comes_after_the_proposal_or_within_the_grace_is_not_ripe(played) -> None:
    played.arrive(1)
    played.block(0, lambda proposer, author: True)
    storage = played.node.storage
    assert storage is not None
    saw = storage.sightings(1)
    assert saw is not None
    for later_ms, ripe in ((0, 1), (500, 1), (499, 0), (-1, 0)):
        storage.write_sightings(1, Sightings(saw.batches[0].seen_ms + later_ms, saw.batches, 0))
        grace_ms = 0 if later_ms == 0 else 500
        assert sum(line.ripe for line in audit_censorship(storage, 10, grace_ms).proposers) == ripe


@pytest.mark.parametrize(("later_ms", "passed_over"), [(-1, 0), (0, 1), (1, 1)])
def test_a_block_of_the_millisecond_in_which_a_batch_came_passed_it_over(played, later_ms, passed_over) -> None:
    """As such a batch is ripe for it: a fast machine hears both in one."""
    played.arrive(1)
    played.block(0, lambda proposer, author: True)
    played.block(1)
    storage = played.node.storage
    assert storage is not None
    saw = storage.sightings(1)
    assert saw is not None
    storage.write_sightings(1, Sightings(saw.batches[0].seen_ms + later_ms, saw.batches, 0))
    (line,) = played.audit().authors
    assert (line.in_blocks, line.delay_median, line.left_out) == (1, passed_over, passed_over)


def test_a_node_that_catches_up_says_nothing(played) -> None:
    played.arrive(1)
    played.block(0, heard=False)
    with pytest.raises(NothingSeen, match="heard none of the blocks 1 to 1"):
        played.audit()


def test_own_batches_are_seen_when_they_are_on_the_disk(played) -> None:
    played.node.submit(Sender(1).send(2))
    (own,) = played.node.mempool.pool.own_batches()
    played.waiting.append(own.wire)
    played.block(1)
    assert played.node.storage is not None
    saw = played.node.storage.sightings(1)
    assert saw is not None
    assert [(one.id, one.author, one.size) for one in saw.batches] == [(own.id, node_id_of_number(0), len(own.wire))]
    assert saw.proposed_ms >= saw.batches[0].seen_ms


def test_numbers_that_nobody_saw_are_gaps(played) -> None:
    played.arrive(1)
    played.sequence += 2
    played.arrive(1)
    played.block(0)
    (line,) = played.audit().authors
    assert (line.in_blocks, line.gaps) == (2, 2)


def test_what_was_in_a_block_when_it_was_written_down_waits_for_none(played) -> None:
    """Its check ended after the block, which is none of those that are audited."""
    wire = played.arrive(1)
    played.block(0)
    played.block(1)
    storage = played.node.storage
    assert storage is not None and wire not in played.waiting
    saw, after = storage.sightings(1), storage.sightings(2)
    assert saw is not None and after is not None
    storage.write_sightings(2, Sightings(after.proposed_ms, saw.batches, 0))
    report = played.audit(blocks=1)
    assert (report.first, report.last) == (2, 2) and [line.ripe for line in report.proposers] == [0]


def test_what_comes_with_its_block_only_is_told(played) -> None:
    wire = batch_of(Sender(1).send(0), author=node_id_of_number(1), seed=node_seed(1))
    played.waiting.append(wire)
    played.block(1)
    (line,) = played.audit().authors
    assert (line.in_blocks, line.unseen) == (1, 1)


def test_what_is_written_down_is_bounded_and_what_is_not_is_counted(played) -> None:
    """Who floods hides its own batches, and nobody else's."""
    wires = [played.arrive(author) for author in (1, 2)]
    flood, other = (played.node.engine.known.recall(wire) for wire in wires)
    watch = Watch()
    for number in range(SIGHTINGS_OF_AUTHOR_MAX + 3):
        watch.batch(flood, number)
    watch.batch(other, 1)
    for round_ in range(100):
        watch.proposal([b"%d" % round_])
    watch.decided([b"99"])
    taken = watch.take()
    assert (len(taken.batches), taken.missed, taken.proposed_ms) == (SIGHTINGS_OF_AUTHOR_MAX + 1, 3, 0)
    assert taken.batches[-1].author == node_id_of_number(2)
    assert watch.take() == Sightings(0, (), 0)


def test_old_sightings_go(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "db", feed_blocks_kept=3)
    for height in range(1, 6):
        storage.write_sightings(height, Sightings(height, (), 0))
    assert [height for height in range(1, 6) if storage.sightings(height)] == [3, 4, 5]
    storage.close()


def test_the_command_reads_beside_the_node_and_ends_with_1_when_it_names_somebody(played) -> None:
    played.rounds(ROUNDS, lambda proposer, author: (proposer, author) == (3, 2))
    run = CliRunner().invoke(app, ["audit", "censorship", "--data", str(played.path), "--grace-ms", "0"])
    assert run.exit_code == 1 and "left out batches of node" in run.output and "A proposer is named if" in run.output
    asked = ["audit", "censorship", "--data", str(played.path), "--grace-ms", "0", "--blocks", "4", "--json"]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0 and '"verdicts": []' in run.output
    assert not [path for path in (played.path / "run").iterdir() if path.name.startswith("audit-")]


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["audit", "censorship", "--data", str(tmp_path)])
    assert run.exit_code == 2 and "DATA/node-1" in run.stderr
