"""Writes `commitment.json`, the golden vectors of the state commitment: `python -m tests.vectors.make_commitment`.

A case is a state, changes to it and the state's root before and after, so that another implementation can
follow: `records` and `changes` are pairs of key and value (null: deleted), `proofs` hold under `root_after`.
In the cases named `hashed` the pairs are key hash and value hash themselves: keys whose hashes share many
digits cannot be found. All bytes are in hexadecimal.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.ledger.commitment import Commitment

VECTORS = Path(__file__).with_name("commitment.json")

Changes = Sequence[tuple[bytes, bytes | None]]


def records(count: int, start: int = 0) -> list[tuple[bytes, bytes]]:
    return [(b"key-%d" % number, b"value-%d" % number) for number in range(start, start + count)]


def hashed_items(prefix: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Items whose key hashes begin with `prefix` and differ in the two digits behind it."""
    return [((prefix + bytes([7 * number])).ljust(32, b"\xaa"), bytes([number]) * 32) for number in range(count)]


def deleted(pairs: Sequence[tuple[bytes, bytes]]) -> Changes:
    return [(key, None) for key, _ in pairs]


def as_hexadecimal(pairs: Changes) -> list[list[str | None]]:
    return [[key.hex(), None if value is None else value.hex()] for key, value in pairs]


def case(name: str, before: Sequence[tuple[bytes, bytes]], changes: Changes, asked: Changes = ()) -> dict[str, object]:
    commitment = Commitment.build(before)
    return {
        "name": name,
        "records": as_hexadecimal(before),
        "changes": as_hexadecimal(changes),
        "root_before": commitment.root().hex(),
        "root_after": commitment.update(changes).hex(),
        "proofs": [
            {
                "key": key.hex(),
                "value": None if value is None else value.hex(),
                "proof": commitment.prove(key).to_json(),
            }
            for key, value in asked
        ],
    }


def case_hashed(name: str, before: Sequence[tuple[bytes, bytes]], changes: Changes) -> dict[str, object]:
    commitment = Commitment.build_hashed(before)
    return {
        "name": f"hashed: {name}",
        "records": as_hexadecimal(before),
        "changes": as_hexadecimal(changes),
        "root_before": commitment.root().hex(),
        "root_after": commitment.update_hashed(dict(changes)).hex(),
        "proofs": [],
    }


def vectors() -> list[dict[str, object]]:
    absent: Changes = [(b"nobody", None)]
    mixed: Changes = [(b"key-3", b"rewritten"), (b"key-4", None), (b"key-400", b"new"), (b"key-5", b"")]
    deep = hashed_items(b"\x5a" * 9, 33)
    return [
        case("nothing", [], [], absent),
        case("the first record", [], records(1), [*records(1), *absent]),
        case("the last record deleted", records(1), deleted(records(1)), absent),
        case("a full bucket", records(31), records(1, 31), [*records(1, 31), *absent]),
        case("a bucket splits", records(32), records(1, 32), [*records(1, 32), *absent]),
        case("a node merges", records(33), deleted(records(1, 32)), [*records(1), (b"key-32", None)]),
        case("several levels", records(300), mixed, [*mixed, *absent]),
        case("several levels merge", records(300), deleted(records(290, 10)), records(1)),
        case_hashed("a deep path grows", deep[:32], deep[32:]),
        case_hashed("a deep path merges", deep, deleted(deep[:1])),
        case_hashed("a deep path beside others", [*deep, *hashed_items(b"\x5b", 20)], deleted(deep[2:4])),
    ]


def text() -> str:
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text(), encoding="utf-8")
