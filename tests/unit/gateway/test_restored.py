"""The read model of a node that was restored: everything that state tells, and history from its beginning on."""

from pathlib import Path

from tests.snapshots import chunks_of, live, new_folder, proved, restore, take
from tests.traffic import Traffic, founded

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.node import FEED_PREFIXES
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.engine.storage import Reader, Storage
from gridtokenx.gateway.readmodel import ReadModel

HEIGHT = 150
BLOCKS = 190


def application_on(folder: DataFolder, genesis: bytes) -> Application:
    application = Application(CONSORTIUM, Storage(folder.database, sync=False, feed_prefixes=FEED_PREFIXES))
    if not application.load():
        application.init_chain(genesis)
    return application


def model_of(folder: DataFolder) -> ReadModel:
    return ReadModel(Reader(folder.database, folder.path / "reader"))


def test_a_restored_node_shows_what_state_tells_and_its_own_history(tmp_path: Path) -> None:
    world = founded()
    for _ in Traffic(world, 5).steps(BLOCKS):
        pass
    lived, joined = new_folder(tmp_path / "lived"), new_folder(tmp_path / "joined")
    first = application_on(lived, world.genesis)
    live(first, world.blocks[:HEIGHT])
    snapshot = take(first, lived)
    restore(joined, proved(first, snapshot, world.genesis), chunks_of(SnapshotStore(lived.snapshots), snapshot))
    second = application_on(joined, world.genesis)

    at_once = model_of(joined)
    assert at_once.head.height == HEIGHT
    assert at_once.trades_after(0, 10) == ([], ((HEIGHT + 1) << 24) - 1)
    at_once.reader.close()

    live(first, world.blocks[HEIGHT:])
    live(second, world.blocks[HEIGHT:])
    old, new = model_of(lived), model_of(joined)
    assert (old.first_height, new.first_height) == (1, HEIGHT + 1)
    for name in ("orders", "intervals", "terms", "settlements", "portfolios", "zones", "feeders", "trading"):
        assert getattr(new, name) == getattr(old, name), name
    wh_and_micro = [(volume.traded_wh, volume.traded_micro) for volume in old.volumes.values()]
    assert [(volume.traded_wh, volume.traded_micro) for volume in new.volumes.values()] == wh_and_micro
    since = [trade.view for trade in old.trades if trade.view.sequence >> 24 > HEIGHT]
    assert since
    assert [trade.view for trade in new.trades] == since
    for model in (old, new):
        model.reader.close()
    for application in (first, second):
        application.storage.close()
