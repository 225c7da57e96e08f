"""What an agent did, in sums."""

from collections.abc import Iterable, Sequence

import msgspec

from gridtokenx.client.standing.memory import Became, Entry, Written


class InstructionLine(msgspec.Struct):
    """Of one instruction: orders that the ledger took, their Wh, what of it filled at once; transactions of which the
    outcome is not known yet; the name of the last refusal, empty if none came after the last order that was taken."""

    name: str
    placed: int = 0
    placed_wh: int = 0
    filled_wh: int = 0
    open: int = 0
    last_refusal: str = ""


def summarise(names: Sequence[str], entries: Iterable[Entry]) -> list[InstructionLine]:
    """In the order of the names; also of instructions that are no longer among them."""
    lines = {name: InstructionLine(name) for name in names}
    written: dict[str, Written] = {}
    for entry in entries:
        if isinstance(entry, Written):
            written[entry.id] = entry
            lines.setdefault(entry.instruction, InstructionLine(entry.instruction)).open += 1
        elif isinstance(entry, Became):
            order = written[entry.id]
            line = lines[order.instruction]
            line.open -= 1
            if entry.code:
                line.last_refusal = entry.name
            elif not entry.expired:
                line.placed += 1
                line.placed_wh += order.quantity_wh
                line.filled_wh += entry.filled_wh
                line.last_refusal = ""
    return list(lines.values())
