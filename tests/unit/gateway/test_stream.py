"""The stream: sequence numbers, resume, snapshots, and listeners who are slow, silent or rude."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.gateway.market import Market, running_gateway, running_market, running_node, story
from tests.unit.gateway.socket import Closed, Socket
from tests.world import at, buy, interval_at, pseudonym, sell

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.livebook import BookOutOfStep, LiveBook
from gridtokenx.gateway import stream
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import BlockLine
from gridtokenx.gateway.hub import QUEUE_CHARACTERS_MAX, QUEUE_MESSAGES_MAX, Listener
from gridtokenx.gateway.limits import STREAM_REQUESTS
from gridtokenx.gateway.sentences import SENTENCES
from gridtokenx.gateway.stream_documents import BookEvent
from gridtokenx.modules.identity.messages import RotateKeys
from gridtokenx.modules.market.messages import CancelOrder

NOON = interval_at(12)
BOOK = f"book:{NOON}"


def wish(topic: str, after: int | None = None) -> list[dict[str, Any]]:
    return [{"topic": topic} if after is None else {"topic": topic, "after": after}]


def as_event(data: dict[str, Any]) -> BookEvent:
    return msgspec.convert(data, BookEvent)


@story
async def test_blocks_come_one_by_one_with_sequence_and_predecessor(market: Market) -> None:
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish("blocks"))
        first = await socket.hear()
        assert (first["kind"], first["sequence"], first["data"]["height"]) == ("snapshot", market.height, market.height)
        for _ in range(3):
            height = await market.block()
            heard = await socket.hear()
            assert (heard["kind"], heard["sequence"], heard["previous"]) == ("update", height, height - 1)
            assert heard["data"] == (await market.get("/v1/blocks", limit=1))["blocks"][0]


@story
async def test_the_first_block_heard_is_the_newest_also_where_none_was_followed(market: Market) -> None:
    """After a start nothing is remembered; before the first block there is only the genesis."""
    market.gateway.lines.clear()
    genesis_hash = market.gateway.model.head.genesis_hash.hex()
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish("blocks"))
        heard = msgspec.convert((await socket.hear())["data"], BlockLine)
        blocks = (await market.get("/v1/blocks", limit=1))["blocks"]
        assert heard.height == market.height
        assert [msgspec.convert(blocks[0], BlockLine)] == [heard] if blocks else heard.hash == genesis_hash


@story
async def test_trades_come_only_when_there_are_any(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish("trades"))
        assert (await socket.hear())["data"]["trades"] == []
        await market.block()
        said = await market.run("cat", buy("cat", 300, NOON, 3_500_000))
        heard = await socket.hear()
        assert heard["sequence"] == said["height"]
        assert [trade["quantity_wh"] for trade in heard["data"]["trades"]] == [300]
        before = heard["sequence"]
        await market.block()
        await market.run("cat", buy("cat", 200, NOON, 3_500_000))
        heard = await socket.hear()
        assert heard["previous"] == before


@story
async def test_a_book_can_be_followed_and_proves_itself(market: Market) -> None:
    await market.run("ann", *(sell("ann", 100, NOON, 3_000_000 + n * 1_000, f"o{n}") for n in range(5)))
    book = LiveBook(NOON)
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(BOOK))
        book.apply(as_event((await socket.hear())["data"]), is_snapshot=True)
        await market.run("cat", buy("cat", 250, NOON, 3_500_000))
        await market.run("bob", sell("bob", 700, NOON, 2_900_000), sell("bob", 700, NOON, 3_001_000, "two"))
        await market.run("ann", CancelOrder(pseudonym("o4")))
        for _ in range(3):
            heard = await socket.hear()
            assert heard["kind"] == "update"
            book.apply(as_event(heard["data"]), is_snapshot=False)
        shown = await market.get(f"/v1/intervals/{NOON}/book")
        mine = [(level.price_micro, level.quantity_wh, level.orders) for level in book.asks()]
        assert mine == [(level["price_micro"], level["quantity_wh"], level["orders"]) for level in shown["asks"]]
        await market.block(at(11, 55))
        heard = await socket.hear()
        book.apply(as_event(heard["data"]), is_snapshot=False)
        assert book.closed and not book.asks() and not book.bids()


@story
async def test_an_update_that_was_missed_shows(market: Market) -> None:
    await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    book = LiveBook(NOON)
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(BOOK))
        snapshot = await socket.hear()
        book.apply(as_event(snapshot["data"]), is_snapshot=True)
        await market.run("bob", sell("bob", 100, NOON, 3_100_000))
        await market.run("eve", sell("eve", 100, NOON, 3_200_000))
        missed, heard = await socket.hear(), await socket.hear()
        assert heard["previous"] == missed["sequence"] > snapshot["sequence"]
        with pytest.raises(BookOutOfStep):
            book.apply(as_event(heard["data"]), is_snapshot=False)


@pytest.mark.parametrize("topic", ["blocks", "trades", BOOK])
@story
async def test_who_comes_back_gets_what_followed(market: Market, topic: str) -> None:
    await market.run("ann", sell("ann", 2_000, NOON, 3_000_000))
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(topic))
        after = (await socket.hear())["sequence"]
        lived: list[dict[str, Any]] = []
        for number in range(4):
            await market.run("cat", buy("cat", 100 + number, NOON, 3_500_000, f"o{number}"))
            lived.append(await socket.hear())
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(topic, after))
        assert [await socket.hear() for _ in range(4)] == lived
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(topic, lived[1]["sequence"]))
        assert [await socket.hear() for _ in range(2)] == lived[2:]
        await market.run("cat", buy("cat", 200, NOON, 3_500_000, "last"))
        assert (await socket.hear())["previous"] == lived[3]["sequence"]


@pytest.mark.parametrize("after", [0, 2**53])
@pytest.mark.parametrize("topic", ["trades", BOOK])
@story
async def test_who_asks_for_what_is_not_there_gets_a_snapshot(market: Market, topic: str, after: int) -> None:
    market.gateway.hub.topics["trades"].complete_since = 1
    await market.run("ann", sell("ann", 2_000, NOON, 3_000_000))
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish(topic, after))
        heard = await socket.hear()
        assert (heard["kind"], heard["sequence"]) == ("snapshot", market.height)


def test_a_stream_is_resumed_at_a_gateway_that_was_started_anew(tmp_path: Path) -> None:
    async def story_of_two_gateways() -> None:
        async with running_market(tmp_path) as market:
            await market.run("ann", sell("ann", 2_000, NOON, 3_000_000))
            async with Socket(market.app) as socket:
                await socket.say(subscribe=[*wish("blocks"), *wish("trades")])
                start = {heard["topic"]: heard["sequence"] for heard in [await socket.hear(), await socket.hear()]}
                await market.run("cat", buy("cat", 100, NOON, 3_500_000))
                lived = [await socket.hear(), await socket.hear()]
        data = tmp_path / "data"
        async with running_node(data) as (node, server), running_gateway(data) as (gateway, app, web):
            again = Market(node, server, gateway, app, web)
            await again.followed()
            async with Socket(app) as socket:
                await socket.say(subscribe=[*wish("blocks", start["blocks"]), *wish("trades", start["trades"])])
                told = [await socket.hear() for _ in range(again.height - start["blocks"] + 1)]
                assert [heard for heard in told if heard in lived] == [lived[0], lived[1]]
                assert {heard["kind"] for heard in told} == {"update"}

    asyncio.run(story_of_two_gateways())


@story
async def test_ones_own_account(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    token = await market.sign_in("ann")
    async with Socket(market.app) as socket, Socket(market.app) as stranger:
        await stranger.say(subscribe=wish("account"))
        assert (await stranger.hear())["problem"]["name"] == "SESSION_MISSING"
        await stranger.say(subscribe=wish("account"), token="invented")
        assert (await stranger.hear())["problem"]["name"] == "SESSION_ENDED"
        other = market.wallet("ann").account.hex()
        await stranger.say(subscribe=wish(f"account:{other}"), token=await market.sign_in("bob"))
        assert (await stranger.hear())["problem"]["name"] == "STREAM_TOPIC_UNKNOWN"
        await socket.say(subscribe=wish("account"), token=token)
        snapshot = await socket.hear()
        assert (snapshot["topic"], snapshot["kind"]) == ("account", "snapshot")
        assert [order["state"] for order in snapshot["data"]["orders"]] == ["open"]
        await market.run("bob", sell("bob", 1_000, NOON, 3_200_000))
        await market.run("cat", buy("cat", 1_000, NOON, 3_500_000))
        heard = await socket.hear()
        assert [order["state"] for order in heard["data"]["orders"]] == ["filled"]
        (trade,) = heard["data"]["trades"]
        assert (trade["client_id"], trade["side"]) == (pseudonym("order").hex(), "sell")
        assert heard["data"]["account"] == await market.get(f"/v1/accounts/{other}", token)


RUDE = [
    "",
    "x",
    "[]",
    "[" * 30_000,
    '{"subscribe": "blocks"}',
    '{"subscribe": [{"topic": "blocks", "more": 1}]}',
    '{"subscribe": [{"topic": "blocks", "after": -1}]}',
    '{"subscribe": [{"topic": "blocks", "after": 1.5}]}',
    '{"shout": true}',
    json.dumps({"subscribe": wish("blocks") * 65}),
]


@pytest.mark.parametrize("text", RUDE, ids=range(len(RUDE)))
@story
async def test_what_is_not_understood_is_refused_and_the_stream_goes_on(market: Market, text: str) -> None:
    async with Socket(market.app) as socket:
        socket.say_text(text)
        heard = await socket.hear()
        assert (heard["kind"], heard["problem"]["name"]) == ("problem", "REQUEST_MALFORMED")
        assert heard["problem"]["type"] == "/problems/REQUEST_MALFORMED"
        await socket.say(subscribe=wish("blocks"))
        assert (await socket.hear())["kind"] == "snapshot"


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (lambda socket: socket.say_text(" " * 65_537), 4_901),
        (lambda socket: socket.say_bytes(b"{}"), 4_905),
        (lambda socket: [socket.say_text("{}") for _ in range(STREAM_REQUESTS.burst + 200)], 4_920),
        (lambda socket: [socket.say_text(json.dumps({"subscribe": wish("blocks") * 64})) for _ in range(20)], 4_920),
    ],
    ids=["large", "binary", "many messages", "many topics"],
)
@story
async def test_who_is_too_loud_is_closed_with_a_code(
    market: Market, say: Callable[[Socket], object], code: int
) -> None:
    async with Socket(market.app) as socket:
        say(socket)
        assert await socket.closed() == code
        await socket.ended()


@pytest.mark.parametrize("topic", ["", "book", "book:", "book:x", "book:1", "book:-1", "book:" + "9" * 50, "Blocks"])
@story
async def test_unknown_topics_are_refused_and_others_in_the_same_wish_are_not(market: Market, topic: str) -> None:
    async with Socket(market.app) as socket:
        await socket.say(subscribe=[*wish(topic), *wish("blocks")])
        refused = await socket.hear()
        assert (refused["problem"]["name"], refused["topic"]) == ("STREAM_TOPIC_UNKNOWN", topic)
        assert (await socket.hear())["topic"] == "blocks"


@story
async def test_unsubscribed_topics_are_quiet(market: Market) -> None:
    async with Socket(market.app) as socket:
        await socket.say(subscribe=[*wish("blocks"), *wish(BOOK)])
        await socket.hear()
        await socket.hear()
        await socket.say(unsubscribe=["blocks", "trades", "nothing"])
        await asyncio.sleep(0)
        await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
        assert (await socket.hear())["topic"] == BOOK


@story
async def test_a_slow_listener_is_dropped_with_a_code_and_slows_nobody(market: Market) -> None:
    async with Socket(market.app) as slow, Socket(market.app) as quick:
        for socket in (slow, quick):
            await socket.say(subscribe=wish("blocks"))
            await socket.hear()
        slow.stop_reading()
        for _ in range(QUEUE_MESSAGES_MAX // 64 + 1):
            for _ in range(64):
                market.node.engine.make_block(market.time_ms + 1_000)
            await market.followed()
            heard = [await quick.hear() for _ in range(64)]
            assert heard[-1]["sequence"] == market.height
        await slow.ended()
        assert market.gateway.listeners == 1
        assert 'listeners_dropped_total{name="STREAM_TOO_SLOW"} 1.0' in (await market.web.get("/metrics")).text
        await market.block()
        assert (await quick.hear())["sequence"] == market.height
        await market.get("/v1/status")


def test_what_waits_for_a_listener_is_bounded_in_characters_too() -> None:
    async def life() -> None:
        listener = Listener()
        piece = "x" * (QUEUE_CHARACTERS_MAX // 4)
        for _ in range(4):
            listener.put(piece)
        assert not listener.dropped.done()
        assert await listener.next() == piece
        listener.put(piece)
        listener.put("x")
        assert listener.dropped.result() is GatewayCode.STREAM_TOO_SLOW

    asyncio.run(life())


@story
async def test_new_keys_end_what_old_ones_hear(market: Market) -> None:
    await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish("account"), token=await market.sign_in("ann"))
        assert (await socket.hear())["kind"] == "snapshot"
        key = PrivateKey.generate()
        await market.run("ann", RotateKeys(0, 1, (key.public_key,)))
        await market.block()
        market.wallets["ann"] = market.wallet("ann").with_keys([key])
        await market.run("ann", CancelOrder(pseudonym("order")))
        heard = [await socket.hear()]
        while heard[-1]["kind"] != "problem":
            heard.append(await socket.hear())
        assert (heard[-1]["topic"], heard[-1]["problem"]["name"]) == ("account", "SESSION_ENDED")
        assert not any(order["state"] == "cancelled" for message in heard[:-1] for order in message["data"]["orders"])
        await socket.say(subscribe=wish("account"))
        assert (await socket.hear())["problem"]["name"] == "SESSION_ENDED"
        await socket.say(subscribe=wish("account"), token=await market.sign_in("ann"))
        assert (await socket.hear())["kind"] == "snapshot"


@story
async def test_a_stream_is_refused_in_its_listeners_language(market: Market) -> None:
    async with Socket(market.app, headers=[(b"accept-language", b"th")]) as socket:
        socket.say_text("x")
        assert (await socket.hear())["problem"]["title"] == SENTENCES["th"]["REQUEST_MALFORMED"]


@story
async def test_a_stream_for_another_host_is_none(market: Market) -> None:
    with pytest.raises(Closed):
        async with Socket(market.app, host="evil.example"):
            pass


@story
async def test_one_snapshot_is_made_for_all_who_join(market: Market) -> None:
    async with Socket(market.app) as first, Socket(market.app) as second:
        for socket in (first, second):
            await socket.say(subscribe=wish(BOOK))
        assert await first.hear() == await second.hear()
        await market.run("ann", sell("ann", 1_000, NOON, 3_000_000))
    async with Socket(market.app) as third:
        await third.say(subscribe=wish(BOOK))
        assert len((await third.hear())["data"]["asks"]) == 1


@story
async def test_who_hears_much_is_asked_too_whether_it_is_there(market: Market) -> None:
    original = stream.PING_SECONDS
    stream.PING_SECONDS = 0.02
    try:
        async with Socket(market.app) as socket:
            await socket.say(subscribe=wish("blocks"))
            kinds: set[str] = set()
            while kinds != {"snapshot", "update", "ping"}:
                await market.block()
                kinds.add((await socket.hear())["kind"])
    finally:
        stream.PING_SECONDS = original


@story
async def test_who_reads_nothing_is_dropped_as_silent(market: Market) -> None:
    original = stream.PING_SECONDS, stream.SILENT_SECONDS_MAX
    stream.PING_SECONDS, stream.SILENT_SECONDS_MAX = 0.02, 0.1
    try:
        async with Socket(market.app) as deaf:
            deaf.stop_reading()
            await deaf.say(subscribe=wish("blocks"))
            await deaf.ended()
        assert 'listeners_dropped_total{name="STREAM_SILENT"} 1.0' in (await market.web.get("/metrics")).text
    finally:
        stream.PING_SECONDS, stream.SILENT_SECONDS_MAX = original


@story
async def test_a_listener_who_does_not_answer_pings_is_dropped(market: Market) -> None:
    original = stream.PING_SECONDS, stream.SILENT_SECONDS_MAX
    stream.PING_SECONDS, stream.SILENT_SECONDS_MAX = 0.02, 0.5
    try:
        async with Socket(market.app) as silent, Socket(market.app) as polite:
            closed: list[int] = []

            async def say_nothing() -> None:
                try:
                    while True:
                        assert (await silent.hear())["kind"] == "ping"
                except Closed as error:
                    closed.append(error.code)

            waiting = asyncio.create_task(say_nothing())
            while not closed:
                assert (await polite.hear())["kind"] == "ping"
                await polite.say(pong=True)
            await waiting
            assert closed == [4_933]
    finally:
        stream.PING_SECONDS, stream.SILENT_SECONDS_MAX = original


@story
async def test_when_the_gateway_ends_its_listeners_are_told_to_come_back(market: Market) -> None:
    async with Socket(market.app) as socket:
        await socket.say(subscribe=wish("blocks"))
        await socket.hear()
        market.gateway.hub.drop_all(GatewayCode.STREAM_RESTARTED)
        with pytest.raises(Closed) as closed:
            await socket.hear()
        assert closed.value.code == 4_932
