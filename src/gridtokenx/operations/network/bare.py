"""A node with consensus and nothing on it: CometBFT with the example application that it brings along.

    python -m gridtokenx.operations.network.bare --data DIR

For measuring what consensus alone costs, and for trying faults of links without a market. It ends on SIGTERM, when
its standard input closes, and with CometBFT.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.home import FOLDER
from gridtokenx.engine.comet.launcher import Cometbft, LaunchSettings
from gridtokenx.engine.ending import told_to_end

APPLICATION = "kvstore"
LOG = "cometbft.log"
"""Of CometBFT, in the data folder."""


async def run(settings: LaunchSettings) -> int:
    """Run a program of CometBFT's with nothing of ours beside it, until told to end; the exit status."""
    comet = Cometbft(settings)
    stopping = told_to_end()
    await comet.start()
    ended, told = asyncio.create_task(comet.wait()), asyncio.create_task(stopping.wait())
    await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        await comet.stop()
        return 0
    print(f"{settings.program.name} ended with {ended.result()}: {comet.last_words()}", file=sys.stderr)
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.bare", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args(arguments).data
    return asyncio.run(run(LaunchSettings(data, data / FOLDER, data / LOG, find_cometbft(), proxy_app=APPLICATION)))


if __name__ == "__main__":
    sys.exit(main())
