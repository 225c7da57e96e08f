"""The story that the golden vectors tell: a community of four, from the first order to the payment and after."""

from functools import cache

from tests.world import NODE_ID, NOON, WATT, Founding, World, at, batch_of, buy, pseudonym, report_of, sell, signer

from gridtokenx.ledger.validator import LastCommit, Misbehaviour, address_of
from gridtokenx.modules.authority.messages import SetValidator
from gridtokenx.modules.identity.messages import (
    Kyc,
    Licence,
    RegisterAccount,
    RegisterParticipant,
    RotateKeys,
    Source,
)
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, TimeInForce
from gridtokenx.modules.tokens.messages import (
    AttestReserves,
    ConfirmRedemption,
    Mint,
    RequestRedemption,
    Transfer,
)

HOMES = ("alice", "bob", "carol")


@cache
def community() -> World:
    """Monday 11:40, before the first block. Never change it: `told` starts from a copy."""
    founding = Founding(time_ms=at(11, 40))
    founding.add_home("alice", 11, {Source.SOLAR: 8_000, Source.STORAGE: 2_000}, 16_000, 100 * WATT)
    founding.add_home("bob", 11, {}, 16_000, 100 * WATT)
    founding.add_home("carol", 21, {Source.WIND: 8_000}, 16_000, 100 * WATT, group=3)
    founding.add_dealer("dora", 12, 2_000, 2_000, 50 * WATT)
    founding.add_account("board", signer("board", 2, 3), 25 * WATT, participant="alice")
    founding.builder.set_sky(1, {6: (700,) * 96})
    founding.builder.add_holiday(20_607)
    return founding.start()


def fresh() -> World:
    """The community, ready for other things to happen."""
    origin = community()
    return World(origin.genesis, dict(origin.signers), dict(origin.accounts), dict(origin.sites))


@cache
def told() -> World:
    """Some twenty blocks: trades within a feeder and over a border, cancels and amendments, money minted and burnt,
    keys rotated, an interval settled with one reading missing, one corrected; a validator admitted and convicted."""
    world = fresh()
    world.run(world.sign("alice", sell("alice", 1_000, NOON, 4_500_000, "a1")))
    world.run(
        world.sign("carol", sell("carol", 900, NOON, 4_000_000, "c1", source=Source.WIND)),
        world.sign("dora", sell("dora", 500, NOON, 5_000_000, "d1", source=Source.CONVENTIONAL)),
    )
    world.run(world.sign("bob", buy("bob", 1_500, NOON, 5_000_000, "b1")))
    world.run(
        world.sign("alice", AmendOrder(pseudonym("a1"), 4_400_000, 300)),
        world.sign("dora", CancelOrder(pseudonym("d1"))),
        world.sign("bob", buy("bob", 100, NOON, 9_000_000, "b2", force=TimeInForce.FILL_OR_KILL)),
    )
    world.run(world.sign("board", Transfer(world.accounts["bob"], 5 * WATT)))
    world.run(world.sign("attester", AttestReserves(1_000 * WATT, world.time_ms)))
    world.run(world.sign("bank", Mint(world.accounts["carol"], 10 * WATT, b"booking-00000001")))
    world.run(world.sign("bob", RequestRedemption(7 * WATT, b"redemption-00001")))
    world.run(world.sign("bank", ConfirmRedemption(world.accounts["bob"], b"redemption-00001")))
    spare = signer("spare")
    world.run(world.sign("carol", RotateKeys(0, 1, spare.keys)))
    world.signers["carol"] = spare
    world.run(world.sign("carol", Transfer(world.accounts["alice"], 1), Transfer(world.accounts["dora"], 2)))
    _admit_erin(world)
    world.skip_to(at(11, 55))
    world.skip_to(at(12, 15) + 500)
    readings = [world.meter("alice", NOON, 0, 650), world.meter("bob", NOON, 1_600), world.meter("carol", NOON, 0, 900)]
    world.run(world.sign("operator", world.submit(*readings[:2])))
    world.skip_to(at(12, 45))
    world.run(world.sign("operator", world.submit(readings[2])))
    world.block()
    _convict(world)
    return world


def _convict(world: World) -> None:
    """A validator votes twice, and its node signs for what is no transaction."""
    voter = signer("validator").keys[0]
    world.run(world.sign("authority", SetValidator(voter, 10, NODE_ID)))
    twice = Misbehaviour(1, address_of(voter), 7, world.time_ms, 10, 10)
    world.block(misbehaviour=(twice,), last_commit=LastCommit(2, (address_of(voter),)))
    bad = batch_of([b"no transaction", b"nor this", b"nor that"], 999, world.time_ms + 60_000)
    world.block(bad)
    world.run(world.sign("bob", report_of(bad, 1)))


def _admit_erin(world: World) -> None:
    erin, keys = pseudonym("erin"), signer("erin").keys
    until_ms = at(0, day=30)
    world.run(
        world.sign(
            "registrar",
            RegisterParticipant(erin, Licence.SANDBOX, until_ms, Kyc.VERIFIED, until_ms, 0, 0, 0),
            RegisterAccount(erin, 0, 1, keys),
        )
    )
