"""How a margin maximiser presents itself, and what all of them share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from initshape.datasets import SEPARABLE, Dataset, separation
from initshape.models import AbstractModel
from initshape.regularizers.base import AbstractPotential, AbstractRegularizer, Array
from initshape.regularizers.fit import Claim, Fit
from initshape.regularizers.linear_program import minimum
from initshape.regularizers.max_margin_kkt import cone_residual
from initshape.spec.outcome import Exactness, Outcome

MarginFitter = Callable[[Dataset, Any, Array, float], Fit]

OVERLAPPING = "no linear predictor separates the classes: the loss has a positive infimum"


@dataclass(frozen=True)
class MarginEntry:
    """One regularizer in classification: `fit(dataset, model, theta0, gamma)` for a model that `applies`."""

    name: str
    title: str
    models: str
    latex: str
    exactness: Exactness
    conditions: tuple[str, ...]
    citations: tuple[str, ...]
    applies: Callable[[AbstractModel], bool]
    fit: MarginFitter


def signed_rows(dataset: Dataset) -> Array:
    """y_n x_n. **Shape**: (N, d)."""
    return np.asarray(dataset.y[:, None] * dataset.X)


def separable(dataset: Dataset) -> bool:
    """Whether some w has positive margins on all samples."""
    return separation(dataset.X, dataset.y) > SEPARABLE


def margin_fit(
    name: str,
    claim: Claim,
    outcome: Outcome,
    w: Array,
    potential: AbstractRegularizer | None,
    dataset: Dataset,
    *,
    iterations: int,
    started: float,
    kkt_residual: float | None = None,
    value: float | None = None,
) -> Fit:
    """A fit whose w has margins of at least 1; `kkt_residual` and `value` by the potential unless they are given.

    There is no residual: `relative_residual` is None.
    """
    if potential is not None:
        kkt_residual = cone_residual(potential, w, signed_rows(dataset)) if kkt_residual is None else kkt_residual
        value = potential.value(w) if value is None else value
    return Fit(
        regularizer=name,
        outcome=outcome,
        exactness=claim.exactness,
        theorem=claim.theorem,
        conditions=claim.conditions,
        citations=claim.citations,
        w=w,
        potential=potential,
        kkt_residual=kkt_residual,
        value=value,
        iterations=iterations,
        seconds=time.perf_counter() - started,
    )


def excess_value(fit: Fit, w: Array, dataset: Dataset) -> float:
    """(Q(w/min margin) - Q(w_fit)) / max(1, |Q(w_fit)|), w scaled to least margin 1; NaN where a margin is negative.

    Not negative but for rounding: the scaled w is feasible in the problem that w_fit solves.
    """
    least = float(np.min(signed_rows(dataset) @ w))
    if fit.potential is None or fit.value is None or not least > 0.0:
        return float("nan")
    return (fit.potential.value(w / least) - fit.value) / max(1.0, abs(fit.value))


def reachable(potential: AbstractPotential, dataset: Dataset) -> bool:
    """Whether predictors of the signs that the potential's domain allows separate the classes."""
    lower, upper = potential.domain()
    free = lower < upper
    one_signed = free & (np.isfinite(lower) | np.isfinite(upper))
    if np.all(free) and not np.any(one_signed):
        return True
    return _signed_separation(signed_rows(dataset), lower, upper) > SEPARABLE


def _signed_separation(rows: Array, lower: Array, upper: Array) -> float:
    size = np.linalg.norm(rows, axis=1)
    if np.any(size == 0.0):
        return 0.0
    n, d = rows.shape
    answer = minimum(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.hstack([-rows / size[:, None], np.ones((n, 1))]),
        b_ub=np.zeros(n),
        bounds=np.c_[np.r_[np.maximum(lower, -1.0), 0.0], np.r_[np.minimum(upper, 1.0), np.inf]],
    )
    return 0.0 if answer is None else -answer.value
