"""A queue that many use and nobody can fill for the others: next is whoever has had the least so far."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items of several parties, each with its size; of one party in their order. What is put first comes before all.

    Not for several threads at once. Who has nothing here gains nothing by that: coming back, a party begins with what
    the one before it had.
    """

    def __init__(self) -> None:
        self._first: deque[tuple[T, int]] = deque()
        self._waiting: dict[bytes, deque[tuple[T, int]]] = {}
        self._had: dict[bytes, int] = {}
        """Of those who wait: the sizes of what they got."""
        self._least = 0
        """What the last one to be served had had."""

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._first or self._waiting)

    def put(self, party: bytes, item: T, size: int) -> None:
        """Behind what this party has here already."""
        if party not in self._waiting:
            self._waiting[party] = deque()
            self._had[party] = self._least
        self._waiting[party].append((item, size))

    def put_first(self, item: T, size: int) -> None:
        """Behind what was put first before."""
        self._first.append((item, size))

    def hasten(self, wanted: Callable[[T], bool]) -> None:
        """What is wanted comes first from now on."""
        for party, items in list(self._waiting.items()):
            found = [one for one in items if wanted(one[0])]
            if found:
                self._first.extend(found)
                self._keep(party, deque(one for one in items if not wanted(one[0])))

    def next(self) -> T:
        """What `take` would give. IndexError if there is nothing."""
        return (self._first or self._waiting[self._turn()])[0][0]

    def take(self) -> T:
        """The next item. IndexError if there is nothing."""
        if self._first:
            return self._first.popleft()[0]
        party = self._turn()
        item, size = self._waiting[party].popleft()
        self._least = self._had[party]
        self._had[party] += size
        self._keep(party, self._waiting[party])
        return item

    def _turn(self) -> bytes:
        if not self._waiting:
            raise IndexError("there is nothing in the queue")
        return min(self._waiting, key=self._had.__getitem__)

    def _keep(self, party: bytes, items: deque[tuple[T, int]]) -> None:
        if items:
            self._waiting[party] = items
        else:
            del self._waiting[party], self._had[party]
