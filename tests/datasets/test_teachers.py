"""Linear regression with a spectrum, and teachers: golden numbers, covariance, and what the truth is."""

from __future__ import annotations

import numpy as np
import pytest

from initshape.datasets import Dataset, build
from initshape.spec.dataset import LinearRegression, Teacher


def linear(**fields: object) -> Dataset:
    return build(LinearRegression(kind="linear_regression", **({"dimension": 4, "samples": 3} | fields)))


def teacher(kind: str, **fields: object) -> Dataset:
    return build(Teacher(kind="teacher", teacher=kind, **({"dimension": 6, "samples": 5} | fields)))


def test_golden() -> None:
    """Frozen when the generator was chosen: a published seed must give these numbers for ever."""
    data = linear()
    assert data.w_true is not None
    assert data.w_true.tolist() == GOLDEN_TRUTH
    assert data.y.tolist() == GOLDEN_LABELS


GOLDEN_TRUTH = [-0.753473893660402, 0.46289810242576956, 0.4474953410100266, -0.13323046992777238]
GOLDEN_LABELS = [0.5806133903094599, 1.1198815209183068, 1.8082153039918745]


def test_spectrum_is_the_covariance() -> None:
    data = linear(spectrum=(4.0, 1.0, 0.25, 0.0), samples=3, test_samples=20_000)
    assert data.covariance is not None
    assert data.X_test is not None
    np.testing.assert_allclose(np.var(data.X_test, axis=0), data.covariance, rtol=0.05)
    assert not np.any(data.X_test[:, 3])


def test_decay_is_a_power_law() -> None:
    np.testing.assert_allclose(linear(spectrum_decay=1.5).covariance, [1.0, 2**-1.5, 3**-1.5, 4**-1.5], rtol=1e-15)
    assert linear().covariance is None


def test_given_truth_is_used() -> None:
    data = linear(w_true=(1.0, 0.0, -2.0, 0.5), noise_variance=0.0)
    np.testing.assert_allclose(data.y, data.X @ [1.0, 0.0, -2.0, 0.5], rtol=1e-14)


def test_drawn_truth_is_on_the_sphere_and_apart_from_the_design() -> None:
    data, other = linear(), linear(samples=9, spectrum_decay=1.0)
    assert data.w_true is not None
    assert np.linalg.norm(data.w_true) == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_array_equal(data.w_true, other.w_true)


def test_sparse_teacher_has_signs() -> None:
    data = teacher("sparse", sparsity=4, dimension=40, seed=3)
    assert data.w_true is not None
    values = data.w_true[data.w_true != 0.0]
    assert len(values) == 4
    np.testing.assert_allclose(np.abs(values), 0.5, rtol=1e-15)
    assert len(set(np.sign(values))) == 2
    np.testing.assert_allclose(data.y, data.X @ data.w_true, rtol=1e-13)


def test_neuron_teacher_is_a_relu_and_has_no_linear_truth() -> None:
    data = teacher("neuron", samples=400)
    dense = teacher("dense", samples=400)
    assert data.w_true is None
    assert dense.w_true is not None
    np.testing.assert_allclose(data.y, np.maximum(dense.X @ dense.w_true, 0.0), atol=1e-14)
    assert 0.4 < np.mean(data.y == 0.0) < 0.6


def test_no_test_set_on_request() -> None:
    assert teacher("dense", test_samples=0).X_test is None
    assert linear(test_samples=0).X_test is None
