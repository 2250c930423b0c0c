"""This project's sweeps: whole experiments or fits alone, one after the other or as one batch a worker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.contenders.optional import lookup, missing
from benchmarks.problem import Floats, Problem
from benchmarks.sweep_contender import SweepContender

FULL, FULL_MANY = "initshape experiments", "initshape experiments, run_many"
DUAL, DUAL_MANY = "initshape experiments, dual", "initshape experiments, dual, run_many"
FIT, FIT_MANY = "initshape fits", "initshape fits, fit_many"
THEORIES = ["implicit", "l2", "kernel"]
"""All that experiments fit by default, but for l1: a basis pursuit that is the same for every network of a sweep."""
RUN_MANY, CELL, FITS_AT_ONCE = "initshape.batch:run_many", "initshape.batch:Cell", "initshape.regularizers:fit_many"


def experiment(problem: Problem, flow: dict[str, Any]) -> Any:
    """The whole document."""
    return problem.experiment(
        flow={"kind": "gradient_flow", "rtol": problem.rtol, **flow},
        stop={"relative_residual": problem.stop},
        regularizers=THEORIES,
    )


def one_by_one(flow: dict[str, Any], problems: Sequence[Problem]) -> list[Floats]:
    """Each network as a worker runs it: data, fits, flow, comparison; the weights are the flow's."""
    from initshape.run import run

    return [run(experiment(problem, flow)).arrays["w_flow"] for problem in problems]


def together(flow: dict[str, Any], problems: Sequence[Problem]) -> list[Floats]:
    """The same as one batch."""
    run_many, cell = lookup(RUN_MANY), lookup(CELL)
    found = dict(run_many(cell(experiment(problem, flow)) for problem in problems))
    return [found[k].arrays["w_flow"] for k in range(len(problems))]


def fits(problems: Sequence[Problem]) -> list[Floats]:
    """The minimisers of Q alone, one after the other."""
    from benchmarks.contenders.initshape_fit import prepare

    return [prepare(problem).solve(lambda *_: None).w for problem in problems]


def fits_together(problems: Sequence[Problem]) -> list[Floats]:
    """The same, each from where its neighbours point."""
    from initshape.datasets import build
    from initshape.models import initialize

    spec = problems[0].experiment()
    dataset = build(spec.dataset)
    model, _ = initialize(spec.model, spec.init, dataset.dimension)
    thetas = [initialize(spec.model, each.experiment().init, dataset.dimension)[1] for each in problems]
    return [found.w for found in lookup(FITS_AT_ONCE)("implicit", dataset, model, thetas)]


def missing_dual() -> str | None:
    """Whether documents may ask for the reduced integrator yet."""
    try:
        experiment(Problem(1.0, 0.0), {"integrator": "dual"})
    except ValueError:
        return "this version has no `integrator: dual`"
    return None


def missing_dual_many() -> str | None:
    """Both of them."""
    return missing_dual() or missing(RUN_MANY)


SWEEPS = (
    SweepContender(FULL, partial(one_by_one, {})),
    SweepContender(FULL_MANY, partial(together, {}), batch=0, missing=partial(missing, RUN_MANY)),
    SweepContender(DUAL, partial(one_by_one, {"integrator": "dual"}), missing=missing_dual),
    SweepContender(DUAL_MANY, partial(together, {"integrator": "dual"}), batch=0, missing=missing_dual_many),
    SweepContender(FIT, fits, batch=10),
    SweepContender(FIT_MANY, fits_together, batch=0, missing=partial(missing, FITS_AT_ONCE)),
)
