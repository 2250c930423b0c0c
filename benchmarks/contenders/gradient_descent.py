"""Fixed-step gradient descent to loss 1e-4: the loop that users wait for."""

from __future__ import annotations

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Problem

NAME = "gradient descent, step 1e-3, to loss 1e-4"


def prepare(problem: Problem) -> Ready:
    """The published loop."""
    from benchmarks.baselines.gradient_descent import LOSS, descend

    def solve(report: Report) -> Answer:
        done = descend(problem, report=report)
        return Answer(done.w, done.steps, done.loss <= LOSS, work={"loss": done.loss})

    return Ready(solve)


FLOWS = (Contender(NAME, prepare),)
