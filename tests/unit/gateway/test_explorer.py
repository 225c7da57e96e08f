"""Search, accounts in public, terms and places, what transactions in a block are."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.market import Market, story, wallet_of
from tests.world import NOON, at, buy, interval_at, pseudonym, sell, signer

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.gateway.local_time import day_text, read_day, read_moment, read_month
from gridtokenx.ledger.transaction import keys_hash
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.messages import CancelOrder, SetHoliday, SetTerms

MONDAY = calendar.day_of(interval_at(0))


async def hits(market: Market, text: str) -> list[tuple[str, str]]:
    found = await market.get("/v1/search", q=text)
    return [(hit["kind"], hit["id"]) for hit in found["hits"]]


@story
async def test_a_text_finds_what_it_may_mean(market: Market) -> None:
    await market.block(at(0, 30))
    said = await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    height = said["height"]
    line = (await market.get(f"/v1/blocks/{height}"))["hash"]
    account = market.wallet("ann").account.hex()
    for text in (str(height), f" #{height} ", line, line.upper(), f"0x{line}"):
        assert await hits(market, text) == [("block", str(height))], text
    assert await hits(market, said["id"]) == [("transaction", said["id"])]
    assert await hits(market, account) == [("account", account)]
    noon = [("interval", str(NOON))]
    for text in (str(NOON), "2026-06-01 12:00", "2026-06-01T12:14", "2569-06-01  12:07", "12:05"):
        assert await hits(market, text) == noon, text
    assert await hits(market, "2026-06-01") == [("interval", str(interval_at(0)))]
    (hit,) = (await market.get("/v1/search", q="12:00"))["hits"]
    assert hit == {"kind": "interval", "id": str(NOON), "height": None, "time_ms": at(12)}


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "999999999", "9" * 90, "-1", "#", "no", "0x", "f" * 64, "f" * 63, "1999-01-01", "2026-06-31"),
        *(
            "25:00",
            "12:60",
            "2026-06-01 12",
            "12:00 12:00",
            "..",
            "%00",
            "' OR 1=1",
            "<script>",
            "\u0e51\u0e52:00",
            "\uff11\uff12",
        ),
        *("\x00", "null", "🜨" * 20, "2026-06-01 24:00", "0000-00-00", "9999-12-31"),
    ],
)
@story
async def test_odd_texts_find_nothing(market: Market, text: str) -> None:
    assert await hits(market, text) == []


@story
async def test_a_search_is_bounded_and_named(market: Market) -> None:
    for query, field in (({"q": "x" * 101}, "q"), ({}, "q"), ({"q": "1", "p": "2"}, "p")):
        refused = await market.web.get("/v1/search", params=query)
        assert (refused.status_code, refused.json()["field"]) == (400, field)


@story
async def test_an_account_in_public_has_no_money(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    account = market.wallet("ann").account.hex()
    known = await market.get(f"/v1/explorer/accounts/{account}")
    assert known == {
        "account": account,
        "exists": True,
        "height": market.height,
        "participant": pseudonym("ann").hex(),
        "licence": "prosumer",
        "kyc": "verified",
        "trades": True,
        "roles": [],
        "keys_hash": wallet_of("ann").keys.hash().hex(),
        "nonce_highest": 1,
    }
    stranger = await market.get(f"/v1/explorer/accounts/{'ab' * 32}")
    assert stranger["exists"] is False and stranger["participant"] is None and stranger["roles"] == []
    roles = {
        name: (await market.get(f"/v1/explorer/accounts/{office(name)}"))["roles"]
        for name in ("registrar", "bank", "attester", "mea", "clearing")
    }
    assert roles == {
        "registrar": ["registrar"],
        "bank": ["bank"],
        "attester": ["attester"],
        "mea": ["distributor"],
        "clearing": ["clearing"],
    }
    refused = await market.web.get("/v1/explorer/accounts/zz")
    assert (refused.status_code, refused.json()["field"]) == (400, "id")


def office(name: str) -> str:
    who = signer(name, 2, 3) if name in {"bank", "attester"} else signer(name)
    return keys_hash(0, who.threshold, who.keys).hex()


@story
async def test_terms_are_those_of_the_running_interval(market: Market) -> None:
    await market.block(at(7))
    terms = await market.get("/v1/terms")
    assert terms["next"] is None and terms["vat_permille"] == 70
    current = terms["current"]
    assert {name: current[name] for name in DEFAULT_TERMS.__struct_fields__} == {
        name: getattr(DEFAULT_TERMS, name) for name in DEFAULT_TERMS.__struct_fields__
    }
    assert current["version"] == 1
    assert (current["first_interval"], current["last_interval"]) == (
        min(market.gateway.model.intervals),
        max(market.gateway.model.intervals),
    )
    assert terms["calendar"] == {
        "weekdays": [1, 2, 3, 4, 5],
        "on_peak_from_minute": 540,
        "on_peak_to_minute": 1_320,
        "holidays": [],
    }


@story
async def test_terms_that_are_to_come_are_the_next_ones(market: Market) -> None:
    await market.block(at(7))
    changed = DEFAULT_TERMS.__class__(
        **{name: getattr(DEFAULT_TERMS, name) for name in DEFAULT_TERMS.__struct_fields__} | {"tick_micro": 2_000}
    )
    await market.run("operator", SetTerms(changed), SetHoliday(MONDAY + 3, True))
    terms = await market.get("/v1/terms")
    assert (terms["current"]["version"], terms["current"]["tick_micro"]) == (1, 1_000)
    assert (terms["next"]["version"], terms["next"]["tick_micro"]) == (2, 2_000)
    assert terms["next"]["first_interval"] is None
    assert terms["calendar"]["holidays"] == ["2026-06-04"]
    await market.block(at(0, 1, day=1))
    assert (await market.get("/v1/terms"))["next"]["first_interval"] == interval_at(0, day=2)
    await market.block(at(0, 1, day=2))
    assert (await market.get("/v1/terms"))["current"]["version"] == 2


@story
async def test_places_are_zones_and_feeders(market: Market) -> None:
    places = await market.get("/v1/places")
    assert [(zone["zone"], zone["name"], zone["neighbours"]) for zone in places["zones"]] == [
        (1, "Bangkok", [2]),
        (2, "Central", [1, 3]),
        (3, "Northeast", [2]),
    ]
    assert places["zones"][0]["distributor"] == office("mea")
    assert places["feeders"][0] == {"feeder": 11, "zone": 1, "name": "feeder 11"}
    assert [feeder["feeder"] for feeder in places["feeders"]] == [11, 12, 21, 31]


@story
async def test_transactions_say_what_they_are(market: Market) -> None:
    said = await market.run("cat", buy("cat", 500, NOON, 3_400_000), CancelOrder(pseudonym("order")))
    assert said["kinds"] == ["PlaceOrder", "CancelOrder"]
    (batch,) = (await market.get(f"/v1/blocks/{said['height']}"))["batches"]
    assert (batch["transactions"], batch["kinds"]) == ([said["id"]], [["PlaceOrder", "CancelOrder"]])


@story
async def test_without_three_metered_sites_nothing_is_published(market: Market) -> None:
    assert (await market.get("/v1/community"))["intervals"] == []
    savings = await market.get("/v1/community/savings")
    assert (savings["since"], savings["portfolios"], savings["sums"], savings["saved"]) == (0, 0, None, None)


@given(st.integers(0, 400_000))
def test_days_are_read_as_they_are_written(day: int) -> None:
    text = day_text(day)
    if int(text[:4]) < 2_400:
        assert read_day(text) == day
        assert read_day(f"{int(text[:4]) + 543}{text[4:]}") == day
        month = read_month(text[:7])
        assert month is not None and month[0] <= day <= month[1] and month[1] - month[0] in range(27, 31)


@given(st.text(alphabet=string.digits + "-: T", max_size=20))
def test_no_text_is_an_error(text: str) -> None:
    moment = read_moment(text, MONDAY)
    assert moment is None or moment >= 0
    assert read_month(text) is None or len(text) == 7
