"""A hundred thousand signatures: the program and the library say the same of each."""

import random

import pytest
from tests.odd_signatures import odd_cases
from tests.unit.engine.test_signatures import good_and_bad

from gridtokenx.engine.signatures import FRAME_PARTS_MAX, SignatureProgram, find_program, judge_by_library

SIGNATURES = 100_000


@pytest.mark.soak
@pytest.mark.parametrize("bad", ["many", "one", "none"])
def test_the_program_judges_as_the_library_does(bad: str) -> None:
    chance = random.Random(SIGNATURES)
    program = SignatureProgram(find_program())
    assert program.process_id is not None
    judged = 0
    while judged < SIGNATURES // 3:
        parts = good_and_bad(FRAME_PARTS_MAX - 40, chance) + [case.part for case in chance.sample(odd_cases(), 40)]
        verdicts = judge_by_library(parts)
        if bad != "many":
            false = [part for part, valid in zip(parts, verdicts, strict=True) if not valid]
            parts = [part for part, valid in zip(parts, verdicts, strict=True) if valid] + false[: bad == "one"]
        chance.shuffle(parts)
        assert program.judge(parts) == judge_by_library(parts)
        judged += len(parts)
    assert program.deaths == 0
    program.close()
