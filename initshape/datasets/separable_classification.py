"""Two classes of Gaussian inputs with a sparse truth and a gap between them."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array, Dataset
from initshape.datasets.streams import stream
from initshape.spec.dataset import SeparableClassification


def build_separable_classification(spec: SeparableClassification) -> Dataset:
    """Labels y = sign(w*.x) of x from N(0, I), then x <- x + margin y w*; w* = 1/sqrt(sparsity) on a random support.

    ||w*|| = 1, so every sample lies at least `margin` away from the boundary of w*, on its own side; N may exceed d.
    The test set is drawn in the same way. A sample on the boundary itself gets the label 1.

    **Errors**: `ValueError` if `sparsity` exceeds `dimension`.
    """
    d = spec.dimension
    if spec.sparsity > d:
        raise ValueError(f"sparsity {spec.sparsity} exceeds dimension {d}")
    support = stream(spec.seed, "support").permutation(d)[: spec.sparsity]
    w_true = np.zeros(d)
    w_true[support] = 1.0 / np.sqrt(spec.sparsity)
    X, y = _classes(stream(spec.seed, "design").standard_normal((spec.samples, d)), w_true, spec.margin)
    if spec.test_samples == 0:
        return Dataset(X=X, y=y, w_true=w_true)
    drawn = stream(spec.seed, "test").standard_normal((spec.test_samples, d))
    X_test, y_test = _classes(drawn, w_true, spec.margin)
    return Dataset(X=X, y=y, w_true=w_true, X_test=X_test, y_test=y_test)


def _classes(X: Array, w_true: Array, margin: float) -> tuple[Array, Array]:
    """Shifted inputs and labels; w*.x column by column, since a label must not depend on the BLAS that added it up."""
    score = np.zeros(X.shape[0])
    for j in np.flatnonzero(w_true):
        score += X[:, j] * w_true[j]
    y = np.where(score >= 0.0, 1.0, -1.0)
    return X + margin * y[:, None] * w_true, y
