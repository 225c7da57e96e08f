"""What an agent wrote down: each transaction before it is sent, and what became of it.

One line of JSON each in `journal.jsonl`, on disk before anything leaves. A line that is cut off at the end was never
acted upon; it is dropped. One agent at a time: the folder is locked as long as it is open.
"""

import fcntl
import os
from pathlib import Path
from typing import IO, Self

import msgspec

from gridtokenx.client.errors import ClientError
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY

JOURNAL = "journal.jsonl"
LOCK = "lock"
ENTRIES_MAX = 5_000
"""From this many on, what is over for two days is left out when the folder is opened."""


class MemoryUnusable(ClientError):
    """The folder cannot be used: another agent has it, it is another account's, or it is damaged."""


class Began(msgspec.Struct, frozen=True, tag="began"):
    """For whom, on which chain: the first line."""

    chain: str
    account: str
    portfolio: str


class Written(msgspec.Struct, frozen=True, tag="written"):
    """A signed transaction with one order, before it is sent."""

    id: str
    wire: str
    nonce: int
    expires_ms: int
    time_ms: int
    instruction: str
    client_id: str
    interval: int
    side: str
    quantity_wh: int
    price_micro: int


class Became(msgspec.Struct, frozen=True, tag="became"):
    """What became of it: code 0 with Wh filled at once and resting, a refusal, or (`expired`) nothing, ever."""

    id: str
    time_ms: int
    code: int = 0
    name: str = "OK"
    filled_wh: int = 0
    resting_wh: int = 0
    expired: bool = False


class Looked(msgspec.Struct, frozen=True, tag="looked"):
    """The last round: when, in chain time."""

    time_ms: int


Entry = Began | Written | Became
_decoder = msgspec.json.Decoder(Entry)


class Memory:
    """The journal, and what follows from it. Use it as a context: it holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        """Raises MemoryUnusable."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._lock = _locked(folder / LOCK)
        self.began: Began | None = None
        self.written: dict[str, Written] = {}
        """By transaction."""
        self.became: dict[str, Became] = {}
        self.last_of: dict[str, str] = {}
        """Of each client id the last transaction."""
        entries = read_journal(folder)
        for entry in entries:
            self._take_in(entry)
        self._journal = self._reopen(entries)

    def close(self) -> None:
        """Let go of the folder."""
        self._journal.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, chain: str, account: bytes, portfolio: bytes) -> None:
        """Say for whom this memory is. Raises MemoryUnusable if it is another's."""
        began = Began(chain, account.hex(), portfolio.hex())
        if self.began is None:
            self.write([began])
        elif self.began != began:
            raise MemoryUnusable(
                f"{self.folder} is the memory of portfolio {self.began.portfolio} on chain {self.began.chain!r}: "
                "name another folder"
            )

    def write(self, entries: list[Entry]) -> None:
        """They are on disk when this returns."""
        for entry in entries:
            self._journal.write(msgspec.json.encode(entry) + b"\n")
            self._take_in(entry)
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def looked(self, time_ms: int) -> None:
        """A round is over."""
        (self.folder / "looked.json").write_bytes(msgspec.json.encode(Looked(time_ms)))

    def unfinished(self) -> list[Written]:
        """What was written down and nobody knows yet what became of, in order."""
        return [written for id_, written in self.written.items() if id_ not in self.became]

    def last(self, client_id: bytes) -> tuple[Written, Became | None] | None:
        """What was last tried under this name."""
        id_ = self.last_of.get(client_id.hex())
        return None if id_ is None else (self.written[id_], self.became.get(id_))

    def _take_in(self, entry: Entry) -> None:
        if isinstance(entry, Began):
            self.began = entry
        elif isinstance(entry, Written):
            self.written[entry.id] = entry
            self.last_of[entry.client_id] = entry.id
        else:
            self.became[entry.id] = entry

    def _reopen(self, entries: list[Entry]) -> IO[bytes]:
        """Write anew what counts, beside the old file, then in its place: so a line that was cut off is gone."""
        if len(entries) > ENTRIES_MAX:
            last = max((written.interval for written in self.written.values()), default=0)
            gone = {id_ for id_, one in self.written.items() if one.interval < last - 3 * INTERVALS_PER_DAY}
            gone &= self.became.keys()
            entries = [entry for entry in entries if isinstance(entry, Began) or entry.id not in gone]
        path, new = self.folder / JOURNAL, self.folder / f"{JOURNAL}.new"
        with new.open("wb") as stream:
            for entry in entries:
                stream.write(msgspec.json.encode(entry) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return path.open("ab")


def read_journal(folder: Path) -> list[Entry]:
    """All whole lines; nothing if there are none yet. Raises MemoryUnusable for a line that is none."""
    path = folder / JOURNAL
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    try:
        return [_decoder.decode(line) for line in lines[:-1]]
    except msgspec.DecodeError as error:
        raise MemoryUnusable(f"{path} is damaged: {error}; name another folder, nothing is placed twice") from None


def last_look(folder: Path) -> int | None:
    """When the last round was, in chain time."""
    try:
        return msgspec.json.decode((folder / "looked.json").read_bytes(), type=Looked).time_ms
    except (OSError, msgspec.DecodeError):
        return None


def _locked(path: Path) -> IO[bytes]:
    stream = path.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise MemoryUnusable(f"another agent works with {path.parent}: stop it, or name another folder") from None
    return stream
