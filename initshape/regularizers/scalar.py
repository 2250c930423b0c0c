"""Scalar formulas without cancellation that several potentials share."""

from __future__ import annotations

import numpy as np

from initshape.regularizers.base import Array

_SINH_EXCESS = tuple(1.0 / ((2 * k) * (2 * k + 1)) for k in range(1, 10))


def sinh_excess(x: Array) -> Array:
    """sinh(x) - x for |x| <= 1, to rounding: nine terms of the series, nested."""
    square, total = x * x, np.zeros_like(x)
    for factor in reversed(_SINH_EXCESS):
        total = square * factor * (1.0 + total)
    return x * total


def growth(w: Array, w0: Array, cosh_ratio: Array, cosh_ratio0: Array) -> Array:
    """asinh(w/C) - asinh(w0/C) for w, w0 of one sign, exact in relative terms however close they are.

    From sinh(a - b) = sinh a cosh b - cosh a sinh b and the conjugate expression. `cosh_ratio` is hypot(C, w)/|w|, 1
    for C = 0, where the answer is ln(w/w0) with the sign of w.
    """
    return np.arcsinh(np.sign(w) * ((w - w0) / w0) * (1.0 + w0 / w) / (cosh_ratio + cosh_ratio0))


def bregman(w: Array, h: Array, h0: Array, delta: Array) -> Array:
    """(w delta - h + h0)/2 with h = hypot(C, w), h0 = hypot(C, w0), delta = asinh(w/C) - asinh(w0/C).

    The Bregman divergence of hyperbolic entropy from w0 to w: of second order in delta, where the plain expression
    cancels; there it is (2 h sinh(delta/2)^2 - w (sinh(delta) - delta))/2.
    """
    small = np.clip(delta, -1.0, 1.0)
    near = h * np.sinh(0.5 * small) ** 2 - 0.5 * w * sinh_excess(small)
    return np.where(np.abs(delta) <= 1.0, near, 0.5 * (w * delta - (h - h0)))


def exp_excess(x: Array) -> Array:
    """e^x - 1 - x >= 0, to rounding."""
    small = np.clip(x, -1.0, 1.0)
    # e^x - 1 - x = (cosh x - 1) + (sinh x - x)
    near = 2.0 * np.sinh(0.5 * small) ** 2 + sinh_excess(small)
    return np.where(np.abs(x) <= 1.0, near, np.expm1(x) - x)
