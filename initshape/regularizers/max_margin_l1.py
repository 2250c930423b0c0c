"""The l1 max-margin predictor."""

from __future__ import annotations

import time

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.l1 import L1Norm
from initshape.regularizers.max_margin_entry import OVERLAPPING, MarginEntry, margin_fit, separable, signed_rows
from initshape.regularizers.max_margin_program import solve
from initshape.regularizers.max_margin_references import MOROSHKO_2020
from initshape.regularizers.references import GUNASEKAR_2018, HUANGFU_2018
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition


def fit(dataset: Dataset, model: AbstractModel, theta0: Array, gamma: float) -> Fit:
    """argmin ||w||_1 s.t. y_n x_n.w >= 1, whatever the model and gamma. `kkt_residual` is the relative duality gap.

    **Errors**: none raised; `infeasible` where the classes overlap, `stalled` where the linear program fails.
    """
    started = time.perf_counter()
    claim = Claim(exactness=Exactness.baseline, theorem=None, citations=ENTRY.citations)
    if not separable(dataset):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started)
    answer = solve(signed_rows(dataset))
    if answer is None:
        return without_answer(ENTRY.name, claim, Outcome.stalled, "the linear program was not solved", started)
    unique = Condition(name="unique maximiser of the margin", holds=answer.unique, value=answer.margin)
    claim = Claim(exactness=Exactness.baseline, theorem=None, conditions=(unique,), citations=ENTRY.citations)
    return margin_fit(
        ENTRY.name,
        claim,
        Outcome.converged if answer.polished else Outcome.stalled,
        answer.w,
        L1Norm(certificate=answer.certificate),
        dataset,
        iterations=answer.iterations,
        started=started,
        kkt_residual=answer.gap,
    )


ENTRY = MarginEntry(
    name="l1",
    title="l1 max margin",
    models="any",
    latex=r"\min_w \lVert w \rVert_1 \quad\text{s.t.}\quad y_n x_n^\top w \ge 1",
    exactness=Exactness.baseline,
    conditions=(
        "baseline: where the two-layer diagonal network tends to as gamma -> infinity, or as its scale -> 0",
        "unique maximiser: complementarity is strict at the vertex that was found",
    ),
    citations=(GUNASEKAR_2018, MOROSHKO_2020, HUANGFU_2018),
    applies=lambda model: True,
    fit=fit,
)
