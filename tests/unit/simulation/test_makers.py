"""A dealer that is a maker in a community (B6): how it quotes, and a day that the auditor reads."""

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from tests.unit.cli.market_thread import market_thread
from tests.unit.cli.test_maker_command import quoting
from tests.unit.gateway.market import NODE_SEED
from tests.world import NOON, WATT, at, pseudonym

from gridtokenx.client.keys import PrivateKey
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.simulation.agents import MakerAgent
from gridtokenx.simulation.api_market import ApiMarket
from gridtokenx.simulation.genesis import Dealer, OwnedAccount, market_terms
from gridtokenx.simulation.observation import (
    AmendIntent,
    BestPrices,
    CancelIntent,
    EnrolIntent,
    MeterHistory,
    Observation,
    OpenOrder,
    PlaceIntent,
    Side,
    Source,
)
from gridtokenx.simulation.scenario import MakerProgrammeTable, MakerTable, ScenarioError, load_scenario
from gridtokenx.simulation.simulate import run_simulation

SCENARIO = load_scenario(Path(__file__).parents[3] / "scenarios" / "two-neighbours")
SETTINGS = MakerTable(
    name="maker-1", licence_wh=2_000, money_watt=5_000, quote_wh=500, spread_micro=200_000, horizon_intervals=4
)
PROGRAMME = MakerProgrammeTable(
    spread_micro=300_000, size_wh=300, presence_permille=700, window_minutes=60, rebate_permille=500
)
TERMS = market_terms(SCENARIO)
FIRST = NOON + 1
TIME_MS = at(12)


def seen(
    best: dict[int, BestPrices] | None = None,
    orders: tuple[OpenOrder, ...] = (),
    positions_wh: dict[int, int] | None = None,
    free_micro: int = 1_000 * WATT,
) -> Observation:
    history = MeterHistory(FIRST, (), (), 0, FIRST)
    return Observation(TIME_MS, history, orders, positions_wh or {}, {}, FIRST + 1, free_micro, best or {})


def placed(observation: Observation) -> dict[Side, PlaceIntent]:
    intents = MakerAgent(SETTINGS, TERMS).decide(observation)
    assert isinstance(intents[0], EnrolIntent)
    return {intent.side: intent for intent in intents if isinstance(intent, PlaceIntent)}


def test_it_stands_on_both_sides_of_the_middle_of_the_others() -> None:
    own = placed(seen({FIRST: BestPrices(3_200_000, 4_000_000)}))
    # Their purchase stands at 3.00 at the feeder: the middle is 3.50, the spread 0.20.
    assert (own[Side.BUY].price_micro, own[Side.SELL].price_micro) == (3_600_000, 3_600_000)
    assert (own[Side.BUY].source, own[Side.SELL].source) == (Source.ANY, Source.CONVENTIONAL)
    assert {intent.quantity_wh for intent in own.values()} == {500}


def test_without_others_it_takes_what_they_have_elsewhere() -> None:
    own = placed(seen())
    tariff = TERMS.tariff.price_micro(FIRST)
    assert TERMS.tariff.buy_back_micro < own[Side.BUY].price_micro - TERMS.wheeling_micro < own[Side.SELL].price_micro
    assert own[Side.SELL].price_micro < tariff


def test_a_position_shifts_both_prices_and_ends_a_side() -> None:
    best = {FIRST: BestPrices(3_200_000, 4_000_000)}
    flat, short = placed(seen(best)), placed(seen(best, positions_wh={FIRST: 1_000}))
    long = placed(seen(best, positions_wh={FIRST: -2_000}))
    for side in Side:
        assert short[side].price_micro > flat[side].price_micro
    assert set(long) == {Side.SELL}
    assert long[Side.SELL].price_micro < flat[Side.SELL].price_micro


def test_it_amends_what_changed_and_leaves_what_did_not() -> None:
    best = {FIRST: BestPrices(3_200_000, 4_000_000)}
    resting = (
        OpenOrder(b"bid", FIRST, Side.BUY, Source.ANY, 3_600_000, 500),
        OpenOrder(b"ask", FIRST, Side.SELL, Source.CONVENTIONAL, 3_600_000, 300),
    )
    _, *intents = MakerAgent(SETTINGS, TERMS).decide(seen(best, resting))
    assert intents == [AmendIntent(b"ask", 3_600_000, 500)]
    _, *intents = MakerAgent(SETTINGS, TERMS).decide(seen(best, resting[:1], {FIRST: -2_000}))
    assert CancelIntent(b"bid") in intents


def test_without_money_it_places_nothing() -> None:
    assert placed(seen(free_micro=0)) == {}


def test_a_day_with_a_maker_adds_up_and_pays_rebates() -> None:
    scenario = msgspec.structs.replace(SCENARIO, makers=(SETTINGS,), maker_programme=PROGRAMME)
    result = run_simulation(scenario, days=1, check=True)
    assert result.report.breaches == () and result.report.alarms == ()
    assert "maker-1" in {party.name for party in result.report.parties}
    assert sum(result.record.recorder.rebates_micro.values()) > 0


def test_through_a_gateway_it_sees_the_others_best_prices(tmp_path: Path) -> None:
    world = quoting()
    create_data_folder(tmp_path / "data", world.export(), NODE_SEED)
    keys = {"dora": PrivateKey(sha256(b"dora/0").digest())}
    owner = OwnedAccount(world.accounts["dora"], pseudonym("dora"), 1, keys)
    dealer = Dealer(SETTINGS, owner, pseudonym("dora"))
    with market_thread(tmp_path, tmp_path / "data") as market, market.client() as client:
        best = ApiMarket(client).best_prices(dealer, NOON, NOON + 1)
    assert best == {NOON: BestPrices(None, None)}


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("quote_wh = 500", "quote_wh = 3000", "maker[0].quote_wh"),
        ('name = "maker-1"', 'name = "home-06"', "maker[0].name"),
        ("presence_permille = 700", "presence_permille = 1001", "maker_programme.presence_permille"),
        ("[maker_programme]", "[other]", "other"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, old: str, new: str, place: str) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in ("meters.csv", "sky.csv"):
        (folder / file).write_bytes((SCENARIO.meters_path.parent / file).read_bytes())
    tables = [f"{name} = {value}" for name, value in msgspec.to_builtins(PROGRAMME).items()]
    maker = [f"{name} = {value!r}".replace("'", '"') for name, value in msgspec.to_builtins(SETTINGS).items()]
    added = "\n".join(["", "[maker_programme]", *tables, "[[maker]]", *maker])
    text = (SCENARIO.meters_path.parent / "scenario.toml").read_text(encoding="utf-8") + added
    (folder / "scenario.toml").write_text(text, encoding="utf-8")
    assert load_scenario(folder).makers == (SETTINGS,)
    (folder / "scenario.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ScenarioError, match=place.replace("[", r"\[").replace("]", r"\]")):
        load_scenario(folder)
