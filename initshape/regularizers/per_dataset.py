"""What depends on the data only is computed once per data set and process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TypeVar

from initshape.datasets import Dataset
from initshape.regularizers.constraints import Constraints

T = TypeVar("T")
MOST = 16
"""Answers that are kept for each function; each may hold a matrix of the size of X."""


def once_per_dataset(function: Callable[[Dataset], T]) -> Callable[[Dataset], T]:
    """Remembers the answer by the content of the training data (`Dataset.fingerprint`); nobody may change it."""
    remembered = lru_cache(maxsize=MOST)(lambda key: function(key.dataset))

    @wraps(function)
    def answer(dataset: Dataset) -> T:
        return remembered(_ByContent(dataset.fingerprint, dataset))

    return answer


@once_per_dataset
def constraints_of(dataset: Dataset) -> Constraints:
    """X w = y, cut down to independent rows."""
    return Constraints.of(dataset.X, dataset.y)


@dataclass(frozen=True)
class _ByContent:
    """A data set looked up by the hash of its content."""

    fingerprint: str
    dataset: Dataset

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and self.fingerprint == other.fingerprint
