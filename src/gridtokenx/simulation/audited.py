"""An application whose every block is read by the auditor: what `simulate --check` runs on."""

from typing import BinaryIO

from gridtokenx.engine.application import Application
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.block import Block, BlockOutcome, CountSignatures, Observe
from gridtokenx.ledger.genesis import rows_of
from gridtokenx.ledger.module import Chain
from gridtokenx.simulation.auditor import Auditor


class AuditedApplication(Application):
    """Begins with a genesis, never in the middle of a chain: the auditor has to see every block."""

    def __init__(self, chain: Chain, storage: Storage | None = None) -> None:
        super().__init__(chain, storage)
        self.findings: list[str] = []
        """What does not hold, in the order in which it was found."""

    def init_chain(self, genesis: bytes | BinaryIO) -> bytes:
        """As any application; the genesis is audited too."""
        app_hash = super().init_chain(genesis)
        rows = tuple(rows_of(self.chain, self.state))
        self._auditor = Auditor(self.chain, rows)
        self.findings += self._auditor.check_state(rows)
        return app_hash

    def finalize_block(
        self,
        block: Block,
        count_signatures: CountSignatures | None = None,
        observe: Observe = lambda phase: None,
    ) -> BlockOutcome:
        """As any application, with a look at what the block changed."""
        outcome = super().finalize_block(block, count_signatures, observe)
        self.findings += self._auditor.check_block(block, outcome)
        return outcome

    def audit_state(self) -> None:
        """A look at everything, for the end."""
        self.findings += self._auditor.check_state(rows_of(self.chain, self.state))
