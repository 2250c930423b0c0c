"""Data sets that runs have in common: built once, equal to a fresh one, and not kept without bound."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from initshape.datasets import Dataset, build
from initshape.datasets import shared as module
from initshape.datasets.shared import shared
from initshape.regularizers.kkt import row_space
from initshape.regularizers.per_dataset import constraints_of, once_per_dataset
from initshape.spec.dataset import ExplicitDataset, SparseRegression


def spec(seed: int, dimension: int = 20) -> SparseRegression:
    return SparseRegression(
        kind="sparse_regression", dimension=dimension, samples=5, sparsity=2, test_samples=10, seed=seed
    )


def test_equal_specs_share_one_data_set() -> None:
    assert shared(spec(1)) is shared(spec(1))
    assert shared(spec(1)) is not shared(spec(2))
    np.testing.assert_array_equal(shared(spec(1)).X, build(spec(1)).X)


def test_given_numbers_that_are_equal_share_one_too() -> None:
    one, other = (
        ExplicitDataset.model_validate({"kind": "explicit", "X": [[1.0, 2.0, x]], "y": [1.0]}) for x in (3, 3.0)
    )
    assert shared(one) is shared(other)


def test_nobody_can_disturb_another() -> None:
    with pytest.raises(ValueError, match="read-only"):
        shared(spec(1)).X[0, 0] = 1.0


def test_the_number_and_the_size_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    first = weakref.ref(shared(spec(100)))
    for seed in range(101, 101 + module.MOST):
        shared(spec(seed))
    gc.collect()
    assert first() is None
    assert len(module._kept) == module.MOST
    monkeypatch.setattr(module, "LARGEST_BYTES", 1000)
    assert shared(spec(300)) is shared(spec(300))  # the latest one stays whatever its size
    assert len(module._kept) == 1


def test_what_is_computed_for_a_data_set_goes_with_it() -> None:
    asked: list[int] = []

    @once_per_dataset
    def total(dataset: Dataset) -> float:
        asked.append(1)
        return float(dataset.X.sum())

    dataset = build(spec(31_415))  # nobody else in this process may hold its equal
    assert total(dataset) == total(dataset)
    assert len(asked) == 1
    total(build(spec(27_182)))
    assert len(asked) == 2
    constraints, basis = weakref.ref(constraints_of(dataset)), weakref.ref(row_space(dataset.X))
    assert constraints() is constraints_of(dataset)
    assert basis() is row_space(dataset.X)
    del dataset
    gc.collect()
    assert constraints() is None
    assert basis() is None
