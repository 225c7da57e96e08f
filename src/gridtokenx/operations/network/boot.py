"""A boot node: it tells the nodes of a network of each other, and has no chain.

    python -m gridtokenx.operations.network.boot --data DIR

The work is done by `gridtokenx-boot` of `packages/cometbft`: CometBFT's peer exchange in seed mode without the rest of
CometBFT, so there is no application, no state and nothing to check. It ends as a bare node does.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.engine.comet.binary import CometMissing, find_boot_program
from gridtokenx.engine.comet.home import FOLDER
from gridtokenx.engine.comet.launcher import LaunchSettings
from gridtokenx.operations.network.bare import LOG, run


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.boot", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args(arguments).data
    try:
        program = find_boot_program()
    except CometMissing as missing:
        print(f"the boot node cannot start: {missing}", file=sys.stderr)
        return 2
    return asyncio.run(run(LaunchSettings(data, data / FOLDER, data / LOG, program)))


if __name__ == "__main__":
    sys.exit(main())
