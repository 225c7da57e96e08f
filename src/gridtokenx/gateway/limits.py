"""How much one caller may ask for: buckets that fill with time.

Memory is bounded: of so many callers at once each bucket keeps one number, and forgets whoever has not been heard of
for longest. Who is forgotten has a full bucket again, which is also what time would have given.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

CALLERS_MAX = 50_000
"""Of one bucket; about 8 MB."""
ROUNDING_S = 1e-6
"""Less than this is no reason to wait, but a matter of binary fractions."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many a second in the long run, and at most `burst` at once. `unit` is what is counted, for people."""

    unit: str
    per_second: float
    burst: int


READS = Budget("requests", 300, 3_000)
"""A page is some thirty requests, and a village may share one address."""
SUBMISSIONS = Budget("transactions", 500, 5_000)
"""Counted in transactions, however they are packed: ten requests of full size at once."""
SIGN_INS = Budget("sign-ins", 5, 100)
"""Challenges and signed challenges: signatures are checked for the latter. A sign-in takes one of each."""
GIFTS = Budget("requests to the faucet", 0.1, 5)
PERSONAL = Budget("requests", 50, 500)
"""Of one account, from wherever they come."""
STREAM_REQUESTS = Budget("messages and topics", 50, 1_000)
"""Of one listener: all books of two days at once, several times."""
STREAMS_MAX = 200
"""Listeners at one address."""


class Buckets:
    """One budget for many callers. What a caller has left is told by one time: when its bucket will be full again."""

    def __init__(
        self, budget: Budget, callers_max: int = CALLERS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds."""
        self.budget = budget
        self._callers_max = callers_max
        self._clock = clock
        self._full_at: OrderedDict[str | bytes, float] = OrderedDict()

    def __len__(self) -> int:
        """Callers that are remembered."""
        return len(self._full_at)

    def wait_s(self, caller: str | bytes, count: int = 1) -> float:
        """Seconds until the caller may have so many (at most `burst`); 0.0 for now. Nothing is taken."""
        return self._look(caller, count)[0]

    def take(self, caller: str | bytes, count: int = 1) -> float:
        """0.0 when the caller may have so many (at most `burst`), and has got them; else the seconds after which it
        may, and nothing was taken."""
        wait_s, full_at = self._look(caller, count)
        if not wait_s:
            self._full_at[caller] = full_at
            self._full_at.move_to_end(caller)
            if len(self._full_at) > self._callers_max:
                self._full_at.popitem(last=False)
        return wait_s

    def _look(self, caller: str | bytes, count: int) -> tuple[float, float]:
        """(seconds to wait, when the bucket would be full again)."""
        budget, now = self.budget, self._clock()
        full_at = max(self._full_at.get(caller, now), now) + count / budget.per_second
        too_early_s = full_at - now - budget.burst / budget.per_second
        return (too_early_s if too_early_s > ROUNDING_S else 0.0), full_at
