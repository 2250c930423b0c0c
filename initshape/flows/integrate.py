"""The gradient flow theta' = -grad L(theta), from theta(0) to a stop rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from initshape.flows.driver import End, Run
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.integrators import integrator_for
from initshape.flows.loss import AbstractLoss, SquareLoss
from initshape.flows.observe import observe
from initshape.flows.start import Start, start
from initshape.flows.stopping import outcome_of, stop_rule
from initshape.models import AbstractModel
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints
from initshape.training.settings import Completion, Floats, FlowProgress, FlowSettings, FlowSolution
from initshape.training.trajectory import Recorder, named


def integrate(
    model: AbstractModel,
    theta0: Floats,
    X: Floats,
    y: Floats,
    settings: FlowSettings,
    *,
    observers: Mapping[str, Floats] | None = None,
    coordinates: Sequence[int] = (),
    on_progress: Callable[[FlowProgress], None] | None = None,
    loss: AbstractLoss | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> FlowSolution:
    """Integrates the flow of all parameters from `theta0`, and finishes it by Gauss-Newton where settings allow.

    `observers` are target vectors: the trajectory records ||w(t) - target|| / ||target|| for each, and the flow makes
    no other use of them. `on_progress` is called between compiled blocks; what it raises ends the run. `checkpoints`
    are offered there, too.

    **Shape**: theta0 (P,), X (N, d), y (N,), observers (d,).
    **Errors**: ValueError for arrays or settings that do not fit; numerical trouble is an outcome of the solution.
    """
    clock = time.perf_counter()
    integrator = integrator_for(settings.integrator, len(y))
    # Distances and coordinates are those of the predictor, which only linear networks have.
    targets = dict(observers or {}) if model.linear else {}
    coordinates = coordinates if model.linear else ()
    with np.errstate(over="ignore", invalid="ignore"):
        begin = start(model, loss or SquareLoss(), theta0, X, y, targets, coordinates)
        run = Run(begin, integrator, settings, on_progress or _unwatched, checkpoints)
        end = run.go()
    found = solution(begin, run.recorder, end, integrator, tuple(targets))
    seconds = run.earlier + time.perf_counter() - clock - end.compile_seconds
    return replace(found, seconds=seconds, resumed_from=run.resumed_from)


def solution(
    begin: Start, recorder: Recorder, end: End, integrator: AbstractIntegrator, observers: tuple[str, ...]
) -> FlowSolution:
    """What a run from `begin` to `end` is to its caller; `seconds` is left to whoever held the clock."""
    with np.errstate(over="ignore", invalid="ignore"):
        outcome = outcome_of(end.verdict, begin, end.theta) if end.completed is None else Outcome.converged
        theta = end.theta if end.completed is None else end.completed.theta
        states = (begin.theta, end.theta, theta)
        rows = [observe(begin.model, begin.loss, begin.problem, state[None]) for state in states]
    times, history = recorder.finish(rows[0], rows[1], end.time)
    return FlowSolution(
        outcome=outcome,
        stopped_by=stop_rule(end.verdict),
        theta=theta,
        time=end.time,
        steps=end.steps,
        completion=end.completed and Completion(end.from_residual, end.completed.iterations),
        train_loss=float(rows[2].train_loss[0]),
        relative_residual=float(rows[2].relative_residual[0]),
        invariant_drift=float(rows[2].invariant_drift[0]),
        seconds=0.0,
        compile_seconds=end.compile_seconds,
        integrator=integrator.name,
        trajectory=named(times, history, observers, begin.problem.coordinates),
        effort=end.effort,
    )


def _unwatched(_: FlowProgress) -> None:
    """Nobody asked for progress."""
