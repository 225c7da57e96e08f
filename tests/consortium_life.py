"""A consortium with a past, in a node's data folder: twenty days of blocks that say how each one before was agreed,
with absences, late blocks, a double signer, members that came, and proposals that are open and decided."""

from pathlib import Path

import msgspec
from tests.consortium import TERMS, Consortium, consensus_key
from tests.unit.gateway.market import NODE_SEED
from tests.world import DAY_MS, pseudonym

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.engine.storage import Storage
from gridtokenx.gateway.readmodel import FOLLOWED
from gridtokenx.ledger.validator import Misbehaviour, MisbehaviourKind, address_of
from gridtokenx.modules.authority.messages import Act, Attest, Endorse, Group, NodeLicence, Tier, Vote

BLOCK_MS = 600_000
"""Ten minutes: twenty days are some three thousand blocks."""
DAYS = 20
BLOCKS_PER_DAY = DAY_MS // BLOCK_MS

LIFE_TERMS = msgspec.structs.replace(
    TERMS,
    seats_min=4,
    group_seats=(7, 6, 4, 3, 2),
    epoch_blocks=72,
    checkpoint_blocks=12,
    observed_blocks=24,
    vote_ms=3 * DAY_MS,
    appeal_ms=14 * DAY_MS,
)

MEMBERS: dict[str, tuple[Group, Tier, int]] = {
    "Generating Authority (example)": (Group.GRID, Tier.PRIMARY, 1),
    "Metropolitan Electricity (example)": (Group.GRID, Tier.PRIMARY, 1),
    "Provincial Electricity (example)": (Group.GRID, Tier.PRIMARY, 2),
    "Industrial Estates (example)": (Group.GRID, Tier.EMERGENCY, 3),
    "การไฟฟ้าตัวอย่างภาคตะวันออกเฉียงเหนือ": (Group.GRID, Tier.TECHNICAL, 3),
    "Chao Phraya Power Producer (placeholder)": (Group.TRADE, Tier.SECONDARY, 1),
    "Isan Solar (placeholder)": (Group.TRADE, Tier.SECONDARY, 3),
    "Andaman Energy Trading (placeholder)": (Group.TRADE, Tier.SECONDARY, 2),
    "First Bank (placeholder)": (Group.FINANCE, Tier.SECONDARY, 1),
    "Second Bank (placeholder)": (Group.FINANCE, Tier.SECONDARY, 2),
    "Energy Regulator (example)": (Group.REGULATION, Tier.PRIMARY, 1),
    "Securities Regulator (example)": (Group.REGULATION, Tier.EMERGENCY, 2),
    "Central Bank (example)": (Group.REGULATION, Tier.EMERGENCY, 3),
    "Ledger Operations (placeholder)": (Group.TECHNOLOGY, Tier.TECHNICAL, 2),
}
NAMES = list(MEMBERS)
GENERATION, METROPOLITAN, PROVINCIAL, ESTATES, NORTHEAST, PRODUCER, SOLAR, TRADING, BANK, BANK_TWO = NAMES[:10]
REGULATOR, SECURITIES, CENTRAL_BANK, OPERATIONS = NAMES[10:]
WIND, SOFTWARE, BATTERY = "Gulf Wind (placeholder)", "Meter Software (placeholder)", "River Battery (placeholder)"
"""Who came, who wants to, and who has not asked yet."""


def live(days: int = DAYS) -> Consortium:
    """The whole story; the last block is of the present day."""
    consortium = Consortium(LIFE_TERMS, MEMBERS, (WIND, SOFTWARE, BATTERY), BLOCK_MS)
    _pass(consortium, 1)
    _admit(consortium, WIND)
    number = consortium.propose(METROPOLITAN, Act.REMOVE, SOLAR)
    for name in (PROVINCIAL, PRODUCER, TRADING, BANK, BANK_TWO, OPERATIONS, NORTHEAST):
        if consortium.outcome(number) == "OPEN":
            assert consortium.do(name, Vote(number, name == PROVINCIAL)) == "OK"
    assert consortium.outcome(number) == "LOST"
    while consortium.height < days * BLOCKS_PER_DAY:
        _pass(consortium, 1)
    address = address_of(consensus_key(BANK_TWO).keys[0])
    double = Misbehaviour(
        MisbehaviourKind.DUPLICATE_VOTE, address, consortium.height - 2, consortium.world.time_ms, 140, 10
    )
    consortium.block(misbehaviour=(double,), time_ms=consortium.world.time_ms + BLOCK_MS)
    _open_proposals(consortium)
    return consortium


def write_folder(consortium: Consortium, data: Path) -> None:
    """A node's folder, as if the node had been there from the start. Its key is the world's."""
    folder = create_data_folder(data, consortium.world.genesis, NODE_SEED)
    storage = Storage(folder.database, sync=False, feed_prefixes=sorted(FOLLOWED))
    application = Application(CONSORTIUM, storage)
    application.init_chain(consortium.world.genesis)
    for block in consortium.world.blocks:
        application.finalize_block(block)
        application.commit()
    storage.close()


def _pass(consortium: Consortium, blocks: int) -> None:
    """So many blocks. Solar's node is away for an hour a day, Northeast's for half of the ninth, and some blocks need a
    second round; on the sixth day a block is four hours late, on the thirteenth one is forty minutes late."""
    for _ in range(blocks):
        height = consortium.height
        day, quarter = divmod(height, BLOCKS_PER_DAY)
        away = [SOLAR] if quarter % 24 == 5 else [NORTHEAST] if day == 9 and quarter < 70 else []
        late_ms = {6 * BLOCKS_PER_DAY + 60: 4 * 3_600_000, 13 * BLOCKS_PER_DAY + 9: 2_400_000}.get(height, 0)
        time_ms = consortium.world.time_ms + BLOCK_MS + late_ms
        consortium.block(away=away, round_=int(height % 97 == 3), time_ms=time_ms)


def _admit(consortium: Consortium, name: str) -> None:
    _candidate(consortium, name, 2)
    number = consortium.propose(GENERATION, Act.ADMIT, name)
    for voter in (METROPOLITAN, PROVINCIAL, PRODUCER, SOLAR, TRADING, BANK, BANK_TWO, REGULATOR):
        if consortium.outcome(number) == "OPEN":
            assert consortium.do(voter, Vote(number, voter != SOLAR)) == "OK"
    assert consortium.outcome(number) == "CARRIED"


def _candidate(consortium: Consortium, name: str, zone: int) -> None:
    """One that applied, was attested, endorsed and observed."""
    assert consortium.do(name, consortium.application(name, zone=zone)) == "OK"
    assert consortium.do(REGULATOR, Attest(pseudonym(name))) == "OK"
    for endorser in (GENERATION, PRODUCER):
        assert consortium.do(endorser, Endorse(pseudonym(name))) == "OK"
    consortium.observe(name, 4 * LIFE_TERMS.checkpoint_blocks)


def _open_proposals(consortium: Consortium) -> None:
    _candidate(consortium, SOFTWARE, 3)
    admission = consortium.propose(GENERATION, Act.ADMIT, SOFTWARE)
    for name, yes in ((METROPOLITAN, True), (BANK, True), (SOLAR, False)):
        assert consortium.do(name, Vote(admission, yes)) == "OK"
    shorter = msgspec.structs.replace(LIFE_TERMS, vote_ms=2 * DAY_MS, stake_micro=LIFE_TERMS.stake_micro * 2)
    consortium.propose(REGULATOR, Act.SET_TERMS, "", shorter)
    consortium.propose(OPERATIONS, Act.LICENSE, "a gateway", NodeLicence(consensus_key("a gateway").keys[0], True))
