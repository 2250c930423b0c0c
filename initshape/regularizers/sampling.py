"""One regularizer at many points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import AbstractPotential, AbstractRegularizer, Array
from initshape.regularizers.l1 import L1Norm

AT_ONCE = 1 << 11
"""Numbers that are evaluated between two looks at the clock."""

Indices = NDArray[np.intp]
Copies = Callable[[Indices], AbstractRegularizer]
Separable = AbstractPotential | L1Norm


class TooLongError(Exception):
    """The time is over."""


class NotDefinedError(Exception):
    """What was asked for does not exist for this Q; the message says why."""


@runtime_checkable
class Invertible(Protocol):
    """A Q whose gradient has an inverse."""

    def inverse(self, R: Array) -> Array:
        """The w with gradient R. **Shape**: (d,)."""


@runtime_checkable
class Radial(Protocol):
    """A function of ||w|| and a linear term."""

    def profile(self, x: Array) -> Array:
        """qhat(x), x >= 0 of any shape."""

    def profile_slope(self, x: Array) -> Array:
        """qhat'(x)."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """Evaluates a regularizer of w in `dimension` d until the `deadline` (of `time.monotonic`).

    `copies(indices)`, where there is one, is a Q whose coordinate k is a copy of coordinate indices[k]: then many
    points of a sum over coordinates are one long vector.

    **Errors**: TooLongError; NotDefinedError.
    """

    regularizer: AbstractRegularizer
    dimension: int
    copies: Copies | None = None
    deadline: float = np.inf

    def within(self, seconds: float) -> Sampler:
        """The same with a deadline so many seconds from now."""
        return replace(self, deadline=time.monotonic() + seconds)

    def value(self, points: Array) -> Array:
        """Q. **Shape**: (n, d) -> (n,)."""
        q = self.regularizer
        if isinstance(q, Separable):
            return np.asarray(self._spread(_terms, points, np.arange(self.dimension)).sum(axis=-1))
        return np.array([q.value(w) for w in self._timed(points)])

    def gradient(self, points: Array) -> Array:
        """grad Q. **Shape**: (n, d) -> (n, d)."""
        q = self.regularizer
        if isinstance(q, Separable):
            return self._spread(_gradient, points, np.arange(self.dimension))
        return np.array([q.gradient(w) for w in self._timed(points)])

    def inverse(self, points: Array) -> Array:
        """(grad Q)^-1. **Shape**: (n, d) -> (n, d)."""
        q = self.regularizer
        if isinstance(q, AbstractPotential):
            return self._spread(_inverse, points, np.arange(self.dimension))
        if isinstance(q, Invertible):
            return np.array([q.inverse(R) for R in self._timed(points)])
        raise NotDefinedError("the gradient of this Q has no inverse")

    @property
    def profile_of(self) -> Literal["norm", "coordinate"]:
        """What the profile is a function of."""
        return "norm" if isinstance(self.regularizer, Radial) else "coordinate"

    def profile(self, x: Array, coordinate: int) -> tuple[Array, Array]:
        """qhat and qhat' at ||w|| = |x|; or q_i and q_i' at w_i = x of the coordinate i. **Shape**: (n,) each."""
        q = self.regularizer
        if isinstance(q, Radial):
            return q.profile(np.abs(x)), q.profile_slope(np.abs(x))
        if not isinstance(q, Separable):
            raise NotDefinedError("this Q is neither a sum over coordinates nor a function of the norm")
        column = np.array([coordinate])
        return self._spread(_terms, x[:, None], column)[:, 0], self._spread(_gradient, x[:, None], column)[:, 0]

    def _spread(
        self, evaluate: Callable[[AbstractRegularizer, Array], Array], points: Array, coordinates: Indices
    ) -> Array:
        """A function of each coordinate. **Shape**: points (n, k) with the values of k `coordinates` -> (n, k)."""
        if self.copies is None:
            return np.array([self._one(evaluate, row, coordinates) for row in self._timed(points)])
        # A grid repeats few values of each coordinate.
        columns = [np.unique(column, return_inverse=True) for column in points.T]
        indices = np.repeat(coordinates, [values.size for values, _ in columns])
        values = np.concatenate([values for values, _ in columns])
        flat = np.empty(values.size)
        for begin in range(0, values.size, AT_ONCE):
            self._look_at_the_clock()
            part = slice(begin, begin + AT_ONCE)
            flat[part] = evaluate(self.copies(indices[part]), values[part])
        parts = np.split(flat, np.cumsum([values.size for values, _ in columns])[:-1])
        return np.stack([part[place] for part, (_, place) in zip(parts, columns, strict=True)], axis=1)

    def _one(
        self, evaluate: Callable[[AbstractRegularizer, Array], Array], values: Array, coordinates: Indices
    ) -> Array:
        w = np.zeros(self.dimension)
        w[coordinates] = values
        return evaluate(self.regularizer, w)[coordinates]

    def _timed(self, points: Array) -> Iterator[Array]:
        for point in points:
            self._look_at_the_clock()
            yield point

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self.deadline:
            raise TooLongError


def _terms(q: AbstractRegularizer, w: Array) -> Array:
    assert isinstance(q, Separable)  # noqa: S101 - copies of a sum are sums
    return q.terms(w)


def _gradient(q: AbstractRegularizer, w: Array) -> Array:
    return q.gradient(w)


def _inverse(q: AbstractRegularizer, w: Array) -> Array:
    assert isinstance(q, AbstractPotential)  # noqa: S101
    return q.inverse(w)
