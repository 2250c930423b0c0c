"""What a caller gives to a flow and gets back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from initshape.spec.outcome import Outcome

Floats = npt.NDArray[np.float64]

COMPLETION_RESIDUAL = 1e-6
"""Relative residual down to which a flow is integrated before Gauss-Newton may finish it."""


@dataclass(frozen=True)
class FlowSettings:
    """Tolerances and stop rules.

    `rtol` is meant for products of two parameters about as large as y: where products are deeper, or larger ones
    cancel at the start, each parameter gets less (`flows.start.parameter_tolerance`).
    `atol` is one absolute tolerance for all parameters; by default each has its rtol times its own initial magnitude.
    `points` is the number of saved times, `max_seconds` counts wall-clock time without compilation.
    """

    rtol: float = 1e-8
    atol: float | None = None
    completion: bool = True
    relative_residual: float = 1e-10
    max_time: float = 1e9
    max_steps: int = 200_000
    max_seconds: float = 3600.0
    points: int = 200
    integrator: str = "auto"

    def __post_init__(self) -> None:
        positive = (self.rtol, self.relative_residual, self.max_time, self.max_seconds, self.atol or 1.0)
        if not all(value > 0.0 for value in positive) or self.max_steps < 1 or self.points < 2:
            raise ValueError("tolerances and limits must be positive, and at least two times are saved")


@dataclass(frozen=True)
class FlowProgress:
    """Where a run stands between two compiled blocks; `fraction` is a rough guess in [0, 1].

    Classification has `gamma` = -ln L instead of a relative residual.
    """

    time: float
    steps: int
    relative_residual: float | None
    fraction: float
    gamma: float | None = None


@dataclass(frozen=True)
class Completion:
    """Gauss-Newton steps after the integration: the relative residual they started from, and how many."""

    from_residual: float
    iterations: int


@dataclass(frozen=True)
class FlowSolution:
    """The end of a flow and its history.

    `theta` is the final state (completed if `completion` is not None), `time` and `steps` (accepted) belong to the
    last integrated one. `stopped_by` names the rule: relative_residual, max_time, max_steps, max_seconds,
    rounding_floor, stationary, step_size, nonfinite or kinks; closed_form where nothing was integrated, and time,
    steps and drift are None. Only a closed form may end without `theta`.

    `independent` is false for what used the theory that fits are compared with. `w` is the predictor where it is
    known to more digits than theta holds. `notes` are caveats in sentences. `resumed_from` is the step of the snapshot
    from which an interrupted run went on, None where it ran in one piece; `seconds` then counts all pieces.

    `trajectory` holds, one row a saved time: time, train_loss, relative_residual, invariant_drift, w_trajectory
    (points x coordinates), coordinate_index and distance_<observer>.
    `effort` counts rejected steps, Newton iterations, kernel builds and compiled blocks. Classification also gives
    gamma = -ln L, the margin min_n y_n f_n / ||w||, and log_train_loss = -gamma; its `time` is tau (`flows.margin`).
    """

    outcome: Outcome
    stopped_by: str
    theta: Floats | None
    time: float | None
    steps: int | None
    completion: Completion | None
    train_loss: float | None
    relative_residual: float | None
    invariant_drift: float | None
    seconds: float
    compile_seconds: float
    integrator: str
    trajectory: dict[str, npt.NDArray[np.generic]]
    effort: dict[str, int] = field(default_factory=dict)
    gamma: float | None = None
    margin: float | None = None
    log_train_loss: float | None = None
    independent: bool = True
    w: Floats | None = None
    notes: tuple[str, ...] = ()
    resumed_from: int | None = None
