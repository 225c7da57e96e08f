"""The common workload of the benchmarks: a genesis with many accounts and resting orders, and signed orders.

One order a transaction and signature. Of ten transactions nine place an order, a third of them at a price that
crosses, and one cancels an order placed before. Everything follows from the seed.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ed25519_zebra import ed_public_from_secret, ed_sign

from gridtokenx.chains.genesis import FOREVER_MS, WATT, GenesisBuilder
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN
from gridtokenx.ledger.quantities import DAY_MS, bangkok_day_start_ms, interval_of
from gridtokenx.ledger.transaction import ALGORITHM_ED25519, Auth, Body, Envelope, keys_hash
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Kyc, Licence, RoleName, Source
from gridtokenx.modules.identity.state import Participant, add_portfolio
from gridtokenx.modules.market.holds import order_hold_micro
from gridtokenx.modules.market.messages import CancelOrder, PlaceOrder, Side, TimeInForce
from gridtokenx.modules.market.state import (
    EMPTY_POSITION,
    INTERVALS,
    ORDERS,
    POSITIONS,
    TERMS,
    Order,
    order_key,
    position_key,
    terms_key,
)
from gridtokenx.simulation.genesis import GenesisNode

CHAIN = "bench-1"
START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS + 17 * 3_600_000
"""00:00 in Bangkok on some day, where no clock is asked."""

FEEDERS = 4
LEVELS = 150
TICK = 1_000
MIDDLE_MICRO = 2_800_000
"""Within the price bands of all hours, with all that is traded around it."""
GAP = 200
"""Ticks between the middle and the best resting price on each side: more than any wheeling."""

CROSSING = 0.37
"""Share of placed orders at a crossing price: a third of all transactions."""

RESTING_WH = 5_000

NODE_ID = b"bench-01"
NODE_SEED = sha256(b"bench node").digest()
LIFETIME_MS = 590_000


@dataclass(slots=True)
class Signer:
    """One account that sends."""

    seed: bytes
    public_key: bytes
    account: bytes
    portfolio: bytes
    feeder: int
    nonce: int = 0
    client: int = 1
    resting: list[bytes] = field(default_factory=list)


def make_signers(count: int) -> list[Signer]:
    """Accounts with keys derived from their number."""
    signers = []
    for number in range(count):
        seed = sha256(b"bench signer %d" % number).digest()
        public_key = ed_public_from_secret(seed)
        account = keys_hash(ALGORITHM_ED25519, 1, (public_key,))
        signers.append(Signer(seed, public_key, account, number.to_bytes(8, "big"), number % FEEDERS))
    return signers


def make_genesis(
    signers: list[Signer],
    accounts: int,
    resting: int,
    start_ms: int = START_MS,
    validators: Sequence[GenesisNode] = (),
    block_ms: int = 0,
    also: Callable[[GenesisBuilder], None] | None = None,
) -> bytes:
    """`accounts` funded accounts (the first ones are the signers) with one portfolio each, `resting` orders. Without
    `validators` one node makes blocks by itself; they make them `block_ms` apart. `also` adds others, who make them
    then, to zone 1."""
    builder = GenesisBuilder(CHAIN, start_ms)
    if not validators and also is None:
        builder.add_node(NODE_ID, ed_public_from_secret(NODE_SEED))
    for node in validators:
        builder.add_node(node.node_id, node.batch_key)
        builder.add_validator(node.validator_key, node.power, node.node_id)
    if block_ms:
        builder.set_consensus(block_ms)
    office = b"office-1"
    builder.add_participant(office, Participant(Licence.NONE, 0, Kyc.NONE, 0, False, 0, 0, 0))
    offices = {role: builder.add_account(office, [_public_key(b"role %d" % role)]) for role in RoleName}
    for role, account in offices.items():
        builder.set_role(role, account)
    builder.set_bank(offices[RoleName.OPERATOR], offices[RoleName.REGISTRAR], 0)
    builder.add_zone(1, "Bangkok", offices[RoleName.TRANSMISSION])
    for feeder in range(FEEDERS):
        builder.add_feeder(feeder, 1, f"feeder {feeder}")
    if also is not None:
        also(builder)
    trader = Participant(Licence.PROSUMER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, False, 0, 0, 0)
    power_w = 40_000_000
    export_w = (power_w, 0, 0, 0, 0, power_w, 0)
    for number in range(accounts):
        name = number.to_bytes(8, "big")
        builder.add_participant(name, trader)
        if number < len(signers):
            account = builder.add_account(name, [signers[number].public_key], 1, 1_000_000 * WATT)
        else:
            account = _add_keyless_account(builder, name)
        add_portfolio(builder.state, name, account, number % FEEDERS, power_w, export_w, b"")
    return _finish_with_orders(builder, accounts, resting)


def _public_key(text: bytes) -> bytes:
    return bytes(ed_public_from_secret(sha256(text).digest()))


def _add_keyless_account(builder: GenesisBuilder, name: bytes) -> bytes:
    """An account nobody signs for here; deriving a million keys would be most of the time."""
    account = sha256(b"keyless" + name).digest()
    builder.state.put(ACCOUNTS, account, Account(name, account, 0, b"", 1_000_000 * WATT, 0, 0))
    builder.supply_micro += 1_000_000 * WATT
    return account


def _finish_with_orders(builder: GenesisBuilder, accounts: int, resting: int) -> bytes:
    """Open the intervals, then lay resting orders with their holds and positions."""
    builder.open_trading()
    state = builder.state
    intervals = sorted(state.rows[INTERVALS.prefix])
    ids = list(state.rows[ACCOUNTS.prefix])[-accounts:]
    terms = state.rows[TERMS.prefix][terms_key(1)]
    for number in range(resting):
        owner, round_ = number % accounts, number // accounts
        key = intervals[number % len(intervals)]
        interval = state.rows[INTERVALS.prefix][key]
        selling = number // len(intervals) % 2 == 0
        ticks = GAP + number * 7_919 % LEVELS
        order = Order(
            owner.to_bytes(8, "big"),
            owner.to_bytes(8, "big"),
            int.from_bytes(key, "big"),
            Side.SELL if selling else Side.BUY,
            MIDDLE_MICRO + (ticks if selling else -ticks) * TICK,
            RESTING_WH,
            (Source.SOLAR, Source.STORAGE)[number % 2] if selling else ANY_SOURCE_MASK,
            owner % FEEDERS,
            number + 1,
            interval.gate_ms,
            RESTING_WH,
        )
        account = state.rows[ACCOUNTS.prefix][ids[owner]]
        held_micro = account.held_micro + order_hold_micro(terms, interval, order, order.remaining_wh)
        state.put(ACCOUNTS, ids[owner], _with_held(account, held_micro))
        position = position_key(order.interval, order.portfolio)
        old = state.get(POSITIONS, position) or EMPTY_POSITION
        opened = (old.open_sell_wh + RESTING_WH * selling, old.open_buy_wh + RESTING_WH * (not selling))
        state.put(POSITIONS, position, type(old)(0, 0, *opened, 0, 0, 0, 0, 0))
        state.put(ORDERS, order_key(ids[owner], (round_ + 2**60).to_bytes(8, "big")), order)
        if number % 65_536 == 0:
            state.keep()
    return builder.export()


def _with_held(account: Account, held_micro: int) -> Account:
    return Account(
        account.participant, account.keys_hash, 0, b"", account.balance_micro, held_micro, account.debt_micro
    )


def signed_orders(signers: list[Signer], count: int, now_ms: int, seed: int = 1) -> Iterator[bytes]:
    """`count` signed transactions, round robin over the signers, for tomorrow's intervals."""
    draw = random.Random(seed)
    first = interval_of(bangkok_day_start_ms(now_ms)) + 96
    expires_ms = now_ms + LIFETIME_MS
    for number in range(count):
        signer = signers[number % len(signers)]
        if signer.resting and draw.random() < 0.10 * 10 / 9:
            yield sign(signer, CancelOrder(signer.resting.pop()), expires_ms)
        else:
            yield sign(signer, _draw_order(draw, signer, first), expires_ms)


def _draw_order(draw: random.Random, signer: Signer, first: int) -> PlaceOrder:
    """Some cross what rests (wheeling included), the others rest behind the gap."""
    selling = draw.random() < 0.5
    crossing = draw.random() < CROSSING
    ticks = GAP + draw.randrange(LEVELS)
    if crossing:
        ticks = -(GAP + LEVELS // 3 + draw.randrange(LEVELS)) - 450
    client_id = signer.client.to_bytes(8, "big")
    signer.client += 1
    if not crossing:
        signer.resting.append(client_id)
    return PlaceOrder(
        signer.portfolio,
        client_id,
        first + draw.randrange(96),
        Side.SELL if selling else Side.BUY,
        MIDDLE_MICRO + (ticks if selling else -ticks) * TICK,
        draw.randrange(1_000, RESTING_WH if crossing else 2 * RESTING_WH),
        draw.choice((Source.SOLAR, Source.STORAGE)) if selling else ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        False,
        False,
    )


def sign(signer: Signer, message: PlaceOrder | CancelOrder, expires_ms: int) -> bytes:
    """A transaction with the signer's next nonce."""
    signer.nonce += 1
    body = encode(Body(CHAIN, signer.account, signer.nonce, expires_ms, (message,)))
    signature = ed_sign(signer.seed, TRANSACTION_DOMAIN + body)
    return encode(Envelope(body, Auth(ALGORITHM_ED25519, 1, (signer.public_key,), ((0, signature),))))
