"""The bytes of a file to an upload, by the form that they are said to have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from initshape.spec.uploaded import Upload
from initshape.uploads.content import DATASET_ARRAYS, INIT_ARRAYS, dataset_upload, init_upload
from initshape.uploads.npz import Arrays, read_npz, unknown_array
from initshape.uploads.refusal import LARGEST_BYTES, refused
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


def form_of(file: Path, init: bool) -> Form:
    """By the ending of the name. Errors: SpecError (422) for another one than .npz and, for data sets, .csv."""
    found: dict[str, Form] = {".npz": "npz", ".csv": "csv"}
    if file.suffix.lower() not in found:
        raise refused("", file.name, ".npz, .csv", "uploads are npz or CSV files: write one with numpy.savez")
    if init and file.suffix.lower() != ".npz":
        raise refused("", file.name, ".npz", "an initialization is an npz file")
    return found[file.suffix.lower()]


def read_file(file: Path, *, init: bool = False, label: str | None = None, limit: int = LARGEST_BYTES) -> Upload:
    """A file of this machine. Errors: SpecError; OSError where it cannot be read."""
    form = form_of(file, init)
    data = file.read_bytes()
    return read_init(data, limit) if init else read_dataset(data, form, label, limit)


def named_among(names: Collection[str], arrays: Arrays) -> Arrays:
    """The same arrays. Errors: SpecError (422) for one that is not called one of `names`."""
    for name in arrays:
        if name not in names:
            raise unknown_array(name, names)
    return arrays


def float_arrays(given: Mapping[str, ArrayLike]) -> Arrays:
    """What a caller gives as arrays, None left out. Errors: SpecError (422) for what is no array of numbers."""
    found: Arrays = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            found[name] = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise refused(
                f"/{name}", None, "real numbers in rows of one length", "this is no array of numbers"
            ) from None
    return found
