"""A node that makes a mistake: in its third block it finds a millionth of a WATT in somebody's account.

It takes the arguments of `gridtokenx.engine.node`.
"""

import sys
from typing import Any

import msgspec

from gridtokenx.engine import application, node
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome, apply_block
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.state import State

BLOCKS_RIGHT = 2


class Mistaken:
    """Applies blocks, one of them wrongly."""

    def __init__(self) -> None:
        self.blocks = 0

    def __call__(self, chain: Chain, state: State, *arguments: Any) -> BlockOutcome:
        self.blocks += 1
        if self.blocks == BLOCKS_RIGHT + 1:
            account_id, account = next(state.items(ACCOUNTS))
            state.put(ACCOUNTS, account_id, msgspec.structs.replace(account, balance_micro=account.balance_micro + 1))
        return apply_block(chain, state, *arguments)


if __name__ == "__main__":
    application.apply_block = Mistaken()
    sys.exit(node.main())
