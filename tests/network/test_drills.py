"""What a consortium can do while its market runs: stop it and let it go on, take somebody in and put somebody out,
replace keys, suspend a validator that signed twice and take it back. Five members and a newcomer, a node each.

The tests are one story: each goes on with the network that the one before left.
"""

import asyncio
from collections.abc import Iterator
from secrets import token_bytes

import httpx
import pytest
from ed25519_zebra import ed_sign
from tests.network.community import AFTER_GATE_MS, HOMES, LOW_MICRO, STRANGERS
from tests.network.drill import Drill, drilled
from tests.network.evidence import broadcast, duplicate_votes
from tests.network.live import LOOK_SECONDS
from tests.network.members import CHAIN, ConsortiumFile
from tests.network.play import NetworkFile
from tests.network.records import reading
from tests.world import buy, pseudonym

from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.errors import ClientError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.engine.comet.keys import public_key, validator_key_file
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.folder import load_or_create_node_key, write_durably
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.freeze import FREEZE, PAST_FREEZES
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.validator import VALIDATORS, address_of
from gridtokenx.modules.authority.messages import Act, Attest, Endorse, RotatedKey, Standing, Vote
from gridtokenx.modules.authority.state import PENALTIES
from gridtokenx.modules.authority.words import rotation
from gridtokenx.modules.market.messages import PlaceOrder
from gridtokenx.modules.market.state import ORDERS, order_key
from gridtokenx.modules.settlement.messages import Reading, SubmitReadings, signed_reading
from gridtokenx.modules.settlement.state import REGISTERS, SETTLEMENTS, Stage
from gridtokenx.operations.consortium.words import application
from gridtokenx.operations.network.programs import gateway_name

pytestmark = pytest.mark.slow

MEMBERS = ("egat", "mea", "technology-1", "ieat", "bot")
"""Two primary, a technical one, two of the emergency tier."""
NEWCOMER = "producer-3"
FILE = NetworkFile(
    (),
    validators=5,
    observers=1,
    gate_seconds=60,
    consortium=ConsortiumFile(MEMBERS, (NEWCOMER,), {"demote_below_ppm": 0}),
)
NODES_OF_MEMBERS = (1, 2, 3, 4, 5)
STRANGER = STRANGERS[0]
FREEZES = ("the market is frozen", "the market goes on")
CONVICTED = ("duplicate vote by node",)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    yield from drilled(tmp_path_factory.mktemp("drill") / "n", FILE)


# Freeze and resume.


def test_the_emergency_tier_stops_the_market_and_lets_it_go_on(drill: Drill) -> None:
    async def stop_and_go_on() -> None:
        network, community = drill.network, drill.network.community
        waiting = resting_order(drill)
        await place(drill, 1, waiting)
        await network.load.rest()
        number = await drill.propose("ieat", Act.FREEZE)
        assert not drill.table(FREEZE), "one signature of two froze it"
        await drill.do("bot", Vote(number, True))
        assert drill.table(FREEZE)
        assert await network.now_ms(1) < community.gate_ms, "this machine is too slow for so early a gate"
        await open_gateways(drill)
        for node in NODES_OF_MEMBERS:
            assert await asked_at_gateway(drill, node, order_of(drill, node)) == KernelCode.FROZEN.name
        await network.kill([5])
        taken = await network.carry(1, *community.sign(STRANGER, metered(drill, HOMES[0]), await network.now_ms(1)))
        assert taken.code == KernelCode.OK
        network.start_node(5)
        await passes(drill, community.gate_ms + AFTER_GATE_MS)
        await network.blocks(1, NODES_OF_MEMBERS)
        for node in NODES_OF_MEMBERS:
            key = order_key(community.founding.accounts[STRANGER], waiting.client_id)
            assert key not in drill.table(ORDERS, node), "its gate has passed"
            assert drill.table(ACCOUNTS, node)[community.founding.accounts[STRANGER]].held_micro == 0
            assert interval_key(community.last_ended) + pseudonym(HOMES[0]) in drill.table(REGISTERS, node)
            assert stage_of(drill, node)[1] is Stage.METERING, "its deadline waits"
        await drill.decide(Act.RESUME, b"", "bot", "ieat")
        assert await asked_at_gateway(drill, 5, order_of(drill, 5)) == KernelCode.OK.name
        network.load.flowing.set()
        await network.blocks(5, NODES_OF_MEMBERS)

    drill.run(stop_and_go_on(), FREEZES)


async def open_gateways(drill: Drill) -> None:
    network = drill.network
    for node in NODES_OF_MEMBERS:
        network.run(gateway_name(node))

    async def ready() -> bool:
        try:
            for node in NODES_OF_MEMBERS:
                async with gateway(drill, node) as client:
                    if not (await client.health()).ready:
                        return False
        except ClientError:
            return False
        return True

    await network.until_answer(ready, "all gateways")


def gateway(drill: Drill, node: int) -> AsyncClient:
    url = f"http://127.0.0.1:{drill.network.addresses.gateway_port(node)}"
    return AsyncClient(url, http=httpx.AsyncClient(base_url=url, trust_env=False, timeout=LOOK_SECONDS * 100))


def resting_order(drill: Drill) -> PlaceOrder:
    """For the interval whose gate comes first, at a price at which nobody sells."""
    return buy(STRANGER, 100, drill.network.community.first_interval, LOW_MICRO, "for the first gate")


def order_of(drill: Drill, node: int) -> PlaceOrder:
    community = drill.network.community
    community.orders += 1
    return buy(STRANGER, 100, community.first_interval + 12, LOW_MICRO, f"at gateway {node}, {community.orders}")


async def place(drill: Drill, node: int, order: PlaceOrder) -> None:
    network = drill.network
    answer = await network.carry(node, *network.community.sign(STRANGER, order, await network.now_ms(node)))
    assert answer.code == KernelCode.OK


async def asked_at_gateway(drill: Drill, node: int, order: PlaceOrder) -> str | None:
    """What became of an order that was sent to a node's gateway, at its door or in a block."""
    name, wire = drill.network.community.sign(STRANGER, order, await drill.network.now_ms(node))
    async with gateway(drill, node) as client:
        (taken,) = await client.submit([wire])
        return taken.name if taken.state == "refused" else (await client.wait(name)).name


def metered(drill: Drill, home: str) -> SubmitReadings:
    """Of the interval that ended last."""
    community = drill.network.community
    meter, key = pseudonym(home), community.founding.sites[home]
    signed = signed_reading(CHAIN, meter, community.last_ended, 700, 0)
    signature = bytes(ed_sign(key.secrets[0], signed))
    return SubmitReadings(CHAIN, (Reading(meter, community.last_ended, 700, 0, key.keys[0], signature),))


def stage_of(drill: Drill, node: int) -> tuple[int, Stage]:
    """The time of a node's last block, and how far the settlement of the interval is that ended last."""
    with reading(drill.network, node) as reader:
        head = reader.head()
        assert head is not None
        record = reader.record(bytes([SETTLEMENTS.prefix]) + interval_key(drill.network.community.last_ended))
    stage = Stage(SETTLEMENTS.decode.trusted(record).stage) if record else Stage.METERING
    return head.time_ms, stage


async def passes(drill: Drill, time_ms: int) -> None:
    """Wait until the chain's time is later than this."""

    async def passed() -> bool:
        info = await drill.network.info(1)
        return info is not None and info.time_ms > time_ms

    await drill.network.until_answer(passed, "the chain's time to pass a gate")


# Somebody comes and goes.


def test_a_newcomer_votes_in_consensus_until_it_is_removed(drill: Drill) -> None:
    newcomer = drill.member(NEWCOMER)

    async def come_and_go() -> None:
        network = drill.network
        await drill.do(NEWCOMER, application(newcomer.description, network.folder.node(newcomer.number).path))
        words = [("mea", Attest(newcomer.id)), ("egat", Endorse(newcomer.id)), ("technology-1", Endorse(newcomer.id))]
        await asyncio.gather(*(drill.do(name, word) for name, word in words))
        await drill.observe(NEWCOMER, "egat")
        await drill.decide(Act.ADMIT, newcomer.id, "egat", "mea")
        assert drill.record(NEWCOMER).standing == Standing.SEATED
        await drill.votes(newcomer.voting_key)
        # Its node signs batches now: it takes its own words in.
        await drill.say("egat", Attest(newcomer.id), through=newcomer.number)
        await drill.decide(Act.REMOVE, newcomer.id, "egat", "technology-1")
        await drill.is_out(newcomer.voting_key)
        assert drill.record(NEWCOMER).standing == Standing.LEFT
        assert newcomer.node in drill.table(NODES) and not drill.table(NODES)[newcomer.node].licensed
        await network.blocks(3, [*NODES_OF_MEMBERS, newcomer.number])
        _, voted = await drill.agreed()
        assert newcomer.address not in voted

    drill.run(come_and_go())


# Keys.


def test_a_running_node_takes_its_next_key_and_nothing_is_lost(drill: Drill) -> None:
    """The load goes on through the node all the while; what it accepted is looked for at the end."""
    member = drill.member("mea")
    folder = drill.network.folder.node(member.number)
    new = PrivateKey(token_bytes(32))

    async def rotate() -> None:
        load = drill.network.load
        load_or_create_node_key(folder.next_key, new.secret())
        await drill.do("mea", rotation(member.id, RotatedKey.NODE, new))
        await drill.network.until(lambda: not folder.next_key.exists(), "the node to have its next key")
        assert drill.table(NODES)[member.node].public_key == new.public_key
        before = set(load.accepted)

        def goes_on() -> bool:
            return any(load.accepted[name] == member.number for name in load.accepted.keys() - before)

        await drill.network.until(goes_on, "the node to take orders with its next key")

    drill.run(rotate())
    assert folder.key.read_bytes() == new.secret()


def test_a_validator_votes_with_its_next_key_and_no_more_with_the_old_one(drill: Drill) -> None:
    """Its key is in a file, so that it takes a restart."""
    member = drill.member("ieat")
    home, seed = drill.network.folder.home(member.number), token_bytes(32)

    async def rotate() -> None:
        network = drill.network
        await drill.do("ieat", rotation(member.id, RotatedKey.CONSENSUS, PrivateKey(seed)))
        await drill.is_out(member.voting_key)
        await network.stop_node(member.number)
        home.validator_key.unlink()
        write_durably(home.validator_key, validator_key_file(seed))
        network.start_node(member.number)
        await drill.votes(public_key(seed))
        voters, voted = await drill.agreed()
        assert member.address not in voters | voted
        assert address_of(public_key(seed)) in voters

    drill.run(rotate())


# Misdeeds.


def test_a_double_signer_is_suspended_at_once_and_reinstated_by_vote(drill: Drill) -> None:
    """Two votes for one height and round, signed with its key, shown to one node."""
    name = "technology-1"
    member = drill.member(name)
    stake_micro = drill.record(name).stake_micro

    async def convict() -> None:
        network = drill.network
        await network.load.lanes[member.number].mute()
        await network.blocks(3, NODES_OF_MEMBERS)
        async with CometRpc(network.folder.rpc(1)) as comet:
            height = int((await comet.status()).sync_info.latest_block_height) - 2
            keys = network.folder.home(member.number).keys()
            await broadcast(comet, duplicate_votes(await comet.light_block(height), keys))
        await network.until(lambda: drill.record(name).standing == Standing.SUSPENDED, "the double signer's suspension")
        (penalty,) = drill.table(PENALTIES).values()
        assert 0 < penalty.amount_micro == stake_micro - drill.record(name).stake_micro
        assert member.address not in drill.table(VALIDATORS)
        await drill.is_out(member.voting_key)
        number = await drill.propose("egat", Act.REINSTATE, member.id)
        assert (await drill.say(name, Vote(number, True))).code != KernelCode.OK, "nobody votes on itself"
        await drill.do("mea", Vote(number, True))
        assert drill.record(name).standing == Standing.SEATED and not drill.table(PENALTIES)
        assert drill.record(name).stake_micro == stake_micro
        await drill.votes(member.voting_key)
        network.load.lanes[member.number].unmute()

    drill.run(convict(), CONVICTED)


# What the freeze put off.


def test_settlement_came_later_by_the_freeze(drill: Drill) -> None:
    community = drill.network.community
    ((since, past),) = drill.table(PAST_FREEZES).items()
    frozen_ms = past.until_ms - int.from_bytes(since, "big")
    due_ms = community.gate_ms + AFTER_GATE_MS + frozen_ms

    async def settled() -> bool:
        time_ms, stage = stage_of(drill, 1)
        assert stage is Stage.METERING or time_ms >= due_ms
        return stage is Stage.SETTLED

    drill.run(drill.network.until_answer(settled, "the interval to be settled"))
