"""This project's flow in the N variables of the dual, which knows the theory."""

from __future__ import annotations

from functools import partial

from benchmarks.contender import Contender, Ready
from benchmarks.contenders.initshape_flow import ready
from benchmarks.contenders.optional import lookup, missing
from benchmarks.problem import Problem

DUAL = "initshape dual flow"
INTEGRATE = "initshape.dual:integrate_dual"


def prepare(problem: Problem) -> Ready:
    """The same settings as the flow of all parameters."""
    from initshape.flows import FlowSettings

    settings = FlowSettings(rtol=problem.rtol, relative_residual=problem.stop, integrator="dual")
    return ready(lookup(INTEGRATE), problem, settings)


FLOWS = (Contender(DUAL, prepare, ours=True, missing=partial(missing, INTEGRATE)),)
