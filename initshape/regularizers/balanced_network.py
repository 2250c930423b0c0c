"""The implicit regularizer of fully connected networks, where one is known."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, FullyConnected
from initshape.regularizers.aligned_layers import AlignedLayers, aligned
from initshape.regularizers.alignment_growth import growth_exponent
from initshape.regularizers.balanced_potential import BalancedPotential
from initshape.regularizers.base import Array
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.kkt import evaluate_kkt, reject
from initshape.regularizers.neuron_coordinates import NeuronCoordinates
from initshape.regularizers.per_dataset import constraints_of
from initshape.regularizers.quadratic import QuadraticPotential, nearest_interpolator
from initshape.regularizers.references import AZULAY_2021
from initshape.regularizers.single_neuron import fit_neuron, neuron_closed_form, neuron_theorem
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition

TOLERANCE = 1e-12
"""Distance from an exact condition that rounding of the given weights explains."""
VISIBLE = 1e-8
"""Effect of amplified deviations on w, relative, from which on a claim of exactness would be false in practice."""

BALANCED = "Azulay et al. 2021 (strictly balanced fully connected network)"
ALIGNED = "aligned rank-one layers train as a single neuron: Azulay et al. 2021, extended here to several scalars"
SPANNED = "rows of the first layer stay in the span of the data: the limit is the minimum-norm interpolator"


def fit(dataset: Dataset, model: FullyConnected, theta0: Array) -> Fit:
    """The limit of gradient flow from theta0 where a theorem gives it: three kinds of networks, else none known."""
    if not model.linear:
        reason = _nonlinear(model)
        return Fit(ENTRY.name, Outcome.none_known, Exactness.none, reason=reason)
    layers = model.layers(np.asarray(theta0))
    form = aligned(layers)
    together = Condition(name="layers aligned, of rank one", holds=form.deviation <= TOLERANCE, value=form.deviation)
    balance = Condition(name="strictly balanced", holds=_is_balanced(form), value=_imbalance(model, theta0))
    if balance.holds:
        return _staying_aligned(_fit_balanced(dataset, model, form, (balance,)), dataset, model, form)
    if together.holds:
        theorem = ALIGNED if model.width > 1 else neuron_theorem(len(form.scalars))
        found = fit_neuron(dataset, form.scalars, form.weights, theorem, (together, balance))
        return _staying_aligned(found, dataset, model, form)
    spanned = _spanned(layers[0], dataset.X)
    if spanned.holds:
        return _fit_spanned(dataset, model, theta0, spanned)
    reason = "no closed form is known for this initialization: it is neither strictly balanced nor of rank one"
    return Fit(ENTRY.name, Outcome.none_known, Exactness.none, conditions=(balance, together, spanned), reason=reason)


def closed_form(model: FullyConnected, theta0: Array) -> ClosedForm:
    """Q from theta0 where the layers are aligned; that of rows in the span of the data waits for these."""
    if not model.linear:
        return ClosedForm(None, reason=_nonlinear(model))
    form = aligned(model.layers(np.asarray(theta0)))
    if form.deviation > TOLERANCE:
        reason = f"neither strictly balanced nor of rank one: {form.deviation:.2g} of a layer is not aligned"
        return ClosedForm(None, reason=reason)
    if not _is_balanced(form) or not np.any(form.weights):
        return neuron_closed_form(form.scalars, form.weights)
    sign = float(np.prod(np.where(form.scalars < 0.0, -1.0, 1.0)))
    return ClosedForm(BalancedPotential(depth=model.depth, first=sign * form.weights))


def neuron_of(model: FullyConnected, theta0: Array) -> tuple[Array, Array] | None:
    """Scalars and weights of the single neuron that aligned layers train as; None where they are not aligned.

    Strictly balanced ones get scalars of one size exactly, as in `fit`.
    """
    form = aligned(model.layers(np.asarray(theta0)))
    if form.deviation > TOLERANCE:
        return None
    if not _is_balanced(form):
        return form.scalars, form.weights
    return np.where(form.scalars < 0.0, -1.0, 1.0) * float(np.linalg.norm(form.weights)), form.weights


def _nonlinear(model: FullyConnected) -> str:
    return f"with {model.activation} activation the limit is a function of x, and no regularizer of it is known"


def _fit_balanced(
    dataset: Dataset, model: FullyConnected, form: AlignedLayers, conditions: tuple[Condition, ...]
) -> Fit:
    """A neuron with L - 1 scalars, all of the size of its weights."""
    rho = float(np.linalg.norm(form.weights))
    if rho == 0.0:
        claim = Claim(Exactness.exact, BALANCED, conditions, ENTRY.citations)
        reason = "all layers are zero: the start is a saddle"
        return without_answer(ENTRY.name, claim, Outcome.saddle, reason, time.perf_counter())
    signs = np.where(form.scalars < 0.0, -1.0, 1.0)
    found = fit_neuron(dataset, signs * rho, form.weights, BALANCED, conditions)
    found = replace(found, conditions=conditions)
    if found.w is None:
        return found
    q = BalancedPotential(depth=model.depth, first=float(np.prod(signs)) * form.weights)
    kkt = evaluate_kkt(q, found.w, dataset.X)
    return replace(found, potential=q, value=q.value(found.w), kkt_residual=kkt)


def _staying_aligned(found: Fit, dataset: Dataset, model: FullyConnected, form: AlignedLayers) -> Fit:
    """The claim, weakened to a limit where the flow amplifies the rounding of the layers until it shows in w.

    The product of two deviating layers enters w, in units of the layers' first size. Width 1 has nothing to deviate to.
    """
    if found.w is None or model.width == 1:
        return found
    exponent = growth_exponent(NeuronCoordinates.of(form.scalars, form.weights, dataset.X, dataset.y))
    first = max(float(np.max(np.abs(form.scalars))), float(np.linalg.norm(form.weights)))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        deviation = max(form.deviation, float(np.finfo(np.float64).eps)) * np.exp(exponent)
        effect = min(float(deviation**2 * first**model.depth / np.linalg.norm(found.w)), 1.0)
    name = "layers stay aligned; what the flow makes of their deviation, rounding at least, relative to w"
    stays = Condition(name=name, holds=effect <= VISIBLE, value=effect)
    exactness = found.exactness if stays.holds else Exactness.limit
    return replace(found, exactness=exactness, conditions=(*found.conditions, stays))


def _fit_spanned(dataset: Dataset, model: FullyConnected, theta0: Array, spanned: Condition) -> Fit:
    started = time.perf_counter()
    claim = Claim(Exactness.exact, SPANNED, (spanned,), ENTRY.citations)
    constraints = constraints_of(dataset)
    if not constraints.consistent:
        return without_answer(ENTRY.name, claim, Outcome.infeasible, inconsistent(constraints), started)
    force = model.vjp(theta0, dataset.X, dataset.y - model.outputs(theta0, dataset.X))
    if not np.any(force):
        return without_answer(ENTRY.name, claim, Outcome.saddle, "the start is a saddle: no parameter moves", started)
    zero, one = np.zeros(dataset.dimension), np.ones(dataset.dimension)
    w = nearest_interpolator(constraints, w0=zero, root=one)
    q = QuadraticPotential(w0=zero, metric=one)
    return with_answer(ENTRY.name, claim, Outcome.converged, w, q, dataset, iterations=0, started=started)


def _spanned(first: Array, X: Array) -> Condition:
    size = float(np.linalg.norm(first))
    outside = float(np.linalg.norm([reject(row, X) for row in first])) / (size or 1.0)
    return Condition(name="rows of the first layer in the span of the data", holds=outside <= TOLERANCE, value=outside)


def _is_balanced(form: AlignedLayers) -> bool:
    return form.deviation <= TOLERANCE and form.spread <= TOLERANCE


def _imbalance(model: FullyConnected, theta0: Array) -> float:
    """Largest entry of W_{l+1}^T W_{l+1} - W_l W_l^T (wide networks: of its diagonal) over the largest of its terms."""
    theta0 = np.asarray(theta0)
    scale = float(np.max(model.invariant_scale(theta0)))
    return float(np.max(np.abs(model.invariants(theta0)))) / (scale or 1.0)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, FullyConnected)


ENTRY = Entry(
    name="implicit",
    title="Power of the norm of the strictly balanced network",
    models="fully connected, identity activation, any depth",
    latex=BalancedPotential.latex,
    exactness=Exactness.exact,
    conditions=(
        "strictly balanced: W_{l+1}^T W_{l+1} = W_l W_l^T, the formula shown",
        "or aligned layers of rank one: the single neuron's potential with one scalar for each further layer",
        "or rows of W_1 in the span of the data: the minimum l2 norm, wherever the flow fits y",
        "in both, layers that stay aligned: where the flow amplifies their rounding until it shows, a limit only",
        "otherwise none is known; the condition values say how far the initialization is from each",
    ),
    citations=(AZULAY_2021,),
    applies=_applies,
    fit=fit,
    closed_form=closed_form,
)
