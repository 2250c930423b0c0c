"""One experiment from spec to result: the only place where all stages meet.

Numerical trouble leaves as an outcome; only broken machinery, and an observer that wants to stop, raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from initshape import comparison
from initshape.datasets import Dataset, build
from initshape.models import AbstractModel, initialize
from initshape.provenance import provenance
from initshape.regularizers import Fit, fit
from initshape.spec.defaults import FLOW_STEPS, RELATIVE_RESIDUAL
from initshape.spec.experiment import Experiment
from initshape.spec.feasibility import INCONSISTENT, relative_least_squares_residual
from initshape.spec.flow import GradientFlow
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import ArrayInfo, Completion, FitReport, FlowReport, Result

if TYPE_CHECKING:
    from initshape.flows import FlowProgress, FlowSolution

Vector = NDArray[np.float64]

LARGEST_STORED_X = 8 * 2**20
"""Bytes of X beyond which it is not among a result's arrays: the data set has its own download."""


@dataclass(frozen=True)
class Progress:
    """Where a run is: stage, fraction of the whole in [0, 1], and the flow's own state while it integrates."""

    stage: str
    fraction: float
    time: float | None = None
    steps: int | None = None
    relative_residual: float | None = None


@dataclass(frozen=True)
class RunOutput:
    """The result document and the arrays that belong to it, float64 (indices int64), by name."""

    result: Result
    arrays: dict[str, NDArray[Any]]


def run(experiment: Experiment, on_progress: Callable[[Progress], None] | None = None, *, id: str = "") -> RunOutput:
    """Simulates, fits and compares. `on_progress` is called between compiled blocks; what it raises stops the run."""
    report = on_progress or (lambda progress: None)
    report(Progress("dataset", 0.0))
    dataset = build(experiment.dataset)
    model, theta = initialize(experiment.model, experiment.init, dataset.dimension)
    feasible = relative_least_squares_residual(dataset.X, dataset.y) <= INCONSISTENT

    fits: dict[str, Fit] = {}
    for k, name in enumerate(experiment.regularizers):
        report(Progress(f"fit {name}", 0.05 + 0.15 * k / len(experiment.regularizers)))
        fits[name] = fit(name, dataset, model, theta)

    solution = None
    if isinstance(experiment.flow, GradientFlow) and feasible:
        report(Progress("flow", 0.2))
        solution = _flow(experiment, dataset, model, theta, fits, report)
    report(Progress("comparison", 0.95))
    return _assemble(experiment, dataset, model, theta, fits, solution, id)


def _flow(
    experiment: Experiment,
    dataset: Dataset,
    model: AbstractModel,
    theta: Vector,
    fits: Mapping[str, Fit],
    report: Callable[[Progress], None],
) -> FlowSolution:
    # What only needs the fit never waits for a compiler: flows imports jax.
    from initshape.flows import FlowSettings, integrate

    spec, stop = experiment.flow, experiment.stop
    assert isinstance(spec, GradientFlow)  # noqa: S101 - narrows the type; the caller has checked
    settings = FlowSettings(
        rtol=spec.rtol,
        atol=spec.atol,
        completion=spec.completion == "auto",
        relative_residual=stop.relative_residual or RELATIVE_RESIDUAL,
        max_time=stop.max_time,
        max_steps=stop.max_steps or FLOW_STEPS,
        max_seconds=stop.max_seconds,
        points=experiment.trajectory.points,
    )

    def on_block(state: FlowProgress) -> None:
        report(Progress("flow", 0.2 + 0.75 * state.fraction, state.time, state.steps, state.relative_residual))

    return integrate(
        model,
        theta,
        dataset.X,
        dataset.y,
        settings,
        # Targets are opaque to the flow: it only measures how far it is from them.
        observers={name: found.w for name, found in fits.items() if found.w is not None},
        coordinates=saved_coordinates(dataset, experiment.trajectory.coordinates),
        on_progress=on_block,
    )


def saved_coordinates(dataset: Dataset, count: int) -> NDArray[np.int64]:
    """Coordinates of w to keep along the flow: the truth's support first, then the lowest indices; sorted."""
    order = np.arange(dataset.dimension)
    if dataset.w_true is not None:
        order = np.argsort(dataset.w_true == 0.0, kind="stable")
    return np.sort(order[: min(count, dataset.dimension)]).astype(np.int64)


def _assemble(
    experiment: Experiment,
    dataset: Dataset,
    model: AbstractModel,
    theta: Vector,
    fits: Mapping[str, Fit],
    solution: FlowSolution | None,
    id: str,
) -> RunOutput:
    w_flow = None if solution is None else np.asarray(model.predictor(solution.theta))
    arrays = _arrays(dataset, model, theta, fits, solution)
    flow_report = _flow_report(experiment, dataset, solution, w_flow)
    comparisons = [comparison.compare(w_flow, found, dataset) for found in fits.values()] if w_flow is not None else []
    implicit = fits["implicit"].w if "implicit" in fits else None
    w, of = (w_flow, "flow") if w_flow is not None else (implicit, "implicit")
    outcome = _overall(flow_report, fits)
    result = Result(
        id=id,
        outcome=outcome,
        advice=outcome.advice,
        flow=flow_report,
        fits=tuple(_fit_report(found, dataset) for found in fits.values()),
        comparisons=tuple(found for found in comparisons if found is not None),
        regime=None if w is None else comparison.regime(w, of, dict(fits)),
        citations=_citations(experiment, fits),
        provenance=provenance(_device(solution)),
        arrays={name: ArrayInfo(shape=value.shape, dtype=str(value.dtype)) for name, value in arrays.items()},
    )
    return RunOutput(result, arrays)


def _device(solution: FlowSolution | None) -> str:
    if solution is None:
        return "cpu"
    from initshape.flows.device import device_name

    return device_name()


def _flow_report(
    experiment: Experiment, dataset: Dataset, solution: FlowSolution | None, w: Vector | None
) -> FlowReport | None:
    if not isinstance(experiment.flow, GradientFlow):
        return None
    if solution is None or w is None:
        return FlowReport(
            outcome=Outcome.infeasible, stopped_by="infeasible", independent=True, integrator="none", time=0.0, steps=0
        )
    return FlowReport(
        outcome=solution.outcome,
        stopped_by=solution.stopped_by,
        independent=True,
        integrator=solution.integrator,
        time=solution.time,
        steps=solution.steps,
        completion=None if solution.completion is None else Completion(**asdict(solution.completion)),
        train_loss=solution.train_loss,
        relative_residual=solution.relative_residual,
        population_error=comparison.population_error(w, dataset),
        test_error=comparison.test_error(w, dataset),
        invariant_drift=solution.invariant_drift,
        seconds=solution.seconds,
        compile_seconds=solution.compile_seconds,
    )


def _fit_report(found: Fit, dataset: Dataset) -> FitReport:
    return FitReport(
        regularizer=found.regularizer,
        outcome=found.outcome,
        exactness=found.exactness,
        theorem=found.theorem,
        conditions=found.conditions,
        reason=found.reason,
        relative_residual=found.relative_residual,
        kkt_residual=found.kkt_residual,
        value=found.value,
        population_error=None if found.w is None else comparison.population_error(found.w, dataset),
        test_error=None if found.w is None else comparison.test_error(found.w, dataset),
        iterations=found.iterations,
        seconds=found.seconds,
    )


_SEVERITY = tuple(
    Outcome(name)
    for name in ("none_known", "converged", "reached_max_time", "reached_max_steps", "stalled", "out_of_time", "saddle",
                 "infeasible", "diverged", "nonfinite")
)  # fmt: skip


def _overall(flow: FlowReport | None, fits: Mapping[str, Fit]) -> Outcome:
    """The flow's outcome unless it converged, else the worst requested fit's; that none is known is not an error."""
    if flow is not None and flow.outcome is not Outcome.converged:
        return flow.outcome
    worst = max((found.outcome for found in fits.values()), key=_SEVERITY.index)
    return Outcome.converged if worst is Outcome.none_known else worst


def _arrays(
    dataset: Dataset, model: AbstractModel, theta: Vector, fits: Mapping[str, Fit], solution: FlowSolution | None
) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {"X": dataset.X} if dataset.X.nbytes <= LARGEST_STORED_X else {}
    found["y"] = dataset.y
    if dataset.w_true is not None:
        found["w_true"] = dataset.w_true
    found["w_initial"] = np.asarray(model.predictor(theta))
    found |= {f"w_{name}": fit.w for name, fit in fits.items() if fit.w is not None}
    found["parameters_initial"] = theta
    if solution is not None:
        found["w_flow"] = np.asarray(model.predictor(solution.theta))
        found["parameters_final"] = solution.theta
        found["invariants"] = np.stack([model.invariants(theta), model.invariants(solution.theta)])
        found |= solution.trajectory
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


def _citations(experiment: Experiment, fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """References of what this experiment used, each once."""
    found = [_AZULAY]
    if experiment.dataset.kind == "sparse_regression":
        found.append(_WOODWORTH)
    if isinstance(experiment.flow, GradientFlow):
        found.append(_HAIRER)
    found += [citation for fit in fits.values() for citation in fit.citations if fit.exactness is not Exactness.none]
    return tuple(dict.fromkeys(found))


_AZULAY = (
    "S. Azulay, E. Moroshko, M. S. Nacson, B. Woodworth, N. Srebro, A. Globerson, D. Soudry. On the Implicit Bias of "
    "Initialization Shape: Beyond Infinitesimal Mirror Descent. ICML 2021."
)
_WOODWORTH = (
    "B. Woodworth, S. Gunasekar, J. D. Lee, E. Moroshko, P. Savarese, I. Golan, D. Soudry, N. Srebro. Kernel and Rich "
    "Regimes in Overparametrized Models. COLT 2020."
)
_HAIRER = (
    "E. Hairer, G. Wanner. Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems. "
    "Springer 1996, section IV.8 (Radau IIA)."
)
