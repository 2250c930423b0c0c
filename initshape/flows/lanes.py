"""Many gradient flows of one shape at once, as lanes of one compiled program: the way to fill an accelerator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from initshape.flows.cell import Cell
from initshape.flows.integrate import integrate
from initshape.flows.integrators import integrator_for
from initshape.flows.lane_driver import Callbacks, LaneDriver, Method
from initshape.flows.loss import AbstractLoss, SquareLoss
from initshape.models import AbstractModel
from initshape.models.kinks import has_kinks
from initshape.training.settings import Floats, FlowProgress, FlowSettings, FlowSolution


def integrate_many(
    model: AbstractModel,
    theta0: Floats,
    X: Floats,
    y: Floats,
    settings: FlowSettings | Sequence[FlowSettings],
    *,
    observers: Sequence[Mapping[str, Floats]] | None = None,
    coordinates: Sequence[Sequence[int]] | None = None,
    on_progress: Callable[[int, FlowProgress], None] | None = None,
    on_finished: Callable[[int, FlowSolution], None] | None = None,
    still_wanted: Callable[[int], bool] | None = None,
    loss: AbstractLoss | None = None,
    lanes: int | None = None,
    memory: int | None = None,
) -> list[FlowSolution | None]:
    """`integrate` for B cells; one solution a cell, in their order, and None for those that were not wanted to the end.

    Each solution equals that of `integrate` to 1e-10 in every number, its times and step counts included; only what is
    itself rounding differs (steps spent at a rounding floor, the invariant drift of a coordinate that was learned and
    unlearned). A cell that ends leaves its lane to the next one that waits. `seconds` of a solution is its share of the
    time that its batches took, and `max_seconds` counts from when it got a lane.

    Between blocks `on_progress(cell, progress)` is called for every cell that is under way, `on_finished(cell,
    solution)` once for every cell as soon as it ends, and `still_wanted(cell)` is asked: a cell that is not wanted any
    more leaves without a solution. What a callback raises ends all cells.

    At most `lanes` cells are integrated at once, and no more than fit into `memory` bytes of the device (default: what
    it has free, where it says so). Where that was too much after all the batch is halved and goes on from where it was.
    Networks with kinks go one after the other: their branches are switched on the host.

    **Shape**: theta0 (B, P); X (N, d) for all or (B, N, d); y (N,) for all or (B, N); settings, observers and
    coordinates one a cell (settings also one for all).
    **Errors**: ValueError as `integrate`, or for numbers of cells that differ; JaxRuntimeError (RESOURCE_EXHAUSTED)
    where not even one lane fits; numerical trouble is an outcome of the solution.
    """
    cells = _cells(model, theta0, X, y, settings, observers, coordinates)
    callbacks = Callbacks(on_progress or _ignored, on_finished or _ignored, still_wanted or (lambda cell: True))
    if len(cells) == 0:
        return []
    used = {cell.settings.integrator for cell in cells}
    integrators = {integrator_for(name, np.shape(y)[-1]) for name in used}
    if len(integrators) != 1:
        raise ValueError(f"all cells take one integrator, not {', '.join(sorted(used))}")
    if has_kinks(model):
        return _one_by_one(model, cells, loss, callbacks)
    method = Method(model, loss or SquareLoss(), integrators.pop())
    driver = LaneDriver(method, cells, shared=np.ndim(X) == 2, callbacks=callbacks, memory=memory, largest=lanes)
    with np.errstate(over="ignore", invalid="ignore"):
        return driver.go()


def _cells(
    model: AbstractModel,
    theta0: Floats,
    X: Floats,
    y: Floats,
    settings: FlowSettings | Sequence[FlowSettings],
    observers: Sequence[Mapping[str, Floats]] | None,
    coordinates: Sequence[Sequence[int]] | None,
) -> list[Cell]:
    theta0, X, y = (np.asarray(array, dtype=np.float64) for array in (theta0, X, y))
    number = len(theta0)
    every_X = np.broadcast_to(X, (number, *X.shape)) if X.ndim == 2 else X
    every_y = np.broadcast_to(y, (number, *y.shape)) if y.ndim == 1 else y
    every_setting = [settings] * number if isinstance(settings, FlowSettings) else list(settings)
    # Distances and coordinates are those of the predictor, which only linear networks have.
    targets = [dict(one) if model.linear else {} for one in (observers or [{}] * number)]
    columns = [list(one) if model.linear else [] for one in (coordinates or [[]] * number)]
    columns_of_cells = (theta0, every_X, every_y, every_setting, targets, columns)
    if any(len(column) != number for column in columns_of_cells):
        sizes = ", ".join(str(len(column)) for column in columns_of_cells)
        raise ValueError(f"theta0, X, y, settings, observers and coordinates are for {sizes} cells")
    return [Cell(index, *values) for index, values in enumerate(zip(*columns_of_cells, strict=True))]


def _one_by_one(
    model: AbstractModel, cells: Sequence[Cell], loss: AbstractLoss | None, callbacks: Callbacks
) -> list[FlowSolution | None]:
    found: list[FlowSolution | None] = []
    for cell in cells:
        try:
            solution = integrate(
                model,
                cell.theta,
                cell.X,
                cell.y,
                cell.settings,
                observers=cell.observers,
                coordinates=cell.coordinates,
                on_progress=partial(_watched, cell.index, callbacks),
                loss=loss,
            )
        except _UnwantedError:
            found.append(None)
            continue
        callbacks.on_finished(cell.index, solution)
        found.append(solution)
    return found


class _UnwantedError(Exception):
    """Nobody wants this cell any more."""


def _watched(index: int, callbacks: Callbacks, progress: FlowProgress) -> None:
    if not callbacks.still_wanted(index):
        raise _UnwantedError
    callbacks.on_progress(index, progress)


def _ignored(*_: object) -> None:
    """Nobody asked."""
