"""What a client does with answers, step by step and without a network: each flow is fed by hand."""

from typing import Any

import pytest

from gridtokenx.client import calls, flows
from gridtokenx.client.errors import (
    AnswerNotUnderstood,
    ApiError,
    ClientError,
    NotAuthorised,
    NotFound,
    StillPending,
    TransactionExpired,
    TransactionRejected,
    TransportError,
    Unavailable,
    WrongChain,
)
from gridtokenx.client.flows import Exchange, Flow, Memory, Pause
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway import documents
from gridtokenx.gateway.documents import Challenge, StatusView, Submitted, TransactionView
from gridtokenx.ledger.codec import encode
from gridtokenx.modules.tokens.messages import Transfer

PAY = Transfer(b"\x01" * 32, 5)


def wallet() -> Wallet:
    return Wallet([PrivateKey(b"\x05" * 32)])


def status(chain: str = "chain", time_ms: int = 1_000) -> StatusView:
    return StatusView(chain, "consortium", 1, 1, time_ms, "", 0, 0, 0, "")


def submitted(state: str, code: int = 0, name: str = "") -> Submitted:
    return Submitted("", state, code, name, "")


def play(flow: Flow[Any], *answers: Any) -> tuple[Any, list[Exchange | Pause]]:
    """Feed the flow one answer (or error) for each exchange; pauses pass. What it returned, and what it asked."""
    waiting, steps = list(answers), []
    try:
        step = next(flow)
        while True:
            steps.append(step)
            if isinstance(step, Pause):
                step = flow.send(None)
                continue
            answer = waiting.pop(0)
            answer = answer(step) if callable(answer) else answer
            step = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    except StopIteration as end:
        assert not waiting, f"never asked for {waiting}"
        return end.value, steps


def paths(steps: list[Exchange | Pause]) -> list[str]:
    return [f"{step.call.method} {step.call.path}" for step in steps if isinstance(step, Exchange)]


NO_ANSWER = TransportError("refused")
NOT_READY = Unavailable("not ready", status=503)


@pytest.mark.parametrize("failure", [NO_ANSWER, NOT_READY])
def test_what_got_no_answer_is_asked_again_with_growing_pauses(failure: ClientError) -> None:
    answer, steps = play(flows.ask(calls.status()), failure, failure, status())
    assert answer == status()
    pauses = [step.seconds for step in steps if isinstance(step, Pause)]
    assert len(pauses) == 2 and pauses[0] < pauses[1]


def test_after_some_attempts_the_error_is_raised() -> None:
    with pytest.raises(TransportError):
        play(flows.ask(calls.status()), *[NO_ANSWER] * (len(flows.PAUSES_SECONDS) + 1))


def test_a_refusal_is_not_asked_again() -> None:
    with pytest.raises(NotFound):
        play(flows.ask(calls.block(7)), NotFound("no", status=404))


def test_a_submission_is_repeated_as_the_very_same_bytes() -> None:
    wire = wallet_with_nonce().sign("chain", 0, [PAY]).wire
    answers, steps = play(flows.submit([wire]), NO_ANSWER, documents.SubmissionAnswer([submitted("pending")]))
    assert answers[0].state == "pending"
    bodies = [step.call.content for step in steps if isinstance(step, Exchange)]
    assert bodies[0] == bodies[1]


def wallet_with_nonce() -> Wallet:
    mine = wallet()
    mine.nonces.learn(0)
    return mine


def test_only_what_the_node_was_too_busy_for_is_sent_again() -> None:
    mine = wallet_with_nonce()
    wires = [mine.sign("chain", 0, [PAY]).wire for _ in range(3)]
    first = documents.SubmissionAnswer(
        [submitted("pending"), submitted("busy"), submitted("refused", 310, "ORDER_EXISTS")]
    )
    answers, steps = play(flows.submit(wires), first, documents.SubmissionAnswer([submitted("pending")]))
    assert [answer.state for answer in answers] == ["pending", "pending", "refused"]
    again = [step for step in steps if isinstance(step, Exchange)][1]
    assert again.call.body == documents.Submission([wires[1].hex()])


def challenge_for(account: bytes, chain: str = "chain") -> documents.ChallengeAnswer:
    wire = encode(Challenge(chain, account, b"r" * 16, 5, b"s" * 32))
    return documents.ChallengeAnswer(wire.hex(), 1)


def account_view(nonce: int) -> documents.AccountView:
    return documents.AccountView("", "", 1, 1, 0, 0, 0, 0, nonce, "", "", [])


def test_the_first_transaction_asks_for_nonce_and_time_the_second_only_for_time() -> None:
    memory, mine = Memory(), wallet()
    session = documents.SessionAnswer("token", "", 1)
    accepted = documents.SubmissionAnswer([submitted("pending")])
    sent, steps = play(
        flows.send(memory, mine, [PAY], 1_000),
        challenge_for(mine.account),
        session,
        account_view(41),
        status(time_ms=5_000),
        accepted,
    )
    assert (sent.nonce, sent.expires_ms) == (42, 6_000)
    assert steps[2] == Exchange(calls.account(mine.account), "token")
    sent, steps = play(flows.send(memory, mine, [PAY], 1_000), status(time_ms=9_000), accepted)
    assert (sent.nonce, sent.expires_ms) == (43, 10_000)
    assert paths(steps) == ["GET /v1/status", "POST /v1/transactions"]


def test_a_wrong_nonce_is_mended_by_asking_and_signing_anew() -> None:
    memory, mine = Memory(tokens={wallet().account: "token"}), wallet()
    mine.nonces.learn(0)
    used = documents.SubmissionAnswer([submitted("refused", 11, "NONCE_USED")])
    accepted = documents.SubmissionAnswer([submitted("pending")])
    sent, steps = play(flows.send(memory, mine, [PAY], 1_000), status(), used, account_view(17), status(), accepted)
    assert sent.nonce == 18
    bodies = [step.call.content for step in steps if isinstance(step, Exchange) and step.call.method == "POST"]
    assert bodies[0] != bodies[1]


def test_a_nonce_that_stays_wrong_is_told() -> None:
    memory, mine = Memory(tokens={wallet().account: "token"}), wallet_with_nonce()
    used = documents.SubmissionAnswer([submitted("refused", 11, "NONCE_USED")])
    with pytest.raises(TransactionRejected) as error:
        play(
            flows.send(memory, mine, [PAY], 1_000),
            *[status(), used],
            *[account_view(1), status(), used],
            *[account_view(1), status(), used],
        )
    assert (error.value.code, error.value.name) == (11, "NONCE_USED")


def test_a_refusal_is_an_error_with_its_code() -> None:
    refused = documents.SubmissionAnswer([Submitted("", "refused", 6, "UNAUTHENTICATED", "transactions[0].auth")])
    with pytest.raises(TransactionRejected) as error:
        play(flows.send(Memory(), wallet_with_nonce(), [PAY], 1_000), status(), refused)
    assert (error.value.code, error.value.field) == (6, "transactions[0].auth")
    assert "UNAUTHENTICATED (6)" in str(error.value)


def test_a_session_that_has_ended_is_opened_again_once() -> None:
    mine = wallet()
    memory = Memory(tokens={mine.account: "old"})
    ended = NotAuthorised("ended", status=401, code=911, name="SESSION_ENDED")
    call = calls.account(mine.account)
    session = documents.SessionAnswer("new", "", 1)
    answer, steps = play(
        flows.personal(memory, mine, call), ended, challenge_for(mine.account), session, account_view(0)
    )
    assert answer == account_view(0)
    assert [step.token for step in steps if isinstance(step, Exchange)] == ["old", None, None, "new"]
    foreign = NotAuthorised("not yours", status=403, code=912, name="NOT_YOUR_ACCOUNT")
    with pytest.raises(NotAuthorised):
        play(flows.personal(memory, mine, call), foreign)


def test_a_challenge_for_another_account_or_chain_is_not_signed() -> None:
    mine = wallet()
    with pytest.raises(AnswerNotUnderstood):
        play(flows.sign_in(Memory(), mine), challenge_for(b"\x00" * 32))
    with pytest.raises(WrongChain):
        play(flows.sign_in(Memory(chain="mine"), mine), challenge_for(mine.account, "other"))
    with pytest.raises(AnswerNotUnderstood):
        play(flows.sign_in(Memory(), mine), documents.ChallengeAnswer("ff", 1))


def test_nothing_is_signed_for_another_chain() -> None:
    memory = Memory(chain="mine")
    with pytest.raises(WrongChain):
        play(flows.send(memory, wallet_with_nonce(), [PAY], 1_000), status("other"))


def view(state: str, code: int | None = None) -> TransactionView:
    return TransactionView("00" * 32, state, code)


class Time:
    """Seconds that pass with each look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_waiting_ends_with_the_block_or_the_expiry() -> None:
    name = b"\x00" * 32
    found, steps = play(flows.wait(name, None, 60, Time(0)), view("pending"), view("unknown"), view("committed", 0))
    assert found.state == "committed"
    assert {step.call.query["wait_ms"] for step in steps if isinstance(step, Exchange)} == {flows.POLL_MS_MAX}
    with pytest.raises(TransactionExpired):
        play(flows.wait(name, None, 60, Time(0)), view("pending"), view("expired"))


def test_what_nobody_has_heard_of_is_expired_when_chain_time_has_passed() -> None:
    name = b"\x00" * 32
    answers = [view("unknown"), status(time_ms=5_000), view("unknown"), status(time_ms=5_001)]
    with pytest.raises(TransactionExpired):
        play(flows.wait(name, 5_000, 60, Time(0)), *answers)


def test_waiting_does_not_last_for_ever() -> None:
    with pytest.raises(StillPending):
        play(flows.wait(b"\x00" * 32, None, 30, Time(20)), view("pending"), view("pending"))


def test_a_refusal_in_the_block_is_an_error_with_its_code() -> None:
    accepted = documents.SubmissionAnswer([submitted("pending")])
    refused = TransactionView("00" * 32, "committed", 301, "GATE_CLOSED")
    with pytest.raises(TransactionRejected) as error:
        play(flows.execute(Memory(), wallet_with_nonce(), [PAY], 1_000, 60, Time(0)), status(), accepted, refused)
    assert (error.value.code, error.value.name) == (301, "GATE_CLOSED")


@pytest.mark.parametrize(
    ("status_code", "kind"),
    [
        (400, ApiError),
        (401, NotAuthorised),
        (403, NotAuthorised),
        (404, NotFound),
        (429, Unavailable),
        (503, Unavailable),
    ],
)
def test_errors_are_one_tree_with_code_field_and_sentence(status_code: int, kind: type[ApiError]) -> None:
    problem = b'{"code": 900, "name": "REQUEST_MALFORMED", "field": "limit", "detail": "a sentence", "later": 1}'
    with pytest.raises(kind) as error:
        calls.status().read(status_code, problem)
    assert type(error.value) is kind
    assert (error.value.code, error.value.name, error.value.field) == (900, "REQUEST_MALFORMED", "limit")
    assert "a sentence" in str(error.value) and error.value.status == status_code


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("status_code", [200, 404, 500])
def test_an_answer_that_is_no_gateways(content: bytes, status_code: int) -> None:
    with pytest.raises(AnswerNotUnderstood):
        calls.status().read(status_code, content)


def test_health_is_told_also_when_it_is_bad() -> None:
    content = b'{"live": true, "ready": false, "reasons": ["the node does not answer"], "height": 3}'
    assert calls.health().read(503, content).reasons == ["the node does not answer"]
