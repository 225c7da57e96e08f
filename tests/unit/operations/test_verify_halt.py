"""Blocks that voided trades replay to the same hashes, receipts and trades (A2, A9, K5)."""

from pathlib import Path

from tests.unit.modules.market.test_void import deal, street
from tests.world import NODE, at, interval_at

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.journal import Journal
from gridtokenx.engine.storage import Storage
from gridtokenx.operations.verify import verify_folder

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"


def test_a_halt_replays(tmp_path: Path) -> None:
    world = street()
    deal(world, at(11, 54), interval_at(12), interval_at(12, 15))
    deal(world, at(11, 58), interval_at(12, 30))
    world.skip_to(at(12, 4))
    deal(world, at(12, 8), interval_at(12, 15), interval_at(12, 45))
    world.block(time_ms=at(12, 41))
    world.skip_to(at(14))
    folder: DataFolder = create_data_folder(tmp_path / "data", world.genesis, NODE.secrets[0])
    application = Application(CONSORTIUM, Storage(folder.database))
    application.init_chain(world.genesis)
    journal = Journal(folder.journal)
    voided = 0
    for block in world.blocks:
        numbers = journal.append(block.batches) if block.batches else []
        outcome = application.finalize_block(block)
        application.commit()
        journal.mark(block.height, outcome.app_hash)
        journal.resolve(numbers)
        voided += outcome.summary.voided_wh
    journal.close()
    assert application.storage is not None
    application.storage.close()
    found = verify_folder(folder, CHAIN, 0)
    assert found.is_sound, "; ".join(map(str, found.findings))
    assert found.app_hash == world.commitment.root().hex()
    assert voided == 6_000
