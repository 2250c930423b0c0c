"""Gradient flow of a classification loss along the margin path, from theta(0) to a requested loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from initshape.datasets import SEPARABLE, separation
from initshape.flows.margin.driver import MarginEnd, drive
from initshape.flows.margin.radau import NAME
from initshape.flows.margin.settings import MarginSettings
from initshape.flows.margin.start import MarginStart, start
from initshape.flows.margin.state import Verdict
from initshape.flows.margin_loss import AbstractMarginLoss, ExponentialLoss, LogisticLoss
from initshape.models import AbstractModel
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints
from initshape.training.settings import Floats, FlowProgress, FlowSolution

LOSSES: dict[str, AbstractMarginLoss] = {"exponential": ExponentialLoss(), "logistic": LogisticLoss()}
_OUTCOMES = {
    Verdict.log_train_loss: Outcome.converged,
    Verdict.max_time: Outcome.reached_max_time,
    Verdict.max_steps: Outcome.reached_max_steps,
    Verdict.stationary: Outcome.saddle,
    Verdict.step_size: Outcome.stalled,
    Verdict.nonfinite: Outcome.nonfinite,
}


def integrate_margin(
    model: AbstractModel,
    theta0: Floats,
    X: Floats,
    y: Floats,
    settings: MarginSettings,
    *,
    loss: str = "exponential",
    observers: Mapping[str, Floats] | None = None,
    coordinates: Sequence[int] = (),
    on_progress: Callable[[FlowProgress], None] | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> FlowSolution:
    """Integrates d theta/d tau = grad gamma, gamma = -ln L, in all parameters to gamma = -`settings.log_train_loss`.

    That is gradient flow on L with d tau = L dt: the same path, without the factor L that vanishes. `time` is tau.
    `loss` is exponential or logistic. `observers` are target directions: the trajectory records the distance of the
    unit vectors, and the flow makes no other use of them. Where a linear network meets classes that no linear
    predictor separates, the outcome is `infeasible`, without integration.

    **Shape**: theta0 (P,), X (N, d), y (N,) of -1 and 1, observers (d,).
    **Errors**: ValueError for arrays, labels or settings that do not fit; numerical trouble is an outcome.
    **Source**: the path form of Moroshko et al. 2020 and Lyu and Li 2020.
    """
    clock = time.perf_counter()
    targets = dict(observers or {})
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        begin = start(model, LOSSES[loss], theta0, X, y, targets, coordinates)
        feasible = not model.linear or separation(begin.problem.X, begin.problem.y) > SEPARABLE
        if not feasible:
            settings = MarginSettings(log_train_loss=-begin.gamma, points=settings.points)
        end = drive(begin, settings, on_progress or (lambda progress: None), checkpoints)
        return _solution(begin, end, tuple(targets), clock, feasible=feasible)


def _solution(
    begin: MarginStart, end: MarginEnd, targets: tuple[str, ...], clock: float, *, feasible: bool
) -> FlowSolution:
    rows = end.rows
    gamma = float(rows.gamma[-1])
    outcome = Outcome.out_of_time if end.verdict is None else _OUTCOMES[end.verdict]
    stopped_by = "max_seconds" if end.verdict is None else end.verdict.name
    return FlowSolution(
        outcome=outcome if feasible else Outcome.infeasible,
        stopped_by=stopped_by if feasible else "infeasible",
        theta=end.theta,
        time=end.time,
        steps=end.steps,
        completion=None,
        train_loss=math.exp(-gamma) if gamma > -700.0 else math.inf,
        relative_residual=math.nan,
        invariant_drift=float(rows.invariant_drift[-1]),
        seconds=end.earlier + time.perf_counter() - clock - end.compile_seconds,
        compile_seconds=end.compile_seconds,
        integrator=NAME,
        trajectory={
            "time": end.times,
            "gamma": rows.gamma,
            "log_train_loss": -rows.gamma,
            "train_loss": np.exp(-rows.gamma),
            "margin": rows.margin,
            "invariant_drift": rows.invariant_drift,
            "w_trajectory": rows.w,
            "coordinate_index": begin.problem.coordinates,
            "margins": begin.problem.y * begin.model.outputs(end.theta, begin.problem.X),
            **{f"distance_{name}": rows.distances[:, k] for k, name in enumerate(targets)},
        },
        effort=end.effort,
        gamma=gamma,
        margin=float(rows.margin[-1]) if begin.model.linear else None,
        log_train_loss=-gamma,
        resumed_from=end.resumed_from,
    )
