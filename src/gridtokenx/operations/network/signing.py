"""The signer of a network on one machine: the validator that has backups, and those, share it.

    python -m gridtokenx.operations.network.signing --data DIR --node SOCKET --node SOCKET ...

It is `gridtokenx signer run`, but ends as all processes of a network do: on SIGTERM, and when its standard input
closes.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.engine.ending import told_to_end
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.signer.folder import SignerFolder
from gridtokenx.signer.server import Signer


async def run(folder: SignerFolder, nodes: Sequence[Path]) -> None:
    """Sign for these nodes, one at a time, until told to end. Raises `FolderUnusable`."""
    told = told_to_end()
    signing, ending = asyncio.create_task(Signer(folder, nodes).run()), asyncio.create_task(told.wait())
    await asyncio.wait({signing, ending}, return_when=asyncio.FIRST_COMPLETED)
    ended = signing.done()
    for task in (signing, ending):
        task.cancel()
    await asyncio.gather(signing, ending, return_exceptions=True)
    if ended:
        signing.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.signing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--node", type=Path, action="append", required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        asyncio.run(run(SignerFolder(given.data), given.node))
    except FolderUnusable as error:
        print(f"the signer cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
