"""The witness before a gateway of this test, and a client that asks as CometBFT does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from gridtokenx.engine.comet.home import StateSync
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.network.join_file import JoinFile, read_join_file, write_join_file
from gridtokenx.operations.network.joining import TRUSTED_BLOCKS_BACK, CannotJoin, find_trust
from gridtokenx.operations.network.witness import Gateway, Witness, listen

NEWEST = 5_000
PARAMETERS = {"block": {"max_bytes": "1", "max_gas": "-1"}}
ZERO_TIME = "2026-01-01T00:00:00Z"
VALIDATORS = 5


def commit(height: int, block_hash: str = "AB" * 32) -> dict[str, Any]:
    """As a gateway gives it."""
    parts = {"total": 1, "hash": "CD" * 32}
    block_id = {"hash": block_hash, "parts": parts}
    names = ("last_commit", "data", "validators", "next_validators", "consensus", "last_results", "evidence")
    header = {
        "version": {"block": "11", "app": "1"},
        "chain_id": "chain",
        "height": str(height),
        "time": ZERO_TIME,
        "last_block_id": block_id,
        **{f"{name}_hash": "EF" * 32 for name in names},
        "app_hash": "12" * 32,
        "proposer_address": "34" * 20,
    }
    signed = {"header": header, "commit": {"height": str(height), "round": 0, "block_id": block_id, "signatures": []}}
    return {"signed_header": signed, "canonical": True}


def validators(height: int) -> dict[str, Any]:
    each = {"pub_key": {"type": "tendermint/PubKeyEd25519", "value": "A" * 43 + "="}, "voting_power": "10"}
    found = [each | {"address": f"{number:040X}"} for number in range(VALIDATORS)]
    return {"block_height": str(height), "validators": found, "count": str(VALIDATORS), "total": str(VALIDATORS)}


@contextmanager
def gateway(block_hash: str = "AB" * 32, lowest: int = 1) -> Iterator[str]:
    """A gateway at block `NEWEST` that has forgotten what is below `lowest`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            *_, kind, last = self.path.split("/")
            height = int(last) if last.isdecimal() else 0
            if last == "status":
                document: dict[str, Any] | None = {"height": NEWEST}
            elif not lowest <= height < NEWEST:
                document = None
            else:
                document = commit(height, block_hash) if kind == "commits" else validators(height)
            content = json.dumps(document or {"code": "NOT_FOUND"}).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(url: str, method: str, **given: str) -> dict[str, Any]:
    witness = Witness(Gateway(url), PARAMETERS)
    return witness.answer({"jsonrpc": "2.0", "id": 7, "method": method, "params": given})


def test_headers_and_validators_are_passed_on_as_cometbft_says_them() -> None:
    with gateway() as url:
        assert ask(url, "commit", height="42")["result"] == commit(42)
        first, second = (ask(url, "validators", height="42", page=page, per_page="3")["result"] for page in "12")
        assert [len(first["validators"]), len(second["validators"])] == [3, 2]
        assert first["total"] == second["total"] == str(VALIDATORS) and second["count"] == "2"
        assert [each["address"] for each in (*first["validators"], *second["validators"])] == [
            each["address"] for each in validators(42)["validators"]
        ]
        assert ask(url, "consensus_params", height="42")["result"] == {
            "block_height": "42",
            "consensus_params": PARAMETERS,
        }


def test_without_a_height_the_newest_that_has_its_votes_is_meant() -> None:
    with gateway() as url:
        found = ask(url, "commit")["result"]["signed_header"]["header"]["height"]
        assert found == str(NEWEST - 1)


def test_what_is_not_there_is_said_in_the_words_that_cometbft_reads() -> None:
    with gateway(lowest=100) as url:
        early, late = ask(url, "commit", height="99")["error"], ask(url, "commit", height="6000")["error"]
        assert early["data"] == "height 99 is not available, lowest height is 100"
        assert late["data"] == f"height 6000 must be less than or equal to the current blockchain height {NEWEST - 1}"
        assert "does not answer tx" in ask(url, "tx")["error"]["data"]
    assert "does not answer" in ask(url, "commit", height="1")["error"]["data"]


def test_it_listens_on_a_socket_of_its_owner(tmp_path: Path) -> None:
    socket = tmp_path / "witness-1.sock"
    with gateway() as url:
        server = listen(socket, Witness(Gateway(url), PARAMETERS).answer)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://witness") as client:
            question = {"jsonrpc": "2.0", "id": 1, "method": "commit", "params": {"height": "42"}}
            for _ in range(2):
                assert client.post("/", json=question).json()["result"] == commit(42)
            assert client.post("/", content=b"").status_code == 413
        server.shutdown()
        server.server_close()


def test_trust_is_a_block_that_all_gateways_have_some_way_back() -> None:
    with gateway() as one, gateway() as other:
        found = find_trust([one, other])
        assert found == JoinFile((one, other), NEWEST - 1 - TRUSTED_BLOCKS_BACK, "AB" * 32)
    with gateway() as one, gateway("BA" * 32) as other, pytest.raises(CannotJoin, match="disagree about block"):
        find_trust([one, other])
    with pytest.raises(CannotJoin, match="does not answer"):
        find_trust([one, other])


def test_a_join_file_is_kept_until_the_state_is_there(tmp_path: Path) -> None:
    join = JoinFile(("http://a", "http://b"), 7, "ab" * 32)
    assert read_join_file(tmp_path) is None
    write_join_file(tmp_path, join)
    assert read_join_file(tmp_path) == join
    assert join.state_sync() == StateSync(("unix://run/witness-1.sock", "unix://run/witness-2.sock"), 7, "ab" * 32)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "beginning").touch()
    assert read_join_file(tmp_path) is None


def test_a_join_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "join.toml").write_text('gateways = ["http://a"]\nheight = 1\nblock_hash = "' + "ab" * 32 + '"\n')
    with pytest.raises(FolderUnusable, match=r"join\.toml"):
        read_join_file(tmp_path)
