"""What is known of batches: each is checked once, whoever asks, however often."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from coin_chain import IMPORT_PATH, Sender, batch_of

from gridtokenx.engine.comet.known import KnownBatches
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.verifier import BatchRefused, BatchVerdict, Verifier


class LateVerifier:
    """Answers as the real one, but when it is told to."""

    def __init__(self, real: Verifier) -> None:
        self._real = real
        self.waiting: list[tuple[bytes, Future[BatchVerdict]]] = []
        self.hastened: list[bytes] = []

    def submit_batch(self, wire: bytes, *, first: bool = False) -> Future[BatchVerdict]:
        self.waiting.append((wire, Future()))
        return self.waiting[-1][1]

    def hasten(self, wire: bytes) -> None:
        self.hastened.append(wire)

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for wire, answer in waiting:
            answer.set_result(self._real.submit_batch(wire).result())


@pytest.fixture
def verifier() -> Iterator[LateVerifier]:
    real = Verifier(IMPORT_PATH, 0)
    yield LateVerifier(real)
    real.close()


GOOD = batch_of(Sender(0).send(1), sequence=1)
OTHER = batch_of(Sender(1).send(1), sequence=2)


def test_a_check_under_way_is_not_begun_again(verifier) -> None:
    known = KnownBatches(verifier)
    by_gossip = known.check(GOOD)
    in_a_proposal = known.check(bytes(bytearray(GOOD)), first=True)
    assert [wire for wire, _ in verifier.waiting] == [GOOD]
    assert verifier.hastened == [GOOD], "but it is done sooner"
    assert not by_gossip.done()
    verifier.answer()
    assert by_gossip.result() is in_a_proposal.result()
    assert isinstance(by_gossip.result(), PendingBatch)


def test_what_is_known_is_not_checked_again(verifier) -> None:
    known = KnownBatches(verifier)
    answer = known.check(GOOD)
    verifier.answer()
    assert known.check(GOOD).result() is answer.result()
    assert list(known.each([GOOD, GOOD])) == [answer.result()] * 2
    assert known.recall(GOOD) is answer.result()
    assert verifier.waiting == []


def test_one_byte_makes_another_batch(verifier) -> None:
    known = KnownBatches(verifier)
    known.check(GOOD)
    wrong = known.check(GOOD[:-1] + bytes([GOOD[-1] ^ 1]))
    verifier.answer()
    assert isinstance(wrong.result(), BatchRefused)
    assert isinstance(known.recall(GOOD), PendingBatch)


def test_after_a_block_only_what_waits_is_known(verifier) -> None:
    known = KnownBatches(verifier)
    answers = [known.check(wire) for wire in (GOOD, OTHER, b"none")]
    late = known.check(batch_of(Sender(2).send(1), sequence=3))
    verifier.waiting, kept_back = verifier.waiting[:-1], verifier.waiting[-1:]
    verifier.answer()
    waiting = answers[1].result()
    assert isinstance(waiting, PendingBatch)
    known.keep_only(frozenset({waiting.id}))
    assert (known.recall(GOOD), known.recall(OTHER), known.recall(b"none")) == (None, waiting, None)
    verifier.waiting = kept_back
    verifier.answer()
    assert known.recall(late.result().wire) is late.result(), "what was being checked is known when it comes"
