"""The potential of a coordinate that keeps its sign: relative entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from initshape.regularizers.base import AbstractMirrorState, AbstractPotential, Array
from initshape.regularizers.scalar import bregman, growth

_LONGEST_CHANGE = 4.0


@dataclass(frozen=True, eq=False)
class OneSidedEntropy(AbstractPotential):
    """Q(w) = sum_i (|w_i| ln(w_i/w0_i) - |w_i| + |w0_i|)/2 on the half-line of w0_i, so w(R) = w0 exp(2 sign R).

    The limit C -> 0 of `HyperbolicEntropy` at fixed w0 != 0: one branch of the coordinate cannot move.

    **Shape**: `sign` (d,) of +-1, `log_size` = ln|w0| (d,).
    """

    sign: Array
    log_size: Array

    latex: ClassVar[str] = (
        r"Q(w) = \tfrac12 \sum_i \left[ |w_i| \ln\frac{w_i}{w_i(0)} - |w_i| + |w_i(0)| \right],"
        r"\quad w_i w_i(0) > 0"
    )

    def value(self, w: Array) -> float:
        return float(np.sum(self.terms(w)))

    def gradient(self, w: Array) -> Array:
        """R = sign ln(w/w0)/2: -sign inf at w = 0 and beyond, where Q has no finite gradient."""
        return 0.5 * self._twice(w)

    def terms(self, w: Array) -> Array:
        w0 = np.abs(self.inverse(np.zeros_like(self.sign)))
        inside = self.sign * w > 0.0
        size = np.where(inside, np.abs(w), 1.0)
        terms = bregman(size, size, w0, self.sign * self._twice(np.where(inside, w, self.sign)))
        return np.where(inside, terms, np.where(w == 0.0, 0.5 * w0, np.inf))

    def inverse(self, R: Array) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return self.sign * np.exp(self.log_size + 2.0 * self.sign * R)

    def start(self) -> OneSidedState:
        return OneSidedState.at(self, np.zeros_like(self.sign))

    def domain(self) -> tuple[Array, Array]:
        return np.where(self.sign > 0, 0.0, -np.inf), np.where(self.sign > 0, np.inf, 0.0)

    def _twice(self, w: Array) -> Array:
        size = self.sign * w
        with np.errstate(divide="ignore"):
            logs = self.sign * (np.log(np.maximum(size, 0.0)) - self.log_size)
        w0 = self.inverse(np.zeros_like(self.sign))
        near = np.abs(w - w0) < 0.5 * np.abs(w0)
        ones = np.ones(int(np.sum(near)))
        logs[near] = growth(w[near], w0[near], ones, ones)
        return logs


@dataclass(frozen=True, eq=False)
class OneSidedState(AbstractMirrorState):
    """w = w0 exp(2 sign R)."""

    potential: OneSidedEntropy
    R: Array
    w: Array
    slope: Array

    @classmethod
    def at(cls, potential: OneSidedEntropy, R: Array) -> Self:
        """The state at a given R."""
        w = potential.inverse(R)
        return cls(potential=potential, R=R, w=w, slope=2.0 * np.abs(w))

    def longest_step(self, direction: Array) -> float:
        largest = float(np.max(np.abs(direction), initial=0.0))
        return _LONGEST_CHANGE / largest if largest > 0.0 else np.inf

    def advance(self, change: Array) -> tuple[Self, Array]:
        gain = 0.5 * np.abs(self.w) * np.expm1(2.0 * self.potential.sign * change)
        return type(self).at(self.potential, self.R + change), gain
