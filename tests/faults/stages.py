"""A node that is killed in a stage of slow work (`tests/fixtures/slow_gates.py`), and what it has to come to."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from slow_gates import VARIABLE
from tests.world import NODE, World

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.faultpoints import EXIT_STATUS
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.node import Node, NodeSettings
from gridtokenx.ledger.batch import check_batch
from gridtokenx.ledger.state import State
from gridtokenx.operations.network.programs import CHAIN

PROGRAM = Path(__file__).parents[1] / "fixtures" / "slow_gates.py"
POINTS = ("block.finalized", "storage.batch_written", "storage.batch_synced", "block.committed")
SPEED = 300
BLOCKS_MAX = 200


def opened(folder: DataFolder) -> Node:
    """The node, in this process."""
    return Node(NodeSettings(folder.path, CHAIN, speed=1, workers=0))


def with_accepted(path: Path, world: World, transactions: list[bytes]) -> Path:
    """The folder of a node that has accepted these and stopped: they are in its journal and in no block yet."""
    folder = create_data_folder(path, world.genesis, NODE.secrets[0])
    node = opened(folder)
    node.engine.start()
    answers = node.engine.submit(transactions)
    assert not any(answer.code for answer in answers)
    node.close()
    return folder.path


def run_until_killed(folder: DataFolder, stage: str, point: str) -> None:
    """A node in a process of its own, until it comes by that place in that stage."""
    options = {"--data": folder.path, "--chain": CHAIN, "--speed": SPEED, "--workers": 0, "--interval-ms": 15}
    command = [sys.executable, str(PROGRAM), *(str(part) for option in options.items() for part in option)]
    environment = os.environ | {VARIABLE: f"{stage}:{point}"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == EXIT_STATUS, run.stderr


def go_on(folder: DataFolder, due_ms: int, is_over: Callable[[State], bool]) -> Node:
    """The node on what is left: it makes a block of what was accepted and is in none yet, one when the slow work falls
    due, and more until that is over."""
    node = opened(folder)
    node.engine.start()
    node.engine.make_block(node.application.last_block().time_ms + 1)
    node.engine.make_block(max(node.application.last_block().time_ms + 1, due_ms))
    for _ in range(BLOCKS_MAX):
        if is_over(node.application.state):
            break
        node.engine.make_block(node.application.last_block().time_ms + 1)
    return node


def check_lived(folder: DataFolder, node: Node) -> int:
    """A node that executes the same blocks without ever having stopped comes to the same hash after each of them. How
    many trades there were."""
    lived = Application(CONSORTIUM)
    with folder.genesis.open("rb") as genesis:
        lived.init_chain(genesis)
    trades = 0
    for height in range(1, node.storage.head().height + 1):
        block, results = node.storage.block(height), node.storage.results(height)
        outcome = lived.finalize_block(block.block, lambda wire: check_batch(wire, CONSORTIUM.body))
        lived.commit()
        assert outcome.app_hash == results.app_hash, f"block {height} comes to another hash"
        trades += len(outcome.trades)
    assert not [breach for module in CONSORTIUM.modules for breach in module.invariants(node.application.state)]
    return trades
