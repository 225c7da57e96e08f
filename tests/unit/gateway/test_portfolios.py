"""What aggregators, their members and strangers see of a portfolio."""

import asyncio
from pathlib import Path
from typing import Any

from tests.aggregator import SITES, WEDNESDAY_NOON, go_on, report, trade, wednesday
from tests.unit.gateway.market import NODE_SEED, Market, opened_market
from tests.world import World, at, pseudonym

from gridtokenx.engine.folder import create_data_folder
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import JoinPortfolio, LeavePortfolio, SplitKind, SplitRule
from gridtokenx.modules.settlement.state import SPLITS, STATEMENTS

METERED = {"sun": (100, 1_700), "roof": (0, 600), "flat": (1_234, 0), "bob": (2_500, 1_100)}
POOL = pseudonym("pool").hex()


def settled() -> World:
    """Wednesday 13:05: an interval was traded, and split."""
    world = go_on(wednesday(), SplitRule(SplitKind.METERED, 100_000, 500_000))
    trade(world, WEDNESDAY_NOON, 2_500, 1_100)
    report(world, WEDNESDAY_NOON, METERED)
    world.skip_to(at(13, 5, day=2))
    return world


def play(folder: Path, test: Any) -> None:
    """A market that goes on where the world stands."""
    world = settled()
    create_data_folder(folder / "data", world.export(), NODE_SEED)

    async def life() -> None:
        async with opened_market(folder / "data") as market:
            for name in (*SITES, "hub", "bob"):
                market.wallet(name).nonces.learn(world.nonces.get(name, 0))
            await test(market, world)

    asyncio.run(life())


def test_anybody_sees_what_an_aggregator_offers(tmp_path: Path) -> None:
    async def look(market: Market, world: World) -> None:
        shown = await market.get("/v1/aggregators")
        (one,) = shown["aggregators"]
        assert (one["portfolio"], one["feeder"], one["zone"], one["members"]) == (POOL, 11, 1, 3)
        assert one["rule"] == {"kind": "metered", "commission_ppm": 100_000, "loss_ppm": 500_000}
        assert shown["first_interval"] * 900_000 == at(0, day=4)

    play(tmp_path, look)


def test_owner_and_aggregator_see_members_limits_and_changes(tmp_path: Path) -> None:
    async def look(market: Market, world: World) -> None:
        rule = SplitRule(SplitKind.METERED, 100_000, 500_000)
        assert (await market.run("sun", LeavePortfolio(pseudonym("sun"))))["name"] == "OK"
        assert (await market.run("bob", JoinPortfolio(pseudonym("bob"), pseudonym("pool"), rule)))["name"] == "OK"
        hub = await market.sign_in("hub")
        path = f"/v1/accounts/{world.accounts['hub'].hex()}/portfolios"
        (pool,) = (await market.get(path, hub))["portfolios"]
        assert [(roster["members"], roster["import_w"]) for roster in pool["rosters"]] == [(3, 24_000), (2, 16_000)]
        assert pool["rosters"][0]["export_w"][0] == 12_000
        states = {one["member"]: (one["state"], one["until"]) for one in pool["memberships"]}
        friday = at(0, day=4) // 900_000
        assert states[pseudonym("sun").hex()] == ("member", friday)
        assert states[pseudonym("roof").hex()] == ("member", 0)
        assert states[pseudonym("bob").hex()] == ("asked", 0)
        flat = await market.sign_in("flat")
        (site,) = (await market.get(f"/v1/accounts/{world.accounts['flat'].hex()}/portfolios", flat))["portfolios"]
        assert site["has_site"]
        assert site["rule"] is None
        assert [one["portfolio"] for one in site["memberships"]] == [POOL]
        response = await market.web.get(path, headers={"Authorization": f"Bearer {flat}"})
        assert response.status_code == 403

    play(tmp_path, look)


def test_a_member_can_check_its_share_and_its_bill_has_it(tmp_path: Path) -> None:
    async def look(market: Market, world: World) -> None:
        made = world.state.rows[SPLITS.prefix][interval_key(WEDNESDAY_NOON) + pseudonym("pool")]
        whole = 0
        for name in SITES:
            token = await market.sign_in(name)
            account = f"/v1/accounts/{world.accounts[name].hex()}"
            (split,) = (await market.get(f"{account}/splits", token))["splits"]
            assert split["weight"] == sum(METERED[name])
            assert split["weights"] == made.weight == 1_334 + 2_300
            assert split["gain_micro"] - split["commission_micro"] >= split["shared_micro"]
            left = split["gain_micro"] - split["commission_micro"]
            assert split["share_micro"] == left * split["weight"] // split["weights"]
            whole += split["share_micro"]
            statements = (await market.get(f"{account}/statements", token, limit=1_000))["statements"]
            (line,) = [one for one in statements if one["interval"] == WEDNESDAY_NOON]
            assert line["split_credit_micro"] - line["split_charge_micro"] == split["share_micro"]
            assert split["old_bill_micro"] == line["charge_micro"] - line["credit_micro"]
            bill = (await market.get(f"{account}/bill", token))["total"]
            assert bill["saved_micro"] == split["share_micro"]
        assert whole == made.shared_micro
        token = await market.sign_in("hub")
        account = f"/v1/accounts/{world.accounts['hub'].hex()}"
        (own,) = (await market.get(f"{account}/splits", token))["splits"]
        assert (own["member"], own["share_micro"]) == ("", made.gain_micro - whole)
        bill = (await market.get(f"{account}/bill", token))["total"]
        assert (bill["import_wh"], bill["old_bill_micro"], bill["saved_micro"]) == (0, 0, made.gain_micro - whole)

    play(tmp_path, look)


def test_the_community_counts_each_wh_and_each_baht_once(tmp_path: Path) -> None:
    async def look(market: Market, world: World) -> None:
        sums = market.gateway.model.community.intervals[WEDNESDAY_NOON].sums
        assert (sums.import_wh, sums.export_wh) == (1_334 + 2_500, 2_300 + 1_100)
        assert sums.other_import_wh - sums.other_export_wh + sums.undelivered_wh - sums.unused_wh == (
            sums.import_wh - sums.export_wh
        )
        rows = world.state.rows[STATEMENTS.prefix]
        owed = sum(row.owed_micro() for key, row in rows.items() if key[:4] == interval_key(WEDNESDAY_NOON))
        traded = sum(
            row.purchase_cost_micro - row.sale_proceeds_micro
            for key, row in rows.items()
            if key[:4] == interval_key(WEDNESDAY_NOON)
        )
        assert sums.bill_micro == owed + traded

    play(tmp_path, look)
