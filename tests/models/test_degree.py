"""The degree of homogeneity that every model states: f(c theta) = c^L f(theta)."""

from __future__ import annotations

import numpy as np
import pytest

from initshape.models import AbstractModel, Diagonal, FullyConnected, SingleNeuron

MODELS: list[AbstractModel] = [
    *(Diagonal(depth=depth, dimension=4) for depth in (2, 3, 6)),
    *(SingleNeuron(scalar_layers=k, dimension=4) for k in (1, 3)),
    *(FullyConnected(depth=depth, width=3, dimension=4, activation="identity") for depth in (2, 5)),
    *(FullyConnected(depth=3, width=3, dimension=4, activation=act) for act in ("relu", "leaky_relu")),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_outputs_are_homogeneous_of_the_stated_degree(model: AbstractModel) -> None:
    rng = np.random.default_rng(3)
    theta, X = rng.normal(size=model.size), rng.normal(size=(5, 4))
    np.testing.assert_allclose(model.outputs(1.7 * theta, X), 1.7**model.degree * model.outputs(theta, X), rtol=1e-12)
