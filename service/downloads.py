"""Arrays as files: npz (never pickled, the same bytes for the same arrays) and CSV."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from initshape.spec.experiment import Experiment
from initshape.spec.uploaded import Upload, named_by
from initshape.store import Operation, jobs, results, uploads
from initshape.store.arrays import Stored, from_npy, to_npy
from initshape.store.results import StoredResult
from service.errors import ExpiredError

LARGEST_DATASET = 1 << 28
"""Bytes of a data set that is built for a download."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def to_npz(arrays: Mapping[str, bytes]) -> bytes:
    """npy files to one npz file. Not compressed: noise does not shrink, and it costs time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), arrays[name])
    return out.getvalue()


def to_csv(name: str, array: NDArray[Any]) -> bytes:
    """One row an entry of the first axis, one column an entry of the others; numbers read back the same."""
    table = array.reshape(array.shape[0] if array.ndim else 1, -1)
    header = [name] if array.ndim < 2 else [f"{name}_{k}" for k in range(table.shape[1])]
    return "\n".join([",".join(header), *_lines(table), ""]).encode()


def _lines(table: NDArray[Any]) -> Iterator[str]:
    for row in table.tolist():
        yield ",".join(map(repr, row))


def consistent(
    job_id: str, wanted: frozenset[str] | None = None
) -> Operation[tuple[StoredResult, dict[str, bytes]] | None]:
    """A result with arrays of the same attempt as npy bytes, all or those `wanted`; None where there is no result."""
    while True:
        found = yield from results.read(job_id)
        if found is None:
            return None
        names = [name for name in found.manifest if wanted is None or name in wanted]
        arrays = yield from results.read_npy(job_id, names)
        again = yield from results.read(job_id)
        if arrays is not None and again is not None and again.etag == found.etag:
            return found, arrays


def of_cells(cells: Iterable[str], wanted: frozenset[str]) -> Operation[dict[str, dict[str, NDArray[Any]]]]:
    """Some arrays of several results, by id; those without a result are left out."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for cell in cells:
        whole = yield from consistent(cell, wanted)
        if whole is not None:
            found[cell] = {name: from_npy(data) for name, data in whole[1].items()}
    return found


def dataset_size(experiment: Experiment) -> int:
    """Bytes of the arrays of a data set."""
    data = experiment.dataset
    return 8 * data.dimension * (data.samples + getattr(data, "test_samples", 0) + 2)


def dataset_arrays(experiment: Experiment, stored: Mapping[str, bytes]) -> dict[str, bytes]:
    """X, y, the truth and the test set. Built from the spec; what the job itself stored is taken as it was."""
    from initshape.datasets import build  # scipy is slow to import and seldom needed

    built = build(experiment.dataset)
    names = ("X", "y", "w_true", "X_test", "y_test")
    found = {name: to_npy(array) for name in names if (array := getattr(built, name)) is not None}
    return found | {name: stored[name] for name in found if name in stored}


def stored_experiment(job_id: str) -> Operation[Experiment | None]:
    """The experiment of a job, validated again with what it has uploaded; None where it is not known.

    Errors: ExpiredError where an upload is no longer kept.
    """
    document = yield from jobs.document(job_id)
    if document is None:
        return None
    found: dict[str, Upload] = {}
    for name in named_by(document):
        upload = yield from uploads.read_arrays(name)
        if upload is None:
            raise ExpiredError(
                f"{name}, which this experiment used, is no longer kept: it was deleted, or has expired."
            )
        found[name] = upload
    return Experiment.model_validate(document, context=found)


def figure_arrays(manifest: Mapping[str, Stored]) -> frozenset[str]:
    """The arrays that figures draw: statistics along the flow and the answers, never the data or the parameters."""
    kept = {"time", "train_loss", "relative_residual", "w_trajectory", "coordinate_index", "w_true", "gamma", "margin",
            "w_implicit", "w_l2"}  # fmt: skip
    return frozenset(name for name in manifest if name in kept or name.startswith("distance_"))
