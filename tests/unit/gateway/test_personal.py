"""Who may see what: every personal route against everybody who might ask."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.market import Market, auth_document, running_market, story
from tests.world import buy, interval_at, pseudonym, sell

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import KeyList
from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway import personal, portfolios
from gridtokenx.gateway.sessions import CHALLENGE_LIFETIME_MS, SESSION_LIFETIME_MS
from gridtokenx.modules.identity.messages import RotateKeys
from gridtokenx.modules.market.state import ORDERS, POSITIONS

NOON = interval_at(12)

PERSONAL = [
    "/v1/accounts/{id}",
    "/v1/accounts/{id}/orders",
    "/v1/accounts/{id}/orders/0011223344556677",
    "/v1/accounts/{id}/positions",
    "/v1/accounts/{id}/statements",
    "/v1/accounts/{id}/proof",
    "/v1/accounts/{id}/portfolios",
    "/v1/accounts/{id}/splits",
]


def test_the_matrix_below_has_every_personal_route() -> None:
    every: list[Any] = [*personal.router.routes, *portfolios.router.routes]
    routes = {route.path for route in every if "GET" in route.methods and route.path.startswith("/v1/accounts/")}
    assert routes == {path.replace("0011223344556677", "{client_id}") for path in PERSONAL}


@contextlib.asynccontextmanager
async def clocked_market(folder: Path) -> Any:
    """A market whose gateway's own clock (for challenges and tokens) is moved by the test: (market, clock)."""
    now = [1_000_000]
    async with running_market(folder, clock=lambda: now[0]) as market:
        yield market, now


async def refusal(market: Market, path: str, headers: dict[str, str]) -> tuple[int, str]:
    response = await market.web.get(path, headers=headers)
    return response.status_code, response.json()["name"]


@pytest.mark.parametrize("path", PERSONAL)
def test_nobody_but_the_owner_is_told_anything(tmp_path: Path, path: str) -> None:
    async def matrix() -> None:
        async with clocked_market(tmp_path) as (market, now):
            mine = path.format(id=market.wallet("ann").account.hex())
            nobody = path.format(id="00" * 32)
            token, other = await market.sign_in("ann"), await market.sign_in("bob")
            missing = (401, "SESSION_MISSING")
            ended = (401, "SESSION_ENDED")
            foreign = (403, "NOT_YOUR_ACCOUNT")
            assert await refusal(market, mine, {}) == missing
            assert await refusal(market, mine, {"Authorization": ""}) == missing
            assert await refusal(market, mine, {"Authorization": f"Basic {token}"}) == missing
            assert await refusal(market, mine, {"Authorization": "Bearer "}) == missing
            assert await refusal(market, mine, {"Authorization": "Bearer invented"}) == ended
            assert await refusal(market, mine, {"Authorization": f"Bearer {token}x"}) == ended
            assert await refusal(market, mine, {"Authorization": f"Bearer {other}"}) == foreign
            # An account that does not exist looks like any other's.
            assert await refusal(market, nobody, {"Authorization": f"Bearer {token}"}) == foreign
            assert await refusal(market, nobody, {}) == missing
            response = await market.web.get(mine, headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == (404 if "0011223344556677" in path else 200)
            now[0] += SESSION_LIFETIME_MS
            assert await refusal(market, mine, {"Authorization": f"Bearer {token}"}) == ended

    asyncio.run(matrix())


@story
async def test_a_refusal_to_sign_in_again_says_how(market: Market) -> None:
    response = await market.web.get(f"/v1/accounts/{market.wallet('ann').account.hex()}")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "/v1/challenges" in response.json()["detail"]


@story
async def test_personal_answers_are_kept_by_nobody(market: Market) -> None:
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}"
    response = await market.web.get(path, headers={"Authorization": f"Bearer {token}"})
    assert response.headers["cache-control"] == "no-store"


@story
async def test_new_keys_end_the_sessions_of_the_old_ones(market: Market) -> None:
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}"
    key = PrivateKey.generate()
    await market.run("ann", RotateKeys(0, 1, (key.public_key,)))
    await market.block()
    headers = {"Authorization": f"Bearer {token}"}
    assert await refusal(market, path, headers) == (401, "SESSION_ENDED")
    market.wallets["ann"] = market.wallet("ann").with_keys([key])
    assert (await market.get(path, await market.sign_in("ann")))["nonce_highest"] == 1


async def challenge_of(market: Market, account: bytes) -> str:
    response = await market.web.post("/v1/challenges", json={"account": account.hex()})
    assert response.status_code == 200
    challenge: str = response.json()["challenge"]
    return challenge


async def open_session(market: Market, challenge: str, auth: dict[str, Any]) -> tuple[int, str]:
    response = await market.web.post("/v1/sessions", json={"challenge": challenge, "auth": auth})
    return response.status_code, response.json().get("name", "")


@story
async def test_a_challenge_counts_once(market: Market) -> None:
    wallet = market.wallet("ann")
    challenge = await challenge_of(market, wallet.account)
    auth = auth_document(wallet.sign_challenge(bytes.fromhex(challenge)))
    assert await open_session(market, challenge, auth) == (201, "")
    assert await open_session(market, challenge, auth) == (401, "CHALLENGE_INVALID")


def test_a_challenge_does_not_live_long(tmp_path: Path) -> None:
    async def life() -> None:
        async with clocked_market(tmp_path) as (market, now):
            wallet = market.wallet("ann")
            challenge = await challenge_of(market, wallet.account)
            auth = auth_document(wallet.sign_challenge(bytes.fromhex(challenge)))
            now[0] += CHALLENGE_LIFETIME_MS
            assert await open_session(market, challenge, auth) == (401, "CHALLENGE_INVALID")

    asyncio.run(life())


@story
async def test_every_flipped_bit_of_a_challenge_is_found(market: Market) -> None:
    wallet = market.wallet("ann")
    challenge = bytes.fromhex(await challenge_of(market, wallet.account))
    for position in range(len(challenge)):
        forged = bytearray(challenge)
        forged[position] ^= 1
        auth = auth_document(wallet.sign_challenge(bytes(forged)))
        assert await open_session(market, forged.hex(), auth) == (401, "CHALLENGE_INVALID")


@story
async def test_only_the_accounts_present_keys_sign_a_challenge(market: Market) -> None:
    mine, other = market.wallet("ann"), market.wallet("bob")
    stranger = Wallet([PrivateKey.generate()])
    challenge = await challenge_of(market, mine.account)
    wire = bytes.fromhex(challenge)
    good = auth_document(mine.sign_challenge(wire))
    refused = (401, "CHALLENGE_NOT_SIGNED")
    assert await open_session(market, challenge, auth_document(other.sign_challenge(wire))) == refused
    assert await open_session(market, challenge, auth_document(stranger.sign_challenge(wire))) == refused
    assert await open_session(market, challenge, auth_document(mine.sign_challenge(b"other"))) == refused
    assert await open_session(market, challenge, good | {"signatures": []}) == refused
    assert await open_session(market, challenge, good | {"signatures": [[1, good["signatures"][0][1]]]}) == refused
    assert await open_session(market, challenge, good | {"signatures": good["signatures"] * 2}) == refused
    assert await open_session(market, challenge, good | {"threshold": 0, "signatures": []}) == refused
    assert await open_session(market, challenge, good | {"threshold": 2}) == refused
    assert await open_session(market, challenge, good | {"algorithm": 1}) == refused
    assert await open_session(market, challenge, good | {"keys": []}) == refused
    # None of these used it up.
    assert await open_session(market, challenge, good) == (201, "")


@story
async def test_a_transactions_signature_is_none_of_a_challenge(market: Market) -> None:
    wallet = market.wallet("ann")
    challenge = await challenge_of(market, wallet.account)
    key = PrivateKey(b"\x07" * 32)
    mine = Wallet([key])
    assert mine.keys == KeyList.of([key.public_key])
    signed_as_transaction = key.sign(b"gridtokenx/transaction/1\x00" + bytes.fromhex(challenge))
    auth = auth_document(wallet.sign_challenge(bytes.fromhex(challenge)))
    auth["signatures"] = [[0, signed_as_transaction.hex()]]
    assert await open_session(market, challenge, auth) == (401, "CHALLENGE_NOT_SIGNED")


@story
async def test_accounts_that_do_not_exist_get_challenges_like_others(market: Market) -> None:
    nobody = Wallet([PrivateKey.generate()])
    challenge = await challenge_of(market, nobody.account)
    known = await challenge_of(market, market.wallet("ann").account)
    assert len(challenge) == len(known)
    auth = auth_document(nobody.sign_challenge(bytes.fromhex(challenge)))
    assert await open_session(market, challenge, auth) == (401, "CHALLENGE_NOT_SIGNED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "account"),
        ({"account": "00" * 31}, "account"),
        ({"account": "0G" * 32}, "account"),
        ({"account": "AA" * 32}, "account"),
        ({"account": 7}, "account"),
        ({"account": "00" * 32, "more": 1}, "more"),
    ],
)
@story
async def test_a_malformed_wish_for_a_challenge(market: Market, body: dict[str, Any], field: str) -> None:
    response = await market.web.post("/v1/challenges", json=body)
    problem = response.json()
    assert (response.status_code, problem["name"], problem["field"]) == (400, "REQUEST_MALFORMED", field)


@story
async def test_ones_own_orders_positions_and_proofs(market: Market) -> None:
    await market.run("ann", *(sell("ann", 200, NOON, 3_000_000 + step * 1_000, f"o{step}") for step in range(5)))
    await market.run("cat", buy("cat", 300, NOON, 4_000_000))
    token, own = await market.sign_in("ann"), market.wallet("ann").account
    path = f"/v1/accounts/{own.hex()}"
    account = await market.get(path, token)
    assert account["portfolios"] == [pseudonym("ann").hex()]
    assert account["free_micro"] == account["balance_micro"] - account["held_micro"]
    first = await market.get(f"{path}/orders", token, limit=2)
    rest = await market.get(f"{path}/orders", token, after=first["next"])
    ids = [order["client_id"] for order in first["orders"] + rest["orders"]]
    assert ids == sorted(pseudonym(f"o{step}").hex() for step in range(1, 5)) and rest["next"] == ""
    (gone,) = (await market.get(f"{path}/orders", token, state="gone"))["orders"]
    assert (gone["client_id"], gone["state"], gone["filled_wh"]) == (pseudonym("o0").hex(), "filled", 200)
    (position,) = (await market.get(f"{path}/positions", token))["positions"]
    assert (position["interval"], position["sold_wh"], position["open_sell_wh"]) == (NOON, 300, 700)
    record = ORDERS.decode(
        bytes.fromhex((await market.get(f"{path}/proof", token, record="order", client_id=ids[0]))["claim"]["value"])
    )
    assert record.interval == NOON
    proof = await market.get(f"{path}/proof", token, record="position", interval=NOON, portfolio=pseudonym("ann").hex())
    assert POSITIONS.decode(bytes.fromhex(proof["claim"]["value"])).sold_wh == 300
    absent = await market.get(f"{path}/proof", token, record="order", client_id="00" * 8)
    assert absent["claim"]["value"] is None and absent["claim"]["proof"]["path"]


@pytest.mark.parametrize(
    ("query", "status", "name", "field"),
    [
        ({"record": "secret"}, 400, "REQUEST_MALFORMED", "record"),
        ({"record": "order"}, 400, "REQUEST_MALFORMED", "client_id"),
        ({"record": "position", "interval": NOON}, 400, "REQUEST_MALFORMED", "portfolio"),
        ({"record": "position", "portfolio": pseudonym("ann").hex()}, 400, "REQUEST_MALFORMED", "interval"),
        (
            {"record": "statement", "interval": NOON, "portfolio": pseudonym("bob").hex()},
            403,
            "NOT_YOUR_ACCOUNT",
            "portfolio",
        ),
    ],
)
@story
async def test_proofs_are_of_ones_own_records(
    market: Market, query: dict[str, Any], status: int, name: str, field: str
) -> None:
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}/proof"
    response = await market.web.get(path, params=query, headers={"Authorization": f"Bearer {token}"})
    problem = response.json()
    assert (response.status_code, problem["name"], problem["field"]) == (status, name, field)


@story
async def test_a_proof_comes_when_its_block_can_be_asked_for(market: Market) -> None:
    token = await market.sign_in("ann")
    path = f"/v1/accounts/{market.wallet('ann').account.hex()}/proof"
    async with market.gateway._following:
        market.node.engine.advance(market.time_ms + 1_000)
        asked = asyncio.create_task(market.get(path, token, record="account"))
        _, waiting = await asyncio.wait([asked], timeout=0.5)
        assert waiting, "the gateway does not have this block yet"
    proof = await asked
    assert proof["height"] == market.height
    block = await market.get(f"/v1/blocks/{proof['height']}")
    assert block["app_hash"] == proof["claim"]["root"]
