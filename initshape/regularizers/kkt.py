"""Stationarity: how far grad Q(w) is from the span of the data."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import lru_cache, singledispatch

import numpy as np
from scipy.linalg import qr

from initshape.regularizers.base import AbstractPotential, AbstractRegularizer, Array


@singledispatch
def evaluate_kkt(regularizer: AbstractRegularizer, w: Array, X: Array) -> float:
    """dist(grad Q(w), span of the rows of X)/||grad Q(w)||; 0 where the gradient is 0.

    It vanishes exactly at the minimiser of Q among all w with the same X w. Coordinates that cannot move take no
    part. NaN where w lies outside the domain of Q. Another notion of stationarity (l1) registers its own rule.

    **Shape**: w (d,), X (N, d).
    """
    gradient = regularizer.gradient(w)
    if isinstance(regularizer, AbstractPotential):
        lower, upper = regularizer.domain()
        free = lower < upper
        if not np.all(free):
            gradient, X = gradient[free], np.ascontiguousarray(X[:, free])
    if not np.all(np.isfinite(gradient)):
        return float("nan")
    size = float(np.max(np.abs(gradient), initial=0.0))
    if size == 0.0:
        return 0.0
    gradient = gradient / size
    return float(np.linalg.norm(reject(gradient, X)) / np.linalg.norm(gradient))


def reject(v: Array, X: Array) -> Array:
    """The part of v orthogonal to the rows of X; projected twice, so that rounding of the first pass drops out."""
    basis = row_space(X)
    v = v - (basis @ v) @ basis
    return v - (basis @ v) @ basis


def row_space(X: Array) -> Array:
    """An orthonormal basis of the span of the rows of X. **Shape**: (N, d) -> (rank, d).

    The X of a data set is read-only and shared by many fits and comparisons: its basis is kept for as long as X is.
    """
    if X.flags.writeable:
        return _remembered(_ByContent(X))
    found = _bases.get(id(X))
    if found is None or found[0]() is not X:
        found = _bases[id(X)] = (weakref.ref(X, _forget(id(X))), _orthonormal(X))
    return found[1]


_bases: dict[int, tuple[weakref.ref[Array], Array]] = {}


def _forget(number: int) -> Callable[[weakref.ref[Array]], None]:
    def forget(reference: weakref.ref[Array]) -> None:
        if number in _bases and _bases[number][0] is reference:
            del _bases[number]

    return forget


class _ByContent:
    """An array that is looked up by its content; a fit and its comparison share one."""

    def __init__(self, X: Array) -> None:
        self.X = X
        self._key = (X.shape, X.tobytes())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and self._key == other._key


@lru_cache(maxsize=2)
def _remembered(key: _ByContent) -> Array:
    return _orthonormal(key.X)


def _orthonormal(X: Array) -> Array:
    scale = np.linalg.norm(X, axis=1)
    rows = X[scale > 0.0] / scale[scale > 0.0, None]
    if 0 < rows.shape[0] <= rows.shape[1]:
        basis, factor = qr(rows.T, mode="economic", check_finite=False)
        if np.min(np.abs(np.diag(factor))) > 1e-6:
            return np.ascontiguousarray(basis.T)
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    largest = values[0] if values.size else 0.0
    return np.asarray(right[values > max(X.shape) * np.finfo(float).eps * largest])
