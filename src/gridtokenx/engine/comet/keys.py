"""The two Ed25519 keys of a CometBFT node, in CometBFT's own files, and the names that follow from them.

The *node key* proves who is at the other end of a link; the *validator key* signs votes. Neither is the key that a
node signs its batches with (`engine.folder`).
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridtokenx.engine.folder import SEED_BYTES, FolderUnusable

ADDRESS_BYTES: Final = 20

PUBLIC_TYPE: Final = "tendermint/PubKeyEd25519"
PRIVATE_TYPE: Final = "tendermint/PrivKeyEd25519"
"""How CometBFT names the type of a key in its JSON files."""

PEER_ID_HEAD: Final = bytes.fromhex("002408011220")
"""What stands before the 32 bytes of the key in a libp2p peer id: multihash "identity" of 36 bytes, then protobuf
`{1: Ed25519, 2: 32 bytes}`."""

BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, repr=False)
class LinkKey:
    """The secret seed of a node's links; 32 bytes. Its text form shows nothing of it."""

    node_seed: bytes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(node_id={self.node_id})"

    @property
    def node_id(self) -> str:
        """The node's name on TCP links."""
        return node_id_of_key(public_key(self.node_seed))

    @property
    def peer_id(self) -> str:
        """The node's name on QUIC links."""
        return peer_id_of_key(public_key(self.node_seed))


@dataclass(frozen=True, slots=True, repr=False)
class NodeKeys(LinkKey):
    """The secret seeds of one node that has its validator's key itself."""

    validator_seed: bytes

    @classmethod
    def generate(cls) -> "NodeKeys":
        """New keys from the operating system's randomness."""
        return cls(token_bytes(SEED_BYTES), token_bytes(SEED_BYTES))

    @property
    def validator_key(self) -> bytes:
        """The public key of the votes; 32 bytes."""
        return public_key(self.validator_seed)


def public_key(seed: bytes) -> bytes:
    """The 32 public bytes of a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def address_of_key(key: bytes) -> bytes:
    """CometBFT's address of an Ed25519 key: the first 20 bytes of its SHA-256."""
    return hashlib.sha256(key).digest()[:ADDRESS_BYTES]


def node_id_of_key(key: bytes) -> str:
    """What `cometbft show-node-id` says: the address of the node key, in hex."""
    return address_of_key(key).hex()


def peer_id_of_key(key: bytes) -> str:
    """What `cometbft show-node-id --libp2p` says."""
    data = PEER_ID_HEAD + key
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, len(BASE58))
        digits = BASE58[digit] + digits
    # A leading zero byte is a digit of its own.
    return BASE58[0] * (len(data) - len(data.lstrip(b"\0"))) + digits


def node_key_file(seed: bytes) -> bytes:
    """Content of `node_key.json`."""
    return _document({"priv_key": _secret(seed)})


def validator_key_file(seed: bytes) -> bytes:
    """Content of `priv_validator_key.json`."""
    key = public_key(seed)
    return _document({"address": address_of_key(key).hex().upper(), "pub_key": public(key), "priv_key": _secret(seed)})


def validator_state_file() -> bytes:
    """Content of `priv_validator_state.json` for a key that has signed nothing yet.

    CometBFT writes there what it signed last. Whoever restores an older one, or runs two nodes with one key, may sign
    two votes for one height, and everybody can prove it.
    """
    return _document({"height": "0", "round": 0, "step": 0})


def public(key: bytes) -> dict[str, str]:
    """A public key as CometBFT's JSON has it."""
    return {"type": PUBLIC_TYPE, "value": base64.b64encode(key).decode()}


def read_public(document: object) -> bytes:
    """The reverse of `public`. Raises ValueError."""
    match document:
        case {"type": str(kind), "value": str(value)} if kind == PUBLIC_TYPE:
            key = base64.b64decode(value, validate=True)
            if len(key) == SEED_BYTES:
                return key
    raise ValueError("no public key of Ed25519 in CometBFT's form")


def load_node_keys(node_file: Path, validator_file: Path) -> NodeKeys:
    """The keys of these two files. Raises `FolderUnusable` if they are not Ed25519 keys of CometBFT's form, or others
    may read them."""
    return NodeKeys(load_seed(node_file), load_seed(validator_file))


def _secret(seed: bytes) -> dict[str, str]:
    """CometBFT keeps the public half behind the seed."""
    return {"type": PRIVATE_TYPE, "value": base64.b64encode(seed + public_key(seed)).decode()}


def load_seed(file: Path) -> bytes:
    """The secret seed in a key file of CometBFT's. Raises `FolderUnusable`, also if others may read it."""
    try:
        if file.stat().st_mode & 0o077:
            raise FolderUnusable(f"others may read {file}: `chmod 600` it, and consider the key known to them")
        secret = json.loads(file.read_bytes())["priv_key"]
        data = base64.b64decode(secret["value"], validate=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FolderUnusable(f"{file} is no key file of CometBFT: {error!r}") from None
    if secret["type"] != PRIVATE_TYPE or len(data) != 2 * SEED_BYTES:
        raise FolderUnusable(f"{file} holds no Ed25519 key")
    return data[:SEED_BYTES]


def _document(content: dict[str, object]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
