"""The faucet of a development market: on a whole chain in this process, through losses and restarts."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gridtokenx.client.errors import TransportError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway.faucet import FaucetQuestion, FaucetReply
from gridtokenx.gateway.page_documents import FaucetAnswer
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.quantities import INTERVAL_MS, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Licence
from gridtokenx.modules.identity.state import PARTICIPANTS, PORTFOLIOS
from gridtokenx.modules.market.messages import PlaceOrder, Side, TimeInForce
from gridtokenx.modules.settlement.state import Quality, Statement
from gridtokenx.simulation import faucet as faucet_module
from gridtokenx.simulation.driver import STEP_MS, Driver, DriverState
from gridtokenx.simulation.engine_market import EngineMarket
from gridtokenx.simulation.faucet import GIFT_MICRO, Faucet, FaucetRefused, Keys
from gridtokenx.simulation.faucet_desk import FaucetDesk
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.report import Recorder, invariant_breaches
from gridtokenx.simulation.scenario import Scenario, load_scenario
from gridtokenx.simulation.visitors import FLAT, SOLAR_HOME, Sent, Visitor, Visitors

SCENARIOS = Path(__file__).parents[3] / "scenarios"
_decode_receipt: Decoder[Receipt] = Decoder(Receipt)


class TownMarket(EngineMarket):
    """The chain, and the two questions more that the faucet asks. Loses what it is told to."""

    def __init__(self, scenario: Scenario) -> None:
        self.recorder = Recorder()
        self.times: dict[bytes, int] = {}
        self.lose = 0
        super().__init__(make_genesis(scenario), None, self._note)

    def _note(self, _: State, outcome: BlockOutcome) -> None:
        self.recorder.record(outcome)
        for batch in outcome.batches:
            for receipt in batch.receipts:
                self.times[_decode_receipt.trusted(receipt).transaction] = outcome.header.time_ms

    def exists(self, account: bytes) -> bool:
        return account in self.state.rows[ACCOUNTS.prefix]

    def block_time_ms(self, transaction_id: bytes) -> int:
        return self.times[transaction_id]

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        if self.lose:
            self.lose -= 1
            return
        super().submit(transactions)


class Town:
    """A market with its sites' side and its faucet; `restart` forgets all but what was saved."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.genesis = scenario, make_genesis(scenario)
        self.market = TownMarket(scenario)
        self.kept = b""
        self.restart()

    def restart(self) -> None:
        state = msgspec.msgpack.decode(self.kept, type=DriverState) if self.kept else None
        self.driver = Driver(self.scenario, self.genesis, self.market, state=state, save=self._save)
        self.faucet = Faucet(self.scenario, self.genesis, self.market, self.driver.visitors, self.driver.keep)

    def _save(self, state: DriverState) -> None:
        self.kept = msgspec.msgpack.encode(state)

    def minutes(self, count: int, restart_every: int = 0) -> None:
        for minute in range(1, count + 1):
            self.market.advance(self.market.time_ms() + STEP_MS)
            self.faucet.tend()
            self.driver.step()
            if restart_every and minute % restart_every == 0:
                self.restart()

    def join(self, name: str, profile: str = SOLAR_HOME) -> FaucetAnswer:
        return self.faucet.join(keys_of(name), profile)

    def statements(self, answer: FaucetAnswer) -> dict[int, Statement]:
        portfolio = bytes.fromhex(answer.portfolio)
        return {
            int.from_bytes(key[:4], "big"): line
            for key, line in self.market.recorder.statements.items()
            if key[4:] == portfolio
        }


def wallet(name: str) -> Wallet:
    return Wallet([PrivateKey(name.encode().ljust(32, b"\0"))])


def keys_of(name: str) -> Keys:
    own = wallet(name).keys
    return Keys(own.algorithm, own.threshold, own.keys)


@pytest.fixture
def town() -> Town:
    return Town(load_scenario(SCENARIOS / "two-neighbours"))


def test_a_visitor_gets_account_site_and_money(town: Town) -> None:
    town.minutes(20)
    answer = town.join("ann")
    assert answer.account == wallet("ann").account.hex() and not answer.joined and answer.first_interval is None
    town.minutes(2)
    joined = town.join("ann")
    assert joined.joined and joined.transactions == answer.transactions
    rows = town.market.state.rows
    account = rows[ACCOUNTS.prefix][wallet("ann").account]
    assert (account.balance_micro, account.participant.hex()) == (GIFT_MICRO, answer.participant)
    portfolio = rows[PORTFOLIOS.prefix][bytes.fromhex(answer.portfolio)]
    assert (portfolio.import_w, portfolio.export_w[0]) == (answer.import_w, answer.solar_w)
    assert rows[PARTICIPANTS.prefix][account.participant].licence == Licence.SANDBOX
    assert joined.first_interval == interval_of(town.market.times[bytes.fromhex(answer.transactions[0])]) + 1
    assert town.join("ann") == joined and len(town.driver.visitors) == 1
    assert town.join("bob", FLAT).solar_w == 0
    assert invariant_breaches(town.market.state) == []


def test_its_meter_counts_a_recorded_home_through_restarts_and_losses(town: Town) -> None:
    """Whenever the process ends and whatever is lost: every interval is measured, with the same rows."""
    town.minutes(120)
    answers = [town.join("ann"), town.join("bob", FLAT)]
    for minute in range(60 * 26):
        town.market.lose = 2 if minute % 50 == 7 else town.market.lose
        town.minutes(1, restart_every=1 if minute % 17 == 3 else 0)
    joined = [town.join("ann"), town.join("bob", FLAT)]
    homes = {site.name: site for site in town.scenario.sites}
    for answer in joined:
        first = answer.first_interval
        assert first is not None and answer.recording.home in homes
        lines = {
            number: line for number, line in town.statements(answer).items() if number < town.scenario.end_interval
        }
        assert sorted(lines) == list(range(first, town.scenario.end_interval))
        source = town.driver.visitors.source(visitor_of(town, answer))
        for number, line in lines.items():
            net_wh = (
                source.net_export_wh(town.driver._community, number) if number >= town.scenario.first_interval else 0
            )
            assert (line.import_wh, line.export_wh) == (max(0, -net_wh), max(0, net_wh))
            assert line.quality == Quality.MEASURED
        assert sum(line.import_wh for line in lines.values()) > 500
    solar, flat = (sum(line.export_wh for line in town.statements(answer).values()) for answer in joined)
    assert solar > 0 and flat == 0
    assert [answer.transactions for answer in joined] != [] and len(answers) == 2
    assert town.driver.refused_readings == 0 or not town.market.recorder.alarms
    assert invariant_breaches(town.market.state) == []


def visitor_of(town: Town, answer: FaucetAnswer) -> Visitor:
    found = town.driver.visitors.find(bytes.fromhex(answer.account))
    assert found is not None
    return found


def test_nobody_is_registered_or_paid_twice(town: Town) -> None:
    """Killed between any two steps: sent again are the same bytes, or new ones once the old can count no more."""
    supplier = town.genesis.organisations["residual-supplier"].account
    before = town.market.state.rows[ACCOUNTS.prefix][supplier].balance_micro
    town.minutes(5)
    for number in range(6):
        town.market.lose = number % 3
        town.join(f"visitor {number}")
        town.restart()
        town.join(f"visitor {number}")
        town.minutes(number * 2, restart_every=1)
    town.minutes(30)
    rows = town.market.state.rows[ACCOUNTS.prefix]
    assert [rows[wallet(f"visitor {number}").account].balance_micro for number in range(6)] == [GIFT_MICRO] * 6
    assert before - rows[supplier].balance_micro == 6 * GIFT_MICRO
    assert all(town.join(f"visitor {number}").joined for number in range(6))


def test_who_waits_for_ever_keeps_nobody_waiting(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faucet_module, "TENDED_AT_ONCE", 2)
    town.minutes(5)
    for number in range(3):
        town.join(f"stuck {number}")
        # Nobody signs for these any more: their transactions never come, and no new ones are tried.
        stuck = town.driver.visitors.find(wallet(f"stuck {number}").account)
        assert stuck is not None
        lost = Sent(bytes(32), b"", 1, 0, attempts=99)
        town.driver.visitors.put(msgspec.structs.replace(stuck, registration=lost, gift=lost))
    town.join("ann")
    town.minutes(8)
    assert town.join("ann").joined and not town.join("stuck 0").joined


def test_a_visitor_trades_like_everybody(town: Town) -> None:
    town.minutes(100)
    answer = town.join("cat", FLAT)
    town.minutes(2)
    wanted = interval_of(town.market.time_ms()) + 40
    order = PlaceOrder(
        bytes.fromhex(answer.portfolio),
        bytes(8),
        wanted,
        Side.BUY,
        5_700_000,
        100,
        ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        post_only=False,
        market=False,
    )
    own = wallet("cat")
    own.nonces.learn(0)
    town.market.submit([own.sign(town.genesis.chain, town.market.time_ms(), [order])])
    town.minutes(1)
    assert town.market.state.rows[ACCOUNTS.prefix][own.account].held_micro > 0


def test_it_says_when_it_is_over(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert town.faucet.view().open and town.faucet.view().profiles == [SOLAR_HOME, FLAT]
    monkeypatch.setattr(faucet_module, "VISITORS_MAX", 1)
    town.join("ann")
    view = town.faucet.view()
    assert not view.open and "taken" in view.sentence and view.visitors == 1
    with pytest.raises(FaucetRefused, match="taken"):
        town.join("bob")
    assert town.join("ann").account == wallet("ann").account.hex()
    monkeypatch.setattr(faucet_module, "VISITORS_MAX", 200)
    town.market.advance(town.scenario.end_interval * INTERVAL_MS)
    assert "over" in town.faucet.view().sentence
    with pytest.raises(FaucetRefused, match="over"):
        town.join("bob")


def test_nonsense_gets_nothing(town: Town) -> None:
    owner = next(iter(town.genesis.connections.values())).owner.wallet().keys
    for keys, profile, code in (
        (keys_of("ann"), "castle", 900),
        (Keys(0, 1, (bytes(32),)), FLAT, 900),
        (Keys(0, 2, keys_of("ann").keys), FLAT, 900),
        (Keys(7, 1, keys_of("ann").keys), FLAT, 900),
        (Keys(0, 1, ()), FLAT, 900),
        (Keys(0, 1, (b"short",)), FLAT, 900),
        (Keys(owner.algorithm, owner.threshold, owner.keys), FLAT, 940),
    ):
        with pytest.raises(FaucetRefused) as refused:
            town.faucet.join(keys, profile)
        assert refused.value.code == code
    assert len(town.driver.visitors) == 0


def test_what_was_kept_before_there_were_visitors_can_be_read() -> None:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    kept: list[DriverState] = []
    driver = Driver(scenario, make_genesis(scenario), TownMarket(scenario), save=kept.append)
    driver.keep()
    document = msgspec.to_builtins(kept[0])
    del document["visitors"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=DriverState) == kept[0]


def test_rows_of_a_recording_a_week_earlier_fit_the_connection() -> None:
    """Of many accounts: no reading is above what the site can, and nobody sees what is still to come."""
    scenario = load_scenario(SCENARIOS / "community-week")
    driver = Driver(scenario, make_genesis(scenario), TownMarket(scenario))
    visitors: Visitors = driver.visitors
    homes = set()
    for number in range(200):
        profile = (SOLAR_HOME, FLAT)[number % 2]
        source = visitors.source(Visitor(number.to_bytes(32, "big"), 0, 1, (), profile))
        homes.add(source.home)
        assert source.days_earlier == 7 and source.home != "office-floor"
        for interval in range(scenario.first_interval, scenario.end_interval, 7):
            if interval - 7 * 96 < scenario.first_interval:
                net_wh = source.net_export_wh(driver._community, interval)
                assert -source.import_w // 4 <= net_wh <= source.solar_w // 4
    assert len(homes) > 8
    with pytest.raises(ValueError, match="has not happened"):
        driver._community.recorded_wh("home-01", scenario.first_interval)


def test_the_desk_answers_line_by_line(town: Town, tmp_path: Path) -> None:
    class Silent:
        def view(self) -> None:
            raise TransportError("nobody there")

    def ask(desk: FaucetDesk, line: bytes) -> FaucetReply:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "desk.sock"))
            sender = threading.Thread(target=client.sendall, args=(line,))
            sender.start()
            desk.serve()
            sender.join()
            return msgspec.json.decode(client.makefile("rb").readline(), type=FaucetReply)

    desk = FaucetDesk(tmp_path / "desk.sock", town.faucet)
    view = ask(desk, msgspec.json.encode(FaucetQuestion("view")) + b"\n").view
    assert view is not None and view.open
    own = keys_of("ann")
    question = FaucetQuestion("join", own.algorithm, own.threshold, [key.hex() for key in own.keys], FLAT)
    joined = ask(desk, msgspec.json.encode(question) + b"\n").joined
    assert joined is not None and joined.account == wallet("ann").account.hex()
    question.profile = "castle"
    question.keys = [key.hex() for key in keys_of("eve").keys]
    assert ask(desk, msgspec.json.encode(question) + b"\n").code == 900
    question.keys = ["zz"]
    assert ask(desk, msgspec.json.encode(question) + b"\n").code == 900
    assert ask(desk, b"nonsense\n").code == 900
    assert ask(desk, b"x" * 16_384).code == 900
    desk.close()
    assert not (tmp_path / "desk.sock").exists()
    silent = FaucetDesk(tmp_path / "desk.sock", Silent())  # type: ignore[arg-type]
    assert ask(silent, b'{"kind": "view"}\n').code == 941
    silent.close()
