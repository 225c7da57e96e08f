"""A consortium chain in memory: named parties with keys of their own, one call a transaction, one call a block.

Every key comes from its owner's name, so the same story has the same bytes on every machine and in every
language (`tests/vectors`). Nothing here decides anything: rules are the ledger's, checks the auditor's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec
from ed25519_zebra import ed_from_seed, ed_sign

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS, FOREVER_MS, GenesisBuilder
from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import Batch, BatchHeader, decode_batch, signed_batch
from gridtokenx.ledger.block import Block, BlockOutcome, apply_block
from gridtokenx.ledger.codec import Decoder, Message, encode
from gridtokenx.ledger.commitment import Commitment
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, merkle_path, merkle_root
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Auth, Body, Envelope, Receipt
from gridtokenx.ledger.validator import LastCommit, Misbehaviour
from gridtokenx.modules.authority.messages import ReportBatch
from gridtokenx.modules.identity.messages import Kyc, Licence, RoleName, Source
from gridtokenx.modules.identity.state import Participant
from gridtokenx.modules.market.messages import PlaceOrder, Scope, Side, Terms, TimeInForce
from gridtokenx.modules.settlement.messages import Reading, SubmitReadings, signed_reading

WATT = 10**6
CHAIN = "test-chain"
TRADED_TO_THE_GATE = msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=0)
"""For stories of a clock that stands still: only without a call phase trades happen in the last minutes before a gate,
so that a short halt passes it."""
MONDAY_MS = 1_780_246_800_000
"""00:00 Bangkok time of 1 June 2026, a Monday and a working day."""
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
GENESIS_MS = MONDAY_MS - 10 * MINUTE_MS
"""The first interval that opens is the first of Monday."""

decode_receipt: Decoder[Receipt] = Decoder(Receipt)


def at(hour: int, minute: int = 0, day: int = 0) -> int:
    """Milliseconds of a Bangkok time on Monday, or `day` days later."""
    return MONDAY_MS + day * 24 * HOUR_MS + hour * HOUR_MS + minute * MINUTE_MS


def interval_at(hour: int, minute: int = 0, day: int = 0) -> int:
    """The delivery interval that begins then."""
    return at(hour, minute, day) // 900_000


def pseudonym(name: str) -> bytes:
    """Eight bytes for a participant, site or order."""
    return sha256(name.encode()).digest()[:8]


@dataclass(frozen=True)
class Signer:
    """The keys of one account, ascending, with their secrets; `threshold` of them sign."""

    secrets: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    threshold: int

    def auth(self, body: bytes, using: Sequence[int] | None = None) -> Auth:
        """Signatures of the keys with these indexes, by default of the first `threshold`."""
        chosen = range(self.threshold) if using is None else using
        signed = TRANSACTION_DOMAIN + body
        signatures = tuple((index, ed_sign(self.secrets[index], signed)) for index in chosen)
        return Auth(0, self.threshold, self.keys, signatures)


@cache
def signer(name: str, threshold: int = 1, count: int = 1) -> Signer:
    """The keys that belong to a name."""
    pairs = [ed_from_seed(sha256(f"{name}/{number}".encode()).digest()) for number in range(count)]
    pairs.sort(key=lambda pair: pair[1])
    return Signer(tuple(bytes(p[0]) for p in pairs), tuple(bytes(p[1]) for p in pairs), threshold)


def signed(who: Signer, body: Body[Any], using: Sequence[int] | None = None) -> bytes:
    """The bytes of a transaction."""
    raw = encode(body)
    return encode(Envelope(raw, who.auth(raw, using)))


NODE = signer("node")
NODE_ID = pseudonym("node")


def batch_of(
    transactions: Sequence[bytes],
    sequence: int,
    expires_ms: int,
    chain: str = CHAIN,
    author: bytes = NODE_ID,
    by: Signer = NODE,
) -> bytes:
    """The bytes of a batch, signed by a node."""
    header = encode(BatchHeader(chain, author, sequence, expires_ms, merkle_root(list(transactions))))
    return encode(Batch(header, bytes(ed_sign(by.secrets[0], signed_batch(header))), tuple(transactions)))


def report_of(wire: bytes, index: int, by: Signer = NODE) -> ReportBatch:
    """What proves that the batch's author signed for one of its transactions."""
    batch = decode_batch.trusted(wire)
    path = tuple(merkle_path(list(batch.transactions), index))
    return ReportBatch(batch.header, batch.signature, by.keys[0], batch.transactions[index], path)


OFFICES = (
    "registrar",
    "operator",
    "fee-pool",
    "supplier",
    "egat",
    "clearing",
    "authority",
    "congestion",
    "bank",
    "attester",
    "mea",
    "pea",
)
"""Accounts of the organisations. The bank's and the attester's need two signatures of three."""

_ROLES = {
    RoleName.REGISTRAR: "registrar",
    RoleName.OPERATOR: "operator",
    RoleName.FEE_POOL: "fee-pool",
    RoleName.RESIDUAL_SUPPLIER: "supplier",
    RoleName.TRANSMISSION: "egat",
    RoleName.CLEARING: "clearing",
    RoleName.AUTHORITY: "authority",
    RoleName.CONGESTION: "congestion",
}


class Founding:
    """A community before its first block. Feeder 11 and 12 lie in Bangkok (zone 1, distributor MEA), 21 in
    Central (2), 31 in the Northeast (3), both PEA's; Bangkok borders on Central, Central on the Northeast."""

    def __init__(self, terms: Terms = DEFAULT_TERMS, time_ms: int = GENESIS_MS, chain: str = CHAIN) -> None:
        self.builder = GenesisBuilder(chain, time_ms, terms)
        self.signers: dict[str, Signer] = {}
        self.accounts: dict[str, bytes] = {}
        self.sites: dict[str, Signer] = {}
        self.builder.add_node(NODE_ID, NODE.keys[0])
        for name in OFFICES:
            several = name in ("bank", "attester")
            self.add_account(name, signer(name, 2, 3) if several else signer(name), 0, Licence.NONE)
        for role, name in _ROLES.items():
            self.builder.set_role(role, self.accounts[name])
        self.builder.set_bank(self.accounts["bank"], self.accounts["attester"], 0)
        mea, pea = self.accounts["mea"], self.accounts["pea"]
        self.builder.add_zone(1, "Bangkok", mea, (2,))
        self.builder.add_zone(2, "Central", pea, (1, 3))
        self.builder.add_zone(3, "Northeast", pea, (2,))
        for feeder, zone in ((11, 1), (12, 1), (21, 2), (31, 3)):
            self.builder.add_feeder(feeder, zone, f"feeder {feeder}")

    def add_account(
        self,
        name: str,
        who: Signer,
        balance_micro: int,
        licence: Licence = Licence.PROSUMER,
        group: int = 0,
        short_wh: int = 0,
        long_wh: int = 0,
        until_ms: int = FOREVER_MS,
        participant: str | None = None,
    ) -> bytes:
        """A participant with one account; with `participant` a further account of that one."""
        owner = pseudonym(participant or name)
        if participant is None:
            self.builder.add_participant(
                owner,
                Participant(licence, until_ms, Kyc.VERIFIED, FOREVER_MS, False, group, short_wh, long_wh),
            )
        account = self.builder.add_account(owner, who.keys, who.threshold, balance_micro)
        self.signers[name], self.accounts[name] = who, account
        return account

    def add_home(
        self,
        name: str,
        feeder: int = 11,
        export_w: dict[Source, int] | None = None,
        import_w: int = 15_000,
        balance_micro: int = 1_000 * WATT,
        **more: Any,
    ) -> None:
        """A participant with an account and a metered site, all of one name."""
        account = self.add_account(name, signer(name), balance_micro, **more)
        meter = signer(f"meter of {name}")
        powers = tuple((export_w or {}).get(source, 0) for source in Source)
        self.builder.add_site(pseudonym(name), account, feeder, import_w, powers, meter.keys[0])
        self.sites[name] = meter

    def add_dealer(self, name: str, feeder: int, short_wh: int, long_wh: int, balance_micro: int) -> None:
        """A licensed dealer without a site."""
        account = self.add_account(
            name, signer(name), balance_micro, Licence.DEALER, short_wh=short_wh, long_wh=long_wh
        )
        self.builder.add_portfolio(pseudonym(name), account, feeder)

    def start(self) -> "World":
        """The chain after its genesis, imported from the genesis bytes."""
        return World(self.builder.finish(), dict(self.signers), dict(self.accounts), dict(self.sites))


@dataclass
class World:
    """A running chain and what its parties know: keys, next nonces, meter registers."""

    genesis: bytes
    signers: dict[str, Signer]
    accounts: dict[str, bytes]
    sites: dict[str, Signer]
    state: State = field(init=False)
    commitment: Commitment = field(init=False)
    nonces: dict[str, int] = field(default_factory=dict)
    registers: dict[str, tuple[int, int]] = field(default_factory=dict)
    watchers: list[Callable[[Block, BlockOutcome], None]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    trades: tuple[bytes, ...] = ()
    """Of the last block."""
    sequence: int = 0

    def __post_init__(self) -> None:
        self.state, self.commitment = import_state(CONSORTIUM, self.genesis)

    @property
    def time_ms(self) -> int:
        """Of the last block."""
        return last_block(self.state).time_ms

    @property
    def chain(self) -> str:
        """The chain's name."""
        return last_block(self.state).chain

    def export(self) -> bytes:
        """The whole state."""
        return export_state(CONSORTIUM, self.state)

    def account(self, name: str) -> Account:
        """The account record of a party."""
        account: Account = self.state.rows[ACCOUNTS.prefix][self.accounts[name]]
        return account

    def body(
        self,
        name: str,
        *messages: Message,
        nonce: int | None = None,
        expires_ms: int | None = None,
        chain: str | None = None,
    ) -> Body[Any]:
        """What a party signs; the next nonce unless one is given."""
        if nonce is None:
            nonce = self.nonces[name] = self.nonces.get(name, 0) + 1
        expires_ms = self.time_ms + 5 * MINUTE_MS if expires_ms is None else expires_ms
        return Body(chain or self.chain, self.accounts[name], nonce, expires_ms, messages)

    def sign(self, name: str, *messages: Message, **more: Any) -> bytes:
        """The bytes of a party's transaction."""
        return signed(self.signers[name], self.body(name, *messages, **more))

    def batch(self, *transactions: bytes) -> bytes:
        """A batch of the node, good for five minutes from the last block."""
        self.sequence += 1
        return batch_of(transactions, self.sequence, self.time_ms + 10 * MINUTE_MS, self.chain)

    def block(
        self,
        *batches: bytes,
        time_ms: int | None = None,
        proposer: bytes = NODE_ID,
        misbehaviour: tuple[Misbehaviour, ...] = (),
        last_commit: LastCommit | None = None,
    ) -> BlockOutcome:
        """Apply the next block; without a time one second after the last."""
        before = last_block(self.state)
        time_ms = before.time_ms + 1_000 if time_ms is None else time_ms
        block = Block(before.height + 1, time_ms, proposer, batches, misbehaviour, last_commit)
        outcome = apply_block(CONSORTIUM, self.state, self.commitment, block, trades_before=lambda: self.trades)
        self.trades = outcome.trades
        self.blocks.append(block)
        for watch in self.watchers:
            watch(block, outcome)
        return outcome

    def run(self, *transactions: bytes, time_ms: int | None = None) -> list[Receipt]:
        """One block with one batch; its receipts in the order given."""
        outcome = self.block(self.batch(*transactions), time_ms=time_ms)
        (batch,) = outcome.batches
        assert batch.code == 0, f"the batch was refused: {CONSORTIUM.codes[batch.code]}"
        return [decode_receipt(receipt) for receipt in batch.receipts]

    def do(self, name: str, *messages: Message, time_ms: int | None = None, **more: Any) -> Receipt:
        """One transaction in a block of its own."""
        (receipt,) = self.run(self.sign(name, *messages, **more), time_ms=time_ms)
        return receipt

    def code(self, name: str, *messages: Message, **more: Any) -> str:
        """The name of the code that came of one transaction."""
        return CONSORTIUM.codes[self.do(name, *messages, **more).code]

    def skip_to(self, time_ms: int) -> None:
        """Empty blocks until then: one at each instant at which something falls due, and one at the end."""
        while self.time_ms < time_ms:
            due_ms = schedule.next_due_ms(self.state) or time_ms
            self.block(time_ms=min(max(due_ms, self.time_ms + 1), time_ms))

    def reading(self, name: str, interval: int, import_wh: int, export_wh: int, chain: str | None = None) -> Reading:
        """Registers of a site, signed by its meter."""
        meter, key = pseudonym(name), self.sites[name]
        part = signed_reading(chain or self.chain, meter, interval, import_wh, export_wh)
        return Reading(meter, interval, import_wh, export_wh, key.keys[0], bytes(ed_sign(key.secrets[0], part)))

    def meter(self, name: str, interval: int, import_wh: int = 0, export_wh: int = 0) -> Reading:
        """The reading after an interval in which the site took and gave this much energy."""
        old_import, old_export = self.registers.get(name, (0, 0))
        self.registers[name] = old_import + import_wh, old_export + export_wh
        return self.reading(name, interval, *self.registers[name])

    def submit(self, *readings: Reading) -> SubmitReadings:
        """The message that carries readings."""
        return SubmitReadings(self.chain, readings)


def order(
    who: str,
    side: Side,
    energy_wh: int,
    interval: int,
    price_micro: int,
    name: str = "order",
    source: int | None = None,
    force: TimeInForce = TimeInForce.GOOD_TILL_GATE,
    good_till_ms: int = 0,
    minimum_wh: int = 0,
    post_only: bool = False,
    market: bool = False,
    scope: Scope = Scope.ANYWHERE,
    display_wh: int = 0,
) -> PlaceOrder:
    """An order of the party's own portfolio: sells solar, buys any source, unless another is named."""
    if source is None:
        source = int(Source.SOLAR) if side == Side.SELL else 127
    return PlaceOrder(
        pseudonym(who),
        pseudonym(name),
        interval,
        int(side),
        price_micro,
        energy_wh,
        source,
        int(force),
        good_till_ms,
        minimum_wh,
        post_only,
        market,
        int(scope),
        display_wh,
    )


def sell(who: str, energy_wh: int, interval: int, price_micro: int, name: str = "order", **more: Any) -> PlaceOrder:
    """A sell order."""
    return order(who, Side.SELL, energy_wh, interval, price_micro, name, **more)


def buy(who: str, energy_wh: int, interval: int, price_micro: int, name: str = "order", **more: Any) -> PlaceOrder:
    """A buy order."""
    return order(who, Side.BUY, energy_wh, interval, price_micro, name, **more)


NOON = interval_at(12)
"""The interval that most stories trade."""

TRANSACTION_LIFETIME_MS = limits.TRANSACTION_LIFETIME_MS_MAX
