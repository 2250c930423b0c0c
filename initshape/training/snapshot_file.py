"""A snapshot as bytes: an npz file, uncompressed and without pickle."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from initshape.training.checkpoint import Snapshot, SnapshotError

_ROUTE, _STEP, _FRACTION = "@route", "@step", "@fraction"


def to_bytes(snapshot: Snapshot) -> bytes:
    """The snapshot. **Errors**: ValueError for arrays of objects."""
    if any(array.dtype.hasobject for array in snapshot.arrays.values()):
        raise ValueError("Arrays of Python objects are never stored.")
    heads = {
        _ROUTE: np.asarray(snapshot.route),
        _STEP: np.asarray(snapshot.step),
        _FRACTION: np.asarray(snapshot.fraction),
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **heads, **snapshot.arrays)
    return file.getvalue()


def from_bytes(data: bytes) -> Snapshot:
    """The snapshot again. **Errors**: SnapshotError."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        route, step, fraction = (arrays.pop(name).item() for name in (_ROUTE, _STEP, _FRACTION))
        return Snapshot(str(route), int(step), float(fraction), arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SnapshotError(f"no snapshot: {error}") from error
