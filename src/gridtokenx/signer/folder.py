"""The signer's folder.

signer.toml            the chain, the key, and the one before it after a rotation
next.toml              the key that comes next, if one is staged
keys/PUBLIC_KEY.json   keys in files, as CometBFT has them
guard/PUBLIC_KEY.json  what each key has signed last (`guard`); never to be restored from a backup
run/                   the socket at which the running signer answers its operator
lock                   held by the running signer: a second one is refused
"""

import base64
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Final, TypeVar

import msgspec

from gridtokenx.engine.comet.home import CHAIN_CHARACTERS_MAX
from gridtokenx.engine.comet.keys import load_seed, public_key, validator_key_file
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.engine.folder import (
    SEED_BYTES,
    DataFolder,
    FolderLock,
    FolderUnusable,
    sync_folder,
    write_durably,
)
from gridtokenx.signer.guard import Signed, check_signed, read_guard, write_guard
from gridtokenx.signer.keys import KeyPlace, generate_in_hardware, open_key
from gridtokenx.signer.sign_bytes import HEIGHT_MAX, ROUND_MAX, Place

COMMENT: Final = "Written by `gridtokenx signer`."

T = TypeVar("T")


class SignerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `signer.toml` says. `old_key` signs what was begun with it, until the present one has signed."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=CHAIN_CHARACTERS_MAX)]
    key: KeyPlace
    old_key: KeyPlace | None = None


class _Next(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: KeyPlace


@dataclass(frozen=True, slots=True)
class SignerFolder:
    """Paths of one signer."""

    path: Path

    @property
    def config(self) -> Path:
        """Chain and keys."""
        return self.path / "signer.toml"

    @property
    def next(self) -> Path:
        """The staged key."""
        return self.path / "next.toml"

    @property
    def socket(self) -> Path:
        """Where the running signer answers its operator."""
        return self.path / "run" / "signer.sock"

    def guard(self, key: str) -> Path:
        """What the key of these hex digits has signed last."""
        return self.path / "guard" / f"{key}.json"

    def lock(self) -> FolderLock:
        """For as long as it is held nobody else signs from this folder. Raises `FolderUnusable`."""
        self.read()
        return FolderLock(DataFolder(self.path), "signer")

    def read(self) -> SignerConfig:
        """Raises `FolderUnusable`."""
        if not self.config.is_file():
            raise FolderUnusable(f"there is no signer in {self.path}: `gridtokenx signer init` makes one")
        return _read(self.config, SignerConfig)

    def read_next(self) -> KeyPlace | None:
        """The staged key. Raises `FolderUnusable` for a file that says none."""
        return _read(self.next, _Next).key if self.next.exists() else None

    def write(self, config: SignerConfig) -> None:
        """Replace chain and keys, whole or not at all."""
        tables = {"": {"chain": config.chain}, "key": _said(config.key)}
        if config.old_key is not None:
            tables["old_key"] = _said(config.old_key)
        _replace(self.config, toml_document(tables, COMMENT))

    def write_next(self, place: KeyPlace) -> None:
        """Stage a key."""
        _replace(self.next, toml_document({"key": _said(place)}, COMMENT))


def create_signer(path: Path, chain: str, place: KeyPlace, signed: Signed, *, generate: bool) -> str:
    """Make a signer for this key, which has signed so far at most what `signed` says; returns the public key's hex
    digits. With `generate` the key is made first. Raises `FolderUnusable`, also if there is something in the folder.
    Stopped at any moment, it leaves nothing at `path`."""
    if not 0 < len(chain) <= CHAIN_CHARACTERS_MAX:
        raise FolderUnusable(f"chain '{chain}': a chain has 1 to {CHAIN_CHARACTERS_MAX} characters in its name")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FolderUnusable(f"there is something in {path} already: choose another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = SignerFolder(path.with_name(f".{path.name}.draft"))
    shutil.rmtree(draft.path, ignore_errors=True)
    draft.path.mkdir(mode=0o700)
    for inner in ("keys", "guard", "run"):
        (draft.path / inner).mkdir(mode=0o700)
    taken = _take(draft, chain, place, signed, generate=generate)
    draft.write(SignerConfig(chain, taken))
    draft.path.rename(path)
    sync_folder(path.parent)
    return taken.public_key


def stage_key(folder: SignerFolder, place: KeyPlace, signed: Signed, *, generate: bool) -> str:
    """Let this key be the one that the signer changes to when it is told; returns its public key's hex digits. What it
    signed already under this signer stays known. Raises `FolderUnusable`."""
    config = folder.read()
    used = [used.public_key for used in (config.key, config.old_key) if used is not None]
    taken = _take(folder, config.chain, place, signed, used, generate=generate)
    if taken.public_key == config.key.public_key:
        raise FolderUnusable(f"{taken.public_key} is the present key already: stage another one")
    folder.write_next(taken)
    return taken.public_key


def read_comet_state(file: Path, chain: str) -> Signed:
    """What CometBFT's `priv_validator_state.json` says that a key has signed last. Raises `FolderUnusable`."""
    try:
        said = msgspec.json.decode(file.read_bytes(), type=_CometState)
        place = Place(int(said.height), said.round, said.step)
        sign_bytes, signature = bytes.fromhex(said.signbytes), base64.b64decode(said.signature, validate=True)
        signed = Signed(place, sign_bytes, signature)
        if place.height > HEIGHT_MAX:
            raise ValueError(f"there is no height {place.height}")
        check_signed(chain, signed)
    except (OSError, ValueError) as error:
        raise FolderUnusable(f"{file} does not say what a validator has signed last: {error}") from None
    return signed


class _CometState(msgspec.Struct):
    height: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$")]
    round: Annotated[int, msgspec.Meta(ge=0, le=ROUND_MAX)]
    step: Annotated[int, msgspec.Meta(ge=0, le=3)]
    signature: str = ""
    signbytes: str = ""


def _take(
    folder: SignerFolder, chain: str, place: KeyPlace, signed: Signed, used: Sequence[str] = (), *, generate: bool
) -> KeyPlace:
    """Make or find the key, and its guard unless there is one; keys that were used here must have theirs."""
    if place.kind == "file":
        place = _keep_file(folder, token_bytes(SEED_BYTES) if generate else load_seed(Path(place.file)))
    elif generate:
        generate_in_hardware(place)
    key = open_key(place, folder.path).public_key
    guard = folder.guard(key.hex())
    if key.hex() in used or guard.exists():
        read_guard(guard, chain, key)
    else:
        write_guard(guard, chain, key, signed)
    return msgspec.structs.replace(place, public_key=key.hex())


def _keep_file(folder: SignerFolder, seed: bytes) -> KeyPlace:
    file = Path("keys") / f"{public_key(seed).hex()}.json"
    if not (folder.path / file).exists():
        write_durably(folder.path / file, validator_key_file(seed))
        sync_folder(folder.path / "keys")
    return KeyPlace("file", file=str(file))


def _said(place: KeyPlace) -> dict[str, str]:
    return {name: value for name, value in msgspec.structs.asdict(place).items() if value}


def _read(file: Path, kind: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), kind)
    except (OSError, ValueError) as error:
        raise FolderUnusable(f"{file} is not what `gridtokenx signer` wrote: {error}") from None


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    write_durably(draft, content)
    draft.replace(file)
    sync_folder(file.parent)
