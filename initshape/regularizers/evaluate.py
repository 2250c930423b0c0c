"""Regularizers as objects to look at: Q, its gradient, the inverse of that, and profiles, at given points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from initshape.models import Diagonal, initialize
from initshape.regularizers import balanced_network, single_neuron, two_layer_diagonal
from initshape.regularizers.balanced_potential import BalancedPotential
from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.entry import ClosedForm
from initshape.regularizers.hyperbolic import HyperbolicEntropy
from initshape.regularizers.neuron_potential import NeuronPotential
from initshape.regularizers.registry import entry_for, why_unknown
from initshape.regularizers.sampling import Indices, NotDefinedError, Sampler, TooLongError
from initshape.spec.evaluation import Evaluation, FormulaEvaluation, InitEvaluation, NeuronFormula, TwoLayerFormula
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.problem import ProblemError, SpecError

LONGEST = 20.0
"""Seconds after which an evaluation gives up."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What was asked of one Q: `exactness` none, a `reason` and no arrays where no Q is known.

    **Shape**: `start` (d,) is w(0), where the gradient is 0. `axes` are the values of the `coordinates` of the grid (of
    ||w|| where `profile_of` is norm). `arrays`:
    value, profile, profile_slope have the shape of the grid, or (n,); gradient and inverse one more axis (d,). They
    hold infinities where a point is outside the domain. `missing` says why a thing that was asked for is not there.
    """

    regularizer: str
    title: str
    exactness: Exactness
    dimension: int
    latex: str | None = None
    citations: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    reason: str | None = None
    start: Array | None = None
    profile_of: str | None = None
    coordinates: tuple[int, ...] = ()
    axes: tuple[Array, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def evaluate(request: Evaluation, *, seconds: float = LONGEST) -> Evaluated:
    """Q of a model's initialization, or of the parameters of a formula, at the points of `request`.

    **Errors**: SpecError when the points take more than `seconds`.
    """
    about, sampler = _of_formula(request) if isinstance(request, FormulaEvaluation) else _of_init(request)
    if sampler is None:
        return about
    try:
        with np.errstate(all="ignore"):  # an infinity is an answer: the point is outside the domain
            return _sampled(about, sampler.within(seconds), request)
    except TooLongError:
        where = "/points" if request.grid is None else "/grid"
        problem = ProblemError(pointer=where, allowed=f"{seconds:g} seconds", hint="take fewer points")
        raise SpecError(f"The points take more than {seconds:g} seconds.", (problem,)) from None


def view(found: Evaluated) -> dict[str, Any]:
    """Ready for JSON: nested lists, null for what is not finite, and `outcome` evaluated or none_known."""
    lists = {name: list(getattr(found, name)) for name in ("assumes", "citations", "coordinates")}
    same = ("regularizer", "title", "exactness", "reason", "latex", "dimension", "profile_of")
    return (
        {name: getattr(found, name) for name in same}
        | lists
        | {
            "outcome": "evaluated" if found.reason is None else Outcome.none_known.value,
            "start": None if found.start is None else _numbers(found.start),
            "axes": [_numbers(axis) for axis in found.axes],
            "arrays": {name: _numbers(array) for name, array in found.arrays.items()},
            "missing": dict(found.missing),
        }
    )


def _numbers(array: Array) -> list[Any]:
    finite = np.isfinite(array)
    shown: Any = array if finite.all() else np.where(finite, array, None)  # type: ignore[call-overload]
    return list(shown.tolist())


def _of_init(request: InitEvaluation) -> tuple[Evaluated, Sampler | None]:
    model, theta0 = initialize(request.model, request.init, request.size)
    entry = entry_for(request.regularizer, model)
    about = Evaluated(request.regularizer, entry.title if entry else "", Exactness.none, request.size)
    if entry is None:
        return replace(about, reason=why_unknown(request.regularizer, model)), None
    if entry.closed_form is None:
        return replace(about, reason="this Q depends on the data: only a fit has it"), None
    closed_form, form = entry.closed_form, entry.closed_form(model, theta0)
    if form.regularizer is None:
        return replace(about, reason=form.reason), None

    copies = partial(_copies, closed_form, model, theta0) if isinstance(model, Diagonal) else None
    known = replace(
        about,
        exactness=entry.exactness,
        latex=form.regularizer.latex,
        citations=entry.citations,
        assumes=form.assumes,
    )
    return known, Sampler(form.regularizer, request.size, copies)


def _copies(
    closed_form: Callable[[Any, Array], ClosedForm], model: Diagonal, theta0: Array, indices: Indices
) -> AbstractRegularizer:
    """Q of the diagonal network whose coordinate k is a copy of coordinate indices[k]."""
    layers = theta0.reshape(-1, model.dimension)[:, indices]
    q = closed_form(Diagonal(model.depth, indices.size), layers.ravel()).regularizer
    assert q is not None  # noqa: S101 - the network itself has one
    return q


def _of_formula(request: FormulaEvaluation) -> tuple[Evaluated, Sampler]:
    given, d = request.parameters, request.size
    zero = np.zeros(d)
    copies = None
    q: AbstractRegularizer
    if isinstance(given, TwoLayerFormula):
        sqrt_k = np.broadcast_to(np.asarray(given.sqrt_k, dtype=np.float64), (d,))
        entry, q = two_layer_diagonal.ENTRY, HyperbolicEntropy.unbiased(sqrt_k)

        def copies(indices: Indices) -> AbstractRegularizer:
            return HyperbolicEntropy.unbiased(sqrt_k[indices])
    elif isinstance(given, NeuronFormula):
        w0 = zero if given.w0 is None else np.array(given.w0)
        roots = np.sqrt(np.maximum([-given.delta, given.delta], 0.0))
        entry, q = single_neuron.ENTRY, NeuronPotential(roots, -1.5 * given.sign * w0, float(given.sign))
    else:
        w0 = zero if given.w0 is None else np.array(given.w0)
        size = float(np.linalg.norm(w0))
        first = size ** (1.0 / given.depth) * (w0 / (size or 1.0))
        entry, q = balanced_network.ENTRY, BalancedPotential(given.depth, first)
    about = Evaluated(entry.name, entry.title, Exactness.exact, d, latex=q.latex, citations=entry.citations)
    return about, Sampler(q, d, copies)


def _sampled(about: Evaluated, sampler: Sampler, request: Evaluation) -> Evaluated:
    points, axes = _points(request)
    arrays: dict[str, Array] = {}
    missing: dict[str, str] = {}
    for what in request.what:
        try:
            if what == "profile":
                arrays["profile"], arrays["profile_slope"] = sampler.profile(axes[0], _coordinate(request))
            else:
                arrays[what] = getattr(sampler, what)(points)
        except NotDefinedError as error:
            missing[what] = str(error)
    shape = tuple(axis.size for axis in axes) or (len(points),)
    return replace(
        about,
        profile_of=sampler.profile_of if "profile" in arrays else None,
        start=_start(sampler),
        coordinates=tuple(axis.coordinate for axis in request.grid.axes) if request.grid else (),
        axes=axes,
        arrays={name: found.reshape(shape + found.shape[1:]) for name, found in arrays.items()},
        missing=missing,
    )


def _start(sampler: Sampler) -> Array | None:
    try:
        return np.asarray(sampler.inverse(np.zeros((1, sampler.dimension)))[0])
    except NotDefinedError:
        return None


def _points(request: Evaluation) -> tuple[Array, tuple[Array, ...]]:
    """Every point, the first axis slowest, and the axes. **Shape**: (n, d)."""
    if request.grid is None:
        return np.array(request.points, dtype=np.float64), ()
    axes = tuple(np.array(axis.numbers) for axis in request.grid.axes)
    base = np.zeros(request.size) if request.grid.base is None else np.array(request.grid.base)
    points = np.tile(base, (int(np.prod([axis.size for axis in axes])), 1))
    for axis, values in zip(request.grid.axes, np.meshgrid(*axes, indexing="ij"), strict=True):
        points[:, axis.coordinate] = values.ravel()
    return points, axes


def _coordinate(request: Evaluation) -> int:
    return request.grid.axes[0].coordinate if request.grid else 0
