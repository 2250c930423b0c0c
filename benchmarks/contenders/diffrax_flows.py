"""diffrax's explicit and implicit solvers on all parameters."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Problem


def prepare(solver: str, problem: Problem) -> Ready:
    """Compiled ahead."""
    from benchmarks.baselines.diffrax_flows import DiffraxFlow

    flow = DiffraxFlow(problem, solver)

    def solve(report: Report) -> Answer:
        done = flow.run(report)
        return Answer(done.w, done.steps, done.reached, done.why, {"flow_time": done.time}, done.seconds)

    return Ready(solve, flow.compile_seconds)


def missing() -> str | None:
    """diffrax comes with the extra `bench`."""
    return None if find_spec("diffrax") else "diffrax is not installed (pip install 'initshape[bench]')"


FLOWS = tuple(
    Contender(f"diffrax {solver}", partial(prepare, solver), missing=missing)
    for solver in ("Tsit5", "Dopri8", "Kvaerno5")
)
