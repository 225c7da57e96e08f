import base64
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.comet.binary import CometMissing, find_cometbft
from gridtokenx.engine.comet.home import HomeSettings, create_home
from gridtokenx.engine.comet.keys import (
    BASE58,
    NodeKeys,
    address_of_key,
    load_node_keys,
    node_id_of_key,
    node_key_file,
    peer_id_of_key,
    public_key,
    validator_key_file,
)
from gridtokenx.engine.folder import FolderUnusable

# Made by `cometbft init`; the ids are what `show-node-id` and `show-node-id --libp2p` say.
THEIR_NODE_KEY = "95ONGBLR+k9gNtsdOBbQASYiRexgtMFFjTxP23qxDdldEca7YuBthnl59syJt9kud9EGt4j64ApM+IrNUcUQPA=="
THEIR_NODE_ID = "0cd8bcd687392e2f427dfacc1bc18ac12429c834"
THEIR_PEER_ID = "12D3KooWG5foi92a6dztBWpwpgg4hMxLMYYkM4kx4NBQNTQShjKH"
THEIR_VALIDATOR_KEY = "6Bc5qs1Y+0E+TxXuXkxLhq8c+ZTXhQdlI4AIWsDQcRrGLUqKLhoiEiLEfMgJEaN/MPK6m+KGzZ8xNqkG/A5eOg=="
THEIR_ADDRESS = "7EE86DA9C3CC9FDE770380212C7DD01911956F7A"


def test_files_of_cometbft_are_read_and_give_its_names(tmp_path: Path) -> None:
    node, validator = tmp_path / "node_key.json", tmp_path / "priv_validator_key.json"
    secret = {"type": "tendermint/PrivKeyEd25519", "value": THEIR_NODE_KEY}
    node.write_text(json.dumps({"priv_key": secret}))
    validator.write_text(json.dumps({"address": "", "priv_key": secret | {"value": THEIR_VALIDATOR_KEY}}))
    for file in (node, validator):
        file.chmod(0o600)
    keys = load_node_keys(node, validator)
    assert (keys.node_id, keys.peer_id) == (THEIR_NODE_ID, THEIR_PEER_ID)
    assert address_of_key(keys.validator_key).hex().upper() == THEIR_ADDRESS
    assert json.loads(validator_key_file(keys.validator_seed))["address"] == THEIR_ADDRESS
    assert json.loads(node_key_file(keys.node_seed))["priv_key"]["value"] == THEIR_NODE_KEY


def test_secrets_do_not_show() -> None:
    keys = NodeKeys.generate()
    assert keys.node_seed.hex() not in repr(keys) and keys.validator_seed.hex() not in repr(keys)
    assert repr(keys.node_seed) not in repr(keys)


@given(st.binary(min_size=32, max_size=32))
def test_a_peer_id_is_the_key_in_base_58(key: bytes) -> None:
    number = 0
    for digit in peer_id_of_key(key):
        number = number * 58 + BASE58.index(digit)
    # The leading zero byte of the multihash is the leading "1".
    assert peer_id_of_key(key)[0] == "1"
    assert number.to_bytes(37, "big") == bytes.fromhex("24080112") + bytes([32]) + key
    assert node_id_of_key(key) == address_of_key(key).hex()


@pytest.mark.parametrize("content", ["", "{}", '{"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": "%"}}'])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "node_key.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(FolderUnusable, match="no key file"):
        load_node_keys(file, file)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "node_key.json"
    file.write_bytes(node_key_file(bytes(32)))
    file.chmod(0o640)
    with pytest.raises(FolderUnusable, match="chmod 600"):
        load_node_keys(file, file)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "node_key.json"
    file.write_bytes(node_key_file(bytes(32)).replace(b"PrivKeyEd25519", b"PrivKeySecp256k1"))
    file.chmod(0o600)
    with pytest.raises(FolderUnusable, match="no Ed25519 key"):
        load_node_keys(file, file)


@pytest.mark.slow  # the engine may still be in the making, beside the fast tests
def test_the_engine_itself_says_the_same_names(tmp_path: Path) -> None:
    try:
        program = str(find_cometbft())
    except CometMissing as missing:
        pytest.skip(str(missing))
    keys = NodeKeys.generate()
    home = create_home(tmp_path / "consensus", keys, HomeSettings("node-1"))

    def said(*question: str) -> str:
        command = [program, *question, "--home", str(home.path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert said("show-node-id") == keys.node_id
    assert said("show-node-id", "--libp2p") == keys.peer_id
    assert public_key(keys.validator_seed) == keys.validator_key == load_validator(said("show-validator"))


def load_validator(text: str) -> bytes:
    return base64.b64decode(json.loads(text)["value"])
