"""Max margin of the model linearised at its initialization: lazy training."""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg import eigh

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.kernel import predictor_kernel
from initshape.regularizers.max_margin import MaxMargin, solve
from initshape.regularizers.max_margin_entry import OVERLAPPING, MarginEntry, margin_fit, separable, signed_rows
from initshape.regularizers.max_margin_references import MOROSHKO_2020, SOUDRY_2018
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.regularizers.references import CHIZAT_2019, JACOT_2018
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


def fit(dataset: Dataset, model: AbstractModel, theta0: Array, gamma: float) -> Fit:
    """argmin w^T M0^+ w/2 s.t. y_n x_n.w >= 1, w in the range of M0 = J0 J0^T, J0 = dw/dtheta at theta0.

    Gradient flow of the linearised model maximises the margin of J0 (theta - theta0) in ||theta - theta0||; its
    output at the start does not matter for the direction in the end.

    **Errors**: none raised; `infeasible` where the classes overlap, or what moves to first order cannot separate
    them.
    """
    theta0 = np.asarray(theta0, dtype=np.float64)
    if isinstance(model, Diagonal):
        return _fit_diagonal(dataset, predictor_kernel(model, theta0))
    return _fit_gram(dataset, model, theta0)


def _fit_diagonal(dataset: Dataset, metric: Array) -> Fit:
    """M0 is diagonal: a quadratic potential with one weight a coordinate."""
    started = time.perf_counter()
    frozen = int(np.sum(metric == 0.0))
    moving = Condition(name="every coordinate moves to first order", holds=frozen == 0, value=frozen)
    claim = Claim(Exactness.baseline, None, (moving,), ENTRY.citations)
    if not separable(Dataset(X=dataset.X * np.sqrt(metric), y=dataset.y)):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started)
    q = QuadraticPotential(w0=np.zeros(dataset.dimension), metric=metric)
    answer = solve(q.start(), signed_rows(dataset), 1.0)
    return _answered(claim, answer, answer.w, q, dataset, started)


def _fit_gram(dataset: Dataset, model: AbstractModel, theta0: Array) -> Fit:
    """The same in the N dimensions of the samples: w = J0 J0^T sum nu_n y_n x_n, nu from the tangent kernel alone."""
    started = time.perf_counter()
    claim = Claim(Exactness.baseline, None, (), ENTRY.citations)
    rows = signed_rows(dataset)
    root = _root(model.kernel(theta0, rows))
    if root.shape[1] == 0 or not separable(Dataset(X=root, y=np.ones(dataset.samples))):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started)
    q = QuadraticPotential(w0=np.zeros(root.shape[1]), metric=np.ones(root.shape[1]))
    answer = solve(q.start(), root, 1.0)
    w = _derivative(model, theta0, model.vjp(theta0, rows, answer.nu))
    return _answered(claim, answer, w, None, dataset, started)


def _answered(
    claim: Claim, answer: MaxMargin, w: Array, q: AbstractRegularizer | None, dataset: Dataset, started: float
) -> Fit:
    """`kkt_residual`: by the cone where there is a potential, else the relative duality gap, and what margins lack."""
    total = float(np.sum(answer.nu))
    m = signed_rows(dataset) @ w
    gap = abs(float(answer.nu @ m) - total) / total
    return margin_fit(
        ENTRY.name,
        claim,
        answer.outcome,
        w,
        q,
        dataset,
        iterations=answer.iterations,
        started=started,
        kkt_residual=None if q is not None else max(gap, 1.0 - float(np.min(m)), 0.0),
        value=None if q is not None else 0.5 * total,
    )


def _root(kernel: Array) -> Array:
    """B with B B^T = K, one column a positive eigenvalue. **Shape**: (N, N) -> (N, rank)."""
    values, vectors = eigh(kernel)
    kept = values > kernel.shape[0] * np.finfo(float).eps * max(values[-1], 0.0)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _derivative(model: AbstractModel, theta: Array, v: Array) -> Array:
    """dw/dtheta v, exact: the complex step, which subtracts nothing, of a predictor that is a polynomial.

    **Source**: Squire and Trapp 1998.
    """
    largest = float(np.max(np.abs(v), initial=0.0))
    if largest == 0.0:
        return np.zeros(model.dimension)
    step = 1e-100
    moved = model.predictor(theta + 1j * (step * (v / largest)))
    return np.asarray(np.imag(moved) / step * largest, dtype=np.float64)


ENTRY = MarginEntry(
    name="kernel",
    title="Max margin in the tangent kernel at initialization",
    models="any that is linear in x",
    latex=r"\min_w \tfrac12 w^\top M_0^{+} w \quad\text{s.t.}\quad y_n x_n^\top w \ge 1, \quad M_0 = J_0 J_0^\top",
    exactness=Exactness.baseline,
    conditions=("baseline: lazy training, in which the tangent kernel does not change",),
    citations=(JACOT_2018, CHIZAT_2019, SOUDRY_2018, MOROSHKO_2020),
    applies=lambda model: model.linear,
    fit=fit,
)
