"""How a chain names its rules: a tuple of module cards, in block order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, partial, reduce
from operator import or_
from typing import Any

from gridtokenx.ledger import (
    account,
    batch,
    consensus,
    freeze,
    header,
    limits,
    rotation,
    schedule,
    transaction,
    validator,
)
from gridtokenx.ledger.codec import Decoder, Message
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import KernelCode, Rejected
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

Committed = Callable[[State, Context, rotation.Agreed], None]
"""Told with each block how the one before it was agreed, in the order of blocks. One that fails is set aside, not the
block. On a chain without consensus, and with the first block of a consensus, there is nothing to tell."""


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
    while_frozen: frozenset[type[Message]] = frozenset()
    """Messages that are taken although the market is frozen."""
    waits: frozenset[int] = frozenset()
    """Kinds of scheduled work that wait while the market is frozen."""
    void: Void | None = None
    misbehaviour: Misbehaved | None = None
    commit: Committed | None = None
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
    rotation.ROTATION,
    freeze.FREEZE,
    freeze.PAST_FREEZES,
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
        """The handler of each kind of scheduled work, the kernel's own included. Kinds that wait while the market is
        frozen look for themselves: work that runs may freeze it for what comes after it in the same block."""
        own = {**transaction.SCHEDULED, **batch.SCHEDULED, **freeze.SCHEDULED}
        runs = own | {kind: run for module in self.modules for kind, run in module.scheduled.items()}
        waiting = frozenset(kind for module in self.modules for kind in module.waits)
        return {kind: partial(_unless_frozen, kind, run) if kind in waiting else run for kind, run in runs.items()}

    def handlers_now(self, state: State) -> Mapping[type[Message], Handler]:
        """The handlers that count: while the market is frozen most only refuse."""
        return self._handlers_while_frozen if freeze.is_frozen(state) else self.handlers

    @cached_property
    def while_frozen(self) -> frozenset[type[Message]]:
        """Messages that are taken although the market is frozen."""
        return frozenset(kind for module in self.modules for kind in module.while_frozen)

    @cached_property
    def _handlers_while_frozen(self) -> dict[type[Message], Handler]:
        return {kind: run if kind in self.while_frozen else _refuse_frozen for kind, run in self.handlers.items()}

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


def _refuse_frozen(state: State, context: Context, message: Message) -> tuple[int, ...]:
    raise Rejected(KernelCode.FROZEN, "messages")


def _unless_frozen(kind: int, run: ScheduledHandler, state: State, context: Context, payload: bytes) -> int:
    """While the market is frozen look again later whether it goes on."""
    if not freeze.is_frozen(state):
        return run(state, context, payload)
    schedule.add(state, context.time_ms + limits.FREEZE_RETRY_MS, kind, payload)
    return 1
