"""A design matrix beyond the caches: its products against NumPy's, and a flow that uses it against theory."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from initshape.datasets import build
from initshape.flows import FlowSettings, integrate
from initshape.flows.design import LARGE, Design, design
from initshape.flows.large_design import LargeDesign
from initshape.models import Diagonal
from initshape.regularizers import fit
from initshape.spec.dataset import SparseRegression

SIZES = [(1, 1), (2, 1023), (7, 1024), (8, 1025), (33, 2048), (12, 5000)]


@pytest.mark.parametrize(("samples", "features"), SIZES)
def test_products_are_those_of_the_matrix(samples: int, features: int) -> None:
    rng = np.random.default_rng(features)
    X, m = rng.normal(size=(samples, features)), rng.uniform(0.1, 2.0, size=features)
    large = LargeDesign(jnp.asarray(X))
    for rows in ((), (1,), (3,), (4,), (5,), (2, 3)):
        w, z = rng.normal(size=(*rows, features)), rng.normal(size=(*rows, samples))
        np.testing.assert_allclose(jnp.asarray(w) @ large.T, w @ X.T, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(jnp.asarray(z) @ large, z @ X, rtol=1e-12, atol=1e-11)
    K = (large * jnp.asarray(m)) @ large.T
    np.testing.assert_allclose(K, (X * m) @ X.T, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose((large * 0.5) @ large.T, 0.5 * X @ X.T, rtol=1e-12, atol=1e-11)


def test_the_kernel_of_pieces_is_symmetric_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    large = LargeDesign(jnp.asarray(rng.normal(size=(21, 3000))))
    K = np.asarray((large * jnp.asarray(rng.uniform(size=3000))) @ large.T)
    half = len(K) // 2
    np.testing.assert_array_equal(K[:half, half:], K[half:, :half].T)


def test_size_and_linearity_decide() -> None:
    small, large = np.zeros((2, 8)), np.zeros((64, LARGE // 512 + 8))
    assert isinstance(design(small, linear=True), Design)
    assert isinstance(design(large, linear=False), Design)
    if jax.default_backend() == "cpu":
        assert isinstance(design(large, linear=True), LargeDesign)


def test_a_flow_on_a_large_design_ends_where_theory_says() -> None:
    dataset = build(SparseRegression(kind="sparse_regression", dimension=9000, samples=60, test_samples=1))
    assert dataset.X.nbytes > LARGE
    model, theta = Diagonal(2, 9000), np.full(36_000, 0.05)
    solution = integrate(model, theta, dataset.X, dataset.y, FlowSettings(points=30))
    theory = fit("implicit", dataset, model, theta)
    assert theory.w is not None
    w = model.predictor(solution.theta)
    assert np.linalg.norm(w - theory.w) <= 1e-8 * np.linalg.norm(theory.w)
    # Rows of a large buffer are reduced in pieces: none is missing, none is empty.
    time, loss = solution.trajectory["time"], solution.trajectory["train_loss"]
    assert len(time) == 30
    assert np.all(np.diff(time) > 0.0)
    assert np.all(np.diff(loss) < 0.0)
