"""When something is missing or broken: said by name, with nothing given away."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.unit.gateway.market import NODE_SEED, Market, founding, running_gateway, story
from tests.unit.gateway.socket import Closed, Socket
from tests.world import interval_at, sell

from gridtokenx.engine import mempool
from gridtokenx.engine.folder import create_data_folder, socket_address
from gridtokenx.gateway import sessions, stream
from gridtokenx.gateway.codes import STATUS, GatewayCode
from gridtokenx.gateway.sentences import sentence

NOON = interval_at(12)


def test_codes_are_append_only() -> None:
    assert {code.name: int(code) for code in GatewayCode} == {
        "REQUEST_MALFORMED": 900,
        "BODY_TOO_LARGE": 901,
        "NOT_FOUND": 902,
        "METHOD_NOT_ALLOWED": 903,
        "HOST_UNKNOWN": 904,
        "MEDIA_TYPE_UNKNOWN": 905,
        "BODY_TOO_SLOW": 906,
        "SESSION_MISSING": 910,
        "SESSION_ENDED": 911,
        "NOT_YOUR_ACCOUNT": 912,
        "CHALLENGE_INVALID": 913,
        "CHALLENGE_NOT_SIGNED": 914,
        "RECORD_NOT_PUBLIC": 915,
        "TOO_MANY": 920,
        "NOT_READY": 921,
        "NODE_UNREACHABLE": 922,
        "READ_ONLY": 923,
        "STREAM_TOO_SLOW": 930,
        "STREAM_TOPIC_UNKNOWN": 931,
        "STREAM_RESTARTED": 932,
        "STREAM_SILENT": 933,
        "FAUCET_CLOSED": 940,
        "FAUCET_UNREACHABLE": 941,
        "NO_CONSENSUS": 950,
        "HISTORY_MISSING": 951,
        "GATEWAY_FAULT": 999,
    }
    assert set(STATUS) == set(GatewayCode)


@pytest.mark.parametrize("path", ["/v1/status", f"/v1/intervals/{NOON}/book", "/v1/transactions/" + "00" * 32])
def test_before_there_is_a_chain_everything_says_not_ready(tmp_path: Path, path: str) -> None:
    async def life() -> None:
        data = tmp_path / "data"
        create_data_folder(data, founding().builder.finish(), NODE_SEED)
        async with running_gateway(data) as (_, app, web):
            response = await web.get(path)
            assert (response.status_code, response.json()["name"]) == (503, "NOT_READY")
            assert response.headers["retry-after"] == "1"
            asked = await web.post("/v1/challenges", json={"account": "00" * 32})
            assert asked.json()["name"] == "NOT_READY"
            assert not (await web.get("/health")).json()["ready"]
            assert (await web.get("/v1/codes")).status_code == 200
            async with Socket(app) as socket:
                await socket.say(subscribe=[{"topic": "blocks"}])
                with pytest.raises(Closed) as closed:  # not a refusal: the listener keeps its topic, and comes again
                    await socket.hear()
                assert closed.value.code == 4_000 + GatewayCode.STREAM_RESTARTED

    asyncio.run(life())


@story
async def test_without_its_node_it_takes_nothing_and_goes_on_telling(market: Market) -> None:
    said = await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    transaction = market.sign("ann", sell("ann", 100, NOON, 3_000_000, "two"))
    await market.server.close()
    while market.gateway.health().ready:
        await market.gateway.next_block(0.01)
    response = await market.web.post("/v1/transactions", json={"transactions": [transaction.wire.hex()]})
    assert (response.status_code, response.json()["name"]) == (503, "NODE_UNREACHABLE")
    unknown = await market.web.get(f"/v1/transactions/{transaction.id.hex()}")
    assert (unknown.status_code, unknown.json()["name"]) == (503, "NODE_UNREACHABLE")
    assert await market.get(f"/v1/transactions/{said['id']}") == said
    assert len((await market.get(f"/v1/intervals/{NOON}/book"))["asks"]) == 1


@story
async def test_a_node_that_takes_connections_and_says_nothing_does_not_count_as_there(market: Market) -> None:
    await market.server.close()
    while market.gateway.health().ready:
        await market.gateway.next_block(0.01)
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await reader.read()
        writer.close()

    address = socket_address(market.node.folder.socket)
    async with await asyncio.start_unix_server(say_nothing, address):
        await asked.wait()
        response = await market.web.get("/health")
        assert response.status_code == 503 and "node does not answer" in response.json()["reasons"][0]


@story
async def test_a_node_that_is_full_is_busy_and_what_it_did_not_take_may_come_again(market: Market) -> None:
    transaction = market.sign("ann", sell("ann", 100, NOON, 3_000_000))
    room = mempool.PENDING_TRANSACTIONS_MAX
    mempool.PENDING_TRANSACTIONS_MAX = 0  # type: ignore[misc]
    try:
        (answer,) = await market.submit(transaction)
        assert (answer["state"], answer["name"]) == ("busy", "TOO_MANY")
    finally:
        mempool.PENDING_TRANSACTIONS_MAX = room  # type: ignore[misc]
    (answer,) = await market.submit(transaction)
    assert answer["state"] == "pending"


@story
async def test_there_is_room_for_so_many_sessions_and_streams(market: Market) -> None:
    rooms = sessions.SESSIONS_MAX, stream.LISTENERS_MAX
    sessions.SESSIONS_MAX, stream.LISTENERS_MAX = 1, 1
    try:
        await market.sign_in("ann")
        with pytest.raises(AssertionError, match="TOO_MANY"):
            await market.sign_in("bob")
        async with Socket(market.app) as first, Socket(market.app) as second:
            with pytest.raises(Closed) as closed:
                await second.hear()
            assert closed.value.code == 4_920
            await first.say(subscribe=[{"topic": "blocks"}])
            assert (await first.hear())["kind"] == "snapshot"
    finally:
        sessions.SESSIONS_MAX, stream.LISTENERS_MAX = rooms


@story
async def test_a_fault_of_the_gateway_is_told_without_details(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    market.gateway.model.terms.clear()
    transport = httpx.ASGITransport(market.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
        response = await web.get(f"/v1/intervals/{NOON}")
    assert response.status_code == 500
    problem = response.json()
    name = problem.pop("instance")
    assert problem == {
        "type": "/problems/GATEWAY_FAULT",
        "title": sentence("GATEWAY_FAULT", "en"),
        "status": 500,
        "code": 999,
        "name": "GATEWAY_FAULT",
        "field": "",
        "detail": "a mistake of the gateway; its log says more",
    }
    assert name.startswith("urn:uuid:") and [record for record in caplog.records if name in record.getMessage()]
    text = (await market.web.get("/metrics")).text
    assert 'route="/v1/intervals/{interval}",status="500"} 1.0' in text
