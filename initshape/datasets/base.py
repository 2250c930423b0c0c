"""What every data set becomes before anything is trained: plain arrays, samples x features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training data, the truth where there is one, and a noiseless test set.

    **Shape**: `X` (N, d) samples x features, `y` (N,), `w_true` (d,), `X_test` (T, d), `y_test` (T,); all float64
    and read-only. `covariance` of the features is None (identity), a spectrum (d,) or a matrix (d, d).

    **Errors**: `ValueError` where the shapes disagree or a number is not finite.
    """

    X: Array
    y: Array
    w_true: Array | None = None
    covariance: Array | None = None
    X_test: Array | None = None
    y_test: Array | None = None

    def __post_init__(self) -> None:
        for name in ("X", "y", "w_true", "covariance", "X_test", "y_test"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _frozen(name, value))
        self._check_shapes()

    @property
    def samples(self) -> int:
        """Number of training samples N."""
        return int(self.X.shape[0])

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return int(self.X.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of the training data (X, y): the key of everything that is computed once per data set."""
        digest = hashlib.sha256(repr(self.X.shape).encode())
        digest.update(self.X.data)
        digest.update(self.y.data)
        return digest.hexdigest()

    def _check_shapes(self) -> None:
        if self.X.ndim != 2 or 0 in self.X.shape:
            raise ValueError(f"X must be samples x features with at least one of each, not of shape {self.X.shape}")
        if (self.X_test is None) != (self.y_test is None):
            raise ValueError("X_test and y_test come together or not at all")
        samples, d = self.X.shape
        expected: dict[str, tuple[tuple[int, ...], ...]] = {
            "y": ((samples,),),
            "w_true": ((d,),),
            "covariance": ((d,), (d, d)),
        }
        if self.X_test is not None:
            expected["X_test"] = ((self.X_test.shape[0], d),)
            expected["y_test"] = ((self.X_test.shape[0],),)
        for name, shapes in expected.items():
            value = getattr(self, name)
            if value is not None and value.shape not in shapes:
                raise ValueError(f"{name} has shape {value.shape}; X of shape {self.X.shape} needs {shapes}")


def _frozen(name: str, value: Array) -> Array:
    array = np.array(value, dtype=np.float64, order="C")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} holds numbers that are not finite")
    array.setflags(write=False)
    return array
