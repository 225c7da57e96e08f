"""The registrar's work: who comes in, with which keys, sites and meters; and what it opens up."""

from typing import Any

import msgspec
import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, buy, pseudonym, sell, signed, signer

from gridtokenx.chains.genesis import FOREVER_MS
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.transaction import keys_hash
from gridtokenx.modules.identity.handlers import SMALL_ORDER_KEYS
from gridtokenx.modules.identity.messages import (
    IdentityCode,
    Kyc,
    Licence,
    RegisterAccount,
    RegisterParticipant,
    RegisterPortfolio,
    RegisterSite,
    ReplaceMeterKey,
    RoleName,
    RotateKeys,
)
from gridtokenx.modules.identity.state import ROLES, Participant, role_key
from gridtokenx.modules.settlement.state import STATEMENTS, Stage, settlement_of
from gridtokenx.modules.tokens.messages import Transfer

ERIN = pseudonym("erin")


@pytest.fixture
def world() -> World:
    founding = Founding(time_ms=at(9, 50))
    founding.add_home("alice")
    world = founding.start()
    Watch(world)
    return world


def participant(**changes: Any) -> RegisterParticipant:
    plain = RegisterParticipant(ERIN, Licence.PROSUMER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, 0, 0, 0)
    return msgspec.structs.replace(plain, **changes)


def site(world: World, **changes: Any) -> RegisterSite:
    powers = (8_000, 0, 0, 0, 0, 0, 0)
    key = world.sites["erin"].keys[0]
    plain = RegisterSite(ERIN, ERIN, ERIN, key, world.accounts["erin"], 11, 16_000, powers, 700, 100)
    return msgspec.structs.replace(plain, **changes)


def admit_erin(world: World) -> None:
    """Participant and account; the account's keys and name are known to the world from then on."""
    keys = signer("erin")
    messages = participant(), RegisterAccount(ERIN, 0, 1, keys.keys)
    assert world.code("registrar", *messages) == "OK"
    world.signers["erin"], world.accounts["erin"] = keys, keys_hash(0, 1, keys.keys)
    world.sites["erin"] = signer("meter of erin")


def test_from_admission_to_a_settled_trade(world: World) -> None:
    admit_erin(world)
    assert world.code("alice", Transfer(world.accounts["erin"], 50 * WATT)) == "OK"
    world.skip_to(at(11, 44))
    assert world.code("registrar", site(world)) == "OK"
    assert world.code("erin", sell("erin", 1_000, NOON, 4 * WATT)) == "OK"
    assert world.code("alice", buy("alice", 1_000, NOON, 5 * WATT)) == "OK"
    world.skip_to(at(12, 15) + 1)
    for name, import_wh, export_wh in (("erin", 700, 1_100), ("alice", 1_000, 0)):
        for number in (NOON - 1, NOON):
            early = number < NOON
            values = (
                (import_wh if not early else 700 if name == "erin" else 0),
                (100 if early and name == "erin" else export_wh),
            )
            assert world.code("operator", world.submit(world.reading(name, number, *values))) == "OK"
    world.skip_to(at(12, 59))
    assert world.account("erin").balance_micro == 50 * WATT + 4 * WATT - 2_000
    assert world.account("erin").held_micro == 0


def test_only_the_registrar_registers(world: World) -> None:
    for message in (participant(), RegisterAccount(ERIN, 0, 1, signer("erin").keys)):
        assert world.code("alice", message) == "NOT_AUTHORISED"


def test_all_keys_of_small_order_are_refused(world: World) -> None:
    assert world.code("registrar", participant()) == "OK"
    for key in sorted(SMALL_ORDER_KEYS):
        assert world.code("registrar", RegisterAccount(ERIN, 0, 1, (key,))) == "KEY_NOT_ALLOWED"
        assert world.code("alice", RotateKeys(0, 1, (key,))) == "KEY_NOT_ALLOWED"
        assert world.code("registrar", ReplaceMeterKey(pseudonym("alice"), key)) == "KEY_NOT_ALLOWED"
        pair = tuple(sorted((key, signer("erin").keys[0])))
        assert world.code("registrar", RegisterAccount(ERIN, 0, 2, pair)) == "KEY_NOT_ALLOWED"
    assert world.code("alice", Transfer(world.accounts["mea"], 1)) == "OK"


def test_key_lists_have_an_order_a_threshold_and_an_algorithm(world: World) -> None:
    assert world.code("registrar", participant()) == "OK"
    keys = signer("erin", 2, 3).keys
    for algorithm, threshold, some in (
        (1, 1, keys),
        (0, 0, keys),
        (0, 4, keys),
        (0, 1, keys[::-1]),
        (0, 1, (keys[0], keys[0])),
    ):
        assert world.code("registrar", RegisterAccount(ERIN, algorithm, threshold, some)) == "KEY_NOT_ALLOWED"
        assert world.code("alice", RotateKeys(algorithm, threshold, some)) == "KEY_NOT_ALLOWED"
    many = signer("many", KEYS_PER_ACCOUNT_MAX, KEYS_PER_ACCOUNT_MAX)
    assert world.code("registrar", RegisterAccount(ERIN, 0, many.threshold, many.keys)) == "OK"


def test_an_account_is_found_by_its_first_keys_after_rotation_too(world: World) -> None:
    admit_erin(world)
    new = signer("spare", 2, 3)
    assert world.code("erin", RotateKeys(0, 2, new.keys)) == "OK"
    world.block()
    body = world.body("erin", RotateKeys(0, 1, signer("third").keys))
    assert world.run(signed(new, body))[0].code == 0
    again = RegisterAccount(ERIN, 0, 1, signer("erin").keys)
    assert world.code("registrar", again) == "ACCOUNT_EXISTS"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"portfolio": pseudonym("alice")}, "PORTFOLIO_EXISTS"),
        ({"site": pseudonym("alice")}, "SITE_EXISTS"),
        ({"meter": pseudonym("alice")}, "METER_EXISTS"),
        ({"feeder": 77}, "FEEDER_UNKNOWN"),
        ({"account": bytes(32)}, "OWNER_UNKNOWN"),
        ({"meter_key": bytes(32)}, "KEY_NOT_ALLOWED"),
    ],
)
def test_what_a_site_may_not_be(world: World, change: dict[str, Any], code: str) -> None:
    admit_erin(world)
    assert world.code("registrar", site(world, **change)) == code
    assert world.code("registrar", site(world)) == "OK"


def test_a_dealers_portfolio_has_no_site(world: World) -> None:
    admit_erin(world)
    assert world.code("registrar", RegisterPortfolio(ERIN, world.accounts["erin"], 12)) == "OK"
    assert world.code("erin", buy("erin", 1_000, NOON, 4 * WATT)) == "POSITION_LIMIT"


def test_neither_licence_nor_office_makes_the_residual_supplier_a_trader() -> None:
    """In a genesis whichever comes first; by message see the scenarios."""
    builder = Founding().builder
    supplier = builder.state.rows[ROLES.prefix][role_key(RoleName.RESIDUAL_SUPPLIER)]
    licensed = Participant(Licence.DEALER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, False, 0, 0, 0)
    with pytest.raises(Rejected) as caught:
        builder.add_participant(pseudonym("supplier"), licensed)
    assert caught.value.code == IdentityCode.SUPPLIER_DOES_NOT_TRADE
    builder.add_participant(ERIN, licensed)
    account = builder.add_account(ERIN, signer("erin").keys)
    with pytest.raises(Rejected) as caught:
        builder.set_role(RoleName.RESIDUAL_SUPPLIER, account)
    assert caught.value.code == IdentityCode.SUPPLIER_DOES_NOT_TRADE
    assert builder.state.rows[ROLES.prefix][role_key(RoleName.RESIDUAL_SUPPLIER)] == supplier
    builder.set_role(RoleName.OPERATOR, account)


def test_a_meter_that_starts_late_counts_as_reported_for_the_intervals_that_wait(world: World) -> None:
    """Alice's reading of the interval before is missing: when it comes, that interval settles, and only the next one
    after the registration needs erin's."""
    admit_erin(world)
    world.skip_to(at(12, 20))
    assert world.code("registrar", site(world)) == "OK"
    assert world.code("operator", *[world.submit(world.meter("alice", n)) for n in range(NOON - 8, NOON + 1)]) == "OK"
    assert settlement_of(world.state, NOON).stage == Stage.SETTLED
    world.skip_to(at(12, 30) + 1)
    assert world.code("operator", world.submit(world.meter("alice", NOON + 1))) == "OK"
    assert settlement_of(world.state, NOON + 1).stage == Stage.SETTLED
    world.skip_to(at(12, 45) + 1)
    assert world.code("operator", world.submit(world.meter("alice", NOON + 2))) == "OK"
    assert settlement_of(world.state, NOON + 2).stage == Stage.METERING
    assert world.code("operator", world.submit(world.reading("erin", NOON + 2, 900, 100))) == "OK"
    assert settlement_of(world.state, NOON + 2).stage == Stage.SETTLED
    statement = world.state.rows[STATEMENTS.prefix][interval_key(NOON + 2) + ERIN]
    assert (statement.import_wh, statement.export_wh) == (200, 0)


@pytest.mark.parametrize("changes", [{"licence": 6}, {"kyc": 4}, {"licence": 255}])
def test_classes_that_do_not_exist(world: World, changes: dict[str, int]) -> None:
    assert world.code("registrar", participant(**changes)) == "CLASS_UNKNOWN"
