"""The design matrix in both memory layouts, so that X w and X^T z are both fast for a handful of vectors."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from initshape.flows.large_design import LargeDesign
from initshape.models import Array
from initshape.training.settings import Floats

LARGE = 2**22
"""Bytes of X beyond which two layouts of it no longer fit the caches of one core."""


def design(X: Floats, *, linear: bool) -> Design | LargeDesign:
    """X (N, d) in the form that is fastest for its size on this backend; networks that are not linear need arrays."""
    if linear and jax.default_backend() == "cpu" and X.nbytes > LARGE:
        return LargeDesign(X)
    return Design(X, np.ascontiguousarray(X.T))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Design:
    """X (N, d) beside its transpose; models use it as they use an array: `w @ X.T`, `z @ X`, `(X * m) @ X.T`.

    XLA on CPU transposes the matrix anew in each product of three stage vectors with X^T, which costs more than the
    product (124 against 34 microseconds at N = 100, d = 1000).
    """

    rows: Array
    columns: Array

    @property
    def T(self) -> Design:  # noqa: N802 - the name that arrays use
        """X^T; no copy."""
        return Design(self.columns, self.rows)

    def __rmatmul__(self, left: Array) -> Array:
        return left @ self.rows

    def __mul__(self, weights: Array) -> Array:
        return self.rows * weights
