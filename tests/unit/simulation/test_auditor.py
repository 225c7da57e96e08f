"""The auditor finds what it is there for: each kind of lie, told in one record of a true story."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.consortium import Consortium
from tests.invariants import Watch
from tests.traffic import Traffic, founded
from tests.world import NOON, WATT, Founding, World, at, buy, pseudonym, sell

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.genesis import genesis_rows
from gridtokenx.ledger.quantities import interval_end_ms, interval_key
from gridtokenx.ledger.schedule import SET_ASIDE, SetAside
from gridtokenx.ledger.state import Table
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import EnrolMaker, MakerTerms, PlaceBlockOrder, Side, TimeInForce
from gridtokenx.modules.market.state import DUES, MAKER_DUTIES, ORDERS, POSITIONS, MakerDuty, Trade, Verdict
from gridtokenx.modules.settlement.state import PAYABLES, REGISTERS, SETTLEMENTS, STATEMENTS, Payable
from gridtokenx.modules.tokens.state import MONEY
from gridtokenx.simulation import audit_trades
from gridtokenx.simulation.auditor import WATCHED, Auditor

Changes = list[tuple[bytes, bytes | None]]
decode_trade = audit_trades._decode_trade


@pytest.fixture(scope="module")
def story() -> tuple[World, list[tuple[Block, BlockOutcome]]]:
    """Some hours of traffic, with every outcome."""
    world = founded()
    told: list[tuple[Block, BlockOutcome]] = []
    world.watchers.append(lambda block, outcome: told.append((block, outcome)))
    for _ in Traffic(world, 5, (60_000, 240_000)).steps(150):
        pass
    return world, told


def audited(story: tuple[World, Any], lie: Callable[[Block, BlockOutcome], BlockOutcome | None]) -> list[str]:
    """What the auditor finds when the first block to which the lie applies is told with it."""
    world, told = story
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    for block, outcome in told:
        changed = lie(block, outcome)
        findings = auditor.check_block(block, changed or outcome)
        if changed is not None:
            assert all(f"block {block.height}: " in finding for finding in findings)
            return findings
        assert not findings
    pytest.fail("no block could be told with this lie")


def with_record(
    table: Table[Any], change: Callable[[Any], Any]
) -> Callable[[Block, BlockOutcome], BlockOutcome | None]:
    """The first record of the table for which `change` gives another one."""

    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        for place, (key, data) in enumerate(outcome.changes):
            if key[0] != table.prefix or data is None:
                continue
            record = table.decode(data)
            changed = change(record)
            if changed not in (None, record):
                changes: Changes = [*outcome.changes[:place], (key, encode(changed)), *outcome.changes[place + 1 :]]
                return replace(outcome, changes=changes)
        return None

    return lie


def with_trade(change: Callable[[Trade], Trade]) -> Callable[[Block, BlockOutcome], BlockOutcome | None]:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        if not outcome.trades:
            return None
        changed = encode(change(decode_trade(outcome.trades[0])))
        return replace(outcome, trades=(changed, *outcome.trades[1:]))

    return lie


def more(name: str, by: int = 1) -> Callable[[Any], Any]:
    """The record with a little more of one field."""
    return lambda record: msgspec.structs.replace(record, **{name: getattr(record, name) + by})


def test_the_truth_has_no_findings(story: tuple[World, Any]) -> None:
    world, told = story
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    for block, outcome in told:
        assert auditor.check_block(block, outcome) == []
    assert auditor.check_state(tuple(genesis_rows("consortium", world.export()))) == []
    assert sum(len(outcome.trades) for _, outcome in told) > 20
    assert any(outcome.summary.settled_wh for _, outcome in told)


def test_what_a_transaction_opened_that_was_taken_back_was_never_there(story: tuple[World, Any]) -> None:
    """The changes of its block name such a record as absent, of whatever table."""

    def told_as_absent(block: Block, outcome: BlockOutcome) -> BlockOutcome:
        never_there: Changes = [(bytes([table.prefix]) + b"\xff" * 40, None) for table in WATCHED]
        return replace(outcome, changes=[*outcome.changes, *never_there])

    assert audited(story, told_as_absent) == []


def test_an_application_that_is_taken_back_leaves_nothing_to_find() -> None:
    consortium = Consortium()
    watch = Watch(consortium.world)
    application = consortium.application("newcomer")
    assert consortium.do("newcomer", application, application) == "MEMBER_EXISTS"
    watch.finish()


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (with_record(ACCOUNTS, more("balance_micro")), "the supply is"),
        (with_record(ACCOUNTS, more("held_micro")), "its orders, trades and stakes need"),
        (with_record(ACCOUNTS, more("debt_micro")), "its history explains"),
        (with_record(ACCOUNTS, more("debt_micro")), "has free money"),
        (with_record(MONEY, more("supply_micro")), "supply went from"),
        (with_record(ORDERS, more("remaining_wh")), "open orders sum to"),
        (with_record(ORDERS, more("price_micro", 1_000)), "its orders, trades and stakes need"),
        (with_record(POSITIONS, more("bought_wh")), "its trades give"),
        (with_record(POSITIONS, more("sale_fee_micro")), "its trades give"),
        (with_record(POSITIONS, more("open_buy_wh")), "open orders sum to"),
        (with_record(POSITIONS, more("collateral_micro", 10)), "its orders, trades and stakes need"),
        (with_record(DUES, more("amount_micro")), "the trades give"),
        (with_record(STATEMENTS, more("import_wh")), "contract and meter give"),
        (with_record(STATEMENTS, more("charge_micro")), "contract and meter give"),
        (with_record(STATEMENTS, more("credit_micro")), "contract and meter give"),
        (with_trade(more("price_micro", 1_000)), "not at the resting order's price"),
        (with_trade(more("price_micro", -(10**6))), "below the seller's limit"),
        (with_trade(more("price_micro", 10**8)), "above the buyer's limit"),
        (with_trade(more("wheeling_micro")), "wheeling"),
        (with_trade(more("quantity_wh")), "its trades give"),
        (with_trade(more("source")), "did not accept"),
        (with_trade(lambda trade: msgspec.structs.replace(trade, seller=trade.buyer)), "no such orders"),
    ],
)
def test_a_lie_is_found(story: tuple[World, Any], lie: Any, said: str) -> None:
    findings = audited(story, lie)
    assert any(said in finding for finding in findings), findings


def test_a_trade_that_is_left_out_is_missed(story: tuple[World, Any]) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        return replace(outcome, trades=outcome.trades[1:]) if outcome.trades else None

    findings = "\n".join(audited(story, lie))
    assert "the summary says" in findings and "its trades give" in findings


@pytest.mark.parametrize("name", ["traded_wh", "traded_micro", "metered_import_wh", "settled_wh", "settled_micro"])
def test_a_wrong_summary_is_found(story: tuple[World, Any], name: str) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        if not getattr(outcome.summary, name):
            return None
        return replace(outcome, summary=more(name)(outcome.summary))

    assert any("the summary says" in finding for finding in audited(story, lie))


def test_money_that_changes_hands_without_a_reason_is_found(story: tuple[World, Any]) -> None:
    """Balances still sum to the supply; but no transfer, trade or statement explains the two."""

    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        places = [
            place for place, (key, data) in enumerate(outcome.changes) if key[0] == ACCOUNTS.prefix and data is not None
        ]
        if len(places) < 2:
            return None
        changes = list(outcome.changes)
        for place, by in zip(places[:2], (-1, 1), strict=True):
            key, data = changes[place]
            assert data is not None
            changes[place] = (key, encode(more("balance_micro", by)(ACCOUNTS.decode(data))))
        return replace(outcome, changes=changes)

    findings = audited(story, lie)
    assert sum("its history explains" in finding for finding in findings) == 2, findings


def test_a_settlement_that_goes_on_without_paying_is_found(story: tuple[World, Any]) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        if not outcome.summary.settled_micro:
            return None
        kept = [change for change in outcome.changes if change[0][0] != ACCOUNTS.prefix]
        return replace(outcome, changes=kept)

    findings = "\n".join(audited(story, lie))
    assert "its history explains" in findings


def test_a_payable_that_the_supplier_does_not_owe_is_found(story: tuple[World, Any]) -> None:
    payable = (bytes([PAYABLES.prefix]) + story[0].accounts["home-1"], encode(Payable(1, 0)))

    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome:
        return replace(outcome, changes=[*outcome.changes, payable])

    assert any("its payables are" in finding for finding in audited(story, lie))


def test_registers_that_do_not_follow_those_before_are_found(story: tuple[World, Any]) -> None:
    """Of an interval that was settled in this block, lifted without a reason."""

    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        settled = {key[1:5] for key, data in outcome.changes if key[0] == STATEMENTS.prefix and data is not None}
        for place, (key, data) in enumerate(outcome.changes):
            if key[0] == REGISTERS.prefix and data is not None and key[1:5] in settled:
                changed = (key, encode(more("lift_wh")(REGISTERS.decode(data))))
                return replace(outcome, changes=[*outcome.changes[:place], changed, *outcome.changes[place + 1 :]])
        return None

    assert any("cannot follow" in finding for finding in audited(story, lie))


def test_a_correction_that_stops_too_early_is_found() -> None:
    """The registers after an interval changed, and the next interval's statement did not, with nothing left to do."""
    founding = Founding(time_ms=at(11, 50))
    founding.add_home("alice")
    world = founding.start()
    told: list[tuple[Block, BlockOutcome]] = []
    world.watchers.append(lambda block, outcome: told.append((block, outcome)))
    world.meter("alice", NOON, 1_000)
    for number, import_wh in ((NOON + 1, 500), (NOON + 2, 0)):
        world.skip_to(interval_end_ms(number) + 1)
        world.do("operator", world.submit(world.meter("alice", number, import_wh)))
    world.skip_to(at(12, 46))
    world.do("operator", world.submit(world.reading("alice", NOON, 1_000, 0)))
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    for block, outcome in told[:-1]:
        assert not auditor.check_block(block, outcome)
    block, outcome = told[-1]
    following = interval_key(NOON + 1) + pseudonym("alice")
    kept = [change for change in outcome.changes if change[0][1:] != following]
    assert len(kept) < len(outcome.changes)
    findings = auditor.check_block(block, replace(outcome, changes=kept))
    assert any("contract and meter give" in finding for finding in findings)


def test_work_that_was_set_aside_is_told(story: tuple[World, Any]) -> None:
    key = bytes([SET_ASIDE.prefix]) + bytes(12)

    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome:
        return replace(outcome, changes=[*outcome.changes, (key, encode(SetAside(1, 1)))])

    assert any("set aside" in finding for finding in audited(story, lie))


def test_an_order_that_vanishes_keeps_nothing_held(story: tuple[World, Any]) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        gone = {key for key, data in outcome.changes if key[0] == ORDERS.prefix and data is not None}
        if not gone:
            return None
        changes = [(key, None if key in gone else data) for key, data in outcome.changes]
        return replace(outcome, changes=changes)

    assert any("its orders, trades and stakes need" in finding for finding in audited(story, lie))


def test_debt_and_payable_at_once_are_found(story: tuple[World, Any]) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        indebted = [
            key[1:]
            for key, data in outcome.changes
            if key[0] == ACCOUNTS.prefix and data is not None and ACCOUNTS.decode(data).debt_micro
        ]
        if not indebted:
            return None
        payable = (bytes([PAYABLES.prefix]) + indebted[0], encode(Payable(1, 0)))
        return replace(outcome, changes=[*outcome.changes, payable])

    assert any("set off" in finding for finding in audited(story, lie))


@pytest.mark.parametrize("table", [ACCOUNTS, ORDERS, POSITIONS, STATEMENTS, SETTLEMENTS], ids=lambda table: table.name)
def test_the_full_look_finds_a_state_that_is_not_what_was_followed(story: tuple[World, Any], table: Table[Any]) -> None:
    world, told = story
    auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", world.genesis)))
    for block, outcome in told:
        auditor.check_block(block, outcome)
    rows = list(genesis_rows("consortium", world.export()))
    place = next(place for place, (key, _) in enumerate(rows) if key[0] == table.prefix)
    del rows[place]
    assert any(table.name in finding for finding in auditor.check_state(rows))


def test_it_watches_every_table_that_holds_money_or_energy() -> None:
    unwatched = {table.name for table in CONSORTIUM.tables.values()} - {table.name for table in WATCHED}
    assert unwatched == {
        *("rotated_keys", "pending_keys", "nodes", "batches", "stale_trades"),
        *("validators", "rotation", "past_freezes", "former_keys", "misdeeds", "key_owners"),
        *("proposals", "proposal_count", "ballots", "consortium_terms", "conduct", "epoch", "checkpoints"),
        *("service_days", "maker_programmes"),
        *("used_references", "terms_version", "holidays", "last_measured", "same_quarter", "reopened"),
    }


@pytest.fixture(scope="module")
def makers_story() -> tuple[World, list[tuple[Block, BlockOutcome]]]:
    """A maker keeps its duty at noon, and its resting sale is met."""
    founding = Founding(time_ms=at(10, 45))
    founding.add_dealer("dora", 11, 20_000, 20_000, 1_000_000_000)
    founding.add_home("alice", 11, import_w=40_000)
    founding.builder.add_maker_programme(1, MakerTerms(500_000, 1_000, 900, 3_600_000, 500_000, 2, 200))
    world = founding.start()
    told: list[tuple[Block, BlockOutcome]] = []
    world.watchers.append(lambda block, outcome: told.append((block, outcome)))
    world.do("dora", EnrolMaker(pseudonym("dora")))
    world.do("dora", buy("dora", 1_000, NOON, 3_200_000, "bid"))
    world.do("dora", sell("dora", 3_000, NOON, 3_500_000, "ask", source=Source.CONVENTIONAL))
    world.skip_to(at(11, 12))
    world.do("alice", buy("alice", 1_000, NOON, 4_000_000))
    world.skip_to(at(12, 1))
    return world, told


def judged(change: Callable[[MakerDuty], MakerDuty]) -> Callable[[MakerDuty], MakerDuty | None]:
    """Of the duty that was kept."""
    return lambda duty: change(duty) if duty.verdict == Verdict.KEPT else None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (judged(more("held_ms", -1)), "was present for"),
        (judged(more("held_ms")), "was present for"),
        (judged(more("verdict")), "ought to be"),
        (judged(more("rebate_micro")), "instead of"),
        (more("fees_micro", 2), "has fees of"),
    ],
)
def test_it_measures_makers_by_itself(makers_story: tuple[World, Any], change: Any, said: str) -> None:
    findings = audited(makers_story, with_record(MAKER_DUTIES, change))
    assert any(said in finding for finding in findings), findings


def test_a_rebate_is_looked_for_in_what_is_owed_to_the_pool(makers_story: tuple[World, Any]) -> None:
    def lie(block: Block, outcome: BlockOutcome) -> BlockOutcome | None:
        if block.time_ms < at(11, 55):
            return None
        return with_record(DUES, more("amount_micro"))(block, outcome)

    assert any("the trades give" in finding for finding in audited(makers_story, lie))


@pytest.fixture(scope="module")
def blocks_story() -> tuple[World, list[tuple[Block, BlockOutcome]]]:
    """Two block orders of two intervals that meet."""
    founding = Founding(time_ms=at(10))
    founding.add_home("alice", 11, {Source.SOLAR: 40_000})
    founding.add_home("bob", 11, import_w=40_000)
    world = founding.start()
    told: list[tuple[Block, BlockOutcome]] = []
    world.watchers.append(lambda block, outcome: told.append((block, outcome)))
    world.do("alice", block_order("alice", Side.SELL, 3 * WATT, int(Source.SOLAR)))
    world.do("bob", block_order("bob", Side.BUY, 4 * WATT, ANY_SOURCE_MASK))
    return world, told


def block_order(who: str, side: Side, price_micro: int, source: int, name: str = "block") -> PlaceBlockOrder:
    """A kilowatt-hour in each of the two intervals from noon."""
    force = int(TimeInForce.GOOD_TILL_GATE)
    return PlaceBlockOrder(pseudonym(who), pseudonym(name), NOON, 2, int(side), price_micro, 1_000, source, force, 0)


@pytest.mark.parametrize(
    "lie",
    [
        with_trade(more("quantity_wh", -100)),
        lambda block, outcome: replace(outcome, trades=outcome.trades[:1]) if outcome.trades else None,
    ],
    ids=["less of one interval", "one interval alone"],
)
def test_a_block_order_that_trades_in_part_is_found(blocks_story: tuple[World, Any], lie: Any) -> None:
    assert any("block order" in finding and "traded" in finding for finding in audited(blocks_story, lie))


def test_a_name_that_a_block_order_takes_from_an_order_that_was_met_in_its_block_is_no_lie() -> None:
    founding = Founding(time_ms=at(10))
    founding.add_home("alice", 11, {Source.SOLAR: 40_000}, balance_micro=1_000 * WATT)
    founding.add_home("bob", 11, import_w=40_000, balance_micro=1_000 * WATT)
    world = founding.start()
    watch = Watch(world)
    taken = []
    for number in range(12):  # in half of the blocks the draw lets the purchase be first
        name = f"name {number}"
        world.do("alice", sell("alice", 100, NOON, 3 * WATT, name))
        again = world.sign("alice", block_order("alice", Side.SELL, 9 * WATT, int(Source.SOLAR), name))
        taken.append(world.run(world.sign("bob", buy("bob", 100, NOON, 4 * WATT, name)), again)[1].code == 0)
        world.block()
    watch.finish()
    assert any(taken) and not all(taken)
