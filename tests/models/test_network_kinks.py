"""Units of piecewise linear networks: their inputs, normals, speeds and forces against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.models import Diagonal, FullyConnected
from initshape.models.kinks import (
    at_rest,
    beyond,
    gated,
    has_kinks,
    unit_forces,
    unit_inputs,
    unit_normals,
    unit_scales,
    unit_speeds,
)

Case = tuple[FullyConnected, Any, Any]


@pytest.fixture(params=[(2, "relu"), (3, "relu"), (3, "leaky_relu"), (4, "leaky_relu")], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    depth, activation = request.param
    rng = np.random.default_rng(depth)
    model = FullyConnected(depth, 3, 4, activation)
    return model, rng.normal(size=model.size), rng.normal(size=(5, 4))


def _by_definition(model: FullyConnected, theta: Any, X: Any) -> Any:
    found, signal = [], X.T
    for W in model.layers(theta)[:-1]:
        raw = W @ signal
        found.append(raw.ravel())
        signal = np.where(raw > 0.0, raw, model.negative_slope * raw)
    return np.concatenate(found)


def test_inputs_come_layer_by_layer_neuron_by_neuron_sample_by_sample(case: Case) -> None:
    np.testing.assert_allclose(unit_inputs(*case), _by_definition(*case), rtol=1e-12, atol=1e-13)
    assert np.all(np.abs(unit_inputs(*case)) <= unit_scales(*case) * (1.0 + 1e-12))


def test_normals_and_speeds_are_derivatives_of_the_inputs(case: Case) -> None:
    model, theta, X = case
    data = gated(model, X, unit_inputs(*case) > 0.0)
    v = np.random.default_rng(9).normal(size=model.size)
    h = 1e-6
    change = (_by_definition(model, theta + h * v, X) - _by_definition(model, theta - h * v, X)) / (2 * h)
    units = np.arange(len(change))
    np.testing.assert_allclose(unit_normals(model, theta, data, units) @ v, change, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(unit_speeds(model, theta, data, v), change, rtol=1e-6, atol=1e-7)


def test_the_gradient_jumps_by_the_force_along_the_normal(case: Case) -> None:
    """J^T z with a unit on, less the same with it off, where its input is zero."""
    model, theta, X = case
    theta = theta.copy()
    sides = unit_inputs(*case) > 0.0
    unit, sample = 7, 2  # neuron 1, sample 2 of the first layer
    theta[4:8] -= X[sample] * (theta[4:8] @ X[sample]) / (X[sample] @ X[sample])
    sides = unit_inputs(model, theta, X) > 0.0
    on, off = sides.copy(), sides.copy()
    on[unit], off[unit] = True, False
    z = np.random.default_rng(5).normal(size=5)
    jump = model.vjp(theta, gated(model, X, on), z) - model.vjp(theta, gated(model, X, off), z)
    force = unit_forces(model, theta, gated(model, X, off), z)[unit]
    normal = unit_normals(model, theta, gated(model, X, off), np.array([unit]))[0]
    np.testing.assert_allclose(jump, (1.0 - model.negative_slope) * force * normal, rtol=1e-9, atol=1e-10)


def test_gates_of_the_own_sides_change_nothing(case: Case) -> None:
    model, theta, X = case
    data = gated(model, X, unit_inputs(*case) > 0.0)
    z = np.arange(5.0)
    np.testing.assert_array_equal(model.outputs(theta, data), model.outputs(theta, X))
    np.testing.assert_array_equal(model.vjp(theta, data, z), model.vjp(theta, X, z))
    np.testing.assert_array_equal(model.kernel(theta, data), model.kernel(theta, X))


def test_only_piecewise_linear_networks_have_kinks() -> None:
    assert has_kinks(FullyConnected(2, 1, 1, "relu"))
    assert not has_kinks(FullyConnected(2, 1, 1))
    assert not has_kinks(Diagonal(2, 3))


def test_neurons_that_do_not_move_rest_at_two_layers_only() -> None:
    units = np.array([0, 1, 2, 3])  # two neurons, two samples
    v = np.array([0.0, 0.0, 0.0, 1.0, 5.0, 5.0])
    assert at_rest(FullyConnected(2, 2, 2, "relu"), v, units, 2).tolist() == [True, True, False, False]
    deep = FullyConnected(3, 2, 2, "relu")
    assert not np.any(at_rest(deep, np.zeros(deep.size), units, 2))


def test_units_above_the_only_source_follow_its_first_signal() -> None:
    """Two neurons a layer, one sample: the second of the first layer is off, the first reaches its kink."""
    model = FullyConnected(3, 2, 1, "relu")
    theta = np.array([0.0, -1.0, 2.0, 1.0, -3.0, 1.0, 1.0, 1.0])
    X, sides = np.array([[1.0]]), np.array([True, False, False, False])
    at_kink = np.array([True, False, False, False])
    found = beyond(model, theta, X, sides, at_kink)
    assert found.sides.tolist() == [True, False, True, False]
    assert found.starved.tolist() == [False, False, True, True]
    assert [group.tolist() for group in found.sources] == [[0]]


def test_of_several_sources_the_leader_decides_or_nothing_comes() -> None:
    model = FullyConnected(3, 2, 1, "relu")
    theta = np.array([0.0, 0.0, 2.0, 1.0, -3.0, 1.0, 1.0, 1.0])
    X, sides = np.array([[1.0]]), np.array([False, False, True, True])
    at_kink = np.array([True, True, False, False])
    above = {leader: beyond(model, theta, X, sides, at_kink, [leader]).sides[2:].tolist() for leader in (-1, 0, 1)}
    assert above == {-1: [False, False], 0: [True, False], 1: [True, True]}
    assert [group.tolist() for group in beyond(model, theta, X, sides, at_kink).sources] == [[0, 1]]
