"""What faults do to four validators with nothing on them, on both kinds of links."""

import itertools
import time
from pathlib import Path

import pytest
from tests.network.running import RunningNetwork, running_network

from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = pytest.mark.slow

FAST_BLOCKS_S = 3.0
"""Six blocks, if there were any."""
SOAK_ROUNDS = 3


@pytest.mark.parametrize("links", ["tcp", "quic"])
def test_one_of_four_may_fail_and_two_of_four_may_not(tmp_path: Path, links: str) -> None:
    plan = NetworkPlan(4, links=links, blocks="fast", market=False, processors=1)  # type: ignore[arg-type]
    with running_network(tmp_path / "network", plan) as network:
        network.reach(2)
        one_is_killed(network)
        one_hangs(network)
        two_are_killed(network, links)
        halves_are_cut_apart(network)
        halves_hear_nothing(network)
        all_start_again(network)
        last = min(network.heights().values())
        assert len({network.block_hash(node, last) for node in plan.numbers}) == 1
        assert all(min(link["bytes"]) > 0 for link in network.proxy(do="links")["links"])


def one_is_killed(network: RunningNetwork) -> None:
    network.do("kill", 2)
    network.goes_on(1, 3, 4)
    assert network.status()[2]["state"] == "stopped"
    network.do("restart", 2)
    network.goes_on()


def one_hangs(network: RunningNetwork) -> None:
    network.do("pause", 3)
    network.goes_on(1, 2, 4)
    network.do("resume", 3)
    network.goes_on()


def two_are_killed(network: RunningNetwork, links: str, one: int = 1, other: int = 4) -> None:
    network.do("kill", one, other)
    network.stands_still(FAST_BLOCKS_S)
    if links == "quic":
        # Nodes that stayed do not notice that these are new processes, and may wait for ever (docs/network.md).
        power_cut(network)
    else:
        network.do("restart", one, other)
    network.goes_on()


def power_cut(network: RunningNetwork) -> None:
    """All at once: what brings a chain on QUIC back that stands still."""
    nodes = network.status()
    network.do("kill", *(number for number, node in nodes.items() if node["state"] != "stopped"))
    network.do("restart", *nodes)


def halves_are_cut_apart(network: RunningNetwork) -> None:
    network.proxy(do="partition", groups=[[1, 2], [3, 4]], flow="cut")
    network.stands_still(FAST_BLOCKS_S)
    network.proxy(do="heal")
    network.goes_on()


def halves_hear_nothing(network: RunningNetwork) -> None:
    network.proxy(do="partition", groups=[[1, 3], [2, 4]], flow="silent")
    network.stands_still(FAST_BLOCKS_S)
    network.proxy(do="heal")
    network.goes_on()


def all_start_again(network: RunningNetwork) -> None:
    network.do("restart", 1, 2, 3, 4)
    network.goes_on()


@pytest.mark.soak
def test_any_two_of_four_may_fail_time_and_again(tmp_path: Path) -> None:
    with running_network(tmp_path / "network", NetworkPlan(4, blocks="fast", market=False, processors=1)) as network:
        network.reach(2)
        for _ in range(SOAK_ROUNDS):
            for one, other in itertools.combinations((1, 2, 3, 4), 2):
                begun_s = time.monotonic()
                two_are_killed(network, "tcp", one, other)
                print(f"{one} and {other}: {time.monotonic() - begun_s - FAST_BLOCKS_S:.1f} s", flush=True)


def test_a_minority_that_is_cut_off_catches_up(tmp_path: Path) -> None:
    with running_network(tmp_path / "network", NetworkPlan(4, blocks="fast", market=False, processors=1)) as network:
        network.reach(2)
        network.proxy(do="partition", groups=[[1]], flow="cut")
        network.goes_on(2, 3, 4)
        behind = network.heights()
        assert behind[1] < max(behind.values())
        network.proxy(do="heal")
        network.goes_on()
