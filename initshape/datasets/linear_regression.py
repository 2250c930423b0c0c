"""Linear regression with a chosen covariance spectrum and a dense or given truth."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array, Dataset
from initshape.datasets.labels import linear_labels
from initshape.datasets.streams import stream
from initshape.spec.dataset import LinearRegression


def build_linear_regression(spec: LinearRegression) -> Dataset:
    """y = X w* + noise; feature i has variance spectrum_i (1 by default, or i^-spectrum_decay), features independent.

    w* is the given one, or drawn uniformly on the unit sphere. The test set has noiseless labels.

    **Units/scale**: population error is (w - w*)^T diag(spectrum) (w - w*).
    """
    d = spec.dimension
    spectrum = _spectrum(spec)
    scale = np.ones(d) if spectrum is None else np.sqrt(spectrum)
    w_true = unit_vector(spec.seed, d) if spec.w_true is None else np.array(spec.w_true, dtype=np.float64)
    X = scale * stream(spec.seed, "design").standard_normal((spec.samples, d))
    noise = np.sqrt(spec.noise_variance) * stream(spec.seed, "noise").standard_normal(spec.samples)
    y = linear_labels(X, w_true) + noise
    if spec.test_samples == 0:
        return Dataset(X=X, y=y, w_true=w_true, covariance=spectrum)
    X_test = scale * stream(spec.seed, "test").standard_normal((spec.test_samples, d))
    return Dataset(X=X, y=y, w_true=w_true, covariance=spectrum, X_test=X_test, y_test=linear_labels(X_test, w_true))


def unit_vector(seed: int, dimension: int) -> Array:
    """A truth drawn uniformly on the unit sphere. **Shape**: (d,)."""
    direction = stream(seed, "truth").standard_normal(dimension)
    return np.asarray(direction / np.linalg.norm(direction))


def _spectrum(spec: LinearRegression) -> Array | None:
    if spec.spectrum is not None:
        return np.array(spec.spectrum, dtype=np.float64)
    if spec.spectrum_decay is not None:
        return np.asarray(np.arange(1.0, spec.dimension + 1.0) ** -spec.spectrum_decay)
    return None
