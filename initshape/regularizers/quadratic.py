"""Weighted squares: what kernel (lazy) training and plain linear regression minimise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.linalg import qr, solve_triangular

from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.constraints import Constraints


@dataclass(frozen=True, eq=False)
class QuadraticPotential(AbstractPotential):
    """Q(w) = 1/2 sum_i (w_i - w0_i)^2 / m_i. A coordinate with m_i = 0 stays at w0_i.

    **Shape**: `w0`, `metric` = m >= 0 (d,).
    """

    w0: Array
    metric: Array

    latex: ClassVar[str] = r"Q(w) = \tfrac12 \sum_i \frac{(w_i - w_i(0))^2}{M_{ii}(0)}"

    def value(self, w: Array) -> float:
        return float(np.sum(self.terms(w)))

    def gradient(self, w: Array) -> Array:
        """(w - w0)/m; 0 where the coordinate cannot move."""
        return (w - self.w0) / np.where(self.metric > 0.0, self.metric, np.inf)

    def terms(self, w: Array) -> Array:
        terms = 0.5 * (w - self.w0) * self.gradient(w)
        return np.where((self.metric > 0.0) | (w == self.w0), terms, np.inf)

    def inverse(self, R: Array) -> Array:
        return self.w0 + self.metric * R

    def start(self) -> QuadraticState:
        return QuadraticState(R=np.zeros_like(self.w0), w=self.w0, slope=self.metric)

    def domain(self) -> tuple[Array, Array]:
        upper = np.where(self.metric > 0.0, np.inf, self.w0)
        return np.where(self.metric > 0.0, -np.inf, self.w0), upper


@dataclass(frozen=True, eq=False)
class QuadraticState(AbstractMirrorState):
    """w = w0 + m R."""

    R: Array
    w: Array
    slope: Array

    def longest_step(self, direction: Array) -> float:
        return np.inf

    def advance(self, change: Array) -> tuple[Self, Array]:
        moved = self.w + self.slope * change
        return type(self)(R=self.R + change, w=moved, slope=self.slope), 0.5 * (self.w + moved) * change


def nearest_interpolator(constraints: Constraints, w0: Array, root: Array) -> Array:
    """argmin 1/2 sum_i ((w_i - w0_i)/root_i)^2 s.t. the constraints, which are on v = w/root: rows v = target.

    Minimum-norm least squares by QR of rows^T, with one step of refinement. **Shape**: `w0`, `root` (d,).
    """
    v = w0 / np.where(root > 0.0, root, np.inf)
    basis, factor = qr(constraints.rows.T, mode="economic", check_finite=False)
    for _ in range(2):
        gap = constraints.target - constraints.rows @ v
        v = v + basis @ solve_triangular(factor, gap, trans="T", check_finite=False)
    return np.where(root > 0.0, root * v, w0)
