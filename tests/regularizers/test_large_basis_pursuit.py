"""Basis pursuit by columns, for data too large for one linear program: the same vertex, the same proof."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.regularizers import basis_pursuit
from initshape.regularizers.basis_pursuit import BasisPursuit, solve
from initshape.regularizers.constraints import Constraints


def both_ways(X: np.ndarray, y: np.ndarray) -> tuple[BasisPursuit, BasisPursuit]:
    """The whole program, and the one that starts from few columns."""
    constraints = Constraints.of(X, y)
    found = []
    for whole in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(basis_pursuit, "WHOLE", whole)
            answer = solve(constraints)
        assert answer is not None
        found.append(answer)
    return found[0], found[1]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), samples=st.integers(1, 12), noise=st.sampled_from([0.0, 0.3]))
def test_few_columns_find_the_same_vertex(seed: int, samples: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, 20 * samples))
    y = X[:, :2].sum(1) + noise * rng.normal(size=samples)
    whole, few = both_ways(X, y)
    assert few.polished
    assert whole.unique == few.unique
    np.testing.assert_allclose(np.abs(few.w).sum(), np.abs(whole.w).sum(), rtol=1e-12)
    if whole.unique:
        np.testing.assert_allclose(few.w, whole.w, rtol=1e-10, atol=1e-12)
        assert few.margin == pytest.approx(whole.margin, rel=1e-6)
    assert np.max(np.abs(few.certificate)) <= 1.0 + 1e-12  # on every column, chosen or not


def test_columns_that_cannot_satisfy_the_constraints_are_not_the_last_word() -> None:
    """Data whose large columns all lie in one direction: the first choice of columns misses the others."""
    rng = np.random.default_rng(2)
    X = np.zeros((3, 60))
    X[0, :50] = 10.0 + rng.uniform(size=50)
    X[1, 55], X[2, 58] = 1e-3, 1e-3
    whole, few = both_ways(X, np.array([1.0, 1e-9, 1e-9]))
    assert few.polished
    np.testing.assert_allclose(few.w, whole.w, rtol=1e-9, atol=1e-15)
