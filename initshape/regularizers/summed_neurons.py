"""The summed-neurons regularizer of two-layer linear networks: an approximation, with what decides how good it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, FullyConnected
from initshape.regularizers.aligned_layers import aligned
from initshape.regularizers.base import Array
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, inconsistent, with_answer, without_answer
from initshape.regularizers.kkt import reject, row_space
from initshape.regularizers.neuron_branch import branch
from initshape.regularizers.neuron_coordinates import NeuronCoordinates
from initshape.regularizers.neuron_split import Split, split
from initshape.regularizers.per_dataset import constraints_of
from initshape.regularizers.quadratic import nearest_interpolator
from initshape.regularizers.references import AZULAY_2021
from initshape.regularizers.summed_potential import SummedNeurons
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import Condition

TOLERANCE = 1e-12
"""Distance from an exact condition that rounding of the given weights explains."""
_ROUNDING = 1e-14

APPROXIMATION = "sum of single-neuron potentials (Azulay et al. 2021); no theorem: the neurons' dual variables differ"
IN_PROPORTION = "Azulay et al. 2021 (single neuron): all |a_i(t)| stay in the proportion of the weights"
SPANNED = "all w_i(0) in the span of the data: the minimum-norm interpolator, whatever the a_i do"


@dataclass(frozen=True, eq=False)
class _Start:
    """The neurons that can move, with the signs of a_i just after the start, and along and across the data.

    **Shape**: a, signs (m,), W (m, d), along (m, rank).
    """

    a: Array
    W: Array
    signs: Array
    basis: Array
    along: Array

    @property
    def margins(self) -> Array:
        """b_i = a_i^2 - ||w_i along the data||^2, conserved: a_i cannot pass through zero where it is positive."""
        a, size = np.abs(self.a), np.linalg.norm(self.along, axis=1)
        return np.asarray((a - size) * (a + size))


def fit(dataset: Dataset, model: FullyConnected, theta0: Array, *, weighted: bool) -> Fit:
    """argmin sum_i q_i(wt_i)/c_i s.t. X sum_i wt_i = y, c_i = 1 or |a_i(0)|; w = sum_i wt_i.

    The flow has grad q_i(wt_i) = X^T nu_i with nu_i = (3/2) int |a_i| r dt/N, the fit one common nu = nu_i/c_i: equal
    only where the |a_i(t)| stay in proportion to c_i. That is claimed `exact` for neurons that are multiples of one,
    and where every w_i(0) lies in the span of the data; else it is `approximate`, better the larger all delta_i are
    and, unless weighted, the closer the |a_i(0)| are to each other.

    The KKT residual is that of Q as a function of w: its gradient is the common dual variable of the best split of w,
    found in all d dimensions, and is compared with the span of the rows of X.

    **Errors**: none raised. `infeasible` where y is outside the range of X; `saddle` where nothing moves;
    `none_known` where an a_i(0) = 0 leaves a sign, or a weight, undefined.
    """
    started = time.perf_counter()
    entry = WEIGHTED if weighted else UNWEIGHTED
    open_claim = Claim(Exactness.approximate, APPROXIMATION, (), entry.citations)
    constraints = constraints_of(dataset)
    if not constraints.consistent:
        return without_answer(entry.name, open_claim, Outcome.infeasible, inconsistent(constraints), started)
    W, (a,) = model.layers(np.asarray(theta0))
    gap = dataset.y - model.outputs(np.asarray(theta0), dataset.X)
    if np.any(gap) and not np.any(model.vjp(np.asarray(theta0), dataset.X, gap)):
        return without_answer(
            entry.name, open_claim, Outcome.saddle, "the start is a saddle: no parameter moves", started
        )
    start = _start(a, W, dataset.X, gap)
    undefined = _undefined(start, weighted=weighted)
    if undefined is not None:
        return Fit(entry.name, Outcome.none_known, Exactness.none, citations=entry.citations, reason=undefined)
    q = SummedNeurons.of(start.a, start.W, start.signs, np.abs(start.a) if weighted else np.ones_like(start.a))
    zero = np.zeros(dataset.dimension)
    least = nearest_interpolator(constraints, w0=zero, root=np.ones_like(zero))
    found = split(q.along(start.basis), start.basis @ least)
    claim = _claim(start, q, found, dataset, weighted=weighted)
    if found.outcome is Outcome.nonfinite:
        return without_answer(
            entry.name, claim, found.outcome, "the initialization or the data leave double precision", started, q
        )
    # Along the data the sum is the minimum-norm interpolator exactly; across them the w_i never move.
    w = least + reject(found.a @ q.u, dataset.X)
    return with_answer(entry.name, claim, found.outcome, w, q, dataset, iterations=found.iterations, started=started)


def closed_form(model: FullyConnected, theta0: Array, *, weighted: bool) -> ClosedForm:
    """Q from theta0 and the signs that the a_i have there."""
    W, (a,) = model.layers(np.asarray(theta0))
    alive = (a != 0.0) | np.any(W != 0.0, axis=1)
    a, W = a[alive], W[alive]
    if not np.all(a):
        return ClosedForm(None, reason="some a_i(0) = 0: the sign that it takes depends on the data")
    if a.size == 0:
        return ClosedForm(None, reason="all neurons are zero, and stay so")
    c = np.abs(a) if weighted else np.ones_like(a)
    assumes = ("every a_i ends with the sign that it has at the start",)
    return ClosedForm(SummedNeurons.of(a, W, np.sign(a), c), assumes)


def _start(a: Array, W: Array, X: Array, gap: Array) -> _Start:
    """Without neurons that are zero altogether. Where a_i(0) = 0 the sign is that of its slope w_i.X^T gap."""
    alive = (a != 0.0) | np.any(W != 0.0, axis=1)
    a, W = a[alive], W[alive]
    basis = row_space(X)
    force = gap @ X
    push = W @ force
    undecided = np.abs(push) <= _ROUNDING * np.linalg.norm(W, axis=1) * np.linalg.norm(force)
    signs = np.where(a != 0.0, np.sign(a), np.where(undecided, 0.0, np.sign(push)))
    return _Start(a=a, W=W, signs=signs, basis=basis, along=W @ basis.T)


def _undefined(start: _Start, *, weighted: bool) -> str | None:
    """Why there is no such sum, if there is none."""
    zeros = int(np.sum(start.a == 0.0))
    if weighted and zeros:
        return f"the weights are 1/|a_i(0)|, and {zeros} of them would be infinite: a_i(0) = 0"
    if not np.all(start.signs):
        unknown = int(np.sum(start.signs == 0.0))
        return f"a_i(0) = 0 and w_i(0) is orthogonal to the force of the data for {unknown} neurons: no sign to use"
    return None


def _claim(start: _Start, q: SummedNeurons, found: Split, dataset: Dataset, *, weighted: bool) -> Claim:
    """Exact where a theorem says so, with the value that was checked; the parameters that matter elsewhere."""
    citations = (AZULAY_2021,)
    spanned = _spanned(start)
    if spanned.holds:
        return Claim(Exactness.exact, SPANNED, (spanned,), citations)
    together, kept = _in_proportion(start, dataset, weighted=weighted)
    if together.holds and kept.holds:
        return Claim(Exactness.exact, IN_PROPORTION, (together, kept), citations)
    conditions = (together, *((kept,) if together.holds else ()), spanned, *_parameters(start, weighted=weighted))
    growth = found.a / q.c
    uneven = float(np.ptp(growth) / (np.max(growth) or 1.0))
    name = "predicted |a_i(end)|/c_i are equal (value: their relative spread, which measures the error)"
    conditions += (Condition(name=name, holds=uneven <= TOLERANCE, value=uneven),)
    return Claim(Exactness.approximate, APPROXIMATION, conditions, citations)


def _parameters(start: _Start, *, weighted: bool) -> tuple[Condition, ...]:
    a, size = np.abs(start.a), np.linalg.norm(start.W, axis=1)
    shape = float(np.min((a - size) / (a + size)))
    delta = float(np.min((a - size) * (a + size)))
    flips = int(np.sum(start.margins <= 0.0))
    found = [
        Condition(name="every shape s_i is positive (value: the smallest)", holds=shape > 0.0, value=shape),
        Condition(name="every delta_i is positive (value: the smallest)", holds=delta > 0.0, value=delta),
        Condition(name="no a_i can change sign (value: how many could)", holds=flips == 0, value=flips),
    ]
    if not weighted:
        spread = float(np.max(a) / np.min(a)) if np.min(a) > 0.0 else None
        name = "all |a_i(0)| are equal (value: largest over smallest)"
        found.append(Condition(name=name, holds=spread is not None and spread - 1.0 <= TOLERANCE, value=spread))
    return tuple(found)


def _spanned(start: _Start) -> Condition:
    size = float(np.linalg.norm(start.W))
    across = float(np.linalg.norm(start.W - start.along @ start.basis)) / (size or 1.0)
    # A neuron with a_i(0) = 0 may rest where it is; then the others must fit y, and the flow says whether they do.
    return Condition(name="all w_i(0) in the span of the data", holds=across <= TOLERANCE, value=across)


def _in_proportion(start: _Start, dataset: Dataset, *, weighted: bool) -> tuple[Condition, Condition]:
    """Whether the neurons are multiples of one (unweighted: equal ones up to signs), and whether it keeps its sign."""
    form = aligned([start.W, start.a[None, :]])
    a = np.abs(start.a)
    uneven = 0.0 if weighted else float(np.ptp(a) / (np.max(a) or 1.0))
    distance = max(form.deviation, uneven)
    what = "multiples of one another" if weighted else "equal up to signs"
    together = Condition(name=f"neurons are {what}", holds=distance <= TOLERANCE, value=distance)
    sign = None
    if together.holds:
        sign = branch(NeuronCoordinates.of(form.scalars, form.weights, dataset.X, dataset.y)).sign
    at_start = float(np.sign(np.prod(form.scalars))) or sign  # from a(0) = 0 the sign is that of the first slope
    return together, Condition(name="no a_i changes sign", holds=sign is not None and sign == at_start, value=sign)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, FullyConnected) and model.linear and model.depth == 2


def _entry(name: str, title: str, weights: str, *, weighted: bool) -> Entry:
    return Entry(
        name=name,
        title=title,
        models="fully connected, identity activation, two layers",
        latex=SummedNeurons.latex,
        exactness=Exactness.approximate,
        conditions=(
            weights,
            "approximate: exact only for neurons that are multiples of one another and keep their signs, and where "
            "every w_i(0) lies in the span of the data",
            "better the larger all delta_i; do not trust it where a shape s_i is negative or an a_i changes sign",
            "limit alpha -> 0: it tends to the minimum l2 norm, as the flow does; limit delta_i -> infinity: exact for "
            "the predictor, with unequal |a_i(0)| the weighted sum only",
        ),
        citations=(AZULAY_2021,),
        applies=_applies,
        fit=partial(fit, weighted=weighted),
        closed_form=partial(closed_form, weighted=weighted),
    )


UNWEIGHTED = _entry("summed_neurons", "Sum of the neurons' potentials", "c_i = 1, as published", weighted=False)
WEIGHTED = _entry(
    "summed_neurons_weighted",
    "Sum of the neurons' potentials, weighted",
    "c_i = |a_i(0)|, which the limit of large delta_i asks for",
    weighted=True,
)
