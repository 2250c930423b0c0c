"""scipy's LSODA and Radau on all parameters, and its BDF on the reduced dual."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Problem


def prepare_full(method: str, problem: Problem) -> Ready:
    """All parameters at the problem's tolerance."""
    from benchmarks.baselines.scipy_flows import full_flow

    return _ready(lambda report: full_flow(problem, method, report))


def prepare_dual(rtol: float, problem: Problem) -> Ready:
    """The dual variables at a tolerance of their own."""
    from benchmarks.baselines.scipy_flows import dual_flow

    return _ready(lambda report: dual_flow(problem, "BDF", rtol, report))


def _ready(run: Callable[[Report], Any]) -> Ready:
    def solve(report: Report) -> Answer:
        done = run(report)
        return Answer(done.w, done.steps, done.reached, work={"flow_time": done.time, "evaluations": done.evaluations})

    return Ready(solve)


FLOWS = (
    Contender("scipy LSODA", partial(prepare_full, "LSODA")),
    Contender("scipy Radau", partial(prepare_full, "Radau")),
    Contender("scipy BDF on the reduced dual, rtol 1e-8", partial(prepare_dual, 1e-8)),
    Contender("scipy BDF on the reduced dual, rtol 1e-3", partial(prepare_dual, 1e-3)),
)
