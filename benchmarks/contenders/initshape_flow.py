"""This project's flows of all parameters of one network."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Problem

FULL, PLAIN, EXPLICIT = "initshape flow", "initshape flow, no completion", "initshape flow, tsit5"


def prepare(settings: dict[str, Any], problem: Problem, *, compiled: bool = True) -> Ready:
    """The flow as experiments have it: compiled blocks, 200 saved times; no observers."""
    from initshape.flows import FlowSettings, integrate

    asked = FlowSettings(rtol=problem.rtol, relative_residual=problem.stop, **settings)
    return ready(integrate, problem, asked, compiled=compiled)


def ready(integrate: Any, problem: Problem, settings: Any, *, compiled: bool = True) -> Ready:
    """Any function with the signature of `flows.integrate`, `compiled` by one step before it is timed."""
    from dataclasses import replace

    from initshape.models import initialize

    X, y = problem.data()
    experiment = problem.experiment()
    model, theta = initialize(experiment.model, experiment.init, problem.dimension)
    compile_seconds = 0.0

    def solve(report: Report) -> Answer:
        def on_block(progress: Any) -> None:
            report(progress.steps, progress.relative_residual)

        solution = integrate(model, theta, X, y, settings, on_progress=on_block)
        reached = solution.outcome.value == "converged"
        work = {"flow_time": solution.time, "compile_seconds": solution.compile_seconds or 0.0, **solution.effort}
        return Answer(model.predictor(solution.theta), solution.steps, reached, solution.stopped_by or "", work)

    if compiled:
        first = integrate(model, theta, X, y, replace(settings, max_steps=1))
        compile_seconds = first.compile_seconds or 0.0
    return Ready(solve, compile_seconds)


def missing_explicit() -> str | None:
    """Whether flows have an explicit integrator yet."""
    from initshape.flows.integrators import NAMES

    return None if "tsit5" in NAMES else "this version has no `integrator: tsit5`"


FLOWS = (
    Contender(FULL, partial(prepare, {}), ours=True),
    Contender(PLAIN, partial(prepare, {"completion": False}), ours=True),
    Contender(EXPLICIT, partial(prepare, {"integrator": "tsit5"}), ours=True, missing=missing_explicit),
)
