"""A worker that judges the signatures of many transactions together says of each what is said of it alone."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tests.world import WATT, Founding, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.signatures import PROGRAM_VARIABLE, SignatureProgram, find_program, judge_by_library
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.worker import (
    Answer,
    Checked,
    Refused,
    Verdict,
    check,
    check_all,
    encode_frame_content,
    read_frame,
    write_frame,
)
from gridtokenx.ledger import limits
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, signature_is_valid
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.transaction import (
    Envelope,
    SignedMessage,
    SignedPart,
    check_keys,
    check_transaction,
    decode_envelope,
)
from gridtokenx.modules.tokens.messages import Transfer
from gridtokenx.operations.network.tree import descendants

CHAIN_PATH = "gridtokenx.chains.consortium:CONSORTIUM"
VECTORS = Path(__file__).parents[2] / "vectors"


def one_after_the_other(wire: bytes) -> tuple[int, str]:
    """Code and field, or the number of signatures and nothing: each signature is judged where it is met."""
    try:
        if len(wire) > limits.TRANSACTION_BYTES_MAX:
            return KernelCode.TOO_LARGE, "transaction"
        envelope = decode_envelope(wire, "transaction")
        auth = envelope.auth
        check_keys(auth.algorithm, auth.threshold, auth.keys)
        if len(auth.signatures) != auth.threshold:
            return KernelCode.SIGNATURE_INVALID, "signatures"
        messages = CONSORTIUM.body(envelope.body).messages
    except Rejected as rejection:
        return rejection.code, rejection.field[:120]
    last = -1
    for index, signature in auth.signatures:
        if not last < index < len(auth.keys):
            return KernelCode.SIGNATURE_INVALID, "signatures"
        if not signature_is_valid(signature, TRANSACTION_DOMAIN + envelope.body, auth.keys[index]):
            return KernelCode.SIGNATURE_INVALID, "signatures"
        last = index
    count = 0
    for position, message in enumerate(messages):
        for key, part, signature in message.signed_parts() if isinstance(message, SignedMessage) else []:
            if not signature_is_valid(signature, part, key):
                return KernelCode.SIGNATURE_INVALID, f"messages[{position}]"
            count += 1
    if count > limits.SIGNATURES_PER_TRANSACTION_MAX:
        return KernelCode.TOO_LARGE, "messages"
    return len(auth.signatures) + count, ""


def answers(verdicts: Sequence[Verdict]) -> list[tuple[int, str]]:
    return [(one.code, one.field) if isinstance(one, Refused) else (one.signatures, "") for one in verdicts]


def golden(name: str) -> list[bytes]:
    """Whatever in the file may be a transaction."""
    document = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    match name:
        case "transactions.json":
            found = [case["operation"] for case in document["cases"]]
        case "batches.json":
            found = [wire for batch in document for wire in batch["transactions"]]
        case _:
            found = [case["bytes"] for case in document]
    return [bytes.fromhex(one) for one in found]


def of_several_signatures() -> list[bytes]:
    """Many that sign, meters too, each false in turn; too many; and out of order."""
    founding = Founding()
    founding.add_home("alice")
    founding.add_home("bob")
    founding.add_account("board", signer("board", 3, 5), 100 * WATT)
    world = founding.start()
    pay = Transfer(world.accounts["bob"], WATT)
    readings = [world.reading(name, 7, energy_wh, 0) for name in ("alice", "bob") for energy_wh in range(3)]
    false = [msgspec.structs.replace(one, import_wh=9) for one in readings]
    wires = [world.sign("alice", pay), world.sign("board", pay)]
    for place in range(len(readings)):
        some = [*readings[:place], false[place], *readings[place + 1 :]]
        messages = pay, world.submit(*some[:2]), pay, world.submit(*some[2:5]), world.submit(some[5])
        wires.append(world.sign("board", *messages))
    wires.append(world.sign("board", pay, world.submit(*readings), pay))
    many = world.submit(*readings[:1] * 64)
    wires.append(world.sign("alice", many, world.submit(*readings[:1] * 17)))
    wires.append(world.sign("alice", many, world.submit(*readings[:1] * 16, false[0])))
    raw, who = encode(world.body("board", world.submit(*readings))), world.signers["board"]
    signers = (0, 1, 2), (0, 2, 4), (0, 2, 1), (0, 0, 1), (0, 1), (0, 1, 2, 3)
    wires += [encode(Envelope(raw, who.auth(raw, using))) for using in signers]
    auth = who.auth(raw, (1, 2, 3))
    for place in range(3):
        signatures = [(index + (at == place), signature) for at, (index, signature) in enumerate(auth.signatures)]
        wires.append(encode(Envelope(raw, msgspec.structs.replace(auth, signatures=tuple(signatures)))))
    return wires


@cache
def corpus() -> tuple[bytes, ...]:
    """Transactions of all kinds, and each of them with some bits flipped."""
    chance = random.Random(5)
    wires = [*golden("transactions.json"), *golden("batches.json"), *golden("encodings.json"), *of_several_signatures()]
    flipped = []
    for wire in wires:
        for _ in range(4):
            changed = bytearray(wire or b"\x00")
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            flipped.append(bytes(changed))
    mixed = [*wires, *flipped, b"", bytes(limits.TRANSACTION_BYTES_MAX + 1)]
    chance.shuffle(mixed)
    return tuple(mixed)


def test_together_is_one_after_the_other() -> None:
    expected = [one_after_the_other(wire) for wire in corpus()]
    verdicts = check_all(corpus(), CONSORTIUM, judge_by_library)
    assert answers(verdicts) == expected
    assert [check(wire, CONSORTIUM) for wire in corpus()] == verdicts
    fields = {field.partition("]")[0] for code, field in expected if code == KernelCode.SIGNATURE_INVALID}
    assert fields >= {"signatures", "messages[1", "messages[3", "messages[4"}
    assert sum(isinstance(verdict, Checked) for verdict in verdicts) > 20


def test_the_ledger_says_the_same() -> None:
    assert [ledgers_answer(wire) for wire in corpus()] == [one_after_the_other(wire) for wire in corpus()]


def ledgers_answer(wire: bytes) -> tuple[int, str]:
    try:
        return check_transaction(wire, CONSORTIUM.body), ""
    except Rejected as rejection:
        return rejection.code, rejection.field[:120]


def test_a_judge_that_loses_an_answer_is_no_judge() -> None:
    def judge(parts: Sequence[SignedPart]) -> list[bool]:
        return [True] * (len(parts) - 1)

    with pytest.raises(ValueError, match="shorter"):
        check_all(golden("transactions.json"), CONSORTIUM, judge)


@pytest.mark.slow
def test_with_the_program_it_is_the_same() -> None:
    program = SignatureProgram(find_program())
    assert program.process_id is not None
    assert answers(check_all(corpus(), CONSORTIUM, program.judge)) == [one_after_the_other(wire) for wire in corpus()]
    assert program.deaths == 0
    program.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["program", "named none", "by library"])
def test_a_pool_judges_alike_with_the_program_and_without(monkeypatch, how) -> None:
    if how == "named none":
        monkeypatch.setenv(PROGRAM_VARIABLE, "none")
    pool = Verifier(CHAIN_PATH, 1, by_library=how == "by library")
    worker = pool.workers[0].process
    assert worker is not None
    assert len(descendants(worker.pid)) == (how == "program")
    assert answers(pool.submit(corpus()).result()) == [one_after_the_other(wire) for wire in corpus()]
    assert pool.deaths == 0
    pool.close()


@pytest.mark.slow
def test_a_program_that_is_killed_changes_no_verdict_and_is_counted() -> None:
    pool = Verifier(CHAIN_PATH, 1)
    worker = pool.workers[0].process
    assert worker is not None
    expected = [one_after_the_other(wire) for wire in corpus()]
    for round_ in range(1, 4):
        (program,) = descendants(worker.pid)
        os.kill(program, signal.SIGKILL)
        assert answers(pool.submit(corpus()).result()) == expected
        assert pool.deaths == round_
        assert descendants(worker.pid) not in ([], [program])
    assert pool.workers[0].process is worker
    pool.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["its input ends", "it is killed"])
def test_no_program_outlives_its_worker(how) -> None:
    program = find_program()
    assert program is not None
    worker = subprocess.Popen(
        [sys.executable, "-m", "gridtokenx.engine.worker", CHAIN_PATH, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert worker.stdin and worker.stdout and worker.stderr
    assert read_frame(worker.stdout) is not None
    assert len(descendants(worker.pid)) == 1
    wires = golden("transactions.json")
    write_frame(worker.stdin, encode_frame_content(wires))
    content = read_frame(worker.stdout)
    assert content is not None
    answer = msgspec.msgpack.decode(content, type=Answer)
    assert (answers(answer.verdicts), answer.program_deaths) == ([one_after_the_other(wire) for wire in wires], 0)
    if how == "it is killed":
        worker.kill()
    worker.stdin.close()
    # Both hold this pipe: it ends with the last of them.
    assert worker.stderr.read() == b""
    assert worker.wait() == (-signal.SIGKILL if how == "it is killed" else 0)
    worker.stdout.close()
    worker.stderr.close()
