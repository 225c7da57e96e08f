"""A bad batch is written down once and reported once, by a transaction of the node that found it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from coin_chain import GENESIS_MS, Sender, batch_of
from coin_comet import (
    GUARDED_PATH,
    Decided,
    node_account,
    node_id_of_number,
    node_key,
    node_seed,
    open_node,
)

from gridtokenx.engine.comet import evidence as evidence_module
from gridtokenx.engine.comet.evidence import Evidence
from gridtokenx.engine.comet.own_account import OwnAccount
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.engine.storage import Place
from gridtokenx.ledger.batch import batch_id, decode_batch
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.transaction import Receipt, decode_envelope
from gridtokenx.modules.authority.messages import AuthorityCode, ReportBatch
from gridtokenx.modules.authority.state import MISDEEDS, Misdeed, MisdeedKind, misdeed_key

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)


def by(number: int) -> dict[str, object]:
    return {"author": node_id_of_number(number), "seed": node_seed(number)}


def bad_batch(number: int = 2, sequence: int = 1, size: int = 20) -> bytes:
    good = Sender(0).send(1)
    return batch_of(good, b"x" * size, good, sequence=sequence, **by(number))


def name_of(wire: bytes) -> str:
    return batch_id(decode_batch(wire).header).hex()


class Watched:
    """A node that keeps evidence, and what became of its reports."""

    def __init__(self, folder: Path, number: int = 0, chain_path: str = GUARDED_PATH) -> None:
        self.folder = folder
        self.node = open_node(number, chain_path=chain_path)
        self.places: dict[bytes, Place] = {}
        self.node.mempool._find_place = self.places.get
        self.submitted: list[bytes] = []
        self.begin()

    def begin(self) -> None:
        self.evidence = Evidence(self.folder, self.node.engine, OwnAccount(self.node.engine))
        self.node.engine.on_bad_batch = self.evidence.found

    async def submit(self, transactions: list[bytes]) -> list[Answer]:
        self.submitted.extend(transactions)
        return self.node.submit(*transactions)

    def report(self) -> list[Answer]:
        """What the reporter does after a block."""
        asyncio.run(self.evidence.report_next(self.submit))
        return [self.node.mempool.standing(self.id_of(wire)) for wire in self.submitted]

    def block(self, *others: bytes) -> list[int]:
        """One with what waits here and with others' batches; returns the codes of the first batch."""
        height = self.node.next_height
        time_ms = GENESIS_MS + 1_000 * height
        wires = (*self.node.propose(time_ms), *others)
        outcome = None

        def note(told: object) -> None:
            nonlocal outcome
            outcome = told

        self.node.engine.on_block = note
        self.node.live(Decided(height, time_ms, 0, wires))
        codes = []
        for place, batch in enumerate(outcome.batches):
            for position, encoded in enumerate(batch.receipts):
                receipt = _decode_receipt(encoded)
                self.places[receipt.transaction] = Place(height, place, position, receipt.code)
                codes.append(receipt.code)
        return codes

    def id_of(self, wire: bytes) -> bytes:
        return hash_bytes(decode_envelope(wire).body)

    def misdeeds(self) -> dict[bytes, Misdeed]:
        return dict(self.node.application.state.items(MISDEEDS))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def alarms(self) -> str:
        return "\n".join(self.node.engine.metrics.alarms)


@pytest.fixture
def open_watched(tmp_path) -> Iterator[Callable[..., Watched]]:
    opened: list[Watched] = []

    def make(number: int = 0, **options: str) -> Watched:
        opened.append(Watched(tmp_path / f"evidence{number}", number, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.node.crash()


@pytest.fixture
def watched(open_watched) -> Watched:
    return open_watched()


def test_a_bad_batch_is_reported_and_stands_in_the_state(watched) -> None:
    bad = bad_batch()
    watched.node.insert(bad)
    assert watched.files() == [f"{name_of(bad)}.evidence"]
    assert [answer.standing for answer in watched.report()] == [Standing.PENDING]
    assert watched.block() == [0]
    key = misdeed_key(node_id_of_number(2), MisdeedKind.BAD_BATCH, bytes.fromhex(name_of(bad)))
    assert watched.misdeeds()[key].reporter == node_account(0)
    watched.report()
    assert watched.files() == [f"{name_of(bad)}.reported"]
    assert len(watched.submitted) == 1


def test_one_batch_is_reported_once_however_often_it_is_found(watched) -> None:
    bad = bad_batch()
    for _ in range(3):
        watched.node.insert(bad)
        assert not watched.node.accepts(GENESIS_MS + 1_000, [bad])
        watched.report()
    assert watched.block(bad) == [0]
    for _ in range(3):
        watched.node.insert(bad)
        watched.report()
        watched.block()
    assert len(watched.submitted) == 1 and len(watched.misdeeds()) == 1


def test_nor_after_a_restart(watched) -> None:
    bad = bad_batch()
    watched.node.insert(bad)
    watched.begin()
    watched.node.insert(bad)
    watched.report()
    watched.block()
    watched.begin()
    watched.report()
    watched.begin()
    watched.node.insert(bad)
    watched.report()
    assert len(watched.submitted) == 1
    assert watched.files() == [f"{name_of(bad)}.reported"]


def test_what_another_node_reported_is_not_reported_again(open_watched) -> None:
    first, second = open_watched(0), open_watched(1)
    bad = bad_batch()
    for watched in (first, second):
        watched.node.insert(bad)
    first.report()
    (report,) = first.node.propose(GENESIS_MS + 1_000)
    assert first.block() == second.block(report) == [0]
    second.report()
    assert second.submitted == []
    assert second.files() == [f"{name_of(bad)}.reported"]


def test_two_who_report_at_once_are_both_content(open_watched) -> None:
    first, second = open_watched(0), open_watched(1)
    bad = bad_batch()
    for watched in (first, second):
        watched.node.insert(bad)
        watched.report()
    mine, theirs = (watched.node.propose(GENESIS_MS + 1_000)[0] for watched in (first, second))
    assert sorted(first.block(theirs)) == sorted(second.block(mine)) == [0, AuthorityCode.EVIDENCE_REPEATED]
    for watched in (first, second):
        watched.report()
        assert watched.files() == [f"{name_of(bad)}.reported"] and len(watched.submitted) == 1


def test_several_batches_are_reported_one_block_after_another(watched) -> None:
    """The ledger takes one report a participant and block: more at once would be lost."""
    bad = [bad_batch(2, 1), bad_batch(2, 2), bad_batch(3, 1)]
    for wire in bad:
        watched.node.insert(wire)
    for count in (1, 2, 3):
        watched.report()
        watched.report()
        assert len(watched.submitted) == count
        assert watched.block() == [0]
    watched.report()
    assert len(watched.misdeeds()) == 3 and len(watched.submitted) == 3
    assert watched.files() == sorted(f"{name_of(wire)}.reported" for wire in bad)


def test_what_could_not_be_heard_is_said_again(watched) -> None:
    """A report that found no room (another of the same participant, say) is no reason to fall silent."""
    bad = bad_batch()
    watched.node.insert(bad)
    watched.report()
    transaction_id = watched.id_of(watched.submitted[0])
    (batch,) = watched.node.mempool.pool.own_batches()
    watched.node.mempool.pool.settle([batch.id])
    watched.node.mempool.settle([batch])
    watched.places[transaction_id] = Place(1, 0, 0, AuthorityCode.REPORTS_EXCEEDED)
    watched.block()
    watched.report()
    assert len(watched.submitted) == 2
    assert watched.block() == [0]
    watched.report()
    assert watched.files() == [f"{name_of(bad)}.reported"]


def test_an_expired_report_is_said_again(watched) -> None:
    watched.node.insert(bad_batch())
    watched.report()
    transaction_id = watched.id_of(watched.submitted[0])
    (batch,) = watched.node.mempool.pool.own_batches()
    watched.node.mempool.pool.settle([batch.id])
    watched.node.mempool.settle([batch])
    watched.places[transaction_id] = Place(1, 0, 0, 0, expired=True)
    watched.block()
    watched.report()
    assert len(watched.submitted) == 2


def test_without_an_account_the_evidence_waits_for_somebody(open_watched) -> None:
    watched = open_watched(3)
    bad = bad_batch()
    watched.node.insert(bad)
    watched.report()
    assert watched.submitted == []
    assert watched.files() == [f"{name_of(bad)}.evidence"]
    assert f"{name_of(bad)}.evidence" in watched.alarms()
    report: ReportBatch = Decoder(ReportBatch)((watched.folder / watched.files()[0]).read_bytes())
    assert report.transaction == b"x" * 20 and report.public_key == node_key(2).public_key


def test_on_a_chain_that_hears_of_nothing_it_is_kept(open_watched) -> None:
    watched = open_watched(0, chain_path="coin_chain:COIN")
    bad = bad_batch()
    watched.node.insert(bad)
    watched.report()
    assert watched.submitted == [] and watched.files() == [f"{name_of(bad)}.evidence"]


def test_a_node_that_may_not_sign_batches_tries_again(watched) -> None:
    watched.node.insert(bad_batch())

    async def refuse(transactions: list[bytes]) -> list[Answer]:
        return [Answer(Standing.REFUSED, b"", 15, "node")]

    asyncio.run(watched.evidence.report_next(refuse))
    assert watched.files()[0].endswith(".evidence")
    watched.report()
    assert watched.block() == [0]


def test_a_transaction_too_large_to_be_shown_in_another_is_kept(watched) -> None:
    bad = bad_batch(size=16_380)
    watched.node.insert(bad)
    watched.report()
    watched.report()
    assert watched.submitted == []
    assert watched.files() == [f"{name_of(bad)}.evidence"] and "too large" in watched.alarms()


def test_the_disk_is_not_another_nodes_to_fill(watched, monkeypatch) -> None:
    monkeypatch.setattr(evidence_module, "FILES_OF_NODE_MAX", 3)
    for sequence in range(6):
        watched.node.insert(bad_batch(2, sequence))
        if sequence == 1:
            watched.begin()
    assert len(watched.files()) == 3
    watched.node.insert(bad_batch(3))
    assert len(watched.files()) == 4, "what another node did is still written down"


def test_a_damaged_file_and_a_file_taken_away_stop_nothing(watched) -> None:
    first, second = bad_batch(2, 1), bad_batch(2, 2)
    watched.node.insert(first)
    (watched.folder / f"{'00' * 32}.evidence").write_bytes(b"nonsense")
    watched.begin()
    assert "is no evidence" in watched.alarms()
    watched.node.insert(second)
    (watched.folder / f"{name_of(first)}.evidence").unlink()
    for _ in range(2):
        watched.report()
        assert watched.block() == [0]
    watched.report()
    assert f"{name_of(second)}.reported" in watched.files()


def test_a_disk_that_takes_nothing_does_not_keep_the_chain_from_hearing(watched, monkeypatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(evidence_module, "write_durably", full)
    watched.node.insert(bad_batch())
    assert "no space left" in watched.alarms()
    watched.report()
    assert watched.block() == [0]
    watched.report()
    assert len(watched.misdeeds()) == 1


def test_it_reports_by_itself_when_something_is_found_and_after_each_block(watched) -> None:
    async def run() -> None:
        submitted = asyncio.Queue()

        async def submit(transactions: list[bytes]) -> list[Answer]:
            answers = await watched.submit(transactions)
            submitted.put_nowait(transactions)
            return answers

        running = asyncio.create_task(watched.evidence.run(submit))
        async with asyncio.timeout(30):
            await asyncio.sleep(0)
            await asyncio.to_thread(watched.node.insert, bad_batch(2, 1))
            await submitted.get()
            await asyncio.to_thread(watched.node.insert, bad_batch(2, 2))
            assert await asyncio.to_thread(watched.block) == [0]
            await asyncio.to_thread(watched.evidence.look)
            await submitted.get()
        running.cancel()

    asyncio.run(run())
    assert watched.block() == [0]
    assert len(watched.misdeeds()) == 2
