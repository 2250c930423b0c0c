"""Memory and time of a job before it is accepted; beyond the limits the document is refused with the estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initshape.spec.experiment import Experiment
from initshape.spec.model import Diagonal, SingleNeuron
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.unanswered import unanswered

_FLOAT = 8
_COPIES, _BASE = 7, 300 * 2**20
"""X as drawn, in the shape of the compiled program, orthogonalised for KKT residuals, and scaled copies of it at the
peak of a fit; and what a process takes with all libraries loaded."""
_STEPS, _DUAL_STEPS, _DESCENT_STEPS = 400, 100, 300_000
_WORKING_RATE, _MATRIX_RATE = 4e9, 2e10
"""Floating-point operations a second of one ordinary core, and within products and factorisations of matrices; an order
of magnitude is all that is promised."""


@dataclass(frozen=True)
class Limits:
    """What one job may take. memory and result in bytes, seconds of wall-clock time."""

    memory: int = 8 * 2**30
    result: int = 64 * 2**20
    seconds: float = 86_400.0


@dataclass(frozen=True)
class Estimate:
    """Order of magnitude of a job: bytes at its peak, bytes stored, seconds on one core."""

    memory: int
    result: int
    seconds: float


def estimate(experiment: Experiment) -> Estimate:
    """Peak memory, stored size and run time of an experiment."""
    d, n = experiment.dataset.dimension, experiment.dataset.samples
    data = _FLOAT * n * d
    test = _FLOAT * d * getattr(experiment.dataset, "test_samples", 0)
    parameters = _parameters(experiment)
    integrates = experiment.flow.kind != "none"
    work = 30 * parameters + 8 * n * n if integrates else 6 * n * n
    integrator = getattr(experiment.flow, "integrator", None)
    if integrator == "dual":
        work = _DUAL_STEPS * (2 * parameters + 7 * n) + 8 * n * n  # the states that saved rows are evaluated from
    points = experiment.trajectory.points if integrates and integrator != "limit" else 0
    saved = points * (min(experiment.trajectory.coordinates, d) + 8) + 2 * parameters + 8 * d
    result = _FLOAT * saved + min(data, 8 * 2**20)
    fit = 12 * (2 * n * n * d + n**3) / _MATRIX_RATE
    flow = _flow_seconds(experiment) if integrates else 0.0
    lp = 3e-9 * n * n * d if "l1" in experiment.regularizers else 0.0
    memory = int(_COPIES * data + test + _FLOAT * (work + saved)) + _BASE
    return Estimate(memory, int(result), 0.01 + fit + flow + lp)


def _flow_seconds(experiment: Experiment) -> float:
    """Some hundred steps, of which a third build a new kernel; or what short cuts and gradient descent need instead."""
    d, n, model = experiment.dataset.dimension, experiment.dataset.samples, experiment.model
    integrator = getattr(experiment.flow, "integrator", None)
    kernel = 2 * n * n * d
    if integrator == "limit":
        return 2 * kernel / _MATRIX_RATE
    if integrator == "dual" and isinstance(model, Diagonal):
        quadrature = 1_000_000 * d if model.depth > 2 else 0
        return 5 * (kernel + 20 * n**3) / _MATRIX_RATE + (200 * 7 * 4 * n * d + quadrature) / _WORKING_RATE
    if experiment.flow.kind == "gradient_descent":
        return _DESCENT_STEPS * 4 * n * d / _WORKING_RATE
    return _STEPS * ((kernel / 3 + 4 * n**3) / _MATRIX_RATE + 40 * n * d / _WORKING_RATE)


def _parameters(experiment: Experiment) -> int:
    model, d = experiment.model, experiment.dataset.dimension
    if isinstance(model, Diagonal):
        return 2 * model.depth * d
    if isinstance(model, SingleNeuron):
        return model.scalar_layers + d
    return model.width * (d + 1) + (model.depth - 2) * model.width**2


def refuse_beyond(limits: Limits, experiment: Experiment, pointer: str = "/experiment") -> Estimate:
    """The estimate, or SpecError (422) that names what to shrink."""
    found = estimate(experiment)
    problems = []
    if found.memory > limits.memory:
        problems.append(_too_large(f"{pointer}/dataset", "memory", found.memory, limits.memory))
    if found.result > limits.result:
        problems.append(_too_large(f"{pointer}/trajectory", "stored result", found.result, limits.result))
    if found.seconds > limits.seconds:
        problems.append(
            ProblemError(pointer=f"{pointer}/dataset", value=_round(found.seconds), allowed=f"{limits.seconds:g} s",
                         hint=f"this would take about {found.seconds:.2g} s: lower dimension or samples")
        )  # fmt: skip
    if problems:
        raise SpecError("The experiment is beyond what this server accepts.", tuple(problems))
    return found


def warnings(experiment: Experiment, found: Estimate | None = None) -> tuple[str, ...]:
    """What a user should expect before sending the job; `found` is the estimate, where it is known already."""
    found = found or estimate(experiment)
    notes = []
    if experiment.flow.kind != "none" and found.seconds > experiment.stop.max_seconds:
        notes.append(f"about {found.seconds:.2g} s are expected, more than stop.max_seconds")
    if experiment.flow.kind == "gradient_flow":
        wants = experiment.stop.relative_residual or 1.0
        if experiment.flow.completion == "off" and wants < 1e-10:
            notes.append("without completion, a residual below 1e-10 may stall at the rounding floor")
    return (*notes, *unanswered(experiment))


def _too_large(pointer: str, what: str, found: int, limit: int) -> ProblemError:
    hint = f"the {what} would be about {_mebibytes(found)}, more than {_mebibytes(limit)}: make the sizes smaller"
    return ProblemError(pointer=pointer, value=found, allowed=f"at most {limit} bytes", hint=hint)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _round(value: float) -> float:
    return round(value, 2 - math.floor(math.log10(value)))
