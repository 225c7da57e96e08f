"""What `bench consensus` makes of what it counts."""

from collections import Counter, deque
from dataclasses import replace

import pytest
import typer

from gridtokenx.bench.consensus import CORES, LINK_BYTES_PER_SECOND, Measured, Span, capacity, figures_of, table
from gridtokenx.bench.consensus_load import Lane, share_out
from gridtokenx.bench.validators import COMETBFT, NODE, PROXIES, WORKERS, kind_of
from gridtokenx.cli.bench import parse_validators

IDLE = Span(
    nodes=4,
    blocks=10,
    seconds=10.0,
    block_seconds_max=1.1,
    rounds_lost=0,
    orders=0,
    trades=0,
    cpu_us=Counter({NODE: 400_000, COMETBFT: 400_000}),
    load_cpu_us=0,
    bytes_sent=40_000,
)
"""Each node uses a hundredth of a core for itself and for CometBFT, and sends 1,000 bytes a second."""

BUSY = Span(
    nodes=4,
    blocks=10,
    seconds=10.0,
    block_seconds_max=1.4,
    rounds_lost=1,
    orders=10_000,
    trades=5_000,
    cpu_us=Counter({NODE: 2_400_000, WORKERS: 800_000, COMETBFT: 800_000, PROXIES: 300_000}),
    load_cpu_us=100_000,
    bytes_sent=20_040_000,
)
"""An order costs each node 50 us in its node process above what it does anyway, 80 us in all, and 500 bytes sent."""


def test_what_an_order_costs_is_counted_for_each_node() -> None:
    assert BUSY.orders_per_second == 1_000
    assert BUSY.block_seconds_mean == 1.0
    assert (BUSY.cpu_us_per_order(NODE), BUSY.cpu_us_per_order(WORKERS)) == (60, 20)
    assert BUSY.cpu_us_per_second(COMETBFT) == 20_000


def test_measuring_is_no_part_of_the_cost_and_is_told() -> None:
    assert BUSY.load_share == pytest.approx(0.4 / 4.4)


def test_the_dearest_resource_decides_what_machines_carry() -> None:
    assert capacity(IDLE, BUSY) == pytest.approx((1e6 - 10_000) / 50), "the node process has one core"
    workers = replace(BUSY, cpu_us=BUSY.cpu_us + Counter({WORKERS: 2_400_000}))
    assert capacity(IDLE, workers) == pytest.approx((CORES * 1e6 - 20_000) / 140), "all have two"
    chatty = replace(BUSY, bytes_sent=4_000_040_000)
    assert capacity(IDLE, chatty) == pytest.approx((LINK_BYTES_PER_SECOND - 1_000) / 100_000), "and one link"


MEASURED = Measured(4, IDLE, BUSY, BUSY, {"p50_ms": 1_234.0, "p99_ms": 2_500.0}, 0, 123_456_789, 40.0)


def test_figures_of_a_network() -> None:
    figures = figures_of(MEASURED)
    assert figures["cpu_us_per_order_and_node"] == figures["cpu_us_node"] + figures["cpu_us_workers"] + 20
    assert figures["cost_ratio"] == 2.5
    assert figures["bytes_per_order_and_link"] == 334, "20,040,000 bytes, 10,000 orders, six links"
    assert (figures["p50_s"], figures["p99_s"], figures["rounds_lost"]) == (1.23, 2.5, 1)


def test_a_single_validator_has_no_links() -> None:
    alone = replace(MEASURED, nodes=1, idle=replace(IDLE, nodes=1), busy=replace(BUSY, nodes=1))
    assert figures_of(alone)["bytes_per_order_and_link"] == 0


def test_the_table_has_a_line_for_each_network() -> None:
    head, rule, *lines = table([figures_of(MEASURED), figures_of(MEASURED)]).splitlines()
    assert len(lines) == 2
    assert {line.count("|") for line in (head, rule, *lines)} == {head.count("|")}
    assert lines[0].startswith("| 4 | 1,000 | 1.0 |")
    assert "| 123 |" in lines[0], "memory in MB"


@pytest.mark.parametrize("nodes", [1, 3, 4, 21])
def test_every_signer_uses_one_node(nodes: int) -> None:
    lanes = [Lane(link=None, queue=deque()) for _ in range(nodes)]
    signers = 10
    share_out([bytes([number % signers]) for number in range(100)], signers, lanes)
    used = [set(lane.queue) for lane in lanes]
    assert sum(map(len, used)) == signers, "no signer in two queues"
    assert sum(len(lane.queue) for lane in lanes) == 100


def test_processes_are_told_apart() -> None:
    assert kind_of(b"/venv/bin/python\0-m\0gridtokenx.engine.node\0--data\0/tmp/x") == NODE
    assert kind_of(b"/venv/bin/python\0-m\0gridtokenx.engine.worker\0chain:CHAIN") == WORKERS
    assert kind_of(b"/venv/bin/gridtokenx-signatures\0") == WORKERS
    assert kind_of(b"/venv/bin/cometbft\0start\0--home\0/tmp/x/consensus") == COMETBFT


def test_numbers_of_validators() -> None:
    assert parse_validators("1,4,21") == [1, 4, 21]
    for wrong in ("", "0", "4,", "four", "65", "-1"):
        with pytest.raises(typer.BadParameter):
            parse_validators(wrong)
