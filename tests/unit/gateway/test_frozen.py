"""A market that its emergency rules stopped: the gateway says since when, refuses orders, takes readings."""

import asyncio
from pathlib import Path

from tests.consortium import SEATED, TERMS, add_members
from tests.unit.gateway.market import Market, founding, running_gateway, running_market
from tests.world import MINUTE_MS, interval_at, sell, signed, signer

from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.authority.messages import Act, Propose, Vote


def test_it_says_since_when_and_refuses_orders(tmp_path: Path) -> None:
    asyncio.run(_story(tmp_path))


async def _story(folder: Path) -> None:
    community = founding()
    add_members(community, TERMS, SEATED)
    nonces: dict[str, int] = {}

    async def say(market: Market, name: str, message: Message) -> None:
        nonce = nonces[name] = nonces.get(name, 0) + 1
        body = Body("test-chain", community.accounts[name], nonce, market.time_ms + MINUTE_MS, (message,))
        (answer,) = await market.submit(signed(signer(name, 2, 3), body))
        assert answer["state"] == "pending", answer
        await market.block()

    async with running_market(folder, community) as market:
        assert (await market.get("/v1/status"))["frozen_since_ms"] is None
        await say(market, "sec", Propose(Act.FREEZE, b"", b""))
        await say(market, "ieat", Vote(1, yes=True))
        since_ms = market.time_ms
        await market.block()
        assert (await market.get("/v1/status"))["frozen_since_ms"] == since_ms
        async with running_gateway(folder / "data") as (gateway, _, web):
            async with asyncio.timeout(30):
                while not gateway.health().ready:
                    await gateway.next_block(0.05)
            status = (await web.get("/v1/status")).json()
            assert status["frozen_since_ms"] == since_ms, "one that starts later knows it too"
        order = market.sign("ann", sell("ann", 1_000, interval_at(12), 4_000_000))
        (answer,) = await market.submit(order)
        assert (answer["state"], answer["code"]) == ("refused", KernelCode.FROZEN)
        await say(market, "sec", Propose(Act.RESUME, b"", b""))
        await say(market, "central-bank", Vote(2, yes=True))
        assert (await market.get("/v1/status"))["frozen_since_ms"] is None
        assert (await market.submit(order))[0]["state"] == "pending"
