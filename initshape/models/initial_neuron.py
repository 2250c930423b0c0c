"""First parameters of a single neuron."""

from __future__ import annotations

import numpy as np

from initshape.models.initial_values import GivenInit, Vector, drawn_directions, factors, given, one_or_each, unit
from initshape.models.single_neuron import SingleNeuron
from initshape.spec.init import ExplicitInit, ScaleShape
from initshape.spec.model import SingleNeuron as SingleNeuronSpec


def initialize_neuron(model: SingleNeuronSpec, init: GivenInit, dimension: int) -> tuple[SingleNeuron, Vector]:
    """||w|| = p and every scalar q = r p with p = (alpha/r^k)^(1/(k + 1)), or the arrays `a` and `w`.

    Without `direction` that of w comes from `seed`.
    """
    k = model.scalar_layers
    network = SingleNeuron(scalar_layers=k, dimension=dimension)
    if isinstance(init, ExplicitInit):
        scalars = init.a if isinstance(init.a, tuple) else None if init.a is None else (init.a,)
        return network, np.concatenate([given("a", scalars, (k,)), given("w", init.w, (dimension,))])
    p, q = factors(one_or_each(init.scale, 1), one_or_each(init.shape, 1), layers=k + 1, large=k)
    return network, np.concatenate([np.repeat(q, k), p * first_direction(init, dimension)])


def first_direction(init: ScaleShape, dimension: int) -> Vector:
    """The given direction, or the drawn one. **Shape**: (d,), of unit norm."""
    if init.direction is not None:
        return unit(given("direction", init.direction, (dimension,)))
    return drawn_directions(init.seed or 0, "direction", 1, dimension).reshape(-1)
