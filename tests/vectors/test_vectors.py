"""The golden files are what the code makes; and what they say holds without the code that made them."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.vectors.make import DOCUMENTS, FOLDER, document
from tests.vectors.samples import one_of_each

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import Block, apply_block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.validator import LastCommit, Misbehaviour


def golden(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_made_anew_it_is_the_same(name: str) -> None:
    """If this fails, consensus has changed: `python -m tests.vectors.make`, and look at the difference."""
    assert (FOLDER / name).read_text(encoding="utf-8") == document(name)


def test_there_is_a_sample_of_each_message_type() -> None:
    assert [type(message) for message in one_of_each()] == sorted(
        CONSORTIUM.handlers, key=lambda kind: kind.__struct_config__.tag
    )


def test_an_account_id_is_the_hash_of_domain_and_keys() -> None:
    for case in golden("accounts.json"):
        keys = [bytes.fromhex(key) for key in case["keys"]]
        plain = msgspec.msgpack.encode([case["algorithm"], case["threshold"], keys])
        assert sha256(b"gridtokenx/keys/1\x00" + plain).hexdigest() == case["account"]
        assert keys == sorted(keys)


def test_a_message_is_an_array_of_its_tag_and_its_fields() -> None:
    for case in golden("messages.json"):
        tag, *fields = msgspec.msgpack.decode(bytes.fromhex(case["bytes"]))
        assert tag == case["tag"]
        assert len(fields) == len(case["fields"])


def test_a_transaction_is_an_array_of_body_and_signatures() -> None:
    document = golden("transactions.json")
    for case in document["cases"]:
        raw, auth = msgspec.msgpack.decode(bytes.fromhex(case["operation"]))
        assert bytes.fromhex(case["signed"]) == b"gridtokenx/transaction/1\x00" + raw
        chain, sender, nonce, expires_ms, messages = msgspec.msgpack.decode(raw)
        assert (chain, sender.hex()) == (case["body"]["chain"], case["body"]["sender"])
        assert (nonce, expires_ms) == (case["body"]["nonce"], case["body"]["expires_ms"])
        assert len(messages) == len(case["body"]["messages"])
        assert len(auth) == 4


@pytest.mark.parametrize("name", ["blocks.json", "transactions.json"])
def test_the_recorded_blocks_come_to_the_recorded_roots(name: str) -> None:
    document = golden(name)
    genesis = bytes.fromhex(document.get("genesis") or document["pre"]["genesis"])
    state, commitment = import_state(CONSORTIUM, genesis)
    for entry in document.get("blocks") or document["cases"]:
        if name == "transactions.json":
            state, commitment = import_state(CONSORTIUM, genesis)
            assert commitment.root().hex() == document["pre"]["app_hash"]
        block = block_of(entry.get("block", entry))
        outcome = apply_block(CONSORTIUM, state, commitment, block)
        assert outcome.app_hash.hex() == entry.get("post", entry)["app_hash"]


def block_of(entry: dict[str, Any]) -> Block:
    batches = tuple(bytes.fromhex(batch) for batch in entry["batches"])
    found = tuple(Misbehaviour(**item | {"address": bytes.fromhex(item["address"])}) for item in entry["misbehaviour"])
    said = entry["last_commit"]
    commit = said and LastCommit(said["round"], tuple(bytes.fromhex(address) for address in said["absent"]))
    return Block(entry["height"], entry["time_ms"], bytes.fromhex(entry["proposer"]), batches, found, commit)


def test_the_story_uses_what_a_market_does() -> None:
    document = golden("blocks.json")
    codes = {batch for entry in document["blocks"] for batch in entry["batch_codes"]}
    assert codes == {KernelCode.OK, KernelCode.BATCH_TRANSACTION_INVALID}
    assert any(entry["misbehaviour"] for entry in document["blocks"])
    assert any(entry["last_commit"] for entry in document["blocks"])
    assert any(entry["validator_updates"] for entry in document["blocks"])
    assert sum(len(entry["trades"]) for entry in document["blocks"]) >= 3
    assert any(entry["summary"]["settled_wh"] for entry in document["blocks"])
    assert encode(document["export_hash"])
    assert Path(FOLDER / "README.md").is_file()
