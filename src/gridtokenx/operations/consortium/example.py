"""Plays all organisations of a shipped consortium: each makes its keys, describes itself, and signs.

DIR/terms.toml               the terms, as everybody has them
DIR/egat/organisation.toml   its signed file: what goes to the others
DIR/egat/keys/               its officers' keys, not encrypted: whoever has the folder can sign as they
DIR/egat/documents/          the papers whose hashes it names
DIR/egat/node/               its node, as `gridtokenx node init` makes it
"""

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX
from gridtokenx.operations.consortium import organisation, terms
from gridtokenx.operations.consortium.node_keys import node_keys
from gridtokenx.operations.consortium.organisation import FORMAT, Description, Organisation, documents_of
from gridtokenx.operations.consortium.terms import CeremonyTerms, parse_terms, read_terms, terms_document
from gridtokenx.operations.network.node_folder import create_node

ORGANISATIONS: Final = "organisations.toml"
KEYS, NODE, DOCUMENTS = "keys", "node", "documents"
PORT: Final = 26_656


class ExampleUnusable(Exception):
    """There is no such example, or not such a member. Says what there is."""


class Sketch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation without keys. `officers`: how many keys its account has."""

    legal_name: str
    legal_name_th: str
    tax_id: str
    group: str
    tier: str
    zone: str
    officers: Annotated[int, msgspec.Meta(ge=1, le=KEYS_PER_ACCOUNT_MAX)]
    threshold: int


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    organisation: dict[str, Sketch]


def read_sketches(folder: Path) -> dict[str, Sketch]:
    """The organisations of a shipped consortium, by name. Raises `ExampleUnusable`."""
    file = folder / ORGANISATIONS
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File).organisation
    except (OSError, ValueError) as error:
        raise ExampleUnusable(f"{file} describes no organisations: {error}") from None


def play(
    source: Path, target: Path, chain: str, only: Sequence[str] = (), changes: Mapping[str, Any] = MappingProxyType({})
) -> list[Path]:
    """Make the folders of all organisations (or of `only` these), each with its own keys; returns their signed files.

    `changes`: of the terms, such as another time for block 0. Raises `ExampleUnusable`, `TermsUnusable`, and
    `FolderUnusable` if there is something in the folder. Stopped at any moment, it leaves nothing at `target`.
    """
    sketches = read_sketches(source)
    if unknown := sorted(set(only) - set(sketches)):
        raise ExampleUnusable(f"there is no {unknown[0]} in {source.name}: it has {', '.join(sketches)}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FolderUnusable(f"there is something in {target} already: choose another folder")
    agreed = parse_terms(read_terms(source / terms.FILE))
    chosen = list(dict.fromkeys(only)) or list(sketches)
    if len(chosen) < len(sketches):
        agreed = _cut(agreed, chosen)
    agreed = msgspec.structs.replace(agreed, **changes)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    (draft / terms.FILE).write_bytes(terms_document(agreed))
    for name in chosen:
        _play_one(draft / name, name, sketches[name], chain, agreed)
    if target.exists():
        target.rmdir()
    draft.rename(target)
    return [target / name / organisation.FILE for name in chosen]


def files_in(folder: Path) -> list[Path]:
    """The signed files of organisations whose folders are side by side in this one, in the order of names."""
    return sorted(folder.glob(f"*/{organisation.FILE}"))


def _play_one(folder: Path, name: str, sketch: Sketch, chain: str, agreed: CeremonyTerms) -> None:
    card = create_node(folder / NODE, name, f"{name}.gridtokenx.example:{PORT}")
    paper = folder / DOCUMENTS / "licence.txt"
    paper.parent.mkdir()
    paper.write_text(f"PLACEHOLDER for the licence of {sketch.legal_name}.\n", encoding="utf-8")
    keystore = Keystore(folder / KEYS)
    officers = {f"officer-{number}": PrivateKey.generate() for number in range(1, sketch.officers + 1)}
    for officer, key in officers.items():
        keystore.add_development_key(officer, key)
    description = Description(
        format=FORMAT,
        chain=chain,
        legal_name=sketch.legal_name,
        legal_name_th=sketch.legal_name_th,
        tax_id=sketch.tax_id,
        group=sketch.group,
        tier=sketch.tier,
        zone=sketch.zone,
        stake_watt=agreed.stake_watt,
        threshold=sketch.threshold,
        keys=tuple(sorted(key.public_key.hex() for key in officers.values())),
        documents=documents_of([paper]),
        node=card,
    )
    signers = [*list(officers.values())[: sketch.threshold], *node_keys(folder / NODE)]
    signed = Organisation(description, {}).signed_with(signers)
    (folder / organisation.FILE).write_bytes(signed.toml())


def _cut(agreed: CeremonyTerms, chosen: Sequence[str]) -> CeremonyTerms:
    """Terms for fewer organisations: seats may stay empty, and the first one holds the offices of who is not there."""

    def held(names: dict[str, str]) -> dict[str, str]:
        return {what: name if name in chosen else chosen[0] for what, name in names.items()}

    return msgspec.structs.replace(
        agreed,
        fewer_seats=True,
        tiers_min={},
        offices=held(agreed.offices),
        distributors=held(agreed.distributors),
    )
