"""The program judges signatures as the library does, and where it fails the library judges."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ed25519_zebra import ed_public_from_secret, ed_sign
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.odd_signatures import SMALL_SPELLINGS, odd_cases, sign, with_scalar

from gridtokenx.engine import signatures
from gridtokenx.engine.signatures import (
    FRAME_PARTS_MAX,
    PROGRAM,
    PROGRAM_VARIABLE,
    SignatureProgram,
    find_program,
    judge_by_library,
)
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX, TRANSACTION_BYTES_MAX
from gridtokenx.ledger.transaction import SignedPart

CHUNK_TRANSACTIONS_MAX = 500

FAKE = """#!{python}
import signal, sys
from ed25519_zebra import ed_verify
source, sink = sys.stdin.buffer, sys.stdout.buffer
frames = 0
while size := int.from_bytes(source.read(4), "big"):
    content = source.read(size)
    count = int.from_bytes(content[:4], "big")
    lengths = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(count)]
    keys, given = content[4 + 4 * count :], content[4 + 36 * count :]
    messages, answer = given[64 * count :], bytearray()
    for i, length in enumerate(lengths):
        answer.append(ed_verify(given[64 * i : 64 * i + 64], messages[:length], keys[32 * i : 32 * i + 32]))
        messages = messages[length:]
    frames += 1
    head = count.to_bytes(4, "big")
    {lines}
    sink.write(head + answer)
    sink.flush()
"""


def own_part(seed: int, message: bytes) -> SignedPart:
    secret = seed.to_bytes(32, "big")
    return bytes(ed_public_from_secret(secret)), message, bytes(ed_sign(secret, message))


def good_and_bad(count: int, chance: random.Random) -> list[SignedPart]:
    """About one in five has a flipped bit somewhere."""
    parts = []
    for number in range(count):
        part = [*own_part(number % 50, chance.randbytes(chance.randrange(400)))]
        if chance.random() < 0.2:
            place = chance.choice([0, 2] if part[1] == b"" else [0, 1, 2])
            flipped = bytearray(part[place])
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            part[place] = bytes(flipped)
        parts.append((part[0], part[1], part[2]))
    return parts


@pytest.fixture
def make_fake(tmp_path):
    """A program that judges rightly until its lines, which know `frames` and may change `head` and `answer`."""

    def make(lines: str) -> Path:
        path = tmp_path / PROGRAM
        path.write_text(FAKE.format(python=sys.executable, lines=lines))
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(scope="module")
def program() -> Iterator[SignatureProgram]:
    """The real one. `make engine` builds it."""
    path = find_program()
    assert path is not None, "make engine"
    started = SignatureProgram(path)
    yield started
    assert started.deaths == 0 and started.process_id is not None
    started.close()


# --- without the program


def test_the_program_is_looked_for_beside_the_interpreter(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(PROGRAM_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert find_program() is None
    (tmp_path / PROGRAM).touch(0o755)
    assert find_program() == tmp_path / PROGRAM
    monkeypatch.setenv(PROGRAM_VARIABLE, "none")
    assert find_program() is None
    monkeypatch.setenv(PROGRAM_VARIABLE, str(tmp_path / PROGRAM))
    assert find_program() == tmp_path / PROGRAM


def test_without_it_the_library_judges() -> None:
    parts = good_and_bad(50, random.Random(1))
    alone = SignatureProgram(None)
    assert alone.judge(parts) == judge_by_library(parts)
    assert (alone.deaths, alone.process_id) == (0, None)
    alone.close()


@pytest.mark.parametrize(
    "lines", ["exit 0", "cat", "exec head -c 3", "head -c 9; echo nonsense", "head -c 500 /dev/zero"]
)
def test_a_program_that_is_another_is_not_taken(tmp_path, lines) -> None:
    path = tmp_path / PROGRAM
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    parts = good_and_bad(20, random.Random(2))
    started = SignatureProgram(path)
    assert (started.deaths, started.process_id) == (1, None)
    assert started.judge(parts) == judge_by_library(parts)
    started.close()


@pytest.mark.parametrize("content", [b"", b"\x7fELF no program at all"])
def test_a_file_that_does_not_start_is_not_taken(tmp_path, content) -> None:
    path = tmp_path / PROGRAM
    path.write_bytes(content)
    path.chmod(0o755)
    started = SignatureProgram(path)
    assert (started.deaths, started.process_id) == (1, None)
    started.close()


@pytest.mark.parametrize(
    "lines",
    [
        "answer = bytes(count)",
        "answer = bytes([1]) * count",
        # As a library would that is strict about points of small order.
        f"if bytes.fromhex('{SMALL_SPELLINGS[0].hex()}') in content: answer = bytes(count)",
    ],
)
def test_a_judge_by_other_rules_is_not_taken(make_fake, lines) -> None:
    started = SignatureProgram(make_fake(lines))
    assert (started.deaths, started.process_id) == (1, None)
    started.close()


def test_a_judge_by_these_rules_is_taken(make_fake) -> None:
    parts = good_and_bad(FRAME_PARTS_MAX + 1, random.Random(3))
    started = SignatureProgram(make_fake("pass"))
    assert started.judge(parts) == judge_by_library(parts)
    assert started.deaths == 0 and started.process_id is not None
    started.close()


@pytest.mark.parametrize(
    "line",
    [
        "sys.exit()",
        "head = (count + 1).to_bytes(4, 'big')",
        "answer = answer[:-1]; sink.write(head + answer); sys.exit()",
        "answer[-1] = 2",
    ],
)
def test_nonsense_means_judge_here_and_start_another(make_fake, line) -> None:
    parts = good_and_bad(2 * FRAME_PARTS_MAX, random.Random(4))
    expected = judge_by_library(parts)
    # The trial is the first frame, then comes one that is answered well.
    started = SignatureProgram(make_fake(f"if frames == 3: {line}"))
    first = started.process_id
    assert started.judge(parts) == expected
    assert started.deaths == 1
    assert started.process_id not in (None, first)
    assert started.judge(parts) == expected
    assert started.deaths == 2
    started.close()


@pytest.mark.parametrize("line", ["head = b''", "answer = answer[:-1]", "signal.pause()"])
def test_silence_means_judge_here(make_fake, monkeypatch, line) -> None:
    parts = good_and_bad(10, random.Random(7)) + [own_part(1, bytes(TRANSACTION_BYTES_MAX))] * 10
    started = SignatureProgram(make_fake(f"if frames == 2: {line}"))
    assert started.deaths == 0
    monkeypatch.setattr(signatures, "SILENCE_MS_MAX", 50)
    assert started.judge(parts) == judge_by_library(parts)
    assert started.deaths >= 1
    started.close()


def test_one_that_takes_nothing_does_not_hold_the_worker(make_fake, monkeypatch) -> None:
    started = SignatureProgram(make_fake("pass"))
    parts = [own_part(1, bytes(TRANSACTION_BYTES_MAX))] * 20
    first = started.process_id
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(signatures, "SILENCE_MS_MAX", 50)
    assert started.judge(parts) == [True] * 20
    assert started.deaths >= 1
    started.close()


def test_too_long_an_answer_is_noticed_at_the_next_frame(make_fake) -> None:
    parts = good_and_bad(10, random.Random(5))
    started = SignatureProgram(make_fake("if frames == 2: answer += bytes([1])"))
    assert [started.judge(parts) for _ in range(3)] == [judge_by_library(parts)] * 3
    assert started.deaths == 1
    started.close()


def test_lists_are_cut_into_frames_by_number_and_by_size(monkeypatch) -> None:
    monkeypatch.setattr(signatures, "FRAME_BYTES_MAX", 10)
    monkeypatch.setattr(signatures, "FRAME_PARTS_MAX", 3)
    lengths = [0, 0, 0, 0, 4, 6, 1, 30, 30, 10, 0]
    parts = [(b"", bytes(length), b"") for length in lengths]
    frames = [[len(part[1]) for part in frame] for frame in signatures._frames(parts)]
    assert frames == [[0, 0, 0], [0, 4, 6], [1], [30], [30], [10, 0]]
    assert list(signatures._frames([])) == []


# --- with it


@pytest.mark.slow
def test_the_library_says_what_zip_215_says() -> None:
    cases = odd_cases()
    assert len(SMALL_SPELLINGS) == len(set(SMALL_SPELLINGS)) == 14
    assert sum(case.valid for case in cases) > 14 * 14
    assert [case.name for case in cases if judge_by_library([case.part]) != [case.valid]] == []


@pytest.mark.slow
def test_odd_signatures_are_judged_alike_alone_together_and_beside_bad_ones(program) -> None:
    cases = odd_cases()
    assert program.judge([case.part for case in cases]) == [case.valid for case in cases]
    assert [case.name for case in cases if program.judge([case.part]) != [case.valid]] == []
    # All that are valid in one equation; then each of them by itself, because of one that is false.
    valid = [case.part for case in cases if case.valid]
    assert len(valid) < FRAME_PARTS_MAX
    assert program.judge(valid) == [True] * len(valid)
    assert program.judge([*valid, with_scalar(sign(5, b""), 1)]) == [True] * len(valid) + [False]


@pytest.mark.slow
def test_errors_that_cancel_each_other_do_not(program) -> None:
    one, other = sign(1, b"one"), sign(2, b"other")
    assert program.judge([one, other]) == [True, True]
    assert program.judge([with_scalar(one, 1), with_scalar(other, -1)]) == [False, False]


@pytest.mark.slow
@settings(max_examples=60)
@given(chance=st.randoms(use_true_random=False), count=st.integers(0, 3 * FRAME_PARTS_MAX // 8))
def test_any_mixture_is_judged_as_the_library_judges_it(program, chance, count) -> None:
    odd = chance.sample(odd_cases(), chance.randrange(40))
    parts = good_and_bad(count, chance) + [case.part for case in odd]
    chance.shuffle(parts)
    assert program.judge(parts) == judge_by_library(parts)


@pytest.mark.slow
def test_each_place_in_a_frame_has_its_own_answer(program) -> None:
    good = own_part(1, b"good")
    bad = (good[0], b"bad", good[2])
    for length in (1, 2, 3, 64, FRAME_PARTS_MAX, FRAME_PARTS_MAX + 1):
        for place in {0, 1, length // 2, length - 1}:
            parts = [bad if at == place else good for at in range(length)]
            assert program.judge(parts) == [at != place for at in range(length)]


@pytest.mark.slow
def test_other_lengths_of_keys_and_signatures_are_the_librarys(program) -> None:
    key, message, signature = own_part(1, b"message")
    parts = [(key, message, signature), (key[:31], message, signature + b"x"), (key + b"x", message, signature[:63])]
    assert program.judge(parts) == [True, False, False]
    assert program.judge([]) == []


@pytest.mark.slow
def test_the_largest_chunk_goes_through_the_pipes(program) -> None:
    message = bytes(TRANSACTION_BYTES_MAX)
    parts = [own_part(number, message) for number in range(KEYS_PER_ACCOUNT_MAX)] * CHUNK_TRANSACTIONS_MAX
    assert program.judge(parts) == [True] * len(parts)
    many = [own_part(1, b"")] * (80 * CHUNK_TRANSACTIONS_MAX)
    assert program.judge(many) == [True] * len(many)


@pytest.mark.slow
def test_more_than_it_holds_is_judged_here() -> None:
    started = SignatureProgram(find_program())
    part = own_part(1, bytes(16 * 1_048_576))
    assert started.judge([part, own_part(2, b""), (part[0], b"", part[2])]) == [True, True, False]
    assert started.deaths == 1 and started.process_id is not None
    started.close()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "while it holds a frame"])
def test_one_that_is_killed_means_judge_here_and_start_another(when) -> None:
    started = SignatureProgram(find_program())
    first = started.process_id
    assert first is not None
    parts = [*good_and_bad(300, random.Random(6)), *[own_part(1, bytes(TRANSACTION_BYTES_MAX))] * 300]
    expected, answers = judge_by_library(parts), []
    if when == "before":
        os.kill(first, signal.SIGKILL)
        answers.append(started.judge(parts))
    else:
        # It stands still with the pipe full, or its answer due, until it is gone.
        os.kill(first, signal.SIGSTOP)
        asking = threading.Thread(target=lambda: answers.append(started.judge(parts)))
        asking.start()
        os.kill(first, signal.SIGKILL)
        asking.join()
    assert answers == [expected]
    assert started.deaths == 1
    assert started.process_id not in (None, first)
    assert started.judge(parts) == expected
    assert started.deaths == 1
    started.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x03\x00\x00\x00",
        b"\x00\x00\x00\x08" + b"\x00\x00\x00\x00" + b"more",
        b"\x00\x00\x00\x04" + b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x68" + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x05" + bytes(96),
        b"\x00\x00\x00\x68" + b"\x00\x00\x00\x01" + b"\xff\xff\xff\xff" + bytes(96),
        b"\x00\x00\x00\x68" + b"\x00\x00\x00\x01",
        b"\xff\xff\xff\xff",
        (4 + 513 * 100).to_bytes(4, "big") + (513).to_bytes(4, "big") + bytes(513 * 100),
    ],
)
def test_a_frame_that_is_none_ends_it_with_the_reason(frame) -> None:
    ended = subprocess.run([find_program()], input=frame, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == b""
    assert ended.stderr.startswith(b"gridtokenx-signatures: ") and ended.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_it_ends_when_its_input_does() -> None:
    empty = b"\x00\x00\x00\x04" + b"\x00\x00\x00\x00"
    ended = subprocess.run([find_program()], input=empty * 2, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (bytes(8), b"")
