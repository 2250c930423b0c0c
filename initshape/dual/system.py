"""The dual ODE of a diagonal network: nu' = (y - X w(X^T nu)) / N, N equations however many parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from scipy.linalg.blas import dsyrk

from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.deep import DeepState

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")

EPSILON = float(np.finfo(np.float64).eps)
PROBES = 4
LINEAR = 2.0
"""Share of the tolerance for errors that move w all at once; measured: w is then within about rtol of the truth."""
NOISE = 16.0
"""Rounding of R in units of eps |R|, which no tolerance may ask to beat."""


class OutOfRangeError(Exception):
    """A slope of the mirror map is not finite where the Jacobian was asked for."""


@dataclass(frozen=True, eq=False)
class DualSystem:
    """Gradient descent of the dual, in increments `delta` of nu from a state of the mirror map, the anchor.

    theta' = J^T r / N is R' = X^T r / N for every coordinate's R, hence R = X^T nu with nu' = r / N. Increments,
    because with three or more layers w depends on digits that X^T nu itself does not hold. The dual is convex: errors
    of nu never grow.

    **Shape**: X (N, d), y, delta (N,); `range` (N, rank), an orthonormal basis of the range of X (columns that can
    move) where that is less than all of R^N.

    **Source**: Azulay et al. 2021, section 3 (the mirror flow and its potential).
    """

    potential: AbstractPotential
    X: Array
    y: Array
    range: Array | None = None

    def moved(self, anchor: AbstractMirrorState, delta: Array) -> AbstractMirrorState:
        """The state at nu(anchor) + delta."""
        return anchor.advance(delta @ self.X)[0]

    def residual(self, state: AbstractMirrorState) -> Array:
        """r = y - X w."""
        return np.asarray(self.y - self.X @ state.w)

    def residuals(self, anchor: AbstractMirrorState, copies: int) -> Callable[[Array], Array]:
        """The function y - X w of `copies` increments from `anchor`. **Shape**: (copies, N) -> (copies, N)."""
        if not isinstance(anchor, DeepState):

            def shallow(deltas: Array) -> Array:
                R = deltas @ self.X
                R += anchor.R
                return np.asarray(self.y - self.potential.inverse(R) @ self.X.T)

            return shallow
        repeated, shape = _repeated(anchor, copies), (copies, len(anchor.w))

        def deep(deltas: Array) -> Array:
            return self.y - repeated.advance((deltas @ self.X).reshape(-1))[0].w.reshape(shape) @ self.X.T

        return deep

    def velocity(self, residual: Array) -> Array:
        """nu' = r / N, without what X^T takes to zero: labels that no w fits would let nu grow there without end."""
        if self.range is not None:
            residual = (residual @ self.range) @ self.range.T
        return np.asarray(residual / len(self.y))

    def jacobian(self, state: AbstractMirrorState) -> Array:
        """-(1/N) X diag(dw/dR) X^T, symmetric. **Errors**: OutOfRangeError."""
        weighted = self.X * np.sqrt(state.slope)
        if not np.all(np.isfinite(weighted)):
            raise OutOfRangeError
        lower = dsyrk(-1.0 / len(self.y), weighted.T, trans=1, lower=1)
        return np.asarray(lower + np.tril(lower, -1).T)

    def relaxation(self, state: AbstractMirrorState) -> float:
        """tr J J^T = sum_i (dw/dR)_i ||x_i||^2."""
        return float(state.slope @ self.squares)

    @cached_property
    def squares(self) -> Array:
        """||x_i||^2 of every feature. **Shape**: (d,)."""
        return np.asarray(np.einsum("ni,ni->i", self.X, self.X))

    def tolerance(self, state: AbstractMirrorState, rtol: float, size: float) -> float:
        """Error of each component of nu, root mean square, that moves w by about rtol here.

        For one coordinate the measure is how far R may go until its map has bent (`longest_step`); for all of w at
        once it is `size`, a norm of w that matters.
        """
        bend = min(state.longest_step(direction) for direction in self._probes)
        spread = float(np.sqrt(state.slope**2 @ self.squares))
        allowed = min(bend, LINEAR * size / spread) if spread > 0.0 else bend
        return rtol * min(allowed, 1e300)

    @cached_property
    def _probes(self) -> Array:
        """Directions of R in which samples move it by +-1 each. **Shape**: (PROBES, d)."""
        signs = np.random.RandomState(0).choice([-1.0, 1.0], size=(PROBES, len(self.y)))
        return np.asarray(signs @ self.X)

    def noise(self, state: AbstractMirrorState) -> float:
        """Rounding of nu, root mean square, as w sees it at `state`."""
        spread = float(np.sqrt(state.slope**2 @ self.squares))
        return NOISE * EPSILON * float(np.linalg.norm(state.slope * state.R)) / spread if spread > 0.0 else 0.0


def _repeated(part: Part, copies: int) -> Part:
    """A state whose coordinates stand `copies` times one after the other, so that one call moves all of them."""
    changes: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, np.ndarray):
            changes[field.name] = np.tile(value, (*([1] * (value.ndim - 1)), copies))
        elif is_dataclass(value):
            changes[field.name] = _repeated(cast(Any, value), copies)
    return replace(part, **changes)
