"""The summed-neurons fit: its optimum by another method, its exact cases and its errors by simulated flows."""

from __future__ import annotations

import numpy as np
import pytest
from network_oracles import relative
from neuron_oracles import neuron_flow
from scipy.optimize import minimize

from initshape.datasets import Dataset
from initshape.models import FullyConnected
from initshape.regularizers import Fit, fit
from initshape.regularizers.neuron_split import Neurons, split
from initshape.regularizers.summed_potential import SummedNeurons
from initshape.spec.outcome import Exactness, Outcome

NAMES = ("summed_neurons", "summed_neurons_weighted")


def solve(name: str, X: np.ndarray, y: np.ndarray, W: np.ndarray, a: np.ndarray) -> Fit:
    return fit(name, Dataset(X=X, y=y), FullyConnected(2, len(a), X.shape[1]), np.concatenate([W.ravel(), a]))


def gaussian(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


def neurons(seed: int, m: int, d: int, alpha: float, shape: float) -> tuple[np.ndarray, np.ndarray]:
    """Independent directions and signs, ||w_i|| = p, |a_i| = r p, alpha = r p^2."""
    rng = np.random.default_rng(1000 + seed)
    r = (1 + shape) / (1 - shape)
    W = rng.standard_normal((m, d))
    p = np.sqrt(alpha / r)
    return p * W / np.linalg.norm(W, axis=1)[:, None], rng.choice([-1.0, 1.0], m) * r * p


def flow_limit(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, rtol: float = 1e-9) -> np.ndarray:
    end_w, end_a = neuron_flow(W, a, X, y, rtol=rtol)
    return end_a @ end_w


def condition(answer: Fit, part: str) -> object:
    (found,) = [c for c in answer.conditions if part in c.name]
    return found


def dual(X: np.ndarray, y: np.ndarray, W: np.ndarray, a: np.ndarray, c: np.ndarray) -> np.ndarray:
    """w from min_nu sum_i (a_i^2)^(3/2)/(2 c_i) - y.nu, u_i = (2/3) c_i X^T nu + sign(a_i(0)) w_i(0), by BFGS."""
    delta = a**2 - np.sum(W**2, axis=1)

    def state(nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = (2 / 3) * np.outer(c, nu @ X) + np.sign(a)[:, None] * W
        return np.sqrt(np.maximum(delta + np.sum(u**2, axis=1), 0.0)), u

    def value(nu: np.ndarray) -> tuple[float, np.ndarray]:
        size, u = state(nu)
        return float(np.sum(size**3 / (2 * c)) - y @ nu), X @ (size @ u) - y

    found = minimize(value, np.zeros(len(y)), jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 5000})
    size, u = state(found.x)
    w = size @ u
    assert np.linalg.norm(X @ w - y) < 1e-6 * np.linalg.norm(y), found.message
    return np.asarray(w)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(8))
def test_optimum_by_another_method(name: str, seed: int) -> None:
    """The dual in the multipliers of the samples, where the fit works in the output weights."""
    X, y = gaussian(seed, 3, 7)
    W, a = neurons(seed, 4, 7, (1e-2, 0.3, 1.0, 3.0)[seed % 4], (0.0, 0.5, -0.4)[seed % 3])
    a = a * np.linspace(0.5, 1.5, 4)
    answer = solve(name, X, y, W, a)
    assert answer.outcome is Outcome.converged
    assert answer.exactness is Exactness.approximate
    assert answer.w is not None
    want = dual(X, y, W, a, np.abs(a) if name.endswith("weighted") else np.ones(4))
    assert relative(answer.w, want) < 2e-6
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-14
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-13


@pytest.mark.parametrize("seed", range(4))
def test_potential_is_the_infimal_convolution(seed: int) -> None:
    """No split of w does better than the best one; its gradient is that of the value; `inverse` undoes it."""
    rng = np.random.default_rng(seed)
    W, a = neurons(seed, 5, 4, 0.5, -0.3)
    a = a * rng.uniform(0.5, 2.0, 5)
    q = SummedNeurons.of(a, W, np.sign(a), rng.uniform(0.5, 2.0, 5))
    w = rng.standard_normal(4)
    best = q.best_split(w)
    assert best.outcome is Outcome.converged
    np.testing.assert_allclose(best.a @ best.u, w, atol=1e-13)
    for _ in range(20):
        parts = best.a[:, None] * best.u + 0.3 * rng.standard_normal((5, 4))
        parts[-1] += w - parts.sum(axis=0)
        assert sum(q.terms(parts)) > q.value(w)
    R, step = q.gradient(w), 1e-5
    slopes = [(q.value(w + step * e) - q.value(w - step * e)) / (2 * step) for e in np.eye(4)]
    np.testing.assert_allclose(R, slopes, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(q.inverse(R), w, atol=1e-12)
    w0 = a @ W
    np.testing.assert_allclose(q.inverse(np.zeros(4)), w0, rtol=1e-14)
    np.testing.assert_allclose(q.gradient(w0), np.zeros(4), atol=1e-13)


def test_one_neuron_is_the_single_neuron_potential() -> None:
    X, y = gaussian(3, 3, 7)
    W, a = neurons(3, 1, 7, 0.5, 0.2)
    exact = fit("implicit", Dataset(X=X, y=y), FullyConnected(2, 1, 7), np.concatenate([W.ravel(), a]))
    assert exact.w is not None
    for name in NAMES:
        answer = solve(name, X, y, W, a)
        assert answer.exactness is Exactness.exact
        assert answer.w is not None
        assert relative(answer.w, exact.w) < 1e-13
        assert answer.value == pytest.approx((exact.value or 0.0) / (1.0 if name == NAMES[0] else abs(a[0])), rel=1e-11)


def test_a_neuron_that_changes_sign_is_not_exact() -> None:
    """The published signs are those at the start: the answer follows them, and says that they will not last."""
    X, y = gaussian(0, 1, 5)
    a, w = np.array([0.05]), -2.0 * X * np.sign(y[0]) / np.linalg.norm(X)
    truth = fit("implicit", Dataset(X=X, y=y), FullyConnected(2, 1, 5), np.concatenate([w.ravel(), a]))
    answer = solve("summed_neurons", X, y, w + 0.3, a)
    assert truth.exactness is Exactness.exact
    assert answer.exactness is Exactness.approximate
    assert not condition(answer, "no a_i changes sign").holds  # type: ignore[attr-defined]
    assert condition(answer, "no a_i can change sign").value == 1  # type: ignore[attr-defined]
    end_w, end_a = neuron_flow(w + 0.3, a, X, y)
    assert end_a[0] < 0.0
    assert answer.w is not None
    assert relative(answer.w, end_a @ end_w) > 0.1


@pytest.mark.parametrize("alpha", [1e-2, 1.0])
def test_clones_are_exact_without_and_with_weights(alpha: float) -> None:
    """(a, w) and (-a, -w); and multiples of one neuron, for which the weights are needed."""
    X, y = gaussian(7, 3, 6)
    W, a = neurons(7, 1, 6, alpha, 0.3)
    signs, sizes = np.array([1.0, -1.0, 1.0]), np.array([1.0, 2.0, 4.0])
    limit = flow_limit(np.outer(signs, W[0]), signs * a, X, y)
    for name in NAMES:
        answer = solve(name, X, y, np.outer(signs, W[0]), signs * a)
        assert answer.exactness is Exactness.exact
        assert all(c.holds for c in answer.conditions)
        assert answer.w is not None
        assert relative(answer.w, limit) < 1e-9
    scaled = np.outer(signs * sizes, W[0]), signs * sizes * a
    limit = flow_limit(*scaled, X, y)
    plain, weighted = (solve(name, X, y, *scaled) for name in NAMES)
    assert weighted.exactness is Exactness.exact
    assert plain.exactness is Exactness.approximate
    assert weighted.w is not None
    assert plain.w is not None
    assert relative(weighted.w, limit) < 1e-9
    assert relative(plain.w, limit) > 1e-4


def test_starts_in_the_span_of_the_data_end_at_minimum_norm() -> None:
    X, y = gaussian(9, 3, 8)
    rng = np.random.default_rng(9)
    for W in (np.zeros((4, 8)), rng.standard_normal((4, 3)) @ X):
        a = rng.standard_normal(4)
        end = flow_limit(W, a, X, y)
        for name in NAMES:
            answer = solve(name, X, y, W, a)
            assert answer.exactness is Exactness.exact
            assert answer.w is not None
            assert relative(answer.w, np.linalg.pinv(X) @ y) < 1e-13
            assert relative(answer.w, end) < 1e-8


@pytest.mark.parametrize(("alpha", "shape", "bound"), [(1e-4, 0.5, 1e-2), (1.0, 0.0, 2e-2), (1.0, 0.9, 1e-6)])
def test_approximation_is_as_good_as_its_parameters_promise(alpha: float, shape: float, bound: float) -> None:
    X, y = gaussian(11, 3, 6)
    W, a = neurons(11, 4, 6, alpha, shape)
    end = flow_limit(W, a, X, y)
    answer = solve("summed_neurons", X, y, W, a)
    assert answer.exactness is Exactness.approximate
    assert answer.w is not None
    distance = relative(answer.w, end)
    assert 1e-10 < distance < bound
    assert condition(answer, "shape").value == pytest.approx(shape, abs=1e-12)  # type: ignore[attr-defined]
    assert condition(answer, "shape").holds is (shape > 1e-12)  # type: ignore[attr-defined]
    assert condition(answer, "delta").value == pytest.approx(  # type: ignore[attr-defined]
        4 * alpha * shape / (1 - shape**2), abs=1e-14
    )


def test_large_delta_needs_the_weights() -> None:
    """|a_i| = 1, 2, 4 times c: the weighted sum gains four digits where the unweighted one gains two, like the
    kernel."""
    X, y = gaussian(13, 3, 6)
    W, _ = neurons(13, 3, 6, 1.0, 0.0)
    W = 0.5 * W / np.linalg.norm(W, axis=1)[:, None]
    errors = {}
    for size in (1.0, 10.0):
        a = size * np.array([1.0, -2.0, 4.0])
        end = flow_limit(W, a, X, y, rtol=1e-11)
        for name in (*NAMES, "kernel"):
            answer = solve(name, X, y, W, a)
            assert answer.w is not None
            errors[name, size] = relative(answer.w, end)
    assert errors["summed_neurons_weighted", 10.0] < 1e-7 < 1e-6 < errors["summed_neurons", 10.0]
    assert errors["summed_neurons_weighted", 1.0] < 0.1 * errors["summed_neurons", 1.0]
    gain = errors["summed_neurons_weighted", 1.0] / errors["summed_neurons_weighted", 10.0]
    assert gain > 20 * errors["summed_neurons", 1.0] / errors["summed_neurons", 10.0]


def test_small_scale_tends_to_the_minimum_norm() -> None:
    X, y = gaussian(17, 3, 6)
    distances = []
    for alpha in (1e-2, 1e-5, 1e-8):
        W, a = neurons(17, 4, 6, alpha, 0.0)
        answer = solve("summed_neurons", X, y, W, a)
        assert answer.w is not None
        distances.append(relative(answer.w, np.linalg.pinv(X) @ y))
    assert distances[0] > 10 * distances[1] > 100 * distances[2]


def test_output_weights_at_zero() -> None:
    X, y = gaussian(19, 3, 6)
    W, a = neurons(19, 3, 6, 0.5, 0.3)
    a[1] = 0.0
    # Its slope decides the sign, without weights.
    end = flow_limit(W, a, X, y)
    answer = solve("summed_neurons", X, y, W, a)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert relative(answer.w, end) < 0.2
    refused = solve("summed_neurons_weighted", X, y, W, a)
    assert refused.outcome is Outcome.none_known
    assert refused.w is None
    assert refused.reason is not None
    assert "a_i(0) = 0" in refused.reason
    # Orthogonal to the force: nobody knows the sign.
    force = (y - X @ (a @ W)) @ X
    W[1] -= force * (W[1] @ force) / (force @ force)
    W[1] -= force * (W[1] @ force) / (force @ force)
    unknown = solve("summed_neurons", X, y, W, a)
    assert unknown.outcome is Outcome.none_known
    assert unknown.reason is not None
    # Neurons that are zero altogether take no part.
    W[1] = 0.0
    for name in NAMES:
        without, dead = solve(name, X, y, W[[0, 2]], a[[0, 2]]), solve(name, X, y, W, a)
        assert without.w is not None
        assert dead.w is not None
        np.testing.assert_allclose(dead.w, without.w, rtol=1e-13)
        assert solve(name, X, y, np.zeros((3, 6)), np.zeros(3)).outcome is Outcome.saddle


def test_labels_out_of_range_are_infeasible() -> None:
    X, y = gaussian(21, 3, 6)
    W, a = neurons(21, 3, 6, 0.5, 0.3)
    answer = solve("summed_neurons", np.vstack([X, X[0]]), np.append(y, y[0] + 1.0), W, a)
    assert answer.outcome is Outcome.infeasible
    assert answer.w is None


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_residual_over_many_decades(scale: float) -> None:
    X, y = gaussian(23, 4, 9)
    for alpha in (1e-10, 1e-4, 1.0, 1e4):
        for shape in (-0.9, 0.0, 0.9):
            W, a = neurons(23, 5, 9, alpha, shape)
            for name in NAMES:
                answer = solve(name, X, scale * y, W, a)
                assert answer.outcome is Outcome.converged
                assert answer.relative_residual is not None
                # X w itself is rounded where w(0) across the data is much larger than what y needs.
                floor = 1e-15 * np.linalg.norm(answer.w) * np.linalg.norm(X) / np.linalg.norm(scale * y)
                assert answer.relative_residual <= max(1e-14, floor)


def random_split(seed: int) -> tuple[Neurons, np.ndarray]:
    """Scales over ten decades, shapes of both signs, targets over twelve decades."""
    rng = np.random.default_rng(seed)
    m, n, extra = int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.integers(0, 6))
    alpha = 10.0 ** rng.uniform(-8, 2, m if rng.random() < 0.3 else 1) * np.ones(m)
    shape = rng.uniform(-0.99, 0.99, m if rng.random() < 0.5 else 1) * np.ones(m)
    r = (1 + shape) / (1 - shape)
    directions = rng.standard_normal((m, n + extra))
    directions *= (np.sqrt(alpha / r) / np.linalg.norm(directions, axis=1))[:, None]
    a = np.sqrt(alpha * r)
    rates = (2 / 3) * (a if rng.random() < 0.5 else np.ones(m))
    return Neurons(a, directions[:, :n], rates), rng.standard_normal(n) * 10.0 ** rng.uniform(-6, 6)


@pytest.mark.parametrize("seed", range(4))
def test_random_splits_are_optimal(seed: int) -> None:
    """Feasible, and stationary neuron by neuron: a_i^2 = max(z_i(R), 0) with one R."""
    for k in range(100):
        start, target = random_split(1000 * seed + k)
        found = split(start, target)
        assert found.outcome is Outcome.converged
        u = start.u + np.outer(start.rates, found.R)
        terms = np.abs(found.a) @ np.linalg.norm(u, axis=1)
        assert np.linalg.norm(found.a @ u - target) <= 1e-13 * terms
        z = start.a**2 + np.sum(u**2, axis=1) - np.sum(start.u**2, axis=1)
        sizes = start.a**2 + np.sum(u**2, axis=1) + np.sum(start.u**2, axis=1)
        assert np.all(np.abs(found.a**2 - np.maximum(z, 0.0)) <= 1e-12 * sizes)
