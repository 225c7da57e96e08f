"""How another process's database is followed: as a secondary of RocksDB, which reads the node's files.

RocksDB alone does not say when what it read was of one moment; this does.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

import rocksdict
from rocksdict import Rdict

from gridtokenx.engine.database import DatabaseFailed, attempt, open_database

REFRESH_S_MAX: Final = 30
"""How long a reader tries to read files that change meanwhile: on a busy disk flushes and compactions take seconds."""
REFRESH_PAUSE_S: Final = 0.02


class _Files(NamedTuple):
    """What tells whether a database has gone from memory to files, or from files to others: bytes by number."""

    logs: dict[int, int]
    manifests: dict[int, int]

    def are_those_of(self, others: "_Files") -> bool:
        """Whether nothing but the logs' length is different."""
        return self.logs.keys() == others.logs.keys() and self.manifests == others.manifests


def _files_of(path: Path) -> _Files:
    files = _Files({}, {})
    with os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # it is gone since it was listed
                if entry.name.endswith(".log"):
                    files.logs[int(entry.name.removesuffix(".log"))] = entry.stat().st_size
                elif entry.name.startswith("MANIFEST-"):
                    files.manifests[int(entry.name.removeprefix("MANIFEST-"))] = entry.stat().st_size
    return files


class Follower:
    """Keeps a `database` open that is another process's, as of the last `refresh`."""

    def __init__(self, path: Path, own_files: Path) -> None:
        """Follow the database at `path`; `own_files` is a folder for this follower's own log, emptied now. Raises
        `DatabaseFailed`."""
        self._path, self._own_files = path, own_files
        self._followed: tuple[int, int] | None = None
        """Number of the newest log, and how much of it was surely read."""
        self.database: Rdict
        self.refresh()

    def refresh(self) -> None:
        """See the blocks that were committed since. `database` may be another one afterwards: whoever still reads in
        the one that was open until then may finish. Raises `DatabaseFailed`.

        RocksDB reads which files there are, then the write-ahead logs. If the node writes its memory to files in
        between, the records of a log that is gone by then are missed; and what was read of a log before the rest of it
        came in a file goes on hiding what the file says (facebook/rocksdb issue 14444). So nothing counts that was
        read while files came or went, and the reader begins anew if it may not have read the end of a log."""
        give_up_s = time.monotonic() + REFRESH_S_MAX
        while True:
            before = _files_of(self._path)
            if self._has_read_ends(before.logs):
                attempt(f"follow the database in {self._path}", self.database.try_catch_up_with_primary)
            else:
                self._begin_anew()
            after = _files_of(self._path)
            if after.are_those_of(before):
                self._followed = max(before.logs.items(), default=(0, 0))
                return
            if after.logs.keys() != before.logs.keys():
                self._followed = None
            if time.monotonic() > give_up_s:
                raise DatabaseFailed(f"the files of the database in {self._path} change faster than they can be read")
            time.sleep(REFRESH_PAUSE_S)

    def _has_read_ends(self, logs: dict[int, int]) -> bool:
        """Whether the log that was the newest has no successor yet, or nothing came after what was read of it."""
        if self._followed is None:
            return False
        number, size = self._followed
        return number == max(logs, default=0) or logs.get(number) == size

    def _begin_anew(self) -> None:
        shutil.rmtree(self._own_files, ignore_errors=True)
        self.database = open_database(self._path, rocksdict.AccessType.secondary(str(self._own_files)), writing=False)
