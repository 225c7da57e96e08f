"""Both clients against a real gateway, and proofs that a stranger checks."""

import asyncio
import inspect
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.unit.gateway.market import Market, story, wallet_of
from tests.world import buy, interval_at, pseudonym, sell

from gridtokenx.client import proofs
from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.errors import NotAuthorised, NotFound, ProofInvalid, TransactionRejected, TransportError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway.documents import PathStep, ReceiptProof
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES
from gridtokenx.modules.market.messages import CancelOrder

NOON = interval_at(12)


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def client_of(market: Market) -> AsyncClient:
    return AsyncClient("http://localhost", http=market.web, pause=no_pause)


def public_methods(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert public_methods(AsyncClient) - public_methods(Client) == {"stream", "token"}
    assert public_methods(Client) <= public_methods(AsyncClient)
    for name in public_methods(Client):
        one, other = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(one) == inspect.signature(other), name
        assert one.__doc__ == other.__doc__, name


@story
async def test_a_whole_trade(market: Market) -> None:
    client = client_of(market)
    seller, buyer = wallet_of("ann"), wallet_of("cat")
    sent = await client.send(seller, sell("ann", 1_000, NOON, 3_000_000))
    assert (await client.order(seller, pseudonym("order"))).state == "pending"
    waiting = asyncio.create_task(client.wait(sent))
    await market.block()
    assert (await waiting).code == 0
    many = await client.send_many(buyer, [[buy("cat", 100, NOON, 3_300_000, f"o{n}")] for n in range(30)])
    assert {one.answer.state for one in many} == {"pending"}
    assert [one.transaction.nonce for one in many] == list(range(1, 31))
    await market.block()
    order = await client.order(seller, pseudonym("order"))
    assert (order.state, order.filled_wh) == ("filled", 1_000)
    assert len((await client.trades()).trades) == 10
    assert (await client.interval(NOON)).traded_wh == 1_000
    (position,) = (await client.positions(buyer)).positions
    assert position.bought_wh == 1_000 and position.open_buy_wh == 2_000
    assert len((await client.orders(buyer)).orders) == 20
    assert (await client.account(seller)).nonce_highest == 1


@story
async def test_refusals_at_the_door_and_in_the_block_are_one_kind_of_error(market: Market) -> None:
    client, mine = client_of(market), wallet_of("ann")
    mine.nonces.learn(0)
    executing = asyncio.create_task(client.execute(mine, CancelOrder(pseudonym("order"))))
    while not executing.done():
        await market.block()
        await asyncio.sleep(0)
    with pytest.raises(TransactionRejected) as error:
        await executing
    assert error.value.name == "ORDER_UNKNOWN"
    stranger = Wallet([PrivateKey.generate()])
    with pytest.raises(NotAuthorised) as refused:
        await client.account(stranger)
    assert refused.value.name == "CHALLENGE_NOT_SIGNED"
    stranger.nonces.learn(0)
    with pytest.raises(TransactionRejected) as unknown:
        await client.send(stranger, CancelOrder(pseudonym("order")))
    assert (unknown.value.name, unknown.value.field) == ("ACCOUNT_UNKNOWN", "transactions[0].sender")
    with pytest.raises(NotFound):
        await client.block(10**9)


@story
async def test_another_device_with_the_same_key_is_noticed_and_mended(market: Market) -> None:
    client, here, there = client_of(market), wallet_of("ann"), wallet_of("ann")
    for wallet in (here, there):
        await client.account(wallet)
        wallet.nonces.learn(0)
    for number in range(3):
        await client.send(here, sell("ann", 100, NOON, 3_000_000, f"o{number}"))
    await market.block()
    sent = await client.send(there, sell("ann", 100, NOON, 3_000_000, "other"))
    assert sent.nonce == 4


@story
async def test_a_stranger_checks_a_receipt(market: Market) -> None:
    client = client_of(market)
    transactions = [market.sign("ann", sell("ann", 100, NOON, 3_000_000, f"o{n}")) for n in range(7)]
    transactions.append(market.sign("cat", sell("cat", 100, NOON, 3_000_000)))
    await market.submit(*transactions)
    await market.block()
    app_hash = market.node.application.info().app_hash
    for transaction in transactions:
        proof = await client.receipt_proof(transaction.id)
        receipt = proofs.check_receipt(app_hash, transaction.id, proof)
        assert (receipt.code == 0) == (transaction.sender == market.wallet("ann").account)
    # The next block's header carries the app hash on.
    await market.block()
    assert (await client.block(market.height)).app_hash_before == app_hash.hex()


def forgeries(proof: ReceiptProof) -> list[ReceiptProof]:
    """The proof with one thing changed."""

    def flipped(text: str) -> str:
        return text[:-1] + ("0" if text[-1] != "0" else "1")

    def changed(**changes: object) -> ReceiptProof:
        values = {name: changes.get(name, getattr(proof, name)) for name in ReceiptProof.__struct_fields__}
        return ReceiptProof(**values)  # type: ignore[arg-type]

    claim = proof.claim
    state = type(claim.proof)
    return [
        changed(receipt=flipped(proof.receipt)),
        changed(receipt=""),
        changed(receipt="zz"),
        changed(batch_root=flipped(proof.batch_root)),
        changed(batch_path=[PathStep(not proof.batch_path[0].right, proof.batch_path[0].hash), *proof.batch_path[1:]]),
        changed(batch_path=proof.batch_path[1:]),
        changed(batch_path=[PathStep(True, "00")]),
        changed(batch_path=[PathStep(True, "00" * 32)] * 100),
        changed(block_path=[PathStep(True, "00" * 32)]),
        changed(height=proof.height + 1),
        changed(claim=type(claim)(claim.root, claim.key, flipped(claim.value or ""), claim.proof)),
        changed(claim=type(claim)(claim.root, claim.key, None, claim.proof)),
        changed(claim=type(claim)(flipped(claim.root), claim.key, claim.value, claim.proof)),
        changed(claim=type(claim)(claim.root, "01", claim.value, claim.proof)),
        changed(
            claim=type(claim)(claim.root, claim.key, claim.value, state(flipped(claim.proof.items), claim.proof.path))
        ),
        changed(claim=type(claim)(claim.root, claim.key, claim.value, state(claim.proof.items, claim.proof.path[1:]))),
        changed(claim=type(claim)(claim.root, claim.key, claim.value, state("xx", []))),
    ]


@story
async def test_a_proof_in_which_anything_was_changed_proves_nothing(market: Market) -> None:
    client = client_of(market)
    transactions = [market.sign("ann", sell("ann", 100, NOON, 3_000_000, f"o{n}")) for n in range(4)]
    await market.submit(*transactions)
    await market.block()
    app_hash = market.node.application.info().app_hash
    proof = await client.receipt_proof(transactions[1].id)
    proofs.check_receipt(app_hash, transactions[1].id, proof)
    for forged in forgeries(proof):
        with pytest.raises(ProofInvalid):
            proofs.check_receipt(app_hash, transactions[1].id, forged)
    with pytest.raises(ProofInvalid):
        proofs.check_receipt(app_hash, transactions[2].id, proof)
    with pytest.raises(ProofInvalid):
        proofs.check_receipt(bytes(32), transactions[1].id, proof)


@story
async def test_ones_own_records_are_proved(market: Market) -> None:
    client, mine = client_of(market), wallet_of("ann")
    await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    app_hash = market.node.application.info().app_hash
    key = bytes([ACCOUNTS.prefix]) + mine.account
    value = proofs.check_record(app_hash, key, await client.record_proof(mine))
    assert value is not None and ACCOUNTS.decode(value).nonce_highest == 1
    absent = await client.record_proof(mine, "order", client_id=pseudonym("never"))
    assert proofs.check_record(app_hash, b"\x63" + mine.account + pseudonym("never"), absent) is None
    with pytest.raises(ProofInvalid):
        proofs.check_record(app_hash, b"\x63" + mine.account + pseudonym("order"), absent)


def test_nobody_listens(tmp_path: Path) -> None:
    pauses: list[float] = []
    with Client("http://127.0.0.1:9", pause=pauses.append) as client, pytest.raises(TransportError, match=":9"):
        client.status()
    assert pauses == sorted(pauses) and len(pauses) == 5


def test_the_sync_client_repeats_what_was_cut_off() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) < 3:
            raise httpx.ReadError("cut off")
        return httpx.Response(200, json={"codes": [{"code": 0, "name": "OK"}]})

    http = httpx.Client(base_url="http://localhost", transport=httpx.MockTransport(answer))
    with Client(http=http, pause=lambda seconds: None) as client:
        assert client.codes().codes[0].name == "OK"
    assert len(asked) == 3


@story
async def test_a_client_gets_the_nodes_promise_and_checks_it(market: Market) -> None:
    client = client_of(market)
    transactions = [market.sign("ann", sell("ann", 100, NOON, 3_000_000, f"p{n}")) for n in range(3)]
    wires = [transaction.wire for transaction in transactions]
    assert [answer.acceptance for answer in await client.submit(wires[:1])] == [None]
    node = await client.block(market.height)
    key = market.node.application.state.get(NODES, market.node.engine.node_id).public_key
    for wire, answer in zip(wires, await client.submit(wires, acceptance=True), strict=True):
        header = proofs.check_acceptance(key, wire, answer.acceptance)
        assert header.author == market.node.engine.node_id and header.expires_ms > node.time_ms
        for forged in (
            msgspec.structs.replace(answer.acceptance, header="00"),
            msgspec.structs.replace(answer.acceptance, signature="zz"),
            msgspec.structs.replace(answer.acceptance, path=[PathStep(True, "00" * 32)] * 70),
        ):
            with pytest.raises(ProofInvalid):
                proofs.check_acceptance(key, wire, forged)
