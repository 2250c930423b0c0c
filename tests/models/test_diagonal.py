"""Diagonal networks: Jacobian products against autodiff, conserved quantities against a simulated flow, padding."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import initshape.flows  # noqa: F401 - switches JAX to float64
from initshape.models import Diagonal

Case = tuple[Diagonal, Any, Any, Any]


@pytest.fixture(params=[2, 3, 4, 6])
def case(request: pytest.FixtureRequest) -> Case:
    """A network with all-different signed layers, and data."""
    rng = np.random.default_rng(request.param)
    model = Diagonal(request.param, 5)
    return model, rng.normal(size=model.size), rng.normal(size=(3, 5)), rng.normal(size=3)


def test_predictor_is_the_difference_of_the_layer_products(case: Case) -> None:
    model, theta, X, _ = case
    plus, minus = theta.reshape(2, model.depth, 5)
    np.testing.assert_allclose(model.predictor(theta), plus.prod(0) - minus.prod(0), rtol=1e-14)
    np.testing.assert_allclose(model.outputs(theta, X), X @ (plus.prod(0) - minus.prod(0)), rtol=1e-13)


def test_jacobian_products_agree_with_autodiff(case: Case) -> None:
    model, theta, X, z = case
    v = np.random.default_rng(0).normal(size=(2, model.size))
    J = np.asarray(jax.jacobian(lambda t: model.outputs(t, X))(theta))
    np.testing.assert_allclose(model.jvp(theta, X, v), v @ J.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(model.vjp(theta, X, z), J.T @ z, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(model.kernel(theta, X), J @ J.T, rtol=1e-12, atol=1e-13)


def test_numpy_and_compiled_jax_agree(case: Case) -> None:
    model, theta, X, z = case
    for name, arguments in {
        "outputs": (theta, X),
        "vjp": (theta, X, z),
        "jvp": (theta, X, theta),
        "kernel": (theta, X),
        "invariants": (theta,),
        "invariant_scale": (theta,),
    }.items():
        function = getattr(model, name)
        np.testing.assert_allclose(jax.jit(function)(*arguments), function(*arguments), rtol=1e-13, atol=1e-14)


def test_leading_dimensions_are_independent_states(case: Case) -> None:
    model, theta, X, z = case
    stack = np.stack([theta, 2 * theta, theta[::-1]])
    zs = np.stack([z, -z, 3 * z])
    for k in range(3):
        np.testing.assert_allclose(model.outputs(stack, X)[k], model.outputs(stack[k], X), rtol=1e-13)
        np.testing.assert_allclose(model.vjp(stack, X, zs)[k], model.vjp(stack[k], X, zs[k]), rtol=1e-13)
        np.testing.assert_array_equal(model.invariants(stack)[k], model.invariants(stack[k]))


def test_invariants_are_conserved_along_a_flow_but_the_parameters_move(case: Case) -> None:
    model, theta, X, y = case

    def velocity(_: float, t: Any) -> Any:
        return model.vjp(t, X, y - model.outputs(t, X)) / len(y)

    path = solve_ivp(velocity, (0.0, 2.0), theta, method="DOP853", rtol=1e-12, atol=1e-13).y.T
    drift = np.abs(model.invariants(path) - model.invariants(theta)) / model.invariant_scale(theta)
    assert drift.max() < 1e-9
    assert np.abs(path[-1] - theta).max() > 0.1


def test_invariants_of_a_balanced_network_are_exact_zeros() -> None:
    layer = np.array([1.0 / 3.0, 1e-30, 1e12])
    for depth in (2, 4):
        theta = np.broadcast_to(layer, (2, depth, 3)).reshape(-1)
        assert np.all(Diagonal(depth, 3).invariants(theta)[: 2 * (depth - 1) * 3] == 0.0)


def test_invariants_keep_their_digits_where_squares_cancel() -> None:
    """u^2 - v^2 with u = 1 + 2^-40, v = 1 is 2^-39 + 2^-80; the difference of squares in floating point loses half."""
    tiny = 2.0**-40
    theta = np.array([[[1.0 + tiny], [1.0]], [[0.5], [0.5]]]).reshape(-1)
    assert Diagonal(2, 1).invariants(theta)[0] == pytest.approx(2 * tiny + tiny**2, rel=1e-15)


def test_magnitude_is_positive_and_follows_the_second_smallest_layer() -> None:
    model = Diagonal(3, 3)
    theta = np.array([[[0.0, -2.0, 0.0], [5.0, 3.0, 0.0], [-7.0, 0.5, 0.0]]] * 2).reshape(-1)
    layers = model.magnitude(theta).reshape(2, 3, 3)[0]
    np.testing.assert_array_equal(layers[:, 0], [5.0, 5.0, 7.0])
    np.testing.assert_array_equal(layers[:, 1], [2.0, 3.0, 2.0])
    np.testing.assert_array_equal(layers[:, 2], [7.0, 7.0, 7.0])
    assert np.all(model.magnitude(np.zeros(18)) > 0.0)


def test_padding_changes_no_output_and_no_real_gradient(case: Case) -> None:
    model, theta, X, y = case
    wide, theta_p, X_p, y_p = model.pad(theta, X, y, 8, 4)
    assert wide == Diagonal(model.depth, 8)
    assert (X_p.shape, y_p.shape) == ((4, 8), (4,))
    outputs = wide.outputs(theta_p, X_p)
    np.testing.assert_allclose(outputs[:3], model.outputs(theta, X), rtol=1e-14)
    assert outputs[3] == 0.0
    gradient = wide.vjp(theta_p, X_p, y_p - outputs)
    np.testing.assert_allclose(model.unpad(gradient), model.vjp(theta, X, y - outputs[:3]), rtol=1e-13)
    assert np.count_nonzero(gradient) == np.count_nonzero(model.unpad(gradient))
    np.testing.assert_array_equal(model.unpad(theta_p), theta)
    np.testing.assert_array_equal(model.unpad(np.stack([theta_p] * 2)), np.stack([theta] * 2))


def test_padding_cannot_shrink() -> None:
    with pytest.raises(ValueError, match="shrink"):
        Diagonal(2, 3).pad(np.ones(12), np.ones((2, 3)), np.ones(2), 2, 2)


@pytest.mark.parametrize(("depth", "dimension"), [(1, 3), (2, 0)])
def test_impossible_sizes_are_refused(depth: int, dimension: int) -> None:
    with pytest.raises(ValueError, match="depth >= 2"):
        Diagonal(depth, dimension)


def test_models_never_load_jax() -> None:
    code = "import sys, initshape.models; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
