"""A linear program put together from arrays: each call adds as many variables or rows as its shapes say."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

Indices = NDArray[np.int64]
Numbers = NDArray[np.float64]
Term = tuple[float | Numbers, Indices]
"""Coefficients and variables. Row i of a constraint takes element i of the first axis and the sum over all others."""


class PlannerError(ValueError):
    """The planner cannot be asked this. The text says why and what to do."""


class LinearProgram:
    """Least cost over variables between bounds, subject to equalities and upper limits."""

    def __init__(self) -> None:
        self._size = 0
        self._costs: list[Numbers] = []
        self._lowest: list[Numbers] = []
        self._highest: list[Numbers] = []
        self._equal = _Rows()
        self._at_most = _Rows()

    def variables(
        self,
        shape: tuple[int, ...],
        cost: float | Numbers = 0.0,
        lowest: float | Numbers = 0.0,
        highest: float | Numbers = np.inf,
    ) -> Indices:
        """New variables, as an array of their indices; cost and bounds are broadcast to its shape."""
        count = int(np.prod(shape))
        for store, values in ((self._costs, cost), (self._lowest, lowest), (self._highest, highest)):
            store.append(np.broadcast_to(np.asarray(values, float), shape).ravel())
        self._size += count
        return np.arange(self._size - count, self._size).reshape(shape)

    def equal(self, right: Numbers, *terms: Term) -> None:
        """One row for each element of `right`: the terms sum to it."""
        self._equal.add(right, terms)

    def at_most(self, right: Numbers, *terms: Term) -> None:
        """One row for each element of `right`: the terms sum to it or less."""
        self._at_most.add(right, terms)

    def solve(self) -> tuple[float, Numbers]:
        """The least cost and the variables; raises `PlannerError` when nothing satisfies all rows."""
        bounds = np.column_stack([np.concatenate(self._lowest), np.concatenate(self._highest)])
        result: Any = linprog(
            np.concatenate(self._costs),
            A_ub=self._at_most.matrix(self._size),
            b_ub=self._at_most.right(),
            A_eq=self._equal.matrix(self._size),
            b_eq=self._equal.right(),
            bounds=bounds,
            method="highs",
        )
        if result.status != 0:
            raise PlannerError(f"no plan satisfies every rule ({result.message}); check capacities and charges")
        return float(result.fun), np.asarray(result.x, float)


class _Rows:
    """The rows of one kind, as a sparse matrix in the making."""

    def __init__(self) -> None:
        self._count = 0
        self._entries: list[tuple[Numbers, Indices, Indices]] = []
        self._right: list[Numbers] = []

    def add(self, right: Numbers, terms: tuple[Term, ...]) -> None:
        flat = np.asarray(right, float).ravel()
        if not flat.size:
            return
        rows = np.arange(self._count, self._count + flat.size)
        for coefficient, variables in terms:
            columns = variables.reshape(flat.size, -1)
            factors = np.broadcast_to(np.asarray(coefficient, float), variables.shape).reshape(columns.shape)
            places = np.broadcast_to(rows[:, None], columns.shape)
            self._entries.append((factors.ravel(), places.ravel(), columns.ravel()))
        self._right.append(flat)
        self._count += flat.size

    def right(self) -> Numbers:
        return np.concatenate(self._right) if self._right else np.zeros(0)

    def matrix(self, columns: int) -> Any:
        shape = (self._count, columns)
        if not self._entries:
            return sparse.csr_matrix(shape)
        factors, places, variables = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        return sparse.csr_matrix((factors, (places, variables)), shape=shape)
