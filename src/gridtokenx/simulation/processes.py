"""Long calculations side by side: one function, many arguments, some processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


def in_processes(
    function: Callable[[Given], Found],
    tasks: Sequence[Given],
    processes: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Found]:
    """The function's answers in the order of the tasks; `progress` is told how many of how many are there.

    With one process it happens in this one. An exception of a task comes out here; tasks not begun are dropped.
    """
    answers: dict[int, Found] = {}
    if processes == 1:
        for number, task in enumerate(tasks):
            answers[number] = function(task)
            progress(len(answers), len(tasks))
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(function, task): number for number, task in enumerate(tasks)}
            try:
                for future in as_completed(futures):
                    answers[futures[future]] = future.result()
                    progress(len(answers), len(tasks))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [answers[number] for number in range(len(tasks))]
