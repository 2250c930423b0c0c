"""Distances and regimes: identities, cancellation, ties, and what is null."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initshape import comparison
from initshape.datasets import Dataset
from initshape.models import Diagonal
from initshape.regularizers import Fit
from initshape.spec.outcome import Exactness, Outcome

X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
W_TRUE = np.array([1.0, 0.0, -1.0])


def fit_at(name: str, w: np.ndarray) -> Fit:
    return Fit(regularizer=name, outcome=Outcome.converged, exactness=Exactness.baseline, w=w)


@given(st.floats(1e-8, 1.0), st.floats(1e-3, 1e3))
def test_cosine_distance_resolves_angles_that_one_minus_cos_cannot(angle: float, size: float) -> None:
    first = np.array([1.0, 0.0])
    second = size * np.array([math.cos(angle), math.sin(angle)])
    expected = 2.0 * math.sin(angle / 2.0) ** 2
    assert comparison.cosine_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_distances_of_nothing_are_not_numbers() -> None:
    zero = np.zeros(3)
    assert math.isnan(comparison.relative_distance(W_TRUE, zero))
    assert math.isnan(comparison.cosine_distance(zero, W_TRUE))


def test_population_error_weighs_with_the_covariance() -> None:
    w = np.array([2.0, 1.0, -1.0])
    gap = w - W_TRUE
    y = X @ W_TRUE
    assert comparison.population_error(w, Dataset(X=X, y=y, w_true=W_TRUE)) == pytest.approx(gap @ gap)
    spectrum = np.array([1.0, 2.0, 3.0])
    with_spectrum = Dataset(X=X, y=y, w_true=W_TRUE, covariance=spectrum)
    assert comparison.population_error(w, with_spectrum) == pytest.approx(gap @ np.diag(spectrum) @ gap)
    with_matrix = Dataset(X=X, y=y, w_true=W_TRUE, covariance=np.diag(spectrum))
    assert comparison.population_error(w, with_matrix) == pytest.approx(gap @ np.diag(spectrum) @ gap)
    assert math.isnan(comparison.population_error(w, Dataset(X=X, y=y)))


def test_test_error_is_a_mean_square() -> None:
    data = Dataset(X=X, y=X @ W_TRUE, X_test=2 * X, y_test=2 * X @ W_TRUE + 3.0)
    assert comparison.test_error(W_TRUE, data) == pytest.approx(9.0)
    assert math.isnan(comparison.test_error(W_TRUE, Dataset(X=X, y=X @ W_TRUE)))


def regime_of(w: np.ndarray, l1: np.ndarray, l2: np.ndarray, kernel: np.ndarray) -> object:
    return comparison.regime(
        w, "flow", {"l1": fit_at("l1", l1), "l2": fit_at("l2", l2), "kernel": fit_at("kernel", kernel)}
    )


def test_regime_is_the_nearest_limit_if_it_is_near() -> None:
    a, b, c = np.eye(3)
    found = regime_of(a + 0.05 * b, a, b, c)
    assert (found.label, found.ties) == ("rich", ())  # type: ignore[attr-defined]
    assert found.distance_to_l1 == pytest.approx(0.05)  # type: ignore[attr-defined]
    assert regime_of(b, a, b, c).label == "l2"  # type: ignore[attr-defined]
    assert regime_of(c, a, b, c).label == "kernel"  # type: ignore[attr-defined]
    assert regime_of(a + b + c, a, b, c).label == "intermediate"  # type: ignore[attr-defined]
    assert regime_of(a + 0.11 * b, a, b, c).label == "intermediate"  # type: ignore[attr-defined]


def test_regime_says_when_two_limits_cannot_be_told_apart() -> None:
    a, b, _ = np.eye(3)
    found = regime_of(b, a, b, b)
    assert {found.label, *found.ties} == {"l2", "kernel"}  # type: ignore[attr-defined]


def test_regime_needs_all_three_limits() -> None:
    a = np.eye(3)[0]
    assert comparison.regime(a, "flow", {"l1": fit_at("l1", a), "l2": fit_at("l2", a)}) is None


def test_support_recovery_counts_the_largest_weights() -> None:
    data = Dataset(X=np.eye(4), y=np.ones(4), w_true=np.array([0.0, 1.0, 0.0, 1.0]))
    assert comparison.support_recovered(np.array([0.1, -3.0, 0.2, 2.0]), data) == 1.0
    assert comparison.support_recovered(np.array([5.0, -3.0, 0.2, 2.0]), data) == 0.5
    assert math.isnan(comparison.support_recovered(np.ones(4), Dataset(X=np.eye(4), y=np.ones(4), w_true=np.ones(4))))


def test_ntk_change_is_that_of_explicit_jacobians() -> None:
    model = Diagonal(depth=2, dimension=3)
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, model.size))

    def kernel(theta: np.ndarray) -> np.ndarray:
        up, vp, um, vm = theta.reshape(4, 3)
        jacobian = X @ np.hstack([np.diag(vp), np.diag(up), -np.diag(vm), -np.diag(um)])
        return jacobian @ jacobian.T

    before, after = kernel(start), kernel(end)
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert comparison.ntk_change(model, start, end, X) == pytest.approx(expected, rel=1e-12)
    assert comparison.ntk_change(model, start, start, X) == 0.0
