import socket
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.comet.home import FAST, config_sections
from gridtokenx.engine.comet.keys import NodeKeys
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.network.addresses import NOWHERE, Addresses, gossip_sleep_ms
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.plan import SPARE_NODES, NetworkPlan, parse_groups, read_plan, write_plan
from gridtokenx.operations.network.ports import BLOCK, PortBlock, PortsTaken


@given(
    st.builds(
        NetworkPlan,
        validators=st.integers(1, 30),
        observers=st.integers(0, 5),
        links=st.sampled_from(["tcp", "quic"]),
        blocks=st.sampled_from(["normal", "fast"]),
        archives=st.integers(0, 2),
        gateway_nodes=st.integers(0, 2),
        rpcs=st.integers(0, 2),
        joined=st.integers(0, 2),
        delay_ms=st.integers(0, 100),
    )
)
def test_a_plan_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, plan: NetworkPlan) -> None:
    file = tmp_path_factory.mktemp("plan") / "network.toml"
    write_plan(file, plan)
    assert read_plan(file) == plan


@pytest.mark.parametrize(
    "values",
    [
        {"validators": 0},
        {"validators": 65},
        {"validators": 4, "observers": 61},
        {"validators": 4, "direct": True, "delay_ms": 25},
        {"validators": 4, "gateways": 5},
        {"validators": 4, "archives": 1, "market": False},
        {"validators": 4, "rpcs": 30, "boots": 31, "direct": True},
        {"validators": 4, "backups": 61},
        {"validators": 4, "backups": 1, "backed": 5},
    ],
)
def test_a_plan_that_cannot_be_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give"):
        NetworkPlan(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["validators = 0", "validators = 4\nspeed = 2", "validators = true", "validators"])
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "network.toml"
    file.write_text(text)
    with pytest.raises(FolderUnusable, match=r"network\.toml"):
        read_plan(file)


def test_no_file_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match="no network"):
        read_plan(tmp_path / "network.toml")


def test_groups_are_written_with_commas_dashes_and_strokes() -> None:
    assert parse_groups("1,2/3,4") == [[1, 2], [3, 4]]
    assert parse_groups("1-3,7/5") == [[1, 2, 3, 7], [5]]
    for wrong in ("", "1,", "a", "1//2", "1-"):
        with pytest.raises(ValueError, match="1,2/3,4"):
            parse_groups(wrong)


@pytest.mark.parametrize("direct", [False, True])
def test_no_port_has_two_uses(direct: bool) -> None:
    plan = NetworkPlan(7, observers=2, direct=direct)
    addresses = Addresses(plan, 18_000)
    used = [int(addresses.node(number).rpartition(":")[2]) for number in plan.numbers]
    used += [addresses.gateway_port(number) for number in plan.numbers]
    used += [link.listen[1] for link in addresses.links()]
    grown = NetworkPlan(7, observers=2 + SPARE_NODES, direct=direct)
    joined = Addresses(grown, 18_000, SPARE_NODES)
    assert [joined.node(number) for number in plan.numbers] == [addresses.node(number) for number in plan.numbers]
    assert [link.describe() for link in joined.links()] == [link.describe() for link in addresses.links()]
    for number in range(plan.nodes + 1, grown.nodes + 1):
        used += [int(joined.node(number).rpartition(":")[2]), joined.gateway_port(number)]
    assert len(used) == len(set(used)) == plan.ports
    assert (min(used), max(used)) == (18_000, 18_000 + plan.ports - 1)


def test_a_node_that_joins_dials_all_others_where_they_listen() -> None:
    plan = NetworkPlan(3, observers=1)
    keys = {number: NodeKeys.generate() for number in plan.numbers}
    addresses = Addresses(plan, 18_000, joined=1)
    assert [peer.address for peer in addresses.settings(4, keys).dials] == [addresses.node(n) for n in (1, 2, 3)]
    assert [peer.node_id for peer in addresses.settings(1, keys).dials] == [keys[n].node_id for n in (2, 3, 4)]


@pytest.mark.parametrize("links", ["tcp", "quic"])
def test_nodes_reach_each_other_through_the_proxy_alone(links: str) -> None:
    plan = NetworkPlan(3, links=links)  # type: ignore[arg-type]
    keys = {number: NodeKeys.generate() for number in plan.numbers}
    addresses = Addresses(plan, 18_000)
    proxied = {f"127.0.0.1:{link.listen[1]}": (link.dialler, link.dialled) for link in addresses.links()}
    for number in plan.numbers:
        settings = addresses.settings(number, keys)
        assert settings.external == NOWHERE
        assert {proxied[peer.address] for peer in settings.dials} == {
            (number, other) for other in plan.numbers if other > number
        }
        assert settings.dialled_by == tuple(keys[other].node_id for other in plan.numbers if other < number)
        assert config_sections(settings)["p2p"]["pex"] is False


def test_without_a_proxy_nodes_dial_each_other_where_they_listen() -> None:
    plan = NetworkPlan(3, direct=True, blocks="fast")
    keys = {number: NodeKeys.generate() for number in plan.numbers}
    addresses = Addresses(plan, 18_000)
    first = addresses.settings(1, keys)
    assert [peer.address for peer in first.dials] == [addresses.node(2), addresses.node(3)]
    assert (first.external, first.pace) == ("", FAST)


def test_many_nodes_look_around_less_often() -> None:
    assert gossip_sleep_ms(1) == gossip_sleep_ms(4) == 10
    assert gossip_sleep_ms(4) <= gossip_sleep_ms(13) < gossip_sleep_ms(21) <= gossip_sleep_ms(64) == 100


def test_two_networks_never_have_the_same_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    first, second = PortBlock(BLOCK + 1), PortBlock(BLOCK + 1)
    ours = set(range(first.first, first.first + first.count))
    assert ours.isdisjoint(range(second.first, second.first + second.count))
    first.release()
    again = PortBlock(2, preferred=first.first)
    assert again.first == first.first, "those of the last run, if they are free"
    other = PortBlock(2, preferred=again.first)
    assert other.first != again.first
    for block in (second, again, other):
        block.release()


def test_a_port_that_somebody_listens_on_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    free = PortBlock(3)
    free.release()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", free.first + 1))
        listener.listen()
        assert PortBlock(3, preferred=free.first).first != free.first


def test_more_ports_than_there_are_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(PortsTaken, match="side by side"):
        PortBlock(20_000)


def test_every_number_has_its_kind_and_who_joins_comes_last() -> None:
    plan = NetworkPlan(2, observers=1, archives=1, gateway_nodes=1, rpcs=1, boots=1, joined=1, direct=True)
    kinds = ["validator", "validator", "observer", "archive", "gateway", "rpc", "boot", "observer"]
    assert [plan.kind_of(number) for number in plan.numbers] == kinds
    assert plan.boot_nodes == [7]
    # Of more than seven nodes four have a gateway, besides those that need one.
    assert plan.with_gateway == [1, 2, 3, 4, 5, 6, 8]
    assert plan.taking_orders == [1, 2, 3, 4, 5, 8], "the RPC node takes none"


def test_boot_nodes_need_links_on_which_nodes_hear_of_each_other() -> None:
    for values in ({}, {"direct": True, "links": "quic"}):
        with pytest.raises(ValueError, match="--direct --tcp"):
            NetworkPlan(4, boots=1, **values)  # type: ignore[arg-type]


def test_who_joins_is_told_of_the_boot_nodes_alone() -> None:
    plan = NetworkPlan(3, boots=1, joined=1, direct=True)
    keys = {number: NodeKeys.generate() for number in plan.numbers}
    addresses = Addresses(plan, 18_000, joined=1)
    first, boot, joins = (config_sections(addresses.settings(number, keys))["p2p"] for number in (1, 4, 5))
    assert joins["persistent_peers"] == "" and joins["seeds"] == f"{keys[4].node_id}@{addresses.node(4)}"
    assert joins["pex"] and joins["max_num_outbound_peers"] == 3
    assert first["pex"] and first["max_num_outbound_peers"] == 0 and "seeds" not in first
    assert keys[4].node_id not in first["persistent_peers"]
    assert boot["seed_mode"] and all(keys[number].node_id in boot["persistent_peers"] for number in (1, 2, 3))


def test_gateways_are_as_many_as_wanted_or_can_be_afforded() -> None:
    assert list(NetworkPlan(4, observers=1).with_gateway) == [1, 2, 3, 4, 5]
    assert list(NetworkPlan(21).with_gateway) == [1, 2, 3, 4]
    assert list(NetworkPlan(21, gateways=2).with_gateway) == [1, 2]
    assert list(msgspec.structs.replace(NetworkPlan(4), market=False).with_gateway) == []


def test_backups_share_the_signer_of_one_validator() -> None:
    plan = NetworkPlan(4, observers=1, backups=3, backed=2, joined=1)
    assert plan.sharing == [2, 6, 7, 8]
    assert [plan.kind_of(number) for number in plan.sharing] == [NodeKind.VALIDATOR, *3 * [NodeKind.BACKUP]]
    assert plan.kind_of(plan.nodes) is NodeKind.OBSERVER
    assert NetworkPlan(4, backed=2).sharing == []
