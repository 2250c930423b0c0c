"""What every model promises, checked from outside: Jacobian products by autodiff, conserved quantities by SciPy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from scipy.integrate import solve_ivp

import initshape.flows  # noqa: F401 - switches JAX to float64
from initshape.models import AbstractModel


def jacobian_products(model: AbstractModel, theta: Any, X: Any) -> None:
    rng = np.random.default_rng(0)
    v, z = rng.normal(size=(2, model.size)), rng.normal(size=(2, len(X)))
    J = np.asarray(jax.jacobian(lambda t: model.outputs(t, X))(theta))
    size = float(np.abs(J).max())
    np.testing.assert_allclose(model.jvp(theta, X, v), v @ J.T, rtol=1e-12, atol=1e-12 * size)
    np.testing.assert_allclose(model.vjp(theta, X, z), z @ J, rtol=1e-12, atol=1e-12 * size)
    np.testing.assert_allclose(model.kernel(theta, X), J @ J.T, rtol=1e-12, atol=1e-12 * size**2)


def numpy_and_jax_agree(model: AbstractModel, theta: Any, X: Any) -> None:
    z = np.arange(1.0, len(X) + 1.0)
    for name, arguments in {
        "outputs": (theta, X),
        "vjp": (theta, X, z),
        "jvp": (theta, X, theta),
        "kernel": (theta, X),
        "invariants": (theta,),
        "invariant_scale": (theta,),
    }.items():
        function = getattr(model, name)
        want = function(*arguments)
        got = jax.jit(function)(*arguments)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * float(np.abs(want).max()))


def leading_dimensions(model: AbstractModel, theta: Any, X: Any) -> None:
    stack = np.stack([theta, 2 * theta, theta[::-1]]).reshape(1, 3, -1)
    z = np.arange(3.0 * len(X)).reshape(1, 3, len(X)) - 1.0
    together = {
        "outputs": model.outputs(stack, X),
        "vjp": model.vjp(stack, X, z),
        "jvp": model.jvp(stack, X, stack[..., ::-1]),
        "invariants": model.invariants(stack),
        "invariant_scale": model.invariant_scale(stack),
    }
    one_theta = model.vjp(theta, X, z)
    for k in range(3):
        t = stack[0, k]
        alone = {
            "outputs": model.outputs(t, X),
            "vjp": model.vjp(t, X, z[0, k]),
            "jvp": model.jvp(t, X, t[::-1]),
            "invariants": model.invariants(t),
            "invariant_scale": model.invariant_scale(t),
        }
        for name, want in alone.items():
            got = together[name][0, k]
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * float(np.abs(want).max()), err_msg=name)
        np.testing.assert_allclose(one_theta[0, k], model.vjp(theta, X, z[0, k]), rtol=1e-12, atol=1e-13)


def invariants_are_conserved(model: AbstractModel, theta: Any, X: Any, y: Any) -> None:
    def velocity(_: float, t: Any) -> Any:
        return model.vjp(t, X, y - model.outputs(t, X)) / len(y)

    end = 3.0 * len(y) / float(np.trace(model.kernel(theta, X)))
    path = solve_ivp(velocity, (0.0, end), theta, method="DOP853", rtol=1e-11, atol=1e-13).y.T
    drift = np.abs(model.invariants(path) - model.invariants(theta)) / model.invariant_scale(path)
    assert drift.max() < 1e-9
    assert np.abs(path[-1] - theta).max() > 1e-3 * np.abs(theta).max()


def padding(model: AbstractModel, theta: Any, X: Any, y: Any) -> None:
    n, d = X.shape
    wide, theta_p, X_p, y_p = model.pad(theta, X, y, d + 3, n + 1)
    assert wide.dimension == d + 3
    assert (X_p.shape, y_p.shape) == ((n + 1, d + 3), (n + 1,))
    outputs = wide.outputs(theta_p, X_p)
    np.testing.assert_allclose(outputs[:n], model.outputs(theta, X), rtol=1e-13, atol=1e-14)
    assert outputs[n] == 0.0
    gradient = wide.vjp(theta_p, X_p, y_p - outputs)
    np.testing.assert_allclose(model.unpad(gradient), model.vjp(theta, X, y - outputs[:n]), rtol=1e-12, atol=1e-13)
    assert np.count_nonzero(gradient) == np.count_nonzero(model.unpad(gradient))
    np.testing.assert_array_equal(model.unpad(theta_p), theta)
    np.testing.assert_array_equal(model.unpad(np.stack([theta_p] * 2)), np.stack([theta] * 2))
    np.testing.assert_allclose(wide.kernel(theta_p, X_p)[:n, :n], model.kernel(theta, X), rtol=1e-12, atol=1e-13)
