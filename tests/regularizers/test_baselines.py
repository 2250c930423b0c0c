"""l1, l2 and kernel: optimality proved from outside, not by the code that solved."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.optimize import linprog

from initshape.datasets import Dataset, build
from initshape.models import Diagonal
from initshape.regularizers import Fit, L1Norm, evaluate_kkt, fit
from initshape.spec.dataset import SparseRegression
from initshape.spec.outcome import Exactness, Outcome


def solve(name: str, X: np.ndarray, y: np.ndarray, theta: np.ndarray | None = None, depth: int = 2) -> Fit:
    model = Diagonal(depth, X.shape[1])
    return fit(name, Dataset(X=X, y=y), model, np.ones(model.size) if theta is None else theta)


def gaussian(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


@pytest.mark.parametrize(("n", "d"), [(1, 4), (3, 8), (10, 40), (8, 8)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_l1_is_optimal(n: int, d: int, scale: float) -> None:
    """The objective of an interior-point LP, exact interpolation, and a dual certificate that proves the optimum."""
    X, y = gaussian(n + d, n, d)
    y = y * scale
    answer = solve("l1", X, y)
    assert answer.outcome is Outcome.converged
    assert answer.exactness is Exactness.baseline
    w = answer.w
    assert w is not None
    reference = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y / scale, bounds=(0, None), method="highs-ipm")
    assert answer.value == pytest.approx(reference.fun * scale, rel=1e-9)
    assert np.linalg.norm(X @ w - y) <= 3e-15 * np.sqrt(n * d) * np.linalg.norm(y)
    assert isinstance(answer.potential, L1Norm)
    s = answer.potential.certificate
    assert np.max(np.abs(s)) <= 1 + 1e-12
    nu = np.linalg.lstsq(X.T, s, rcond=None)[0]
    np.testing.assert_allclose(X.T @ nu, s, atol=1e-12)
    assert nu @ y == pytest.approx(answer.value, rel=1e-12)
    np.testing.assert_array_equal(s[w != 0], np.sign(w[w != 0]))
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-13
    assert np.count_nonzero(w) <= n
    assert all(c.holds for c in answer.conditions)


def test_l1_recovers_a_sparse_truth_and_proves_it_unique() -> None:
    """Fewer non-zeros than samples: a degenerate vertex, whose certificate from the LP need not be strict."""
    data = build(SparseRegression(kind="sparse_regression", dimension=60, samples=30, sparsity=3, noise_variance=0.0))
    answer = fit("l1", data, Diagonal(2, 60), np.ones(240))
    assert answer.w is not None
    np.testing.assert_allclose(answer.w, data.w_true, atol=1e-14)
    (unique,) = answer.conditions
    assert unique.holds
    assert isinstance(unique.value, float)
    assert 0.0 < unique.value < 1.0


@pytest.mark.parametrize(
    ("X", "y", "unique"),
    [
        ([[1.0, 1.0]], [1.0], False),  # every point between (1, 0) and (0, 1)
        ([[1.0, -1.0, 0.5]], [1.0], False),
        ([[2.0, 1.0]], [1.0], True),
        ([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], [1.0, 1.0], False),  # (1, 1, 0) and (0, 0, 2) and between
        ([[1.0, 0.0, 0.4], [0.0, 1.0, 0.4]], [1.0, 1.0], True),
        ([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [1.0, 0.0], True),  # degenerate, the least-norm certificate is on the edge
        ([[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0], True),
    ],
)
def test_l1_uniqueness(X: list[list[float]], y: list[float], unique: bool) -> None:
    answer = solve("l1", np.array(X), np.array(y))
    assert answer.outcome is Outcome.converged
    (condition,) = answer.conditions
    assert condition.name == "unique minimiser"
    assert condition.holds is unique


def test_l1_kkt_measures_other_points_continuously() -> None:
    X, y = gaussian(2, 3, 9)
    answer = solve("l1", X, y)
    assert answer.w is not None
    assert answer.potential is not None
    null = np.linalg.svd(X)[2][-1]
    residuals = [evaluate_kkt(answer.potential, answer.w + step * null, X) for step in (0.0, 1e-9, 1e-6, 1e-3)]
    assert residuals[0] <= 1e-13
    for step, residual in zip((1e-9, 1e-6, 1e-3), residuals[1:], strict=True):
        assert 1e-3 * step < residual < 10 * step
    assert evaluate_kkt(answer.potential, np.zeros(9), X) == 0.0


def test_l1_is_solved_once_per_data_set() -> None:
    data = build(SparseRegression(kind="sparse_regression", dimension=300, samples=60, seed=77))
    again = build(SparseRegression(kind="sparse_regression", dimension=300, samples=60, seed=77))
    first = fit("l1", data, Diagonal(2, 300), np.ones(1200))
    started = time.perf_counter()
    second = fit("l1", again, Diagonal(2, 300), np.ones(1200))
    assert time.perf_counter() - started < 0.5 * (first.seconds or 0.0)
    assert first.w is not None
    assert second.w is not None
    np.testing.assert_array_equal(first.w, second.w)
    second.w[0] = 9.0
    third = fit("l1", again, Diagonal(2, 300), np.ones(1200))
    assert third.w is not None
    np.testing.assert_array_equal(first.w, third.w)


def test_l1_gradient_is_a_subgradient() -> None:
    X, y = gaussian(3, 3, 9)
    q = solve("l1", X, y).potential
    assert q is not None
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.standard_normal(9), rng.standard_normal(9)
        a[rng.integers(9, size=3)] = 0.0
        assert q.value(b) >= q.value(a) + q.gradient(a) @ (b - a) - 1e-13


@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 8), (20, 60), (8, 8), (9, 4)])
def test_l2_is_the_pseudo_inverse(n: int, d: int) -> None:
    X, _ = gaussian(n * d, n, d)
    y = X @ np.random.default_rng(0).standard_normal(d)
    answer = solve("l2", X, y)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    np.testing.assert_allclose(answer.w, np.linalg.pinv(X) @ y, rtol=1e-9, atol=1e-12)
    assert answer.value == pytest.approx(np.sum(answer.w**2) / 2, rel=1e-14)
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-14
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-13


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_kernel_is_the_minimum_norm_solution_of_the_linearised_model(depth: int) -> None:
    """Linearised in parameters: theta0 + J^+ (y - f0), with J from the model and pinv from NumPy."""
    rng = np.random.default_rng(depth)
    X, y = gaussian(depth, 4, 9)
    model = Diagonal(depth, 9)
    theta = rng.standard_normal(model.size)
    J = model.vjp(theta, X, np.eye(4))
    step = np.linalg.pinv(J) @ (y - model.outputs(theta, X))
    want = model.predictor(theta) + model.jvp(theta, np.eye(9), step)
    answer = solve("kernel", X, y, theta, depth)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    np.testing.assert_allclose(answer.w, want, rtol=1e-9, atol=1e-10)
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-13
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-11


def test_kernel_over_many_decades() -> None:
    rng = np.random.default_rng(11)
    X, y = gaussian(11, 5, 12)
    theta = 10.0 ** rng.uniform(-6, 3, (2, 2, 12)) * rng.choice([-1.0, 1.0], (2, 2, 12))
    answer = solve("kernel", X, y, theta.ravel())
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    w0 = theta[0, 0] * theta[0, 1] - theta[1, 0] * theta[1, 1]
    assert np.linalg.norm(X @ answer.w - y) <= 1e-14 * np.linalg.norm(np.abs(X) @ np.abs(w0))


def test_kernel_with_frozen_coordinates() -> None:
    """Layers at zero: those coordinates have no kernel at depth 2 only if all factors vanish."""
    rng = np.random.default_rng(12)
    X, y = gaussian(12, 2, 5)
    theta = rng.standard_normal((2, 2, 5))
    theta[:, :, 2] = 0.0
    answer = solve("kernel", X, y, theta.ravel())
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert answer.w[2] == 0.0
    assert answer.potential is not None
    assert answer.potential.value(answer.w) < np.inf
    assert answer.potential.value(answer.w + np.eye(5)[2]) == np.inf
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12
    assert not answer.conditions[0].holds
    nothing = solve("kernel", X, y, np.zeros(20))
    assert nothing.outcome is Outcome.infeasible


def test_implicit_tends_to_its_limits() -> None:
    """Large scale: implicit = kernel = l2 (equal layers). Tiny scale: implicit -> l1, slowly."""
    X, y = gaussian(13, 4, 12)
    fits = {name: solve(name, X, y, np.full(48, 1e4)).w for name in ("implicit", "kernel", "l2")}
    np.testing.assert_allclose(fits["implicit"], fits["l2"], rtol=1e-7)
    np.testing.assert_allclose(fits["kernel"], fits["l2"], rtol=1e-12)
    l1 = solve("l1", X, y).w
    assert l1 is not None
    distances = []
    for scale in (1e-2, 1e-10, 1e-40):
        w = solve("implicit", X, y, np.full(48, scale)).w
        assert w is not None
        distances.append(np.linalg.norm(w - l1) / np.linalg.norm(l1))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-6
