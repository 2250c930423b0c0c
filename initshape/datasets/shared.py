"""Data sets that many runs of one process have in common: each is built once, and kept while it is in use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from initshape.datasets import build
from initshape.datasets.base import Dataset
from initshape.spec.dataset import DatasetSpec

MOST: Final = 16
LARGEST_BYTES: Final = 256 * 2**20
"""Together; the latest one is kept whatever its size, since the run that asked for it holds it anyway."""

_kept: OrderedDict[DatasetSpec, Dataset] = OrderedDict()
_lock = threading.Lock()


def shared(spec: DatasetSpec) -> Dataset:
    """`build(spec)`, the same object again for an equal spec; its arrays are read-only, so nobody can disturb another.

    What is computed once per data set (`regularizers.per_dataset`) is found again through it.
    """
    with _lock:
        if spec in _kept:
            _kept.move_to_end(spec)
            return _kept[spec]
    dataset = build(spec)
    with _lock:
        _kept[spec] = dataset
        while len(_kept) > 1 and (len(_kept) > MOST or sum(map(_bytes, _kept.values())) > LARGEST_BYTES):
            _kept.popitem(last=False)
    return dataset


def _bytes(dataset: Dataset) -> int:
    return sum(array.nbytes for array in vars(dataset).values() if hasattr(array, "nbytes"))
