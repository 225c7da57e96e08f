"""Signing by several people: a file from hand to hand, and everything a dishonest hand might do to it."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.world import CHAIN, Founding, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.client.ceremony import Proposal, merge_all, propose
from gridtokenx.client.errors import ClientError, SigningError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import KeyList
from gridtokenx.ledger.transaction import check_transaction
from gridtokenx.modules.tokens.messages import AttestReserves, Mint

BANK = [PrivateKey(bytes([number]) * 32) for number in (1, 2, 3)]
KEYS = KeyList.of([key.public_key for key in BANK], 2)
MINT = Mint(b"\x07" * 32, 5_000_000, b"r" * 16)
EXPIRES_MS = 1_780_300_000_000


@pytest.fixture
def proposal() -> Proposal:
    return propose("chain", KEYS.hash(), 1, EXPIRES_MS, [MINT], KEYS)


@pytest.mark.parametrize("pair", list(itertools.permutations(BANK, 2)))
def test_any_two_of_three_in_any_order_one_after_the_other(
    proposal: Proposal, tmp_path: Path, pair: tuple[PrivateKey, PrivateKey]
) -> None:
    path = tmp_path / "mint.json"
    proposal.write(path)
    for key in pair:
        Proposal.read(path).sign(key).write(path)
    finished = Proposal.read(path)
    assert finished.missing == 0
    signed = finished.transaction()
    assert check_transaction(signed.wire, CONSORTIUM.body) == 2
    assert (signed.nonce, signed.expires_ms, signed.sender) == (1, EXPIRES_MS, KEYS.hash())


def test_copies_that_were_signed_in_parallel_are_merged(proposal: Proposal) -> None:
    copies = [proposal.sign(key) for key in BANK]
    merged = merge_all(copies)
    assert merged.missing == 0 and len(merged.signatures) == 3
    assert check_transaction(merged.transaction().wire, CONSORTIUM.body) == 2


def test_signing_twice_is_signing_once(proposal: Proposal) -> None:
    twice = proposal.sign(BANK[0]).sign(BANK[0])
    assert twice.missing == 1
    with pytest.raises(SigningError, match="1 of 2 signatures"):
        twice.transaction()


def test_the_signer_sees_what_the_bytes_say(proposal: Proposal) -> None:
    shown = proposal.sign(BANK[1]).describe()
    assert shown["messages"] == [
        {"type": "Mint", "recipient": "07" * 32, "amount_micro": 5_000_000, "reference": "72" * 16}
    ]
    assert (shown["chain"], shown["sender"], shown["nonce"]) == ("chain", KEYS.hash().hex(), 1)
    assert (shown["send_from_ms"], shown["expires_ms"]) == (EXPIRES_MS - 600_000, EXPIRES_MS)
    assert shown["signed_by"] == [BANK[1].public_key.hex()] and shown["signatures_missing"] == 1


def test_a_stranger_cannot_sign(proposal: Proposal) -> None:
    with pytest.raises(SigningError, match="none of the account's"):
        proposal.sign(PrivateKey(b"\x09" * 32))


def test_two_different_transactions_are_not_merged(proposal: Proposal) -> None:
    other = propose("chain", KEYS.hash(), 2, EXPIRES_MS, [MINT], KEYS)
    with pytest.raises(SigningError, match="two different transactions"):
        proposal.sign(BANK[0]).merge(other.sign(BANK[1]))
    with pytest.raises(ClientError):
        merge_all([])


def changed(proposal: Proposal, **changes: Any) -> str:
    return json.dumps(json.loads(proposal.to_json()) | changes)


def test_a_body_that_was_swapped_under_a_signature_is_found(proposal: Proposal) -> None:
    richer = propose("chain", KEYS.hash(), 1, EXPIRES_MS, [Mint(b"\x66" * 32, 10**12, b"r" * 16)], KEYS)
    forged = changed(proposal.sign(BANK[0]), body=richer.body.hex())
    with pytest.raises(SigningError, match="is false"):
        Proposal.from_json(forged)


def test_every_flipped_bit_of_a_signature_is_found(proposal: Proposal) -> None:
    signed = json.loads(proposal.sign(BANK[0]).to_json())
    ((key, signature),) = signed["signatures"].items()
    for position in range(64):
        damaged = bytearray(bytes.fromhex(signature))
        damaged[position] ^= 1
        with pytest.raises(SigningError):
            Proposal.from_json(changed(proposal, signatures={key: damaged.hex()}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 60_000,
        "x" * 100_000,
        '{"format": "gridtokenx-proposal-1"}',
    ],
)
def test_what_is_no_proposal(text: str) -> None:
    with pytest.raises(SigningError):
        Proposal.from_json(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "gridtokenx-proposal-2"},
        {"body": "00"},
        {"body": "xyz"},
        {"threshold": 0},
        {"threshold": 4},
        {"algorithm": 1},
        {"keys": []},
        {"keys": [key.public_key.hex() for key in sorted(BANK, key=lambda key: key.public_key, reverse=True)]},
        {"keys": ["zz"]},
        {"signatures": {"00" * 32: "00" * 64}},
        {"signatures": {BANK[0].public_key.hex(): "00"}},
        {"more": 1},
    ],
)
def test_every_field_is_checked(proposal: Proposal, changes: dict[str, Any]) -> None:
    with pytest.raises(SigningError):
        Proposal.from_json(changed(proposal, **changes))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="cannot be read"):
        Proposal.read(tmp_path / "nothing.json")


def test_the_bank_mints_by_a_ceremony(tmp_path: Path) -> None:
    """K8, C1: two of the bank's three sign on machines of their own; the ledger mints."""
    community = Founding()
    community.add_home("ann")
    world = community.start()
    world.block()
    assert world.do("attester", AttestReserves(10**12, world.time_ms)).code == 0
    bank = signer("bank", 2, 3)
    before = world.account("ann").balance_micro
    mint = Mint(world.accounts["ann"], 5, b"r" * 16)
    proposal = propose(CHAIN, world.accounts["bank"], 1, world.time_ms + 300_000, [mint], KeyList(bank.keys, 2))
    path = tmp_path / "mint.json"
    proposal.write(path)
    for secret in bank.secrets[1:]:
        Proposal.read(path).sign(PrivateKey(secret[:32])).write(path)
    (receipt,) = world.run(Proposal.read(path).transaction().wire)
    assert receipt.code == 0
    assert world.account("ann").balance_micro == before + 5
