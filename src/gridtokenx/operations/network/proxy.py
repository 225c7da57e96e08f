"""The process that carries all links of a network, so that they can be cut, silenced and slowed.

    python -m gridtokenx.operations.network.proxy --data DIR

`run/links.json` in the network's folder names the links; `run/proxy.sock` takes questions (`control`):

    {"do": "partition", "groups": [[1, 2], [3, 4]], "flow": "cut" | "silent", "one_way": false}
    {"do": "heal"}
    {"do": "delay", "delay_ms": 25}            of every link, each way
    {"do": "links"}                            what each link carries

It ends on SIGTERM, and when its standard input closes.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gridtokenx.engine.control import Document, serve
from gridtokenx.engine.ending import told_to_end
from gridtokenx.operations.network.links import Flow, Link, groups_of, heal, partition
from gridtokenx.operations.network.relay_tcp import TcpRelay
from gridtokenx.operations.network.relay_udp import UdpRelay

DELAY_MS_MAX = 10_000


def links_file(data: Path) -> Path:
    """Where the links of a network stand."""
    return data / "run" / "links.json"


def control_socket(data: Path) -> Path:
    """Where the proxy takes questions."""
    return data / "run" / "proxy.sock"


def write_links(data: Path, links: Sequence[Link], *, quic: bool) -> None:
    """Say which links to carry."""
    ways = [[link.dialler, link.dialled, *link.listen, *link.target, link.forward.delay_ms] for link in links]
    links_file(data).parent.mkdir(mode=0o700, exist_ok=True)
    links_file(data).write_text(json.dumps({"quic": quic, "links": ways}))


def read_links(data: Path) -> tuple[list[Link], bool]:
    """The links to carry, and whether over QUIC."""
    document = json.loads(links_file(data).read_text())
    links = []
    for dialler, dialled, host, port, target_host, target_port, delay_ms in document["links"]:
        link = Link(dialler, dialled, (host, port), (target_host, target_port))
        link.forward.delay_ms = link.back.delay_ms = delay_ms
        links.append(link)
    return links, document["quic"]


class Proxy:
    """Carries links and answers questions about them."""

    def __init__(self, links: list[Link], *, quic: bool) -> None:
        self._links = links
        self._nodes = {node for link in links for node in (link.dialler, link.dialled)}
        self._relays = [UdpRelay(link) if quic else TcpRelay(link) for link in links]

    async def open(self) -> None:
        """Listen for every dialler. Raises OSError if a port is taken."""
        for relay in self._relays:
            await relay.open()

    async def close(self) -> None:
        """End everything."""
        for relay in self._relays:
            await relay.close()

    async def answer(self, question: Document) -> Document:
        """Do what is asked. Raises ValueError for what cannot be done."""
        match question:
            case {"do": "partition", "groups": groups, "flow": flow}:
                found = groups_of(groups, self._nodes)
                partition(self._links, found, Flow(flow), one_way=bool(question.get("one_way")))
            case {"do": "heal"}:
                heal(self._links)
            case {"do": "delay", "delay_ms": int(delay_ms)} if 0 <= delay_ms <= DELAY_MS_MAX:
                for link in self._links:
                    link.forward.delay_ms = link.back.delay_ms = delay_ms
            case {"do": "links"}:
                pass
            case _:
                raise ValueError(f"the proxy does not know how to do {question}")
        return self._describe()

    def _describe(self) -> dict[str, Any]:
        return {"links": [link.describe() for link in self._links]}


async def run(data: Path) -> None:
    """Carry the links of this network until told to end."""
    links, quic = read_links(data)
    proxy = Proxy(links, quic=quic)
    await proxy.open()
    server = await serve(control_socket(data), proxy.answer)
    stopping = told_to_end()
    print(f"carries {len(links)} links", file=sys.stderr, flush=True)
    await stopping.wait()
    server.close()
    await proxy.close()
    control_socket(data).unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.proxy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    asyncio.run(run(parser.parse_args(arguments).data))


if __name__ == "__main__":
    main()
