"""The lazy limit of every model, against pseudo-inverses of explicit Jacobians and flows that are nearly lazy."""

from __future__ import annotations

import numpy as np
import pytest
from network_oracles import relative
from neuron_oracles import neuron_flow

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal, FullyConnected, SingleNeuron
from initshape.regularizers import Fit, evaluate_kkt, fit
from initshape.regularizers.tangent_norm import TangentNorm
from initshape.spec.outcome import Exactness, Outcome

LINEAR = (
    SingleNeuron(1, 9),
    SingleNeuron(3, 9),
    FullyConnected(2, 1, 9),
    FullyConnected(2, 4, 9),
    FullyConnected(2, 15, 9),
    FullyConnected(3, 3, 9),
    FullyConnected(5, 12, 9),
)


def gaussian(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


def lazy(model: AbstractModel, theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """J^+ (y - f0), J row by row from the model."""
    J = model.vjp(theta, X, np.eye(len(y)))
    return np.asarray(np.linalg.pinv(J) @ (y - model.outputs(theta, X)))


def solve(model: AbstractModel, theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> Fit:
    return fit("kernel", Dataset(X=X, y=y), model, theta)


@pytest.mark.parametrize("model", LINEAR, ids=str)
@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_linear_networks(model: AbstractModel, scale: float) -> None:
    """The predictor, the value ||step||^2/2, and the potential by the dense M0."""
    X, y = gaussian(model.size, 4, 9)
    theta = scale * np.random.default_rng(model.size).standard_normal(model.size)
    step = lazy(model, theta, X, y)
    w0 = model.predictor(theta)
    answer = solve(model, theta, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.exactness is Exactness.baseline
    assert answer.conditions[0].holds
    assert answer.w is not None
    assert relative(answer.w, w0 + model.jvp(theta, np.eye(9), step)) < 1e-9
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-13
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12
    assert answer.value == pytest.approx(step @ step / 2, rel=1e-8)
    M0 = model.kernel(theta, np.eye(9))
    q = answer.potential
    assert isinstance(q, TangentNorm)
    w = answer.w + np.random.default_rng(1).standard_normal(9)
    assert q.value(w) == pytest.approx((w - w0) @ np.linalg.solve(M0, w - w0) / 2, rel=1e-7)
    np.testing.assert_allclose(q.inverse(q.gradient(w)), w, rtol=1e-9, atol=1e-9 * np.abs(w).max())
    assert evaluate_kkt(q, w, X) > 1e-3


def test_no_large_matrix_is_formed() -> None:
    """d = 20000: the dense metric would need 3.2 GB."""
    X, y = gaussian(1, 3, 20_000)
    model = FullyConnected(2, 4, 20_000)
    theta = np.random.default_rng(1).standard_normal(model.size)
    answer = solve(model, theta, X, y)
    assert answer.w is not None
    K = model.kernel(theta, X)
    step = model.vjp(theta, X, np.linalg.solve(K, y - model.outputs(theta, X)))
    np.testing.assert_allclose(answer.value, step @ step / 2, rtol=1e-10)
    assert answer.kkt_residual is not None
    assert answer.kkt_residual < 1e-12


def test_output_weights_at_zero_reach_a_subspace() -> None:
    """a = 0: only w in the span of the rows of W_1 is reachable to first order."""
    X, y = gaussian(5, 3, 8)
    model = FullyConnected(2, 4, 8)
    W = np.random.default_rng(5).standard_normal((4, 8))
    theta = np.concatenate([W.ravel(), np.zeros(4)])
    answer = solve(model, theta, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.conditions[0].value == 4
    assert not answer.conditions[0].holds
    assert answer.w is not None
    coefficients = np.linalg.lstsq(W.T, answer.w, rcond=None)[0]
    np.testing.assert_allclose(coefficients @ W, answer.w, atol=1e-13)
    assert relative(answer.w, np.linalg.pinv(X @ W.T) @ y @ W) < 1e-11
    assert answer.kkt_residual is not None
    assert answer.kkt_residual < 1e-12
    assert answer.potential is not None
    assert answer.potential.value(answer.w) == pytest.approx(answer.value)
    assert answer.potential.value(answer.w + 1e-6) == np.inf
    narrow = FullyConnected(2, 2, 8)
    stuck = solve(narrow, np.concatenate([W[:2].ravel(), np.zeros(2)]), X, y)
    assert stuck.outcome is Outcome.infeasible
    assert stuck.w is None
    assert solve(model, np.zeros(model.size), X, y).outcome is Outcome.infeasible


def test_lazy_flows_tend_to_it_and_others_to_the_minimum_norm() -> None:
    """Paired neurons, w(0) = 0. Scale 10 is lazy; the metric's W^T W part is needed to see that, a multiple of the
    identity alone would predict the minimum norm. Scale 1e-4 is not lazy, and ends near the minimum norm."""
    X, y = gaussian(6, 3, 6)
    model = FullyConnected(2, 4, 6)
    unit = np.random.default_rng(60).standard_normal((2, 6))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    least = np.linalg.pinv(X) @ y
    for alpha, kernel_is_right in ((10.0, True), (1e-4, False)):
        W, a = np.sqrt(alpha) * np.vstack([unit, unit]), np.sqrt(alpha) * np.array([1.0, 1.0, -1.0, -1.0])
        end_w, end_a = neuron_flow(W, a, X, y)
        answer = solve(model, np.concatenate([W.ravel(), a]), X, y)
        assert answer.w is not None
        to_kernel, to_least = relative(end_a @ end_w, answer.w), relative(end_a @ end_w, least)
        assert (to_kernel < 1e-3 < 1e-2 < to_least) if kernel_is_right else (to_least < 2e-2 < 5e-2 < to_kernel)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("depth", [2, 3])
def test_networks_that_are_not_linear_have_outputs_instead(activation: str, depth: int) -> None:
    X, y = gaussian(8, 4, 5)
    X_test = np.random.default_rng(9).standard_normal((7, 5))
    model = FullyConnected(depth, 6, 5, activation)
    theta = np.random.default_rng(10).standard_normal(model.size)
    answer = fit("kernel", Dataset(X=X, y=y, X_test=X_test, y_test=np.ones(7)), model, theta)
    step = lazy(model, theta, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.w is None
    assert answer.reason is not None
    assert answer.predictions is not None
    want = model.outputs(theta, X_test) + model.jvp(theta, X_test, step)
    np.testing.assert_allclose(answer.predictions, want, rtol=1e-9, atol=1e-10)
    assert answer.value == pytest.approx(step @ step / 2, rel=1e-9)
    assert answer.relative_residual is not None
    assert answer.relative_residual < 1e-12
    assert solve(model, theta, X, y).predictions is None
    for name in ("implicit", "l1", "l2", "summed_neurons"):
        none = fit(name, Dataset(X=X, y=y), model, theta)
        assert none.outcome is Outcome.none_known
        assert none.reason is not None


def test_dead_networks_cannot_be_linearised() -> None:
    X, y = gaussian(8, 4, 5)
    model = FullyConnected(2, 3, 5, "relu")
    theta = np.concatenate([np.zeros(15), np.ones(3)])
    answer = solve(model, theta, X, y)
    assert answer.outcome is Outcome.infeasible
    assert answer.reason is not None
    assert not answer.conditions[0].holds


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("spread", [0.0, 0.7])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_diagonal_networks(depth: int, spread: float, bias: float) -> None:
    """Equal coordinates weigh the same and share the least-norm interpolator; all others have their own."""
    X, y = gaussian(7, 4, 9)
    rng = np.random.default_rng(depth)
    layers = np.broadcast_to(0.8 * np.exp(spread * rng.normal(size=(1, 1, 9))), (2, depth, 9)).copy()
    layers[1] -= bias
    model, theta = Diagonal(depth, 9), layers.reshape(-1)
    first, again = solve(model, theta, X, y), solve(model, theta, X, y)
    assert first.w is not None
    assert again.w is not None
    assert relative(X @ first.w, model.predictor(theta) @ X.T + model.jvp(theta, X, lazy(model, theta, X, y))) < 1e-12
    expected = model.predictor(theta) + model.jvp(theta, np.eye(9), lazy(model, theta, X, y))
    assert relative(first.w, expected) < 1e-12
    np.testing.assert_array_equal(first.w, again.w)
