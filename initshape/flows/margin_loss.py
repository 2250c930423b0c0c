"""Classification losses in the log domain: every sample's loss far below the smallest double keeps all its digits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

from initshape.flows.loss import AbstractLoss
from initshape.models import Array

_TAIL = 15.0
"""Margin from which the logistic loss is its series in e^-m; the first neglected term is e^-4m, below rounding."""


class AbstractMarginLoss(AbstractLoss):
    """L = (1/N) sum_n l(m_n) of margins m_n = y_n f_n, y_n = +-1, l > 0 falling.

    Everything is asked for through ln l, so that neither overflow nor underflow of l matters. A padded sample (label
    0) has no margin: whoever sums over samples leaves it out.

    **Shape**: m (..., N), elementwise.
    """

    @abstractmethod
    def log_term(self, m: Array) -> Array:
        """ln l(m)."""

    @abstractmethod
    def decay(self, m: Array) -> Array:
        """-l'(m)/l(m) > 0, at most 1."""

    @abstractmethod
    def curvature(self, m: Array) -> Array:
        """-l''(m)/l'(m) in [0, 1]."""

    def residual(self, outputs: Array, y: Array) -> Array:
        """-dl/df = -y l'(m), zero for padded samples."""
        m = y * outputs
        xp = m.__array_namespace__()
        return y * xp.exp(self.log_term(m)) * self.decay(m)

    def value(self, outputs: Array, y: Array, samples: Array) -> Array:
        """L, which underflows to 0 where `log_term` does not."""
        m = y * outputs
        xp = m.__array_namespace__()
        return xp.where(y == 0.0, 0.0, xp.exp(self.log_term(m))).sum(-1) / samples


@final
@dataclass(frozen=True)
class ExponentialLoss(AbstractMarginLoss):
    """l(m) = exp(-m)."""

    def log_term(self, m: Array) -> Array:
        """-m."""
        return -m

    def decay(self, m: Array) -> Array:
        """1."""
        return m.__array_namespace__().ones_like(m)

    def curvature(self, m: Array) -> Array:
        """1."""
        return m.__array_namespace__().ones_like(m)


@final
@dataclass(frozen=True)
class LogisticLoss(AbstractMarginLoss):
    """l(m) = ln(1 + exp(-m)); for large m it is exp(-m), for m -> -infinity it is -m."""

    def log_term(self, m: Array) -> Array:
        """ln ln(1 + e^-m); from m = 15 on -m - x/2 + 5 x^2/24 - x^3/8, x = e^-m."""
        xp = m.__array_namespace__()
        x = xp.exp(-abs(m))
        near = xp.log(xp.maximum(-m, 0.0) + xp.log1p(xp.where(m < _TAIL, x, 1.0)))
        return xp.where(m < _TAIL, near, -m - x * (0.5 - x * (5.0 / 24.0 - x / 8.0)))

    def decay(self, m: Array) -> Array:
        """sigma(-m)/ln(1 + e^-m); from m = 15 on 1 - x/2 + 5 x^2/12 - 3 x^3/8."""
        xp = m.__array_namespace__()
        x = xp.exp(-abs(m))
        sigma = xp.where(m > 0.0, x, 1.0) / (1.0 + x)
        near = sigma / (xp.maximum(-m, 0.0) + xp.log1p(xp.where(m < _TAIL, x, 1.0)))
        return xp.where(m < _TAIL, near, 1.0 - x * (0.5 - x * (5.0 / 12.0 - 3.0 * x / 8.0)))

    def curvature(self, m: Array) -> Array:
        """sigma(m) = 1/(1 + e^-m)."""
        xp = m.__array_namespace__()
        x = xp.exp(-abs(m))
        return xp.where(m > 0.0, 1.0, x) / (1.0 + x)
