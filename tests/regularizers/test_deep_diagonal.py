"""The fit of deep diagonal networks against the simulated flow, over all scales, and where nothing fits."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from regularizer_oracles import diagonal_flow

from initshape.datasets import Dataset, build
from initshape.models import Diagonal
from initshape.regularizers import Fit, evaluate_kkt, fit
from initshape.regularizers.deep_diagonal import DERIVED, PUBLISHED
from initshape.spec.dataset import SparseRegression
from initshape.spec.outcome import Exactness, Outcome


def solve(layers: np.ndarray, X: np.ndarray, y: np.ndarray) -> Fit:
    return fit("implicit", Dataset(X=X, y=y), Diagonal(layers.shape[1], X.shape[1]), layers.ravel())


def instance(depth: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """THEORY's four kinds: balanced, a common unbalanced profile, signed with equal branches, all different."""
    rng = np.random.default_rng([depth, len(kind)])
    if kind == "balanced":
        layers = np.full((2, depth, 6), 0.3)
    elif kind == "profile":
        layers = np.tile(10.0 ** np.linspace(-1.2, 0.2, depth)[:, None], (2, 1, 6))
    else:
        layers = rng.standard_normal((2, depth, 6)) * 0.9
        if kind == "signed":
            layers[1] = layers[0]
    return layers, rng.standard_normal((2, 6)), rng.standard_normal(2)


@cache
def simulated(depth: int, kind: str) -> np.ndarray:
    """The limit of the flow, simulated once for all tests that need it."""
    return diagonal_flow(*instance(depth, kind))


@pytest.mark.parametrize(
    ("depth", "kind"),
    [(3, "balanced"), (3, "different"), (4, "profile"), (4, "different"), (5, "signed"), (6, "different")],
)
def test_fit_is_the_limit_of_the_flow(depth: int, kind: str) -> None:
    """THEORY's acceptance bar is 1e-8."""
    layers, X, y = instance(depth, kind)
    answer = solve(layers, X, y)
    w = simulated(depth, kind)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert answer.potential is not None
    assert np.linalg.norm(answer.w - w) <= 1e-9 * np.linalg.norm(w)
    assert evaluate_kkt(answer.potential, w, X) <= 1e-9
    assert answer.theorem == (PUBLISHED if kind == "balanced" else DERIVED)
    assert answer.exactness is Exactness.exact
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12
    assert all(c.holds for c in answer.conditions)


def test_sign_flips_are_followed() -> None:
    """The smallest layer passes through zero: at least one product ends with the other sign."""
    layers, X, y = instance(4, "different")
    w, w0 = simulated(4, "different"), np.prod(layers, axis=1)
    answer = solve(layers, X, y)
    assert answer.w is not None
    assert np.any(np.sign(w) != np.sign(w0[0] - w0[1]))
    np.testing.assert_allclose(answer.w, w, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("depth", [3, 4, 6])
@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 0.5, 1e2])
def test_fit_over_layer_magnitudes(depth: int, alpha: float) -> None:
    """L = 6 at 1e-4 needs R = 2.5e15: from R = X^T nu the best reachable residual would be of order one."""
    rng = np.random.default_rng(depth)
    X, y = rng.standard_normal((5, 20)), rng.standard_normal(5)
    answer = solve(np.full((2, depth, 20), alpha), X, y)
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12


@pytest.mark.parametrize("label_scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("ratio", [1e2, 1e6, 1e-3])
def test_fit_over_layer_ratios(ratio: float, label_scale: float) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((4, 12)), label_scale * rng.standard_normal(4)
    layers = np.full((2, 4, 12), 1e-2)
    layers[:, -1] *= ratio
    answer = solve(layers, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12


@pytest.mark.long
@pytest.mark.parametrize("depth", [3, 4, 5, 6])
def test_stress(depth: int) -> None:
    """100 random problems a depth: layers over 3 decades, any signs, labels over 4 decades."""
    for seed in range(100):
        rng = np.random.default_rng([depth, seed])
        d = int(rng.integers(4, 21))
        X = rng.standard_normal((int(rng.integers(1, min(6, d - 1) + 1)), d))
        y = rng.standard_normal(X.shape[0]) * 10.0 ** rng.uniform(-2, 2)
        layers = 10.0 ** rng.uniform(-2.5, 0.5, (2, depth, d)) * rng.choice([-1.0, 1.0], (2, depth, d))
        answer = solve(layers, X, y)
        assert answer.outcome is Outcome.converged, seed
        assert answer.relative_residual is not None
        assert answer.relative_residual <= 1e-12, seed
        assert answer.kkt_residual is not None
        assert answer.kkt_residual <= 1e-11, seed


@pytest.mark.parametrize("shape", [0.0, 0.7])
def test_published_size(shape: float) -> None:
    """d = 1000, N = 100, depth 3: closed form and quadrature."""
    data = build(SparseRegression(kind="sparse_regression", dimension=1000, samples=100, test_samples=0))
    r = (1 + shape) / (1 - shape)
    p = (1e-3 / r) ** (1 / 3)
    layers = np.tile(np.array([p, p, r * p])[:, None], (2, 1, 1000))
    started = time.perf_counter()
    answer = fit("implicit", data, Diagonal(3, 1000), layers.ravel())
    assert time.perf_counter() - started < 5.0
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12


def test_one_signed_and_frozen_coordinates() -> None:
    """Minus branches at rest: positive tied branches stay positive, untied ones may flip, one coordinate is frozen."""
    rng = np.random.default_rng(5)
    layers = np.zeros((2, 3, 5))
    layers[1, 2] = 0.7
    layers[0, :, :2] = 0.5
    layers[0, :, 2:4] = rng.uniform(0.2, 0.9, (3, 2))
    X = rng.standard_normal((2, 5))
    y = X @ np.array([0.9, 0.1, -0.5, 0.4, 0.0])
    answer = solve(layers, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert np.all(answer.w[:2] > 0.0)
    assert answer.w[4] == 0.0
    w = diagonal_flow(layers, X, y)
    assert np.linalg.norm(answer.w - w) <= 1e-9 * np.linalg.norm(w)
    assert {c.value for c in answer.conditions if "frozen" in c.name or "one-signed" in c.name} == {1, 2}


def test_one_signed_coordinates_that_cannot_fit() -> None:
    layers = np.zeros((2, 3, 4))
    layers[0] = 0.5
    X = np.abs(np.random.default_rng(0).standard_normal((2, 4)))
    answer = solve(layers, X, np.array([-1.0, 1.0]))
    assert answer.outcome is Outcome.infeasible
    assert answer.w is None
    assert answer.reason is not None
    assert "sign" in answer.reason
    nothing = solve(np.zeros((2, 3, 4)), X, np.ones(2))
    assert nothing.outcome is Outcome.infeasible


@pytest.mark.parametrize("depth", [2, 3, 6])
@pytest.mark.parametrize("alpha", [1e-100, 1e100])
@pytest.mark.parametrize("label_scale", [1e-80, 1.0, 1e80])
@pytest.mark.parametrize("shape", [-0.999999])
def test_absurd_scales_end_in_an_outcome(depth: int, alpha: float, label_scale: float, shape: float) -> None:
    """Warnings are errors here: no overflow escapes, and what converges has small residuals."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 6)), label_scale * rng.standard_normal(2)
    r = (1 + shape) / (1 - shape)
    p = (alpha / r) ** (1 / depth)
    layers = np.tile(np.array([p] * (depth - 1) + [r * p])[:, None], (2, 1, 6))
    for name in ("implicit", "kernel"):
        answer = fit(name, Dataset(X=X, y=y), Diagonal(depth, 6), layers.ravel())
        assert answer.outcome in (Outcome.converged, Outcome.stalled, Outcome.nonfinite)
        if answer.outcome is Outcome.converged:
            assert answer.relative_residual is not None
            assert answer.relative_residual <= 1e-12


@pytest.mark.parametrize("size", [1e-100, 1e100])
def test_units_of_the_data_do_not_matter(size: float) -> None:
    rng = np.random.default_rng(2)
    X, y, layers = rng.standard_normal((2, 6)), rng.standard_normal(2), rng.uniform(0.1, 1.0, (2, 3, 6))
    for name in ("implicit", "l1", "l2", "kernel"):
        model, theta = Diagonal(3, 6), layers.ravel()
        plain, scaled = (fit(name, Dataset(X=X * s, y=y * s), model, theta) for s in (1.0, size))
        assert plain.w is not None
        assert scaled.w is not None
        np.testing.assert_allclose(scaled.w, plain.w, rtol=1e-12, atol=1e-13)


def test_a_start_that_dwarfs_y_is_told() -> None:
    """w(0) of about 1e3 against y of 1e-6: no double-precision w fits y to more than some 1e-7."""
    rng = np.random.default_rng(0)
    found = solve(10.0 * rng.uniform(0.5, 1.5, (2, 3, 20)), rng.standard_normal((5, 20)), 1e-6 * rng.standard_normal(5))
    assert found.outcome is Outcome.stalled
    assert found.reason is not None
    assert "no closer fit has digits" in found.reason
    assert found.relative_residual is not None
    assert found.relative_residual < 1e-5
