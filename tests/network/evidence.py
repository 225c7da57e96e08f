"""Two votes of one validator for one height: made with its key, and shown to a node as any peer could show them."""

import base64
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from ed25519_zebra import ed_sign

from gridtokenx.engine.comet.answers import Answer
from gridtokenx.engine.comet.headers import BlockId, Commit, LightBlock, Vote, VoteFlag, vote_bytes
from gridtokenx.engine.comet.keys import NodeKeys, address_of_key
from gridtokenx.engine.comet.rpc import CometRpc

PRECOMMIT = 2
SECOND_NS = 1_000_000_000


class EvidenceAnswer(Answer):
    """CometBFT's `/broadcast_evidence`."""

    hash: str


def duplicate_votes(block: LightBlock, keys: NodeKeys) -> dict[str, Any]:
    """What CometBFT calls DuplicateVoteEvidence: precommits for two blocks that there never were, at the height of a
    block that there is."""
    address = address_of_key(keys.validator_key)
    members = block.validators.members
    place = [member.address for member in members].index(address)
    blocks = sorted(
        (BlockId(sha256(name).digest(), 1, sha256(name).digest()) for name in (b"one", b"another")), key=_key
    )
    votes = [_vote(block, one, place, keys) for one in blocks]
    return {
        "type": "tendermint/DuplicateVoteEvidence",
        "value": {
            "vote_a": votes[0],
            "vote_b": votes[1],
            "TotalVotingPower": str(block.validators.power),
            "ValidatorPower": str(members[place].power),
            "Timestamp": _time(block.header.time_ns),
        },
    }


async def broadcast(rpc: CometRpc, evidence: dict[str, Any]) -> None:
    """Show it to a node. Raises RpcRefused if that does not believe it."""
    await rpc._ask("broadcast_evidence", {"evidence": evidence}, EvidenceAnswer)


def _vote(block: LightBlock, voted: BlockId, place: int, keys: NodeKeys) -> dict[str, Any]:
    address, time_ns = address_of_key(keys.validator_key), block.header.time_ns
    commit = Commit(block.height, 0, voted, ())
    signed = vote_bytes(block.header.chain, commit, Vote(VoteFlag.COMMIT, address, time_ns, b""))
    signature = bytes(ed_sign(keys.validator_seed, signed))
    return {
        "type": PRECOMMIT,
        "height": str(block.height),
        "round": 0,
        "block_id": {
            "hash": voted.hash.hex().upper(),
            "parts": {"total": voted.parts, "hash": voted.parts_hash.hex().upper()},
        },
        "timestamp": _time(time_ns),
        "validator_address": address.hex().upper(),
        "validator_index": place,
        "signature": base64.b64encode(signature).decode(),
        "extension": None,
        "extension_signature": None,
    }


def _key(block: BlockId) -> bytes:
    return block.hash


def _time(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, SECOND_NS)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest_ns:09d}Z"
