"""How a chain names its rules: a tuple of module cards, in block order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, reduce
from operator import or_
from typing import Any

from gridtokenx.ledger import account, batch, consensus, header, schedule, transaction, validator
from gridtokenx.ledger.codec import Decoder, Message
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.schedule import ScheduledHandler
from gridtokenx.ledger.state import Index, State, Table
from gridtokenx.ledger.transaction import Body

Handler = Callable[[State, Context, Any], tuple[int, ...]]
"""Does what one message asks, or raises `Rejected`. Returns the numbers that the receipt shows."""

Void = Callable[[State, Context, header.LastBlock, Sequence[bytes]], None]
"""Given a block that traded on a stale clock and its trades, sees to it that those are voided which the true time would
not have allowed: before any other work that is due."""

Misbehaved = Callable[[State, Context, validator.Misbehaviour], None]
"""Told of each item of evidence that comes with a block from consensus. One that fails is set aside, not the block."""


@dataclass(frozen=True)
class Module:
    """One house: what can be asked, what is kept, which rules hold."""

    name: str
    codes: type[IntEnum]
    tables: tuple[Table[Any], ...]
    handlers: Mapping[type[Message], Handler]
    scheduled: Mapping[int, ScheduledHandler] = field(default_factory=dict)
    indexes: tuple[Index[Any], ...] = ()
    urgent: frozenset[type[Message]] = frozenset()
    """Emergency and authority messages: first in a block."""
    cancels: frozenset[type[Message]] = frozenset()
    """Messages that only cancel: second in a block."""
    void: Void | None = None
    misbehaviour: Misbehaved | None = None
    invariants: Callable[[State], Iterator[str]] = lambda state: iter(())
    """Sentences about what does not hold; nothing when all is well."""


KERNEL_TABLES: tuple[Table[Any], ...] = (
    account.ACCOUNTS,
    account.ROTATED_KEYS,
    account.PENDING_KEYS,
    schedule.SCHEDULE,
    schedule.SET_ASIDE,
    batch.NODES,
    batch.BATCHES,
    header.LAST_BLOCK,
    consensus.CONSENSUS,
    validator.VALIDATORS,
)


@dataclass(frozen=True)
class Chain:
    """A kind of chain: its modules, and the tables looked up from them once."""

    kind: str
    protocol: int
    modules: tuple[Module, ...]

    @cached_property
    def tables(self) -> dict[int, Table[Any]]:
        """All tables by prefix."""
        tables = [*KERNEL_TABLES, *(table for module in self.modules for table in module.tables)]
        by_prefix = {table.prefix: table for table in tables}
        assert len(by_prefix) == len(tables), "two tables share a prefix"
        return by_prefix

    @cached_property
    def handlers(self) -> dict[type[Message], Handler]:
        """The handler of each message type."""
        return {kind: handler for module in self.modules for kind, handler in module.handlers.items()}

    @cached_property
    def scheduled(self) -> dict[int, ScheduledHandler]:
        """The handler of each kind of scheduled work, the kernel's own included."""
        own = {**transaction.SCHEDULED, **batch.SCHEDULED}
        return own | {kind: run for module in self.modules for kind, run in module.scheduled.items()}

    @cached_property
    def indexes(self) -> tuple[Index[Any], ...]:
        """All derived structures."""
        return (schedule.DUE, *(index for module in self.modules for index in module.indexes))

    @cached_property
    def urgent(self) -> frozenset[type[Message]]:
        """Messages that go first in a block. A transaction of nothing else does."""
        return frozenset(kind for module in self.modules for kind in module.urgent)

    @cached_property
    def order_class(self) -> dict[type[Message], int]:
        """0 urgent, 1 only cancels, 2 the rest: the first key of the order inside a block."""
        classes = dict.fromkeys(self.handlers, 2)
        for module in self.modules:
            classes |= dict.fromkeys(module.cancels, 1)
        return classes | dict.fromkeys(self.urgent, 0)

    @cached_property
    def body(self) -> Decoder[Body[Any]]:
        """Decoder of a transaction's body with the messages of this chain."""
        return Decoder(Body[reduce(or_, self.handlers)])  # type: ignore[misc]

    @cached_property
    def codes(self) -> dict[int, str]:
        """Every code and its name."""
        kinds: tuple[type[IntEnum], ...] = (KernelCode, *(module.codes for module in self.modules))
        return {int(code): code.name for kind in kinds for code in kind}
