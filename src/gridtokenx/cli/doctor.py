"""`gridtokenx doctor`: looks at what the market needs from the machine and says what to do where it lacks.

Each check answers OK, warning (works, but slower, less safe or less pretty) or fail (the market cannot start
or cannot be trusted), with what was found and, unless it is OK, the fix. Nothing is changed: the one file
written is the probe of the disk, deleted again at once. Checks use the standard library as far as they can,
so that a missing library is a line of the table and not a traceback.
"""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import importlib.resources
import locale
import os
import platform
import re
import resource
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import gridtokenx

LIBRARIES = {
    "msgspec": "msgspec",
    "rocksdict": "rocksdict",
    "py-ed25519-zebra-bindings": "ed25519_zebra",
    "cryptography": "cryptography",
    "typer": "typer",
    "rich": "rich",
    "fastapi": "fastapi",
    "granian": "granian",
    "httpx": "httpx",
    "websockets": "websockets",
    "prometheus-client": "prometheus_client",
    "mnemonic": "mnemonic",
    "tzdata": "tzdata",
    "scipy": "scipy",
    "lightgbm": "lightgbm",
    "protobuf": "google.protobuf",
    "python-pkcs11": "pkcs11",
}
"""Distribution name to import name of each runtime dependency."""

NOT_FOR_THE_MARKET = {"scipy", "lightgbm", "python-pkcs11"}
"""The market runs without these; reports, learning agents and keys in hardware do not. lightgbm needs the system's
libgomp."""

PYTHON_OLDEST = (3, 11)
PYTHON_NEWEST = (3, 14)

# RFC 8032, section 7.1, test 2: one byte signed.
TEST_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
TEST_MESSAGE = bytes.fromhex("72")
TEST_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)

DISK_FREE_FAIL_BYTES = 1 << 30
DISK_FREE_WARN_BYTES = 5 << 30
FSYNC_PROBES = 15
FSYNC_PROBE_BYTES = 65_536  # about a batch of transactions
FSYNC_WARN_MS = 50.0
# Below this a disk has not turned: the file system answers before anything is durable.
FSYNC_TOO_GOOD_MS = 0.005
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}
OPEN_FILES_FAIL = 256
OPEN_FILES_WARN = 1_024
MEMORY_FAIL_BYTES = 512 << 20
MEMORY_WARN_BYTES = 2 << 30
TERMINAL_COLUMNS = 100
TERMINAL_LINES = 30


class Outcome(StrEnum):
    """How a check ended."""

    OK = "OK"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was looked at, how it stands, what was found, what to do about it."""

    subject: str
    outcome: Outcome
    found: str
    fix: str = ""


def doctor(data: Path, ports: Sequence[int]) -> int:
    """Print every check of this machine; 1 when one failed, else 0.

    `data` is the folder the market keeps its state in, which need not exist; `ports` are those it listens on.
    """
    findings = list(examine(data, ports))
    show(findings)
    return 1 if any(finding.outcome is Outcome.FAIL for finding in findings) else 0


def examine(data: Path, ports: Sequence[int]) -> Iterator[Finding]:
    """Every finding, in the order of the table. A check that the system refuses is itself a finding."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        check_python,
        lambda: check_libraries(lock_file()),
        check_signature_judge,
        check_signature_program,
        check_page,
        check_engine,
        lambda: check_disk(data),
        check_open_files,
        check_memory,
        check_processors,
        lambda: check_run_files(data),
        lambda: check_ports(data, ports),
        check_terminal,
        check_tools,
    ]
    for check in checks:
        try:
            yield from check()
        except OSError as error:
            yield Finding("the check itself", Outcome.FAIL, str(error), "look at the path or device named here")


def show(findings: Sequence[Finding]) -> None:
    """Print the findings as a table; as plain lines where `rich` itself is what is missing."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        for finding in findings:
            print(f"{finding.outcome:8} {finding.subject}: {finding.found}  {finding.fix}".rstrip())
        return
    colours = {Outcome.OK: "green", Outcome.WARNING: "yellow", Outcome.FAIL: "bold red"}
    table = Table("check", "state", "found", "what to do", title=f"GridTokenX {gridtokenx.__version__}: this machine")
    for finding in findings:
        state = Text(finding.outcome, style=colours[finding.outcome])
        table.add_row(Text(finding.subject), state, Text(finding.found), Text(finding.fix))
    console = Console()
    console.print(table)
    counts = {outcome: sum(finding.outcome is outcome for finding in findings) for outcome in Outcome}
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), highlight=False)


def check_python() -> Iterator[Finding]:
    """Whether the interpreter is one that the lock file is made for."""
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    supported = PYTHON_OLDEST <= sys.version_info[:2] <= PYTHON_NEWEST and sys.implementation.name == "cpython"
    if supported:
        yield Finding("Python", Outcome.OK, found)
    else:
        yield Finding("Python", Outcome.FAIL, found, "make setup PYTHON=... with a CPython 3.11 to 3.14")


def lock_file() -> Path | None:
    """The lock file of the checkout this package runs from; None when it was installed without one."""
    path = Path(gridtokenx.__file__).resolve().parents[2] / "requirements.lock"
    return path if path.is_file() else None


def locked_versions(lock: Path) -> dict[str, list[str]]:
    """Distribution name to the versions pinned for it: more than one where interpreters need different ones."""
    versions: dict[str, list[str]] = {}
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    for distribution, version in pins:
        versions.setdefault(distribution, []).append(version)
    return versions


def check_libraries(lock: Path | None) -> Iterator[Finding]:
    """Whether each library can be imported and is the locked version: nodes that differ may disagree."""
    locked = locked_versions(lock) if lock else {}
    differing: list[str] = []
    present: list[str] = []
    for distribution, module in LIBRARIES.items():
        try:
            importlib.import_module(module)
            version = importlib.metadata.version(distribution)
        except (ImportError, OSError) as error:  # OSError: a compiled part that this machine cannot load
            outcome = Outcome.WARNING if distribution in NOT_FOR_THE_MARKET else Outcome.FAIL
            yield Finding(distribution, outcome, f"cannot be imported: {error}", "make setup")
            continue
        wanted = locked.get(distribution, [version])
        (present if version in wanted else differing).append(f"{distribution} {version}")
        if version not in wanted:
            found = f"{version} is installed, requirements.lock says {' or '.join(wanted)}"
            yield Finding(distribution, Outcome.WARNING, found, "make setup")
    if lock is None:
        found = f"{len(present)} libraries, no requirements.lock to compare them with"
        yield Finding("libraries", Outcome.WARNING, found, "run from a checkout, after make setup")
    elif not differing:
        yield Finding("libraries", Outcome.OK, f"{len(present)} as in requirements.lock")


def check_signature_judge() -> Iterator[Finding]:
    """Whether the library that judges signatures accepts a good one, refuses a bad one, and how fast."""
    subject = "signature judge"
    try:
        from ed25519_zebra import ed_verify
    except (ImportError, OSError) as error:
        yield Finding(subject, Outcome.FAIL, str(error), "make setup")
        return
    started = time.perf_counter()
    accepted = ed_verify(TEST_SIGNATURE, TEST_MESSAGE, TEST_KEY)
    elapsed_us = (time.perf_counter() - started) * 1e6
    refused = not ed_verify(TEST_SIGNATURE, TEST_MESSAGE + b"\0", TEST_KEY)
    if accepted and refused:
        yield Finding(subject, Outcome.OK, f"RFC 8032 test vector right, {elapsed_us:.0f} µs")
    else:
        yield Finding(subject, Outcome.FAIL, "RFC 8032 test vector wrong", "make clean setup; do not run a node")


def check_signature_program() -> Iterator[Finding]:
    """Whether the workers have the program that judges many signatures at once, and whether it judges rightly."""
    from gridtokenx.engine.signatures import PROGRAM_VARIABLE, SignatureProgram, find_program

    subject = "signatures in batches"
    path = find_program()
    if path is None:
        named = os.environ.get(PROGRAM_VARIABLE)
        found = f"{PROGRAM_VARIABLE} names {named}, which is no program" if named else "not built"
        yield Finding(subject, Outcome.WARNING, f"{found}: a check costs three times as much", "make engine")
        return
    program = SignatureProgram(path)
    program.close()
    if program.deaths:
        found = f"{path} does not judge as the library does, which judges alone"
        yield Finding(subject, Outcome.WARNING, found, "make engine")
    else:
        yield Finding(subject, Outcome.OK, f"{path.name} judges as the library does")


def check_page() -> Iterator[Finding]:
    """Whether the built page is there; the market runs without it, but shows itself in the terminal only."""
    try:
        page = importlib.resources.files("gridtokenx_web") / "dist" / "index.html"
        built = page.is_file()
    except ImportError:
        built = False
    if built:
        yield Finding("the page", Outcome.OK, "built")
    else:
        yield Finding("the page", Outcome.WARNING, "not built", "make setup")


def check_engine() -> Iterator[Finding]:
    """Whether the consensus engine is there; a market on one node runs without it."""
    from gridtokenx.engine.comet.binary import VERSION, CometMissing, find_boot_program, find_cometbft

    subject = "consensus engine"
    try:
        program = find_cometbft()
        find_boot_program()
    except CometMissing as error:
        yield Finding(subject, Outcome.WARNING, str(error), "make engine; only a network needs it")
    else:
        yield Finding(subject, Outcome.OK, f"CometBFT {VERSION} at {program}")


def check_disk(data: Path) -> Iterator[Finding]:
    """File system, free space and fsync time where the state lies, or will lie once the folder exists."""
    folder = nearest_existing(data)
    if not folder.is_dir():
        yield Finding("data folder", Outcome.FAIL, f"{folder} is not a folder", "--data DIR")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("data folder", Outcome.FAIL, f"{folder} cannot be written to", "--data DIR, or its owner")
        return
    kind = file_system_type(folder)
    found = f"{data}, {kind}" + ("" if folder == data.absolute() else f" (of {folder}; made at the first start)")
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding("data folder", Outcome.WARNING, found, "a local disk: locks and fsync differ over a network")
    elif kind in MEMORY_FILE_SYSTEMS:
        yield Finding("data folder", Outcome.WARNING, found, "a disk: this one forgets when the power goes")
    else:
        yield Finding("data folder", Outcome.OK, found)
    yield below(
        "disk space",
        shutil.disk_usage(folder).free,
        (DISK_FREE_FAIL_BYTES, DISK_FREE_WARN_BYTES),
        "free space, or --data DIR on another disk",
    )
    fsync_ms = median_fsync_ms(folder)
    found = f"{fsync_ms:.2f} ms for {FSYNC_PROBE_BYTES // 1024} KiB (median of {FSYNC_PROBES})"
    if fsync_ms > FSYNC_WARN_MS:
        yield Finding("fsync", Outcome.WARNING, found, "a faster disk: each order waits for one fsync")
    elif fsync_ms < FSYNC_TOO_GOOD_MS and kind not in MEMORY_FILE_SYSTEMS:
        yield Finding("fsync", Outcome.WARNING, found, "a file system that keeps its promise: this one is too fast")
    else:
        yield Finding("fsync", Outcome.OK, found)


def below(subject: str, available_bytes: int, limits_bytes: tuple[int, int], fix: str) -> Finding:
    """The finding for an amount that fails under the first limit and warns under the second."""
    fail_bytes, warn_bytes = limits_bytes
    found = f"{available_bytes / (1 << 30):.1f} GiB available"
    if available_bytes < fail_bytes:
        return Finding(subject, Outcome.FAIL, found, fix)
    if available_bytes < warn_bytes:
        return Finding(subject, Outcome.WARNING, found, fix)
    return Finding(subject, Outcome.OK, found)


def nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest one above it that exists."""
    path = path.absolute()
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())


def file_system_type(folder: Path) -> str:
    """The type of the mount that holds `folder` as Linux names it (ext4, tmpfs, ...), `unknown` elsewhere."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    return file_system_in(mounts, folder.resolve())


def file_system_in(mounts: str, folder: Path) -> str:
    """The same from the text of a mount table: the longest mount point wins, and of equals the last."""
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        # Spaces and the like in a mount point are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split()[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def median_fsync_ms(folder: Path) -> float:
    """How long appending a batch and making it durable takes; the probe file is deleted."""
    durations_ms = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNC_PROBES):
            started = time.perf_counter()
            file.write(os.urandom(FSYNC_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
            durations_ms.append((time.perf_counter() - started) * 1e3)
    return statistics.median(durations_ms)


def check_open_files() -> Iterator[Finding]:
    """The limit of open files and sockets of one process: RocksDB and each connection take some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    found = "no limit" if unlimited else f"{soft:,} (up to {'any' if hard == resource.RLIM_INFINITY else f'{hard:,}'})"
    outcome = Outcome.OK
    if not unlimited and soft < OPEN_FILES_WARN:
        outcome = Outcome.FAIL if soft < OPEN_FILES_FAIL else Outcome.WARNING
    fix = "" if outcome is Outcome.OK else f"ulimit -n {OPEN_FILES_WARN * 4}"
    yield Finding("open files", outcome, found, fix)


def check_memory() -> Iterator[Finding]:
    """Memory that is available to this process, the limit of its container included."""
    available = available_memory_bytes()
    if available is None:
        yield Finding("memory", Outcome.OK, "this system does not say")
    else:
        yield below("memory", available, (MEMORY_FAIL_BYTES, MEMORY_WARN_BYTES), "end other programs, or add memory")


def available_memory_bytes() -> int | None:
    """What the kernel says is available, else the physical memory, None where neither is known."""
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        available = int(match[1]) * 1024 if match else None
    except OSError:
        available = None
    if available is None:
        try:
            available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return available
    return min(available, limit - used)


def check_processors() -> Iterator[Finding]:
    """Node, verify workers and gateway are processes of their own."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{count} of {platform.machine()}"
    if count < 2:
        yield Finding("processors", Outcome.WARNING, found, "two or more: signatures are checked beside the ledger")
    else:
        yield Finding("processors", Outcome.OK, found)


def check_run_files(data: Path) -> Iterator[Finding]:
    """Whether a process file in the data folder names a process that is gone."""
    running, stale = process_files(data)
    for path in stale:
        yield Finding("process file", Outcome.WARNING, f"{path}: no such process", f"rm {path}")
    if running:
        found = ", ".join(f"{path.name} {process}" for path, process in running.items())
        yield Finding("market", Outcome.OK, f"is running: {found}")
    elif not stale:
        yield Finding("market", Outcome.OK, "is not running, nothing left behind")


def process_files(data: Path) -> tuple[Mapping[Path, int], Sequence[Path]]:
    """The `*.pid` files in the data folder: those of living processes with their number; the stale ones."""
    running, stale = {}, []
    for path in sorted(data.rglob("*.pid")):
        text = path.read_text(encoding="utf-8", errors="replace").split()
        if text and text[0].isdigit() and is_alive(int(text[0])):
            running[path] = int(text[0])
        else:
            stale.append(path)
    return running, stale


def is_alive(process: int) -> bool:
    """Whether a process with that number exists, also when it is another user's."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def check_ports(data: Path, ports: Sequence[int]) -> Iterator[Finding]:
    """Whether the market can listen on its ports of the loopback interface."""
    running, _ = process_files(data)
    for port in ports:
        subject = f"port {port}"
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            # As servers do: a connection that has just ended does not keep the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except PermissionError:
                yield Finding(subject, Outcome.FAIL, "may not be used by this user", "a port above 1023")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if running:
                    yield Finding(subject, Outcome.OK, "in use while the market runs")
                else:
                    yield Finding(subject, Outcome.FAIL, "in use by another program", "end it, or choose another port")
            else:
                yield Finding(subject, Outcome.OK, "free")


def check_terminal() -> Iterator[Finding]:
    """Size, colour and character set, as the live view wants them."""
    encoding = (sys.stdout.encoding or locale.getpreferredencoding()).lower().replace("-", "")
    if encoding != "utf8":
        yield Finding("characters", Outcome.WARNING, encoding, "export LANG=C.UTF-8 (or PYTHONUTF8=1)")
    if not sys.stdout.isatty():
        yield Finding("terminal", Outcome.OK, "none: the live view becomes lines")
        return
    size = shutil.get_terminal_size()
    plain = os.environ.get("TERM", "dumb") == "dumb" or bool(os.environ.get("NO_COLOR"))
    found = f"{size.columns} x {size.lines}, {'no colour' if plain else 'colour'}"
    if size.columns < TERMINAL_COLUMNS or size.lines < TERMINAL_LINES:
        fix = f"a window of at least {TERMINAL_COLUMNS} x {TERMINAL_LINES} for the live view"
        yield Finding("terminal", Outcome.WARNING, found, fix)
    elif plain:
        yield Finding("terminal", Outcome.WARNING, found, "TERM=xterm-256color, NO_COLOR unset")
    else:
        yield Finding("terminal", Outcome.OK, found)


def check_tools() -> Iterator[Finding]:
    """The programs that `make` targets call; a running market needs neither."""
    for tool, use in (("git", "to fetch new versions"), ("make", "to run make up, make test")):
        path = shutil.which(tool)
        if path:
            yield Finding(tool, Outcome.OK, path)
        else:
            yield Finding(tool, Outcome.WARNING, "not found", f"install {tool}, {use}")
