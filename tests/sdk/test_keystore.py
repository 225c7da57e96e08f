"""Key files go both ways between Python and TypeScript, byte for byte the same format."""

import json
from pathlib import Path

import pytest
from tests.sdk.scripts import run

from gridtokenx.client.errors import KeyFileCorrupt, PassphraseWrong
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import COST_LOG2, Keystore, decrypt_key, encrypt_key

pytestmark = pytest.mark.slow

CHEAP = 4
PASSPHRASES = ("correct horse", "ไฟฟ้า ๑๒๓", '"\\ \u00e9', "p" * 1_000)


def test_what_python_wrote_opens_in_typescript(node: list[str], tmp_path: Path) -> None:
    key = PrivateKey.generate()
    files = [(encrypt_key(key, passphrase, CHEAP).decode(), passphrase) for passphrase in PASSPHRASES]
    files.append((encrypt_key(key, "as shipped", COST_LOG2).decode(), "as shipped"))
    keystore = Keystore(tmp_path)
    keystore.add_development_key("plain", key)
    files.append((keystore.path("plain").read_text(), ""))
    assert run(node, "keystore.mjs", given={"open": files, "make": []})["opened"] == [key.secret().hex()] * len(files)


def test_what_typescript_wrote_opens_in_python(node: list[str]) -> None:
    key = PrivateKey.generate()
    wanted = [(key.secret().hex(), passphrase, CHEAP) for passphrase in (*PASSPHRASES, None)]
    answer = run(node, "keystore.mjs", given={"open": [], "make": wanted})
    for file, (_, passphrase, _) in zip(answer["made"], wanted, strict=True):
        assert decrypt_key(file.encode(), passphrase) == key
    assert set(answer["phrases"]) == {key.phrase()}
    with pytest.raises(PassphraseWrong):
        decrypt_key(answer["made"][0].encode(), "another")


def test_both_refuse_the_same_files(node: list[str]) -> None:
    file = encrypt_key(PrivateKey.generate(), "p", CHEAP).decode()
    document = json.loads(file)
    broken = [
        file.replace('"cost_log2": 4', '"cost_log2": 5'),
        file.replace("aes-256-gcm", "none"),
        file.replace("gridtokenx-key-1", "gridtokenx-key-2"),
        file.strip(),
        file.replace("\n", "\r\n"),
        json.dumps(document),
        json.dumps(document | {"protection": None}, indent=2) + "\n",
        file + " " * 5_000,
        "null",
        "",
    ]
    for each in broken:
        with pytest.raises(KeyFileCorrupt):
            decrypt_key(each.encode(), "p")
    answer = run(node, "keystore.mjs", given={"open": [*((each, "p") for each in broken), (file, "q")], "make": []})
    assert answer["opened"] == ["KeyFileCorrupt"] * len(broken) + ["PassphraseWrong"]
