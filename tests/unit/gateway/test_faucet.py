"""The way to the faucet: what a visitor has to show, and what becomes of whatever a faucet answers."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.gateway.market import Market, auth_document, founding, running_market, wallet_of

from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway import faucet as faucet_module
from gridtokenx.gateway.faucet import FaucetQuestion, FaucetReply
from gridtokenx.gateway.page_documents import FaucetAnswer, FaucetView, Recording

VIEW = FaucetView(True, True, "here", ["flat"], 5, 0, 1, 9)


def answer_to(question: FaucetQuestion) -> FaucetAnswer:
    recording = Recording("home", 7, 500, solar=False)
    return FaucetAnswer("a", "b", "c", question.profile, False, question.keys, 5, 1, 100, 0, recording, None)


class Desk:
    """A faucet that answers what it is told to, and remembers what it was asked."""

    def __init__(self, reply: bytes | None = None) -> None:
        self.reply = reply
        self.asked: list[FaucetQuestion] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = msgspec.json.decode(await reader.readline(), type=FaucetQuestion)
        self.asked.append(question)
        reply = FaucetReply(view=VIEW) if question.kind == "view" else FaucetReply(joined=answer_to(question))
        if self.reply == b"hang":
            await reader.read()  # until the gateway has had enough
        else:
            writer.write(msgspec.json.encode(reply) + b"\n" if self.reply is None else self.reply)
        writer.close()


async def ask(market: Market, account: bytes, signer: Wallet, profile: Any = "flat") -> tuple[int, Any]:
    asked = await market.web.post("/v1/challenges", json={"account": account.hex()})
    challenge = asked.json()["challenge"]
    auth = auth_document(signer.sign_challenge(bytes.fromhex(challenge)))
    response = await market.web.post("/v1/faucet", json={"challenge": challenge, "auth": auth, "profile": profile})
    return response.status_code, response.json()


def with_desk(folder: Path, desk: Desk, story: Any) -> None:
    async def life() -> None:
        server = await asyncio.start_unix_server(desk, folder / "desk.sock")
        async with server, running_market(folder, founding(), faucet=folder / "desk.sock") as market:
            await story(market)

    asyncio.run(life())


def test_a_key_that_was_shown_reaches_the_faucet(tmp_path: Path) -> None:
    desk, stranger = Desk(), wallet_of("nobody yet")

    async def story(market: Market) -> None:
        assert await market.get("/v1/faucet") == msgspec.to_builtins(VIEW)
        status, joined = await ask(market, stranger.account, stranger)
        key = stranger.keys.keys[0].hex()
        assert (status, joined["profile"], joined["transactions"]) == (202, "flat", [key])
        assert desk.asked[-1] == FaucetQuestion("join", 0, 1, [key], "flat")
        # Somebody else's keys, an account that these do not open: the faucet is not even asked.
        asked = len(desk.asked)
        for account, signer in ((stranger.account, wallet_of("eve")), (wallet_of("eve").account, stranger)):
            status, problem = await ask(market, account, signer)
            assert (status, problem["name"]) == (401, "CHALLENGE_NOT_SIGNED")
        status, problem = await ask(market, stranger.account, stranger, ["flat"])
        assert (status, problem["field"]) == (400, "profile")
        assert len(desk.asked) == asked
        # An account that there is may ask too: what comes of it is the faucet's to say.
        assert (await ask(market, wallet_of("ann").account, wallet_of("ann")))[0] == 202

    with_desk(tmp_path, desk, story)


@pytest.mark.parametrize(
    ("reply", "status", "name"),
    [
        (b"", 503, "FAUCET_UNREACHABLE"),
        (b"nonsense\n", 503, "FAUCET_UNREACHABLE"),
        (b"{}\n", 503, "FAUCET_UNREACHABLE"),
        (b"x" * 20_000 + b"\n", 503, "FAUCET_UNREACHABLE"),
        (b"hang", 503, "FAUCET_UNREACHABLE"),
        (b'{"code": 940, "field": "", "detail": "over"}\n', 409, "FAUCET_CLOSED"),
        (b'{"code": 900, "field": "profile", "detail": "which?"}\n', 400, "REQUEST_MALFORMED"),
        (b'{"code": 4711}\n', 503, "FAUCET_UNREACHABLE"),
    ],
)
def test_whatever_a_faucet_answers_is_told_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: bytes, status: int, name: str
) -> None:
    monkeypatch.setattr(faucet_module, "ANSWER_SECONDS_MAX", 0.2)

    async def story(market: Market) -> None:
        response = await market.web.get("/v1/faucet")
        assert (response.status_code, response.json()["name"]) == (status, name)
        stranger = wallet_of("nobody yet")
        found, problem = await ask(market, stranger.account, stranger)
        assert (found, problem["name"]) == (status, name)

    with_desk(tmp_path, Desk(reply), story)
