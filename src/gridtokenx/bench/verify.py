"""`bench verify`: how fast a chain is replayed and checked, beside how fast it was made."""

import os
import tempfile
from pathlib import Path

from gridtokenx.bench.ledger import CHAIN_PATH, SIGNERS, measure
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.engine.folder import DataFolder
from gridtokenx.operations.verify import Verification, verify_folder


def run(quick: bool) -> dict[str, object]:
    """Orders through a node as in `bench ledger`, then `verify` on what it left."""
    found: list[Verification] = []

    def verify(data: Path) -> None:
        workers = min(os.cpu_count() or 1, 8)
        found.append(verify_folder(DataFolder(data), CHAIN_PATH, workers, lambda doing, done, total: None))

    made = measure(100_000 if quick else 200_000, SIGNERS, SIGNERS, verify)
    checked = found[0]
    orders_per_second = checked.transactions / checked.seconds
    return {
        "orders_per_second": round(orders_per_second),
        "ledger_orders_per_second": round(made.orders_per_second),
        "ratio": round(orders_per_second / made.orders_per_second, 2),
        "orders": checked.transactions,
        "sound": checked.is_sound,
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }
