"""The checker that a stranger runs, `docs/check_proof.py`: it agrees with `verify` on good claims and bad ones."""

import ast
import copy
import json
import random
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.ledger.forged_proofs import FORGED, HONEST, ITEM, KEY, SIBLINGS, VALUE, Shown, shown

from gridtokenx.ledger.commitment import Commitment, Proof, verify

CHECKER = Path(__file__).parents[3] / "docs" / "check_proof.py"


def records(count: int) -> dict[bytes, bytes]:
    return {b"key-%d" % number: b"value-%d" % number for number in range(count)}


def claim(commitment: Commitment, key: bytes, value: bytes | None) -> dict[str, Any]:
    return {
        "root": commitment.root().hex(),
        "key": key.hex(),
        "value": None if value is None else value.hex(),
        "proof": commitment.prove(key).to_json(),
    }


def run_checker(*arguments: str, text: str = "") -> tuple[str, int]:
    command = [sys.executable, "-I", str(CHECKER), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.strip(), done.returncode


def bad_claims(good: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The good claim with one thing wrong, by name."""
    items, path = good["proof"]["items"], good["proof"]["path"]
    proofs: dict[str, dict[str, Any]] = {
        "items reversed": {"items": items[128:256] + items[:128] + items[256:]},
        "item twice": {"items": items[:128] + items},
        "item missing": {"items": items[128:]},
        "item cut": {"items": items[:-2]},
        "other value hash": {"items": items[:126] + ("00" if items[126:128] != "00" else "01") + items[128:]},
        "too many items": {"items": "00" * 2112},
        "items in upper case": {"items": items.upper()},
        "items with a space": {"items": items[:2] + " " + items[2:]},
        "path as text": {"path": "".join(path)},
        "path short": {"path": path[1:]},
        "path long": {"path": [*path, path[0]]},
        "path too long": {"path": ["00" * 480] * 64},
        "siblings short": {"path": [path[0][:-64], *path[1:]]},
        "siblings long": {"path": [path[0] + "00" * 32, *path[1:]]},
        "siblings changed": {"path": [path[0][:-1] + ("0" if path[0][-1] != "0" else "1"), *path[1:]]},
        "more in the proof": {"more": ""},
    }
    documents: dict[str, dict[str, Any]] = {
        "other root": {"root": "00" * 32},
        "root in upper case": {"root": good["root"].upper()},
        "root missing": {"root": None},
        "other key": {"key": b"key-8".hex()},
        "key missing": {"key": None},
        "present, said to be absent": {"value": None},
        "empty value": {"value": ""},
        "number for a value": {"value": 7},
        "proof missing": {"proof": None},
        "more": {"more": 7},
    }
    bad = {name: {**good, "proof": {**good["proof"], **part}} for name, part in proofs.items()}
    return {**bad, **{name: {**good, **part} for name, part in documents.items()}}


def verdict_of_the_ledger(document: dict[str, Any]) -> str:
    """What `Proof.from_json` and `verify` make of a claim."""
    try:
        if set(document) != {"root", "key", "value", "proof"}:
            return "invalid"
        root, key = bytes.fromhex(document["root"]), bytes.fromhex(document["key"])
        value = None if document["value"] is None else bytes.fromhex(document["value"])
        holds = root.hex() == document["root"] and verify(root, key, value, Proof.from_json(document["proof"]))
    except (ValueError, TypeError):
        return "invalid"
    return "invalid" if not holds else "absent" if value is None else "present"


def verdict(document: dict[str, Any]) -> str:
    """What the checker makes of a claim, without a process of its own."""
    try:
        return str(runpy.run_path(str(CHECKER))["check"](document, document["root"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "invalid"


def test_the_checker_agrees_with_verify() -> None:
    commitment = Commitment.build(records(900).items())
    present, absent = claim(commitment, b"key-7", b"value-7"), claim(commitment, b"absent", None)
    assert verdict(present) == verdict_of_the_ledger(present) == "present"
    assert verdict(absent) == verdict_of_the_ledger(absent) == "absent"
    for name, document in bad_claims(present).items():
        assert verdict(document) == verdict_of_the_ledger(document) == "invalid", name


@pytest.mark.parametrize(("key", "value"), [(b"key-7", b"value-7"), (b"absent", None)])
def test_the_checker_refuses_every_flipped_digit(key: bytes, value: bytes | None) -> None:
    chance = random.Random(1)
    good = claim(Commitment.build(records(900).items()), key, value)
    for _ in range(300):
        document = copy.deepcopy(good)
        texts = [good["proof"]["items"], *good["proof"]["path"]]
        place = chance.randrange(len(texts))
        at = chance.randrange(len(texts[place]))
        texts[place] = texts[place][:at] + chance.choice("0123456789abcdefA ") + texts[place][at + 1 :]
        document["proof"] = {"items": texts[0], "path": texts[1:]}
        assert verdict(document) == verdict_of_the_ledger(document)
        assert (verdict(document) == "invalid") == (document != good)


def claim_of(shown: Shown, value: bytes | None) -> dict[str, Any]:
    text = None if value is None else value.hex()
    return {"root": shown.root.hex(), "key": KEY.hex(), "value": text, "proof": shown.proof.to_json()}


@pytest.mark.parametrize("name", HONEST)
def test_the_checker_takes_the_honest_counterparts_of_the_forged_proofs(name: str) -> None:
    assert verdict(claim_of(HONEST[name], VALUE)) == "present"


@pytest.mark.parametrize("name", FORGED)
def test_the_checker_refuses_malformed_proofs_although_their_hashes_agree(name: str) -> None:
    for value in (VALUE, None, b""):
        assert verdict(claim_of(FORGED[name], value)) == "invalid"


def test_the_checker_refuses_a_path_that_is_no_list() -> None:
    document = claim_of(shown(ITEM, (SIBLINGS,)), VALUE)
    assert verdict(document) == "present"
    document["proof"]["path"] = dict.fromkeys(document["proof"]["path"])
    assert verdict(document) == verdict_of_the_ledger(document) == "invalid"


def test_the_checker_as_a_stranger_runs_it(tmp_path: Path) -> None:
    commitment = Commitment.build(records(900).items())
    present, absent = claim(commitment, b"key-7", b"value-7"), claim(commitment, b"absent", None)
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(present), encoding="utf-8")
    assert run_checker(str(file)) == ("present", 0)
    assert run_checker(str(file), present["root"]) == ("present", 0)
    assert run_checker(str(file), "00" * 32) == ("invalid", 1)
    assert run_checker(text=json.dumps(absent)) == ("absent", 0)
    assert run_checker("-", absent["root"], text=json.dumps(absent)) == ("absent", 0)
    empty = claim(Commitment(), b"anything", None)
    assert run_checker("-", "00" * 32, text=json.dumps(empty)) == ("absent", 0)
    for name in ("items reversed", "siblings changed", "present, said to be absent", "other root", "key missing"):
        assert run_checker(text=json.dumps(bad_claims(present)[name])) == ("invalid", 1), name
    for text in ("", "{", "[]", "null", "7", "[" * 100_000):
        assert run_checker(text=text) == ("invalid", 1)


def test_the_checker_stands_alone_and_is_short() -> None:
    source = CHECKER.read_text(encoding="utf-8")
    tree = ast.parse(source)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    explained = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(source.splitlines(), 1)
    assert len([number for number, line in lines if line.strip() and number not in explained]) <= 40
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), "python -O would skip the check"
