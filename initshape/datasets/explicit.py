"""Data that the user gives number by number."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array, Dataset
from initshape.spec.dataset import ExplicitDataset


def build_explicit(spec: ExplicitDataset) -> Dataset:
    """The arrays of the spec as they are; population quantities take the features' covariance to be the identity.

    **Errors**: `ValueError` where the shapes disagree.
    """
    return Dataset(
        X=np.array(spec.X, dtype=np.float64),
        y=np.array(spec.y, dtype=np.float64),
        w_true=_array(spec.w_true),
        X_test=_array(spec.X_test),
        y_test=_array(spec.y_test),
    )


def _array(value: tuple[float, ...] | tuple[tuple[float, ...], ...] | None) -> Array | None:
    return None if value is None else np.array(value, dtype=np.float64)
