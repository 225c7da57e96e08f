"""An organisation's file: who it is, who its officers are, which node it runs; signed by officers and node.

A TOML file. What is signed is the description (everything but the signatures) as canonical JSON: UTF-8, keys in
alphabetical order, no spaces; a domain stands in front. So anybody can make the same bytes from the file:

    json.dumps({everything but "signatures"}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Officers sign with their account's keys, as many as the account asks for. The three keys of the node sign too: nobody
can enter a key that he does not have. No vote and no batch has such bytes: a vote begins with its length and the byte
08, a batch with another domain.
"""

import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gridtokenx.client.keys import PrivateKey
from gridtokenx.engine.comet.home import CHAIN_CHARACTERS_MAX
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.ledger.crypto import signature_is_valid
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX, MEMBER_DOCUMENTS_MAX, MEMBER_NAME_LENGTH_MAX
from gridtokenx.ledger.quantities import MICRO_PER_WATT
from gridtokenx.modules.authority.messages import Group, Tier
from gridtokenx.operations.network.card import Key, NodeCard

FORMAT: Final = "gridtokenx-organisation-1"
FILE: Final = "organisation.toml"
DOMAIN: Final = b"gridtokenx/organisation/1\x00"

FILE_BYTES_MAX: Final = 65_536
"""Sixteen officers, sixteen documents and their signatures take an eighth of it."""
STAKE_WATT_MAX: Final = 10**9

GROUPS: Final = {group.name.lower(): group for group in Group}
TIERS: Final = {tier.name.lower(): tier for tier in Tier}

Signature = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]
ChainName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=CHAIN_CHARACTERS_MAX)]

Word = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z-]{1,40}\Z")]

_STAND_IN: Final = NodeCard("stand-in", "localhost:1", "0" * 64, "0" * 64, "0" * 64)


class OrganisationUnusable(Exception):
    """A file is no organisation's, or says what none can be. Says why."""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paper that others have seen (a licence, a resolution of the board): only its hash goes on."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MEMBER_NAME_LENGTH_MAX)]
    sha256: Key


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an organisation says of itself. Whether it is true and fits the others, `checks` says.

    `keys` and `threshold` are those of its account; `zone` is where its node stands.
    """

    format: Literal["gridtokenx-organisation-1"]
    chain: ChainName
    legal_name: Annotated[str, msgspec.Meta(min_length=1, max_length=MEMBER_NAME_LENGTH_MAX)]
    legal_name_th: Annotated[str, msgspec.Meta(min_length=1, max_length=MEMBER_NAME_LENGTH_MAX)]
    tax_id: Word
    group: Word
    tier: Word
    zone: Word
    stake_watt: Annotated[int, msgspec.Meta(ge=0, le=STAKE_WATT_MAX)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=KEYS_PER_ACCOUNT_MAX)]
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=KEYS_PER_ACCOUNT_MAX)]
    documents: Annotated[tuple[Document, ...], msgspec.Meta(min_length=1, max_length=MEMBER_DOCUMENTS_MAX)]
    node: NodeCard

    def __post_init__(self) -> None:
        """Raises ValueError for a name that does not read as it is written, or is written in two ways."""
        for text in (self.legal_name, self.legal_name_th, *(each.name for each in self.documents)):
            check_text(text)

    @property
    def name(self) -> str:
        """Its short name, and that of its node."""
        return self.node.name

    @property
    def stake_micro(self) -> int:
        """What it puts in, in millionths of a WATT."""
        return self.stake_watt * MICRO_PER_WATT

    @property
    def officers(self) -> tuple[bytes, ...]:
        """The keys of its account."""
        return tuple(bytes.fromhex(key) for key in self.keys)

    @property
    def node_keys(self) -> dict[str, bytes]:
        """What its node signs with, by what people call the key."""
        card = self.node
        named = {"node key": card.batch_key, "consensus key": card.validator_key, "link key": card.link_key}
        return {name: bytes.fromhex(key) for name, key in named.items()}

    @property
    def peer(self) -> str:
        """Where its node is reached: id@host:port."""
        return f"{self.node.link_id}@{self.node.address}"

    def signed_bytes(self) -> bytes:
        """What all its keys sign."""
        return DOMAIN + canonical(self)


class Organisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A description and the signatures under it: public key → signature."""

    description: Description
    signatures: dict[str, str]

    def toml(self) -> bytes:
        """The file's content."""
        values = msgspec.to_builtins(self.description)
        node = values.pop("node")
        tables = {"": values, "node": node, "signatures": dict(sorted(self.signatures.items()))}
        return toml_document(
            tables, "An organisation of a consortium: public. Everything above [signatures] is signed."
        )

    def signed_with(self, keys: Iterable[PrivateKey]) -> "Organisation":
        """With a signature of each of these keys. Raises `OrganisationUnusable` for a key that is none of its own."""
        signatures, signed = dict(self.signatures), self.description.signed_bytes()
        own = {*self.description.officers, *self.description.node_keys.values()}
        for key in keys:
            if key.public_key not in own:
                raise OrganisationUnusable(
                    f"key {key.public_key.hex()} is none of {self.description.name}'s: neither an officer's nor its "
                    "node's"
                )
            signatures[key.public_key.hex()] = key.sign(signed).hex()
        return Organisation(self.description, signatures)

    def with_signature(self, key: bytes, signature: bytes) -> "Organisation":
        """With a signature that was made elsewhere. Raises `OrganisationUnusable` unless it is one of this file."""
        added = Organisation(self.description, {**self.signatures, key.hex(): signature.hex()})
        own = {*self.description.officers, *self.description.node_keys.values()}
        if key not in own or not added.has_signed(key):
            raise OrganisationUnusable(f"this is no signature of {self.description.name}'s file by a key of its own")
        return added

    def has_signed(self, key: bytes) -> bool:
        """Whether there is a valid signature of this key."""
        signature = self.signatures.get(key.hex())
        return signature is not None and signature_is_valid(
            bytes.fromhex(signature), self.description.signed_bytes(), key
        )


def describe(values: Mapping[str, object], card: Callable[[], NodeCard]) -> Description:
    """A description of these values; `card` is asked for only when they are sound. Raises `OrganisationUnusable`."""
    try:
        # With a stand-in first, so that no keys are made for what cannot be.
        msgspec.convert({**values, "node": _STAND_IN}, Description)
        return msgspec.convert({**values, "node": card()}, Description)
    except msgspec.ValidationError as error:
        raise OrganisationUnusable(f"no organisation can say that: {error}{_hint(str(error))}") from None


def canonical(value: object) -> bytes:
    """One spelling of a document: JSON, keys in alphabetical order, no spaces."""
    return msgspec.json.encode(value, order="sorted")


def check_text(text: str) -> None:
    """Raises ValueError unless this is one line, in composed form (NFC), of characters that can be seen."""
    if text != unicodedata.normalize("NFC", text) or text != text.strip():
        raise ValueError(f"{text!r} is written in an odd way: no spaces at its ends, characters composed (NFC)")
    if any(unicodedata.category(each)[0] == "C" or unicodedata.category(each) in {"Zl", "Zp"} for each in text):
        raise ValueError(f"{text!r} holds characters that cannot be seen")


def plain(text: str) -> str:
    """Text from a stranger's file, without what could move the cursor of who reads it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def parse_organisation(content: bytes) -> Organisation:
    """Raises `OrganisationUnusable` that says what does not fit."""
    if len(content) > FILE_BYTES_MAX:
        raise OrganisationUnusable(f"this is no organisation's file: it has more than {FILE_BYTES_MAX:,} bytes")
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise OrganisationUnusable(f"this is no TOML: {plain(str(error))}") from None
    signatures = values.pop("signatures", {})
    try:
        return Organisation(
            msgspec.convert(values, Description),
            msgspec.convert(signatures, dict[Key, Signature]),
        )
    except ValueError as error:
        raise OrganisationUnusable(f"this is no organisation's file: {plain(str(error))}{_hint(str(error))}") from None


def _hint(error: str) -> str:
    if "$.node.name" in error:
        return "; the node's name has small letters, digits and single hyphens"
    if "$.format" in error:
        return f"; this program reads {FORMAT}"
    return ""


def read_organisation(file: Path) -> Organisation:
    """Raises `OrganisationUnusable` naming the file."""
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise OrganisationUnusable(f"{file} cannot be read: {error.strerror}") from None
    try:
        return parse_organisation(content)
    except OrganisationUnusable as error:
        raise OrganisationUnusable(f"{file}: {error}") from None


def member_id(tax_id: str) -> bytes:
    """Under which the ledger knows an organisation: its pseudonym as a participant, which follows from its tax id, so
    that no organisation is in twice."""
    return sha256(b"gridtokenx/member/1\x00" + tax_id.encode()).digest()[:8]


def documents_of(files: Iterable[Path]) -> tuple[Document, ...]:
    """Names and hashes of papers. Raises OSError."""
    return tuple(Document(file.name, sha256(file.read_bytes()).hexdigest()) for file in files)
