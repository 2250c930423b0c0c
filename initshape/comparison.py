"""Where training went against where theory says it goes: distances, gaps, and the nearest limit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers import Fit, evaluate_kkt
from initshape.regularizers.directions import angle, direction_distance, margins
from initshape.regularizers.max_margin_entry import excess_value, signed_rows
from initshape.regularizers.max_margin_kkt import cone_residual
from initshape.spec.result import ComparisonReport, Regime

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

NEAR = 0.1
"""Relative distance below which a limit names the regime."""
TIE = 1e-6
"""Distances to two limits closer than this (relative to the larger) do not tell them apart."""


def compare(w: Vector, fit: Fit, dataset: Dataset) -> ComparisonReport | None:
    """The end of the flow against one fit; None where the fit has no minimiser to compare with.

    **Shape**: w (d,). Distances are relative to the minimiser; the KKT residual is that of w itself (null for a
    regularizer without a gradient, such as l1).
    """
    if fit.w is None or not np.all(np.isfinite(w)):
        return None
    potential = fit.potential
    kkt = excess = math.nan
    if potential is not None and fit.value is not None:
        kkt = evaluate_kkt(potential, w, dataset.X)
        excess = (potential.value(w) - fit.value) / max(1.0, abs(fit.value))
    return ComparisonReport(
        regularizer=fit.regularizer,
        angle=angle(w, fit.w),
        relative_distance=relative_distance(w, fit.w),
        cosine_distance=cosine_distance(w, fit.w),
        kkt_residual=kkt,
        excess_value=excess,
    )


def compare_directions(w: Vector, fit: Fit, dataset: Dataset) -> ComparisonReport | None:
    """Classification: only the direction of w matters, so both are scaled to unit norm. **Shape**: w (d,)."""
    if fit.w is None or not np.all(np.isfinite(w)):
        return None
    least = float(np.min(margins(w, dataset)))
    kkt = excess = math.nan
    if fit.potential is not None and fit.value is not None and least > 0.0:
        kkt = cone_residual(fit.potential, w / least, signed_rows(dataset))
        excess = excess_value(fit, w, dataset)
    return ComparisonReport(
        regularizer=fit.regularizer,
        of="directions",
        angle=angle(w, fit.w),
        relative_distance=direction_distance(w, fit.w),
        cosine_distance=cosine_distance(w, fit.w),
        kkt_residual=kkt,
        excess_value=excess,
    )


def compare_predictions(predictions: Vector, fit: Fit) -> ComparisonReport | None:
    """Networks that are not linear in x: outputs on the test inputs. **Shape**: (number of test inputs,)."""
    if fit.predictions is None or not np.all(np.isfinite(predictions)):
        return None
    return ComparisonReport(
        regularizer=fit.regularizer,
        of="predictions",
        relative_distance=relative_distance(predictions, fit.predictions),
        cosine_distance=cosine_distance(predictions, fit.predictions),
        kkt_residual=math.nan,
        excess_value=math.nan,
    )


def relative_distance(w: Vector, target: Vector) -> float:
    """||w - target|| / ||target||; NaN for a zero target."""
    size = float(np.linalg.norm(target))
    return float(np.linalg.norm(w - target)) / size if size > 0.0 else math.nan


def cosine_distance(w: Vector, target: Vector) -> float:
    """1 - cos(angle), without cancellation: half the squared distance of the unit vectors. NaN where one is zero."""
    first, second = float(np.linalg.norm(w)), float(np.linalg.norm(target))
    if first == 0.0 or second == 0.0:
        return math.nan
    gap = w / first - target / second
    return 0.5 * float(gap @ gap)


def population_error(w: Vector, dataset: Dataset) -> float:
    """(w - w*)^T Sigma (w - w*), Sigma the covariance of the features (identity where none is given); NaN without a
    truth."""
    if dataset.w_true is None:
        return math.nan
    error = w - dataset.w_true
    if dataset.covariance is None:
        return float(error @ error)
    if dataset.covariance.ndim == 1:
        return float(error @ (dataset.covariance * error))
    return float(error @ dataset.covariance @ error)


def test_error(w: Vector, dataset: Dataset) -> float:
    """Mean squared error on the noiseless test set; NaN where there is none."""
    if dataset.X_test is None or dataset.y_test is None:
        return math.nan
    gap = dataset.X_test @ w - dataset.y_test
    return float(gap @ gap) / len(gap)


test_error.__test__ = False  # type: ignore[attr-defined]  # pytest collects by name


def support_recovered(w: Vector, dataset: Dataset) -> float:
    """Fraction of the truth's support among as many largest |w_i|; NaN without a truth, or with a dense one."""
    if dataset.w_true is None:
        return math.nan
    support = np.flatnonzero(dataset.w_true)
    if len(support) in (0, dataset.dimension):
        return math.nan
    largest = np.argsort(-np.abs(w), kind="stable")[: len(support)]
    return len(np.intersect1d(support, largest)) / len(support)


def ntk_change(model: AbstractModel, start: Vector, end: Vector, X: Matrix) -> float:
    """||K(end) - K(start)||_F / ||K(start)||_F of the tangent kernel on X; NaN where it starts at zero.

    **Shape**: start, end (P,), X (N, d). Lazy training is the limit in which this vanishes.
    """
    before, after = np.asarray(model.kernel(start, X)), np.asarray(model.kernel(end, X))
    size = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / size if size > 0.0 else math.nan


def regime(w: Vector, of: str, fits: dict[str, Fit], *, directions: bool = False) -> Regime | None:
    """The nearest of l1 (`rich`), kernel (`kernel`) and l2 (`l2`) if nearer than 0.1, else `intermediate`.

    `directions` compares unit vectors, as classification does.
    `of` says whose w it is: the flow's, or theory's where nothing was simulated. None unless all three are known.
    """
    known = {name: fits[name].w for name in _LABELS if name in fits}
    if not np.all(np.isfinite(w)):
        return None
    distance = direction_distance if directions else relative_distance
    distances = {name: distance(w, target) for name, target in known.items() if target is not None}
    if len(distances) < len(_LABELS):
        return None
    nearest = min(distances, key=lambda name: distances[name])
    near = distances[nearest] < NEAR
    ties = tuple(
        _LABELS[name]
        for name in distances
        if near and name != nearest and distances[name] - distances[nearest] <= TIE * max(distances.values())
    )
    return Regime(
        label=_LABELS[nearest] if near else "intermediate",
        distance_to_l1=distances["l1"],
        distance_to_l2=distances["l2"],
        distance_to_kernel=distances["kernel"],
        of=of,
        ties=ties,
    )


_LABELS = {"l1": "rich", "l2": "l2", "kernel": "kernel"}
