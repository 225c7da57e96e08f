"""What is signed, byte for byte as CometBFT has it."""

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.signer.requests import BLOCK, proposal, vote

from gridtokenx.engine.comet import headers
from gridtokenx.engine.comet.privval_pb2 import BlockID, Proposal, Vote
from gridtokenx.signer.sign_bytes import (
    PRECOMMIT,
    PREVOTE,
    PROPOSAL_STEP,
    Place,
    RequestInvalid,
    differ_in_time_only,
    extension_bytes,
    proposal_bytes,
    proposal_place,
    read_canonical,
    vote_bytes,
    vote_place,
)

ZERO_TIME = {"seconds": -62_135_596_800}
"""Go's time that was never set, as CometBFT sends it."""
TIME = "2a0b088092b8c398feffffff01"
AT_ONE = "110100000000000000190100000000000000"
"""Height 1, round 1."""
CHAIN = "320d746573745f636861696e5f6964"


@pytest.mark.parametrize(
    ("chain", "fields", "expected"),
    [
        ("", {}, "0d" + TIME),
        ("", {"height": 1, "round": 1, "type": PRECOMMIT}, "21" + "0802" + AT_ONE + TIME),
        ("", {"height": 1, "round": 1, "type": PREVOTE}, "21" + "0801" + AT_ONE + TIME),
        ("", {"height": 1, "round": 1}, "1f" + AT_ONE + TIME),
        ("test_chain_id", {"height": 1, "round": 1}, "2e" + AT_ONE + TIME + CHAIN),
        ("test_chain_id", {"height": 1, "round": 1, "extension": b"extension"}, "2e" + AT_ONE + TIME + CHAIN),
    ],
)
def test_votes_of_cometbft(chain: str, fields: dict[str, object], expected: str) -> None:
    """The vectors that CometBFT itself is tested with (types/vote_test.go)."""
    asked = Vote(timestamp=ZERO_TIME, block_id={"part_set_header": {}}, **fields)
    assert vote_bytes(chain, asked).hex() == expected


def test_a_vote_for_a_block() -> None:
    """The same as the light client works out for a commit, which real chains have proved."""
    block = BlockID(hash=sha256(b"block").digest(), part_set_header={"total": 3, "hash": sha256(b"parts").digest()})
    asked = vote(12_345, 2, PRECOMMIT, block, time_ns=1_514_170_801_234_000_000)
    commit_block = headers.BlockId(block.hash, 3, block.part_set_header.hash)
    commit = headers.Commit(12_345, 2, commit_block, ())
    for flag, one in ((headers.VoteFlag.COMMIT, asked), (headers.VoteFlag.NIL, vote(12_345, 2, PRECOMMIT, None, 7))):
        time_ns = one.timestamp.seconds * 10**9 + one.timestamp.nanos
        in_commit = headers.Vote(flag, b"", time_ns, b"")
        assert vote_bytes("test_chain_id", one) == headers.vote_bytes("test_chain_id", commit, in_commit)


def test_a_proposal() -> None:
    """Written out by hand: type 32, fixed lengths, a locked round of -1 in ten bytes, the whole block id."""
    name = b"--June_15_2020_amino_was_removed"
    block = BlockID(hash=name, part_set_header={"total": 111, "hash": name})
    asked = proposal(12_345, 23_456, block, time_ns=1_518_332_962_765_000_000, locked=-1)
    content = (
        bytes.fromhex("082011393000000000000019a05b00000000000020ffffffffffffffffff01")
        + bytes.fromhex("2a480a20") + name + bytes.fromhex("1224086f1220") + name
        + bytes.fromhex("320c08a2d8ffd30510c0f2e3ec02")
        + b"\x3a\x0dtest_chain_id"
    )  # fmt: skip
    assert proposal_bytes("test_chain_id", asked) == b"\x86\x01" + content


def test_an_extension_is_signed_also_if_it_is_empty() -> None:
    assert extension_bytes("test_chain_id", Vote(height=1, round=1)).hex() == "21" + AT_ONE + "22" + CHAIN[2:]
    with_content = extension_bytes("test_chain_id", Vote(height=1, round=1, extension=b"extension"))
    assert with_content.hex() == "2c" + "0a09" + b"extension".hex() + AT_ONE + "22" + CHAIN[2:]


@given(
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**31 - 1),
    st.sampled_from([PREVOTE, PRECOMMIT]),
    st.sampled_from([BLOCK, None]),
    st.integers(-(2**61), 2**61),
    st.text("abcdefghij-", max_size=50),
)
def test_what_was_signed_can_be_read_again(height, round_, kind, block, time_ns, chain) -> None:
    asked = vote(height, round_, kind, block, time_ns)
    said = read_canonical(vote_place(asked).step, vote_bytes(chain, asked))
    assert (said.height, said.round, said.type, said.chain_id) == (height, round_, kind, chain)
    assert said.timestamp == asked.timestamp
    later = read_canonical(2, vote_bytes(chain, vote(height, round_, kind, block, time_ns + 1)))
    other = read_canonical(2, vote_bytes(chain, vote(height, round_, kind, None if block else BLOCK, time_ns)))
    assert differ_in_time_only(said, later) and differ_in_time_only(said, said)
    assert not differ_in_time_only(said, other)


def test_steps_follow_each_other() -> None:
    steps = [proposal_place(proposal(5, 1)), vote_place(vote(5, 1, PREVOTE)), vote_place(vote(5, 1, PRECOMMIT))]
    assert steps == sorted(steps) == [Place(5, 1, PROPOSAL_STEP), Place(5, 1, 2), Place(5, 1, 3)]
    assert steps[-1] < Place(5, 2, 1) < Place(6, 0, 1)


HALF = BlockID(hash=sha256(b"block").digest(), part_set_header={})


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (vote(5, 0, 32), "of the type 32"),
        (vote(0, 0, PREVOTE), "heights begin with 1"),
        (vote(5, -1, PREVOTE), "rounds with 0"),
        (vote(5, 0, PREVOTE, HALF), "names no block"),
        (vote(5, 0, PREVOTE, extension=b"x"), "only the precommit for a block"),
        (vote(5, 0, PRECOMMIT, None, extension=b"x"), "only the precommit for a block"),
        (vote(5, 0, PRECOMMIT, extension=bytes(2**20 + 1)), "there may be 1048576"),
        (proposal(5, 0, HALF), "names no block"),
        (proposal(5, 0, None), "names no block"),
        (proposal(5, 1, locked=1), "locked in round 1"),
        (proposal(5, 1, locked=-2), "locked in round -2"),
        (Proposal(type=1, height=5), "it is 32"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Vote | Proposal, why: str) -> None:
    with pytest.raises(RequestInvalid, match=re.escape(why)):
        vote_place(asked) if isinstance(asked, Vote) else proposal_place(asked)


@pytest.mark.parametrize("damaged", [b"", b"\x05", b"\x02\x08", b"\x01\xff", b"\xff\xff\xff"])
def test_bytes_that_are_none_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="no sign bytes"):
        read_canonical(2, damaged)
