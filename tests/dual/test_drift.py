"""The drift of two-layer parameters along a trajectory: that of the model, by a shorter way."""

from __future__ import annotations

import numpy as np
import pytest

from initshape.dual.drift import NUMBERS_AT_ONCE, TwoLayerDrift
from initshape.dual.parameters import two_layers
from initshape.models import Diagonal

DIMENSION = 50
ROWS = 2 * (NUMBERS_AT_ONCE // DIMENSION) + 7
"""Three pieces, the last one a short one."""


def drift_of_the_model(model: Diagonal, theta0: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """max |I - I(0)| / max(scale, scale(0)), from all parameters."""
    scale = np.maximum(model.invariant_scale(theta), model.invariant_scale(theta0))
    gap = np.abs(model.invariants(theta) - model.invariants(theta0))
    return np.max(gap / np.where(scale > 0.0, scale, 1.0), axis=-1)


@pytest.mark.parametrize("kind", ["equal", "random", "frozen", "tiny"])
def test_it_is_the_drift_of_the_models_own_invariants(kind: str) -> None:
    rng = np.random.default_rng(7)
    model = Diagonal(2, DIMENSION)
    layers = np.broadcast_to(np.array([0.01, 0.03])[:, None], (2, 2, DIMENSION)).copy()
    if kind == "random":
        layers = rng.normal(size=layers.shape)
    if kind == "frozen":
        layers[:, :, :10] = layers[1, :, 10:20] = 0.0
    if kind == "tiny":
        layers *= 1e-120
    theta0, R = layers.reshape(-1), rng.normal(size=(ROWS, DIMENSION)) * 3.0
    found = TwoLayerDrift.of(theta0, model.invariants(theta0), model.invariant_scale(theta0))(R)
    theta = two_layers(layers, R).reshape(ROWS, -1)
    assert found.shape == (ROWS,)
    np.testing.assert_allclose(found, drift_of_the_model(model, theta0, theta), rtol=0, atol=1e-15)
    assert np.all(found < 1e-14)


def test_parameters_that_do_not_belong_together_show() -> None:
    """One invariant that is off: the drift says by how much of its scale."""
    model = Diagonal(2, DIMENSION)
    theta0 = np.full(4 * DIMENSION, 0.1)
    theta0[:DIMENSION] = 0.2
    wrong = model.invariants(theta0)
    wrong[3] += 0.5
    found = TwoLayerDrift.of(theta0, wrong, model.invariant_scale(theta0))(np.zeros((5, DIMENSION)))
    np.testing.assert_allclose(found, 0.5 / (0.1 + 0.2) ** 2, rtol=1e-12)
