"""Max margin of the model linearised at its initialization: lazy training."""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg import eigh

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.max_margin import solve
from initshape.regularizers.max_margin_entry import OVERLAPPING, MarginEntry, margin_fit, separable, signed_rows
from initshape.regularizers.max_margin_references import MOROSHKO_2020, SOUDRY_2018
from initshape.regularizers.metric import MetricNorm
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.regularizers.references import CHIZAT_2019, JACOT_2018
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


def fit(dataset: Dataset, model: AbstractModel, theta0: Array, gamma: float) -> Fit:
    """argmin w^T M0^+ w/2 s.t. y_n x_n.w >= 1, w in the range of M0 = J0 J0^T, J0 = dw/dtheta at theta0.

    Gradient flow of the linearised model maximises the margin of J0 (theta - theta0) in ||theta - theta0||; its
    output at the start does not matter for the direction in the end.

    **Errors**: none raised; `infeasible` where the classes overlap, or what can move to first order cannot separate
    them.
    """
    started = time.perf_counter()
    theta0 = np.asarray(theta0)
    root = _root(model.kernel(theta0, np.eye(dataset.dimension)))
    frozen = dataset.dimension - root.shape[1]
    claim = Claim(
        exactness=Exactness.baseline,
        theorem=None,
        conditions=(Condition(name="every direction of w moves to first order", holds=frozen == 0, value=frozen),),
        citations=ENTRY.citations,
    )
    reduced = Dataset(X=dataset.X @ root, y=dataset.y) if root.shape[1] else None
    if reduced is None or not separable(reduced):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started)
    q = QuadraticPotential(w0=np.zeros(root.shape[1]), metric=np.ones(root.shape[1]))
    answer = solve(q.start(), signed_rows(reduced), 1.0)
    return margin_fit(
        ENTRY.name,
        claim,
        answer.outcome,
        root @ answer.w,
        MetricNorm(root),
        dataset,
        iterations=answer.iterations,
        started=started,
    )


def _root(kernel: Array) -> Array:
    """B with B B^T = M0, one column a positive eigenvalue; diagonal where M0 is. **Shape**: (d, d) -> (d, rank)."""
    diagonal = np.diag(kernel)
    if not np.any(kernel - np.diag(diagonal)):
        moving = np.flatnonzero(diagonal > 0.0)
        root = np.zeros((kernel.shape[0], moving.size))
        root[moving, np.arange(moving.size)] = np.sqrt(diagonal[moving])
        return root
    values, vectors = eigh(kernel)
    kept = values > kernel.shape[0] * np.finfo(float).eps * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


ENTRY = MarginEntry(
    name="kernel",
    title="Max margin in the tangent kernel at initialization",
    models="any that is linear in x",
    latex=r"\min_w \tfrac12 w^\top M_0^{+} w \quad\text{s.t.}\quad y_n x_n^\top w \ge 1, \quad M_0 = J_0 J_0^\top",
    conditions=("baseline: lazy training, in which the tangent kernel does not change",),
    citations=(JACOT_2018, CHIZAT_2019, SOUDRY_2018, MOROSHKO_2020),
    applies=lambda model: model.linear,
    fit=fit,
)
