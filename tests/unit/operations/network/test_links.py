import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.links import Flow, Link, groups_of, heal, partition
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.proxy import Proxy, read_links, write_links

NODES = {1, 2, 3, 4}


def all_links(plan: NetworkPlan | None = None) -> list[Link]:
    return Addresses(plan or NetworkPlan(4), 18_000).links()


def open_ways(links: list[Link]) -> set[tuple[int, int]]:
    """(who speaks, who hears) over every direction that is open."""
    ways = {(link.dialler, link.dialled) for link in links if link.forward.flow is Flow.OPEN}
    return ways | {(link.dialled, link.dialler) for link in links if link.back.flow is Flow.OPEN}


@given(st.dictionaries(st.sampled_from(sorted(NODES)), st.integers(0, 2)), st.sampled_from([Flow.CUT, Flow.SILENT]))
def test_a_partition_leaves_exactly_the_links_inside_groups(placed: dict[int, int], flow: Flow) -> None:
    named = [[node for node, group in placed.items() if group == number] for number in range(3)]
    groups = groups_of(named, NODES)
    links = all_links()
    partition(links, groups, flow)
    inside = {(one, other) for one in NODES for other in NODES if one != other and groups[one] == groups[other]}
    assert open_ways(links) == inside
    heal(links)
    assert len(open_ways(links)) == len(NODES) * (len(NODES) - 1)


def test_one_way_only_silences_what_earlier_groups_say_to_later_ones() -> None:
    links = all_links()
    partition(links, groups_of([[3, 4], [1, 2]], NODES), Flow.SILENT, one_way=True)
    lost = {(3, 1), (3, 2), (4, 1), (4, 2)}
    assert {(one, other) for one in NODES for other in NODES if one != other} - open_ways(links) == lost


def test_those_not_named_are_a_group_of_their_own() -> None:
    groups = groups_of([[1]], NODES)
    assert groups[2] == groups[3] == groups[4] != groups[1]


@pytest.mark.parametrize(("named", "said"), [([[1, 5]], "no node 5"), ([[1], [1]], "stands twice")])
def test_groups_that_cannot_be_are_refused(named: list[list[int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        groups_of(named, NODES)


def test_there_is_one_link_for_each_pair_and_the_lower_number_dials() -> None:
    links = all_links(NetworkPlan(6, observers=1))
    assert len(links) == 21 == len({frozenset((link.dialler, link.dialled)) for link in links})
    assert all(link.dialler < link.dialled for link in links)


def test_links_are_handed_to_the_proxy_as_they_are(tmp_path: Path) -> None:
    plan = NetworkPlan(3, links="quic", delay_ms=25)
    write_links(tmp_path, all_links(plan), quic=True)
    links, quic = read_links(tmp_path)
    assert quic and [link.describe() for link in links] == [link.describe() for link in all_links(plan)]
    assert [link.target for link in links] == [link.target for link in all_links(plan)]


def test_the_proxy_does_what_it_is_asked() -> None:
    links = all_links()
    proxy = Proxy(links, quic=False)

    async def ask(**question: object) -> dict[str, object]:
        return json.loads(json.dumps(await proxy.answer(question)))  # type: ignore[no-any-return]

    async def run() -> None:
        await ask(do="partition", groups=[[1, 2], [3, 4]], flow="cut")
        assert open_ways(links) == {(1, 2), (2, 1), (3, 4), (4, 3)}
        await ask(do="heal")
        assert len(open_ways(links)) == 12
        answer = await ask(do="delay", delay_ms=25)
        assert all(link["delay_ms"] == [25, 25] for link in answer["links"])  # type: ignore[attr-defined]
        for wrong in (
            {"do": "delay", "delay_ms": -1},
            {"do": "dance"},
            {"do": "partition", "groups": [[9]], "flow": "cut"},
        ):
            with pytest.raises(ValueError, match=r"node|know how"):
                await ask(**wrong)

    asyncio.run(run())
