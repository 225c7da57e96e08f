"""The authorisation matrix: every personal route against everybody who might ask, and tokens from birth to death."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from tests.unit.gateway.market import Market, auth_document, running_market, story
from tests.unit.gateway.socket import Socket
from tests.world import interval_at, pseudonym, sell

from gridtokenx.client.keys import PrivateKey
from gridtokenx.gateway import limits
from gridtokenx.gateway.app import ROUTERS
from gridtokenx.gateway.sessions import CHALLENGE_LIFETIME_MS, SESSION_LIFETIME_MS, SESSIONS_OF_ACCOUNT_MAX
from gridtokenx.modules.identity.messages import RotateKeys

NOON = interval_at(12)
ACCOUNT_TOPIC = "/v1/stream"

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
PERSONAL = sorted(route.path for route in ROUTES if (route.openapi_extra or {}).get("security"))


@dataclass
class Life:
    """A market, and the gateway's own clock, which the test moves."""

    market: Market
    clock: list[int]

    def pass_by(self, milliseconds: int) -> None:
        """Time goes on."""
        self.clock[0] += milliseconds

    async def rotate(self, name: str) -> None:
        """New keys for a home, which its wallet knows."""
        key = PrivateKey.generate()
        await self.market.run(name, RotateKeys(0, 1, (key.public_key,)))
        await self.market.block()
        self.market.wallets[name] = self.market.wallet(name).with_keys([key])

    async def ask(self, path: str, authorization: str | None) -> tuple[int, str]:
        """(status, name of the refusal if it is one)."""
        headers = {} if authorization is None else {"Authorization": authorization}
        if path == ACCOUNT_TOPIC:
            return await self._listen(authorization)
        response = await self.market.web.get(path, headers=headers)
        assert response.headers["cache-control"] == "no-store"
        return response.status_code, response.json()["name"] if response.is_error else ""

    async def _listen(self, authorization: str | None) -> tuple[int, str]:
        token = None if authorization is None else authorization.removeprefix("Bearer ")
        async with Socket(self.market.app) as socket:
            await socket.say(subscribe=[{"topic": "account"}], token=token)
            heard = await socket.hear()
            problem = heard.get("problem", {"status": 200, "name": ""})
            return problem["status"], problem["name"]


def lived(test: Callable[[Life], Awaitable[None]], folder: Path) -> None:
    async def life() -> None:
        clock = [1_000_000]
        async with running_market(folder, clock=lambda: clock[0], history=True) as market:
            await test(Life(market, clock))

    asyncio.run(life())


def test_the_matrix_has_every_route_that_names_an_account_in_private() -> None:
    assert len(PERSONAL) >= 8
    paths = [route.path for route in ROUTES]
    assert sorted(path for path in paths if path.startswith("/v1/accounts/")) == PERSONAL


NO_TOKEN, ENDED, FOREIGN = (401, "SESSION_MISSING"), (401, "SESSION_ENDED"), (403, "NOT_YOUR_ACCOUNT")


@pytest.mark.parametrize("path", PERSONAL)
def test_the_matrix(tmp_path: Path, path: str) -> None:
    async def matrix(life: Life) -> None:
        market = life.market
        mine = market.wallet("ann").account.hex()
        await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
        own = path.format(id=mine, client_id=pseudonym("order").hex())
        nobodys = path.format(id="00" * 32, client_id=pseudonym("order").hex())
        token, others = await market.sign_in("ann"), await market.sign_in("bob")
        assert await life.ask(own, None) == NO_TOKEN
        assert await life.ask(own, "") == NO_TOKEN
        assert await life.ask(own, "Bearer") == NO_TOKEN
        assert await life.ask(own, f"Basic {token}") == NO_TOKEN
        assert await life.ask(own, "Bearer nonsense") == ENDED
        assert await life.ask(own, f"Bearer {token[:-1]}") == ENDED
        assert await life.ask(own, f"Bearer {token.swapcase()}") == ENDED
        assert await life.ask(own, f"Bearer {others}") == FOREIGN
        # Who asks for another account learns nothing, not even whether it exists or whether the rest makes sense.
        assert await life.ask(nobodys, f"Bearer {token}") == FOREIGN
        assert await life.ask(own.replace(mine, mine.upper()), f"Bearer {token}") == FOREIGN
        assert await life.ask(own + "?nonsense=1", f"Bearer {others}") == FOREIGN
        assert await life.ask(own + "?nonsense=1", None) == NO_TOKEN
        assert await life.ask(own, f"bearer {token}") == (200, "")
        await life.rotate("ann")
        assert await life.ask(own, f"Bearer {token}") == ENDED
        again = await market.sign_in("ann")
        assert await life.ask(own, f"Bearer {again}") == (200, "")
        life.pass_by(SESSION_LIFETIME_MS - 1)
        assert await life.ask(own, f"Bearer {again}") == (200, "")
        life.pass_by(1)
        assert await life.ask(own, f"Bearer {again}") == ENDED

    lived(matrix, tmp_path)


def test_the_matrix_of_the_stream(tmp_path: Path) -> None:
    async def matrix(life: Life) -> None:
        token = await life.market.sign_in("ann")
        assert await life.ask(ACCOUNT_TOPIC, None) == NO_TOKEN
        assert await life.ask(ACCOUNT_TOPIC, "Bearer nonsense") == ENDED
        assert await life.ask(ACCOUNT_TOPIC, f"Bearer {token}") == (200, "")
        await life.rotate("ann")
        assert await life.ask(ACCOUNT_TOPIC, f"Bearer {token}") == ENDED
        again = await life.market.sign_in("ann")
        life.pass_by(SESSION_LIFETIME_MS)
        assert await life.ask(ACCOUNT_TOPIC, f"Bearer {again}") == ENDED

    lived(matrix, tmp_path)


def test_challenges_that_are_stale_replayed_or_somebody_elses(tmp_path: Path) -> None:
    async def attempts(life: Life) -> None:
        market, wallet = life.market, life.market.wallet("ann")

        async def challenge_of(account: bytes) -> str:
            asked = await market.web.post("/v1/challenges", json={"account": account.hex()})
            challenge: str = asked.json()["challenge"]
            return challenge

        async def answer(challenge: str, signed: str) -> str:
            auth = auth_document(wallet.sign_challenge(bytes.fromhex(signed)))
            response = await market.web.post("/v1/sessions", json={"challenge": challenge, "auth": auth})
            return "" if response.is_success else response.json()["name"]

        first, second = await challenge_of(wallet.account), await challenge_of(wallet.account)
        assert first != second
        assert await answer(first, second) == "CHALLENGE_NOT_SIGNED"
        assert await answer(first, first) == ""
        assert await answer(first, first) == "CHALLENGE_INVALID"
        foreign = await challenge_of(market.wallet("bob").account)
        assert await answer(foreign, foreign) == "CHALLENGE_NOT_SIGNED"
        life.pass_by(CHALLENGE_LIFETIME_MS)
        assert await answer(second, second) == "CHALLENGE_INVALID"
        # A used one is forgotten only when it has expired, so it can never count again.
        assert await answer(first, first) == "CHALLENGE_INVALID"

    lived(attempts, tmp_path)


def test_an_account_has_so_many_tokens_and_the_oldest_goes(tmp_path: Path) -> None:
    async def signing_in(life: Life) -> None:
        market = life.market
        path = f"/v1/accounts/{market.wallet('ann').account.hex()}"
        others = await market.sign_in("bob")
        tokens = [await market.sign_in("ann") for _ in range(SESSIONS_OF_ACCOUNT_MAX + 2)]
        asked = [await life.ask(path, f"Bearer {token}") for token in tokens]
        assert asked == [ENDED] * 2 + [(200, "")] * SESSIONS_OF_ACCOUNT_MAX
        assert len(market.gateway.sessions) == SESSIONS_OF_ACCOUNT_MAX + 1
        assert await life.ask(path.replace(path[-64:], market.wallet("bob").account.hex()), f"Bearer {others}") == (
            200,
            "",
        )
        life.pass_by(SESSION_LIFETIME_MS)
        await market.sign_in("ann")
        assert len(market.gateway.sessions) == 1

    lived(signing_in, tmp_path)


@story
async def test_an_account_may_ask_so_much_from_wherever_it_asks(market: Market) -> None:
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}"
    tokens = [await market.sign_in("ann") for _ in range(2)]
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    for number in range(limits.PERSONAL.burst):
        assert (await market.web.get(path, headers=headers[number % 2])).status_code == 200
    while (response := await market.web.get(path, headers=headers[0])).status_code == 200:
        pass
    assert (response.status_code, response.json()["name"]) == (429, "TOO_MANY")
    assert int(response.headers["retry-after"]) == 1
    other = f"/v1/accounts/{market.wallet('bob').account.hex()}"
    await market.get(other, await market.sign_in("bob"))
