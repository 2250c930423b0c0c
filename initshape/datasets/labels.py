"""Labels of a linear teacher, the same in every bit whatever the BLAS."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array


def linear_labels(X: Array, w: Array) -> Array:
    """X w, added up column by column: a matrix product would differ in the last bit from one BLAS to the next.

    **Shape**: X (N, d), w (d,) -> (N,).
    """
    labels = np.zeros(X.shape[0])
    for j in np.flatnonzero(w):
        labels += X[:, j] * w[j]
    return labels
