"""The implicit regularizer of the single neuron, and where its flow ends."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, SingleNeuron
from initshape.regularizers.base import Array
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, relative_residual, with_answer, without_answer
from initshape.regularizers.kkt import evaluate_kkt
from initshape.regularizers.neuron_branch import Branch
from initshape.regularizers.neuron_limit import neuron_limit
from initshape.regularizers.neuron_potential import NeuronPotential
from initshape.regularizers.per_dataset import constraints_of
from initshape.regularizers.references import AZULAY_2021
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition

ONE_SCALAR = "Azulay et al. 2021 (single neuron), linear term corrected here"
FITTED = 1e-10
"""Relative residual above which rounding of w itself, where it is huge against w_LS, keeps it from fitting y."""
MORE_SCALARS = "Azulay et al. 2021 (single neuron), extended here to several scalar layers"


def fit(dataset: Dataset, model: SingleNeuron, theta0: Array) -> Fit:
    """The limit of gradient flow from theta0, by theory: the closed form, which minimises Q s.t. X w = y."""
    theta0 = np.asarray(theta0)
    theorem = neuron_theorem(model.scalar_layers)
    return fit_neuron(dataset, model.scalars(theta0), model.weights(theta0), theorem, ())


def neuron_theorem(scalar_layers: int) -> str:
    """What the claim rests on."""
    return ONE_SCALAR if scalar_layers == 1 else MORE_SCALARS


def fit_neuron(
    dataset: Dataset, scalars: Array, weights: Array, theorem: str, conditions: tuple[Condition, ...]
) -> Fit:
    """The same from a_1(0) ... a_k(0) and u(0); `conditions` that led here come first.

    **Errors**: none raised; `infeasible` where y is outside the range of X, `saddle` where the flow comes to rest
    without fitting y, `stalled` where w is too large for its digits to fit y, or its sign takes too long.
    """
    started = time.perf_counter()
    claim = Claim(Exactness.exact, theorem, conditions, ENTRY.citations)
    constraints = constraints_of(dataset)
    if not constraints.consistent:
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints), started)
    with np.errstate(over="ignore", invalid="ignore"):  # an outcome below, not a warning
        limit = neuron_limit(scalars, weights, dataset.X, dataset.y, constraints)
    start_sign = float(np.prod(np.sign(scalars)))
    signs = (*conditions, *_signs(start_sign, limit.branch, len(scalars)))
    if limit.w is None or limit.branch.sign is None:
        claim = Claim(Exactness.exact, theorem, signs, ENTRY.citations)
        return without_answer(ENTRY.name, claim, limit.branch.outcome, limit.branch.rule, started)
    potential = NeuronPotential.of(scalars, weights, limit.branch.sign)
    if start_sign * limit.branch.sign < 0.0:
        signs += (_flip(NeuronPotential.of(scalars, weights, start_sign), limit.w, dataset.X, len(scalars)),)
    signs += _null(scalars, weights)
    claim = Claim(Exactness.exact, theorem, signs, ENTRY.citations)
    fitted = relative_residual(dataset, limit.w) <= FITTED
    outcome = Outcome.converged if fitted else Outcome.stalled
    steps = limit.branch.steps
    return with_answer(ENTRY.name, claim, outcome, limit.w, potential, dataset, iterations=steps, started=started)


def closed_form(model: SingleNeuron, theta0: Array) -> ClosedForm:
    """Q from theta0 and the sign that a has there; only data can say whether a keeps it."""
    theta0 = np.asarray(theta0)
    return neuron_closed_form(model.scalars(theta0), model.weights(theta0))


def neuron_closed_form(scalars: Array, weights: Array) -> ClosedForm:
    """The same from a_1(0) ... a_k(0) and u(0)."""
    sign, of = float(np.sign(np.prod(scalars))), _letter(len(scalars))
    if sign == 0.0 and np.any(weights):
        return ClosedForm(None, reason=f"{of} is 0 at the start: the sign that it takes depends on the data")
    kept = float(np.min(np.abs(scalars))) >= float(np.linalg.norm(weights))
    assumes = () if kept else (f"{of} ends with the sign that it has at the start",)
    return ClosedForm(NeuronPotential.of(scalars, weights, sign or 1.0), assumes)


def _signs(start: float, branch: Branch, scalar_layers: int) -> tuple[Condition, ...]:
    of = _letter(scalar_layers)
    first = Condition(name=f"sign of {of} at the start", holds=True, value=start)
    if branch.sign is None:
        return (first, Condition(name=f"{of} ends with a sign, y is fitted", holds=False, value=None))
    return (first, Condition(name=f"sign of {of} at the end, by: {branch.rule}", holds=True, value=branch.sign))


def _flip(published: NeuronPotential, w: Array, X: Array, scalar_layers: int) -> Condition:
    """The value is the KKT residual of the published formula at the limit."""
    name = f"{_letter(scalar_layers)} changes sign: the published z uses the sign at the start and would be wrong here"
    return Condition(name=name, holds=True, value=evaluate_kkt(published, w, X))


def _null(scalars: Array, weights: Array) -> tuple[Condition, ...]:
    if not np.any(weights):
        name = "w(0) = 0: Q is a function of ||w|| alone, the limit is the minimum-norm interpolator"
        return (Condition(name=name, holds=True, value=0.0),)
    if not np.all(scalars):
        return (Condition(name="a(0) = 0: w(0) still enters Q and the limit", holds=True, value=0.0),)
    return ()


def _letter(scalar_layers: int) -> str:
    return "a" if scalar_layers == 1 else "the product of the scalars"


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, SingleNeuron)


ENTRY = Entry(
    name="implicit",
    title="Radial potential of the single neuron",
    models="single neuron, any number of scalar layers",
    latex=NeuronPotential.latex,
    exactness=Exactness.exact,
    conditions=(
        "gradient flow on the squared loss that reaches zero training error",
        "any initialization; z takes the sign that a has at the end, which is reported with the rule that gave it",
        "starts from which the flow tends to a saddle have no limit that fits the data",
    ),
    citations=(AZULAY_2021,),
    applies=_applies,
    fit=fit,
    closed_form=closed_form,
)
