"""Who runs the chain, proposals, availability: the routes and metrics of a gateway beside a chain with a past, whose
figures are compared with what the ledger's own state says; and of one without a consortium."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.consortium import Consortium
from tests.consortium_life import (
    BANK,
    BANK_TWO,
    CENTRAL_BANK,
    ESTATES,
    GENERATION,
    LIFE_TERMS,
    METROPOLITAN,
    NORTHEAST,
    SOFTWARE,
    SOLAR,
    WIND,
    live,
    write_folder,
)
from tests.unit.gateway.market import Market, opened_market, story
from tests.world import NODE_ID, pseudonym

from gridtokenx.gateway import authority_views
from gridtokenx.gateway.readmodel import AUTHORITY_TABLES, ReadModel
from gridtokenx.ledger.batch import decode_batch
from gridtokenx.modules.authority.messages import Act, Vote
from gridtokenx.modules.authority.powers import RULES
from gridtokenx.modules.authority.state import SERVICE_DAYS

DAYS = 16


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return live(DAYS)


@pytest.fixture(scope="module")
def folder(consortium: Consortium, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("consortium") / "data"
    write_folder(consortium, data)
    return data


@dataclass
class Still:
    """A market that stands still: nobody lets a block be made."""

    market: Market
    loop: asyncio.AbstractEventLoop

    def ask(self, path: str, **query: Any) -> dict[str, Any]:
        """A document."""
        return self.loop.run_until_complete(self.market.get(path, **query))

    def refused(self, path: str, **query: Any) -> tuple[int, str]:
        """Status and field."""
        answer = self.loop.run_until_complete(self.market.web.get(path, params=query))
        return answer.status_code, answer.json()["field"]


@pytest.fixture(scope="module")
def still(folder: Path) -> Iterator[Still]:
    loop, opened = asyncio.new_event_loop(), opened_market(folder)
    yield Still(loop.run_until_complete(opened.__aenter__()), loop)
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


def test_members_are_told_as_the_ledger_has_them(still: Still, consortium: Consortium) -> None:
    view = still.ask("/v1/authorities")
    assert view["consortium"] is True and view["frozen_since_ms"] is None
    assert (view["height"], view["time_ms"]) == (still.market.height, still.market.time_ms)
    members = {member["name"].removesuffix(" plc"): member for member in view["members"]}
    assert set(members) == {*consortium.members, WIND, SOFTWARE}
    for name, member in members.items():
        record, conduct = consortium.member(name), consortium.conduct(name)
        assert member["member"] == pseudonym(name).hex()
        assert member["standing"].upper() == consortium.standing(name)
        assert member["power"] == (LIFE_TERMS.seat_power if consortium.votes(name) else 0)
        assert (member["tax_id"], member["zone"]) == (record.tax_id, record.zone)
        assert (member["account"], member["node"]) == (record.account.hex(), record.node.hex())
        assert member["reputation_ppm"] == conduct.score_ppm
        assert (member["epoch"]["absent"], member["epoch"]["missed"]) == (conduct.absent, conduct.missed)
        assert member["total"]["absent"] == conduct.absent_total + conduct.absent
        assert member["stake_micro"] == record.stake_micro
    order = [(member["group"], member["name"]) for member in view["members"]]
    groups = ["grid", "trade", "finance", "regulation", "technology"]
    assert order == sorted(order, key=lambda each: (groups.index(each[0]), each[1]))
    assert [each["name"] for each in members[WIND]["attested_by"]] == ["Energy Regulator (example) plc"]
    assert view["terms"]["group_seats"] == list(LIFE_TERMS.group_seats)


def test_availability_of_a_member_is_what_it_missed(still: Still, consortium: Consortium) -> None:
    view = still.ask("/v1/authorities")
    by_name = {member["name"].removesuffix(" plc"): member for member in view["members"]}
    solar, whole, candidate = by_name[SOLAR], by_name[GENERATION], by_name[SOFTWARE]
    assert solar["total"]["absent"] > DAYS
    blocks, absent = solar["total"]["blocks"], solar["total"]["absent"]
    assert solar["total"]["available_ppm"] == (blocks - absent) * 1_000_000 // blocks
    assert whole["total"]["absent"] == 0 and whole["total"]["available_ppm"] == 1_000_000
    # All blocks but the newest, which the next one tells of, and those of doubtful epochs.
    assert whole["total"]["blocks"] == still.market.height - 1
    assert candidate["total"] == {"blocks": 0, "absent": 0, "missed": 0, "available_ppm": None}
    assert candidate["observed_blocks"] >= LIFE_TERMS.observed_blocks
    assert by_name[NORTHEAST]["reputation_ppm"] < 1_000_000


def test_a_double_signer_shows_its_penalty_and_what_was_proved(still: Still, consortium: Consortium) -> None:
    member = still.ask(f"/v1/authorities/{pseudonym(BANK_TWO).hex()}")
    record = consortium.member(BANK_TWO)
    assert (member["standing"], member["power"], member["licensed"]) == ("suspended", 0, False)
    assert member["penalty"]["amount_micro"] == record.stake_micro * 50_000 // 950_000
    assert [(each["kind"], each["reporter"]) for each in member["proved"]] == [("duplicate_vote", None)]
    assert member["misdeeds"] == 1 and member["documents"] == ["00" * 32]


def test_who_is_no_member_is_not_found(still: Still) -> None:
    for path, status, field in (("ab" * 8, 404, "member"), ("ab" * 7, 400, "member"), ("nobody", 400, "member")):
        assert still.refused(f"/v1/authorities/{path}") == (status, field)


def test_powers_are_the_ledgers_table(still: Still) -> None:
    powers = {power["act"]: power for power in still.ask("/v1/authorities")["powers"]}
    assert set(powers) == {"attest", "endorse", *(act.name.lower() for act in Act)}
    assert powers["attest"]["tiers"] == ["primary"] and powers["attest"]["share_of"] is None
    for act, rule in RULES.items():
        power = powers[act.name.lower()]
        assert power["tiers"] == [tier.name.lower() for tier in sorted(rule.proposers)]
        assert (power["share_of"], power["share_in"]) == (rule.over or rule.at_least)
        assert power["more_than"] == (rule.over is not None)


def test_proposals_carry_votes_by_name(still: Still, consortium: Consortium) -> None:
    license_, terms, admission = still.ask("/v1/authorities/proposals", state="open")["proposals"]
    assert [each["act"] for each in (license_, terms, admission)] == ["license", "set_terms", "admit"]
    assert (admission["subject_name"], admission["proposer"]["name"]) == (f"{SOFTWARE} plc", f"{GENERATION} plc")
    votes = {vote["name"].removesuffix(" plc"): (vote["yes"], vote["counts"]) for vote in admission["votes"]}
    assert votes == {GENERATION: (True, True), METROPOLITAN: (True, True), BANK: (True, True), SOLAR: (False, True)}
    assert (admission["yes"], admission["no"]) == (3, 1)
    # Those of three tiers; the suspended bank has no vote.
    assert (admission["voters"], admission["needed"]) == (11, 6)
    assert admission["closes_ms"] == admission["opened_ms"] + LIFE_TERMS.vote_ms
    assert terms["terms"]["vote_ms"] == LIFE_TERMS.vote_ms * 2 // 3
    assert license_["licence"]["licensed"] is True and license_["subject"] == pseudonym("a gateway").hex()
    lost, carried = still.ask("/v1/authorities/proposals", state="decided")["proposals"]
    assert [(each["act"], each["outcome"]) for each in (lost, carried)] == [("remove", "lost"), ("admit", "carried")]
    assert lost["needed"] is None and lost["no"] > lost["yes"] == 2
    assert consortium.outcome(carried["number"]) == "CARRIED"


def test_proposals_come_in_pages(still: Still) -> None:
    every = [each["number"] for each in still.ask("/v1/authorities/proposals")["proposals"]]
    assert every == [5, 4, 3, 2, 1]
    page = still.ask("/v1/authorities/proposals", limit=2)
    assert [each["number"] for each in page["proposals"]] == [5, 4] and page["next"] == 4
    page = still.ask("/v1/authorities/proposals", limit=3, before=page["next"])
    assert [each["number"] for each in page["proposals"]] == [3, 2, 1] and page["next"] == 0
    for name, value in (("limit", 0), ("limit", 101), ("state", "lost"), ("after", 1)):
        assert still.refused("/v1/authorities/proposals", **{name: value}) == (400, name)


def test_availability_adds_up_and_late_blocks_cost(still: Still, consortium: Consortium) -> None:
    view = still.ask("/v1/availability")
    assert (view["target_ppm"], view["next"]) == (999_900, 0)
    rows = dict(consortium.world.state.items(SERVICE_DAYS))
    assert [day["day"] for day in view["days"]] == [int.from_bytes(key, "big") for key in rows]
    for name in ("elapsed_ms", "blocks", "late", "lost_ms", "rounds"):
        assert view["total"][name] == sum(day[name] for day in view["days"])
        assert [day[name] for day in view["days"]] == [getattr(row, name) for row in rows.values()]
    late = [day for day in view["days"] if day["late"]]
    assert [day["lost_ms"] for day in late] == [4 * 3_600_000, 2_400_000]
    for day in late:
        assert day["available_ppm"] == (day["elapsed_ms"] - day["lost_ms"]) * 1_000_000 // day["elapsed_ms"]
    assert {day["available_ppm"] for day in view["days"] if not day["late"]} == {1_000_000}
    assert view["days"][0]["date"] == "2026-05-31"
    page = still.ask("/v1/availability", limit=3)
    assert [day["day"] for day in page["days"]] == [day["day"] for day in view["days"][-3:]]
    assert page["next"] == page["days"][0]["day"] and page["total"] == view["total"]
    earlier = still.ask("/v1/availability", limit=400, before=page["next"])
    assert earlier["days"] + page["days"] == view["days"] and earlier["next"] == 0


def test_metrics_say_the_same(still: Still, consortium: Consortium) -> None:
    still.market.gateway.metrics.followed(still.market.gateway.model, 1, 0.0)
    text = still.market.gateway.metrics.text().decode()
    found = dict(re.findall(r"^(gridtokenx_\S+) (\S+)$", text, re.MULTILINE))
    members = still.ask("/v1/authorities")["members"]
    assert float(found["gridtokenx_members_seated"]) == sum(each["standing"] == "seated" for each in members)
    assert float(found["gridtokenx_frozen"]) == 0 and float(found["gridtokenx_availability"]) == 1
    absent = f'gridtokenx_absent_votes{{member="{pseudonym(SOLAR).hex()}"}}'
    assert float(found[absent]) == consortium.conduct(SOLAR).absent


def test_the_read_model_has_the_ledgers_rows(still: Still) -> None:
    rows = still.market.gateway.model.authority.rows
    assert {prefix: rows[prefix] for prefix in AUTHORITY_TABLES} == {
        prefix: still.market.node.application.state.rows[prefix] for prefix in AUTHORITY_TABLES
    }


def test_a_follower_comes_to_the_same_as_one_that_reads_anew(tmp_path: Path) -> None:
    """Block by block, through votes and a freeze."""
    young = live(2)
    write_folder(young, tmp_path / "data")
    number = young.propose(ESTATES, Act.FREEZE)
    assert young.do(CENTRAL_BANK, Vote(number, True)) == "OK"
    wires = [wire for block in young.world.blocks[-2:] for wire in decode_batch(block.batches[0]).transactions]

    async def life() -> None:
        async with opened_market(tmp_path / "data") as market:
            for wire in wires:
                assert (await market.submit(wire))[0]["state"] == "pending"
                await market.block()
            assert (await market.get("/v1/authorities"))["frozen_since_ms"] == market.time_ms
            anew = ReadModel(market.gateway.model.reader)
            assert anew.authority.rows == market.gateway.model.authority.rows

    asyncio.run(life())


@story
async def test_a_chain_without_a_consortium_says_what_there_is(market: Market) -> None:
    await market.block()
    view = await market.get("/v1/authorities")
    assert (view["consortium"], view["terms"], view["epoch"], view["members"], view["powers"]) == (
        False,
        None,
        None,
        [],
        [],
    )
    assert view["validators"] == [] and [node["node"] for node in view["nodes"]] == [NODE_ID.hex()]
    served = await market.get("/v1/availability")
    assert served["days"] == [] and served["total"]["available_ppm"] is None
    assert (await market.get("/v1/authorities/proposals"))["proposals"] == []


def test_shares_are_rounded_down() -> None:
    assert authority_views.available_ppm(1, 3) == 666_666
    assert authority_views.available_ppm(0, 0) is None and authority_views.available_ppm(5, 3) == 0
