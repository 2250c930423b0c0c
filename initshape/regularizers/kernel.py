"""Kernel (lazy) training: the model linearised at its initialization."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal, FullyConnected, SingleNeuron
from initshape.regularizers.base import Array
from initshape.regularizers.constraints import INCONSISTENT, Constraints
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.least_norm import least_norm
from initshape.regularizers.quadratic import QuadraticPotential, nearest_interpolator
from initshape.regularizers.references import CHIZAT_2019, JACOT_2018
from initshape.regularizers.tangent_metric import TangentMetric
from initshape.regularizers.tangent_norm import TangentNorm
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


def predictor_kernel(model: Diagonal, theta0: Array) -> Array:
    """The diagonal of M0 = J0 J0^T with J0 = dw/dtheta: M_ii = sum over layers l and branches of prod_{k != l} u_k^2.

    **Shape**: (d,).
    """
    layers = np.asarray(theta0).reshape(2, model.depth, model.dimension)
    others = [np.prod(np.delete(layers, k, axis=1), axis=1) for k in range(model.depth)]
    return np.asarray(np.sum(np.square(others), axis=(0, 1)))


def fit(dataset: Dataset, model: AbstractModel, theta0: Array) -> Fit:
    """w0 + M0 X^T (X M0 X^T)^+ (y - X w0): where gradient flow of the linearised model ends, M0 = J0 J0^T.

    Solved as a minimum-norm problem in M0^(-1/2) w, which does not square the condition number. A network that is not
    linear in x has no w: its linearisation is given by its outputs on the test inputs.

    **Errors**: none raised; `infeasible` where directions that M0 cannot move leave y out of reach.

    **Source**: Jacot et al. 2018; Chizat et al. 2019.
    """
    theta0 = np.asarray(theta0)
    if isinstance(model, Diagonal):
        return _fit_diagonal(dataset, model, theta0)
    layers = _chain(model, theta0)
    return _fit_chain(dataset, model, theta0, layers) if layers else _fit_outputs(dataset, model, theta0)


def _fit_diagonal(dataset: Dataset, model: Diagonal, theta0: Array) -> Fit:
    started = time.perf_counter()
    w0, metric = model.predictor(theta0), predictor_kernel(model, theta0)
    frozen = int(np.sum(metric == 0.0))
    claim = _claim(Condition(name="every coordinate moves to first order", holds=frozen == 0, value=frozen))
    w: Array | None
    if frozen == 0 and np.ptp(metric) == 0.0 and not np.any(w0):
        constraints, w = least_norm(dataset)  # every coordinate weighs the same
    else:
        root = np.sqrt(metric)
        constraints = Constraints.of(dataset.X * root, dataset.y)
        w = nearest_interpolator(constraints, w0=w0, root=root) if constraints.consistent else None
    if w is None:
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints, frozen), started)
    q = QuadraticPotential(w0=w0, metric=metric)
    return with_answer(ENTRY.name, claim, Outcome.converged, w.copy(), q, dataset, iterations=1, started=started)


def _fit_chain(dataset: Dataset, model: AbstractModel, theta0: Array, layers: list[Array]) -> Fit:
    started = time.perf_counter()
    metric, w = TangentMetric.of(layers), np.asarray(model.predictor(theta0))
    claim = _claim(
        Condition(name="every direction moves to first order", holds=metric.frozen == 0, value=metric.frozen)
    )
    q = TangentNorm(w0=w, metric=metric)
    rows, zero, one = metric.root(dataset.X), np.zeros_like(w), np.ones_like(w)
    for refined in (False, True):
        gap = dataset.y - dataset.X @ w
        constraints = Constraints.of(rows, gap)
        if not refined and _unreachable(constraints, gap, dataset.y):
            reason = inconsistent(constraints, metric.frozen)
            return without_answer(ENTRY.name, claim, Outcome.infeasible, reason, started)
        w = w + metric.root(nearest_interpolator(constraints, w0=zero, root=one))
    return with_answer(ENTRY.name, claim, Outcome.converged, w, q, dataset, iterations=1, started=started)


def _fit_outputs(dataset: Dataset, model: AbstractModel, theta0: Array) -> Fit:
    """f0 + J v on the test inputs, v = J^T K^+ (y - f0) with the tangent kernel K = J J^T on the training inputs.

    `value` is ||v||^2/2, the squared distance that the linearised parameters move.
    """
    started = time.perf_counter()
    X, y = dataset.X, dataset.y
    K, gap = np.asarray(model.kernel(theta0, X)), y - model.outputs(theta0, X)
    constraints = Constraints.of(K, gap)
    rank = len(constraints.target)
    claim = _claim(Condition(name="tangent kernel has full rank", holds=rank == len(y), value=rank))
    if _unreachable(constraints, gap, y):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints), started)
    z = nearest_interpolator(constraints, w0=np.zeros_like(y), root=np.ones_like(y))
    move = np.asarray(model.vjp(theta0, X, z))
    left = gap - model.jvp(theta0, X, move)
    predictions = None
    if dataset.X_test is not None:
        predictions = model.outputs(theta0, dataset.X_test) + model.jvp(theta0, dataset.X_test, move)
    return Fit(
        regularizer=ENTRY.name,
        outcome=Outcome.converged,
        exactness=claim.exactness,
        conditions=claim.conditions,
        citations=claim.citations,
        reason="the network is not linear in x, so its linearisation has outputs, but no w",
        predictions=predictions,
        relative_residual=float(np.linalg.norm(left) / (np.linalg.norm(y) or 1.0)),
        value=0.5 * float(move @ move),
        iterations=1,
        seconds=time.perf_counter() - started,
    )


def closed_form(model: AbstractModel, theta0: Array) -> ClosedForm:
    """Q from theta0; the data do not enter."""
    theta0 = np.asarray(theta0)
    if isinstance(model, Diagonal):
        return ClosedForm(QuadraticPotential(w0=model.predictor(theta0), metric=predictor_kernel(model, theta0)))
    if layers := _chain(model, theta0):
        return ClosedForm(TangentNorm(w0=np.asarray(model.predictor(theta0)), metric=TangentMetric.of(layers)))
    return ClosedForm(None, reason="the network is not linear in x: its linearisation has outputs, but no w")


def _chain(model: AbstractModel, theta0: Array) -> list[Array]:
    """The matrices of a linear network with one output; none where it is not linear."""
    if isinstance(model, SingleNeuron):
        return [model.weights(theta0)[None, :], *(np.array([[a]]) for a in model.scalars(theta0))]
    if isinstance(model, FullyConnected) and model.linear:
        return [np.asarray(W) for W in model.layers(theta0)]
    return []


def _unreachable(constraints: Constraints, gap: Array, y: Array) -> bool:
    """Whether what no parameters can fit of the gap counts against y; rounding of a gap near 0 does not."""
    missed = constraints.inconsistency * float(np.linalg.norm(gap))
    return missed > INCONSISTENT * (float(np.linalg.norm(y)) or float(np.linalg.norm(gap)))


def _claim(condition: Condition) -> Claim:
    return Claim(exactness=Exactness.baseline, theorem=None, conditions=(condition,), citations=ENTRY.citations)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, AbstractModel)


ENTRY = Entry(
    name="kernel",
    title="Tangent kernel norm at initialization",
    models="any",
    latex=r"Q(w) = \tfrac12 (w - w(0))^\top M_0^{+} (w - w(0)), \quad M_0 = J_0 J_0^\top",
    exactness=Exactness.baseline,
    conditions=(
        "baseline: the limit of lazy training, in which the tangent kernel does not change",
        "networks that are not linear in x: no w, the outputs of the linearised network on the test inputs instead",
    ),
    citations=(JACOT_2018, CHIZAT_2019),
    applies=_applies,
    fit=fit,
    closed_form=closed_form,
)
