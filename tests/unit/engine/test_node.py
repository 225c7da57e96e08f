"""A node process as its callers and its operator see it."""

import asyncio
import contextlib
import os
import signal
import socket

import pytest
from coin_chain import CHAIN_NAME, NODE_ID, Break, Exhaust, Sender, account_of, id_of
from coin_process import NodeProcess, Traffic, new_folder, recover_and_check

from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.engine.link import NodeGone, NodeLink, RequestFailed
from gridtokenx.engine.mempool import Standing
from gridtokenx.engine.node import CANNOT_START, EXIT_CANNOT_START, EXIT_STOPPED, Node, NodeSettings
from gridtokenx.engine.storage import Reader
from gridtokenx.engine.wire import FRAME_BYTES_MAX, TRANSACTIONS_PER_REQUEST_MAX, Failed, Submit, decode_reply, frame
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.commitment import Commitment, Proof, verify
from gridtokenx.ledger.errors import KernelCode

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return new_folder(tmp_path / "node")


@pytest.fixture
def node(folder):
    process = NodeProcess(folder, workers=1, interval_ms=20)
    assert process.wait_until_it_listens(), process.said
    yield process
    process.kill()


def talk(folder, conversation):
    """One connection, one conversation."""

    async def run():
        link = await NodeLink.connect(folder.socket)
        try:
            return await conversation(link)
        finally:
            await link.close()

    return asyncio.run(run())


async def until_committed(link: NodeLink, *wires: bytes):
    async for _ in link.blocks():
        answers = await link.status([id_of(wire) for wire in wires])
        if all(answer.standing is Standing.COMMITTED for answer in answers):
            return answers
    raise AssertionError("the node is gone")


def test_transactions_are_accepted_and_come_into_a_block(folder, node) -> None:
    sender = Sender(0)
    good, poor, broken = sender.send(1, 5), sender.send(1, 10**12), sender.transaction(Break())

    async def conversation(link):
        answers = await link.submit([good, b"nonsense", poor, broken])
        committed = await until_committed(link, good, poor, broken)
        repeated = await link.submit([good])
        return answers, committed, repeated, await link.info(), await link.metrics()

    answers, committed, repeated, info, metrics = talk(folder, conversation)
    pending, refused = Standing.PENDING, Standing.REFUSED
    assert [answer.standing for answer in answers] == [pending, refused, pending, pending]
    assert answers[1].code == KernelCode.MALFORMED and answers[1].field
    assert [answer.code for answer in committed] == [0, 900, KernelCode.INTERNAL]
    assert repeated == [committed[0]]
    assert (info.chain, info.kind, info.node_id, info.speed, info.pending) == (CHAIN_NAME, "coin", NODE_ID, 1, 0)
    assert info.height >= committed[0].height and info.now_ms >= info.time_ms
    assert "store" in info.phases and any("ZeroDivisionError" in alarm for alarm in info.alarms)
    assert b"gridtokenx_transactions_total 3.0" in metrics


def test_a_proof_is_of_a_committed_block(folder, node) -> None:
    key = bytes([ACCOUNTS.prefix]) + account_of(1)

    async def conversation(link):
        await link.submit([Sender(0).send(1, 5)])
        return await link.prove(key), await link.prove(b"\xffnothing")

    for proven in talk(folder, conversation):
        proof = Proof(proven.proof_items, proven.proof_path)
        present = proven.value is not None
        assert verify(proven.app_hash, key if present else b"\xffnothing", proven.value, proof)


def test_a_reader_sees_whole_blocks_while_the_node_goes_on(folder, node, tmp_path) -> None:
    """Each height that another process sees is complete: its records have the block's app hash."""
    reader = Reader(folder.database, tmp_path / "reader")
    senders, heights = [Sender(number) for number in range(4)], set()

    async def conversation(link):
        async for _ in link.blocks():
            await link.submit([sender.send(sender.number * 3 % 4) for sender in senders])
            reader.refresh()
            head = reader.head()
            assert Commitment.build(reader.scan()).root() == head.app_hash
            assert reader.results(head.height).app_hash == head.app_hash
            assert reader.block(head.height).header.time_ms == head.time_ms
            heights.add(head.height)
            if len(heights) == 10:
                return

    talk(folder, conversation)
    reader.close()
    assert len(heights) == 10


def test_blocks_are_announced_in_order(folder, node) -> None:
    async def conversation(link):
        heights, times = [], []
        async for committed in link.blocks():
            heights.append(committed.height)
            times.append(committed.time_ms)
            if len(heights) == 5:
                return heights, times
        raise AssertionError("the node is gone")

    heights, times = talk(folder, conversation)
    assert heights == list(range(heights[0], heights[0] + 5))
    assert times == sorted(set(times))


def test_many_callers_at_once_each_get_their_own_answers(folder, node) -> None:
    async def caller(number: int):
        link, sender = await NodeLink.connect(folder.socket), Sender(number)
        wires = [sender.send((number + 1) % 4) for _ in range(30)]
        answers = await asyncio.gather(*(link.submit(wires[start : start + 3]) for start in range(0, 30, 3)))
        await until_committed(link, *wires)
        await link.close()
        return [answer.transaction_id for part in answers for answer in part] == [id_of(wire) for wire in wires]

    async def all_callers():
        return await asyncio.gather(*(caller(number) for number in range(4)))

    assert asyncio.run(all_callers()) == [True] * 4


def test_requests_that_are_too_large_are_refused_by_name(folder, node) -> None:
    async def conversation(link):
        fields = []
        for call in (link.submit, link.status):
            with pytest.raises(RequestFailed) as caught:
                await call([b""] * (TRANSACTIONS_PER_REQUEST_MAX + 1))
            fields.append((caught.value.code, caught.value.field))
        return fields, await link.submit([])

    fields, nothing = talk(folder, conversation)
    assert fields == [(KernelCode.TOO_LARGE, "transactions"), (KernelCode.TOO_LARGE, "transaction_ids")]
    assert nothing == []


@pytest.mark.parametrize(
    "sent",
    [
        (4).to_bytes(4, "big") + b"\xff\xff\xff\xff",
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        (4).to_bytes(4, "big") + b"\x93\x63\x01\x90",
    ],
)
def test_who_sends_nonsense_is_told_and_cut_off_and_others_are_not(folder, node, sent) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(folder.socket))
        caller.sendall(sent)
        reply = decode_reply(caller.makefile("rb").read()[4:])
        assert isinstance(reply, Failed) and reply.code == KernelCode.MALFORMED
    assert talk(folder, lambda link: link.info()).chain == CHAIN_NAME


def test_who_hangs_up_in_the_middle_disturbs_nobody(folder, node) -> None:
    whole = frame(Submit(1, [Sender(0).send(1)]))
    for length in (0, 3, len(whole) - 1, len(whole)):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(folder.socket))
            caller.sendall(whole[:length])
    assert talk(folder, lambda link: link.info()).chain == CHAIN_NAME


def test_a_folder_has_one_node(folder, node) -> None:
    second = NodeProcess(folder)
    try:
        assert second.wait() == EXIT_CANNOT_START
        assert "another node runs" in second.said
    finally:
        second.kill()
    assert folder.pid.read_text() == f"{node.process.pid}\n"
    assert talk(folder, lambda link: link.info()).chain == CHAIN_NAME


def test_a_stop_is_clean(folder, node) -> None:
    traffic = Traffic()
    traffic(folder, 6)
    assert node.stop() == 0
    assert list(folder.run.iterdir()) == []
    recover_and_check(folder, traffic.accepted)


def test_a_caller_learns_that_the_node_is_gone(folder, node) -> None:
    async def conversation(link):
        seen = [committed.height async for committed in blocks_until_killed(link)]
        with pytest.raises(NodeGone):
            await link.submit([b""])
        return seen

    async def blocks_until_killed(link):
        async for committed in link.blocks():
            yield committed
            os.kill(node.process.pid, signal.SIGKILL)

    assert talk(folder, conversation)


def test_after_a_kill_the_next_start_takes_over_the_socket(folder, node) -> None:
    traffic = Traffic()
    traffic(folder, 3)
    node.kill()
    assert folder.socket.exists()
    second = NodeProcess(folder)
    try:
        assert second.wait_until_it_listens(), second.said
        traffic(folder, 3)
        assert second.stop() == 0
    finally:
        second.kill()
    recover_and_check(folder, traffic.accepted)


def test_want_of_memory_stops_the_node_before_it_commits(folder, node) -> None:
    async def conversation(link):
        await link.submit([Sender(0).transaction(Exhaust())])

    with contextlib.suppress(NodeGone):
        talk(folder, conversation)
    assert node.wait() == EXIT_STOPPED
    assert "node stopped, nothing is lost" in node.said and "MemoryError" in node.said


def test_a_node_without_a_usable_folder_says_why(tmp_path) -> None:
    with pytest.raises(FolderUnusable):
        Node(NodeSettings(tmp_path, "coin_chain:COIN"))
    assert FolderUnusable in CANNOT_START
