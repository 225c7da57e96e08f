"""The guard, against a model that knows nothing of how it works: never two things signed for one place."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.signer.requests import block, proposal, vote

from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.signer import guard as guard_module
from gridtokenx.signer.guard import LINE_BYTES, Guard, GuardBroken, Signed, WouldSignTwice, nothing_up_to, write_guard
from gridtokenx.signer.sign_bytes import (
    PRECOMMIT,
    PREVOTE,
    Place,
    proposal_bytes,
    proposal_place,
    vote_bytes,
    vote_place,
)

CHAIN = "a-chain"
KEY = bytes(range(32))
KINDS = ("proposal", PREVOTE, PRECOMMIT)
BLOCKS = (None, block("one"), block("two"))


def request(kind: object, height: int, round_: int, what: int, time_ns: int) -> tuple[Place, bytes]:
    """Place and sign bytes; a proposal for no block is one for the first."""
    if kind == "proposal":
        asked = proposal(height, round_, BLOCKS[what or 1], time_ns)
        return proposal_place(asked), proposal_bytes(CHAIN, asked)
    voted = vote(height, round_, kind, BLOCKS[what], time_ns)
    return vote_place(voted), vote_bytes(CHAIN, voted)


class Killed(BaseException):
    """The process is gone."""


class Machine(RuleBasedStateMachine):
    """Requests in any order; kills between signature and file, between file and answer; starts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(os.environ["GUARD_TEST_FOLDER"])
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.file = self.folder / "guard.json"
        self.made = 0
        # The model: what left the signer, by place; and what was asked where, without its time.
        self.left: dict[tuple[int, int, int], set[tuple[bytes, bytes]]] = {}
        self.meant: dict[tuple[int, int, int], tuple[object, ...]] = {}
        self.furthest = (0, 0, 0)

    @initialize()
    def make(self) -> None:
        write_guard(self.file, CHAIN, KEY, Signed())
        self.guard = Guard(self.file, CHAIN, KEY)

    @rule()
    def start_again(self) -> None:
        self.guard = Guard(self.file, CHAIN, KEY)

    def sign(self, data: bytes) -> bytes:
        """Two signatures for one message differ here: an old one that is given out again is seen."""
        self.made += 1
        return b"%d of " % self.made + data

    @rule(
        kind=st.sampled_from(KINDS),
        height=st.integers(1, 3),
        round_=st.integers(0, 1),
        what=st.integers(0, 2),
        time_ns=st.integers(0, 2),
        killed_at=st.sampled_from([None, None, None, "signer.signed", "signer.state_written", "signer.state_synced"]),
    )
    def ask(self, kind, height, round_, what, time_ns, killed_at) -> None:
        place, wanted = request(kind, height, round_, what, time_ns)
        key = (place.height, place.round, place.step)
        meaning = (kind, (what or 1) if kind == "proposal" else what)

        def reached(point: str) -> None:
            if point == killed_at:
                raise Killed

        guard_module.reached, before = reached, guard_module.reached
        try:
            signed = self.guard.sign(place, wanted, self.sign)
        except WouldSignTwice:
            # Right only if the validator has come further, or meant something else here.
            assert key < self.furthest or self.meant[key] != meaning
            return
        except Killed:
            self.guard = Guard(self.file, CHAIN, KEY)
            if killed_at != "signer.signed":  # the file says so
                self.furthest, self.meant[key] = key, meaning
            return
        finally:
            guard_module.reached = before
        assert key >= self.furthest
        assert signed.signature.endswith(b" of " + signed.sign_bytes)
        self.furthest = key
        assert self.meant.setdefault(key, meaning) == meaning
        self.left.setdefault(key, set()).add((signed.sign_bytes, signed.signature))

    @invariant()
    def one_signature_for_each_place(self) -> None:
        assert all(len(signed) == 1 for signed in self.left.values())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUARD_TEST_FOLDER", str(tmp_path / "guard"))
    return tmp_path


TestTheGuard = Machine.TestCase
TestTheGuard.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def new_guard(folder: Path, signed: Signed | None = None) -> Guard:
    write_guard(folder / "guard.json", CHAIN, KEY, signed or Signed())
    return Guard(folder / "guard.json", CHAIN, KEY)


def signature(data: bytes) -> bytes:
    return b"signature of " + data


def test_only_the_time_differs(folder: Path) -> None:
    guard = new_guard(folder)
    first = guard.sign(*request(PREVOTE, 5, 0, 1, 10), signature)
    assert guard.sign(*request(PREVOTE, 5, 0, 1, 99), signature) == first
    with pytest.raises(WouldSignTwice, match="height 5, round 0, prevote: something else was signed there"):
        guard.sign(*request(PREVOTE, 5, 0, 2, 10), signature)
    with pytest.raises(WouldSignTwice, match="height 5, round 0, proposal is behind"):
        guard.sign(*request("proposal", 5, 0, 1, 10), signature)


def test_a_signature_of_a_key_that_failed_is_none(folder: Path) -> None:
    guard = new_guard(folder)

    def fails(data: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guard.sign(*request(PREVOTE, 5, 0, 1, 10), fails)
    assert guard.sign(*request(PREVOTE, 5, 0, 2, 10), signature).place == Place(5, 0, 2)


def test_a_disk_that_does_not_take_it_ends_all_signing(folder: Path) -> None:
    guard = new_guard(folder)
    (folder / "guard.json").rename(folder / "elsewhere")
    for _ in range(2):
        with pytest.raises(GuardBroken, match="could not be written, start the signer again"):
            guard.sign(*request(PREVOTE, 5, 0, 1, 10), signature)
        if (folder / "elsewhere").exists():
            (folder / "elsewhere").rename(folder / "guard.json")
    assert Guard(folder / "guard.json", CHAIN, KEY).last == Signed()


def test_nothing_up_to_a_height(folder: Path) -> None:
    guard = new_guard(folder, nothing_up_to(100))
    for kind, round_ in ((PRECOMMIT, 0), ("proposal", 7), (PRECOMMIT, 2**31 - 1)):
        with pytest.raises(WouldSignTwice):
            guard.sign(*request(kind, 100, round_, 1, 0), signature)
    assert guard.sign(*request("proposal", 101, 0, 1, 0), signature).place.height == 101


def test_a_file_that_is_missing_damaged_or_of_another_is_refused(folder: Path) -> None:
    file = folder / "guard.json"
    with pytest.raises(FolderUnusable, match=r"is missing.*signer recover --above HEIGHT"):
        Guard(file, CHAIN, KEY)
    guard = new_guard(folder)
    guard.sign(*request(PREVOTE, 5, 0, 1, 10), signature)
    whole = file.read_bytes()
    for key, chain in ((bytes(32), CHAIN), (KEY, "another-chain")):
        with pytest.raises(FolderUnusable, match="put it back where it belongs"):
            Guard(file, chain, key)
    damages = [
        b"",
        b"{}",
        whole[:-5],
        whole.replace(b'"height": 5', b'"height": 4'),
        whole.replace(b'"form": 2', b'"form": 3'),
        whole[:LINE_BYTES],
        whole[:LINE_BYTES] + bytes(LINE_BYTES),
        bytes(LINE_BYTES) + whole[LINE_BYTES:],
    ]
    for damaged in damages:
        assert damaged != whole
        file.write_bytes(damaged)
        with pytest.raises(FolderUnusable, match=r"is damaged.*signer recover --above HEIGHT"):
            Guard(file, CHAIN, KEY)
    file.write_bytes(whole)
    assert Guard(file, CHAIN, KEY).last.place == Place(5, 0, 2)


def test_every_changed_byte_is_noticed(folder: Path) -> None:
    new_guard(folder).sign(*request(PREVOTE, 5, 0, 1, 10), signature)
    file = folder / "guard.json"
    whole = file.read_bytes()
    last = Guard(file, CHAIN, KEY).last
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            assert Guard(file, CHAIN, KEY).last == last  # a space, say
        except FolderUnusable:
            continue
