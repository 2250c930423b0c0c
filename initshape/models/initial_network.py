"""First parameters of a fully connected network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from initshape.models.fully_connected import FullyConnected
from initshape.models.initial_neuron import first_direction
from initshape.models.initial_values import (
    GivenInit,
    InitializationError,
    Vector,
    drawn_directions,
    drawn_signs,
    factors,
    given,
    one_or_each,
)
from initshape.spec.init import ExplicitInit, ScaleShape
from initshape.spec.model import FullyConnected as FullyConnectedSpec


def initialize_network(model: FullyConnectedSpec, init: GivenInit, dimension: int) -> tuple[FullyConnected, Vector]:
    """Scale and shape neuron by neuron (two layers), strictly balanced layers (any depth), or the matrices `layers`."""
    network = FullyConnected(model.depth, model.width, dimension, model.activation)
    if isinstance(init, ExplicitInit):
        layers = _explicit(init, network)
    elif init.balanced:
        layers = balanced_layers(network, init)
    elif model.depth == 2:
        layers = neuron_layers(network, init)
    else:
        raise InitializationError("scale and shape at depth > 2 need balanced: true")
    return network, np.concatenate([matrix.reshape(-1) for matrix in layers])


def neuron_layers(network: FullyConnected, init: ScaleShape) -> list[Vector]:
    """W (m x d) and a (1 x m): each neuron (a_i, w_i) has ||w_i|| = p_i, |a_i| = r_i p_i, p_i^2 = alpha_i/r_i.

    Directions and signs come from `seed`. Paired: the first m/2 neurons are drawn, all a positive, and neuron
    i + m/2 has the direction of neuron i and the opposite a; where their scale and shape agree too the output is 0.
    """
    m, d = network.width, network.dimension
    p, q = factors(one_or_each(init.scale, m), one_or_each(init.shape, m), layers=2, large=1)
    seed, signs = init.seed or 0, init.signs or "random"
    if signs == "paired":
        if m % 2:
            raise InitializationError("paired neurons come two by two: width must be even")
        directions = np.tile(drawn_directions(seed, "direction", m // 2, d), (2, 1))
        sign = np.repeat([1.0, -1.0], m // 2)
    else:
        directions = drawn_directions(seed, "direction", m, d)
        sign = drawn_signs(seed, "signs", m) if signs == "random" else np.ones(m)
    return [p[:, None] * directions, (sign * q)[None, :]]


def balanced_layers(network: FullyConnected, init: ScaleShape) -> list[Vector]:
    """W_l = rho u_{l+1} u_l^T with unit vectors u_l, u_{L+1} = 1, rho = alpha^(1/L): W_{l+1}^T W_{l+1} = W_l W_l^T.

    u_1 is the direction of the predictor, whose norm is alpha. **Source**: Azulay et al. 2021 (strictly balanced).
    """
    rho, _ = factors(one_or_each(init.scale, 1), np.zeros(1), layers=network.depth, large=1)
    directions = [first_direction(init, network.dimension)]
    for layer in range(2, network.depth + 1):
        directions.append(drawn_directions(init.seed or 0, f"hidden {layer}", 1, network.width)[0])
    directions.append(np.ones(1))
    return [rho * np.outer(up, down) for down, up in pairwise(directions)]


def _explicit(init: ExplicitInit, network: FullyConnected) -> list[Vector]:
    matrices = init.layers or ()
    if len(matrices) != network.depth:
        raise InitializationError(f"expected {network.depth} layers, got {len(matrices)}")
    return [given(f"layers/{k}", W, shape) for k, (W, shape) in enumerate(zip(matrices, network.shapes, strict=True))]
