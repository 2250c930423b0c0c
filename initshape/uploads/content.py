"""Arrays to an upload: checked, made canonical, named by their content, and looked at once for all who use them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from initshape.spec.base import LARGEST_REAL
from initshape.spec.dataset import LARGEST_DIMENSION, LARGEST_SAMPLES
from initshape.spec.feasibility import INCONSISTENT, relative_least_squares_residual
from initshape.spec.uploaded import ArrayFacts, LabelFacts, Upload
from initshape.uploads.refusal import refused

DATASET_ARRAYS: Final = ("X", "y", "X_test", "y_test", "w_true")
LAYERS: Final = tuple(f"layers_{k}" for k in range(8))
INIT_ARRAYS: Final = ("u_plus", "v_plus", "u_minus", "v_minus", "plus", "minus", "a", "w", *LAYERS)
_SETS: Final = (("u_plus", "v_plus", "u_minus", "v_minus"), ("plus", "minus"), ("a", "w"))
_LARGEST_TEST: Final = 1_000_000

Array = NDArray[np.float64]


def dataset_upload(arrays: Mapping[str, Array]) -> Upload:
    """X (N, d), y (N,), and X_test (T, d), y_test (T,), w_true (d,) where given. Errors: SpecError (422)."""
    checked = {name: _canonical(name, array) for name, array in arrays.items()}
    for name in ("X", "y"):
        if name not in checked:
            raise refused(f"/{name}", None, "X and y", f"{name} is required")
    X, y = checked["X"], checked["y"]
    if X.ndim != 2 or 0 in X.shape:
        raise refused("/X", _times(X), "samples x features", "give a matrix with at least one sample and one feature")
    samples, d = X.shape
    if samples > LARGEST_SAMPLES or d > LARGEST_DIMENSION:
        raise refused("/X", _times(X), f"at most {LARGEST_SAMPLES} x {LARGEST_DIMENSION}", "send less")
    hint = "X looks transposed: it is samples x features" if y.shape == (d,) else "X is samples x features"
    _demand("y", y, (samples,), f"give one label a row of X ({hint})")
    if ("X_test" in checked) != ("y_test" in checked):
        missing = "y_test" if "X_test" in checked else "X_test"
        raise refused(f"/{missing}", None, "given together", "give X_test and y_test, or neither")
    if "X_test" in checked:
        tests = checked["X_test"].shape[0] if checked["X_test"].ndim else 0
        if not 0 < tests <= _LARGEST_TEST:
            raise refused("/X_test", tests, f"1 to {_LARGEST_TEST} rows", "leave the test set out, or send less of it")
        _demand("X_test", checked["X_test"], (tests, d), "test samples have the features of the training samples")
        _demand("y_test", checked["y_test"], (tests,), "give one test label a row of X_test")
    if "w_true" in checked:
        _demand("w_true", checked["w_true"], (d,), "give one number a feature, or leave w_true out")
    return Upload(_id("d-", checked), _facts(checked), _labels(X, y), checked)


def init_upload(arrays: Mapping[str, Array]) -> Upload:
    """The arrays of `init: {kind: explicit}`, weight matrices as layers_0, layers_1, ... Errors: SpecError (422).

    Whether they fit a model is seen when an experiment names both.
    """
    checked = {name: _canonical(name, array) for name, array in arrays.items()}
    sets = (*_SETS, LAYERS[: len(checked)])
    if not checked or set(checked) not in map(set, sets):
        allowed = "u_plus, v_plus, u_minus, v_minus; plus, minus; a, w; layers_0, layers_1, ..."
        raise refused("", ", ".join(sorted(checked)), allowed, "give exactly one of these sets of arrays")
    for name, array in checked.items():
        dimensions = (0, 1) if name == "a" else (2,) if name in ("plus", "minus", *LAYERS) else (1,)
        if array.ndim not in dimensions or array.size == 0:
            raise refused(f"/{name}", _times(array), f"{dimensions[-1]} dimensions, none of them empty",
                          "give the arrays of an explicit initialization")  # fmt: skip
    return Upload(_id("i-", checked), _facts(checked), None, checked)


def _canonical(name: str, given: Array) -> Array:
    """float64, C order, read-only, without a negative zero, so that equal numbers are equal bytes."""
    array = np.array(given, dtype=np.float64, order="C") + 0.0
    size = np.abs(array)
    if not np.all(size <= LARGEST_REAL):  # NaN, too
        place = np.unravel_index(int(np.argmin(size <= LARGEST_REAL)), array.shape)
        raise refused("/".join(["", name, *map(str, place)]), float(array[place]),
                      f"finite numbers of magnitude at most {LARGEST_REAL:g}", "remove or replace it")  # fmt: skip
    array = np.asarray(array)
    array.setflags(write=False)
    return array


def _id(prefix: str, arrays: Mapping[str, Array]) -> str:
    """Prefix and 26 characters of lower-case base32 of SHA-256 over names, shapes and little-endian bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}{list(array.shape)}\n".encode())
        digest.update(array.astype("<f8", copy=False).tobytes())
    return prefix + base64.b32encode(digest.digest()).decode("ascii").lower()[:26]


def _facts(arrays: Mapping[str, Array]) -> dict[str, ArrayFacts]:
    return {name: ArrayFacts(array.shape, float(np.max(np.abs(array)))) for name, array in arrays.items()}


def _labels(X: Array, y: Array) -> LabelFacts:
    wrong = np.flatnonzero(np.abs(y) != 1.0)
    other = (int(wrong[0]), float(y[wrong[0]])) if wrong.size else None
    if not np.any(y):
        return LabelFacts(True, other, 0.0)
    return LabelFacts(False, other, _residual(X, y))


def _residual(X: Array, y: Array) -> float:
    """The relative least-squares residual; where the normal equations of the samples already prove it small, a bound.

    They cost a fraction of the singular values that the general answer takes.
    """
    if X.shape[0] <= X.shape[1]:
        scaled, target = X / np.max(np.abs(X), initial=1e-300), y / np.max(np.abs(y))
        try:
            w = scaled.T @ np.linalg.solve(scaled @ scaled.T, target)
        except np.linalg.LinAlgError:
            w = np.zeros(X.shape[1])
        bound = float(np.linalg.norm(scaled @ w - target) / np.linalg.norm(target))
        if bound <= INCONSISTENT:
            return bound
    return relative_least_squares_residual(X, y)


def _demand(name: str, array: Array, shape: tuple[int, ...], hint: str) -> None:
    if array.shape != shape:
        raise refused(f"/{name}", _times(array), " x ".join(map(str, shape)), hint)


def _times(array: Array) -> str:
    return " x ".join(map(str, array.shape)) or "one number"
