"""Many experiments in one process, each to its own end: what they share is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from initshape.regularizers import Neighbours
from initshape.run import Prepared, RunOutput, conclude, prepare
from initshape.simulate import Progress, Task
from initshape.simulate_many import PASSES_THROUGH, simulate_many
from initshape.spec.experiment import Experiment
from initshape.training.checkpoint import NOWHERE, Checkpoints


def _unwatched(_: Progress) -> None:
    """Nobody asked for progress."""


@dataclass(frozen=True)
class Cell:
    """One experiment of a batch. `report` is called first when its turn comes; what it raises ends this cell."""

    experiment: Experiment
    id: str = ""
    report: Callable[[Progress], None] = field(default=_unwatched)
    checkpoints: Checkpoints = NOWHERE


def run_many(
    cells: Iterable[Cell], neighbours: Neighbours | None = None
) -> Iterator[tuple[int, RunOutput | BaseException]]:
    """Runs cells, and gives the number of each with its output, or with what was raised in it, as soon as it ends.

    Outputs are those of `run` to 1e-10 in every number but those that say how much work was done (`iterations` of fits,
    seconds): data sets and what depends on them only are computed once, and each fit begins where earlier ones point,
    those of `neighbours` included.
    """
    near = neighbours if neighbours is not None else Neighbours()
    waiting: dict[int, tuple[Cell, Prepared]] = {}

    def tasks() -> Iterator[tuple[int, Task | BaseException | None]]:
        for number, cell in enumerate(cells):
            try:
                prepared = prepare(cell.experiment, cell.report, near, cell.checkpoints)
            except PASSES_THROUGH:
                raise
            except BaseException as error:  # noqa: BLE001 - the answer of this cell, not the end of the others
                yield number, error
                continue
            waiting[number] = (cell, prepared)
            yield number, prepared.task

    for number, trained in simulate_many(tasks()):
        if isinstance(trained, BaseException):
            waiting.pop(number, None)
            yield number, trained
            continue
        cell, prepared = waiting.pop(number)
        end: RunOutput | BaseException
        try:
            end = conclude(prepared, trained, cell.report, cell.id)
        except PASSES_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            end = error
        yield number, end
