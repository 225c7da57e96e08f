"""`bench verify`: how fast `gridtokenx verify` replays what a node wrote, beside how fast the node wrote it.

The same orders as in `bench ledger`, through the same node; then everything that it left is verified: headers,
signatures, results, receipts, records, invariants, journal.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

from gridtokenx.bench.ledger import CHAIN_PATH, SIGNERS, with_node
from gridtokenx.bench.report import file_system
from gridtokenx.bench.workload import NODE_SEED, make_genesis, make_signers
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.operations.verify import verify_folder


def run(quick: bool) -> dict[str, object]:
    """Both speeds in the same run, and their ratio."""
    signers = make_signers(SIGNERS)
    genesis = make_genesis(signers, SIGNERS, SIGNERS, time.time_ns() // 1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        create_data_folder(folder / "data", genesis, NODE_SEED)
        ledger = with_node(folder / "data", signers, 60_000 if quick else 400_000)
        print("verifying", flush=True)
        found = verify_folder(DataFolder(folder / "data"), CHAIN_PATH, os.cpu_count() or 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for finding in found.findings:
        print(finding)
    verified = found.transactions / found.seconds
    return {
        "verified_per_second": round(verified),
        "orders_per_second": round(ledger.orders_per_second),
        "verify_ratio": round(verified / ledger.orders_per_second, 2),
        "transactions": found.transactions,
        "findings": len(found.findings),
        "signature_us": ledger.signature_us,
        "file_system": file_system(Path(tempfile.gettempdir())),
    }
