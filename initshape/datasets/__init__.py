"""Data sets: spec -> arrays. One kind per file; adding one is a file, a model in `spec.dataset` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from initshape.datasets.base import Dataset as Dataset
from initshape.datasets.explicit import build_explicit
from initshape.datasets.feasibility import relative_least_squares_residual as relative_least_squares_residual
from initshape.datasets.sparse_regression import build_sparse_regression
from initshape.spec.dataset import DatasetSpec, ExplicitDataset, SparseRegression

_BUILDERS: dict[type, Callable[[Any], Dataset]] = {
    SparseRegression: build_sparse_regression,
    ExplicitDataset: build_explicit,
}


def build(spec: DatasetSpec) -> Dataset:
    """The data set that a spec describes: one seed means the same arrays in every process and every NumPy."""
    return _BUILDERS[type(spec)](spec)
