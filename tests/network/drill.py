"""A live consortium, and what its members do together: each word is a transaction that goes in through a node."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.network.members import CHAIN
from tests.network.play import Game, NetworkFile
from tests.network.records import table_of

from gridtokenx.engine.comet.headers import VoteFlag
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.mempool import Answer
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.state import Table
from gridtokenx.ledger.validator import address_of
from gridtokenx.modules.authority.messages import Act, Propose, Vote
from gridtokenx.modules.authority.state import (
    CONDUCT,
    CONSORTIUM_TERMS,
    MEMBERS,
    PROPOSAL_COUNT,
    PROPOSALS,
    THE_ONE,
    Conduct,
    Member,
    Outcome,
)
from gridtokenx.operations.consortium.at_hand import AtHand
from gridtokenx.operations.consortium.words import observation


class Drill:
    """The network and its event loop."""

    def __init__(self, runner: asyncio.Runner, game: Game) -> None:
        self.network = game.network
        self.checks = game.checks
        self._game = game
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, Any], alarms: Sequence[str] = (), codes: Sequence[int] = (0,)) -> None:
        """Do something while orders flow, and check everything afterwards."""

        async def checked() -> None:
            self.network.load.flowing.set()
            await work
            self.network.note("check")
            await self.checks.everything(alarms, codes)
            self.network.note("checked")

        self._runner.run(self._game.explained("a drill", checked()))

    def member(self, name: str) -> AtHand:
        """An organisation by its short name."""
        return self.network.community.members[name]

    # What members say.

    async def say(self, name: str, message: Message, through: int = 1) -> Answer:
        """An organisation's transaction, until it is in a block."""
        wallet = self.member(name).wallet
        transaction = wallet.sign(CHAIN, await self.network.now_ms(through), [message])
        return await self.network.carry(through, transaction.id, transaction.wire)

    async def do(self, name: str, message: Message) -> None:
        """The same, and it is done."""
        answer = await self.say(name, message)
        assert answer.code == KernelCode.OK, (name, message, answer)

    async def propose(self, name: str, act: Act, subject: bytes = b"") -> int:
        """A proposal's number."""
        await self.do(name, Propose(int(act), subject, b""))
        return self.table(PROPOSAL_COUNT)[THE_ONE].count

    async def decide(self, act: Act, subject: bytes, proposer: str, *voters: str) -> None:
        """Proposed, and voted for by all of these, of whom the last carries it."""
        number = await self.propose(proposer, act, subject)
        for name in voters:
            await self.do(name, Vote(number, True))
        assert self.outcome(number) is Outcome.CARRIED

    async def observe(self, name: str, carrier: str) -> None:
        """A candidate's node names checkpoints until it has shown that it follows; another member carries its words,
        and may bring them too late."""
        candidate = self.member(name)
        needed = self.table(CONSORTIUM_TERMS)[THE_ONE].observed_blocks

        async def shown() -> bool:
            word = observation(self.network.folder.node(candidate.number).path, candidate.id)
            if word is not None and word.height > self.conduct(name).last_checkpoint:
                await self.say(carrier, word)
            return self.conduct(name).observed_blocks >= needed

        await self.network.until_answer(shown, f"{name} to have observed")

    # What the chain says.

    def table(self, table: Table[Any], number: int = 1) -> dict[bytes, Any]:
        """All records of a table, as a node has them."""
        return table_of(self.network, number, table)

    def outcome(self, number: int) -> Outcome:
        """Of a proposal."""
        return Outcome(self.table(PROPOSALS)[number.to_bytes(8, "big")].outcome)

    def record(self, name: str) -> Member:
        """What the chain says of an organisation."""
        found: Member = self.table(MEMBERS)[self.member(name).id]
        return found

    def conduct(self, name: str) -> Conduct:
        """How its node does."""
        found: Conduct = self.table(CONDUCT)[self.member(name).id]
        return found

    async def agreed(self) -> tuple[set[bytes], set[bytes]]:
        """Who could vote on a block of just now, and whose votes made it final."""
        async with CometRpc(self.network.folder.rpc(1)) as comet:
            block = await comet.light_block(int((await comet.status()).sync_info.latest_block_height) - 1)
        voters = {each.address for each in block.validators.members}
        return voters, {vote.validator for vote in block.commit.votes if vote.flag is VoteFlag.COMMIT}

    async def votes(self, public_key: bytes) -> None:
        """Wait until a vote of this key stands in a commit."""
        address = address_of(public_key)

        async def stands() -> bool:
            return address in (await self.agreed())[1]

        await self.network.until_answer(stands, "its vote in a commit")

    async def is_out(self, public_key: bytes) -> None:
        """Wait until this key is no validator's."""
        address = address_of(public_key)

        async def gone() -> bool:
            return address not in (await self.agreed())[0]

        await self.network.until_answer(gone, "its place to be another's")


def drilled(path: Path, file: NetworkFile) -> Iterator[Drill]:
    """The network, while a test or several drill with it; then its end, with all checks."""
    with asyncio.Runner() as runner:
        game = Game(path, file)
        try:
            runner.run(game.start())
            # Candidates' nodes follow.
            for number in range(file.validators + 1, file.validators + file.observers + 1):
                game.network.start_node(number)
            runner.run(game.network.blocks(1, game.network.plan.numbers))
            yield Drill(runner, game)
        finally:
            runner.run(game.end())
