"""The least-norm interpolator, which depends on the data only: once per data set."""

from __future__ import annotations

import numpy as np

from initshape.datasets import Dataset
from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.per_dataset import constraints_of, once_per_dataset
from initshape.regularizers.quadratic import nearest_interpolator


@once_per_dataset
def least_norm(dataset: Dataset) -> tuple[Constraints, Array | None]:
    """X w = y and argmin ||w||_2 under it, None where nothing fits; to be copied, not changed. **Shape**: (d,)."""
    constraints = constraints_of(dataset)
    if not constraints.consistent:
        return constraints, None
    zero, one = np.zeros(dataset.dimension), np.ones(dataset.dimension)
    return constraints, nearest_interpolator(constraints, w0=zero, root=one)
