"""What every benchmark prints: readable lines, then one JSON object as the last line."""

import json
import os
import time
from pathlib import Path

from ed25519_zebra import ed_public_from_secret, ed_sign, ed_verify

SIGNATURE_ROUNDS = 5
SIGNATURES_PER_ROUND = 400


def signature_us() -> float:
    """CPU microseconds of one signature check by the judge library, the best of a few rounds, on a message of the
    size of an order. The unit in which costs are comparable between machines and moments."""
    seed = bytes(range(32))
    public_key, message = ed_public_from_secret(seed), bytes(200)
    signature = ed_sign(seed, message)
    best = float("inf")
    for _ in range(SIGNATURE_ROUNDS):
        start = time.process_time()
        for _ in range(SIGNATURES_PER_ROUND):
            ed_verify(signature, message, public_key)
        best = min(best, (time.process_time() - start) / SIGNATURES_PER_ROUND)
    return round(best * 1e6, 2)


def file_system(path: Path) -> str:
    """Kind of the file system under a path, from the kernel's table of mounts; `unknown` elsewhere."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split()
        if os.path.commonpath([point, path.resolve()]) == point and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its ended and waited-for children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def memory_peak_bytes(pid: int) -> int:
    """Largest resident size of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def finish(figures: dict[str, object]) -> None:
    """Print each figure on its line, then all as JSON."""
    for name, value in figures.items():
        print(f"  {name:32} {value}")
    print(json.dumps(figures))
