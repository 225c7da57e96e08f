"""Keys on disk: one file a key, encrypted, never overwritten.

A file is JSON of fixed shape. The secret is under AES-256-GCM with a key that scrypt makes of the passphrase; the
cost of scrypt, salt, public key and format are bound to it as associated data. A checksum over the whole tells a
damaged file from a wrong passphrase. Files are 0600, their folder 0700; a file appears whole or not at all.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gridtokenx.client.errors import (
    KeyExists,
    KeyFileCorrupt,
    KeystoreError,
    KeyUnknown,
    PassphraseMissing,
    PassphraseWrong,
)
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.passphrase import refuse_exposed

FORMAT = "gridtokenx-key-1"
FILE_BYTES_MAX = 4_096
SUFFIX = ".key.json"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

COST_LOG2 = 17
"""scrypt's N = 2^17 with r = 8 takes 128 MiB and a third of a second: one guess a second is no attack."""
COST_LOG2_MAX = 20
"""A file cannot make its reader take more than 1 GiB."""
BLOCK_SIZE = 8
SALT_BYTES = 16
NONCE_BYTES = 12


class Protection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the secret is encrypted. Bytes are in lower-case hexadecimal."""

    derivation: str
    cost_log2: int
    block_size: int
    salt: str
    cipher: str
    nonce: str


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says. Without `protection` the secret is plain: a development key."""

    format: str
    public_key: str
    protection: Protection | None
    secret: str
    checksum: str


class Keystore:
    """The keys in one folder."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when the first key is added."""
        self.folder = folder

    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob("*" + SUFFIX))

    def path(self, name: str) -> Path:
        """The file of a key. Raises KeystoreError for a name that is not lower-case letters, digits, - and _."""
        if not NAME_PATTERN.fullmatch(name):
            raise KeystoreError(
                "a name is 1 to 64 lower-case letters, digits, - and _, not beginning with - or _", field=name
            )
        return self.folder / (name + SUFFIX)

    def add(self, name: str, key: PrivateKey, passphrase: str, cost_log2: int = COST_LOG2) -> None:
        """Write a new key. Raises KeyExists, and PassphraseMissing for an empty passphrase."""
        self._write(name, encrypt_key(key, passphrase, cost_log2), replace=False)

    def add_development_key(self, name: str, key: PrivateKey) -> None:
        """Write a new key *without encryption*: for scenarios on one's own machine. Raises KeyExists."""
        self._write(name, _seal(key.public_key.hex(), None, key.secret().hex()), replace=False)

    def open(self, name: str, passphrase: str | None = None) -> PrivateKey:
        """The key. Raises KeyUnknown, KeyFileExposed, KeyFileCorrupt, PassphraseWrong, and PassphraseMissing for an
        encrypted key without a passphrase."""
        with _named(name):
            return decrypt_key(self._read(name), passphrase)

    def public_key(self, name: str) -> bytes:
        """What the file says of itself; needs no passphrase. Errors as for `open`."""
        with _named(name):
            return bytes.fromhex(read_key_file(self._read(name)).public_key)

    def is_encrypted(self, name: str) -> bool:
        """Whether `open` needs a passphrase. Errors as for `open`."""
        with _named(name):
            return read_key_file(self._read(name)).protection is not None

    def change_passphrase(self, name: str, old: str | None, new: str, cost_log2: int = COST_LOG2) -> None:
        """Encrypt anew; the old file stays until the new one is on disk. Errors as for `open`."""
        self._write(name, encrypt_key(self.open(name, old), new, cost_log2), replace=True)

    def _read(self, name: str) -> bytes:
        path = self.path(name)
        try:
            refuse_exposed(path)
            with path.open("rb") as stream:
                return stream.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            raise KeyUnknown(f"there is no key {name} in {self.folder}", field=name) from None

    def _write(self, name: str, data: bytes, replace: bool) -> None:
        path = self.path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)  # fails if the name is taken, which a rename would not
        except FileExistsError:
            raise KeyExists(f"there is a key {name} already: keys are never overwritten", field=name) from None
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.folder)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors about the bytes of a file say which key's file it is."""
    try:
        yield
    except (KeyFileCorrupt, PassphraseMissing, PassphraseWrong) as error:
        raise type(error)(f"key {name}: {error.detail}", field=name) from None


def encrypt_key(key: PrivateKey, passphrase: str, cost_log2: int = COST_LOG2) -> bytes:
    """The bytes of an encrypted key file. Raises PassphraseMissing for an empty passphrase."""
    if not passphrase:
        raise PassphraseMissing("an encrypted key needs a passphrase")
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    protection = Protection("scrypt", cost_log2, BLOCK_SIZE, salt.hex(), "aes-256-gcm", nonce.hex())
    public_key = key.public_key.hex()
    cipher = AESGCM(_derive(passphrase, protection))
    secret = cipher.encrypt(nonce, key.secret(), _associated(public_key, protection))
    return _seal(public_key, protection, secret.hex())


def decrypt_key(data: bytes, passphrase: str | None) -> PrivateKey:
    """The key in the bytes of a key file. Raises KeyFileCorrupt, PassphraseMissing, PassphraseWrong."""
    document = read_key_file(data)
    protection = document.protection
    secret = bytes.fromhex(document.secret)
    if protection is not None:
        if not passphrase:
            raise PassphraseMissing("this key is encrypted: it needs its passphrase")
        cipher = AESGCM(_derive(passphrase, protection))
        associated = _associated(document.public_key, protection)
        try:
            secret = cipher.decrypt(bytes.fromhex(protection.nonce), secret, associated)
        except InvalidTag:
            raise PassphraseWrong("the passphrase does not open this key") from None
    key = PrivateKey(secret)
    if key.public_key.hex() != document.public_key:
        raise KeyFileCorrupt("the key file names another public key than its own")
    return key


def read_key_file(data: bytes) -> KeyFile:
    """The document, found whole. Raises KeyFileCorrupt saying what is wrong."""
    if len(data) > FILE_BYTES_MAX:
        raise KeyFileCorrupt(f"a key file has at most {FILE_BYTES_MAX} bytes")
    try:
        document = msgspec.json.decode(data, type=KeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeyFileCorrupt(f"the key file cannot be read: {error}") from None
    if document.format != FORMAT:
        raise KeyFileCorrupt(f"the key file has format {document.format!r}, this program reads {FORMAT!r}")
    if _seal(document.public_key, document.protection, document.secret) != data:
        raise KeyFileCorrupt("the key file was changed since it was written: its checksum does not fit")
    if not _is_plausible(document):
        raise KeyFileCorrupt("the key file has a field that is out of bounds")
    return document


def _is_plausible(document: KeyFile) -> bool:
    protection = document.protection
    sizes = [(document.public_key, 32), (document.secret, 32 if protection is None else 32 + 16)]
    if protection is not None:
        sizes += [(protection.salt, SALT_BYTES), (protection.nonce, NONCE_BYTES)]
        named = (protection.derivation, protection.cipher, protection.block_size)
        if named != ("scrypt", "aes-256-gcm", BLOCK_SIZE) or not 1 < protection.cost_log2 <= COST_LOG2_MAX:
            return False
    return all(re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text) for text, size in sizes)


def _derive(passphrase: str, protection: Protection) -> bytes:
    scrypt = Scrypt(
        salt=bytes.fromhex(protection.salt),
        length=32,
        n=1 << protection.cost_log2,
        r=protection.block_size,
        p=1,
    )
    return scrypt.derive(passphrase.encode())


def _associated(public_key: str, protection: Protection) -> bytes:
    return msgspec.json.encode((FORMAT, public_key, protection))


def _seal(public_key: str, protection: Protection | None, secret: str) -> bytes:
    """The file's bytes: the one spelling of this content, with its checksum."""
    checksum = sha256(msgspec.json.encode((FORMAT, public_key, protection, secret))).hexdigest()
    document = KeyFile(FORMAT, public_key, protection, secret, checksum)
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def _sync_folder(folder: Path) -> None:
    """A new name in a folder is durable once the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
