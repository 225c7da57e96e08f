"""Making a network on one machine: a folder, keys for everybody, one genesis."""

import shutil
import time
from pathlib import Path

from gridtokenx.engine.comet.home import write_config
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.bundle import Profile, make_bare_bundle, make_bundle
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.node_folder import create_node, install_bundle
from gridtokenx.operations.network.plan import NetworkPlan, write_plan
from gridtokenx.operations.network.proxy import write_links
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.moved import first_state, move_scenario

BARE_CHAIN = "gridtokenx-bare"


def found_network(path: Path, plan: NetworkPlan, scenario: Path | None) -> NetworkFolder:
    """Make the folder of a network that begins now; `scenario` of its market, None without one.

    Raises `FolderUnusable` if there is something in the folder, `ScenarioError` for a scenario that cannot be used.
    Stopped at any moment, it leaves nothing at `path`.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FolderUnusable(f"there is something in {path} already: choose another --data, or delete it")
    begins_ms = time.time_ns() // 1_000_000
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = NetworkFolder(path.with_name(f".{path.name}.draft"))
    shutil.rmtree(draft.path, ignore_errors=True)
    draft.path.mkdir(mode=0o700)
    cards = [
        create_node(draft.node(number).path, f"node-{number}", f"127.0.0.1:{number}", votes=number <= plan.validators)
        for number in plan.numbers
    ]
    if scenario is None:
        bundle = make_bare_bundle(cards, BARE_CHAIN, begins_ms)
    else:
        market = MarketFolder(draft.path)
        moved = move_scenario(scenario, market.scenario, begins_ms)
        bundle, genesis = make_bundle(cards, moved, Profile(plan.links, plan.blocks))
        market.write_companions(genesis)
        market.save_driver_state(first_state(moved, genesis))
    for number in plan.numbers:
        install_bundle(draft.node(number).path, bundle)
    write_plan(draft.plan, plan)
    if path.exists():
        path.rmdir()
    draft.path.rename(path)
    return NetworkFolder(path)


def settle(folder: NetworkFolder, addresses: Addresses) -> None:
    """Tell every node where the others are now, and the proxy what to carry."""
    plan = addresses.plan
    keys = {number: folder.home(number).keys() for number in plan.numbers}
    for number in plan.numbers:
        write_config(folder.home(number), addresses.settings(number, keys))
    write_links(folder.path, addresses.links(), quic=plan.quic)
