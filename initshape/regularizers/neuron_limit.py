"""Where the gradient flow of a single neuron ends, in closed form up to one sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.layer_magnitudes import smallest_magnitude
from initshape.regularizers.neuron_branch import Branch, branch
from initshape.regularizers.neuron_coordinates import NeuronCoordinates
from initshape.regularizers.quadratic import nearest_interpolator


@dataclass(frozen=True, eq=False)
class NeuronLimit:
    """The predictor w at the end, None where the sign is not known, and how it was found.

    With it a_1 ... a_k and u at the end. **Shape**: scalars (k,), weights (d,); empty without w.
    """

    w: Array | None
    branch: Branch
    scalars: Array
    weights: Array


def neuron_limit(scalars: Array, weights: Array, X: Array, y: Array, constraints: Constraints) -> NeuronLimit:
    """lim phi u for phi = a_1 ... a_k: w_LS + phi_inf P u(0), w_LS the minimum-norm interpolator, P across the data.

    The part c of u along the data has ||c|| |phi| = ||w_LS|| at the end, and a_j^2 - ||c||^2 = b_j are conserved:
    one increasing equation for the smallest of the sizes, solved exactly for k = 1.

    **Shape**: scalars (k,), weights = u(0) (d,). `constraints` are those of X and y, consistent.
    """
    start = NeuronCoordinates.of(scalars, weights, X, y)
    found = branch(start)
    if found.sign is None:
        return NeuronLimit(None, found, np.empty(0), np.empty(0))
    zero = np.zeros_like(weights)
    least = nearest_interpolator(constraints, w0=zero, root=np.ones_like(zero))
    roots = _roots(start)
    s = smallest_magnitude(roots, np.array(np.linalg.norm(least)))
    phi = found.sign * float(np.prod(np.hypot(s, roots[1:])))
    return NeuronLimit(
        w=least + phi * start.across,
        branch=found,
        scalars=_signs(scalars, found.sign) * np.hypot(s, roots[1:]),
        weights=least / phi + start.across,
    )


def _signs(scalars: Array, product: float) -> Array:
    """Those at the start, but for the smallest scalar, the only one that may pass through zero."""
    signs = np.sign(scalars)
    smallest = int(np.argmin(np.abs(scalars)))
    signs[smallest] = product * np.prod(np.delete(signs, smallest))
    return np.asarray(signs)


def _roots(start: NeuronCoordinates) -> Array:
    """sqrt(v^2 - min v^2) of the sizes v = ||c||, |a_1| ... |a_k|. **Shape**: (k + 1,)."""
    a, margins = np.abs(start.scalars), start.margins
    smallest = int(np.argmin(margins))
    if margins[smallest] >= 0.0:
        return np.asarray(np.sqrt(np.append(0.0, margins)))
    others = (a - a[smallest]) * (a + a[smallest])
    return np.asarray(np.sqrt(np.append(-margins[smallest], np.maximum(others, 0.0))))
