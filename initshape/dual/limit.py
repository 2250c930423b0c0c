"""The limit of a flow without the flow: what theory says where training ends, and the parameters that belong to it."""

from __future__ import annotations

import time

import numpy as np

from initshape.datasets import Dataset
from initshape.dual.parameters import parameters
from initshape.models import AbstractModel, Diagonal, FullyConnected, SingleNeuron
from initshape.regularizers import Fit, fit
from initshape.regularizers.balanced_network import neuron_of
from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.neuron_limit import NeuronLimit, neuron_limit
from initshape.spec.outcome import Exactness, Outcome
from initshape.training.settings import FlowSolution

CLOSED_FORM = "closed_form"


def limit(
    model: AbstractModel, theta0: Array, dataset: Dataset, *, relative_residual: float, known: Fit | None = None
) -> FlowSolution:
    """lim theta(t) for t -> infinity by theory: dual Newton (diagonal), closed forms (single neuron, aligned layers).

    `known` is the implicit fit where it has been made already. Time, steps and drift have no meaning and are None.

    **Shape**: theta0 (P,).
    **Errors**: none raised; the outcome is the fit's where that has no answer, `none_known` where theory has none, and
    `stalled` where w does not reach the residual that was asked for.
    """
    clock = time.perf_counter()
    found = known or fit("implicit", dataset, model, theta0)
    theta = _parameters(model, theta0, dataset, found)
    outcome, notes = found.outcome, [found.reason] if found.reason else []
    if outcome is Outcome.converged and theta is None:
        outcome = Outcome.none_known
        notes.append("Theory gives the limit of w here, and not that of the parameters: see the implicit fit.")
    residual = found.relative_residual if theta is not None else None
    if outcome is Outcome.converged and residual is not None and residual > relative_residual:
        outcome = Outcome.stalled
    if theta is not None and found.exactness is not Exactness.exact:
        broken = "; ".join(condition.name for condition in found.conditions if not condition.holds)
        notes.append(f"The closed form is no exact limit of this flow: {broken}.")
    samples = len(dataset.y)
    return FlowSolution(
        outcome=outcome,
        stopped_by=CLOSED_FORM,
        theta=theta,
        time=None,
        steps=None,
        completion=None,
        train_loss=None if residual is None else (residual * float(np.linalg.norm(dataset.y))) ** 2 / (2.0 * samples),
        relative_residual=residual,
        invariant_drift=None,
        seconds=time.perf_counter() - clock,
        compile_seconds=0.0,
        integrator="limit",
        trajectory={},
        independent=False,
        w=None if theta is None else found.w,
        notes=tuple(notes),
    )


def _parameters(model: AbstractModel, theta0: Array, dataset: Dataset, found: Fit) -> Array | None:
    """theta at the limit; None where the fit has no answer, or one that does not tell."""
    if found.w is None:
        return None
    if isinstance(model, Diagonal):
        return None if found.state is None else parameters(model, theta0, found.state)
    if isinstance(model, SingleNeuron):
        end = _neuron(model.scalars(theta0), model.weights(theta0), dataset)
        return None if end is None else np.concatenate([end.scalars, end.weights])
    if isinstance(model, FullyConnected):
        return _aligned(model, theta0, dataset)
    return None


def _neuron(scalars: Array, weights: Array, dataset: Dataset) -> NeuronLimit | None:
    with np.errstate(over="ignore", invalid="ignore"):
        end = neuron_limit(scalars, weights, dataset.X, dataset.y, Constraints.of(dataset.X, dataset.y))
    return end if end.w is not None else None


def _aligned(model: FullyConnected, theta0: Array, dataset: Dataset) -> Array | None:
    """Every layer keeps its directions, W_1 = u v^T and W_l = s_l (...), while v and the sizes s_l move.

    None where layers are not aligned, or where one is zero, so that it does not show its directions.
    """
    neuron = neuron_of(model, theta0)
    if neuron is None:
        return None
    scalars, weights = neuron
    first, *others = model.layers(np.asarray(theta0))
    end = _neuron(scalars, weights, dataset)
    if end is None:
        return None
    if model.width == 1:
        return np.concatenate([end.weights, end.scalars])
    size = float(weights @ weights)
    if size == 0.0 or not np.all(scalars):
        return None
    layers = [np.outer(first @ weights / size, end.weights)]
    layers += [W * (after / before) for W, before, after in zip(others, scalars, end.scalars, strict=True)]
    return np.concatenate([layer.reshape(-1) for layer in layers])
