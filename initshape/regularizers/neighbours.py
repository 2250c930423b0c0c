"""What fits of one data set with similar potentials tell each other: where the next one may begin."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable
from functools import singledispatch

import numpy as np

from initshape.datasets import Dataset
from initshape.regularizers.base import AbstractPotential, Array
from initshape.regularizers.hyperbolic import HyperbolicEntropy

_POINTS = 7
"""Of the polynomial that predicts the next solution."""
_APART = 0.2
"""Least distance of its points from each other, relative to that of the nearest one from where it is evaluated."""
_WINDOW = 20
"""Solutions on either side that are looked at."""
_SAME = 1e-12
_LARGEST_WEIGHT = 1e4
_MOST_NUMBERS = 2_000_000
"""In all solutions that are kept; beyond it all are forgotten."""


class Neighbours:
    """Solutions nu along families of potentials that differ by one number t only; nu is a smooth function of t.

    A guess changes where Newton's method begins, and no answer beyond rounding. Not for use from several threads.
    """

    def __init__(self) -> None:
        self._solved: dict[Hashable, list[tuple[float, Array]]] = {}
        self._numbers = 0

    def guess(self, dataset: Dataset, potential: AbstractPotential) -> Array | None:
        """nu by interpolation between the nearest solutions; None where there is none. **Shape**: (n,)."""
        family = family_of(potential)
        if family is None:
            return None
        kind, t = family
        solved = self._solved.get((dataset.fingerprint, kind), [])
        points = _points(solved, t)
        if not points:
            return None
        weights = _weights(np.array([at for at, _ in points]), t)
        return np.asarray(weights @ np.array([nu for _, nu in points]))

    def learn(self, dataset: Dataset, potential: AbstractPotential, multipliers: Array) -> None:
        """Keeps a solution. **Shape**: multipliers (n,)."""
        family = family_of(potential)
        if family is None:
            return
        if self._numbers + multipliers.size > _MOST_NUMBERS:
            self._solved.clear()
            self._numbers = 0
        kind, t = family
        insort(self._solved.setdefault((dataset.fingerprint, kind), []), (t, multipliers), key=_at)
        self._numbers += multipliers.size


@singledispatch
def family_of(potential: AbstractPotential) -> tuple[Hashable, float] | None:
    """What a potential has in common with its neighbours, and the number t in which it differs; None: it has none."""
    return None


@family_of.register
def _(potential: HyperbolicEntropy) -> tuple[Hashable, float] | None:
    """One profile of scales over the coordinates and one bias: t = ln C, averaged."""
    t = float(np.mean(potential.log_c))
    return _rounded(potential.log_c - t, potential.phi), t


def _rounded(*arrays: Array) -> Hashable:
    return tuple((np.round(array, 9) + 0.0).tobytes() for array in arrays)  # + 0.0: no negative zeros


def _points(solved: list[tuple[float, Array]], t: float) -> list[tuple[float, Array]]:
    """The nearest solutions, not too close to each other: neighbours of neighbours amplify rounding."""
    place = bisect_left(solved, t, key=_at)
    around = sorted(solved[max(0, place - _WINDOW) : place + _WINDOW], key=lambda point: abs(point[0] - t))
    chosen = around[:1]
    if not chosen or abs(chosen[0][0] - t) <= _SAME:
        return chosen
    apart = _APART * abs(chosen[0][0] - t)
    for point in around[1:]:
        if len(chosen) < _POINTS and all(abs(point[0] - other) > apart for other, _ in chosen):
            chosen.append(point)
    return chosen


def _at(point: tuple[float, Array]) -> float:
    return point[0]


def _weights(points: Array, t: float) -> Array:
    """Lagrange's: what values at the points, nearest first, weigh in the interpolating polynomial at t.

    The furthest are left out, with weight 0, where the others would amplify rounding.
    """
    for count in range(len(points), 1, -1):
        kept = points[:count]
        gaps = kept[:, None] - kept
        np.fill_diagonal(gaps, 1.0)
        away = t - kept
        weights = np.prod(away) / (away * np.prod(gaps, axis=1))
        if np.max(np.abs(weights)) <= _LARGEST_WEIGHT:
            return np.concatenate([weights, np.zeros(len(points) - count)])
    return np.asarray(np.eye(1, len(points))[0])
