"""SLSQP on Q, with and without exact gradients."""

from __future__ import annotations

from functools import partial

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Floats, Problem

WITH, WITHOUT = "SLSQP, exact gradients", "SLSQP, finite differences"


def prepare(gradients: bool, problem: Problem) -> Ready:
    """From the least-norm interpolator."""
    from benchmarks.baselines.slsqp import minimise
    from benchmarks.exact import relative_residual

    def solve(report: Report) -> Answer:
        def watch(iterations: int, w: Floats) -> None:
            report(iterations, relative_residual(problem, w), w)

        done = minimise(problem, gradients=gradients, report=watch)
        return Answer(done.w, done.iterations, done.success, "" if done.success else done.message)

    return Ready(solve)


FITS = (Contender(WITH, partial(prepare, True)), Contender(WITHOUT, partial(prepare, False)))
