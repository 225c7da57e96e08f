"""A signer as a process, and nodes that ask it: sockets at which it dials, as CometBFT's."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ed25519_zebra import ed_verify
from tests.unit.signer.requests import BLOCK, proposal, vote

from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.comet.privval import message_frame
from gridtokenx.engine.comet.privval_pb2 import BlockID, Message, Proposal, Vote
from gridtokenx.signer.folder import SignerFolder, create_signer
from gridtokenx.signer.guard import Signed
from gridtokenx.signer.keys import KeyPlace
from gridtokenx.signer.sign_bytes import extension_bytes, proposal_bytes, vote_bytes

CHAIN = "a-chain"
WAIT_SECONDS_MAX = 60.0
COMMAND = (sys.executable, "-c", "from gridtokenx.cli.main import app; app()")


def new_signer(path: Path, place: KeyPlace | None = None, chain: str = CHAIN) -> SignerFolder:
    """With a new key in a file, or in a token: then a process of its own makes it, as the token's library stays with
    the first settings that a process had."""
    if place is None:
        create_signer(path, chain, KeyPlace("file"), Signed(), generate=True)
    else:
        where = ("--pkcs11", place.library, "--token", place.token, "--label", place.label)
        made = (*COMMAND, "signer", "init", "--data", str(path), "--chain", chain, *where, "--pin-file", place.pin_file)
        subprocess.run([*made, "--generate"], check=True, capture_output=True)
    return SignerFolder(path)


class SignerProcess:
    """`gridtokenx signer run`, from its start to its end."""

    def __init__(
        self, folder: SignerFolder, nodes: Sequence[Path], lease_seconds: float = 4.0, crash_at: str = ""
    ) -> None:
        given = [word for node in nodes for word in ("--node", str(node))]
        command = [*COMMAND, "signer", "run", "--data", str(folder.path)]
        environment = os.environ | ({"GRIDTOKENX_CRASH_AT": crash_at} if crash_at else {})
        self.folder = folder
        self._log = (folder.path / "log").open("ab")
        self.process = subprocess.Popen(
            [*command, "--lease-seconds", str(lease_seconds), *given],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment,
        )

    def __enter__(self) -> "SignerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def said(self) -> str:
        """All that any process of this folder has said."""
        return (self.folder.path / "log").read_text()

    def kill(self) -> int:
        """At once, if it still runs; its status."""
        if self.process.poll() is None:
            self.process.kill()
        self._log.close()
        return self.process.wait()

    def stop(self) -> int:
        """As an operator does."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS_MAX)

    def status(self) -> dict[str, object]:
        """What `signer status --json` says."""
        return status_of(self.folder)


def status_of(folder: SignerFolder) -> dict[str, object]:
    """What `signer status --json` says."""
    command = [*COMMAND, "signer", "status", "--json", "--data", str(folder.path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


class AskingNode:
    """Listens where a node's CometBFT would, and asks who dials."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._listening.settimeout(WAIT_SECONDS_MAX)
        self.link: socket.socket | None = None
        self.public_key = b""

    def meet(self) -> "AskingNode":
        """Take the next signer that dials, and ask for its key."""
        self.drop()
        self.link, _ = self._listening.accept()
        self.link.settimeout(WAIT_SECONDS_MAX)
        self.ask_key()
        return self

    def ask_key(self, chain: str = CHAIN) -> Message:
        """For the key it signs with, as CometBFT does before each height."""
        answer = self.ask(Message(pub_key_request={"chain_id": chain}))
        self.public_key = answer.pub_key_response.pub_key.ed25519
        return answer

    def ask(self, message: Message) -> Message:
        """Raises EOFError when the signer closes."""
        self.send(message_frame(message))
        return self.receive()

    def send(self, data: bytes) -> None:
        """Whatever bytes. Raises EOFError when the signer has closed."""
        assert self.link is not None
        try:
            self.link.sendall(data)
        except OSError as error:
            raise EOFError from error

    def receive(self) -> Message:
        """The next answer. Raises EOFError."""
        length = shift = 0
        while True:
            (byte,) = self._read(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return Message.FromString(self._read(length))

    def ping(self) -> None:
        """As CometBFT does when it has nothing to ask."""
        assert self.ask(Message(ping_request={})).WhichOneof("sum") == "ping_response"

    def vote(self, height: int, round_: int, kind: int, for_: BlockID | None = BLOCK, time_ns: int = 0) -> Vote | str:
        """The signed vote, whose signatures are right; or why it was refused."""
        asked = vote(height, round_, kind, for_, time_ns, address_of_key(self.public_key))
        answer = self.ask(Message(sign_vote_request={"vote": asked, "chain_id": CHAIN})).signed_vote_response
        if answer.HasField("error"):
            assert not answer.vote.signature and not answer.vote.extension_signature
            return answer.error.description
        signed = answer.vote
        assert ed_verify(signed.signature, vote_bytes(CHAIN, signed), self.public_key)
        if signed.extension_signature:
            assert ed_verify(signed.extension_signature, extension_bytes(CHAIN, signed), self.public_key)
        return signed

    def propose(self, height: int, round_: int, for_: BlockID | None = BLOCK, time_ns: int = 0) -> Proposal | str:
        """The signed proposal, or why it was refused."""
        asked = proposal(height, round_, for_, time_ns)
        request = Message(sign_proposal_request={"proposal": asked, "chain_id": CHAIN})
        answer = self.ask(request).signed_proposal_response
        if answer.HasField("error"):
            assert not answer.proposal.signature
            return answer.error.description
        assert ed_verify(answer.proposal.signature, proposal_bytes(CHAIN, answer.proposal), self.public_key)
        return answer.proposal

    def drop(self) -> None:
        """End the connection."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def close(self) -> None:
        """The node is gone."""
        self.drop()
        self._listening.close()
        self.path.unlink(missing_ok=True)

    def _read(self, length: int) -> bytes:
        assert self.link is not None
        data = b""
        while len(data) < length:
            try:
                piece = self.link.recv(length - len(data))
            except ConnectionError as error:
                raise EOFError from error
            if not piece:
                raise EOFError
            data += piece
        return data


def until(true: Callable[[], bool], what: str) -> None:
    """Ask until it is so."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)
