"""Coordinates of different kinds side by side: two-sided, one-sided, frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SeparablePotential(AbstractPotential):
    """Q(w) = sum over parts of Q_part(w[indices]); a coordinate in no part is frozen at 0, its Q is 0 there only."""

    dimension: int
    parts: tuple[tuple[Indices, AbstractPotential], ...]

    latex: ClassVar[str] = r"Q(w) = \sum_i q_i(w_i)"

    def value(self, w: Array) -> float:
        return float(np.sum(self.terms(w)))

    def gradient(self, w: Array) -> Array:
        """grad Q; 0 for a frozen coordinate, which takes part in no stationarity condition."""
        return self._gather(lambda part, indices: part.gradient(w[indices]))

    def terms(self, w: Array) -> Array:
        frozen = np.ones(self.dimension, dtype=bool)
        for indices, _ in self.parts:
            frozen[indices] = False
        terms = self._gather(lambda part, indices: part.terms(w[indices]))
        return np.where(frozen & (w != 0.0), np.inf, terms)

    def inverse(self, R: Array) -> Array:
        return self._gather(lambda part, indices: part.inverse(R[..., indices]), R.shape[:-1])

    def start(self) -> SeparableState:
        return SeparableState.join(self.dimension, tuple((indices, part.start()) for indices, part in self.parts))

    def domain(self) -> tuple[Array, Array]:
        lower = self._gather(lambda part, indices: part.domain()[0])
        upper = self._gather(lambda part, indices: part.domain()[1])
        return lower, upper

    def _gather(self, evaluate: Callable[[AbstractPotential, Indices], Array], lead: tuple[int, ...] = ()) -> Array:
        result = np.zeros((*lead, self.dimension))
        for indices, part in self.parts:
            result[..., indices] = evaluate(part, indices)
        return result


@dataclass(frozen=True, eq=False)
class SeparableState(AbstractMirrorState):
    """The states of the parts, and their R, w and slope in the order of the coordinates."""

    parts: tuple[tuple[Indices, AbstractMirrorState], ...]
    R: Array
    w: Array
    slope: Array

    @classmethod
    def join(cls, dimension: int, parts: tuple[tuple[Indices, AbstractMirrorState], ...]) -> Self:
        """Scatters the parts; frozen coordinates keep R, w and slope at 0."""
        R, w, slope = np.zeros(dimension), np.zeros(dimension), np.zeros(dimension)
        for indices, part in parts:
            R[indices], w[indices], slope[indices] = part.R, part.w, part.slope
        return cls(parts=parts, R=R, w=w, slope=slope)

    def longest_step(self, direction: Array) -> float:
        return min((part.longest_step(direction[indices]) for indices, part in self.parts), default=np.inf)

    def advance(self, change: Array) -> tuple[Self, Array]:
        moved, gains = [], np.zeros_like(self.w)
        for indices, part in self.parts:
            state, gains[indices] = part.advance(change[indices])
            moved.append((indices, state))
        return self.join(self.w.size, tuple(moved)), gains
