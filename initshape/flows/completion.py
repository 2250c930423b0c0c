"""Gauss-Newton completion: the exponential tail of a flow replaced by a few linear solves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

from initshape.models import AbstractModel
from initshape.training.settings import Floats

MAX_ITERATIONS = 6
MARGIN = 1e-3
"""Iterations go on until the residual is this far below the requested one: quadratic convergence makes it cheap."""


class Completed(NamedTuple):
    """End of a completion; `curvature` is the relative size of what the first linearisation left out."""

    theta: Floats
    relative_residual: float
    iterations: int
    curvature: float


def complete(model: AbstractModel, theta: Floats, X: Floats, y: Floats, requested: float) -> Completed:
    """theta += J^T (J J^T)^+ (y - f(theta)), J evaluated anew each time, until the residual is below `requested`.

    With J constant this is the limit of the flow. `curvature`, relative to w, measures what is wrong with that: the
    larger of the second-order part of the first step in w, and of what the step would add to w if J were that at its
    end. The second is what moves conserved quantities, and shows where w itself hardly bends.

    **Source**: the flow's remainder is J^T int r dt with int r dt = (J J^T)^-1 r N to first order in r.
    """
    y_norm = float(np.linalg.norm(y))
    residual = y - model.outputs(theta, X)
    best = float(np.linalg.norm(residual)) / y_norm
    curvature, iterations = 0.0, 0
    while best > MARGIN * requested and iterations < MAX_ITERATIONS:
        multipliers = _solve(model.kernel(theta, X), residual)
        change = model.vjp(theta, X, multipliers)
        if iterations == 0:
            turned = model.vjp(theta + change, X, multipliers) - change
            curvature = _curvature(model, theta, X, change, turned)
        residual = y - model.outputs(theta + change, X)
        reached = float(np.linalg.norm(residual)) / y_norm
        if not reached < 0.5 * best:
            break
        theta, best, iterations = theta + change, reached, iterations + 1
    return Completed(theta, best, iterations, curvature)


def _curvature(model: AbstractModel, theta: Floats, X: Floats, change: Floats, turned: Floats) -> float:
    """The larger of ||w(theta + v) - 2 w(theta) + w(theta - v)|| and ||w(theta + t) - w(theta - t)||, v the change and
    t its turn, over 2 ||w(theta)||; of the outputs where there is no w.
    """

    def image(point: Floats) -> Floats:
        return np.asarray(model.predictor(point) if model.linear else model.outputs(point, X))

    with np.errstate(all="ignore"):
        w = image(theta)
        bend = image(theta + change) - 2.0 * w + image(theta - change)
        turn = image(theta + turned) - image(theta - turned)
        found = float(max(np.linalg.norm(bend), np.linalg.norm(turn)) / (2.0 * np.linalg.norm(w)))
    return found if np.isfinite(found) else np.inf


def _solve(K: Floats, b: Floats) -> Floats:
    """K^+ b for symmetric positive semidefinite K: Cholesky after diagonal scaling, else a pseudo-inverse."""
    diagonal = np.sqrt(np.diag(K))
    if np.all(diagonal > 0.0):
        scaled = K / np.outer(diagonal, diagonal)
        try:
            return np.asarray(scipy.linalg.cho_solve(scipy.linalg.cho_factor(scaled), b / diagonal) / diagonal)
        except np.linalg.LinAlgError:
            pass
    values, vectors = scipy.linalg.eigh(K)
    floor = len(b) * np.finfo(np.float64).eps * values[-1]
    inverse = np.where(values > floor, 1.0 / np.where(values > floor, values, 1.0), 0.0)
    return np.asarray(vectors @ (inverse * (vectors.T @ b)))
