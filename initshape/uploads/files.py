"""The bytes of a file to an upload, by the form that they are said to have."""

from __future__ import annotations

from typing import Literal

from initshape.spec.uploaded import Upload
from initshape.uploads.content import DATASET_ARRAYS, INIT_ARRAYS, dataset_upload, init_upload
from initshape.uploads.npz import read_npz
from initshape.uploads.refusal import LARGEST_BYTES
from initshape.uploads.table import read_csv

Form = Literal["npz", "csv"]


def read_dataset(data: bytes, form: Form, label: str | None = None, limit: int = LARGEST_BYTES) -> Upload:
    """A data set from an npz file, or from CSV whose column `label` (the last) is y. Errors: SpecError (413, 422)."""
    if form == "csv":
        return dataset_upload(read_csv(data, limit, label))
    return dataset_upload(read_npz(data, DATASET_ARRAYS, limit))


def read_init(data: bytes, limit: int = LARGEST_BYTES) -> Upload:
    """An initialization from an npz file. Errors: SpecError (413, 422)."""
    return init_upload(read_npz(data, INIT_ARRAYS, limit))
