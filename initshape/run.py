"""One experiment from spec to result: the only place where all stages meet.

Numerical trouble leaves as an outcome; only broken machinery, and an observer that wants to stop, raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from initshape.datasets import Dataset
from initshape.datasets.shared import shared
from initshape.models import AbstractModel, initialize
from initshape.regularizers import Fit, Neighbours, fit
from initshape.regularizers.max_margin_registry import fit_margin
from initshape.report import Computation, arrays_of, result_of
from initshape.simulate import Progress, Task, feasible, simulate
from initshape.spec.defaults import LOG_TRAIN_LOSS
from initshape.spec.experiment import Experiment
from initshape.spec.result import Result
from initshape.training.checkpoint import NOWHERE, Checkpoints

if TYPE_CHECKING:
    from initshape.flows import FlowSolution

__all__ = ["Progress", "RunOutput", "run"]


@dataclass(frozen=True)
class RunOutput:
    """The result document and the arrays that belong to it, float64 (indices int64), by name."""

    result: Result
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """An experiment with its data and its fits, before anything is trained. `task` is what to train; None: nothing."""

    experiment: Experiment
    dataset: Dataset
    model: AbstractModel
    theta: NDArray[np.float64]
    fits: dict[str, Fit]
    task: Task | None


def run(
    experiment: Experiment,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    id: str = "",
    checkpoints: Checkpoints = NOWHERE,
) -> RunOutput:
    """Fits, simulates and compares. `on_progress` is called between compiled blocks; what it raises stops the run.

    `checkpoints` are those of the simulation; whatever else there is to do is done again.
    """
    report = on_progress or (lambda progress: None)
    prepared = prepare(experiment, report, checkpoints=checkpoints)
    return conclude(prepared, None if prepared.task is None else simulate(prepared.task), report, id)


def prepare(
    experiment: Experiment,
    report: Callable[[Progress], None],
    neighbours: Neighbours | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> Prepared:
    """The data set, the initial network and theory's answers; fits begin where `neighbours` point."""
    report(Progress("dataset", 0.0))
    dataset = shared(experiment.dataset)
    model, theta = initialize(experiment.model, experiment.init, dataset.dimension)

    if getattr(experiment.flow, "integrator", None) == "dual":
        neighbours = None  # the step sizes of that flow show every digit of where the implicit fit has ended

    fits: dict[str, Fit] = {}
    for k, name in enumerate(experiment.regularizers):
        report(Progress(f"fit {name}", 0.05 + 0.15 * k / len(experiment.regularizers)))
        fits[name] = _theory(name, experiment, dataset, model, theta, neighbours)

    task = None
    if experiment.flow.kind != "none" and feasible(experiment, dataset):
        # Targets are opaque to the flow: it only measures how far it is from them.
        targets = {name: found.w for name, found in fits.items() if found.w is not None}
        task = Task(
            experiment, dataset, model, theta, targets, report, known=fits.get("implicit"), checkpoints=checkpoints
        )
    return Prepared(experiment, dataset, model, theta, fits, task)


def conclude(
    prepared: Prepared, solution: FlowSolution | None, report: Callable[[Progress], None], id: str
) -> RunOutput:
    """Compares training with theory and writes it all down."""
    report(Progress("comparison", 0.95))
    computation = Computation(
        prepared.experiment, prepared.dataset, prepared.model, prepared.theta, prepared.fits, solution
    )
    arrays = arrays_of(computation)
    return RunOutput(result_of(computation, arrays, id), arrays)


def _theory(
    name: str,
    experiment: Experiment,
    dataset: Dataset,
    model: AbstractModel,
    theta: NDArray[np.float64],
    neighbours: Neighbours | None,
) -> Fit:
    """What theory says the training selects; in classification, at the loss that training is asked to reach."""
    if experiment.loss.kind == "square":
        return fit(name, dataset, model, theta, neighbours)
    return fit_margin(name, dataset, model, theta, gamma=-(experiment.stop.log_train_loss or LOG_TRAIN_LOSS))
