"""The signer process: dials the sockets at which nodes wait for it, for ever, and answers.

The event loop reads and writes, answers pings, and knows the lease; one thread signs, one request after another. What
the operator asks comes over a socket of its own (`folder`).
"""

import asyncio
import logging
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridtokenx.engine import control
from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.comet.privval import MESSAGE_BYTES_MAX, message_frame, read_message
from gridtokenx.engine.comet.privval_pb2 import Message
from gridtokenx.engine.comet.wire import MessageInvalid
from gridtokenx.engine.folder import FolderUnusable, socket_address
from gridtokenx.signer.folder import SignerFolder
from gridtokenx.signer.keyring import Keyring
from gridtokenx.signer.lease import LEASE_SECONDS, Lease
from gridtokenx.signer.service import Refusal, Refused, Service
from gridtokenx.signer.sign_bytes import Place

REDIAL_SECONDS_FIRST: Final = 0.1
REDIAL_SECONDS_MAX: Final = 1.0
"""CometBFT gives up three seconds after its start if nobody has dialled."""

SILENT_SECONDS_MAX: Final = 60.0
"""CometBFT pings each three and a third seconds: whoever says nothing for so long is dialled anew."""

log = logging.getLogger("gridtokenx.signer")


@dataclass(slots=True)
class _Link:
    """To one node. `was_refused`: the log says so already, and says no more until the lease has changed."""

    path: Path
    connected: bool = False
    was_refused: bool = False
    address: str = ""

    @property
    def name(self) -> str:
        return str(self.path)


class Signer:
    """Of one folder, which is locked while it runs, and one event loop."""

    def __init__(self, folder: SignerFolder, nodes: Sequence[Path], lease_seconds: float = LEASE_SECONDS) -> None:
        """Open folder and keys. Raises `FolderUnusable`, also if another signer has them."""
        self._folder = folder
        self._lock = folder.lock()
        try:
            self._service = Service(Keyring(folder))
        except BaseException:
            self._lock.release()
            raise
        self._lease = Lease(lease_seconds, time.monotonic)
        self._links = [_Link(path) for path in dict.fromkeys(node.absolute() for node in nodes)]
        self._thread = ThreadPoolExecutor(1, "signing")

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Whatever is not foreseen ends the process: a start loses nothing."""
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        answering = await control.serve(self._folder.socket, self._operate)
        self._folder.socket.chmod(0o600)
        public_key = self._service.ring.present.public_key.hex()
        log.info("signs for the chain '%s' with the key %s", self._service.chain, public_key)
        serving = [asyncio.create_task(self._serve(link)) for link in self._links]
        stopped = asyncio.create_task(stopping.wait())
        try:
            done, _ = await asyncio.wait({*serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*serving, stopped):
                task.cancel()
            await asyncio.gather(*serving, stopped, return_exceptions=True)
            answering.close()
            self._folder.socket.unlink(missing_ok=True)
            self._thread.shutdown()
            self._lock.release()

    async def _serve(self, link: _Link) -> None:
        """Dial, converse, dial again."""
        delay_s = REDIAL_SECONDS_FIRST
        while True:
            try:
                link.address = link.address or socket_address(link.path)
                reader, writer = await asyncio.open_unix_connection(link.address, limit=MESSAGE_BYTES_MAX)
            except (OSError, FolderUnusable):
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, REDIAL_SECONDS_MAX)
                continue
            try:
                if await self._converse(link, reader, writer):
                    delay_s = REDIAL_SECONDS_FIRST
            finally:
                self._leave(link)
                writer.close()
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, REDIAL_SECONDS_MAX)

    async def _converse(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer until the node has gone, or says what no node says. Whether it asked anything."""
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS_MAX):
                    request = await read_message(reader)
                answer = await self._answer(link, request)
                if not link.connected:
                    link.connected = True
                    log.info("serves %s", link.name)
                writer.write(message_frame(answer))
                async with asyncio.timeout(SILENT_SECONDS_MAX):
                    await writer.drain()
        except MessageInvalid as error:
            log.warning("dials %s anew: %s", link.name, error)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass  # the node has gone, or hangs
        return link.connected

    async def _answer(self, link: _Link, request: Message) -> Message:
        kind = request.WhichOneof("sum")
        if kind == "ping_request":
            self._lease.heard(link.name)
            return Message(ping_response={})
        if kind == "sign_vote_request":
            height = request.sign_vote_request.vote.height
        elif kind == "sign_proposal_request":
            height = request.sign_proposal_request.proposal.height
        elif kind == "pub_key_request":
            height = None
        else:
            raise MessageInvalid(f"a message that is no request of CometBFT's: {kind}")
        if height is not None and not self._may_ask(link, height):
            sentence = f"another node holds the lease: {self._lease.holder}"
            answer = self._service.refuse(
                link.name, request, Refused(Refusal.LEASE, sentence), loud=not link.was_refused
            )
            link.was_refused = True
            return answer
        answer = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._service.answer, link.name, request
        )
        self._lease.heard(link.name)
        return answer

    def _may_ask(self, link: _Link, height: int) -> bool:
        before = self._lease.holder
        if not self._lease.ask(link.name, height):
            return False
        if self._lease.holder != before:
            log.info("lease: %s has it now, before %s", link.name, before or "nobody")
            for each in self._links:
                each.was_refused = False
        return True

    def _leave(self, link: _Link) -> None:
        if link.connected:
            log.info("has lost %s", link.name)
        if self._lease.holder == link.name:
            log.info("lease: nobody has it now, before %s", link.name)
        self._lease.ended(link.name)
        link.connected = False

    async def _operate(self, question: control.Document) -> control.Document:
        """Answer the operator. Raises ValueError for what it will not do."""
        match question["do"]:
            case "status":
                return self._status()
            case "switch":
                loop = asyncio.get_running_loop()
                try:
                    key = await loop.run_in_executor(self._thread, self._service.ring.switch)
                except (FolderUnusable, OSError) as error:
                    raise ValueError(str(error)) from None
                log.info("signs with the key %s from now on", key.hex())
                return {"public_key": key.hex()}
        raise ValueError(f"a signer does not know how to do '{question['do']}'")

    def _status(self) -> control.Document:
        ring, counts = self._service.ring, self._service.counts
        staged = self._folder.read_next()
        percentiles = counts.percentiles_ms()
        return describe(self._service.chain, ring.present.public_key, ring.present.guard.last.place) | {
            "running": True,
            "next_key": staged.public_key if staged else None,
            "old_key": ring.old.public_key.hex() if ring.old else None,
            "lease": self._lease.holder,
            "lease_seconds": self._lease.seconds,
            "nodes": [{"socket": link.name, "connected": link.connected} for link in self._links],
            "signed": counts.signed,
            "refused": dict(counts.refused),
            "median_ms": percentiles and round(percentiles[0], 3),
            "p99_ms": percentiles and round(percentiles[1], 3),
        }


def describe(chain: str, public_key: bytes, last: Place) -> control.Document:
    """What is known of a signer also when it does not run; `last`: the place of its last signature."""
    return {
        "chain": chain,
        "public_key": public_key.hex(),
        "address": address_of_key(public_key).hex(),
        "height": last.height,
        "round": last.round,
        "step": last.step,
    }
