"""Records `light.json`: commits and validators of two real chains of CometBFT, for tests of the light client.

    python -m tests.vectors.make_light

One validator, and four whose powers change and of whom one goes and comes back, with its built-in key-value
application. Keys and times are new in each recording: it is made anew only when CometBFT's forms change. Whether a
validator voted for no block is chance; the test that reads the file says so when none did: then record once more.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.processes.comet_chain import CometNet, comet_net

FILE = Path(__file__).with_name("light.json")


def recorded(net: CometNet, heights: list[int]) -> dict[str, Any]:
    """What the first node says of these heights."""
    node = net.nodes[0]
    node.wait_height(max(heights) + 1)
    return {
        "chain": net.chain,
        "blocks": [
            {
                "commit": node.ask("commit", height=str(height)),
                "validators": node.ask("validators", height=str(height), per_page="100"),
            }
            for height in heights
        ],
    }


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        with comet_net(Path(folder) / "one", 1, chain="light-one") as net:
            one = recorded(net, [1, 2, 3])
        with comet_net(Path(folder) / "four", 4, chain="light-four") as net:
            keys = net.public_keys()
            first = net.nodes[0]
            first.set_validator(keys[1], 20)
            removed = first.set_validator(keys[2], 0)
            # Away: absent votes and, in its turn, votes for no block.
            net.nodes[3].stop()
            net.nodes[0].wait_height(removed + 6)
            last = first.set_validator(keys[2], 7)
            four = recorded(net, list(range(1, last + 5)))
    FILE.write_text(json.dumps([one, four], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
