"""Radau IIA methods of any odd number of stages: nodes, the transformed system, error estimate and dense output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.special import roots_jacobi

from initshape.regularizers.base import Array

Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Tableau:
    """Collocation at the right Radau points c_1 < ... < c_s = 1, order 2s - 1.

    A^-1 = T diag(shifts) T^-1; `shift` is the one real eigenvalue. `error` = weights of the stage increments in an
    estimate of order s: (shift/h - J)^-1 (f(y) + error.Z/h).

    **Source**: Hairer and Wanner, Solving Ordinary Differential Equations II, section IV.8; of higher order in their
    code RADAU (J. Comput. Appl. Math. 111, 1999).
    """

    nodes: Array
    inverse: Array
    T: Complex
    T_inverse: Complex
    shifts: Complex
    shift: float
    error: Array
    primitive: Array

    @property
    def stages(self) -> int:
        """s."""
        return len(self.nodes)

    def weights(self, x: Array) -> Array:
        """The collocation polynomial at fractions x, from the stage increments. **Shape**: (B,) -> (B, s)."""
        return np.asarray(_primitives(np.atleast_1d(x), self.stages) @ self.primitive)


@cache
def tableau(stages: int) -> Tableau:
    """The method of s stages, s odd."""
    nodes = np.append(0.5 * (1.0 + np.sort(roots_jacobi(stages - 1, 1.0, 0.0)[0])), 1.0)
    values, primitives = legendre.legvander(2.0 * nodes - 1.0, stages - 1), _primitives(nodes, stages)
    A = primitives @ np.linalg.inv(values)
    inverse = np.linalg.inv(A)
    shifts, T = np.linalg.eig(inverse)
    real = int(np.argmin(np.abs(shifts.imag)))
    shift = float(shifts[real].real)
    # The embedded formula y + h (f(y)/shift + sum b_i f_i) of order s, less the method itself (the last row of A).
    moments = np.eye(stages)[0] - (-1.0) ** np.arange(stages) / shift
    embedded = np.linalg.solve(values.T, moments)
    return Tableau(
        nodes=nodes,
        inverse=inverse,
        T=T.astype(np.complex128),
        T_inverse=np.linalg.inv(T).astype(np.complex128),
        shifts=shifts.astype(np.complex128),
        shift=shift,
        error=shift * (embedded - A[-1]) @ inverse,
        primitive=np.asarray(np.linalg.inv(primitives), dtype=np.float64),
    )


def _primitives(x: Array, count: int) -> Array:
    """Integrals from 0 to x of the Legendre polynomials on [0, 1] of degree 0 ... count - 1. **Shape**: (B, count)."""
    t, P = 2.0 * x - 1.0, np.ones((count + 1, len(x)))
    P[1] = t
    for k in range(2, count + 1):  # as NumPy's `legvander` to the bit, and sooner
        P[k] = (P[k - 1] * t * (2 * k - 1) - P[k - 2] * (k - 1)) / k
    found = np.empty((count, len(x)))
    found[0] = x
    found[1:] = 0.5 * (P[2:] - P[:-2]) / (2.0 * np.arange(1, count)[:, None] + 1.0)
    return found.T
