"""All parameters of a diagonal network at a point of its mirror map: coordinate by coordinate, functions of R."""

from __future__ import annotations

import numpy as np

from initshape.models import Diagonal
from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.deep import DeepState


def parameters(model: Diagonal, theta0: Array, state: AbstractMirrorState) -> Array:
    """theta where the flow from theta0 has the mirror variable R. **Shape**: (P,).

    Two layers: u + v of the + branch and u - v of the - branch grow as e^R, the other two sums as e^-R. Deeper: the
    state of the branches.
    """
    layers = theta0.reshape(2, model.depth, model.dimension)
    if isinstance(state, DeepState):
        return state.layers(layers).reshape(-1)
    return two_layers(layers, state.R).reshape(-1)


def two_layers(layers: Array, R: Array) -> Array:
    """u+, v+ and u-, v- at R. **Shape**: layers (2, 2, d), R (..., d) -> (..., 2, 2, d)."""
    sums, differences = layers[:, 0] + layers[:, 1], layers[:, 0] - layers[:, 1]
    s = np.array([1.0, -1.0])[:, None] * R[..., None, :]
    # In halves, so that nothing overflows whose product with a tiny layer does not.
    rising, falling = np.exp(0.5 * s), np.exp(-0.5 * s)
    plus, minus = sums * rising * rising, differences * falling * falling
    return np.asarray(0.5 * np.stack([plus + minus, plus - minus], axis=-2))
