"""Checks a proof about the state of a GridTokenX ledger. Needs Python alone; shares no code with the ledger.

`python check_proof.py [FILE] [ROOT]` prints "present" or "absent" (exit code 0) or "invalid" (1). FILE (else, or
as "-", standard input) is a JSON object: "root", "key", "value" (null: the key is absent), "proof": {"items",
"path"}, all bytes in lower-case hexadecimal. Take ROOT from a block header you trust: the file only claims one.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path


def require(condition):
    if not condition:
        raise ValueError


def unhex(text):
    require(bytes.fromhex(text).hex() == text)
    return bytes.fromhex(text)


def check(document, root):
    """What the document proves, "present" or "absent"; an exception when it proves nothing."""
    value, proof = document["value"], document["proof"]
    require(document.keys() == {"root", "key", "value", "proof"} and proof.keys() == {"items", "path"})
    require(isinstance(proof["path"], list) and len(proof["path"]) <= 63 and len(proof["items"]) <= 2 * 32 * 64)
    key_hash, items = sha256(unhex(document["key"])).digest(), unhex(proof["items"])
    digits = key_hash.hex()[: len(proof["path"])]
    values = {items[at : at + 32]: items[at + 32 : at + 64] for at in range(0, len(items), 64)}
    require(items == b"".join(key + values[key] for key in sorted(values)) and len(items) % 64 == 0)
    require(all(key.hex().startswith(digits) for key in values))
    digest = sha256(b"\0" + items).digest() if items else bytes(32)
    for siblings, digit in zip(map(unhex, proof["path"]), reversed(digits), strict=True):
        place = 32 * int(digit, 16)
        digest = sha256(b"\1" + siblings[:place] + digest + siblings[place:]).digest()
        require(len(siblings) == 15 * 32)
    require(digest.hex() == document["root"] == root)
    require(values.get(key_hash) == (None if value is None else sha256(unhex(value)).digest()))
    return "absent" if value is None else "present"


if __name__ == "__main__":
    try:
        claim = json.loads(sys.stdin.read() if sys.argv[1:2] in ([], ["-"]) else Path(sys.argv[1]).read_text("utf-8"))
        print(check(claim, sys.argv[2] if len(sys.argv) > 2 else claim["root"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sys.exit(print("invalid") or 1)
