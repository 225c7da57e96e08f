"""`bench restart`: how long a node with a large state needs from its start until it answers."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gridtokenx.bench.ledger import CHAIN_PATH, connect
from gridtokenx.bench.report import file_system, memory_peak_bytes, signature_us
from gridtokenx.bench.workload import NODE_SEED, make_genesis, make_signers
from gridtokenx.engine.folder import DataFolder, create_data_folder

RECORDS_OF_AN_ACCOUNT = 5
"""Account, participant, portfolio, order, position."""


def run(quick: bool) -> dict[str, object]:
    """Restart with a million live records (a fifth of that when quick)."""
    accounts = (200_000 if quick else 1_000_000) // RECORDS_OF_AN_ACCOUNT
    signers = make_signers(100)
    genesis = make_genesis(signers, accounts, accounts, time.time_ns() // 1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        create_data_folder(folder / "data", genesis, NODE_SEED)
        first_seconds, _ = _start_and_stop(folder / "data")
        again_seconds, memory_bytes = _start_and_stop(folder / "data")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "restart_seconds": round(again_seconds, 2),
        "first_start_seconds": round(first_seconds, 2),
        "live_records": accounts * RECORDS_OF_AN_ACCOUNT,
        "memory_bytes": memory_bytes,
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def _start_and_stop(data: Path) -> tuple[float, int]:
    """(seconds until the node answers, its peak memory)."""
    started = time.monotonic()
    command = [sys.executable, "-m", "gridtokenx.engine.node", "--data", str(data), "--chain", CHAIN_PATH]
    node = subprocess.Popen(command)
    try:
        asyncio.run(_ask(DataFolder(data), node))
        return time.monotonic() - started, memory_peak_bytes(node.pid)
    finally:
        node.terminate()
        node.wait()


async def _ask(folder: DataFolder, node: "subprocess.Popen[bytes]") -> None:
    link = await connect(folder, node)
    await link.info()
    await link.close()
