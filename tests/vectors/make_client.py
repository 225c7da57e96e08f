"""The golden vectors of what only clients do: written with the others by `python -m tests.vectors.make`."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from ed25519_zebra import ed_sign
from tests.unit.ledger.forged_proofs import FORGED, HONEST, KEY, VALUE
from tests.vectors.story import HOMES, community, fresh
from tests.world import NOON, WATT, World, decode_receipt, pseudonym, sell, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.client.errors import ProofInvalid
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.proofs import check_receipt
from gridtokenx.gateway.documents import (
    Challenge,
    Level,
    PathStep,
    ReceiptProof,
    StateClaim,
    StateProof,
    checksum_of,
)
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.crypto import CHALLENGE_DOMAIN, merkle_path, merkle_root, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import readable
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock
from gridtokenx.ledger.transaction import Envelope, Receipt
from gridtokenx.modules.market.holds import buyer_hold_micro, seller_hold_micro, trade_cost
from gridtokenx.modules.market.messages import CancelOrder
from gridtokenx.modules.market.state import ORDERS, order_key
from gridtokenx.modules.settlement.messages import Reading
from gridtokenx.modules.tokens.messages import Transfer

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


class _Decodes(Protocol):
    def __call__(self, data: bytes, field: str = "") -> Any: ...


DECODERS: dict[str, _Decodes] = {
    "Body": CONSORTIUM.body,
    "Envelope": Decoder[Envelope](Envelope),
    "Reading": Decoder[Reading](Reading),
    "Receipt": decode_receipt,
    "LastBlock": Decoder[LastBlock](LastBlock),
}


def encodings() -> list[dict[str, Any]]:
    """Bytes of a named kind, and whether they are the encoding of one. The false ones are near to the true ones."""
    cases: list[dict[str, Any]] = []

    def add(kind: str, name: str, data: bytes) -> None:
        try:
            DECODERS[kind](data)
            canonical = True
        except Rejected:
            canonical = False
        cases.append({"kind": kind, "name": name, "bytes": data.hex(), "canonical": canonical})

    account = community().accounts["alice"]
    for amount in (0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**62, 2**62 + 1, 2**64 - 1):
        add("Body", f"an amount of {amount}", _body(account, encode([0x10, account, amount])))
    for name, number in _spellings_of_five().items():
        add("Body", f"five as {name}", _body(account, b"\x93\x10\xc4\x20" + account + number))
    whole = _body(account, encode(Transfer(account, WATT)))
    add("Body", "a byte behind the end", whole + b"\x00")
    add("Body", "nothing", b"")
    for end in range(1, len(whole)):
        add("Body", f"cut after {end} bytes", whole[:end])
    for name, message in _other_messages(account).items():
        add("Body", name, _body(account, message))
    chains = {"characters of three bytes": "ไฟฟ้า", "64 characters": "é" * 64, "65 characters": "e" * 65, "no chain": ""}
    for name, chain in chains.items():
        add("Body", name, _body(account, encode(Transfer(account, 1)), encode(chain)))
    raw_chains = {
        "not UTF-8": b"\xa2\xc3\x28",
        "half a pair of surrogates": b"\xa3\xed\xa0\x80",
        "a longer length than need be": b"\xd9\x01a",
        "bytes for text": b"\xc4\x01a",
        "a byte order mark": b"\xa4\xef\xbb\xbfa",
    }
    for name, raw in raw_chains.items():
        add("Body", f"a chain in {name}", _body(account, encode(Transfer(account, 1)), raw))
    add("Receipt", "with results", encode(Receipt(bytes(32), 0, 0, ((1, 2**60), ()))))
    negative = Receipt(bytes(32), 0, 0, ((-1, -33, -129, -32_769, -(2**31) - 1),))
    add("Receipt", "with negative numbers", encode(negative))
    add("Receipt", "with a negative number in a longer form", encode([bytes(32), 0, 0, []])[:-1] + b"\x91\x91\xd0\xff")
    add("Receipt", "an item short", encode([bytes(32), 0, 0]))
    add("Receipt", "an item too many", encode([bytes(32), 0, 0, [], 0]))
    add("Receipt", "as a map", encode({"transaction": bytes(32), "code": 0, "failed": 0, "results": []}))
    add("Receipt", "with a longer array than need be", encode([bytes(32), 0, 0, []])[:-1] + b"\xdc\x00\x00")
    add("Receipt", "with an endless array", encode([bytes(32), 0, 0, []])[:-1] + b"\xdd\xff\xff\xff\xff")
    add("Receipt", "deep inside", b"\x91" * 2_000)
    for register in (2**53, 2**53 + 1):
        add("Reading", f"a register of {register}", encode([bytes(8), 7, register, 0, bytes(32), bytes(64)]))
    return cases


def _body(sender: bytes, message: bytes, chain: bytes = b"\xa1c") -> bytes:
    """A body of five items with one message."""
    return b"\x95" + chain + b"\xc4\x20" + sender + b"\x01\x02\x91" + message


def _spellings_of_five() -> dict[str, bytes]:
    return {
        "itself": b"\x05",
        "uint 8": b"\xcc\x05",
        "uint 16": b"\xcd\x00\x05",
        "uint 32": b"\xce\x00\x00\x00\x05",
        "uint 64": b"\xcf" + bytes(7) + b"\x05",
        "int 8": b"\xd0\x05",
        "int 64": b"\xd3" + bytes(7) + b"\x05",
        "float 32": b"\xca\x40\xa0\x00\x00",
        "float 64": msgspec.msgpack.encode(5.0),
        "text": b"\xa15",
        "nil": b"\xc0",
        "an extension": b"\xd4\x01\x05",
        "minus five": b"\xfb",
    }


def _other_messages(account: bytes) -> dict[str, bytes]:
    cancel, order = encode(CancelOrder(pseudonym("order"))), encode(sell("alice", 1_000, NOON, 4_500_000))
    return {
        "a cancel": cancel,
        "an order": order,
        "an order with 1 for true": order[:-2] + b"\x01\xc2",
        "a cancel with a client id of seven bytes": encode([0x61, bytes(7)]),
        "a cancel with a client id in a longer form": b"\x92\x61\xc5\x00\x08" + bytes(8),
        "a cancel with text for bytes": b"\x92\x61\xa8" + b"a" * 8,
        "a message of an unknown tag": encode([0x0F, bytes(8)]),
        "a tag in a longer form": b"\x92\xcc\x61\xc4\x08" + bytes(8),
        "a message without a tag": b"\x90",
        "a message that is none": b"\xc0",
        "a transfer with a field too many": encode([0x10, account, 5, 6]),
        "a transfer with a field short": encode([0x10, account]),
    }


def keys() -> list[dict[str, str]]:
    """Secret, public key, the 24 words, and one signature."""
    cases = []
    for name in ("alice", "bob", "carol"):
        key = PrivateKey(sha256(f"{name}/0".encode()).digest())
        data = f"signed by {name}".encode()
        cases.append(
            {
                "secret": key.secret().hex(),
                "public_key": key.public_key.hex(),
                "phrase": key.phrase(),
                "data": data.hex(),
                "signature": key.sign(data).hex(),
            }
        )
    return cases


def signatures() -> list[dict[str, Any]]:
    """Signatures and whether they hold under ZIP-215: also where libraries disagree."""
    who, data = signer("alice"), b"data"
    good = bytes(ed_sign(who.secrets[0], data))
    larger = (int.from_bytes(good[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    identity, other_spelling = b"\x01" + bytes(31), (2**255 - 18).to_bytes(32, "little")
    given = {
        "good": (good, data, who.keys[0]),
        "of other data": (good, b"Data", who.keys[0]),
        "by another key": (good, data, signer("bob").keys[0]),
        "a scalar beyond the group's order": (good[:32] + larger, data, who.keys[0]),
        "a key of small order": (identity + bytes(32), data, identity),
        "a key of small order in another spelling": (identity + bytes(32), data, other_spelling),
        "a point of small order in another spelling": (other_spelling + bytes(32), data, identity),
        "a key that is no point": (good, data, b"\x02" + bytes(31)),
        "nothing but zeros": (bytes(64), data, who.keys[0]),
        "short": (good[:63], data, who.keys[0]),
        "long": (good + b"\x00", data, who.keys[0]),
    }
    return [
        {
            "name": name,
            "signature": signature.hex(),
            "data": signed.hex(),
            "public_key": key.hex(),
            "valid": signature_is_valid(signature, signed, key),
        }
        for name, (signature, signed, key) in given.items()
    ]


def challenges() -> list[dict[str, Any]]:
    """What a gateway offers an account to sign, and the signatures that let it in."""
    world, cases = community(), []
    for name in ("alice", "board"):
        who = signer("board", 2, 3) if name == "board" else signer(name)
        challenge = Challenge(world.chain, world.accounts[name], bytes(range(16)), world.time_ms + 120_000, bytes(32))
        wire = encode(challenge)
        secrets = [secret.hex() for secret in who.secrets]
        signing = enumerate(who.secrets[: who.threshold])
        marks = [[index, bytes(ed_sign(secret, CHALLENGE_DOMAIN + wire)).hex()] for index, secret in signing]
        auth = {"algorithm": 0, "threshold": who.threshold, "keys": readable(who.keys), "signatures": marks}
        cases.append({"challenge": readable(challenge), "bytes": wire.hex(), "secrets": secrets, "auth": auth})
    return cases


def costs() -> dict[str, Any]:
    """What orders hold and trades cost under the default terms."""
    terms, cases = DEFAULT_TERMS, []
    for price in (0, 1_000, 4_500_000, 5_218_300, 1_000_000_000):
        for energy in (1, 100, 333, 1_000_000, 10**12):
            for nearness in (0, 1, 3):
                wheeling = terms.wheeling_base_micro
                if nearness:
                    wheeling += terms.wheeling_feeder_micro + (nearness - 1) * terms.wheeling_border_micro
                cost = trade_cost(terms, price, energy, wheeling)
                cases.append(
                    {
                        "price_micro": price,
                        "energy_wh": energy,
                        "nearness": nearness,
                        "wheeling_per_kwh_micro": wheeling,
                        "buyer_hold_micro": buyer_hold_micro(terms, price, energy),
                        "seller_hold_micro": seller_hold_micro(terms, terms.on_peak_micro, price, energy),
                        "value_micro": cost.value,
                        "trading_fee_micro": cost.trading_fee,
                        "wheeling_micro": cost.wheeling,
                        "buyer_micro": cost.buyer,
                    }
                )
    return {"terms": readable(terms), "tariff_micro": terms.on_peak_micro, "cases": cases}


def books() -> list[dict[str, Any]]:
    """A book as the stream tells it: a snapshot, changes (quantity 0: gone), and the checksum after each."""
    first = [Level(4_500_000, 11, 1, 1_000, 2), Level(4_400_000, 21, 2, 300, 1), Level(4_500_000, 11, 2, 250, 1)]
    bids = [Level(4_000_000, 12, 127, 900, 3), Level(10_000_000, 12, 1, 100, 1), Level(4_000_000, 12, 127, 200, 1, 1)]
    gone = [msgspec.structs.replace(first[1], quantity_wh=0, orders=0)]
    less = [msgspec.structs.replace(bids[0], quantity_wh=800, orders=2)]
    steps = [(True, bids, first), (False, [], gone), (False, less, []), (True, [], [])]
    held: tuple[dict[Any, Level], dict[Any, Level]] = ({}, {})
    cases = []
    for is_snapshot, *sides in steps:
        for side, levels in zip(held, sides, strict=True):
            if is_snapshot:
                side.clear()
            side.update({(level.price_micro, level.feeder, level.sources, level.scope): level for level in levels})
            for key in [key for key, level in side.items() if not level.quantity_wh]:
                del side[key]
        cases.append(
            {
                "is_snapshot": is_snapshot,
                "bids": [msgspec.to_builtins(level) for level in sides[0]],
                "asks": [msgspec.to_builtins(level) for level in sides[1]],
                "checksum": checksum_of(held[0].values(), held[1].values()),
            }
        )
    return cases


def proofs() -> dict[str, Any]:
    """Proofs as a gateway gives them, under app hashes of blocks: of receipts and of records; whole and forged."""
    world = fresh()
    orders = [world.sign(name, sell(name, 500 + count, NOON, 4_500_000, f"{name}-{count}"))
              for name in ("alice", "carol") for count in range(3)]  # fmt: skip
    transfers = [world.sign(name, Transfer(world.accounts["dora"], WATT)) for name in HOMES]
    outcome = world.block(world.batch(*orders), world.batch(*transfers))
    proof = _receipt_proof(world, [list(batch.receipts) for batch in outcome.batches], 0, 4)
    transaction = bytes.fromhex(proof.transaction)
    shown = {"whole": proof, **_forgeries(proof)}
    receipts = [_receipt_case(name, outcome.app_hash, transaction, each) for name, each in shown.items()]
    receipts.append(_receipt_case("asked for another transaction", outcome.app_hash, bytes(32), proof))
    receipts.append(_receipt_case("under another app hash", bytes(32), transaction, proof))
    here, nowhere = bytes([ORDERS.prefix]) + order_key(world.accounts["alice"], pseudonym("alice-1")), b"\x63nowhere"
    records = [_record_case(world, key) for key in (here, nowhere, bytes([ACCOUNTS.prefix]) + world.accounts["bob"])]
    shapes = {**HONEST, **FORGED}
    return {
        "receipts": receipts,
        "records": records,
        "shapes": [
            {
                "name": name,
                "root": shape.root.hex(),
                "key": KEY.hex(),
                "value": VALUE.hex(),
                "proof": {"items": shape.proof.items.hex(), "path": [each.hex() for each in shape.proof.path]},
                "holds": name in HONEST,
            }
            for name, shape in shapes.items()
        ],
    }


def _receipt_proof(world: World, receipts: list[list[bytes]], batch: int, position: int) -> ReceiptProof:
    roots = [merkle_root(own) for own in receipts]
    receipt = receipts[batch][position]
    return ReceiptProof(
        decode_receipt(receipt).transaction.hex(),
        world.blocks[-1].height,
        receipt.hex(),
        [PathStep(right, sibling.hex()) for right, sibling in merkle_path(receipts[batch], position)],
        roots[batch].hex(),
        [PathStep(right, sibling.hex()) for right, sibling in merkle_path(roots, batch)],
        _claim(world, bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY),
    )


def _claim(world: World, key: bytes) -> StateClaim:
    record = world.state.rows[key[0]].get(key[1:])
    proof = world.commitment.prove(key)
    shown = StateProof(proof.items.hex(), [siblings.hex() for siblings in proof.path])
    value = None if record is None else encode(record).hex()
    return StateClaim(world.commitment.root().hex(), key.hex(), value, shown)


def _forgeries(proof: ReceiptProof) -> dict[str, ReceiptProof]:
    """The proof with one thing changed."""
    changed: Callable[..., ReceiptProof] = lambda **fields: msgspec.structs.replace(proof, **fields)  # noqa: E731
    claim: Callable[..., ReceiptProof] = lambda **fields: changed(  # noqa: E731
        claim=msgspec.structs.replace(proof.claim, **fields)
    )
    first, *rest = proof.batch_path
    return {
        "another receipt": changed(receipt=_flipped(proof.receipt)),
        "a receipt that is none": changed(receipt="c0"),
        "a receipt that is not hexadecimal": changed(receipt="zz"),
        "another batch root": changed(batch_root=_flipped(proof.batch_root)),
        "a sibling on the other side": changed(batch_path=[PathStep(not first.right, first.hash), *rest]),
        "a sibling short": changed(batch_path=rest),
        "a sibling of 31 bytes": changed(batch_path=[PathStep(first.right, first.hash[2:]), *rest]),
        "a path too long": changed(batch_path=[first] * 65),
        "no path to the block": changed(block_path=[]),
        "another height": changed(height=proof.height + 1),
        "another value": claim(value=_flipped(proof.claim.value or "")),
        "no value": claim(value=None),
        "another root": claim(root=_flipped(proof.claim.root)),
        "another key": claim(key="01"),
        "another bucket": claim(proof=StateProof(_flipped(proof.claim.proof.items), proof.claim.proof.path)),
        "one node too many": claim(proof=StateProof(proof.claim.proof.items, ["00" * 480, *proof.claim.proof.path])),
    }


def _flipped(text: str) -> str:
    return f"{text[:-1]}{int(text[-1], 16) ^ 1:x}"


def _receipt_case(name: str, app_hash: bytes, transaction: bytes, proof: ReceiptProof) -> dict[str, Any]:
    try:
        receipt = readable(check_receipt(app_hash, transaction, proof))
    except ProofInvalid:
        receipt = None
    document = msgspec.to_builtins(proof)
    asked = {"app_hash": app_hash.hex(), "transaction": transaction.hex()}
    return {"name": name, **asked, "proof": document, "receipt": receipt}


def _record_case(world: World, key: bytes) -> dict[str, Any]:
    claim = _claim(world, key)
    record = world.state.rows[key[0]].get(key[1:])
    return {"app_hash": claim.root, "claim": msgspec.to_builtins(claim), "record": readable(record)}


CLIENT_DOCUMENTS: dict[str, Callable[[], Any]] = {
    "encodings.json": encodings,
    "keys.json": keys,
    "signatures.json": signatures,
    "challenges.json": challenges,
    "costs.json": costs,
    "books.json": books,
    "proofs.json": proofs,
}
