"""The implicit regularizer of diagonal networks with three or more layers."""

from __future__ import annotations

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers.balanced_branch import BalancedBranch
from initshape.regularizers.base import Array
from initshape.regularizers.deep import DeepPotential
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, fit_potential
from initshape.regularizers.neighbours import Neighbours
from initshape.regularizers.references import AZULAY_2021, WOODWORTH_2020
from initshape.spec.outcome import Exactness
from initshape.spec.result import Condition

PUBLISHED = "Woodworth et al. 2020 (depth-D diagonal network, layers of one size)"
DERIVED = "derived here for any shape and bias by the Legendre argument of Azulay et al. 2021, Theorem 4.1"


def fit(dataset: Dataset, model: Diagonal, theta0: Array, neighbours: Neighbours | None = None) -> Fit:
    """The limit of gradient flow from theta0, by theory: argmin Q(w) s.t. X w = y."""
    layers = np.asarray(theta0).reshape(2, model.depth, model.dimension)
    with np.errstate(over="ignore"):
        q = DeepPotential.of(layers)
    sizes = np.abs(layers)
    bias = float(np.max(np.abs(q.w0)))
    largest = np.max(sizes, axis=(0, 1))
    spread = float(np.max((largest - np.min(sizes, axis=(0, 1))) / np.where(largest > 0.0, largest, 1.0)))
    published = bias == 0.0 and isinstance(q.plus, BalancedBranch) and spread <= 1e-14 and bool(np.all(layers > 0.0))
    claim = Claim(
        exactness=Exactness.exact,
        theorem=PUBLISHED if published else DERIVED,
        conditions=_conditions(q, bias, spread),
        citations=ENTRY.citations,
    )
    return fit_potential(ENTRY.name, q, dataset, claim, neighbours)


def closed_form(model: Diagonal, theta0: Array) -> ClosedForm:
    """Q from theta0; the data do not enter."""
    with np.errstate(over="ignore"):
        return ClosedForm(DeepPotential.of(np.asarray(theta0).reshape(2, model.depth, model.dimension)))


def _conditions(q: DeepPotential, bias: float, spread: float) -> tuple[Condition, ...]:
    lower, upper = q.domain()
    frozen = int(np.sum(lower == upper))
    one_signed = int(np.sum((lower == 0.0) != (upper == 0.0)))
    biased = "unbiased initialization" if bias == 0.0 else "w(0) != 0 enters Q through the layers"
    balanced = (
        "all layers of one size" if spread <= 1e-14 else "layers of different sizes enter Q through their squares"
    )
    checks = [
        Condition(name=biased, holds=True, value=bias),
        Condition(name=balanced, holds=True, value=spread),
    ]
    if not frozen and not one_signed:
        checks.append(Condition(name="every coordinate active", holds=True, value=0))
    if frozen:
        checks.append(Condition(name="frozen coordinates stay at zero and leave the problem", holds=True, value=frozen))
    if one_signed:
        checks.append(Condition(name="one-signed coordinates keep their sign", holds=True, value=one_signed))
    return tuple(checks)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, Diagonal) and model.depth >= 3


ENTRY = Entry(
    name="implicit",
    title="Potential of the deep diagonal network",
    models="diagonal, depth 3 to 6",
    latex=DeepPotential.latex,
    exactness=Exactness.exact,
    conditions=(
        "gradient flow on the squared loss that reaches zero training error",
        "any layer sizes and signs, one per coordinate or common; equal sizes and w(0) = 0 are the published case",
        "coordinates whose branches cannot move keep their sign, or stay at zero",
    ),
    citations=(WOODWORTH_2020, AZULAY_2021),
    applies=_applies,
    fit=fit,
    fit_among=fit,
    closed_form=closed_form,
)
