"""The sites' side of a running market, as a process of its own: agents, batteries and meters.

    python -m gridtokenx.simulation.live --data DIR --port N

It reaches the market through the gateway alone; with several (`--port N --port M`) it takes the next when one cannot
answer, or does not come on. What meters have counted is on the disk before it leaves; while
the gateway or the node is away the process waits and then catches up with every interval that ended meanwhile. It
ends on SIGTERM, and when its standard input closes.

The market's faucet is here too, since what it gives away is a site: it listens at the folder's `faucet` socket.
"""

import argparse
import contextlib
import itertools
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError
from gridtokenx.simulation.api_market import ApiMarket
from gridtokenx.simulation.driver import STEP_MS, Driver
from gridtokenx.simulation.faucet import Faucet
from gridtokenx.simulation.faucet_desk import FaucetDesk
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.scenario import load_scenario

POLL_S = 0.2
"""How often chain time is asked for."""

TROUBLE_S = 1.0
"""How long to wait after the gateway could not answer."""

STANDSTILL_S = 10.0
"""Of chain time: then another gateway is asked, if there is one. One whose node is away still tells what it knows."""

log = logging.getLogger("gridtokenx.live")


class Ended(Exception):
    """Somebody wants this process to end."""


def run(folder: MarketFolder, ports: Sequence[int], seed: int) -> None:
    """Serve the sites until told to end. Raises `ScenarioError` if the folder's scenario cannot be used."""
    scenario = load_scenario(folder.scenario)
    genesis = make_genesis(scenario)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(f"http://127.0.0.1:{port}", chain=genesis.chain)) for port in ports]
        gateways = itertools.cycle(clients)
        market = ApiMarket(next(gateways))
        driver = Driver(
            scenario,
            genesis,
            market,
            seed,
            state=folder.load_driver_state(),
            save=folder.save_driver_state,
        )
        faucet = Faucet(scenario, genesis, market, driver.visitors, driver.keep)
        desk = stack.enter_context(contextlib.closing(FaucetDesk(folder.faucet, faucet)))
        stepped_ms, told_ms, told_s = 0, 0, time.monotonic()
        while True:
            try:
                time_ms = market.time_ms()
                if time_ms != told_ms:
                    told_ms, told_s = time_ms, time.monotonic()
                elif time.monotonic() - told_s > STANDSTILL_S:
                    market.use(next(gateways))
                    told_s = time.monotonic()
                faucet.tend()
                if time_ms // STEP_MS > stepped_ms // STEP_MS:
                    driver.step()
                    stepped_ms = time_ms
                pause(POLL_S, desk)
            except ClientError as error:
                log.warning("%s", error)
                market.use(next(gateways))
                driver.forget_nonces()
                faucet.forget_nonces()
                pause(TROUBLE_S, desk)


def pause(seconds: float, desk: FaucetDesk) -> None:
    """Wait, and serve who comes to the desk. Raises `Ended` when standard input is at its end: whoever started this
    process is gone."""
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0:
        readable, _, _ = select.select([sys.stdin, desk], [], [], left_s)
        if sys.stdin in readable and not os.read(sys.stdin.fileno(), 4_096):
            raise Ended
        if desk in readable:
            desk.serve()


def end(*_: object) -> None:
    """Answer a signal."""
    raise Ended


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.simulation.live", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", dest="ports", type=int, action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        run(MarketFolder(given.data), given.ports, given.seed)
    except Ended:
        log.info("ended")


if __name__ == "__main__":
    main()
