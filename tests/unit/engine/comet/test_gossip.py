"""What a node takes from its peers, what it refuses for good, and what may come again."""

from collections.abc import Iterator

import pytest
from coin_chain import GENESIS_MS, Sender, batch_of, id_of
from coin_comet import NODES_COUNT, CoinNode, Decided, node_id_of_number, node_key, node_seed, offered, open_node

from gridtokenx.engine.comet.engine import CODE_OK, CODE_REFUSED, CODE_RETRY
from gridtokenx.engine.mempool import Standing
from gridtokenx.engine.pool import OTHERS_SIGNATURES_MAX, PASS_ON_BLOCKS
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODES, Batch, Node, batch_id, decode_batch, decode_batch_header
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.validator import UNKNOWN_NODE

TIME_MS = GENESIS_MS + 1_000


def by(number: int) -> dict[str, object]:
    return {"author": node_id_of_number(number), "seed": node_seed(number)}


def name_of(wire: bytes) -> bytes:
    return batch_id(decode_batch(wire).header)


@pytest.fixture
def node() -> Iterator[CoinNode]:
    opened = open_node(0)
    yield opened
    opened.crash()


def set_licence(node: CoinNode, number: int, licensed: bool) -> None:
    node.application.state.put(NODES, node_id_of_number(number), Node(node_key(number).public_key, licensed))


def test_a_peers_batch_is_checked_and_waits_for_a_block(node) -> None:
    wire = Sender(0).send(1)
    batch = batch_of(wire, **by(1))
    assert node.call("insert_tx", tx=batch).code == CODE_OK
    node.settle_checks()
    assert node.propose(TIME_MS) == [batch]
    assert node.mempool.standing(id_of(wire)).standing is Standing.PENDING
    assert len(node.mempool) == 0, "it is its author's to keep"
    node.live(Decided(1, TIME_MS, 1, (batch,)))
    assert node.propose(TIME_MS + 1_000) == []
    assert node.mempool.standing(id_of(wire)).standing is Standing.UNKNOWN, "this node has no database"


def test_what_is_no_batch_is_refused_for_good(node) -> None:
    good = batch_of(Sender(0).send(1), **by(1))
    decoded = decode_batch(good)
    forged = encode(Batch(decoded.header, bytes(64), decoded.transactions))
    expired = batch_of(Sender(0).send(1), expires_ms=GENESIS_MS - 1, **by(1))
    for wire in (b"", b"nonsense", good + b"\x00", bytes(limits.BATCH_BYTES_MAX + 1), forged, expired):
        assert node.insert(wire) == CODE_REFUSED
    assert node.bad == [], "nobody signed these"
    assert node.insert(good) == CODE_OK


def test_what_may_be_right_a_block_later_may_come_again(node) -> None:
    of_a_stranger = batch_of(Sender(0).send(1), **by(NODES_COUNT))
    assert node.insert(of_a_stranger) == CODE_RETRY
    set_licence(node, NODES_COUNT, True)
    assert node.insert(of_a_stranger) == CODE_OK
    far = batch_of(Sender(0).send(1), expires_ms=TIME_MS + limits.TRANSACTION_LIFETIME_MS_MAX, **by(1))
    assert node.insert(far) == CODE_RETRY
    node.live(Decided(1, TIME_MS, 0, ()))
    assert node.insert(far) == CODE_OK


def test_a_node_that_lost_its_licence_is_asked_to_wait(node) -> None:
    set_licence(node, 1, False)
    assert node.insert(batch_of(Sender(0).send(1), **by(1))) == CODE_RETRY
    assert node.propose(TIME_MS) == []


def test_what_lost_its_licence_while_it_waited_is_not_proposed(node) -> None:
    first, second = batch_of(Sender(0).send(1), **by(1)), batch_of(Sender(1).send(0), **by(2))
    assert {node.insert(first), node.insert(second)} == {CODE_OK}
    set_licence(node, 1, False)
    proposed = node.propose(TIME_MS)
    assert proposed == [second] and node.accepts(TIME_MS, proposed)


def test_a_repeated_batch_is_taken_once(node, monkeypatch) -> None:
    wire = batch_of(Sender(0).send(1), **by(1))
    assert node.insert(wire) == CODE_OK
    monkeypatch.setattr(node.verifier, "submit_batch", None)
    assert node.engine.insert(wire) == CODE_OK
    assert node.propose(TIME_MS) == [wire]


def test_a_batch_that_is_in_a_block_already_does_not_come_back(node, monkeypatch) -> None:
    wire = batch_of(Sender(0).send(1), **by(1))
    node.live(Decided(1, TIME_MS, 1, (wire,)))
    monkeypatch.setattr(node.verifier, "submit_batch", None)
    assert node.engine.insert(wire) == CODE_OK
    assert name_of(wire) not in node.mempool.pool


def test_an_own_batch_from_a_peer_changes_nothing(node) -> None:
    node.submit(Sender(0).send(1))
    (own,) = node.offers()
    assert node.insert(own) == CODE_OK
    assert node.propose(TIME_MS) == [own] and len(node.mempool) == 1
    assert node.offers() == []


def test_a_flooding_node_has_a_quota_and_the_others_have_theirs(node) -> None:
    count = limits.TRANSACTIONS_PER_BATCH_MAX
    sender = Sender(0)
    transactions = [sender.send(1) for _ in range(10)] * (count // 10)
    codes = [
        node.engine.insert(batch_of(*transactions, sequence=sequence, **by(1)))
        for sequence in range(OTHERS_SIGNATURES_MAX // count + 3)
    ]
    assert codes == [CODE_OK] * (OTHERS_SIGNATURES_MAX // count) + [CODE_RETRY] * 3
    assert node.insert(batch_of(Sender(1).send(0), **by(2))) == CODE_OK
    node.submit(Sender(2).send(0))
    authors = {decode_batch(wire).header for wire in node.propose(TIME_MS)}
    assert len(authors) >= 3


def test_a_batch_with_more_signatures_than_a_block_may_hold_does_not_stay(node, monkeypatch) -> None:
    monkeypatch.setattr("gridtokenx.engine.pool.OTHERS_SIGNATURES_MAX", 1)
    wire = batch_of(Sender(0).send(1), **by(1))
    several = batch_of(Sender(1).send(1), Sender(2).send(1), **by(2))
    assert node.insert(several) == CODE_RETRY
    assert node.insert(wire) == CODE_OK
    assert node.propose(TIME_MS) == [wire]


def test_evidence_is_told_of_once_for_each_batch_it_is_found_in(node) -> None:
    good, wire = Sender(0).send(1), Sender(1).send(0)
    bad = batch_of(good, wire[:-1] + bytes([wire[-1] ^ 1]), **by(1))
    assert node.insert(bad) == CODE_OK
    (found,) = node.bad
    assert (found.batch, found.transaction) == (decode_batch(bad), 1)
    assert found.header.author == node_id_of_number(1)
    assert name_of(bad) not in node.mempool.pool
    assert node.insert(batch_of(Sender(2).send(1), **by(1))) == CODE_OK, "its room is free again"
    assert any("signed a bad batch: transactions[1]" in alarm for alarm in node.engine.metrics.alarms)


@pytest.mark.parametrize("licensed", [True, False])
def test_a_proposal_and_a_decided_block_are_evidence_too(node, licensed) -> None:
    bad = batch_of(b"no transaction", **by(1))
    set_licence(node, 1, licensed)
    assert not node.accepts(TIME_MS, [bad])
    assert [found.transaction for found in node.bad] == [0]
    node.bad.clear()
    node.live(Decided(1, TIME_MS, 1, (bad,)))
    assert [found.transaction for found in node.bad] == [0]


def test_a_header_beside_others_transactions_is_no_evidence_and_does_not_block_the_right_ones(node) -> None:
    right = batch_of(Sender(0).send(1), **by(1))
    decoded = decode_batch(right)
    stranger = encode(Batch(decoded.header, decoded.signature, (b"no transaction",)))
    assert node.insert(stranger) == CODE_OK
    assert node.bad == []
    assert node.insert(right) == CODE_OK
    assert node.propose(TIME_MS) == [right]
    assert not node.accepts(TIME_MS, [stranger])
    assert node.bad == []


def test_what_was_decided_while_it_was_checked_does_not_come_in(node, monkeypatch) -> None:
    wire = batch_of(Sender(0).send(1), **by(1))
    checks = []
    submit = node.verifier.submit_batch
    monkeypatch.setattr(node.engine, "_checked", lambda *given: checks.append(given))
    assert node.insert(wire) == CODE_OK
    monkeypatch.undo()
    assert submit is not None and len(checks) == 1
    node.live(Decided(1, TIME_MS, 1, (wire,)))
    node.engine._checked(*checks[0])
    assert name_of(wire) not in node.mempool.pool
    assert node.insert(batch_of(Sender(1).send(0), **by(1))) == CODE_OK


def test_gossip_is_one_hop_and_others_batches_are_passed_on_once(node) -> None:
    peer = open_node(1)
    node.submit(Sender(0).send(1))
    offered(node, peer)
    (wire,) = peer.propose(TIME_MS)
    assert peer.offers() == []
    taken = []
    for height in range(1, 6):
        peer.live(Decided(height, TIME_MS + height, 2, ()))
        taken += [(height, one) for one in peer.offers()]
    assert taken == [(PASS_ON_BLOCKS, wire)]
    peer.crash()


def test_what_peers_are_offered_keeps_to_the_bytes_they_ask_for(node) -> None:
    for number in range(3):
        node.submit(Sender(number).send(3))
    size = len(node.propose(TIME_MS)[0])
    assert [len(node.call("reap_txs", max_bytes=2 * size).txs) for _ in range(3)] == [2, 1, 0]


def test_known_batches_are_forgotten_with_their_block(node) -> None:
    wires = [batch_of(Sender(number).send(3), sequence=number, **by(1)) for number in range(3)]
    for wire in [*wires, b"nonsense"]:
        node.accepts(TIME_MS, [wire])
    assert node.insert(wires[2]) == CODE_OK
    node.live(Decided(1, TIME_MS, 0, tuple(wires[:1])))
    recalled = [node.engine.known.recall(wire) for wire in [*wires, b"nonsense"]]
    assert [known is not None for known in recalled] == [False, False, True, False]


def test_a_node_that_is_admitted_later_takes_transactions_in_from_then_on() -> None:
    """It follows the chain, and need not be started again."""
    stranger = open_node(7)
    assert stranger.engine.node_id == UNKNOWN_NODE and not stranger.engine.may_accept()
    stranger.live(Decided(1, TIME_MS, 0, ()))
    set_licence(stranger, 7, True)
    stranger.live(Decided(2, TIME_MS + 1_000, 0, ()))
    assert stranger.engine.node_id == node_id_of_number(7) and stranger.engine.may_accept()
    stranger.submit(Sender(0).send(1))
    proposed = stranger.propose(TIME_MS + 2_000)
    assert [decode_batch_header(decode_batch(wire).header).author for wire in proposed] == [node_id_of_number(7)]
    assert stranger.accepts(TIME_MS + 2_000, proposed) and stranger.offers() == proposed
    stranger.live(Decided(3, TIME_MS + 2_000, 0, tuple(proposed)))
    assert len(stranger.mempool) == 0
    stranger.crash()


def test_a_node_whose_licence_was_taken_knows_itself_still() -> None:
    """What it promised before is settled as its own."""
    node = open_node(NODES_COUNT)
    assert node.engine.node_id == node_id_of_number(NODES_COUNT) and not node.engine.may_accept()
    node.crash()
