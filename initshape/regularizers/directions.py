"""Comparing classifiers: only the direction of w matters."""

from __future__ import annotations

import math

import numpy as np

from initshape.datasets import Dataset
from initshape.regularizers.base import Array


def direction_distance(w: Array, target: Array) -> float:
    """|| w/||w|| - target/||target|| ||, in [0, 2]; NaN where one is zero."""
    first, second = _unit(w), _unit(target)
    return math.nan if first is None or second is None else float(np.linalg.norm(first - second))


def angle(w: Array, target: Array) -> float:
    """The angle between w and target in radians, in [0, pi], accurate also where it is tiny; NaN where one is zero.

    **Source**: W. Kahan's formula, 2 atan2(|| a - b ||, || a + b ||) of unit vectors.
    """
    first, second = _unit(w), _unit(target)
    if first is None or second is None:
        return math.nan
    return 2.0 * math.atan2(float(np.linalg.norm(first - second)), float(np.linalg.norm(first + second)))


def margins(w: Array, dataset: Dataset) -> Array:
    """y_n x_n.w. **Shape**: (N,)."""
    return np.asarray(dataset.y * (dataset.X @ w))


def normalised_margin(w: Array, dataset: Dataset) -> float:
    """min_n y_n x_n.w / ||w||_2: the distance of the nearest sample to the boundary, negative where one is wrong."""
    size = float(np.linalg.norm(w))
    return float(np.min(margins(w, dataset))) / size if size > 0.0 else math.nan


def misclassification(w: Array, dataset: Dataset) -> float:
    """Fraction of the test set on the wrong side of w, or on the boundary; NaN where there is no test set."""
    if dataset.X_test is None or dataset.y_test is None:
        return math.nan
    return float(np.mean(dataset.y_test * (dataset.X_test @ w) <= 0.0))


def _unit(w: Array) -> Array | None:
    largest = float(np.max(np.abs(w), initial=0.0))
    if not 0.0 < largest < math.inf:
        return None
    scaled = w / largest
    return np.asarray(scaled / np.linalg.norm(scaled))
