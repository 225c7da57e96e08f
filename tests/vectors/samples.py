"""One message of each type, with values that another implementation can tell apart."""

from tests.consortium import application_of, observation_of, rotation_to
from tests.vectors.story import community
from tests.world import DEFAULT_TERMS, NODE_ID, NOON, batch_of, buy, pseudonym, report_of, signer

from gridtokenx.ledger.codec import Message, encode
from gridtokenx.modules.authority import messages as authority
from gridtokenx.modules.grid import messages as grid
from gridtokenx.modules.identity import messages as identity
from gridtokenx.modules.identity.messages import Kyc, Licence, SplitKind, SplitRule
from gridtokenx.modules.market import messages as market
from gridtokenx.modules.settlement import messages as settlement
from gridtokenx.modules.settlement.messages import Cause
from gridtokenx.modules.tokens import messages as tokens

REFERENCE = b"reference-000001"


def one_of_each() -> list[Message]:
    """In the order of their tags."""
    world = community()
    account, key = world.accounts["alice"], signer("spare").keys[0]
    erin, site, meter = pseudonym("erin"), pseudonym("site"), pseudonym("meter")
    reading = world.reading("alice", NOON, 1_234, 56_789)
    bad_batch = batch_of([b"no transaction", b"nor this", b"nor that"], 1, 1_780_285_200_000)
    return [
        tokens.Transfer(account, 1_500_000),
        tokens.Mint(account, 2**62, REFERENCE),
        tokens.RequestRedemption(127, REFERENCE),
        tokens.ConfirmRedemption(account, REFERENCE),
        tokens.RefuseRedemption(account, REFERENCE),
        tokens.AttestReserves(128, 1_780_285_200_000),
        identity.RegisterParticipant(erin, Licence.SUPPLIER, 255, Kyc.VERIFIED, 256, 65_535, 65_536, 2**32),
        identity.UpdateParticipant(erin, Licence.DEALER, 1, Kyc.REVOKED, 2, 3, 4, 5),
        identity.SuspendParticipant(erin, suspended=True),
        identity.RegisterAccount(erin, 0, 2, signer("board", 2, 3).keys),
        identity.RotateKeys(0, 1, (key,)),
        identity.RegisterSite(erin, site, meter, key, account, 11, 15_000, (1, 2, 3, 4, 5, 6, 7), 8, 9),
        identity.RegisterPortfolio(erin, account, 65_535),
        identity.ReplaceMeterKey(meter, key),
        identity.OpenPortfolio(erin, 12, SplitRule(SplitKind.EXPORT, 100_000, 10**6)),
        identity.JoinPortfolio(site, erin, SplitRule(SplitKind.EQUAL, 1, 128)),
        identity.AcceptMember(site),
        identity.LeavePortfolio(site),
        identity.ExcludeMember(meter),
        identity.RegisterStorage(
            site, 10_000, 5_000, 900_000, alone=True, level_wh=1_000, import_wh=127, export_wh=128
        ),
        authority.SetNode(NODE_ID, key, licensed=True),
        authority.SetValidator(key, 10**15, NODE_ID),
        report_of(bad_batch, 1),
        application_of("newcomer", documents=(b"\x01" * 32, b"\x02" * 32)),
        authority.Attest(erin),
        authority.Endorse(erin),
        observation_of("newcomer", 600, b"\x03" * 32),
        authority.Propose(authority.Act.LICENSE, NODE_ID, encode(authority.NodeLicence(key, licensed=True))),
        authority.Vote(65_536, yes=True),
        rotation_to("newcomer", authority.RotatedKey.CONSENSUS),
        authority.Withdraw(),
        grid.SetLimit(grid.LinkKind.BORDER, 2, 1, 600_000_000, 500_000_000),
        grid.SetCapacity(grid.LinkKind.FEEDER, 65_535, 0, NOON, 192, 1, 2**32),
        buy("alice", 1_000, NOON, 4_500_000, minimum_wh=100),
        market.CancelOrder(pseudonym("order")),
        market.AmendOrder(pseudonym("order"), 4_501_000, 999),
        market.SetTerms(DEFAULT_TERMS),
        market.SetHoliday(20_607, holiday=True),
        market.Halt(NOON, 1, 0, market.HaltReason.GRID_EMERGENCY),
        market.Resume(0, 255),
        market.SetMakerProgramme(2, market.MakerTerms(500_000, 1_000, 900, 14_400_000, 500_000, 16, 96)),
        market.EnrolMaker(erin),
        market.EndMaker(erin),
        market.PlaceBlockOrder(site, pseudonym("order"), NOON, 96, 1, 4_500_000, 1_000, 0, 1, 1_780_285_200_000, 2),
        world.submit(reading, reading),
        settlement.CorrectReading(world.chain, reading, Cause.METER_FAULT),
    ]
