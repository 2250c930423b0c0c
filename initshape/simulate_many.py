"""Many networks to train: one after the other, or, on an accelerator, those of one shape as lanes of one program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from initshape.simulate import Progress, Task, flow_settings, simulate
from initshape.spec.flow import GradientFlow
from initshape.training.settings import FlowProgress, FlowSolution

PASSES_THROUGH = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a whole batch. Whatever else is raised ends one cell."""

Trained = FlowSolution | BaseException | None
Numbered = tuple[int, Task | BaseException | None]


def simulate_many(tasks: Iterable[Numbered]) -> Iterator[tuple[int, Trained]]:
    """Trains many networks; solutions come with the numbers of their tasks, as they are ready.

    Whatever ends one of them (what its `report` raises, broken machinery) is its answer, and no concern of the others.
    What is no task passes through. One after the other, each task is asked for when the one before it has been
    answered; where lanes are wanted (`flows.device.lanes_wanted`), all tasks are asked for first.
    """
    waiting = iter(tasks)
    for number, task in waiting:
        if isinstance(task, Task) and _lanes(task):
            yield from _together([(number, task), *waiting])
            return
        yield number, _alone(task)


def _alone(task: Task | BaseException | None) -> Trained:
    try:
        return simulate(task) if isinstance(task, Task) else task
    except PASSES_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - the caller knows what it means
        return error


def _lanes(task: Task) -> bool:
    """Whether this task may share a program with others, on a device that gains by it."""
    flow = task.experiment.flow
    if not isinstance(flow, GradientFlow) or flow.integrator in ("dual", "limit"):
        return False
    if task.experiment.loss.kind != "square":
        return False
    from initshape.flows.device import lanes_wanted

    return lanes_wanted()


def _together(tasks: Sequence[Numbered]) -> Iterator[tuple[int, Trained]]:
    """Groups of one network and one shape of data go through `integrate_many`, whatever is alone by itself."""
    groups: dict[Any, list[tuple[int, Task]]] = defaultdict(list)
    for number, task in tasks:
        if isinstance(task, Task) and _lanes(task):
            flow = task.experiment.flow
            groups[task.model, task.dataset.X.shape, getattr(flow, "integrator", None)].append((number, task))
        else:
            yield number, _alone(task)
    for group in groups.values():
        if len(group) == 1:
            yield group[0][0], _alone(group[0][1])
        else:
            yield from _one_program(group)


def _one_program(group: Sequence[tuple[int, Task]]) -> Iterator[tuple[int, Trained]]:
    from initshape.flows import integrate_many

    ended: dict[int, BaseException] = {}

    def watched(lane: int, state: FlowProgress | None) -> None:
        task = group[lane][1]
        try:
            task.report(Progress("flow", 0.2)) if state is None else task.on_block(state)
        except PASSES_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 - the answer of this cell, not the end of the others
            ended[lane] = error

    for lane in range(len(group)):
        watched(lane, None)
    cells = [task for _, task in group]
    first = cells[0].dataset
    same = all(task.dataset.X is first.X for task in cells)
    try:
        found: Sequence[Trained] = integrate_many(
            cells[0].model,
            np.stack([task.theta for task in cells]),
            first.X if same else np.stack([task.dataset.X for task in cells]),
            np.stack([task.dataset.y for task in cells]),
            [flow_settings(task.experiment, task.experiment.flow) for task in cells],  # type: ignore[arg-type]
            observers=[task.targets for task in cells],
            coordinates=[task.coordinates for task in cells],
            on_progress=watched,
            still_wanted=lambda lane: lane not in ended,
        )
    except PASSES_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - broken machinery ends all that shared it
        found = [error] * len(group)
    for lane, (number, _) in enumerate(group):
        yield number, ended.get(lane, found[lane])
