"""The guard against signing twice: of one key on one chain.

It is all that keeps a validator from two votes for one place, whoever asks, in whatever order, however the signer ends:
what was signed last is on the disk before the signature leaves. A signature of which nobody heard is found there again.

    guard/PUBLIC_KEY.json   two lines, each with chain, key, place, what was signed, signature, and the hash of all that

The lines are as long as a block of the disk and are written in turn, in place: one wait for the disk a vote, and none
for what other programs have it write. The later place counts. A line that does not fit its hash is damage, whatever
made it: then nobody knows what was signed last, and the signer says so instead of going back a step.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.folder import FolderUnusable, sync_folder, write_durably
from gridtokenx.signer.sign_bytes import (
    HEIGHT_MAX,
    NOWHERE,
    ROUND_MAX,
    STEP_OF_KIND,
    Place,
    differ_in_time_only,
    read_canonical,
)

FORM: Final = 2

LINE_BYTES: Final = 4_096
"""A block of the disk. A line has a quarter of it to say."""

Sign = Callable[[bytes], bytes]

Hexadecimal = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]


class WouldSignTwice(Exception):
    """Refused: the validator has signed something else here, or has come further. Says what."""


class GuardBroken(Exception):
    """What was signed could not be written down: nothing is signed any more before the signer is started again."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed at a place. Without bytes: everything up to this place is refused, whatever it is."""

    place: Place = NOWHERE
    sign_bytes: bytes = b""
    signature: bytes = b""


def nothing_up_to(height: int) -> Signed:
    """Of a key that may have signed anything up to this height."""
    return Signed(Place(height, ROUND_MAX, 3)) if height else Signed()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    form: int
    chain: str
    public_key: Hexadecimal
    height: Annotated[int, msgspec.Meta(ge=0, le=HEIGHT_MAX)]
    round: Annotated[int, msgspec.Meta(ge=0, le=ROUND_MAX)]
    step: Annotated[int, msgspec.Meta(ge=0, le=3)]
    sign_bytes: Hexadecimal
    signature: Hexadecimal
    sha256: Hexadecimal


class Guard:
    """Of one key. To be called by one thread; its folder is locked by the caller."""

    def __init__(self, file: Path, chain: str, public_key: bytes) -> None:
        """Go on with what was signed last. Raises `FolderUnusable` if the file is missing, damaged, or of another key
        or chain: then the signer must not guess."""
        self._file = file
        self._chain = chain
        self._public_key = public_key
        self._broken = ""
        first, second = _read_lines(file, chain, public_key)
        self.last, self._next_line = (second, 0) if first.place < second.place else (first, 1)

    def sign(self, place: Place, sign_bytes: bytes, sign: Sign) -> Signed:
        """A signature for this place: a new one, which is on the disk when this returns; or the one that was made for
        these bytes; or, if the bytes differ from those in their timestamp alone, the one that was made, with the bytes
        that it is for.

        Raises `WouldSignTwice`, `GuardBroken`, and whatever `sign` raises; after these nothing has changed.
        """
        if self._broken:
            raise GuardBroken(self._broken)
        last = self.last
        if place < last.place:
            raise WouldSignTwice(f"{place} is behind what was signed last: {last.place}")
        if place == last.place:
            self._check_same(place, sign_bytes)
            return last
        signed = Signed(place, sign_bytes, sign(sign_bytes))
        reached("signer.signed")
        try:
            _write_line(self._file, self._next_line, _line(self._chain, self._public_key, signed))
        except OSError as error:
            # The disk may hold the old state or the new one: both are right as long as this signature does not leave.
            self._broken = f"{self._file} could not be written, start the signer again when this is mended: {error}"
            raise GuardBroken(self._broken) from error
        self.last, self._next_line = signed, 1 - self._next_line
        return signed

    def _check_same(self, place: Place, sign_bytes: bytes) -> None:
        before = self.last.sign_bytes
        if not before:
            raise WouldSignTwice(f"{place}: everything up to there is refused, since what was signed is not known")
        if before != sign_bytes and not differ_in_time_only(
            read_canonical(place.step, before), read_canonical(place.step, sign_bytes)
        ):
            raise WouldSignTwice(f"{place}: something else was signed there")


def read_guard(file: Path, chain: str, public_key: bytes) -> Signed:
    """What a key has signed last. Raises `FolderUnusable`. Not to be asked while a signer runs: it may be writing."""
    return max(_read_lines(file, chain, public_key), key=lambda signed: signed.place)


def _read_lines(file: Path, chain: str, public_key: bytes) -> tuple[Signed, Signed]:
    mend = (
        f"Restore nothing from a backup. Stop the nodes, look at which height the chain is, and then `gridtokenx "
        f"signer recover --above HEIGHT` with a greater one: the key {public_key.hex()} signs nothing up to there"
    )
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise FolderUnusable(f"{file} is missing: nobody knows what this key has signed. {mend}") from None
    try:
        if len(content) != 2 * LINE_BYTES:
            raise ValueError(f"it has {len(content)} bytes, not {2 * LINE_BYTES}")
        first, second = (_read_line(content[start : start + LINE_BYTES]) for start in (0, LINE_BYTES))
    except ValueError as error:
        raise FolderUnusable(f"{file} is damaged ({error}): what this key has signed is not known. {mend}") from None
    for state in (first[0], second[0]):
        if state.chain != chain or state.public_key != public_key.hex():
            raise FolderUnusable(
                f"{file} is of the key {state.public_key} on the chain '{state.chain}', not of {public_key.hex()} on "
                f"'{chain}': put it back where it belongs. A key signs for one chain"
            )
    return first[1], second[1]


def _read_line(line: bytes) -> tuple[_File, Signed]:
    """Raises ValueError."""
    state = msgspec.json.decode(line, type=_File)
    signed = Signed(
        Place(state.height, state.round, state.step), bytes.fromhex(state.sign_bytes), bytes.fromhex(state.signature)
    )
    if state.form != FORM or state.sha256 != _checksum(state.chain, state.public_key, signed):
        raise ValueError("its content does not fit its own hash")
    check_signed(state.chain, signed)
    return state, signed


def check_signed(chain: str, signed: Signed) -> None:
    """Raises ValueError unless what was signed is of this chain and for its place, and has a signature."""
    if bool(signed.sign_bytes) != bool(signed.signature):
        raise ValueError("a signature of nothing, or something without its signature")
    if not signed.sign_bytes:
        return
    said, place = read_canonical(signed.place.step, signed.sign_bytes), signed.place
    if (said.height, said.round, STEP_OF_KIND.get(said.type)) != (place.height, place.round, place.step):
        raise ValueError(f"what was signed is not for {place}")
    if said.chain_id != chain:
        raise ValueError(f"what was signed is of the chain '{said.chain_id}', not of '{chain}'")


def write_guard(file: Path, chain: str, public_key: bytes, signed: Signed) -> None:
    """Make the file anew: whole, or not at all, and on the disk when this returns. Raises OSError."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    write_durably(draft, 2 * _line(chain, public_key, signed))
    draft.replace(file)
    sync_folder(file.parent)


def _line(chain: str, public_key: bytes, signed: Signed) -> bytes:
    place = signed.place
    document = {
        "form": FORM,
        "chain": chain,
        "public_key": public_key.hex(),
        "height": place.height,
        "round": place.round,
        "step": place.step,
        "sign_bytes": signed.sign_bytes.hex(),
        "signature": signed.signature.hex(),
        "sha256": _checksum(chain, public_key.hex(), signed),
    }
    line = json.dumps(document).encode().ljust(LINE_BYTES - 1) + b"\n"
    assert len(line) == LINE_BYTES, "what is signed is bounded"
    return line


def _write_line(file: Path, number: int, line: bytes) -> None:
    """In place, and on the disk when this returns. Raises OSError."""
    descriptor = os.open(file, os.O_WRONLY)
    try:
        if os.pwrite(descriptor, line, number * LINE_BYTES) != len(line):
            raise OSError(f"{file} could not be written whole")
        reached("signer.state_written")
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    reached("signer.state_synced")


def _checksum(chain: str, public_key: str, signed: Signed) -> str:
    place = signed.place
    said = [chain, public_key, place.height, place.round, place.step, signed.sign_bytes.hex(), signed.signature.hex()]
    return sha256(json.dumps(said).encode()).hexdigest()
