"""Sizes of layers whose squares keep their differences, from the product of the sizes."""

from __future__ import annotations

import numpy as np

from initshape.regularizers.base import Array


def excess(magnitudes: Array) -> Array:
    """sqrt(v_i^2 - min v^2): what the flow conserves of layers of size v_i. **Shape**: (n,) -> (n,)."""
    smallest = np.min(magnitudes)
    return np.asarray(np.sqrt((magnitudes - smallest) * (magnitudes + smallest)))


def smallest_magnitude(roots: Array, product: Array) -> Array:
    """s >= 0 with prod_i hypot(s, f_i) = x, for n >= 2 sizes with excess `roots` = f_i >= 0, the smallest of them 0.

    Two sizes in closed form. Else u = ln s by Newton's method on sum_i ln hypot(e^u, f_i) = ln x, which is increasing
    and convex in u, from the right: no step overshoots. Logarithms lose |ln x| eps; a last correction by the
    product itself, with exponents apart so that nothing overflows, restores full precision.

    **Shape**: roots (n,), product = x of any shape.
    """
    x = np.asarray(product, dtype=np.float64)
    positive = x > 0.0
    safe = np.where(positive, x, 1.0)
    if len(roots) == 2:
        square = float(np.max(roots)) ** 2
        s = safe * np.sqrt(2.0 / (square + np.hypot(square, 2.0 * safe)))
    else:
        s = _by_newton(roots, safe)
        for _ in range(2):
            s = s * (1.0 - _mismatch(roots, s, safe) / _slope(roots, s))
    return np.where(positive, s, 0.0)


def _by_newton(roots: Array, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        logs = np.log(roots)
    target = np.log(x)
    u = target / len(roots)
    for _ in range(60):
        sizes = 0.5 * np.logaddexp(2.0 * u[..., None], 2.0 * logs)
        step = (np.sum(sizes, axis=-1) - target) / np.sum(np.exp(2.0 * (u[..., None] - sizes)), axis=-1)
        u = u - step
        if np.all(np.abs(step) <= 1e-14 * np.maximum(1.0, np.abs(u))):
            break
    return np.asarray(np.exp(u))


def _slope(roots: Array, s: Array) -> Array:
    """d ln(product) / d ln(s), between 1 and n."""
    return np.asarray(np.sum((s[..., None] / np.hypot(s[..., None], roots)) ** 2, axis=-1))


def _mismatch(roots: Array, s: Array, x: Array) -> Array:
    """prod_i hypot(s, f_i) / x - 1."""
    mantissas, exponents = np.frexp(np.hypot(s[..., None], roots))
    mantissa, exponent = np.frexp(x)
    ratio = np.ldexp(np.prod(mantissas, axis=-1) / mantissa, np.sum(exponents, axis=-1) - exponent)
    return np.asarray(ratio - 1.0)
