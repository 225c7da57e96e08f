"""`bench signer`: what a vote costs when its key is with a signer, through the real socket, state on the disk included.

The signer is a process of its own, and a node asks it for one vote after another, as CometBFT does. Once with the key
in a file, once with the key in SoftHSM, where that is installed.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from gridtokenx.bench.gateway_load import summary
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.comet.privval import MESSAGE_BYTES_MAX, message_frame, read_message
from gridtokenx.engine.comet.privval_pb2 import BlockID, Message, Vote
from gridtokenx.engine.folder import listening_socket, write_durably
from gridtokenx.signer.folder import create_signer
from gridtokenx.signer.guard import LINE_BYTES, Signed
from gridtokenx.signer.keys import KeyPlace
from gridtokenx.signer.sign_bytes import HASH_BYTES, PRECOMMIT, PREVOTE

CHAIN: Final = "bench"
PIN: Final = "482913"
LABEL: Final = "validators"
SOFTHSM_VARIABLE: Final = "SOFTHSM2_CONF"
LIBRARIES: Final = ("usr/lib/softhsm/libsofthsm2.so", "usr/lib/*/softhsm/libsofthsm2.so", "usr/lib64/libsofthsm2.so")
PROBES: Final = 200


def run(quick: bool) -> dict[str, object]:
    """Two thousand votes with each kind of key (a fifth of that when quick)."""
    votes = 400 if quick else 2_000
    path = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        figures = {f"file_{name}": value for name, value in measure(path / "file", KeyPlace("file"), votes).items()}
        place = soft_token(path / "softhsm")
        if place is None:
            figures["softhsm"] = "not measured: softhsm2 is not installed"
        else:
            found = measure(path / "hardware", place, votes)
            figures |= {f"softhsm_{name}": value for name, value in found.items()}
        figures["state_write_ms"] = state_write_ms(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
    return figures | {"signature_us": signature_us(), "file_system": file_system(Path(tempfile.gettempdir()))}


def measure(path: Path, place: KeyPlace, votes: int) -> dict[str, object]:
    """A new signer and its node: votes a second, and how long one takes."""
    key = create_signer(path, CHAIN, place, Signed(), generate=True)
    node = path / "node.sock"
    program = "from gridtokenx.cli.main import app; app()"
    command = [sys.executable, "-c", program, "signer", "run", "--data", str(path), "--node", str(node)]
    with (path / "log").open("wb") as log:
        listener = listening_socket(node)
        signer = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        times_ms = asyncio.run(_ask(listener, bytes.fromhex(key), votes))
    finally:
        signer.terminate()
        signer.wait()
    found = summary(times_ms)
    return {
        "votes_per_second": round(len(times_ms) / sum(times_ms) * 1_000),
        "median_ms": round(found["p50_ms"], 2),
        "p99_ms": round(found["p99_ms"], 2),
    }


async def _ask(listener: socket.socket, key: bytes, votes: int) -> list[float]:
    """Milliseconds of each vote."""
    done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        times_ms = []
        for number in range(votes):
            started_s = time.perf_counter()
            writer.write(message_frame(_request(number, key)))
            answer = await read_message(reader)
            times_ms.append((time.perf_counter() - started_s) * 1_000)
            assert answer.signed_vote_response.vote.signature, answer
        writer.close()
        done.set_result(times_ms)

    server = await asyncio.start_unix_server(converse, sock=listener, limit=MESSAGE_BYTES_MAX)
    async with asyncio.timeout(600):
        found = await done
    server.close()
    return found


def _request(number: int, key: bytes) -> Message:
    """Prevote and precommit of one height after another."""
    digest = number.to_bytes(HASH_BYTES, "big")
    vote = Vote(
        type=PRECOMMIT if number % 2 else PREVOTE,
        height=1 + number // 2,
        block_id=BlockID(hash=digest, part_set_header={"total": 1, "hash": digest}),
        timestamp={"seconds": number},
        validator_address=address_of_key(key),
    )
    return Message(sign_vote_request={"vote": vote, "chain_id": CHAIN})


def soft_token(folder: Path) -> KeyPlace | None:
    """A fresh token of SoftHSM, for this process and those that it starts; None where it is not installed."""
    libraries = [path for pattern in LIBRARIES for path in sorted(Path("/").glob(pattern))]
    if not libraries or not shutil.which("softhsm2-util"):
        return None
    (folder / "tokens").mkdir(parents=True)
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ[SOFTHSM_VARIABLE] = str(folder / "conf")
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    write_durably(folder / "pin", PIN.encode())
    return KeyPlace("pkcs11", library=str(libraries[0]), token=LABEL, label="key", pin_file=str(folder / "pin"))


def state_write_ms(folder: Path) -> float:
    """What the disk alone takes for one block in place: the floor of every vote."""
    write_durably(folder / "probe", bytes(LINE_BYTES))
    times_ms = []
    with (folder / "probe").open("r+b", buffering=0) as probe:
        for number in range(PROBES):
            started_s = time.perf_counter()
            os.pwrite(probe.fileno(), number.to_bytes(8, "big") * (LINE_BYTES // 8), 0)
            os.fdatasync(probe.fileno())
            times_ms.append((time.perf_counter() - started_s) * 1_000)
    return round(summary(times_ms)["p50_ms"], 2)
