"""The l2 max-margin predictor: the hard-margin support vector machine without an intercept."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.max_margin import solve
from initshape.regularizers.max_margin_entry import OVERLAPPING, MarginEntry, margin_fit, separable, signed_rows
from initshape.regularizers.max_margin_references import MOROSHKO_2020, SOUDRY_2018
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.spec.outcome import Exactness, Outcome


def fit(dataset: Dataset, model: AbstractModel, theta0: Array, gamma: float) -> Fit:
    """argmin ||w||^2/2 s.t. y_n x_n.w >= 1, whatever the model and gamma.

    **Errors**: none raised; `infeasible` where the classes overlap.
    """
    claim = Claim(exactness=Exactness.baseline, theorem=None, citations=ENTRY.citations)
    return fit_l2(dataset, claim)


def fit_l2(dataset: Dataset, claim: Claim, name: str = "l2") -> Fit:
    """The l2 max-margin predictor under any claim."""
    started = time.perf_counter()
    if not separable(dataset):
        return without_answer(name, claim, Outcome.infeasible, OVERLAPPING, started)
    q = QuadraticPotential(w0=np.zeros(dataset.dimension), metric=np.ones(dataset.dimension))
    answer = solve(q.start(), signed_rows(dataset), 1.0)
    return margin_fit(name, claim, answer.outcome, answer.w, q, dataset, iterations=answer.iterations, started=started)


ENTRY = MarginEntry(
    name="l2",
    title="l2 max margin",
    models="any",
    latex=r"\min_w \tfrac12 \lVert w \rVert_2^2 \quad\text{s.t.}\quad y_n x_n^\top w \ge 1",
    exactness=Exactness.baseline,
    conditions=(
        "baseline: the direction of logistic regression, of fully connected linear networks as gamma -> infinity, and "
        "of the diagonal network as its scale -> infinity with gamma large, but small against the scale",
    ),
    citations=(SOUDRY_2018, MOROSHKO_2020),
    applies=lambda model: True,
    fit=fit,
)
