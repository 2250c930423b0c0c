"""Data that the user has uploaded."""

from __future__ import annotations

from initshape.datasets.base import Dataset
from initshape.spec.dataset import UploadedDataset


def build_uploaded(spec: UploadedDataset) -> Dataset:
    """The arrays of the upload as they are; population quantities take the features' covariance to be the identity.

    **Errors**: `LookupError` where the spec was validated without the numbers of its upload.
    """
    if spec.upload is None or spec.upload.arrays is None:
        raise LookupError(f"the numbers of {spec.dataset_id} are not at hand")
    arrays = spec.upload.arrays
    return Dataset(
        X=arrays["X"],
        y=arrays["y"],
        w_true=arrays.get("w_true"),
        X_test=arrays.get("X_test"),
        y_test=arrays.get("y_test"),
    )
