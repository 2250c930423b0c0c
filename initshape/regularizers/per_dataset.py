"""What depends on the data only is computed once per data set, and kept for as long as that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from initshape.datasets import Dataset
from initshape.regularizers.constraints import Constraints

T = TypeVar("T")


def once_per_dataset(function: Callable[[Dataset], T]) -> Callable[[Dataset], T]:
    """Remembers the answer for each data set by its content (`Dataset.fingerprint`); nobody may change the answer.

    It must not refer to the data set itself, or neither would ever be freed.
    """
    remembered: WeakKeyDictionary[Dataset, T] = WeakKeyDictionary()
    same: WeakValueDictionary[str, Dataset] = WeakValueDictionary()

    @wraps(function)
    def answer(dataset: Dataset) -> T:
        first = same.setdefault(dataset.fingerprint, dataset)
        if first not in remembered:
            remembered[first] = function(first)
        return remembered[first]

    return answer


@once_per_dataset
def constraints_of(dataset: Dataset) -> Constraints:
    """X w = y, cut down to independent rows."""
    return Constraints.of(dataset.X, dataset.y)
