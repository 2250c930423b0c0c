"""From what the stages computed to the result document and its arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from initshape import comparison
from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.models.output_weights import flipped
from initshape.notes import AT_KINKS, notes
from initshape.provenance import provenance
from initshape.regularizers import Fit
from initshape.regularizers.directions import misclassification
from initshape.regularizers.references import AZULAY_2021, WOODWORTH_2020
from initshape.spec.experiment import Experiment
from initshape.spec.flow import GradientDescent, GradientFlow
from initshape.spec.outcome import Exactness, Outcome
from initshape.spec.result import (
    ArrayInfo,
    ComparisonReport,
    Completion,
    Condition,
    FitReport,
    FlowReport,
    Result,
    Resumed,
)

if TYPE_CHECKING:
    from initshape.training.settings import FlowSolution

Vector = NDArray[np.float64]

LARGEST_STORED_X = 8 * 2**20
"""Bytes of X beyond which it is not among a result's arrays: the data set has its own download."""


@dataclass(frozen=True)
class Computation:
    """Everything that the stages of one run made; `solution` is None where nothing was simulated."""

    experiment: Experiment
    dataset: Dataset
    model: AbstractModel
    theta: Vector
    fits: Mapping[str, Fit]
    solution: FlowSolution | None

    @property
    def theta_end(self) -> Vector | None:
        """The parameters that training reached; None where there are none. (P,)."""
        return None if self.solution is None else self.solution.theta

    @property
    def notes(self) -> tuple[str, ...]:
        """What the training itself has to say."""
        return () if self.solution is None else self.solution.notes

    @cached_property
    def w_flow(self) -> Vector | None:
        """The predictor that training reached; None where nothing was trained or the network has none. (d,)."""
        if self.solution is not None and self.solution.w is not None:
            return self.solution.w
        return self.model.predictor(self.theta_end) if self.theta_end is not None and self.model.linear else None

    @cached_property
    def predictions(self) -> Vector | None:
        """Outputs on the test inputs of a network that is not linear in x, after training; None for others."""
        if self.theta_end is None or self.model.linear or self.dataset.X_test is None:
            return None
        return np.asarray(self.model.outputs(self.theta_end, self.dataset.X_test))

    @cached_property
    def flipped(self) -> NDArray[np.int64] | None:
        """Neurons whose output weight changed sign; None where there are no neurons, or nothing was trained."""
        return None if self.theta_end is None else flipped(self.model, self.theta, self.theta_end)

    @property
    def classifies(self) -> bool:
        """Whether labels are classes, so that only signs and directions count."""
        return self.experiment.loss.kind != "square"


def result_of(computation: Computation, arrays: Mapping[str, NDArray[Any]], id: str) -> Result:
    """The result document; `arrays` are described in it, not contained."""
    fits, w_flow = computation.fits, computation.w_flow
    flow = _flow_report(computation)
    comparisons = [_comparison(computation, found) for found in fits.values()]
    implicit = fits["implicit"].w if "implicit" in fits else None
    w, of = (w_flow, "flow") if w_flow is not None else (implicit, "implicit")
    outcome = _overall(flow, fits)
    return Result(
        id=id,
        outcome=outcome,
        advice=AT_KINKS if flow is not None and flow.stopped_by == "kinks" else outcome.advice,
        flow=flow,
        fits=tuple(_fit_report(found, computation) for found in fits.values()),
        comparisons=tuple(found for found in comparisons if found is not None),
        regime=None if w is None else comparison.regime(w, of, dict(fits), directions=computation.classifies),
        notes=notes(computation.model, flow, tuple(fits)) + computation.notes,
        citations=_citations(computation.experiment, fits),
        provenance=provenance(_device(computation.solution), _resumed(computation.solution)),
        arrays={name: ArrayInfo(shape=value.shape, dtype=str(value.dtype)) for name, value in arrays.items()},
    )


def arrays_of(computation: Computation) -> dict[str, NDArray[Any]]:
    """The arrays of a result under their public names."""
    dataset, model, solution = computation.dataset, computation.model, computation.solution
    found: dict[str, NDArray[Any]] = {"X": dataset.X} if dataset.X.nbytes <= LARGEST_STORED_X else {}
    found["y"] = dataset.y
    if dataset.w_true is not None:
        found["w_true"] = dataset.w_true
    if model.linear:
        found["w_initial"] = np.asarray(model.predictor(computation.theta))
    found |= {f"w_{name}": fit.w for name, fit in computation.fits.items() if fit.w is not None}
    found |= {f"predictions_{name}": f.predictions for name, f in computation.fits.items() if f.predictions is not None}
    found["parameters_initial"] = computation.theta
    if computation.w_flow is not None:
        found["w_flow"] = computation.w_flow
    if computation.predictions is not None:
        found["predictions_flow"] = computation.predictions
    if computation.flipped is not None:
        found["flipped_neurons"] = computation.flipped
    if computation.theta_end is not None:
        found["parameters_final"] = computation.theta_end
        found["invariants"] = np.stack(
            [model.invariants(theta) for theta in (computation.theta, computation.theta_end)]
        )
    if solution is not None:
        found |= solution.trajectory
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


def _comparison(computation: Computation, found: Fit) -> ComparisonReport | None:
    """Training against one theory, in the terms that suit the network and the loss."""
    w, dataset = computation.w_flow, computation.dataset
    if w is None:
        return (
            None if computation.predictions is None else comparison.compare_predictions(computation.predictions, found)
        )
    if computation.classifies:
        return comparison.compare_directions(w, found, dataset)
    return comparison.compare(w, found, dataset)


def _flow_report(computation: Computation) -> FlowReport | None:
    solution, dataset = computation.solution, computation.dataset
    if computation.experiment.flow.kind == "none":
        return None
    if solution is None:
        asked = getattr(computation.experiment.flow, "integrator", "none")
        return FlowReport(
            outcome=Outcome.infeasible,
            stopped_by="infeasible",
            independent=asked not in ("dual", "limit"),
            integrator="none",
            time=0.0,
            steps=0,
        )
    return FlowReport(
        outcome=solution.outcome,
        stopped_by=solution.stopped_by,
        independent=solution.independent,
        integrator=solution.integrator,
        time=solution.time,
        steps=solution.steps,
        completion=None if solution.completion is None else Completion(**asdict(solution.completion)),
        train_loss=solution.train_loss,
        relative_residual=solution.relative_residual,
        invariant_drift=solution.invariant_drift,
        gamma=solution.gamma,
        margin=solution.margin,
        log_train_loss=solution.log_train_loss,
        ntk_change=None
        if solution.theta is None
        else comparison.ntk_change(computation.model, computation.theta, solution.theta, dataset.X),
        sign_flips=None if computation.flipped is None else len(computation.flipped),
        kinks=solution.effort.get("kinks"),
        **quality(computation, computation.w_flow, computation.predictions),
        seconds=solution.seconds,
        compile_seconds=solution.compile_seconds,
    )


def quality(computation: Computation, w: Vector | None, predictions: Vector | None) -> dict[str, float]:
    """The numbers that are reported of any weights, or of predictions where there are none, by field name.

    NaN where there is no truth or no test set. In classification the scale of w means nothing, so there is no
    population error, and the test error is the fraction of noiseless test labels on the wrong side.
    """
    dataset = computation.dataset
    if w is None:
        if predictions is None or dataset.y_test is None:
            return {}
        wrong = predictions * dataset.y_test <= 0.0 if computation.classifies else (predictions - dataset.y_test) ** 2
        return {"test_error": float(np.mean(wrong))}
    norms = {"l1_norm": float(np.abs(w).sum()), "l2_norm": float(np.linalg.norm(w))}
    support = comparison.support_recovered(w, dataset)
    if computation.classifies:
        return {"test_error": misclassification(w, dataset), "support_recovered": support, **norms}
    error = comparison.population_error(w, dataset)
    return {
        "population_error": error,
        "population_risk": error + _noise_variance(computation.experiment),
        "test_error": comparison.test_error(w, dataset),
        "support_recovered": support,
        **norms,
    }


def _claim(found: Fit, experiment: Experiment) -> tuple[Exactness, tuple[Condition, ...]]:
    """Exactness and conditions of a fit for what was run: a theorem on the flow is a limit for gradient descent."""
    if isinstance(experiment.flow, GradientDescent) and found.exactness is Exactness.exact:
        name = "step size tends to 0: the theorem is about the gradient flow"
        return Exactness.limit, (*found.conditions, Condition(name=name, holds=False, value=experiment.flow.step_size))
    return found.exactness, found.conditions


def _noise_variance(experiment: Experiment) -> float:
    """Of the labels; NaN where the data are given and nobody knows."""
    return float(getattr(experiment.dataset, "noise_variance", math.nan))


def _fit_report(found: Fit, computation: Computation) -> FitReport:
    exactness, conditions = _claim(found, computation.experiment)
    return FitReport(
        regularizer=found.regularizer,
        outcome=found.outcome,
        exactness=exactness,
        theorem=found.theorem,
        conditions=conditions,
        reason=found.reason,
        relative_residual=found.relative_residual,
        kkt_residual=found.kkt_residual,
        value=found.value,
        **quality(computation, found.w, found.predictions),
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


def _device(solution: FlowSolution | None) -> str:
    if solution is None or not solution.independent:
        return "cpu"  # theory's short cuts run in NumPy
    from initshape.flows.device import device_name

    return device_name()


def _resumed(solution: FlowSolution | None) -> Resumed | None:
    """Whose checkpoint it was is for whoever kept it to say."""
    if solution is None or solution.resumed_from is None:
        return None
    return Resumed(attempt=None, step=solution.resumed_from)


def _citations(experiment: Experiment, fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """References of what this experiment used, each once, as BibTeX."""
    found = [AZULAY_2021]
    if experiment.dataset.kind == "sparse_regression":
        found.append(WOODWORTH_2020)
    if isinstance(experiment.flow, GradientFlow) and experiment.flow.integrator != "limit":
        found.append(_TSITOURAS_2011 if experiment.flow.integrator == "tsit5" else _HAIRER_1996)
    found += [citation for fit in fits.values() for citation in fit.citations if fit.exactness is not Exactness.none]
    return tuple(dict.fromkeys(found))


_HAIRER_1996 = """@book{hairer1996solving,
  title = {Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems},
  author = {Hairer, Ernst and Wanner, Gerhard},
  publisher = {Springer},
  year = {1996},
  note = {Section IV.8, Radau IIA}
}"""
_TSITOURAS_2011 = """@article{tsitouras2011runge,
  title = {Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption},
  author = {Tsitouras, Charalampos},
  journal = {Computers \\& Mathematics with Applications},
  volume = {62},
  pages = {770--775},
  year = {2011}
}"""
