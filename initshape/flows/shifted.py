"""What Radau needs of a linear solver: systems with K = J J^T, shifted by one real and one complex multiple of N."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from initshape.models import AbstractModel, Array


class Linearisation(NamedTuple):
    """The Jacobian -J^T J/N that Newton uses: where it was taken, and what solves its systems for one step size."""

    theta: Array
    factors: Any


class AbstractShiftedSystems(ABC):
    """(a N I + K) x = b and (c N I + K) z = b for real a > 0 and complex c; frozen and hashable, static under `jit`.

    `kernel` is what is known of K at one theta, dear to build; `factors` adds the two shifts of one step size.
    """

    @abstractmethod
    def nothing(self, samples: int) -> tuple[Any, Any]:
        """A kernel and its factors before the first step; NumPy arrays of the shapes that follow."""

    @abstractmethod
    def kernel(self, model: AbstractModel, theta: Array, X: Any) -> Any:
        """K at theta, or as much of it as is wanted."""

    @abstractmethod
    def factor(self, kernel: Any, real: Array, complex_: Array, samples: Array) -> Any:
        """For the shifts a = `real` and c = `complex_`; `samples` is the true N, without padding."""

    @abstractmethod
    def solve_real(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        """(a N I + K)^-1 b. **Shape**: (N,)."""

    @abstractmethod
    def solve_modes(self, model: AbstractModel, X: Any, at: Linearisation, b: Array) -> Array:
        """(a N I + K)^-1 b_0 and, as real and imaginary part, (c N I + K)^-1 (b_1 + i b_2). **Shape**: (3, N)."""

    @abstractmethod
    def trace(self, kernel: Any) -> Array:
        """tr K, or an estimate to a few per cent. **Shape**: ()."""
