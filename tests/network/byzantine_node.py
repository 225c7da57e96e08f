"""A validator whose application misbehaves, as a process: started where an honest one starts `gridtokenx.engine.node`.

It reads `byzantine.json` in its data folder whenever it is asked for something:

    {"order": 1, "proposals": ["unsigned", ...], "flood": 0, "leaves_out": ""}

Whenever it proposes it leaves out the batches of the node with the id `leaves_out`, if there is one. Each time it is
the proposer it makes the next of these proposals (`PROPOSALS` below), and is honest after the last; another `order`
begins them anew. What it proposed it writes into `byzantine.log`, a line of JSON each. `flood`: so many batches, of a
hundred transactions of an account that there is not, it offers its peers twenty times a second, each signed by it, and
some bytes that are no batch.
"""

import hashlib
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.world import Signer, batch_of, pseudonym, signed, signer

from gridtokenx.engine import node
from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.proposals import block_time_ms
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.pool import BLOCK_BYTES_MAX
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import Batch, decode_batch, open_batch
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import SIGNATURE_BYTES
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.transaction import Body, keys_hash
from gridtokenx.modules.tokens.messages import Transfer

ORDERS = "byzantine.json"
LOG = "byzantine.log"
BATCH_MS = 60_000
FLOOD_BATCH = 100


@dataclass(frozen=True)
class Order:
    """What the test wants."""

    order: int = 0
    proposals: tuple[str, ...] = ()
    flood: int = 0
    leaves_out: str = ""


def read_order(data: Path) -> Order:
    """None given: be honest."""
    try:
        given = json.loads((data / ORDERS).read_text())
    except FileNotFoundError:
        return Order()
    return Order(given["order"], tuple(given["proposals"]), given["flood"], given["leaves_out"])


def write_order(data: Path, order: Order) -> None:
    """Whole or not at all: the node may be reading."""
    draft = data / f"{ORDERS}.draft"
    draft.write_text(json.dumps(asdict(order)))
    draft.replace(data / ORDERS)


class ByzantineEngine(CometEngine):
    """The node's engine, with an honest one's interface."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        author = self.mempool.author
        self._signing = Signer((author.key._private.private_bytes_raw(),), (author.key.public_key,), 1)
        self._number = 10**9
        self._order = Order()
        self._next = 0
        self._own: set[bytes] = set()
        """Proposals of its own, by hash: it votes for them whatever is in them."""
        self._old = b""
        """A batch that was in a block."""
        self._nonsense: list[bytes] = []

    def propose(self, seconds: int, nanoseconds: int, bytes_max: int) -> list[bytes]:
        honest = super().propose(seconds, nanoseconds, bytes_max)
        order = read_order(data_folder())
        if order.order != self._order.order:
            self._next = 0
        self._order = order
        if order.leaves_out:
            honest = [wire for wire in honest if open_batch(wire)[1].author.hex() != order.leaves_out]
        if self._next >= len(order.proposals):
            return honest
        kind = order.proposals[self._next]
        time_ms = block_time_ms(self.application.state, seconds, nanoseconds)
        proposed = PROPOSALS[kind](self, honest, time_ms)
        if proposed is None:
            return honest  # what it needs is not there yet
        self._next += 1
        self._own.add(digest(proposed))
        line = {"order": order.order, "height": self.head.height + 1, "kind": kind, "block": digest(proposed).hex()}
        with (data_folder() / LOG).open("a") as log:
            log.write(json.dumps(line) + "\n")
        return proposed

    def judge(self, seconds: int, nanoseconds: int, wires: Sequence[bytes]) -> bool:
        return digest(wires) in self._own or super().judge(seconds, nanoseconds, wires)

    def execute(self, height: int, seconds: int, nanoseconds: int, *rest: Any) -> BlockOutcome:
        outcome = super().execute(height, seconds, nanoseconds, *rest)
        wires = rest[1]
        for wire, became in zip(wires, outcome.batches, strict=True):
            if became.code == KernelCode.OK:
                self._old = wire
        return outcome

    def offers(self, bytes_max: int) -> list[bytes]:
        honest = super().offers(bytes_max)
        flood = read_order(data_folder()).flood
        if not flood:
            return honest
        if not self._nonsense:
            # The same again and again: no nonce of theirs is ever used up, and each batch is another.
            self._nonsense = [nonsense(self) for _ in range(FLOOD_BATCH)]
        made = [self.batch(self._nonsense, self.head.time_ms) for _ in range(flood)]
        return [*honest, *made, secrets.token_bytes(1_000), made[0][:-1]]

    def batch(self, transactions: Sequence[bytes], time_ms: int, **other: Any) -> bytes:
        """Signed by this node, if `other` does not say otherwise."""
        self._number += 1
        given = {"chain": self.head.chain, "author": self.node_id, "by": self._signing} | other
        return batch_of(transactions, self._number, time_ms + BATCH_MS, **given)


def data_folder() -> Path:
    """Of this process."""
    return Path(sys.argv[sys.argv.index("--data") + 1])


def digest(wires: Sequence[bytes]) -> bytes:
    """Names the content of a block."""
    return hashlib.sha256(b"".join(hashlib.sha256(wire).digest() for wire in wires)).digest()


NOBODY = signer("nobody at all")


def nonsense(engine: ByzantineEngine) -> bytes:
    """A transaction with a good signature, of an account that there is not."""
    account = keys_hash(0, 1, NOBODY.keys)
    nonce = secrets.randbelow(2**60)
    body = Body(engine.head.chain, account, nonce, engine.head.time_ms + 5 * BATCH_MS, (Transfer(account, 1),))
    return signed(NOBODY, body)


Proposing = Callable[[ByzantineEngine, list[bytes], int], list[bytes] | None]


def fresh(engine: ByzantineEngine, time_ms: int, **other: Any) -> bytes:
    return engine.batch([nonsense(engine)], time_ms, **other)


def flipped(wire: bytes) -> bytes:
    return wire[:-1] + bytes([wire[-1] ^ 1])


def unsigned(engine: ByzantineEngine, time_ms: int) -> bytes:
    batch = decode_batch.trusted(fresh(engine, time_ms))
    return encode(Batch(batch.header, bytes(SIGNATURE_BYTES), batch.transactions))


def wrong_root(engine: ByzantineEngine, time_ms: int) -> bytes:
    """Another transaction, of the same length, beside the signed header."""
    transaction = nonsense(engine)
    while True:
        other = nonsense(engine)
        if len(other) == len(transaction):
            return engine.batch([transaction], time_ms).replace(transaction, other)


def ends_in_malformed(engine: ByzantineEngine, time_ms: int) -> bytes:
    return engine.batch([nonsense(engine), b"no transaction"], time_ms)


def ends_badly_signed(engine: ByzantineEngine, time_ms: int) -> bytes:
    return engine.batch([nonsense(engine), flipped(nonsense(engine))], time_ms)


def too_large(engine: ByzantineEngine) -> list[bytes]:
    """Just above our own limit and below the engine's: it does go over the links."""
    size = limits.BATCH_BYTES_MAX
    return [secrets.token_bytes(size)] * (BLOCK_BYTES_MAX // size) + [b"\0"]


def too_many_signatures(engine: ByzantineEngine, time_ms: int) -> list[bytes]:
    one_more = limits.SIGNATURES_PER_BLOCK_MAX + 1
    transactions = [nonsense(engine) for _ in range(one_more)]
    size = limits.TRANSACTIONS_PER_BATCH_MAX
    return [engine.batch(transactions[start : start + size], time_ms) for start in range(0, one_more, size)]


PROPOSALS: dict[str, Proposing] = {
    "garbage": lambda engine, honest, time_ms: [*honest, secrets.token_bytes(300)],
    "cut": lambda engine, honest, time_ms: [fresh(engine, time_ms)[:-1]],
    "unsigned": lambda engine, honest, time_ms: [*honest, unsigned(engine, time_ms)],
    "twice": lambda engine, honest, time_ms: [fresh(engine, time_ms)] * 2,
    "replayed": lambda engine, honest, time_ms: [*honest, engine._old] if engine._old else None,
    "badly signed transaction": lambda engine, honest, time_ms: [*honest, ends_badly_signed(engine, time_ms)],
    "malformed transaction": lambda engine, honest, time_ms: [ends_in_malformed(engine, time_ms), *honest],
    "wrong root": lambda engine, honest, time_ms: [*honest, wrong_root(engine, time_ms)],
    "wrong chain": lambda engine, honest, time_ms: [fresh(engine, time_ms, chain="another-chain")],
    "unknown author": lambda engine, honest, time_ms: [fresh(engine, time_ms, author=pseudonym("nobody"))],
    "in another's name": lambda engine, honest, time_ms: [fresh(engine, time_ms, author=pseudonym("node"))],
    "expired": lambda engine, honest, time_ms: [fresh(engine, time_ms - BATCH_MS - 1)],
    "too many batches": lambda engine, honest, time_ms: [
        fresh(engine, time_ms) for _ in range(limits.BATCHES_PER_BLOCK_MAX + 1)
    ],
    "too large": lambda engine, honest, time_ms: too_large(engine),
    "too many signatures": lambda engine, honest, time_ms: too_many_signatures(engine, time_ms),
    "reordered": lambda engine, honest, time_ms: honest[::-1] if len(honest) > 1 else None,
    "empty": lambda engine, honest, time_ms: [] if honest else None,
}
"""Who reads the blocks after it says which of these may be committed."""


def main() -> int:
    """As `gridtokenx.engine.node`."""
    DataFolder(data_folder()).require()
    node.CometEngine = ByzantineEngine  # type: ignore[misc]
    return node.main()


if __name__ == "__main__":
    sys.exit(main())
