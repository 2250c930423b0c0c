"""Data sets: spec -> arrays. One kind per file; adding one is a file, a model in `spec.dataset` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from initshape.datasets.base import Dataset as Dataset
from initshape.datasets.explicit import build_explicit
from initshape.datasets.linear_regression import build_linear_regression
from initshape.datasets.separability import SEPARABLE as SEPARABLE
from initshape.datasets.separability import separation as separation
from initshape.datasets.separable_classification import build_separable_classification
from initshape.datasets.sparse_regression import build_sparse_regression
from initshape.datasets.teacher import build_teacher
from initshape.datasets.uploaded import build_uploaded
from initshape.spec.dataset import (
    DatasetSpec,
    ExplicitDataset,
    LinearRegression,
    SeparableClassification,
    SparseRegression,
    Teacher,
    UploadedDataset,
)

_BUILDERS: dict[type, Callable[[Any], Dataset]] = {
    SparseRegression: build_sparse_regression,
    LinearRegression: build_linear_regression,
    Teacher: build_teacher,
    SeparableClassification: build_separable_classification,
    ExplicitDataset: build_explicit,
    UploadedDataset: build_uploaded,
}


def build(spec: DatasetSpec) -> Dataset:
    """The data set that a spec describes: one seed means the same arrays in every process and every NumPy."""
    return _BUILDERS[type(spec)](spec)
