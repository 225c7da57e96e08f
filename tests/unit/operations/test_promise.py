"""Whether a node kept its word, said from the blocks alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from coin_chain import GENESIS_MS, Sender, batch_of, id_of
from coin_comet import CoinNode, Decided, make_folder, node_id_of_number, node_key, node_seed, open_node
from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.engine.acceptance import acceptances
from gridtokenx.engine.mempool import Standing
from gridtokenx.gateway.documents import AcceptanceView
from gridtokenx.gateway.views import acceptance_view
from gridtokenx.ledger.consensus import STALE_MS_MIN
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.operations.promise import (
    Promise,
    PromiseInvalid,
    PromiseOutcome,
    PromiseState,
    check_promise,
    read_promise,
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CoinNode]:
    make_folder(tmp_path / "n")
    opened = open_node(0, tmp_path / "n")
    yield opened
    opened.crash()


def promised(node: CoinNode, wire: bytes) -> Promise:
    """What the node answers to whoever asks for its promise."""
    (answer,) = node.submit(wire)
    assert answer.standing is Standing.PENDING
    found = acceptances(node.mempool.pool.own_batches(), {id_of(wire): wire})
    return Promise(wire.hex(), acceptance_view(found[id_of(wire)]))


def blocks_until(node: CoinNode, time_ms: int, *batches: bytes) -> None:
    """One with these, then one each half minute, the last at that time."""
    next_ms = node.engine.head.time_ms + 1_000
    while next_ms < time_ms:
        node.live(Decided(node.next_height, next_ms, 1, batches))
        next_ms, batches = next_ms + STALE_MS_MIN // 2, ()
    node.live(Decided(node.next_height, time_ms, 2, batches))


def said(node: CoinNode, promise: Promise, **more: bytes) -> PromiseOutcome:
    assert node.storage is not None
    return check_promise(node.storage, promise, **more)


def test_a_promise_is_open_until_its_batch_is_in_a_block(node) -> None:
    promise = promised(node, Sender(0).send(1))
    assert said(node, promise).state is PromiseState.OPEN
    (own,) = node.mempool.pool.own_batches()
    blocks_until(node, GENESIS_MS + 5_000, own.wire)
    outcome = said(node, promise)
    assert (outcome.state, outcome.height, outcome.node) == (PromiseState.KEPT, 1, node_id_of_number(0).hex())


def test_one_whose_batch_expired_in_no_block_was_broken_and_the_blocks_say_so(node) -> None:
    promise = promised(node, Sender(0).send(1))
    expires_ms = said(node, promise).expires_ms
    blocks_until(node, expires_ms)
    last = node.engine.head.height
    assert said(node, promise).state is PromiseState.OPEN, "it may be in a block of that time"
    blocks_until(node, expires_ms + 1)
    outcome = said(node, promise)
    assert (outcome.state, outcome.first, outcome.last) == (PromiseState.BROKEN, 1, last)


@pytest.mark.parametrize("blocks_before", [False, True])
def test_a_chain_that_stood_still_makes_nobody_break_his_word(node, blocks_before) -> None:
    if blocks_before:
        blocks_until(node, GENESIS_MS + 100_000)
    promise = promised(node, Sender(0).send(1))
    node.live(Decided(node.next_height, said(node, promise).expires_ms + 1, 1, ()))
    assert said(node, promise).state is PromiseState.VOID


def test_blocks_from_before_the_batch_could_be_signed_do_not_count(node) -> None:
    node.live(Decided(1, GENESIS_MS + 1_000, 1, ()))
    node.live(Decided(2, GENESIS_MS + 1_000 + TRANSACTION_LIFETIME_MS_MAX, 1, ()))
    late = Sender(0, expires_ms=GENESIS_MS + 2 * TRANSACTION_LIFETIME_MS_MAX)
    promise = promised(node, late.send(1))
    blocks_until(node, said(node, promise).expires_ms + 1)
    assert (said(node, promise).state, said(node, promise).first) == (PromiseState.BROKEN, 2)


def test_whoever_else_brought_the_transaction_in_the_user_has_it(node) -> None:
    wire = Sender(0).send(1)
    promise = promised(node, wire)
    other = batch_of(wire, author=node_id_of_number(1), seed=node_seed(1))
    blocks_until(node, GENESIS_MS + 5_000, other)
    assert said(node, promise).state is PromiseState.KEPT


def changed(promise: Promise, **fields: object) -> Promise:
    view = promise.acceptance
    given = {"header": view.header, "signature": view.signature, "path": view.path} | fields
    return Promise(promise.transaction, AcceptanceView(**given))


def test_what_the_node_did_not_sign_proves_nothing(node) -> None:
    promise = promised(node, Sender(0).send(1))
    other = Sender(1).send(2).hex()
    wrong = {
        "differ": [changed(promise, signature="00" * 64), Promise(other, promise.acceptance)],
        "hexadecimal": [Promise("no", promise.acceptance), changed(promise, header="xy")],
        "malformed": [Promise("00", promise.acceptance), changed(promise, header="00")],
    }
    for words, promises in wrong.items():
        for one in promises:
            with pytest.raises(PromiseInvalid, match=words):
                said(node, one)
    with pytest.raises(PromiseInvalid, match="differ"):
        said(node, promise, public_key=node_key(1).public_key)
    assert said(node, promise, public_key=node_key(0).public_key).state is PromiseState.OPEN


def test_a_promise_of_another_chain_is_named(node) -> None:
    promise = promised(node, Sender(0).send(1))
    header = bytes.fromhex(promise.acceptance.header).replace(b"coin-test", b"coin-best")
    with pytest.raises(PromiseInvalid, match="of chain coin-best"):
        said(node, changed(promise, header=header.hex()))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"transaction": 1}', bytes(300_000)])
def test_what_is_no_promise_is_refused(content) -> None:
    with pytest.raises(PromiseInvalid):
        read_promise(content)


def test_the_command_says_it_and_ends_with_1_for_a_broken_word(node, tmp_path) -> None:
    promise = promised(node, Sender(0).send(1))
    file = tmp_path / "promise.json"
    view = promise.acceptance
    path = [{"right": step.right, "hash": step.hash} for step in view.path]
    acceptance = {"header": view.header, "signature": view.signature, "path": path}
    file.write_text(json.dumps({"transaction": promise.transaction, "acceptance": acceptance}))
    asked = ["audit", "acceptance", str(file), "--data", str(tmp_path / "n")]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0 and "No block holds it yet" in run.output
    blocks_until(node, said(node, promise).expires_ms + 1)
    run = CliRunner().invoke(app, asked)
    last = node.engine.head.height - 1
    assert run.exit_code == 1 and f"broke its word: none of the blocks 1 to {last}" in run.output
    run = CliRunner().invoke(app, [*asked, "--json"])
    assert run.exit_code == 1 and json.loads(run.stdout)["state"] == "broken"
    file.write_text("{}")
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 2 and "This proves nothing" in run.stderr
