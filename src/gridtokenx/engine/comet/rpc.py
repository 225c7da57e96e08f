"""Asking this node's own CometBFT: its JSON-RPC, on loopback or on a socket file.

CometBFT's API has no guard of its own, so nobody else may reach it; what outsiders need of it (commits, validators)
goes through our gateway. Answers are bounded and typed; fields that we do not use are ignored.
"""

import itertools
import re
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from gridtokenx.engine.comet.answers import (
    ANSWER_BYTES_MAX,
    Answer,
    CometBlockId,
    CometCommit,
    CometHeader,
    CometKey,
    CommitAnswer,
    Time,
    ValidatorsAnswer,
    Whole,
    light_block,
)
from gridtokenx.engine.comet.headers import VALIDATORS_MAX, LightBlock
from gridtokenx.engine.comet.light_client import NEWEST
from gridtokenx.engine.comet.light_errors import BlockMissing, SourceFailed
from gridtokenx.engine.folder import socket_address

TIMEOUT_SECONDS: Final = 10.0
BLOCK_ANSWER_BYTES_MAX: Final = 134_217_728
"""CometBFT's largest block, 100 MB, in base 64."""
PAGE_VALIDATORS: Final = 100
"""CometBFT gives no more at once."""

A = TypeVar("A", bound=Answer)

_HEIGHT_MISSING: Final = re.compile(
    r"must be less than or equal to the current blockchain height|is not available, lowest height is"
    r"|could not find validator set|height must be greater than 0"
)
_encode = msgspec.json.Encoder().encode


class RpcFailed(Exception):
    """CometBFT did not do what was asked."""


class RpcUnreachable(RpcFailed):
    """It does not answer: not started yet, gone, or busy for too long."""


class RpcRefused(RpcFailed):
    """It answered with an error."""


class HeightMissing(RpcRefused):
    """It does not have this height: not yet, or not any more."""


class AnswerUnknown(RpcFailed):
    """Its answer is larger than it may be, or has another form than CometBFT v0.40's."""


class SyncInfo(Answer):
    """Where the node stands."""

    latest_block_hash: str
    latest_app_hash: str
    latest_block_height: Whole
    latest_block_time: Time
    earliest_block_height: Whole
    catching_up: bool


class NodeInfo(Answer):
    """Who the node is among its peers."""

    id: str
    network: str
    version: str
    moniker: str
    listen_addr: str


class OwnValidator(Answer):
    """This node as a validator; with power 0 it is none."""

    address: str
    pub_key: CometKey
    voting_power: Whole


class StatusAnswer(Answer):
    """CometBFT's `/status`."""

    node_info: NodeInfo
    sync_info: SyncInfo
    validator_info: OwnValidator


class Traffic(Answer):
    """What went over a TCP link so far, in one direction."""

    bytes_total: Whole = msgspec.field(name="Bytes")


class ConnectionStatus(Answer):
    """Of a TCP link, before encryption."""

    sent: Traffic = msgspec.field(name="SendMonitor")


class PeerAnswer(Answer):
    """One link."""

    node_info: NodeInfo
    is_outbound: bool
    remote_ip: str
    connection_status: ConnectionStatus | None = None


class NetInfoAnswer(Answer):
    """CometBFT's `/net_info`."""

    listening: bool
    n_peers: Whole
    peers: list[PeerAnswer]


class BlockData(Answer):
    """What the application put into a block, in base 64."""

    txs: list[str]


class BlockContent(Answer):
    """A block. Its `last_commit` is for the block before."""

    header: CometHeader
    data: BlockData
    last_commit: CometCommit | None = None


class BlockAnswer(Answer):
    """CometBFT's `/block`."""

    block_id: CometBlockId
    block: BlockContent


class RoundState(Answer):
    """How far the node is with the block in the making."""

    place: str = msgspec.field(name="height/round/step")


class ConsensusStateAnswer(Answer):
    """CometBFT's `/consensus_state`."""

    round_state: RoundState


class DialAnswer(Answer):
    """CometBFT's `/dial_peers`."""

    log: str


class _Error(Answer):
    code: int
    message: str = ""
    data: str = ""


class _Reply(Answer):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class CometRpc:
    """Asks one CometBFT; of one event loop. Methods raise RpcFailed and its kinds."""

    def __init__(self, address: str | Path) -> None:
        """A socket file, or `http://127.0.0.1:PORT`. Nothing is asked yet, and no proxy ever."""
        socket = socket_address(address) if isinstance(address, Path) else None
        url = "http://localhost" if isinstance(address, Path) else address
        self._numbers = itertools.count(1)
        # TLS is never spoken here: a context that trusts nobody spares each client the reading of the machine's
        # certificates, most of what a look at a network costs.
        transport = httpx.AsyncHTTPTransport(uds=socket, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._http = httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def status(self) -> StatusAnswer:
        """Where the node stands."""
        return await self._ask("status", {}, StatusAnswer)

    async def net_info(self) -> NetInfoAnswer:
        """Its links."""
        return await self._ask("net_info", {}, NetInfoAnswer)

    async def round(self) -> int:
        """Which attempt at the block in the making this is; 0 is the first."""
        answer = await self._ask("consensus_state", {}, ConsensusStateAnswer)
        return int(answer.round_state.place.split("/")[1])

    async def dial_peers(self, addresses: Sequence[str]) -> None:
        """Dial these (NODE_ID@HOST:PORT) now, those that there is no link to. Only over a socket file."""
        await self._ask("dial_peers", {"peers": list(addresses)}, DialAnswer)

    async def commit(self, height: int) -> CommitAnswer:
        """Header and votes of a block. Raises HeightMissing."""
        return await self._ask("commit", {"height": str(height)}, CommitAnswer)

    async def validators(self, height: int) -> ValidatorsAnswer:
        """All validators of a block, however many pages they take. Raises HeightMissing, AnswerUnknown when there are
        more than `VALIDATORS_MAX`."""
        page: dict[str, Any] = {"height": str(height), "per_page": str(PAGE_VALIDATORS)}
        whole = await self._ask("validators", page | {"page": "1"}, ValidatorsAnswer)
        if int(whole.total) > VALIDATORS_MAX:
            raise AnswerUnknown(f"{whole.total} validators: {VALIDATORS_MAX} are the most")
        for number in range(2, -(-int(whole.total) // PAGE_VALIDATORS) + 1):
            further = await self._ask("validators", page | {"page": str(number)}, ValidatorsAnswer)
            if (further.total, further.block_height) != (whole.total, whole.block_height):
                raise AnswerUnknown("the pages of the validators do not belong together")
            whole.validators += further.validators
        whole.count = str(len(whole.validators))
        if whole.count != whole.total:
            raise AnswerUnknown(f"{whole.count} of {whole.total} validators came")
        return whole

    async def light_block(self, height: int) -> LightBlock:
        """A source for a light client: the block of a height, or of the newest for `NEWEST`. Raises BlockMissing,
        SourceFailed; BlockInvalid if it is none."""
        try:
            if height == NEWEST:
                height = int((await self.status()).sync_info.latest_block_height)
            return light_block(await self.commit(height), await self.validators(height))
        except HeightMissing as error:
            raise BlockMissing(str(error)) from error
        except RpcFailed as error:
            raise SourceFailed(str(error)) from error

    async def block(self, height: int) -> BlockAnswer:
        """A block with its content. Raises HeightMissing."""
        return await self._ask("block", {"height": str(height)}, BlockAnswer, BLOCK_ANSWER_BYTES_MAX)

    async def _ask(
        self, method: str, parameters: Mapping[str, Any], kind: type[A], bytes_max: int = ANSWER_BYTES_MAX
    ) -> A:
        request = _encode({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": parameters})
        content = bytearray()
        try:
            async with self._http.stream(
                "POST", "/", content=request, headers={"Content-Type": "application/json"}
            ) as response:
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > bytes_max:
                        raise AnswerUnknown(f"the answer to {method} has more than {bytes_max} bytes")
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise RpcUnreachable(f"CometBFT does not answer: {str(error) or type(error).__name__}") from error
        return _read(method, bytes(content), kind)


def _read(method: str, content: bytes, kind: type[A]) -> A:
    try:
        reply = msgspec.json.decode(content, type=_Reply)
        if reply.error is not None:
            said = f"{method}: {reply.error.message}: {reply.error.data}"
            raise HeightMissing(said) if _HEIGHT_MISSING.search(said) else RpcRefused(said)
        if bytes(reply.result) == b"null":
            raise HeightMissing(f"{method}: CometBFT has nothing there")
        return msgspec.json.decode(reply.result, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise AnswerUnknown(f"the answer to {method} is not understood: {error}") from None
