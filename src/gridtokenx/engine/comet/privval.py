"""CometBFT and the signer of its votes: frames, and waiting for a signer before CometBFT is started.

CometBFT listens at a socket, the signer dials it. CometBFT gives up three seconds after its start if nobody has
dialled by then, so the node itself listens at this socket first, until a signer was there. A signer dials again at
once.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from gridtokenx.engine.comet.privval_pb2 import Message
from gridtokenx.engine.comet.wire import MessageInvalid, framed, read_frame
from gridtokenx.engine.folder import listening_socket

MESSAGE_BYTES_MAX: Final = 1_024 * 1_024 + 16_384
"""A vote with the largest extension there may be, and room for the rest."""

ANSWER_SECONDS_MAX: Final = 5.0


class SignerRefuses(Exception):
    """A signer says why it does not serve this node."""


def message_frame(message: Message) -> bytes:
    """The message behind its length."""
    return framed(message.SerializeToString())


async def read_message(reader: asyncio.StreamReader) -> Message:
    """The next message. Raises `asyncio.IncompleteReadError` when the other side has closed, and `MessageInvalid`."""
    try:
        return Message.FromString(await read_frame(reader, MESSAGE_BYTES_MAX))
    except DecodeError as error:
        raise MessageInvalid(f"no message between CometBFT and a signer: {error}") from error


async def wait_for_signer(path: Path, chain: str, public_key: bytes, say: Callable[[str], None]) -> None:
    """Listen at this socket until a signer answers there that it signs for the chain, for ever if need be; then the
    socket is gone again. `say` is told that it waits, once each reason why who came does not serve, and of a signer
    with another key than the one that this node was made with: after a rotation that is right."""
    told: set[str] = set()

    def say_once(sentence: str) -> None:
        if sentence not in told:
            told.add(sentence)
            say(sentence)

    right = asyncio.get_running_loop().create_future()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                found = await _key_of(reader, writer, chain)
        except SignerRefuses as refusal:
            say_once(f"the signer refuses this node: {refusal}")
            return
        except (MessageInvalid, asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            say_once(f"who dialled {path} did not answer as a signer does: {error!r}")
            return
        finally:
            writer.close()
        if found != public_key:
            say_once(
                f"the signer signs with the key {found.hex()}, this node was made with {public_key.hex()}: right if "
                "the chain was told of a new key, else give the node its own signer"
            )
        if not right.done():
            right.set_result(None)

    server = await asyncio.start_unix_server(meet, sock=listening_socket(path), limit=MESSAGE_BYTES_MAX)
    try:
        say_once(f"waits for its signer: `gridtokenx signer run --node {path}`")
        await right
    finally:
        server.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _key_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chain: str) -> bytes:
    """With which this signer signs. Raises `SignerRefuses`, and as `read_message`."""
    writer.write(message_frame(Message(pub_key_request={"chain_id": chain})))
    answer = (await read_message(reader)).pub_key_response
    if answer.HasField("error") or not answer.pub_key.ed25519:
        raise SignerRefuses(answer.error.description or "it names no key of Ed25519")
    return answer.pub_key.ed25519
