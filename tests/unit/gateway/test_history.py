"""What an archive's gateway tells of the past: to anybody what is public now, to each what is one's own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.unit.gateway.market import Market, running_market, story
from tests.world import buy, interval_at, sell

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.gateway.history import PUBLIC
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.market.state import ORDERS, TERMS, order_key, position_key

NOON = interval_at(12)


def archive(test: Callable[[Market], Awaitable[None]]) -> Callable[[Path], None]:
    """A test with the market of a node that is an archive."""

    def play(tmp_path: Path) -> None:
        async def life() -> None:
            async with running_market(tmp_path, history=True) as market:
                await test(market)

        asyncio.run(life())

    play.__name__, play.__doc__ = test.__name__, test.__doc__
    return play


async def refusal(market: Market, path: str, token: str | None = None, **query: Any) -> tuple[int, str, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = await market.web.get(path, params=query, headers=headers)
    problem = response.json()
    return response.status_code, problem["name"], problem.get("field", "")


@archive
async def test_the_balance_at_every_height_is_what_was_said_then(market: Market) -> None:
    mine, token = f"/v1/accounts/{market.wallet('cat').account.hex()}", await market.sign_in("cat")
    told = {market.height: await market.get(mine, token)}
    for number in range(3):
        await market.run("cat", buy("cat", 400, NOON, 3_000_000 + 10_000 * number, f"order {number}"))
        told[market.height] = await market.get(mine, token)
    assert len({view["held_micro"] for view in told.values()}) == 4
    for height, view in told.items():
        assert view["height"] == height
        assert await market.get(mine, token, height=height) == view


@archive
async def test_versions_of_ones_own_order_tell_its_life(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000, "sale"))
    placed = market.height
    token, own = await market.sign_in("ann"), market.wallet("ann").account
    client_id = (await market.get(f"/v1/accounts/{own.hex()}/orders", token))["orders"][0]["client_id"]
    record = market.node.application.state.get(ORDERS, order_key(own, bytes.fromhex(client_id)))
    await market.run("cat", buy("cat", 1_000, NOON, 3_400_000))
    filled = market.height
    path = f"/v1/accounts/{own.hex()}/history"
    told = await market.get(path, token, record="order", client_id=client_id)
    assert told["versions"] == [
        {"height": placed, "value": encode(record).hex()},
        {"height": filled, "value": None},
    ]
    assert (told["until"], told["following"]) == (market.height, 0)
    page = await market.get(path, token, record="order", client_id=client_id, limit=1)
    assert page["versions"] == told["versions"][:1] and page["following"] == placed + 1
    rest = await market.get(path, token, record="order", client_id=client_id, first=page["following"])
    assert rest["versions"] == told["versions"][1:]


@archive
async def test_of_a_portfolio_one_sees_what_was_while_it_was_ones_own(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    own, token = market.wallet("ann").account, await market.sign_in("ann")
    (portfolio,) = market.gateway.model.portfolios_of[own]
    path = f"/v1/accounts/{own.hex()}/history"
    asked = {"record": "position", "interval": NOON, "portfolio": portfolio.hex()}
    (version,) = (await market.get(path, token, **asked))["versions"]
    key = position_key(NOON, portfolio)
    assert version["value"] == encode(market.node.application.state.rows[0x64][key]).hex()
    # As if it had been somebody else's until now: no version of that time is told.
    storage = market.node.storage
    assert storage is not None
    present = market.node.application.state.get(PORTFOLIOS, portfolio)
    assert present is not None
    stem = bytes([PORTFOLIOS.prefix]) + len(portfolio).to_bytes(2, "big") + portfolio
    stranger = msgspec.structs.replace(present, account=market.wallet("bob").account)
    storage._columns["history"][stem + market.height.to_bytes(8, "big")] = encode(stranger)
    await market.block()
    assert (await market.get(path, token, **asked))["versions"] == []
    assert (await market.get(f"/v1/accounts/{own.hex()}", token, height=market.height - 1))["portfolios"] == []


@archive
async def test_anybody_may_see_what_belongs_to_nobody(market: Market) -> None:
    await market.block()
    height = market.height
    last = encode(market.node.application.state.get(LAST_BLOCK, LAST_BLOCK_KEY))
    await market.block()
    told = await market.get("/v1/history/last_block/-", height=height)
    assert told == {"height": height, "since": 0, "value": last.hex(), "written": height}
    assert (await market.get("/v1/history/last_block/-"))["height"] == height + 1
    (key,) = market.node.application.state.rows[TERMS.prefix]
    terms = await market.get(f"/v1/history/terms/{key.hex()}", height=1)
    assert terms["written"] == 0 and terms["value"] is not None
    nothing = await market.get("/v1/history/terms/ffffffff", height=1)
    assert (nothing["value"], nothing["written"]) == (None, None)
    versions = await market.get("/v1/history/last_block/-/versions", first=1, last=height, limit=1)
    assert [one["height"] for one in versions["versions"]] == [1] and versions["following"] == 2


@archive
async def test_nothing_that_is_somebodys_is_public(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    for table in CONSORTIUM.tables.values():
        for key in list(market.node.application.state.rows[table.prefix])[:1]:
            for path in ("", "/versions"):
                asked = f"/v1/history/{table.name}/{key.hex() or '-'}{path}"
                response = await market.web.get(asked)
                if table.prefix in PUBLIC:
                    assert response.status_code == 200
                else:
                    assert (response.status_code, response.json()["name"]) == (403, "RECORD_NOT_PUBLIC"), asked
    assert ACCOUNTS.prefix not in PUBLIC and ORDERS.prefix not in PUBLIC


@archive
async def test_what_cannot_be_answered_is_refused_by_name(market: Market) -> None:
    beyond = market.height + 1
    assert await refusal(market, "/v1/history/terms/00", height=beyond) == (404, "NOT_FOUND", "height")
    assert await refusal(market, "/v1/history/nothing/00") == (404, "NOT_FOUND", "table")
    for key in ("AB", "0", "zz", "ab" * 129):
        assert await refusal(market, f"/v1/history/terms/{key}") == (400, "REQUEST_MALFORMED", "key")
    own, token = market.wallet("ann").account, await market.sign_in("ann")
    assert await refusal(market, f"/v1/accounts/{own.hex()}", token, height=beyond) == (404, "NOT_FOUND", "height")
    other = market.wallet("bob").account
    for path in ("", "/history"):
        foreign = await refusal(market, f"/v1/accounts/{other.hex()}{path}", token, height=1)
        assert foreign[:2] == (403, "NOT_YOUR_ACCOUNT")


@story
async def test_a_node_without_history_says_so(market: Market) -> None:
    own, token = market.wallet("ann").account, await market.sign_in("ann")
    missing = (404, "HISTORY_MISSING", "height")
    assert await refusal(market, "/v1/history/last_block/-") == missing
    assert await refusal(market, "/v1/history/last_block/-/versions") == missing
    assert await refusal(market, f"/v1/accounts/{own.hex()}", token, height=0) == missing
    assert await refusal(market, f"/v1/accounts/{own.hex()}/history", token) == missing
    assert (await market.get(f"/v1/accounts/{own.hex()}", token))["height"] == market.height


def test_a_gateway_that_only_answers_takes_nothing_in(tmp_path: Path) -> None:
    async def life() -> None:
        async with running_market(tmp_path, read_only=True) as market:
            wire = market.sign("ann", sell("ann", 1_000, NOON, 3_000_000)).wire
            for path, body in (("/v1/transactions", {"transactions": [wire.hex()]}), ("/v1/faucet", {})):
                response = await market.web.post(path, json=body)
                assert (response.status_code, response.json()["name"]) == (403, "READ_ONLY")
            assert len(market.node.engine.mempool) == 0
            token = await market.sign_in("ann")
            account = market.wallet("ann").account.hex()
            assert (await market.get(f"/v1/accounts/{account}", token))["account"] == account

    asyncio.run(life())
