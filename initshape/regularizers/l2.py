"""The minimum l2 norm interpolator."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import Array
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.least_norm import least_norm
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.regularizers.references import GUNASEKAR_2018
from initshape.spec.outcome import Exactness, Outcome


def fit(dataset: Dataset, model: AbstractModel, theta0: Array) -> Fit:
    """argmin ||w||^2/2 s.t. X w = y, whatever the model: where linear regression from w = 0 ends. Solved once
    per data set and process.

    **Errors**: none raised; `infeasible` where y is outside the range of X.
    """
    started = time.perf_counter()
    claim = Claim(exactness=Exactness.baseline, theorem=None, citations=ENTRY.citations)
    constraints, w = least_norm(dataset)
    if w is None:
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints), started)
    q = QuadraticPotential(w0=np.zeros(dataset.dimension), metric=np.ones(dataset.dimension))
    w = w.copy()
    return with_answer(ENTRY.name, claim, Outcome.converged, w, q, dataset, iterations=1, started=started)


def closed_form(model: AbstractModel, theta0: Array) -> ClosedForm:
    """||w||^2/2."""
    return ClosedForm(QuadraticPotential(w0=np.zeros(model.dimension), metric=np.ones(model.dimension)))


ENTRY = Entry(
    name="l2",
    title="Minimum l2 norm",
    models="any that is linear in x",
    latex=r"Q(w) = \tfrac12 \sum_i w_i^2",
    exactness=Exactness.baseline,
    conditions=(
        "baseline: the limit of the diagonal network's Q as the scale tends to infinity at w(0) = 0",
        "limit alpha -> 0 of two-layer linear networks and of the single neuron, whatever their shape",
    ),
    citations=(GUNASEKAR_2018,),
    applies=lambda model: getattr(model, "linear", True),
    fit=fit,
    closed_form=closed_form,
)
