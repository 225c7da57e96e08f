"""Words for codes: complete in both languages, and in the language that was asked for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.market import Market, story

from gridtokenx.gateway.explanations import all_codes
from gridtokenx.gateway.sentences import LANGUAGES, SENTENCES, language_for

NAMES = sorted(set(all_codes().values()))
THAI = re.compile("[\u0e00-\u0e7f]")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_sentence_and_every_sentence_its_code(language: str) -> None:
    assert sorted(SENTENCES[language]) == NAMES  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_is_english_in_english_and_thai_in_thai(name: str) -> None:
    english, thai = SENTENCES["en"][name], SENTENCES["th"][name]
    assert english.isascii() and english.endswith(".") and english[0].isupper()
    assert THAI.search(thai) and not thai.endswith(". ")
    # Beside Thai there are numbers, blanks and names that are the same everywhere.
    assert re.fullmatch(r"(?:[\u0e00-\u0e7f0-9 .,/]|Ed25519|JSON|API|application/json)+", thai), thai
    assert len(english) < 200 and len(thai) < 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_codes_say_the_same(language: str) -> None:
    texts = list(SENTENCES[language].values())  # type: ignore[index]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("th", "th"),
        ("TH-th", "th"),
        ("th-TH,th;q=0.9,en-US;q=0.8,en;q=0.7", "th"),
        ("en-GB,en;q=0.9,th;q=0.8", "en"),
        ("de, th;q=0.1", "th"),
        ("de, fr", "en"),
        ("*", "en"),
        ("en;q=0.5, th;q=0.6", "th"),
        ("th, en", "th"),
        ("en, th", "en"),
        ("th;q=0", "en"),
        ("th;q=x, en;q=0.1", "en"),
        ("thai", "en"),
        (";;;,,,=;q=", "en"),
        (" th ; q=0.5 ", "th"),
    ],
)
def test_the_language_that_is_preferred(accepted: str, language: str) -> None:
    assert language_for(accepted) == language


@given(st.text())
def test_whatever_is_preferred_there_is_an_answer(accepted: str) -> None:
    assert language_for(accepted) in LANGUAGES


@story
async def test_a_problem_is_told_in_the_readers_language(market: Market) -> None:
    for language in LANGUAGES:
        response = await market.web.get("/v1/blocks/0", headers={"Accept-Language": language})
        assert response.json()["title"] == SENTENCES[language]["NOT_FOUND"]
        assert response.headers["content-language"] == language
        assert response.headers["vary"] == "Accept-Language"
        assert response.headers["cache-control"] == "no-store"


@story
async def test_the_type_of_a_problem_leads_to_its_meaning(market: Market) -> None:
    problem = (await market.web.get("/v1/blocks/0")).json()
    assert (await market.get(problem["type"]))["codes"] == [
        {"code": 902, "name": "NOT_FOUND", "en": SENTENCES["en"]["NOT_FOUND"], "th": SENTENCES["th"]["NOT_FOUND"]}
    ]
    both = (await market.get("/problems/METER_UNKNOWN"))["codes"]
    assert [line["code"] for line in both] == [213, 400]
    unknown = await market.web.get("/problems/NOTHING")
    assert (unknown.status_code, unknown.json()["name"], unknown.json()["field"]) == (404, "NOT_FOUND", "name")


@story
async def test_all_codes_are_listed_with_their_meaning(market: Market) -> None:
    lines = (await market.get("/v1/codes"))["codes"]
    assert {line["code"]: line["name"] for line in lines} == all_codes()
    assert [line["code"] for line in lines] == sorted(all_codes())
    assert all(line["en"] == SENTENCES["en"][line["name"]] for line in lines)
    assert all(line["th"] == SENTENCES["th"][line["name"]] for line in lines)
