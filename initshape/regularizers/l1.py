"""Basis pursuit: the minimum l1 norm interpolator."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.basis_pursuit import BasisPursuit, solve
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.kkt import evaluate_kkt
from initshape.regularizers.per_dataset import constraints_of, once_per_dataset
from initshape.regularizers.references import CHEN_1998, HUANGFU_2018
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


@dataclass(frozen=True, eq=False)
class L1Norm(AbstractRegularizer):
    """||w||_1 with a dual certificate s = X^T nu, ||s||_inf <= 1: a subgradient at every minimiser.

    **Shape**: `certificate` (d,).
    """

    certificate: Array

    latex: ClassVar[str] = r"Q(w) = \sum_i |w_i|"

    def value(self, w: Array) -> float:
        return float(np.sum(np.abs(w)))

    def terms(self, w: Array) -> Array:
        """|w_i|."""
        return np.abs(w)

    def gradient(self, w: Array) -> Array:
        """A subgradient: sign(w_i), and the certificate where w_i = 0."""
        return np.where(w == 0.0, self.certificate, np.sign(w))


@evaluate_kkt.register
def _(regularizer: L1Norm, w: Array, X: Array) -> float:
    """sum_i (|w_i| - s_i w_i)/||w||_1 + (||s||_inf - 1)_+ for the certificate s, which lies in the span of X.

    The distance of a subgradient from that span jumps with the sign of every coordinate, however small; this one is
    continuous, and 0 exactly where s is a subgradient at w. The first part is the relative duality gap.
    """
    s = regularizer.certificate
    norm = float(np.sum(np.abs(w)))
    if norm == 0.0:
        return 0.0
    excess = max(float(np.max(np.abs(s))) - 1.0, 0.0)
    return max(float(np.sum(np.abs(w) - s * w)) / norm, 0.0) + excess


def fit(dataset: Dataset, model: AbstractModel, theta0: Array) -> Fit:
    """argmin ||w||_1 s.t. X w = y, whatever the model. Solved once per data set and process.

    **Errors**: none raised; `infeasible` where y is outside the range of X, `stalled` where the linear program fails.
    """
    started = time.perf_counter()
    constraints, answer = _solved(dataset)
    claim = Claim(exactness=Exactness.baseline, theorem=None, citations=ENTRY.citations)
    if answer is None:
        if not constraints.consistent:
            return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints), started)
        return without_answer(ENTRY.name, claim, Outcome.stalled, "the linear program was not solved", started)
    unique = Condition(name="unique minimiser", holds=answer.unique, value=answer.margin)
    claim = Claim(exactness=Exactness.baseline, theorem=None, conditions=(unique,), citations=ENTRY.citations)
    outcome = Outcome.converged if answer.polished else Outcome.stalled
    q = L1Norm(certificate=answer.certificate)
    w = answer.w.copy()
    return with_answer(ENTRY.name, claim, outcome, w, q, dataset, iterations=answer.iterations, started=started)


def closed_form(model: AbstractModel, theta0: Array) -> ClosedForm:
    """||w||_1 with the subgradient 0 at 0."""
    return ClosedForm(L1Norm(certificate=np.zeros(model.dimension)))


@once_per_dataset
def _solved(dataset: Dataset) -> tuple[Constraints, BasisPursuit | None]:
    constraints = constraints_of(dataset)
    return constraints, solve(constraints) if constraints.consistent else None


ENTRY = Entry(
    name="l1",
    title="Minimum l1 norm (basis pursuit)",
    models="any that is linear in x",
    latex=L1Norm.latex,
    exactness=Exactness.baseline,
    conditions=(
        "baseline: the limit of the diagonal network's Q as the scale tends to 0",
        "unique minimiser: some dual certificate is below 1 off the support, and the support's columns are independent",
    ),
    citations=(CHEN_1998, HUANGFU_2018),
    applies=lambda model: getattr(model, "linear", True),
    fit=fit,
    closed_form=closed_form,
)
