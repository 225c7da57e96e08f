"""Keys in a token, by SoftHSM."""

from pathlib import Path

import msgspec
import pkcs11
import pytest
from ed25519_zebra import ed_verify
from tests.unit.signer.tokens import token_in_software
from typer.testing import CliRunner, Result

from gridtokenx.bench.signer import PIN
from gridtokenx.cli.main import app
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.signer.folder import SignerFolder, create_signer, stage_key
from gridtokenx.signer.guard import Signed
from gridtokenx.signer.hardware import PIN_VARIABLE, HardwareKey
from gridtokenx.signer.keyring import Keyring
from gridtokenx.signer.keys import KeyPlace, open_key
from gridtokenx.signer.sign_bytes import Place

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> KeyPlace:
    with token_in_software(tmp_path_factory.mktemp("token")) as place:
        yield place


def labelled(place: KeyPlace, label: str, **other: str) -> KeyPlace:
    return msgspec.structs.replace(place, label=label, **other)


def test_a_key_is_made_in_the_token_and_stays_there(token: KeyPlace, tmp_path: Path) -> None:
    place = labelled(token, "stays")
    made = create_signer(tmp_path / "signer", "a-chain", place, Signed(), generate=True)
    key = open_key(SignerFolder(tmp_path / "signer").read().key, tmp_path)
    assert key.public_key.hex() == made and ed_verify(key.sign(b"a vote"), b"a vote", key.public_key)
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        key._private[pkcs11.Attribute.VALUE]
    assert key._private[pkcs11.Attribute.EXTRACTABLE] is False
    assert all(b"PRIVATE" not in path.read_bytes() for path in (tmp_path / "signer").rglob("*") if path.is_file())
    with pytest.raises(FolderUnusable, match="is in the token 'validators' already"):
        create_signer(tmp_path / "again", "a-chain", place, Signed(), generate=True)


def test_a_lost_session_is_opened_anew(token: KeyPlace, tmp_path: Path) -> None:
    create_signer(tmp_path / "signer", "a-chain", labelled(token, "session"), Signed(), generate=True)
    one, other = (HardwareKey(labelled(token, "session")) for _ in range(2))
    one._session.close()  # it takes the other's login with it
    for key in (other, one):
        assert ed_verify(key.sign(b"a vote"), b"a vote", key.public_key)


def test_what_is_not_there_is_said(token: KeyPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readable = tmp_path / "readable"
    readable.write_text(PIN)
    readable.chmod(0o644)
    monkeypatch.delenv(PIN_VARIABLE, raising=False)
    for place, why in (
        (labelled(token, "nobody"), "holds no Ed25519 key 'nobody'"),
        (labelled(token, "x", token="lost"), "is not there: plug it in"),
        (labelled(token, "x", library="/nowhere.so"), "cannot open shared object file"),
        (labelled(token, "x", pin_file=""), f"set {PIN_VARIABLE}"),
        (labelled(token, "x", pin_file=str(readable)), "others may read"),
        (labelled(token, "x", pin_file="/nowhere"), "the PIN cannot be read"),
    ):
        with pytest.raises(FolderUnusable, match=why):
            open_key(place, tmp_path)


def test_a_rotation_inside_one_token(token: KeyPlace, tmp_path: Path) -> None:
    create_signer(tmp_path / "signer", "a-chain", labelled(token, "first"), Signed(), generate=True)
    folder = SignerFolder(tmp_path / "signer")
    ring = Keyring(folder)
    staged = stage_key(folder, labelled(token, "second"), Signed(), generate=True)
    old = ring.present
    assert ring.switch().hex() == staged and ring.old is old
    for held in (ring.present, old):
        signed = held.sign(Place(5, 0, 2), b"\x00")
        assert ed_verify(signed.signature, b"\x00", held.public_key)


def said(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_line(token: KeyPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    hardware = ("--pkcs11", token.library, "--token", token.token, "--label", "command")
    made = said("signer", "init", "--chain", "a-chain", "--data", tmp_path / "signer", *hardware, "--generate")
    assert made.exit_code == 0, made.output
    assert PIN not in (tmp_path / "signer" / "signer.toml").read_text()
    again = said("signer", "init", "--chain", "a-chain", "--data", tmp_path / "other", *hardware)
    assert again.exit_code == 2 and "--above 0 for a key that has never signed" in again.output
    again = said("signer", "init", "--chain", "a-chain", "--data", tmp_path / "other", *hardware, "--above", 7)
    assert again.exit_code == 0 and SignerFolder(tmp_path / "other").read().key.public_key in made.output
