"""The interpolation constraints X w = y, cut down to independent rows where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from initshape.regularizers.base import Array

INCONSISTENT = 1e-10
"""Relative least-squares residual of y above which no weights fit the data."""
_WELL_CONDITIONED = 1e-8
"""Smallest squared Cholesky pivot of the row-scaled Gram matrix for which X is used as it is."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """rows w = target, rows of full rank, equivalent to X w = y; `inconsistency` is what no w can fit of y.

    **Shape**: rows (n, d), target (n,), n <= min(N, d). Rows are scaled, so residuals are relative to `target`.
    """

    rows: Array
    target: Array
    inconsistency: float = 0.0

    @property
    def consistent(self) -> bool:
        """Whether some w fits y up to rounding."""
        return self.inconsistency <= INCONSISTENT

    @classmethod
    def of(cls, X: Array, y: Array) -> Constraints:
        """X and y themselves up to a common factor where X has full row rank and is well conditioned.

        Else an orthonormal combination of the rows (SVD): repeated or dependent samples, N > d, and tiny singular
        values drop out, and y splits into what the range of X holds and the `inconsistency`.
        """
        size = float(np.max(np.abs(X), initial=0.0)) or 1.0
        rows, target = X / size, y / size
        scale = np.linalg.norm(rows, axis=1)
        if X.shape[0] <= X.shape[1] and np.all(scale > 0.0):
            unit = rows / scale[:, None]
            try:
                pivots = np.diag(cholesky(unit @ unit.T, lower=True, check_finite=False))
            except LinAlgError:
                pivots = np.zeros(1)
            if np.min(pivots) ** 2 > _WELL_CONDITIONED:
                return cls(rows=rows, target=target)
        return cls._reduced(rows, target, np.where(scale > 0.0, scale, 1.0))

    @classmethod
    def _reduced(cls, rows: Array, target: Array, scale: Array) -> Constraints:
        rows, target = rows / scale[:, None], target / scale
        left, values, right = np.linalg.svd(rows, full_matrices=False)
        largest = values[0] if values.size else 0.0
        kept = values > max(rows.shape) * np.finfo(float).eps * largest
        left, values, right = left[:, kept], values[kept], right[kept]
        inside = left.T @ target
        missed = float(np.linalg.norm(scale * (target - left @ inside)))
        norm = float(np.linalg.norm(scale * target))
        return cls(rows=values[:, None] * right, target=inside, inconsistency=missed / norm if norm > 0.0 else 0.0)
