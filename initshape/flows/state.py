"""What a compiled block works on: the problem, the controls and the state, all of them plain arrays."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from initshape.models import Array


class Verdict(IntEnum):
    """Why the compiled loop stopped, if it did."""

    running = 0
    relative_residual = 1
    max_time = 2
    max_steps = 3
    rounding_floor = 4
    stationary = 5
    step_size = 6
    nonfinite = 7
    kinks = 8
    event = 9
    """Not the end: a unit has reached its kink, and the branch has to be switched outside the block."""


class Problem(NamedTuple):
    """The data and what is observed; constant over a run. `samples` and `parameters` do not count padding."""

    X: Any
    y: Array
    y_norm: Array
    samples: Array
    parameters: Array
    invariants: Array
    invariant_scale: Array
    targets: Array
    target_norms: Array
    coordinates: Array


class Controls(NamedTuple):
    """Tolerances and limits: arguments of the compiled program, so that a change compiles nothing.

    `atol` has one entry a parameter, `save_ratio` is the ratio of successive saved times.
    """

    rtol: Array
    atol: Array
    relative_residual: Array
    max_time: Array
    max_steps: Array
    save_ratio: Array


class FlowState(NamedTuple):
    """A run between two attempted steps, complete enough to be a checkpoint.

    `slope` is theta', `step` the size to try next, `next_save` the next time whose statistics are wanted, `memory`
    what the integrator keeps for itself. `best_residual` and `stalls` are the evidence of a rounding floor, `quiet`
    that of a stationary point. `iterations` and `kernels` count work. `kinks` is the branch of a network that is only
    piecewise smooth (`flows.kinks`), empty for others.
    """

    time: Array
    theta: Array
    slope: Array
    relative_residual: Array
    step: Array
    next_save: Array
    accepted: Array
    rejected: Array
    iterations: Array
    kernels: Array
    best_residual: Array
    stalls: Array
    quiet: Array
    verdict: Array
    memory: Any
    kinks: Any = ()


class Attempt(NamedTuple):
    """What an integrator says of one attempted step.

    `time`, `theta`, `slope` and `relative_residual` hold at its end; `step` is its size, `last` says that it ends at
    max_time, `next_step` follows whether it was accepted or not, `stiffness` is tr(J J^T), `finite` is false when it
    failed on an overflow. `memory` is for the case that it is accepted, `memory_if_rejected` for the other. `event`
    says that the branch `kinks` ends here. `longest` is the longest step that stability allows an explicit method.
    """

    accepted: Array
    last: Array
    time: Array
    theta: Array
    slope: Array
    relative_residual: Array
    step: Array
    next_step: Array
    stiffness: Array
    finite: Array
    iterations: Array
    kernels: Array
    memory: Any
    memory_if_rejected: Any
    kinks: Any = ()
    event: Any = False
    longest: Any = np.inf
