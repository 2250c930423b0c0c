"""Gaussian design with a sparse truth, the data set of both papers' experiments."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Dataset
from initshape.datasets.labels import linear_labels
from initshape.datasets.streams import stream
from initshape.spec.dataset import SparseRegression


def build_sparse_regression(spec: SparseRegression) -> Dataset:
    """y = X w* + noise, with rows of X from N(0, I), w* = 1/sqrt(sparsity) on a random support, noiseless test labels.

    **Units/scale**: ||w*|| = 1; `noise_variance` is the variance of each label's noise.

    **Errors**: `ValueError` if `sparsity` exceeds `dimension`.

    **Source**: Woodworth et al. 2020; Azulay et al. 2021, section 4.
    """
    d, samples = spec.dimension, spec.samples
    if spec.sparsity > d:
        raise ValueError(f"sparsity {spec.sparsity} exceeds dimension {d}")
    support = stream(spec.seed, "support").permutation(d)[: spec.sparsity]
    w_true = np.zeros(d)
    w_true[support] = 1.0 / np.sqrt(spec.sparsity)
    X = stream(spec.seed, "design").standard_normal((samples, d))
    noise = np.sqrt(spec.noise_variance) * stream(spec.seed, "noise").standard_normal(samples)
    y = linear_labels(X, w_true) + noise
    if spec.test_samples == 0:
        return Dataset(X=X, y=y, w_true=w_true)
    X_test = stream(spec.seed, "test").standard_normal((spec.test_samples, d))
    return Dataset(X=X, y=y, w_true=w_true, X_test=X_test, y_test=linear_labels(X_test, w_true))
