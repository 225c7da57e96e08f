"""The intake: answers after the journal, together where that saves work, and with the node's promise for who asks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from coin_chain import IMPORT_PATH, NODE_ID, NODE_SEED, Sender
from coin_engine import CoinEngine, open_engine

from gridtokenx.engine import intake as intake_module
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.intake import Intake
from gridtokenx.engine.mempool import BATCH_TRANSACTIONS_MAX, Answer, Standing
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.verifier import Verifier
from gridtokenx.ledger.batch import NODES, Node

KEY = NodeKey(NODE_SEED).public_key
FOR_EVER = 3_600.0


class Desk:
    """An intake on an engine, and the groups that it packed."""

    def __init__(self, engine: CoinEngine, verifier: Verifier, pause_seconds: float) -> None:
        self.engine = engine
        self.intake = Intake(engine.solo, verifier, pause_seconds)
        self.groups: list[list[PendingBatch]] = []
        accept = engine.solo.accept

        def noting(batches: list[PendingBatch]) -> None:
            self.groups.append(list(batches))
            accept(batches)

        engine.solo.accept = noting


def run(work: Callable[[Desk], Awaitable[None]], pause_seconds: float = 0.0, folder: Path | None = None) -> Desk:
    async def bounded() -> Desk:
        verifier = Verifier(IMPORT_PATH, 0)
        engine = open_engine(folder)
        desk = Desk(engine, verifier, pause_seconds)
        running = asyncio.create_task(desk.intake.run())
        try:
            async with asyncio.timeout(60):
                await work(desk)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            verifier.close()
            engine.close()
        return desk

    return asyncio.run(bounded())


def test_what_is_answered_is_in_the_journal(tmp_path) -> None:
    async def work(desk: Desk) -> None:
        sender = Sender(0)
        wires = [sender.send(1) for _ in range(3)]
        answers = await desk.intake.submit([*wires, b"nonsense"])
        assert [answer.standing for answer in answers] == [Standing.PENDING] * 3 + [Standing.REFUSED]
        assert all(answer.acceptance is None for answer in answers)
        assert desk.engine.journal.next_number == 2

    run(work, folder=tmp_path)


def test_callers_who_come_together_share_a_batch() -> None:
    async def work(desk: Desk) -> None:
        await asyncio.gather(*(desk.intake.submit([Sender(number).send(0)]) for number in range(4)))

    desk = run(work)
    assert len(desk.groups) == 1 and [len(batch.ids) for batch in desk.groups[0]] == [4]


def test_who_comes_while_a_group_is_written_is_in_the_next() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def work(desk: Desk) -> None:
        accept = desk.engine.solo.accept

        def slow(batches: list[PendingBatch]) -> None:
            begun.set()
            assert go_on.wait(60)
            accept(batches)

        desk.engine.solo.accept = slow
        first = asyncio.create_task(desk.intake.submit([Sender(0).send(1)]))
        await asyncio.to_thread(begun.wait)
        second = asyncio.create_task(desk.intake.submit([Sender(1).send(0)]))
        assert not first.done()
        go_on.set()
        await asyncio.gather(first, second)

    assert [len(group) for group in run(work).groups] == [1, 1]


def test_the_first_after_a_pause_does_not_wait() -> None:
    """Whatever the pause: it begins with the first group."""

    async def work(desk: Desk) -> None:
        (answer,) = await desk.intake.submit([Sender(0).send(1)])
        assert answer.standing is Standing.PENDING

    assert len(run(work, FOR_EVER).groups) == 1


def test_under_a_steady_stream_a_group_waits_for_a_full_batch() -> None:
    async def work(desk: Desk) -> None:
        await desk.intake.submit([Sender(0).send(1)])
        senders = [Sender(1), Sender(2)]
        admit, all_admitted = desk.engine.mempool.admit, asyncio.Event()

        def noting(*arguments: Any) -> list[Answer]:
            answers = admit(*arguments)
            if desk.engine.mempool.unpacked == 10:
                all_admitted.set()
            return answers

        desk.engine.mempool.admit = noting
        few = [asyncio.create_task(desk.intake.submit([Sender(3, nonce=nonce).send(0)])) for nonce in range(10)]
        await all_admitted.wait()
        assert not any(task.done() for task in few) and len(desk.groups) == 1
        enough = [sender.send(0) for sender in senders for _ in range(BATCH_TRANSACTIONS_MAX // 2)]
        await desk.intake.submit(enough)
        await asyncio.gather(*few)

    groups = run(work, FOR_EVER).groups
    assert len(groups) == 2
    assert sum(len(batch.ids) for batch in groups[1]) == BATCH_TRANSACTIONS_MAX + 10


def test_the_pause_ends() -> None:
    async def work(desk: Desk) -> None:
        for number in range(3):
            await desk.intake.submit([Sender(number).send(3)])

    assert len(run(work, 0.001).groups) == 3


def test_without_a_pause_full_batches_change_nothing(monkeypatch) -> None:
    monkeypatch.setattr(intake_module, "BATCH_TRANSACTIONS_MAX", 2)

    async def work(desk: Desk) -> None:
        for number in range(4):
            sender = Sender(number)
            await desk.intake.submit([sender.send(0) for _ in range(3)])

    assert len(run(work).groups) == 4


def test_the_promise_is_given_to_who_asks_also_a_second_time(tmp_path) -> None:
    async def work(desk: Desk) -> None:
        sender = Sender(0)
        wires = [sender.send(1) for _ in range(3)]
        first = await desk.intake.submit([*wires, b"nonsense"], acceptance=True)
        again = await desk.intake.submit([wires[1], Sender(1).send(0), wires[0]], acceptance=True)
        assert first[3].acceptance is None
        for wire, answer in zip(wires, first[:3], strict=True):
            assert answer.acceptance.verify(KEY, wire) and answer.acceptance.batch.author == NODE_ID
        assert again[0] == first[1] and again[2] == first[0]
        assert again[1].acceptance is not None and again[1].acceptance.header != first[0].acceptance.header
        desk.engine.solo.make_block(desk.engine.application.last_block().time_ms + 1_000)
        (committed,) = await desk.intake.submit([wires[0]], acceptance=True)
        assert (committed.standing, committed.acceptance) == (Standing.COMMITTED, None)

    run(work, folder=tmp_path)


def test_a_promise_from_before_a_restart_is_given_again(tmp_path) -> None:
    wire = Sender(0).send(1)
    promises = []

    async def work(desk: Desk) -> None:
        (answer,) = await desk.intake.submit([wire], acceptance=True)
        promises.append(answer.acceptance)

    run(work, folder=tmp_path)
    run(work, folder=tmp_path)
    assert promises[0] == promises[1] and promises[0].verify(KEY, wire)


def test_a_node_without_a_licence_takes_nothing() -> None:
    async def work(desk: Desk) -> None:
        desk.engine.application.state.put(NODES, NODE_ID, Node(KEY, licensed=False))
        (answer,) = await desk.intake.submit([Sender(0).send(1)])
        assert (answer.standing, answer.code, answer.field) == (Standing.REFUSED, 15, "node")

    assert run(work).groups == []


def test_a_journal_that_cannot_be_written_answers_nobody() -> None:
    async def bounded() -> None:
        verifier, engine = Verifier(IMPORT_PATH, 0), open_engine()
        desk = Desk(engine, verifier, 0.0)

        def full(batches: list[PendingBatch]) -> None:
            raise OSError("no space left")

        engine.solo.accept = full
        asking = asyncio.create_task(desk.intake.submit([Sender(0).send(1)]))
        try:
            await desk.intake.run()
        finally:
            assert not asking.done()
            asking.cancel()
            verifier.close()

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(bounded())
