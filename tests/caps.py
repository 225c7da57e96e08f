"""The caps on changes of the validator set, watched block by block and counted apart from the rules that keep them."""

from tests.consortium import Consortium

from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.validator import address_of, validators_of
from gridtokenx.modules.authority.messages import Standing
from gridtokenx.modules.authority.state import KEY_OWNERS, MEMBERS, epoch_of

Change = tuple[set[bytes], set[bytes]]
"""Owners that went and that came in one block."""


class Seats:
    """Watches a consortium's validator set block by block: no cap is ever passed, and consensus is told exactly the
    difference."""

    def __init__(self, consortium: Consortium) -> None:
        self.consortium = consortium
        self.before = validators_of(consortium.world.state)
        self.changes: list[Change] = []
        """Of each block."""
        self.of_epoch = 0
        self.epoch = epoch_of(consortium.world.state).number
        self.suspended: set[bytes] = set()
        """Members who were, before the block."""
        consortium.world.watchers.append(self.look)

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        """After one block."""
        state = self.consortium.world.state
        before, after = self.before, validators_of(state)
        told = {address_of(key): (key, power) for key, power in outcome.validator_updates}
        expected = {
            address: (
                (after.get(address) or before[address]).public_key,
                after[address].power if address in after else 0,
            )
            for address in before.keys() | after.keys()
            if (before.get(address) and before[address].power) != (after.get(address) and after[address].power)
        }
        assert told == expected
        gone, come = before.keys() - after.keys(), after.keys() - before.keys()
        assert 3 * len(gone) < len(before) or not gone, f"{len(gone)} of {len(before)} went in block {block.height}"
        assert 3 * len(come) < len(after) or not come, f"{len(come)} of {len(after)} came in block {block.height}"
        powers = {validator.power for validator in after.values()}
        terms = self.consortium.terms
        assert powers == {terms.seat_power}, "seats have different power"
        assert len(after) >= min(len(before), terms.seats_min) and after
        owners = [self.owner(address) for address in after]
        assert len(owners) == len(set(owners)), "a member votes twice"
        self._count_epoch(gone, come)
        self.before = after

    def _count_epoch(self, gone: set[bytes], come: set[bytes]) -> None:
        state = self.consortium.world.state
        if epoch_of(state).number != self.epoch:
            self.epoch, self.of_epoch = epoch_of(state).number, 0
        went, came = {self.owner(address) for address in gone}, {self.owner(address) for address in come}
        self.changes.append((went, came))
        now = {name for name, member in state.items(MEMBERS) if member.standing == Standing.SUSPENDED}
        # A suspended member's seat goes at once, and counts for no cap: also in the block that brings the member back.
        self.of_epoch += len((went | came) - (went & (now | self.suspended)))
        self.suspended = now
        assert self.of_epoch <= self.consortium.terms.epoch_changes, "too many seats changed in this epoch"

    def owner(self, address: bytes) -> bytes:
        """The member that votes with a key; the address of one that is nobody's."""
        owner = self.consortium.world.state.get(KEY_OWNERS, address)
        return owner.member if owner else address
