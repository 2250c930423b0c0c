"""Theory's answer for diagonal networks in classification: the margin in Q, taken at the scale that gamma leaves."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers import two_layer_diagonal
from initshape.regularizers.base import AbstractPotential, Array
from initshape.regularizers.deep import DeepPotential
from initshape.regularizers.fit import Claim, Fit, without_answer
from initshape.regularizers.max_margin import solve
from initshape.regularizers.max_margin_entry import (
    OVERLAPPING,
    MarginEntry,
    margin_fit,
    reachable,
    separable,
    signed_rows,
)
from initshape.regularizers.max_margin_path import multiplier_path
from initshape.regularizers.max_margin_references import MOROSHKO_2020
from initshape.regularizers.references import AZULAY_2021
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition

PUBLISHED = "Moroshko et al. 2020: scale and accuracy to their limit together, mu = A/gamma fixed"
DERIVED = "derived here from grad Q(w) = sum_n lambda_n y_n x_n, lambda >= 0, which holds along the whole flow"


def fit(dataset: Dataset, model: Diagonal, theta0: Array, gamma: float) -> Fit:
    """argmin Q(w) s.t. y_n x_n.w >= 1, with Q that of the parameters theta0 / gamma^(1/L).

    In regression Q(w) with theta0 would be minimised; the network is homogeneous, so Q at gamma w is, up to a factor,
    Q of scaled parameters at w. For two layers, w(0) = 0, that is Q_mu with mu = A/gamma, A = sqrt(k)/2.

    Along the flow grad Q(w) = sum_n lambda_n y_n x_n with lambda_n = int q_n d tau >= 0, exactly. What is missing is
    complementarity: lambda_n keeps what sample n earned while it was a support vector. With multipliers lambda*(rho)
    of the levels rho <= 1 that never fall it holds in the limit, with an error of order 1/gamma; else it need not.

    **Errors**: none raised; `infeasible` where the classes overlap, or branches that cannot move leave them so;
    `none_known` where gamma <= 0.
    """
    started = time.perf_counter()
    if not 0.0 < gamma < np.inf:
        reason = "gamma = -ln L is not positive: the margin path has not begun"
        return without_answer(
            ENTRY.name, Claim(Exactness.none, None, (), ENTRY.citations), Outcome.none_known, reason, started
        )
    layers = np.asarray(theta0).reshape(2, model.depth, model.dimension)
    q = _potential(layers * gamma ** (-1.0 / model.depth))
    bias = float(np.max(np.abs(model.predictor(np.asarray(theta0)))))
    theorem = PUBLISHED if model.depth == 2 and bias == 0.0 else DERIVED
    conditions = _scale(model, layers, gamma, bias)
    claim = Claim(Exactness.limit, theorem, conditions, ENTRY.citations)
    if not (separable(dataset) and reachable(q, dataset)):
        return without_answer(ENTRY.name, claim, Outcome.infeasible, OVERLAPPING, started, q)
    rows = signed_rows(dataset)
    with np.errstate(over="ignore", under="ignore"):
        answer = solve(q.start(), rows, 1.0)
        path = multiplier_path(q.start(), rows, answer)
    claim = Claim(Exactness.limit, theorem, (*conditions, path.condition), ENTRY.citations)
    return margin_fit(
        ENTRY.name, claim, answer.outcome, answer.w, q, dataset, iterations=answer.iterations, started=started
    )


def _potential(layers: Array) -> AbstractPotential:
    if layers.shape[1] == 2:
        (u_plus, v_plus), (u_minus, v_minus) = layers
        return two_layer_diagonal.potential(u_plus, v_plus, u_minus, v_minus)
    return DeepPotential.of(layers)


def _scale(model: Diagonal, layers: Array, gamma: float, bias: float) -> tuple[Condition, ...]:
    """Which limit this is: gamma, and what stays of the initialization at it."""
    first = Condition(name="gamma -> infinity at a fixed ratio to the initial scale; gamma", holds=True, value=gamma)
    unbiased = Condition(name="unbiased initialization", holds=bias == 0.0, value=bias)
    if model.depth == 2:
        A = 0.5 * np.sum(np.square(layers), axis=(0, 1))
        name, mu = "mu = A/gamma, largest coordinate", float(np.max(A)) / gamma
    else:
        sizes = np.exp(np.mean(np.log(np.maximum(np.abs(layers), 1e-300)), axis=(0, 1)))
        name, mu = (
            "mu = layer magnitude/gamma^(1/L), largest coordinate",
            float(np.max(sizes)) / gamma ** (1.0 / model.depth),
        )
    return first, Condition(name=name, holds=True, value=mu), unbiased


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, Diagonal)


ENTRY = MarginEntry(
    name="implicit",
    title="Max margin in the diagonal network's own potential",
    models="diagonal, any depth",
    latex=r"\min_w Q_{\mu}(w) \quad\text{s.t.}\quad y_n x_n^\top w \ge 1,"
    r"\quad \mu = A/\gamma, \quad \gamma = -\ln \mathcal L",
    exactness=Exactness.limit,
    conditions=(
        "limit: gamma -> infinity with the initial scale growing in proportion (mu fixed); error of order 1/gamma",
        "the multipliers of the margin constraints never fall as the margin rises (checked on a grid; sufficient, not "
        "necessary): else the flow may settle some percent away",
        "two layers and w(0) = 0 are the published case; other depths, shapes and w(0) follow from the same argument",
    ),
    citations=(MOROSHKO_2020, AZULAY_2021),
    applies=_applies,
    fit=fit,
)
