"""The simulation that a spec asks for: which flow, with which settings. JAX is loaded here, for those that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from initshape.datasets import Dataset
from initshape.dual import integrate_dual, limit
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers import Fit
from initshape.regularizers.per_dataset import constraints_of, once_per_dataset
from initshape.spec.defaults import DESCENT_STEPS, FLOW_STEPS, LOG_TRAIN_LOSS, RELATIVE_RESIDUAL
from initshape.spec.experiment import Experiment
from initshape.spec.feasibility import INCONSISTENT, relative_least_squares_residual
from initshape.spec.flow import GradientDescent, GradientFlow
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints
from initshape.training.settings import FlowProgress, FlowSettings, FlowSolution

if TYPE_CHECKING:
    from initshape.flows.gradient_descent import DescentSettings
    from initshape.flows.margin import MarginSettings

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """Where a run is: stage, fraction of the whole in [0, 1], and the flow's own state while it integrates."""

    stage: str
    fraction: float
    time: float | None = None
    steps: int | None = None
    relative_residual: float | None = None


def feasible(experiment: Experiment, dataset: Dataset) -> bool:
    """Whether any parameters can fit the data: a linear network needs y in the range of X.

    Separability of classes is the margin flow's own first question, and a limit is asked for by way of the fit, which
    says itself whether it exists.
    """
    if getattr(experiment.flow, "integrator", None) == "limit":
        return True
    if experiment.loss.kind != "square" or getattr(experiment.model, "activation", "identity") != "identity":
        return True
    return _least_squares_residual(dataset) <= INCONSISTENT


@once_per_dataset
def _least_squares_residual(dataset: Dataset) -> float:
    return relative_least_squares_residual(dataset.X, dataset.y)


def whole(fraction: float) -> float:
    """From the fraction of a flow to that of the run that it is the largest part of."""
    return 0.2 + 0.75 * fraction


@dataclass(frozen=True, eq=False)
class Task:
    """One network to train as `experiment.flow` says. **Shape**: theta (P,), targets (d,).

    `checkpoints` are kept by every method but `limit`, which integrates nothing, and lanes (`simulate_many`).
    `known`, theory's answer, is for `integrator: limit`, which is that answer, and for `dual`, which would look for it
    to know how small its errors must be. No simulation sees it.
    """

    experiment: Experiment
    dataset: Dataset
    model: AbstractModel
    theta: Vector
    targets: Mapping[str, Vector]
    report: Callable[[Progress], None]
    known: Fit | None = None
    checkpoints: Checkpoints = NOWHERE

    def on_block(self, state: FlowProgress) -> None:
        """Passes the progress of a flow on."""
        self.report(Progress("flow", whole(state.fraction), state.time, state.steps, state.relative_residual))

    @property
    def coordinates(self) -> list[int]:
        """Coordinates of w to keep along the flow."""
        return [int(k) for k in saved_coordinates(self.dataset, self.experiment.trajectory.coordinates)]


def simulate(task: Task) -> FlowSolution:
    """Trains the network; what `report` raises ends it."""
    experiment, dataset, model, targets = task.experiment, task.dataset, task.model, task.targets
    task.report(Progress("flow", 0.2))
    if isinstance(experiment.flow, GradientFlow) and experiment.flow.integrator == "limit":
        wanted = experiment.stop.relative_residual or RELATIVE_RESIDUAL
        return limit(model, task.theta, dataset, relative_residual=wanted, known=task.known)
    arguments = (model, task.theta, dataset.X, dataset.y)
    coordinates, on_block = task.coordinates, task.on_block
    if isinstance(experiment.flow, GradientFlow) and experiment.flow.integrator == "dual":
        assert isinstance(model, Diagonal)  # noqa: S101 - the spec allows no other
        return integrate_dual(
            model,
            *arguments[1:],
            flow_settings(experiment, experiment.flow),
            observers=targets,
            coordinates=coordinates,
            on_progress=on_block,
            constraints=constraints_of(dataset),
            limit=None if task.known is None or task.known.outcome is not Outcome.converged else task.known.state,
            checkpoints=task.checkpoints,
        )
    from initshape.flows import integrate
    from initshape.flows.gradient_descent import descend
    from initshape.flows.margin import integrate_margin

    if isinstance(experiment.flow, GradientDescent):
        settings = _descent_settings(experiment, experiment.flow)
        return descend(
            *arguments,
            settings,
            observers=targets,
            coordinates=coordinates,
            on_progress=on_block,
            checkpoints=task.checkpoints,
        )
    assert isinstance(experiment.flow, GradientFlow)  # noqa: S101 - run() simulates nothing for `none`
    if experiment.loss.kind != "square":
        return integrate_margin(
            *arguments,
            _margin_settings(experiment, experiment.flow),
            loss=experiment.loss.kind,
            observers=targets,
            coordinates=coordinates,
            on_progress=on_block,
            checkpoints=task.checkpoints,
        )
    options = flow_settings(experiment, experiment.flow)
    return integrate(
        *arguments,
        options,
        observers=targets,
        coordinates=coordinates,
        on_progress=on_block,
        checkpoints=task.checkpoints,
    )


def flow_settings(experiment: Experiment, flow: GradientFlow) -> FlowSettings:
    """Tolerances and stop rules of a gradient flow with square loss."""
    stop = experiment.stop
    return FlowSettings(
        rtol=flow.rtol,
        atol=flow.atol,
        completion=flow.completion == "auto",
        relative_residual=stop.relative_residual or RELATIVE_RESIDUAL,
        max_time=stop.max_time,
        max_steps=stop.max_steps or FLOW_STEPS,
        max_seconds=stop.max_seconds,
        points=experiment.trajectory.points,
        integrator=flow.integrator,
    )


def _margin_settings(experiment: Experiment, flow: GradientFlow) -> MarginSettings:
    from initshape.flows.margin import MarginSettings

    stop = experiment.stop
    return MarginSettings(
        log_train_loss=stop.log_train_loss or LOG_TRAIN_LOSS,
        rtol=flow.rtol,
        atol=flow.atol,
        max_time=stop.max_time,
        max_steps=stop.max_steps or FLOW_STEPS,
        max_seconds=stop.max_seconds,
        points=experiment.trajectory.points,
    )


def _descent_settings(experiment: Experiment, flow: GradientDescent) -> DescentSettings:
    from initshape.flows.gradient_descent import DescentSettings

    stop = experiment.stop
    return DescentSettings(
        step_size=flow.step_size,
        momentum=flow.momentum,
        batch_size=flow.batch_size,
        seed=flow.seed or 0,
        relative_residual=stop.relative_residual or RELATIVE_RESIDUAL,
        max_time=stop.max_time,
        max_steps=stop.max_steps or DESCENT_STEPS,
        max_seconds=stop.max_seconds,
        points=experiment.trajectory.points,
    )


def saved_coordinates(dataset: Dataset, count: int) -> NDArray[np.int64]:
    """Coordinates of w to keep along the flow: the truth's support first, then the lowest indices; sorted."""
    order = np.arange(dataset.dimension)
    if dataset.w_true is not None:
        order = np.argsort(dataset.w_true == 0.0, kind="stable")
    return np.sort(order[: min(count, dataset.dimension)]).astype(np.int64)
