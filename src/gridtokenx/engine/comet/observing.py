"""A node of a member without a seat says at each checkpoint which block it sees: so the chain knows that it follows
(`modules/authority/reputation`). The node of a candidate is not licensed to sign batches, so others carry its words:
`gridtokenx authority observe`.
"""

import asyncio
from typing import Final

from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.evidence import Submit
from gridtokenx.engine.comet.own_account import OwnAccount
from gridtokenx.engine.folder import NodeKey
from gridtokenx.ledger.state import State
from gridtokenx.modules.authority.messages import Observed, Standing
from gridtokenx.modules.authority.state import CHECKPOINTS, MEMBERS, Member, conduct_of
from gridtokenx.modules.authority.words import observation

_OBSERVING: Final = frozenset({Standing.CANDIDATE, Standing.RESERVE})


def due_observation(state: State, node: bytes, key: NodeKey) -> Observed | None:
    """What a node has to say now: nothing if its member votes by itself, or has said it."""
    found = observing_member(state, node)
    if found is None:
        return None
    name, _ = found
    for checkpoint, record in state.items(CHECKPOINTS):
        height = int.from_bytes(checkpoint, "big")
        if conduct_of(state, name).last_checkpoint < height:
            return observation(name, height, record.header_hash, key)
    return None


def observing_member(state: State, node: bytes) -> tuple[bytes, Member] | None:
    """The candidate or reserve whose node this is."""
    for name, member in state.items(MEMBERS):
        if member.node == node and member.standing in _OBSERVING:
            return name, member
    return None


class Observing:
    """Of one node. `look` is the block thread's; `run` is one event loop's."""

    def __init__(self, engine: CometEngine, account: OwnAccount) -> None:
        """Says nothing until it runs."""
        self._engine = engine
        self._account = account
        self._named = 0
        """Height of the last checkpoint that was named."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._words: asyncio.Queue[Observed] = asyncio.Queue()

    def look(self) -> None:
        """There is a block. Called by the thread that makes blocks: nobody else may look through the tables."""
        said = due_observation(self._engine.application.state, self._engine.node_id, self._engine.mempool.author.key)
        if self._loop is not None and said is not None and said.height > self._named:
            self._named = said.height
            self._loop.call_soon_threadsafe(self._words.put_nowait, said)

    async def run(self, submit: Submit) -> None:
        """Say what there is to say, for ever."""
        self._loop = asyncio.get_running_loop()
        while True:
            said = await self._words.get()
            if self._account.exists:
                await submit([self._account.signed(said)])
