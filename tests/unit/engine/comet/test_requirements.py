"""The thirteen requirements of ABCI 2.0, one test for each (CometBFT v0.40, "Requirements for the Application").

p and q are correct nodes of one chain with other pools, other caches and other clocks.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from coin_chain import BALANCE_MICRO, GENESIS_MS, IMPORT_FOLDERS, Break, Remind, Rotate, Sender, account_of, batch_of
from coin_comet import (
    BYTES_MAX,
    NODES_COUNT,
    CoinNode,
    Decided,
    make_folder,
    node_id_of_number,
    node_seed,
    offered,
    open_node,
    validator_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.comet.calls import ACCEPT, REJECT
from gridtokenx.engine.comet.engine import CODE_OK
from gridtokenx.engine.comet.proposals import is_admissible
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.ledger.genesis import export_state
from gridtokenx.ledger.validator import address_of

FIRST_MS = GENESIS_MS + 1_000


@pytest.fixture
def nodes() -> Iterator[list[CoinNode]]:
    opened = [open_node(0), open_node(1, fast=True)]
    yield opened
    for node in opened:
        node.crash()


def by(number: int) -> dict[str, object]:
    """As this node signs a batch."""
    return {"author": node_id_of_number(number), "seed": node_seed(number)}


PLAN = st.lists(
    st.tuples(
        st.integers(0, 3),  # who sends
        st.integers(0, 3),  # to whom
        st.sampled_from([1, 2 * BALANCE_MICRO]),
        st.integers(0, NODES_COUNT - 1),  # which node takes it in
        st.integers(-5_000, 700_000),  # when the batch expires after the first block
        st.sampled_from("sbr"),  # send, a bug in a handler, rotate keys
    ),
    min_size=1,
    max_size=14,
)


def batches_of(plan: list[tuple[int, int, int, int, int, str]]) -> list[bytes]:
    """Batches of several authors: what is in them is right, whether they fit the block's time is not said."""
    senders = [Sender(number) for number in range(4)]
    wires = []
    for sequence, (sender, to, amount, author, life_ms, kind) in enumerate(plan, 1):
        messages = {"b": Break(), "r": Rotate(account_of(to))}
        own = senders[sender]
        wire = own.transaction(messages[kind]) if kind in messages else own.send(to, amount)
        wires.append(batch_of(wire, sequence=sequence, expires_ms=FIRST_MS + life_ms, **by(author)))
    return wires


BYZANTINE = {
    "empty": lambda wire: b"",
    "random": lambda wire: b"\x93\xc4\x00random",
    "cut": lambda wire: wire[:-1],
    "flipped": lambda wire: wire[:-1] + bytes([wire[-1] ^ 1]),
    "longer": lambda wire: wire + b"\x00",
    "far": lambda wire: batch_of(b"no transaction", expires_ms=FIRST_MS + 10**9, **by(1)),
    "bad transaction": lambda wire: batch_of(b"no transaction", **by(1)),
    "nobody": lambda wire: batch_of(Sender(0).send(1), author=b"nobody..", seed=bytes(32)),
}


def test_requirement_01_preparing_a_proposal_executes_nothing_and_looks_at_each_batch_a_few_times(
    nodes, monkeypatch
) -> None:
    """Timeliness, as a bound on work: nothing is executed, and a batch's own signature is all that is checked."""
    p = nodes[0]
    senders = [Sender(number) for number in range(4)]
    for _ in range(50):
        p.submit(*(sender.send(1) for sender in senders))
    looked: list[bytes] = []
    monkeypatch.setattr(p.application, "finalize_block", None)
    monkeypatch.setattr(p.verifier, "_submit", None)
    monkeypatch.setattr(
        "gridtokenx.engine.comet.engine.is_admissible",
        lambda state, time_ms, batch: looked.append(batch.id) or is_admissible(state, time_ms, batch),
    )
    wires = p.propose(FIRST_MS)
    assert len(wires) == 50
    assert len(looked) == len(set(looked)) == 50


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    room=st.integers(0, 30_000),
    others=st.lists(st.integers(1, 30), max_size=3),
)
def test_requirement_02_a_proposal_is_never_larger_than_it_may_be(sizes, room, others) -> None:
    """Each batch counts as CometBFT counts it: its bytes in a protobuf list."""
    p = open_node(0)
    try:
        sender = Sender(0)
        for size in sizes:
            p.submit(*(sender.send(1) for _ in range(size)))
        for number, size in enumerate(others, 1):
            transactions = [Sender(1, nonce=100 * number + place).send(2) for place in range(size)]
            assert p.insert(batch_of(*transactions, sequence=number, **by(1))) == CODE_OK
        wires = p.propose(FIRST_MS, room)
        assert abci.ResponsePrepareProposal(txs=wires).ByteSize() <= room
        all_of_them = p.propose(FIRST_MS, BYTES_MAX)
        assert len(all_of_them) == len(sizes) + len(others)
        whole = abci.ResponsePrepareProposal(txs=all_of_them).ByteSize()
        assert len(p.propose(FIRST_MS, whole + 8 * len(all_of_them))) == len(all_of_them), "room is used"
    finally:
        p.crash()


@settings(max_examples=20)
@given(plan=PLAN, later_ms=st.integers(-20_000, 400_000), blocks=st.integers(1, 3))
def test_requirement_03_what_a_correct_node_proposes_every_correct_node_accepts(plan, later_ms, blocks) -> None:
    """Coherence: whatever p's pool holds (also what its state does not allow), whatever q has seen of it."""
    p, q = open_node(0), open_node(1, fast=True)
    try:
        wires = batches_of(plan)
        for place, wire in enumerate(wires):
            p.insert(wire)
            if place % 3 == 0:
                q.insert(wire)
        p.submit(*(Sender(number, nonce=500).send(0) for number in range(4)))
        time_ms = FIRST_MS
        for _ in range(blocks):
            proposed = p.propose(time_ms)
            assert p.accepts(time_ms, proposed)
            assert q.accepts(time_ms, proposed)
            block = Decided(p.next_height, time_ms, 0, tuple(proposed))
            assert p.live(block).app_hash == q.live(block).app_hash
            time_ms += later_ms
    finally:
        p.crash()
        q.crash()


@settings(max_examples=30)
@given(plan=PLAN, wrong=st.lists(st.sampled_from(sorted(BYZANTINE)), max_size=2), twice=st.booleans(), data=st.data())
def test_requirement_04_a_verdict_depends_on_the_block_and_the_state_before_alone(plan, wrong, twice, data) -> None:
    """Determinism within a node: first and second time, before and after its pool and cache knew the batches."""
    p = open_node(0)
    try:
        wires = batches_of(plan)
        wires += [BYZANTINE[name](wires[0]) for name in wrong] + wires[: int(twice)]
        wires = data.draw(st.permutations(wires))
        verdicts = [p.accepts(FIRST_MS, wires)]
        for wire in wires:
            p.insert(wire)
        verdicts.append(p.accepts(FIRST_MS, wires))
        p.submit(Sender(3, nonce=50).send(1))
        p.propose(FIRST_MS)
        p.engine.known.keep_only(frozenset())
        verdicts.append(p.accepts(FIRST_MS, wires))
        p.clock.time_ms += 10**7
        verdicts.append(p.accepts(FIRST_MS, wires))
        assert len(set(verdicts)) == 1
        if wrong or twice:
            assert verdicts[0] is False
    finally:
        p.crash()


@settings(max_examples=30)
@given(plan=PLAN, wrong=st.lists(st.sampled_from(sorted(BYZANTINE)), max_size=2), seen=st.integers(0, 14))
def test_requirement_05_all_correct_nodes_give_one_verdict(plan, wrong, seen) -> None:
    """Determinism between nodes, also of blocks that no correct node made."""
    p, q = open_node(0), open_node(1, fast=True)
    try:
        wires = batches_of(plan)
        wires = [BYZANTINE[name](wires[0]) for name in wrong] + wires
        for wire in wires[:seen]:
            p.insert(wire)
        q.submit(Sender(2, nonce=70).send(1))
        assert p.accepts(FIRST_MS, wires) is q.accepts(FIRST_MS, wires)
    finally:
        p.crash()
        q.crash()


def test_requirement_06_a_correct_vote_extension_is_accepted(nodes) -> None:
    """Coherence: nothing is what every node adds, and what every node expects."""
    p, q = nodes
    added = p.call("extend_vote")
    assert added == abci.ResponseExtendVote()
    extension = getattr(added, "vote_extension", b"")
    assert q.call("verify_vote_extension", vote_extension=extension).status == ACCEPT


@settings(max_examples=30)
@given(extension=st.binary(max_size=100))
def test_requirement_07_a_verdict_on_an_extension_depends_on_it_alone(extension) -> None:
    p = open_node(0)
    try:
        first = p.call("verify_vote_extension", vote_extension=extension).status
        assert first == (REJECT if extension else ACCEPT)
        p.submit(Sender(0).send(1))
        p.live(Decided(1, FIRST_MS, 0, tuple(p.propose(FIRST_MS))))
        assert p.call("verify_vote_extension", vote_extension=extension).status == first
    finally:
        p.crash()


def test_requirement_08_all_correct_nodes_give_one_verdict_on_an_extension(nodes) -> None:
    p, q = nodes
    p.live(Decided(1, FIRST_MS, 0, ()))
    for extension in (b"", b"\x00", b"more"):
        request = {"vote_extension": extension}
        verdicts = {node.call("verify_vote_extension", **request).status for node in (p, q)}
        assert len(verdicts) == 1


def test_requirement_09_proposing_and_judging_change_nothing(tmp_path) -> None:
    """No side effects: state, its root and every byte of the database stay as they were."""
    make_folder(tmp_path / "p")
    p = open_node(0, tmp_path / "p")
    p.begin()
    p.submit(Sender(0).send(1), Sender(1).transaction(Break()))
    p.live(Decided(1, FIRST_MS, 0, tuple(p.propose(FIRST_MS))))
    p.submit(Sender(2).send(3))
    state = p.application.state

    def everything() -> tuple[object, ...]:
        return export_state(p.application.chain, state), p.application.info(), [*p.storage.scan()], state.undo[:]

    before = everything()
    later = FIRST_MS + 1_000
    wires = p.propose(later)
    wrong = [batch_of(b"no transaction", **by(1)), b"", wires[0]]
    for proposal in (wires, [*wires, *wrong], wrong, []):
        p.accepts(later, proposal)
        p.call("extend_vote")
        p.call("verify_vote_extension", vote_extension=b"x")
        p.propose(later, 100)
    assert everything() == before
    p.crash()


def test_requirement_10_the_next_state_does_not_depend_on_vote_extensions(nodes) -> None:
    """What FinalizeBlock is given has no room for them, and judging some changes nothing."""
    p, q = nodes
    assert not any("extension" in name for name in abci.RequestFinalizeBlock.DESCRIPTOR.fields_by_name)
    p.submit(Sender(0).send(1))
    block = Decided(1, FIRST_MS, 0, tuple(p.propose(FIRST_MS)))
    for extension in (b"", b"one", b"two"):
        p.call("verify_vote_extension", vote_extension=extension)
    assert p.live(block) == q.live(block)


DECIDED = st.lists(PLAN, min_size=1, max_size=3)


def decided_blocks(plans: list[list[tuple[int, int, int, int, int, str]]]) -> list[Decided]:
    """Blocks as they could come by block sync: some batches in them are worth nothing."""
    blocks = []
    nonces = 0
    for height, plan in enumerate(plans, 1):
        senders = [Sender(number, nonce=nonces) for number in range(4)]
        wires = []
        for sequence, (sender, to, amount, author, life_ms, kind) in enumerate(plan, 1):
            own = senders[sender]
            messages = {"b": Break(), "r": Remind(FIRST_MS + 2_000 * height)}
            wire = own.transaction(messages[kind]) if kind in messages else own.send(to, amount)
            expires_ms = FIRST_MS + 1_000 * height + life_ms
            wires.append(batch_of(wire, sequence=100 * height + sequence, expires_ms=expires_ms, **by(author)))
        nonces += len(plan)
        wires.insert(len(wires) // 2, BYZANTINE["bad transaction"](b""))
        wires.append(wires[0])
        time_ms = FIRST_MS + 1_000 * height
        evil = abci.Misbehavior(
            type=1,
            validator=abci.Validator(address=address_of(validator_key(height % NODES_COUNT)), power=10),
            height=height,
            time={"seconds": time_ms // 1_000, "nanos": 5},
            total_voting_power=40,
        )
        blocks.append(Decided(height, time_ms, height % NODES_COUNT, tuple(wires), (evil,)))
    return blocks


@settings(max_examples=20)
@given(plans=DECIDED, seen=st.integers(0, 5))
def test_requirement_11_the_next_state_follows_from_the_last_and_the_block(plans, seen) -> None:
    """Whether a node saw the batches before, judged the block, or comes upon it by block sync."""
    blocks = decided_blocks(plans)
    p, q, r = open_node(0), open_node(1, fast=True), open_node(2)
    try:
        for block in blocks:
            for wire in block.batches[:seen]:
                p.insert(wire)
            p.submit(Sender(0, nonce=900 + block.height).send(1))
            p.accepts(block.time_ms, block.batches)
            q.accepts(block.time_ms, block.batches[::-1])
            q.propose(block.time_ms)
            hashes = {node.live(block).app_hash for node in (p, q, r)}
            assert len(hashes) == 1
            assert len({export_state(node.application.chain, node.application.state) for node in (p, q, r)}) == 1
    finally:
        for node in (p, q, r):
            node.crash()


REPLAYED = """
import sys
from coin_comet import open_node
from gridtokenx.engine.comet.abci_pb2 import RequestFinalizeBlock
node = open_node(3)
data = sys.stdin.buffer.read()
while data:
    size = int.from_bytes(data[:4], "big")
    request = RequestFinalizeBlock.FromString(data[4 : 4 + size])
    data = data[4 + size :]
    print(node.calls.finalize_block(request).SerializeToString(deterministic=True).hex())
    node.calls.commit(None)
node.crash()
"""


def test_requirement_12_results_follow_from_the_last_state_and_the_block(monkeypatch) -> None:
    """Whatever the process hashes strings by, and in whichever order its tables came to be."""
    kinds = ((1, 0, "s"), (2, 3, "r"))
    plan = [(sender, to, 1, author, 60_000, kind) for sender in range(4) for to, author, kind in kinds]
    blocks = decided_blocks([plan, plan[::-1], plan])
    requests = []
    node = open_node(0)
    recorded = node.calls.finalize_block

    def record(request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        requests.append(request.SerializeToString())
        return recorded(request)

    monkeypatch.setattr(node.calls, "finalize_block", record)
    expected = [node.live(block).SerializeToString(deterministic=True).hex() for block in blocks]
    node.crash()
    given_bytes = b"".join(len(request).to_bytes(4, "big") + request for request in requests)
    for seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": IMPORT_FOLDERS}
        command = [sys.executable, "-c", REPLAYED]
        done = subprocess.run(command, input=given_bytes, capture_output=True, env=environment, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode().split() == expected


@settings(max_examples=30)
@given(wire=st.one_of(st.binary(max_size=200), st.just(batch_of(Sender(0).send(1), **by(0)))))
def test_requirement_13_check_tx_never_changes_its_mind(wire) -> None:
    """It always says no: what is sent comes through a gateway."""
    p = open_node(0)
    try:
        codes = [p.call("check_tx", tx=wire).code]
        p.insert(wire)
        codes.append(p.call("check_tx", tx=wire).code)
        p.live(Decided(1, FIRST_MS, 0, (wire,)))
        codes.append(p.call("check_tx", tx=wire).code)
        assert set(codes) == {1}
    finally:
        p.crash()


def test_what_is_offered_reaches_the_pools_of_others(nodes) -> None:
    p, q = nodes
    p.submit(Sender(0).send(1))
    offered(p, q)
    (waiting,) = q.mempool.pool.choose(FIRST_MS)
    assert isinstance(waiting, PendingBatch) and waiting.header.author == node_id_of_number(0)
