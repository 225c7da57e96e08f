"""Making a network on one machine: a folder, keys for everybody, one genesis."""

import shutil
import time
from pathlib import Path

from gridtokenx.engine.comet.home import write_config
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.consortium.ceremony import TERMS, make_consortium
from gridtokenx.operations.consortium.example import NODE, files_in
from gridtokenx.operations.consortium.terms import read_terms
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.bundle import Bundle, Profile, make_bare_bundle, make_bundle
from gridtokenx.operations.network.card import NodeCard
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.node_folder import create_node, install_bundle
from gridtokenx.operations.network.plan import NetworkPlan, write_plan
from gridtokenx.operations.network.proxy import write_links
from gridtokenx.signer.folder import create_signer
from gridtokenx.signer.guard import Signed
from gridtokenx.signer.keys import KeyPlace
from gridtokenx.simulation.genesis import chain_of
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.moved import first_state, move_scenario

BARE_CHAIN = "gridtokenx-bare"


def found_network(
    path: Path, plan: NetworkPlan, scenario: Path | None, consortium: Path | None = None
) -> NetworkFolder:
    """Make the folder of a network that begins now; `scenario` of its market, None without one. `consortium`: a folder
    with the terms and the folders of all members (`operations.consortium.example`), whose ceremony makes the network,
    and which begins when the terms say.

    Raises `FolderUnusable` if there is something in the folder, `ScenarioError` for a scenario that cannot be used,
    `CeremonyRefused` and `TermsUnusable`. Stopped at any moment, it leaves nothing at `path`.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FolderUnusable(f"there is something in {path} already: choose another --data, or delete it")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = NetworkFolder(path.with_name(f".{path.name}.draft"))
    shutil.rmtree(draft.path, ignore_errors=True)
    draft.path.mkdir(mode=0o700)
    if consortium is None:
        bundle = _found_nodes(draft, plan, scenario)
    else:
        assert scenario is not None, "a consortium runs a market"
        bundle = _found_consortium(draft, plan, scenario, consortium)
    for number in plan.numbers:
        install_bundle(draft.node(number).path, bundle)
    write_plan(draft.plan, plan)
    if path.exists():
        path.rmdir()
    draft.path.rename(path)
    return NetworkFolder(path)


def _found_nodes(draft: NetworkFolder, plan: NetworkPlan, scenario: Path | None) -> Bundle:
    """Keys for everybody, and a chain that begins now."""
    begins_ms = time.time_ns() // 1_000_000
    if scenario is None:
        return make_bare_bundle(_create_nodes(draft, plan, BARE_CHAIN), BARE_CHAIN, begins_ms)
    market = MarketFolder(draft.path)
    moved = move_scenario(scenario, market.scenario, begins_ms)
    cards = _create_nodes(draft, plan, chain_of(moved))
    bundle, genesis = make_bundle(cards, moved, Profile(plan.links, plan.blocks))
    market.write_companions(genesis)
    market.save_driver_state(first_state(moved, genesis))
    return bundle


def _create_nodes(draft: NetworkFolder, plan: NetworkPlan, chain: str) -> list[NodeCard]:
    """All nodes, with a signer for those that share one."""
    key = None
    if plan.sharing:
        key = bytes.fromhex(create_signer(draft.signer.path, chain, KeyPlace("file"), Signed(), generate=True))
    return [
        create_node(
            draft.node(number).path,
            f"node-{number}",
            f"127.0.0.1:{number}",
            plan.kind_of(number),
            signer_key=key if number in plan.sharing else None,
        )
        for number in plan.numbers
    ]


def _found_consortium(draft: NetworkFolder, plan: NetworkPlan, scenario: Path, consortium: Path) -> Bundle:
    """The ceremony of these members, with the scenario's homes; their nodes come first, then those without a vote."""
    members = draft.path / "consortium"
    shutil.copytree(consortium, members)
    files = files_in(members)
    market = MarketFolder(draft.path)
    made = make_consortium(
        [(f"{file.parent.name}/{file.name}", file.read_bytes()) for file in files],
        read_terms(members / TERMS),
        scenario,
        homes_in=market.scenario,
    )
    assert made.homes is not None
    market.write_companions(made.homes)
    market.save_driver_state(first_state(made.scenario, made.homes))
    for number, card in enumerate(made.bundle.cards, 1):
        node = members / card.name / NODE
        if not node.is_dir():
            raise FolderUnusable(f"the node of {card.name} is not in {consortium / card.name / NODE}")
        node.rename(draft.node(number).path)
    for number in plan.numbers[len(made.bundle.cards) :]:
        create_node(draft.node(number).path, f"node-{number}", f"127.0.0.1:{number}", plan.kind_of(number))
    return made.bundle


def settle(folder: NetworkFolder, addresses: Addresses) -> None:
    """Tell every node where the others are now, and the proxy what to carry."""
    plan = addresses.plan
    keys = {number: folder.home(number).link_key() for number in plan.numbers}
    for number in plan.numbers:
        write_config(folder.home(number), addresses.settings(number, keys))
    write_links(folder.path, addresses.links(), quic=plan.quic)
