"""From arrays to the first state: the problem with its observers, its padded form, and the first step size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from initshape.flows.design import design
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.loss import AbstractLoss
from initshape.flows.shapes import bucket, feature_bucket
from initshape.flows.state import Controls, FlowState, Problem, Verdict
from initshape.models import AbstractModel
from initshape.training.settings import Floats, FlowSettings

OBSERVERS_PADDED_TO = 4
"""Targets come in multiples of this (none is padded too), so that their number rarely compiles anything."""
PROBES = 8
SMALLEST_TOLERANCE = 1e-13
ROUNDING_OF_SQUARES = 1e-13
WELL_CONDITIONED, MOST_FOR_CONDITION = 10.0, 10.0
"""Condition number of X beyond which tolerances fall in proportion, and by how much they may fall for it."""


@dataclass(frozen=True)
class Start:
    """A problem in NumPy and unpadded (`problem`, `theta`), with theta' and the relative residual at time 0."""

    model: AbstractModel
    loss: AbstractLoss
    theta: Floats
    problem: Problem
    slope: Floats
    relative_residual: float
    rate: float
    """Fastest relative rate of change at time 0, of a parameter or of the residual."""
    amplification: float
    """By how much relative errors of the parameters grow in the outputs, measured against y."""
    conditioning: float
    """Condition number of X, dependent rows apart."""


def start(
    model: AbstractModel,
    loss: AbstractLoss,
    theta: Floats,
    X: Floats,
    y: Floats,
    observers: Mapping[str, Floats],
    coordinates: Sequence[int],
) -> Start:
    """Checks shapes and evaluates the flow at time 0. **Errors**: ValueError for arrays that do not fit, or y = 0."""
    theta, X, y = (np.asarray(array, dtype=np.float64) for array in (theta, X, y))
    if theta.shape != (model.size,) or X.shape != (len(y), model.dimension) or y.ndim != 1 or len(y) == 0:
        shapes = f"theta {theta.shape}, X {X.shape} and y {y.shape}"
        raise ValueError(f"{shapes} do not fit a model of {model.size} parameters and {model.dimension} features")
    y_norm = float(np.linalg.norm(y))
    if y_norm == 0.0:
        raise ValueError("y is zero: there is no residual to measure against")
    targets = np.array(list(observers.values()), dtype=np.float64).reshape(len(observers), model.dimension)
    problem = Problem(
        X=X,
        y=y,
        y_norm=np.float64(y_norm),
        samples=np.float64(len(y)),
        parameters=np.float64(model.size),
        invariants=model.invariants(theta),
        invariant_scale=model.invariant_scale(theta),
        targets=targets,
        target_norms=np.linalg.norm(targets, axis=1),
        coordinates=np.array(coordinates, dtype=np.int64).reshape(-1),
    )
    with np.errstate(over="ignore", invalid="ignore"):
        residual = loss.residual(model.outputs(theta, X), y)
        slope = model.vjp(theta, X, residual) / len(y)
        relaxation = float(model.kernel_trace(theta, X)) / len(y) ** 2
        drift = float(np.linalg.norm(slope / model.magnitude(theta)) / np.sqrt(model.size))
        relative = float(np.linalg.norm(residual)) / y_norm
    grown, conditioning = amplification(model, theta, X, y), condition_number(X)
    return Start(model, loss, theta, problem, slope, relative, max(relaxation, drift), grown, conditioning)


def amplification(model: AbstractModel, theta: Floats, X: Floats, y: Floats) -> float:
    """||J (theta o e)|| / ||y||, root mean square over a few random signs e: how far equal relative errors of the
    parameters move the outputs. Above 1 where large terms cancel, or where the start outputs much more than y.
    """
    signs = np.random.RandomState(0).choice([-1.0, 1.0], size=(PROBES, model.size))
    with np.errstate(over="ignore", invalid="ignore"):
        moved = model.jvp(theta, X, signs * theta)
        size = float(np.sqrt(np.mean(np.sum(moved**2, axis=-1))) / np.linalg.norm(y))
    return size if np.isfinite(size) else 1.0


def condition_number(X: Floats) -> float:
    """Ratio of the largest singular value of X to the smallest that the smaller Gram matrix can tell from zero."""
    values = np.linalg.eigvalsh(X @ X.T if X.shape[0] <= X.shape[1] else X.T @ X)
    kept = values[values > ROUNDING_OF_SQUARES * values[-1]]
    return float(np.sqrt(kept[-1] / kept[0])) if kept.size else 1.0


def first_step(begin: Start, rtol: float, atol: Floats) -> float:
    """Initial step size. **Source**: Hairer, Norsett and Wanner I, section II.4, for an error estimate of order 3."""
    model, problem, loss = begin.model, begin.problem, begin.loss
    scale = atol + rtol * np.abs(begin.theta)

    def norm(vector: Floats) -> float:
        return float(np.linalg.norm(vector / scale) / np.sqrt(len(vector)))

    size, speed = norm(begin.theta), norm(begin.slope)
    trial = 0.01 * size / speed if size > 1e-5 and speed > 1e-5 else 1e-6
    ahead = begin.theta + trial * begin.slope
    slope = model.vjp(ahead, problem.X, loss.residual(model.outputs(ahead, problem.X), problem.y)) / problem.samples
    fastest = max(speed, norm(slope - begin.slope) / trial)
    by_error = (0.01 / fastest) ** 0.25 if fastest > 1e-15 else max(1e-6, trial * 1e-3)
    return min(100.0 * trial, by_error)


def compiled_arguments(
    begin: Start, integrator: AbstractIntegrator, settings: FlowSettings, threshold: float, save: tuple[float, float]
) -> tuple[AbstractModel, Problem, Controls, FlowState]:
    """The padded model and the arguments of its compiled block; `save` is the first saved time and the ratio."""
    plain = begin.problem
    samples, dimension = bucket(len(plain.y)), feature_bucket(begin.model.dimension)
    more_targets = max(-len(plain.targets) % OBSERVERS_PADDED_TO, OBSERVERS_PADDED_TO - len(plain.targets))
    model, theta, X, y = begin.model.pad(begin.theta, plain.X, plain.y, dimension, samples)
    problem = plain._replace(
        X=design(X, linear=model.linear),
        y=y,
        invariants=model.invariants(theta),
        invariant_scale=model.invariant_scale(theta),
        targets=np.pad(plain.targets, ((0, more_targets), (0, dimension - begin.model.dimension))),
        target_norms=np.pad(plain.target_norms, (0, more_targets), constant_values=1.0),
        coordinates=np.pad(plain.coordinates, (0, bucket(len(plain.coordinates)) - len(plain.coordinates))),
    )
    controls = Controls(
        rtol=np.float64(parameter_tolerance(begin, settings)),
        atol=absolute_tolerance(begin, model, theta, settings),
        relative_residual=np.float64(threshold),
        max_time=np.float64(settings.max_time),
        max_steps=np.int64(settings.max_steps),
        save_ratio=np.float64(save[1]),
    )
    step = first_step(
        begin, parameter_tolerance(begin, settings), absolute_tolerance(begin, begin.model, begin.theta, settings)
    )
    residual = begin.loss.residual(model.outputs(theta, X), y)
    state = FlowState(
        time=np.float64(0.0),
        theta=theta,
        slope=model.vjp(theta, X, residual) / plain.samples,
        relative_residual=np.float64(begin.relative_residual),
        step=np.float64(step),
        next_save=np.float64(save[0]),
        accepted=np.int64(0),
        rejected=np.int64(0),
        iterations=np.int64(0),
        kernels=np.int64(0),
        best_residual=np.float64(begin.relative_residual),
        stalls=np.int64(0),
        quiet=np.int64(0),
        verdict=np.int64(Verdict.running),
        memory=integrator.memory(theta, samples),
    )
    return model, problem, controls, state


def parameter_tolerance(begin: Start, settings: FlowSettings) -> float:
    """The relative tolerance of each parameter.

    rtol is meant for outputs that are products of two parameters of about the size of y: deeper products, and
    outputs in which larger terms cancel, get less a parameter. So do ill-conditioned data, on which w is still on its
    way while the residual is small, and few long steps are all that leads there. Never below the rounding of a step.
    """
    share = min(1.0, 2.0 / begin.model.degree) / max(1.0, begin.amplification)
    share /= min(max(begin.conditioning / WELL_CONDITIONED, 1.0), MOST_FOR_CONDITION)
    return max(settings.rtol * share, min(settings.rtol, SMALLEST_TOLERANCE))


def absolute_tolerance(begin: Start, model: AbstractModel, theta: Floats, settings: FlowSettings) -> Floats:
    """One number for all parameters if given, else the relative tolerance times the magnitude of each."""
    if settings.atol is not None:
        return np.full(theta.shape, settings.atol)
    return np.asarray(parameter_tolerance(begin, settings) * model.magnitude(theta), dtype=np.float64)
