"""This project's fit of Q."""

from __future__ import annotations

from benchmarks.contender import Answer, Contender, Ready, Report
from benchmarks.problem import Problem

NAME = "initshape fit"


def prepare(problem: Problem) -> Ready:
    """Theory's answer with its checks, as every experiment gets it."""
    from initshape.datasets import build
    from initshape.models import initialize
    from initshape.regularizers import fit

    experiment = problem.experiment()
    dataset = build(experiment.dataset)
    model, theta = initialize(experiment.model, experiment.init, dataset.dimension)

    def solve(report: Report) -> Answer:
        found = fit("implicit", dataset, model, theta)
        if found.w is None:
            raise RuntimeError(f"the fit ended as {found.outcome.value}: {found.reason}")
        return Answer(found.w, found.iterations or 0, found.outcome.value == "converged")

    return Ready(solve)


FITS = (Contender(NAME, prepare, ours=True),)
