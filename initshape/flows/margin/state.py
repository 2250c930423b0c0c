"""What a compiled block of a classification flow works on: problem, controls, state; plain arrays all of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from initshape.models import Array


class Verdict(IntEnum):
    """Why the compiled loop stopped, if it did."""

    running = 0
    log_train_loss = 1
    max_time = 2
    max_steps = 3
    stationary = 4
    step_size = 5
    nonfinite = 6


class MarginProblem(NamedTuple):
    """The data and what is observed; constant over a run. `samples` and `parameters` do not count padding.

    `start` is theta(0), `targets` (K, d) have unit norm. Labels of padded samples are 0.
    """

    X: Any
    y: Array
    samples: Array
    parameters: Array
    start: Array
    invariants: Array
    invariant_scale: Array
    targets: Array
    coordinates: Array


class MarginControls(NamedTuple):
    """Tolerances and limits. `atol` has one entry a parameter; `target` is the requested gamma, `first` gamma(0).

    Saved states are a factor `save_ratio` apart in gamma - gamma(0).
    """

    rtol: Array
    atol: Array
    target: Array
    first: Array
    max_time: Array
    max_steps: Array
    save_ratio: Array


class MarginState(NamedTuple):
    """A run between two attempted steps, complete enough to be a checkpoint.

    `time` is tau, `slope` = d theta/d tau = grad gamma, so that d gamma/d tau = ||slope||^2; `weights` and `curvature`
    are the derivatives of gamma by the margins (`Gain`). `next_save` is the next gamma whose statistics are wanted,
    `landings` counts attempts that came near the target; `memory` belongs to the integrator.
    """

    time: Array
    theta: Array
    slope: Array
    gamma: Array
    weights: Array
    curvature: Array
    step: Array
    next_save: Array
    accepted: Array
    rejected: Array
    iterations: Array
    kernels: Array
    landings: Array
    verdict: Array
    memory: Any
