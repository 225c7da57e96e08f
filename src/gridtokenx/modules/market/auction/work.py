"""Long work in slices: what is between two slices is one number.

A piece of work is a generator that yields, after each bounded bit, how many steps that bit took (at least 1), and
returns its result. It is pure, so the number of steps done says where it is: state keeps that number, memory keeps the
generator. After a restart, or when state was rolled back behind memory, begin anew and advance to the number in state:
the same bits end at the same numbers.
"""

from collections.abc import Generator
from typing import Generic, TypeVar

T = TypeVar("T")

Steps = Generator[int, None, T]


class Work(Generic[T]):
    """`done` steps of it are done."""

    __slots__ = ("_steps", "done")

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.done = 0

    def advance_to(self, steps: int) -> T | None:
        """Go on until at least so many steps are done in all; the result, once there is one. After that, or after
        an exception, it must not be asked again."""
        while self.done < steps:
            try:
                self.done += next(self._steps)
            except StopIteration as end:
                result: T = end.value
                return result
        return None
