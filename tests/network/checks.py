"""What must hold of a network after whatever was done to it.

All nodes stand on one chain: the same app hash at every height, and each database's records have it. The ledger knows
the validators' turns as CometBFT does. Supply is conserved and every invariant holds. No accepted order has vanished.
No node raises an alarm without a reason.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence

from tests.invariants import check_indexes, check_modules
from tests.network.live import LiveNetwork, Trouble

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.comet.rpc import CometRpc, HeightMissing
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.genesis import load_state
from gridtokenx.ledger.rotation import ROTATION, ROTATION_KEY
from gridtokenx.operations.network.programs import CHAIN
from gridtokenx.operations.verify import verify_folder
from gridtokenx.simulation.auditor import Auditor

IDS_PER_QUESTION = 1_000
SHOWN_MAX = 5


class Checks:
    """Of one network; what was compared once need not be compared again."""

    def __init__(self, network: LiveNetwork) -> None:
        self._network = network
        self._hashes: dict[int, bytes] = {}
        """App hash by height, as the first node that was asked has it."""
        self._compared: dict[int, int] = {}
        """How far each node's history was compared."""
        self._begins: dict[int, int] = {}
        """The height at which each node's history begins."""
        self._settled: set[bytes] = set()
        """Orders whose end all nodes knew."""
        self._known_alarms: set[tuple[int, str]] = set()

    async def everything(self, alarms: Sequence[str], codes: Container[int]) -> None:
        """While the network runs. `alarms`: parts of what nodes may rightly say; `codes`: what may become of an order.
        Raises `Trouble`."""
        network = self._network
        await network.load.rest()
        nodes = network.running
        await network.blocks(2, nodes)
        self._stand_on_one_chain(nodes)
        await self._follow_turns(nodes)
        await self._settle(nodes, codes)
        await self._listen(nodes, alarms)
        if network.load.refused:
            raise Trouble(_some("orders were refused", network.load.refused))

    def stored(self, numbers: Iterable[int]) -> None:
        """After the end: all that lies in the folders of these nodes replays to what is stored. Raises `Trouble`."""
        for number in numbers:
            found = verify_folder(self._network.folder.node(number), CHAIN, workers=1)
            if not found.is_sound:
                raise Trouble(_some(f"verify finds in the folder of node {number}", found.findings))

    async def _settle(self, nodes: Sequence[int], codes: Container[int]) -> None:
        """Every accepted order is in one block, or has expired, whoever is asked."""
        waiting: dict[bytes, list[Answer]] = {}

        async def settled() -> bool:
            names = [name for name in self._network.load.accepted if name not in self._settled]
            asked = await asyncio.gather(*(self._ask(number, names) for number in nodes))
            waiting.clear()
            for name, answers in zip(names, zip(*asked, strict=True), strict=True):
                if self._is_settled(name, dict(zip(nodes, answers, strict=True)), codes):
                    self._settled.add(name)
                else:
                    waiting[name] = list(answers)
            return not waiting

        try:
            await self._network.until_answer(settled, "every accepted order to be in a block")
        except Trouble as trouble:
            lost = [
                f"order {name.hex()[:16]}, accepted by node {self._network.load.accepted[name]}: "
                + ", ".join(f"{number} says {one.standing.name}" for number, one in zip(nodes, answers, strict=True))
                for name, answers in waiting.items()
            ]
            raise Trouble(_some(str(trouble), lost)) from None

    def _is_settled(self, name: bytes, answers: dict[int, Answer], codes: Container[int]) -> bool:
        """Whether all know its end, which is the same for all. An order that no block took in time is `EXPIRED` where
        it was accepted; who never heard of it need not know that. A node knows nothing of the time before the
        snapshot that it began with."""
        ends = {(one.height, one.code) for one in answers.values() if one.standing is Standing.COMMITTED}
        if not ends:
            author = answers.get(self._network.load.accepted[name])
            others = {one.standing for one in answers.values()}
            return (
                author is not None
                and author.standing is Standing.EXPIRED
                and others <= {Standing.EXPIRED, Standing.UNKNOWN}
            )
        if len(ends) > 1:
            raise Trouble(f"order {name.hex()[:16]} has different ends on different nodes: {sorted(ends)}")
        ((height, code),) = ends
        if code not in codes:
            raise Trouble(f"order {name.hex()[:16]} was accepted, and has code {code} in block {height}")
        return all(
            one.standing is Standing.COMMITTED or height <= self._begins[number] for number, one in answers.items()
        )

    async def _ask(self, number: int, names: Sequence[bytes]) -> list[Answer]:
        link = await NodeLink.connect(self._network.folder.node(number).socket)
        try:
            return [
                answer
                for start in range(0, len(names), IDS_PER_QUESTION)
                for answer in await link.status(names[start : start + IDS_PER_QUESTION])
            ]
        finally:
            await link.close()

    def _stand_on_one_chain(self, nodes: Sequence[int]) -> None:
        for number in nodes:
            with reading(self._network.folder.node(number)) as reader:
                self.compare(number, reader)
                check_state(number, reader)

    async def _follow_turns(self, nodes: Sequence[int]) -> None:
        """Each node's state has its CometBFT's powers and priorities."""
        for number in nodes:

            async def followed(number: int = number) -> bool:
                return await self._follows_turns(number)

            await self._network.until_answer(followed, f"a block that node {number} and its CometBFT both know")

    async def _follows_turns(self, number: int) -> bool:
        """False while CometBFT does not know the node's last block, nor ever will: it is that of a snapshot."""
        with reading(self._network.folder.node(number)) as reader:
            rotation = load_state(CONSORTIUM, reader.scan())[0].get(ROTATION, ROTATION_KEY)
        if rotation is None:
            raise Trouble(f"node {number} knows no turns")
        async with CometRpc(self._network.folder.rpc(number)) as comet:
            try:
                answer = await comet.validators(rotation.height)
            except HeightMissing:
                return False
        said = {
            bytes.fromhex(one.address): (int(one.voting_power), int(one.proposer_priority)) for one in answer.validators
        }
        kept = {one.address: (one.power, one.priority) for one in rotation.voters.each}
        if kept != said:
            raise Trouble(f"block {rotation.height}: node {number} has voters {kept}, CometBFT says {said}")
        return True

    def compare(self, number: int, reader: Reader) -> None:
        """Each block that the node has since the last look with what the others have."""
        head, beginning = reader.head(), reader.beginning()
        assert head is not None
        self._begins[number] = beginning.height if beginning else 0
        first = max(self._compared.get(number, 0), self._begins[number]) + 1
        for height in range(first, head.height + 1):
            results = reader.results(height)
            if results is None:
                raise Trouble(f"node {number} has block {head.height}, but not what block {height} did")
            known = self._hashes.setdefault(height, results.app_hash)
            if known != results.app_hash:
                raise Trouble(
                    f"block {height}: node {number} has app hash {results.app_hash.hex()}, others {known.hex()}"
                )
        self._compared[number] = head.height

    async def _listen(self, nodes: Sequence[int], allowed: Sequence[str]) -> None:
        for number in nodes:
            await self._network.hear(number)
        found = {(number, alarm) for number, alarms in self._network.heard.items() for alarm in alarms}
        new = sorted(found - self._known_alarms)
        self._known_alarms |= found
        strange = [f"node {number}: {alarm}" for number, alarm in new if not any(part in alarm for part in allowed)]
        if strange:
            raise Trouble(_some("alarms without a reason", strange))


@contextlib.contextmanager
def reading(folder: DataFolder) -> Iterator[Reader]:
    """What the node's database has now, though the node may be running."""
    own_files = folder.run / "checks"
    reader = Reader(folder.database, own_files)
    try:
        yield reader
    finally:
        reader.close()
        shutil.rmtree(own_files, ignore_errors=True)


def voided_wh(folder: DataFolder) -> int:
    """How much energy of trades the node's chain has taken back so far."""
    with reading(folder) as reader:
        head = reader.head()
        assert head is not None
        found = [reader.results(height) for height in range(1, head.height + 1)]
        return sum(results.summary.voided_wh for results in found if results is not None)


def is_restored(folder: DataFolder) -> bool:
    """Whether the node goes on from a snapshot."""
    with reading(folder) as reader:
        return reader.beginning() is not None


def check_state(number: int, reader: Reader) -> None:
    """The records in a node's database are those of its head's app hash, and all of them add up. Raises `Trouble`."""
    head = reader.head()
    assert head is not None
    rows = tuple(reader.scan())
    state, commitment = load_state(CONSORTIUM, rows)
    if commitment.root() != head.app_hash:
        raise Trouble(f"node {number}: the records are not those of block {head.height}")
    try:
        check_modules(state)
        check_indexes(state)
    except AssertionError as broken:
        raise Trouble(f"node {number}, block {head.height}: {broken}") from broken
    if findings := Auditor(CONSORTIUM, rows).check_state(rows):
        raise Trouble(_some(f"node {number}, block {head.height}", findings))


def _some(what: str, findings: Sequence[object]) -> str:
    more = f"\n  and {len(findings) - SHOWN_MAX} more" if len(findings) > SHOWN_MAX else ""
    return f"{what}:" + "".join(f"\n  {finding}" for finding in findings[:SHOWN_MAX]) + more
