"""Theory's answer for fully connected linear networks in classification."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import brentq

from initshape.datasets import Dataset
from initshape.models import AbstractModel, FullyConnected
from initshape.regularizers.aligned_layers import aligned
from initshape.regularizers.balanced_potential import BalancedPotential
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.max_margin import MaxMargin, solve
from initshape.regularizers.max_margin_entry import OVERLAPPING, MarginEntry, margin_fit, separable, signed_rows
from initshape.regularizers.max_margin_l2 import fit_l2
from initshape.regularizers.max_margin_path import MultiplierPath, multiplier_path
from initshape.regularizers.max_margin_references import JI_2019, LYU_2020
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.regularizers.references import AZULAY_2021
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition

TOLERANCE = 1e-12
"""Distance from strict balance that rounding of the given weights explains."""
LIMIT = (
    "Lyu and Li 2020 (homogeneous networks tend to a KKT point of min ||theta|| s.t. margins >= 1; here all of these "
    "have the l2 max-margin predictor); Ji and Telgarsky 2019"
)
BALANCED = "derived here from grad Q(w) = sum_n lambda_n y_n x_n, lambda >= 0 (Azulay et al. 2021, strictly balanced)"


def fit(dataset: Dataset, model: FullyConnected, theta0: Array, gamma: float) -> Fit:
    """Strictly balanced: the margin in Q of theta0/gamma^(1/L). Other weights: the l2 max margin, as gamma -> infinity.

    **Errors**: none raised; `none_known` with another activation than the identity, `infeasible` where the classes
    overlap.
    """
    started = time.perf_counter()
    if not model.linear:
        reason = f"with {model.activation} activation the limit is a function of x, and no regularizer of it is known"
        return Fit(ENTRY.name, Outcome.none_known, Exactness.none, reason=reason)
    form = aligned(model.layers(np.asarray(theta0)))
    away = max(form.deviation, form.spread)
    balance = Condition(name="strictly balanced", holds=away <= TOLERANCE, value=away)
    limit = Condition(name="gamma -> infinity; gamma", holds=True, value=gamma)
    rho = float(np.linalg.norm(form.weights))
    if not balance.holds or rho == 0.0 or not 0.0 < gamma < np.inf:
        beyond = gamma - float(np.log(dataset.samples))
        late = Condition(name="late enough: L < 1/N, gamma > ln N", holds=beyond > 0.0, value=beyond)
        return fit_l2(dataset, Claim(Exactness.limit, LIMIT, (limit, late, balance), ENTRY.citations), ENTRY.name)
    claim = Claim(Exactness.limit, BALANCED, (limit, balance), ENTRY.citations)
    if not separable(dataset):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started)
    sign = float(np.prod(np.where(form.scalars < 0.0, -1.0, 1.0)))
    q = BalancedPotential(depth=model.depth, first=sign * form.weights * gamma ** (-1.0 / model.depth))
    answer, path = balanced_margin(q, signed_rows(dataset))
    claim = Claim(Exactness.limit, BALANCED, (limit, balance, path.condition), ENTRY.citations)
    return margin_fit(
        ENTRY.name,
        claim,
        answer.outcome,
        _predictor(q, answer.w),
        q,
        dataset,
        iterations=answer.iterations,
        started=started,
    )


def balanced_margin(q: BalancedPotential, rows: Array) -> tuple[MaxMargin, MultiplierPath]:
    """min Q(w) s.t. rows w >= 1, in om = ||w||^(1/L - 1) w, where grad Q = C (om - om(0)); and its multipliers' path.

    For given b, min ||om - om(0)||^2 s.t. rows om >= b is a quadratic program, and its solution solves the problem
    with the level b ||om||^(L-1). Q is strictly convex, so one b has the level 1. **Shape**: `w` of the answer is om.
    """
    start = QuadraticPotential(w0=q.first, metric=np.ones_like(q.first)).start()
    found: dict[float, MaxMargin] = {}

    def excess(log_b: float) -> float:
        guess = next(reversed(found.values())).nu > 0.0 if found else None
        found[log_b] = solve(start, rows, float(np.exp(log_b)), guess)
        return log_b + (q.depth - 1) * float(np.log(np.linalg.norm(found[log_b].w)))

    least = float(np.min(rows @ q.first))
    size = float(np.linalg.norm(q.first))
    if least > 0.0 and least * size ** (q.depth - 1) >= 1.0:
        answer = MaxMargin(start, np.zeros(rows.shape[0]), Outcome.converged, 0)
        return answer, multiplier_path(start, rows, answer, least)
    high = max(np.log(least), 0.0) if least > 0.0 else 0.0
    while excess(high) < 0.0:
        high += 2.0
    low = high - 2.0
    while excess(low) > 0.0:
        low -= 2.0
    root = brentq(excess, low, high, xtol=1e-15, rtol=1e-15)
    excess(root)
    return found[root], multiplier_path(start, rows, found[root], float(np.exp(root)))


def _predictor(q: BalancedPotential, share: Array) -> Array:
    """w = ||om||^(L-1) om."""
    return np.asarray(float(np.linalg.norm(share)) ** (q.depth - 1) * share)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, FullyConnected)


ENTRY = MarginEntry(
    name="implicit",
    title="Max margin of fully connected linear networks",
    models="fully connected, identity activation, any depth",
    latex=r"\min_w Q(w) \quad\text{s.t.}\quad y_n x_n^\top w \ge \gamma, \quad "
    + BalancedPotential.latex
    + r"; \quad \min_w \lVert w \rVert_2 \text{ as } \gamma \to \infty",
    exactness=Exactness.limit,
    conditions=(
        "strictly balanced: the potential of regression at the scale that gamma leaves; stationarity holds along the "
        "whole flow, complementarity in the limit",
        "other weights: the l2 max margin, the limit for gamma -> infinity only",
        "none known for relu and leaky_relu",
    ),
    citations=(LYU_2020, JI_2019, AZULAY_2021),
    applies=_applies,
    fit=fit,
)
