"""A reader follows a database whose files come and go meanwhile: what it sees is always of one block."""

import multiprocessing
import random
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from coin_chain import Sender
from coin_engine import open_engine

from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY

OPENED = 40
REFRESHED = 120
PAUSE_S = 0.001
BLOCKS_PER_FLUSH = 3
BLOCKS_LOOKED_AT = 100
FLUSHES_AHEAD = 1
"""A reader that is not let run by a busy machine is not to blame."""
_LAST_BLOCK = bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY


def write(folder: Path, begun: Event, ended: Event, looks: "Synchronized[int]") -> None:
    """Block after block, and all that is in memory to files every now and then, as before a checkpoint."""
    chance, flushes = random.Random(1), 0
    engine = open_engine(folder)
    sender = Sender(0)
    try:
        while not ended.is_set():
            engine.block(sender.send(1))
            if chance.randrange(BLOCKS_PER_FLUSH) == 0 and flushes < looks.value + FLUSHES_AHEAD:
                flushes += 1
                engine.storage.begin_flush()
            begun.set()
            time.sleep(PAUSE_S)
    finally:
        engine.close()


def check(reader: Reader, last_height: int) -> int:
    head, record = reader.head(), reader.record(_LAST_BLOCK)
    assert head is not None and record is not None
    assert LAST_BLOCK.decode(record).height == head.height, "a record of another block than the head"
    assert head.height >= last_height, "a reader never goes back"
    for height in range(max(last_height, head.height - BLOCKS_LOOKED_AT, 1) + 1, head.height + 1):
        assert reader.block(height) is not None and reader.results(height) is not None, f"block {height} is missing"
    return head.height


def test_what_a_reader_sees_is_of_one_block(tmp_path) -> None:
    spawn = multiprocessing.get_context("spawn")
    begun, ended, looks = spawn.Event(), spawn.Event(), spawn.Value("q", 0)
    writer = spawn.Process(target=write, args=(tmp_path, begun, ended, looks))
    writer.start()
    try:
        assert begun.wait(60)
        height = 0
        for _ in range(OPENED):
            opened = Reader(tmp_path / "db", tmp_path / "reader")
            height = check(opened, height)
            looks.value += 1
            opened.close()
        follower = Reader(tmp_path / "db", tmp_path / "reader")
        for _ in range(REFRESHED):
            follower.refresh()
            height = check(follower, height)
            looks.value += 1
        follower.close()
    finally:
        ended.set()
        writer.join(60)
    assert writer.exitcode == 0
