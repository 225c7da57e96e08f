"""`bench tree`: the state commitment alone: what a changed record costs, by number of records.

Ten thousand records and a million (ten million in `make soak`). Each block rewrites four records for each one that it
deletes and each one that it adds, as orders come and go: the oldest go, the newest come, so the state keeps its size.
Times are CPU time of this process, hashing of keys and values included, making the records excluded.
"""

import gc
import resource
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.ledger.commitment import Commitment

VALUE_PADDING = bytes(72)
"""Brings a value to 96 bytes, about an encoded order or account."""


def record(number: int, version: int) -> tuple[bytes, bytes]:
    key = b"record/" + number.to_bytes(8, "big")
    return key, b"%s/%08d" % (key, version) + VALUE_PADDING


def block(oldest: int, newest: int, changed: int, version: int) -> Iterator[tuple[bytes, bytes | None]]:
    """The changes of one block on the records numbered from `oldest` to below `newest`."""
    turned_over = changed // 6
    for number in range(oldest, oldest + turned_over):
        yield record(number, version)[0], None
    # Evenly spaced, other ones in each block; hashing scatters them over the tree.
    rewritten, first = changed - 2 * turned_over, oldest + turned_over
    step = max(1, (newest - first) // rewritten)
    for number in range(first + version % step, newest, step)[:rewritten]:
        yield record(number, version)
    for number in range(newest, newest + turned_over):
        yield record(number, version)


def memory_peak_bytes() -> int:
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes


def memory_bytes() -> int:
    """Memory this process holds now; its peak where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return memory_peak_bytes()
    return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def run(quick: bool) -> dict[str, object]:
    """Ten thousand records beside a million (200,000 when quick)."""
    small = measure(10_000, 10_000, 10)
    large = measure(200_000 if quick else 1_000_000, 30_000, 10)
    unit = signature_us()
    return {
        **{name: value for name, value in large.items() if name != "root"},
        "small_microseconds_per_change": small["microseconds_per_change"],
        "signature_us": unit,
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def measure(keys: int, changed: int, blocks: int) -> dict[str, object]:
    """Build a tree of `keys` records and update it with `blocks` blocks of `changed` changes (`keys` at most)."""
    changed = min(changed, keys)
    started = time.process_time()
    deque((record(number, 0) for number in range(keys)), maxlen=0)
    making_seconds = time.process_time() - started

    memory_before, started = memory_bytes(), time.process_time()
    commitment = Commitment.build(record(number, 0) for number in range(keys))
    build_seconds = time.process_time() - started - making_seconds
    gc.collect()
    memory_built = memory_bytes() - memory_before
    memory_peak = memory_peak_bytes() - memory_before

    oldest, newest = 0, keys
    microseconds = []
    for version in range(1, blocks + 1):
        changes = list(block(oldest, newest, changed, version))
        oldest, newest = oldest + changed // 6, newest + changed // 6
        started = time.process_time()
        commitment.update(changes)
        microseconds.append((time.process_time() - started) * 1e6 / changed)

    return {
        "keys": len(commitment),
        "changed": changed,
        "blocks": blocks,
        "build_seconds": round(build_seconds, 3),
        "microseconds_per_change": round(statistics.median(microseconds), 2),
        "microseconds_per_change_best": round(min(microseconds), 2),
        "memory_bytes": memory_built,
        "memory_peak_bytes": memory_peak,
        "memory_bytes_per_key": round(memory_built / keys, 1),
        "root": commitment.root().hex(),
    }
