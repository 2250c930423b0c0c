"""Rules that tie several fields together: sizes that must agree, and data that no weights can fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from initshape.spec.dataset import ExplicitDataset, SparseRegression
from initshape.spec.init import ExplicitInit, ScaleShape
from initshape.spec.problem import ProblemError, shown

if TYPE_CHECKING:
    from initshape.spec.experiment import Experiment

INCONSISTENT = 1e-10
"""Relative least-squares residual of y above which given data are refused as not interpolable."""


LARGEST_PARAMETER = 1e50
"""Larger weights leave no room for the products that the network forms."""


class CrossFieldError(ValueError):
    """Carries pointers relative to the experiment object through pydantic."""

    def __init__(self, problems: tuple[ProblemError, ...]) -> None:
        super().__init__("; ".join(p.hint for p in problems))
        self.problems = problems


def check_experiment(experiment: Experiment) -> Iterator[ProblemError]:
    """Every cross-field problem of an experiment whose fields are each valid."""
    if isinstance(experiment.dataset, SparseRegression):
        yield from _check_sparse(experiment.dataset)
    else:
        problems = tuple(_check_explicit(experiment.dataset))
        yield from problems
        if problems:
            return  # sizes below would only repeat them
    yield from _check_init(experiment)


def _check_sparse(data: SparseRegression) -> Iterator[ProblemError]:
    if data.sparsity > data.dimension:
        yield _problem("/dataset/sparsity", data.sparsity, f"at most dimension = {data.dimension}",
                       "lower sparsity or raise dimension")  # fmt: skip
    if data.noise_variance > 0 and data.samples > data.dimension:
        yield _problem("/dataset/samples", data.samples, f"at most {data.dimension}, the dimension, with noise",
                       "more noisy samples than features cannot all be fitted: lower samples, raise dimension, or set "
                       "noise_variance: 0")  # fmt: skip


def _check_explicit(data: ExplicitDataset) -> Iterator[ProblemError]:
    rows, width = len(data.X), len(data.X[0])
    if width == 0:
        yield _problem("/dataset/X/0", 0, "at least 1 feature", "give every sample at least one feature")
        return
    ragged = next((i for i, row in enumerate(data.X) if len(row) != width), None)
    if ragged is not None:
        yield _problem(f"/dataset/X/{ragged}", len(data.X[ragged]), f"{width} features, like the first row",
                       "give every sample (row) the same number of features (columns)")  # fmt: skip
        return
    if len(data.y) != rows:
        hint = "X is samples x features: give one label a row"
        if len(data.y) == width:
            hint += "; X looks transposed"
        yield _problem("/dataset/y", len(data.y), f"length {rows}, the number of rows of X", hint)
        return
    if (data.X_test is None) != (data.y_test is None):
        missing = "y_test" if data.y_test is None else "X_test"
        yield _problem(f"/dataset/{missing}", None, "given together", "give X_test and y_test, or neither")
    elif data.X_test is not None and data.y_test is not None:
        bad = next((i for i, row in enumerate(data.X_test) if len(row) != width), None)
        if bad is not None:
            yield _problem(f"/dataset/X_test/{bad}", len(data.X_test[bad]), f"{width} features, as in X",
                           "test samples have the features of the training samples")  # fmt: skip
        if len(data.X_test) != len(data.y_test) or not data.X_test:
            yield _problem("/dataset/y_test", len(data.y_test), f"length {len(data.X_test)} > 0, the rows of X_test",
                           "give one test label a row")  # fmt: skip
    if data.w_true is not None and len(data.w_true) != width:
        yield _problem("/dataset/w_true", len(data.w_true), f"length {width}, the number of features",
                       "give one number a feature, or leave w_true out")  # fmt: skip
    yield from _check_interpolation(np.asarray(data.X), np.asarray(data.y))


def _check_interpolation(x: np.ndarray, y: np.ndarray) -> Iterator[ProblemError]:
    norm = float(np.linalg.norm(y))
    if norm == 0.0:
        yield _problem("/dataset/y", 0.0, "at least one label other than 0",
                       "y = 0 is fitted by w = 0 from the start: there is nothing to learn")  # fmt: skip
        return
    scale = float(np.abs(x).max())
    w = np.linalg.lstsq(x / scale, y / norm, rcond=None)[0] if scale > 0 else np.zeros(x.shape[1])
    residual = float(np.linalg.norm(y / norm - (x / scale) @ w)) if scale > 0 else 1.0
    if residual > INCONSISTENT:
        yield _problem("/dataset/y", residual, f"a relative least-squares residual of at most {INCONSISTENT:g}",
                       "no weights fit these labels (value is the relative residual of the best ones): remove "
                       "contradicting samples, or add features")  # fmt: skip


def _check_init(experiment: Experiment) -> Iterator[ProblemError]:
    d, depth = experiment.dataset.dimension, experiment.model.depth
    init = experiment.init
    if isinstance(init, ScaleShape):
        for name, value in (("scale", init.scale), ("shape", init.shape)):
            if isinstance(value, tuple) and len(value) != d:
                yield _problem(f"/init/{name}", len(value), f"one number, or a list of length {d}",
                               f"give one {name}, or one per coordinate (dimension {d})")  # fmt: skip
        return
    yield from _check_explicit_init(init, d, depth)


def _check_explicit_init(init: ExplicitInit, d: int, depth: int) -> Iterator[ProblemError]:
    factors = {name: getattr(init, name) for name in ("u_plus", "v_plus", "u_minus", "v_minus")}
    branches = {"plus": init.plus, "minus": init.minus}
    by_factor = any(v is not None for v in factors.values())
    by_branch = any(v is not None for v in branches.values())
    if by_factor == by_branch:
        yield _problem("/init", None, "u_plus, v_plus, u_minus, v_minus (depth 2) or plus, minus",
                       "give exactly one of the two sets of arrays")  # fmt: skip
        return
    if by_factor and depth != 2:
        yield _problem("/init", None, "plus, minus", f"depth {depth} needs plus and minus, each depth x dimension")
        return
    for name, value in (factors if by_factor else branches).items():
        where = f"/init/{name}"
        if value is None:
            yield _problem(where, None, "required", f"give {name} too")
        elif by_factor and len(value) != d:
            yield _problem(where, len(value), f"length {d}", f"give one number per coordinate (dimension {d})")
        elif by_branch and (len(value) != depth or any(len(row) != d for row in value)):
            yield _problem(where, len(value), f"{depth} rows of length {d}", "give a matrix depth x dimension")
        else:
            largest = float(np.abs(np.asarray(value, dtype=float)).max())
            if largest > LARGEST_PARAMETER:
                yield _problem(where, largest, f"magnitudes up to {LARGEST_PARAMETER:g}",
                               "bring the parameters nearer to unit scale")  # fmt: skip


def _problem(pointer: str, value: object, allowed: str, hint: str) -> ProblemError:
    return ProblemError(pointer=pointer, value=shown(value), allowed=allowed, hint=hint)
