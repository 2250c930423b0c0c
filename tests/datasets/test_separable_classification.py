"""The separable data set: golden numbers, its margin, and the question whether classes can be separated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.datasets import SEPARABLE, Dataset, build, separation
from initshape.spec.dataset import SeparableClassification


def classes(**changes: object) -> Dataset:
    fields = {"dimension": 7, "samples": 3, "sparsity": 2, "margin": 0.1, "test_samples": 2, "seed": 1993}
    return build(SeparableClassification(kind="separable_classification", **(fields | changes)))


def test_golden_small() -> None:
    """Frozen when the generator was chosen: a published seed must give these numbers for ever."""
    data = classes()
    assert data.X.ravel()[:8].tolist() == [
        -1.2053128794658685,
        -0.5113973474790114,
        -0.21566498569890724,
        -1.7900251659551596,
        -0.9755671238170418,
        0.8277176821860512,
        0.09252297770681506,
        -1.16284323821369,
    ]
    assert data.y.tolist() == [1.0, 1.0, 1.0]
    assert data.w_true is not None
    assert data.w_true.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 0.7071067811865475, 0.7071067811865475]
    assert data.y_test is not None
    assert data.y_test.tolist() == [-1.0, 1.0]
    assert data.fingerprint == "5c1a895716fefb5562afde91cbb7e9fcfa2a4807403cadb6b25e0b3fdca608c9"


@pytest.mark.parametrize("margin", [0.0, 0.1, 3.0])
def test_every_sample_is_at_least_the_margin_away(margin: float) -> None:
    data = classes(dimension=20, samples=400, sparsity=5, margin=margin, test_samples=300)
    assert data.w_true is not None
    assert data.X_test is not None
    assert data.y_test is not None
    for X, y in ((data.X, data.y), (data.X_test, data.y_test)):
        distance = y * (X @ data.w_true)
        assert np.min(distance) >= margin - 1e-14
        assert np.min(distance) < margin + 0.1  # the nearest of hundreds of Gaussians is close to the old boundary
        assert set(y) == {-1.0, 1.0}
        assert abs(np.mean(y)) < 0.2
    assert np.linalg.norm(data.w_true) == pytest.approx(1.0, rel=1e-15)
    assert np.count_nonzero(data.w_true) == 5


def test_parts_do_not_shift_each_other() -> None:
    base, more = classes(), classes(test_samples=9)
    np.testing.assert_array_equal(base.X, more.X)
    assert base.X_test is not None
    assert more.X_test is not None
    np.testing.assert_array_equal(base.X_test, more.X_test[:2])
    np.testing.assert_array_equal(base.X, classes(samples=5).X[:3])
    assert classes(test_samples=0).X_test is None


def test_sparsity_above_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds"):
        classes(sparsity=8)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 12), dimension=st.integers(1, 6), power=st.integers(-9, 9)
)
def test_separation_of_separable_classes(seed: int, samples: int, dimension: int, power: int) -> None:
    """Labels by some w separate, at any scale of X; the bound is one that some w attains."""
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((samples, dimension)) * 10.0**power, rng.standard_normal(dimension)
    y = np.sign(X @ w)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    attained = float(np.min(y * (unit @ w))) / np.max(np.abs(w))
    found = separation(X, y)
    assert found <= np.sqrt(dimension) + 1e-12
    if attained > 1e-6:
        assert found > SEPARABLE


def test_overlapping_and_touching_classes() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    assert separation(X, rng.choice([-1.0, 1.0], 40)) == 0.0
    x = rng.standard_normal(5)
    assert separation(np.array([x, x]), np.array([1.0, -1.0])) <= SEPARABLE
    assert separation(np.array([x, 2.0 * x]), np.array([1.0, 1.0])) > SEPARABLE
    assert separation(np.array([x, 0.0 * x]), np.array([1.0, 1.0])) == 0.0
    assert separation(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, 1.0])) <= SEPARABLE
