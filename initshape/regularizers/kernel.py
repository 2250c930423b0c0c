"""Kernel (lazy) training: the model linearised at its initialization."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.entry import Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.quadratic import QuadraticPotential, nearest_interpolator
from initshape.regularizers.references import CHIZAT_2019, JACOT_2018
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


def predictor_kernel(model: Diagonal, theta0: Array) -> Array:
    """The diagonal of M0 = J0 J0^T with J0 = dw/dtheta: M_ii = sum over layers l and branches of prod_{k != l} u_k^2.

    **Shape**: (d,).
    """
    layers = np.asarray(theta0).reshape(2, model.depth, model.dimension)
    others = [np.prod(np.delete(layers, k, axis=1), axis=1) for k in range(model.depth)]
    return np.asarray(np.sum(np.square(others), axis=(0, 1)))


def fit(dataset: Dataset, model: Diagonal, theta0: Array) -> Fit:
    """w0 + M0 X^T (X M0 X^T)^+ (y - X w0): where gradient flow of the linearised model ends.

    Solved as a minimum-norm problem in v = M0^(-1/2) w, which does not square the condition number.

    **Errors**: none raised; `infeasible` where coordinates with M_ii = 0 leave y outside the range of X.

    **Source**: Jacot et al. 2018; Chizat et al. 2019.
    """
    started = time.perf_counter()
    w0, metric = model.predictor(np.asarray(theta0)), predictor_kernel(model, theta0)
    frozen = int(np.sum(metric == 0.0))
    claim = Claim(
        exactness=Exactness.baseline,
        theorem=None,
        conditions=(Condition(name="every coordinate moves to first order", holds=frozen == 0, value=frozen),),
        citations=ENTRY.citations,
    )
    root = np.sqrt(metric)
    constraints = Constraints.of(dataset.X * root, dataset.y)
    if not constraints.consistent:
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints, frozen), started)
    w = nearest_interpolator(constraints, w0=w0, root=root)
    q = QuadraticPotential(w0=w0, metric=metric)
    return with_answer(ENTRY.name, claim, Outcome.converged, w, q, dataset, iterations=1, started=started)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, Diagonal)


ENTRY = Entry(
    name="kernel",
    title="Tangent kernel norm at initialization",
    models="diagonal, any depth",
    latex=r"Q(w) = \tfrac12 (w - w(0))^\top M_0^{+} (w - w(0)), \quad M_0 = J_0 J_0^\top",
    conditions=("baseline: the limit of lazy training, in which the tangent kernel does not change",),
    citations=(JACOT_2018, CHIZAT_2019),
    applies=_applies,
    fit=fit,
)
