"""From arrays to the first state of a classification flow: checks, padding, tolerances, first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from initshape.flows.design import design
from initshape.flows.margin.radau import ascent, memory
from initshape.flows.margin.settings import MarginSettings
from initshape.flows.margin.state import MarginControls, MarginProblem, MarginState, Verdict
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.flows.shapes import bucket, feature_bucket
from initshape.models import AbstractModel
from initshape.training.settings import Floats

OBSERVERS_PADDED_TO = 4
FIRST_SAVED = 1e-3
"""First saved state, in units of gamma - gamma(0) (or of the whole way, where that is shorter than 1)."""


@dataclass(frozen=True)
class MarginStart:
    """A problem in NumPy and unpadded, with gamma and its gradient at tau = 0."""

    model: AbstractModel
    loss: AbstractMarginLoss
    theta: Floats
    problem: MarginProblem
    slope: Floats
    gamma: float


def start(
    model: AbstractModel,
    loss: AbstractMarginLoss,
    theta: Floats,
    X: Floats,
    y: Floats,
    observers: Mapping[str, Floats],
    coordinates: Sequence[int],
) -> MarginStart:
    """Checks shapes and labels and evaluates the flow at tau = 0. **Errors**: ValueError for what does not fit."""
    theta, X, y = (np.asarray(array, dtype=np.float64) for array in (theta, X, y))
    if theta.shape != (model.size,) or X.shape != (len(y), model.dimension) or y.ndim != 1 or len(y) == 0:
        raise ValueError(
            f"theta {theta.shape}, X {X.shape} and y {y.shape} do not fit a model of {model.size} parameters"
        )
    if np.any(np.abs(y) != 1.0):
        raise ValueError("labels of a classification loss are -1 and 1")
    targets = np.array(list(observers.values()), dtype=np.float64).reshape(len(observers), model.dimension)
    norms = np.linalg.norm(targets, axis=1, keepdims=True)
    problem = MarginProblem(
        X=X,
        y=y,
        samples=np.float64(len(y)),
        parameters=np.float64(model.size),
        start=theta,
        invariants=model.invariants(theta),
        invariant_scale=model.invariant_scale(theta),
        targets=targets / np.where(norms > 0.0, norms, 1.0),
        coordinates=np.array(coordinates, dtype=np.int64).reshape(-1),
    )
    slope, found = ascent(model, loss, X, y, problem.samples, theta)
    return MarginStart(model, loss, theta, problem, slope, float(found.gamma))


def save_grid(begin: MarginStart, settings: MarginSettings) -> tuple[float, float]:
    """First saved gamma - gamma(0) and the ratio of successive ones: `points` - 2 of them before the target."""
    way = -settings.log_train_loss - begin.gamma
    inner = settings.points - 2
    if inner < 1 or not way > 0.0:
        return np.inf, 1.0
    first = FIRST_SAVED * min(1.0, way)
    return first, (way / first) ** (1.0 / inner)


def compiled_arguments(
    begin: MarginStart, settings: MarginSettings
) -> tuple[AbstractModel, MarginProblem, MarginControls, MarginState]:
    """The padded model and the arguments of its compiled block."""
    plain = begin.problem
    samples, dimension = bucket(len(plain.y)), feature_bucket(begin.model.dimension)
    model, theta, X, y = begin.model.pad(begin.theta, plain.X, plain.y, dimension, samples)
    more_targets = max(OBSERVERS_PADDED_TO - len(plain.targets), -len(plain.targets) % OBSERVERS_PADDED_TO)
    problem = plain._replace(
        X=design(X, linear=model.linear),
        y=y,
        start=theta,
        invariants=model.invariants(theta),
        invariant_scale=model.invariant_scale(theta),
        targets=np.pad(plain.targets, ((0, more_targets), (0, dimension - begin.model.dimension))),
        coordinates=np.pad(plain.coordinates, (0, bucket(len(plain.coordinates)) - len(plain.coordinates))),
    )
    slope, found = ascent(model, begin.loss, X, y, plain.samples, theta)
    first, ratio = save_grid(begin, settings)
    controls = MarginControls(
        rtol=np.float64(settings.rtol),
        atol=absolute_tolerance(model, theta, slope, settings, int(plain.parameters)),
        target=np.float64(-settings.log_train_loss),
        first=np.float64(begin.gamma),
        max_time=np.float64(settings.max_time),
        max_steps=np.int64(settings.max_steps),
        save_ratio=np.float64(ratio),
    )
    state = MarginState(
        time=np.float64(0.0),
        theta=theta,
        slope=slope,
        gamma=np.float64(found.gamma),
        weights=found.weights,
        curvature=found.curvature,
        step=np.float64(first_step(begin, settings)),
        next_save=np.float64(begin.gamma + first),
        accepted=np.int64(0),
        rejected=np.int64(0),
        iterations=np.int64(0),
        kernels=np.int64(0),
        landings=np.int64(0),
        verdict=np.int64(Verdict.running),
        memory=memory(theta, samples),
    )
    return model, problem, controls, state


def absolute_tolerance(
    model: AbstractModel, theta: Floats, slope: Floats, settings: MarginSettings, parameters: int
) -> Floats:
    """rtol times the magnitude of each parameter, or times the displacement that raises gamma by about 1.

    Moving a length l along the gradient raises gamma by l ||grad gamma||: large parameters move little, and their
    displacement is what must be right.
    """
    if settings.atol is not None:
        return np.full(theta.shape, settings.atol)
    speed = float(np.linalg.norm(slope))
    displacement = 1.0 / (speed * np.sqrt(parameters)) if speed > 0.0 else np.inf
    return np.asarray(settings.rtol * np.minimum(model.magnitude(theta), displacement), dtype=np.float64)


def first_step(begin: MarginStart, settings: MarginSettings) -> float:
    """A step in which the slope changes by a fraction rtol^(1/4) of itself, from a trial step within the tolerance."""
    model, problem = begin.model, begin.problem
    atol = absolute_tolerance(model, begin.theta, begin.slope, settings, model.size)
    trial = 1.0 / float(np.max(np.abs(begin.slope) / atol))
    slope, _ = ascent(model, begin.loss, problem.X, problem.y, problem.samples, begin.theta + trial * begin.slope)
    change, size = float(np.linalg.norm((slope - begin.slope) / atol)), float(np.linalg.norm(begin.slope / atol))
    by_change = settings.rtol**0.25 * size / change * trial if change > 0.0 else np.inf
    return min(by_change, 1e6 * trial)
