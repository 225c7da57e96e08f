"""What tables that are keyed by delivery interval know of each interval."""

from typing import Any

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State, Table


class KeysByInterval:
    """The keys of a table keyed by interval ‖ something, by interval; derived from the table, and journaled as it
    is. It holds the very keys of the table, not copies."""

    def __init__(self, table: Table[Any], state: State) -> None:
        self.table = table
        self.rows = state.rows[table.prefix]
        self.by_interval: dict[bytes, dict[bytes, None]] = {}
        for key in self.rows:
            self._insert(key, None)

    def put(self, state: State, key: bytes, record: Record) -> None:
        """Write the record, and remember its key if it is new."""
        if key not in self.rows:
            state.undo.append((self._discard, key, None))
            self._insert(key, None)
        state.put(self.table, key, record)

    def delete(self, state: State, key: bytes) -> None:
        """Delete the record, and forget its key."""
        state.delete(self.table, key)
        state.undo.append((self._insert, key, None))
        self._discard(key, None)

    def of(self, interval: int) -> list[bytes]:
        """What follows the interval in its keys, in key order."""
        return sorted([key[4:] for key in self.by_interval.get(interval_key(interval), ())])

    # These two are steps of the journal too, hence their shape.

    def _insert(self, key: bytes, _: None) -> None:
        self.by_interval.setdefault(key[:4], {})[key] = None

    def _discard(self, key: bytes, _: None) -> None:
        own = self.by_interval[key[:4]]
        del own[key]
        if not own:
            del self.by_interval[key[:4]]
