"""What a regularizer is, and what a potential must offer so that the dual Newton method can minimise it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class AbstractRegularizer(ABC):
    """A function Q of the predictor w, with a gradient (a subgradient where Q has a kink).

    **Shape**: w (d,). `value` is Q(w) summed over coordinates, infinite outside the domain of Q.
    """

    latex: ClassVar[str]

    @abstractmethod
    def value(self, w: Array) -> float:
        """Q(w)."""

    @abstractmethod
    def gradient(self, w: Array) -> Array:
        """grad Q(w)."""


class AbstractMirrorState(ABC):
    """A point of the mirror map w = (grad Q)^-1(R), moved by increments of R.

    Increments, because near a blow-up of the map w depends on digits of R that double precision does not hold.
    Coordinates are independent; everything is elementwise.

    **Shape**: `R`, `w`, `slope` (d,): the mirror variable, the predictor, and dw/dR >= 0.
    """

    R: Array
    w: Array
    slope: Array

    @abstractmethod
    def longest_step(self, direction: Array) -> float:
        """Largest t for which `advance(t * direction)` is safe: inside the domain, without overflow."""

    @abstractmethod
    def advance(self, change: Array) -> tuple[Self, Array]:
        """The state at R + change, and the increments of psi, where psi' = w (psi is the conjugate of Q)."""


class AbstractPotential(AbstractRegularizer):
    """A separable strictly convex Q, a sum of one function per coordinate, Q(w(0)) = 0 with gradient 0 there.

    Along gradient flow grad Q(w(t)) stays in the span of the data, so the limit minimises Q over the interpolating w.
    """

    @abstractmethod
    def terms(self, w: Array) -> Array:
        """Q of each coordinate, infinite outside its domain. **Shape**: (d,) -> (d,)."""

    @abstractmethod
    def inverse(self, R: Array) -> Array:
        """w = (grad Q)^-1(R): signed infinity where R lies beyond the range of grad Q."""

    @abstractmethod
    def start(self) -> AbstractMirrorState:
        """The state at R = 0, w = w(0)."""

    @abstractmethod
    def domain(self) -> tuple[Array, Array]:
        """Infimum and supremum of each reachable coordinate: -inf, 0 or inf; (0, 0) where it cannot move."""
