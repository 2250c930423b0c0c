"""Experiments computed on this machine and kept in memory, for `Local`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from initshape.client.job import ResultDocument
from initshape.spec.experiment import Experiment
from initshape.spec.identity import experiment_id

if TYPE_CHECKING:
    from initshape.run import Progress

Report = Callable[[str, "Progress"], None]


class Computing:
    """Results by id: each is computed once. `broken` has what was raised instead of a result."""

    def __init__(self, report: Report | None, processes: int | None) -> None:
        self._report = report
        self._processes = processes
        self.results: dict[str, tuple[ResultDocument, dict[str, NDArray[Any]]]] = {}
        self.experiments: dict[str, Experiment] = {}
        self.broken: dict[str, str] = {}

    def one(self, experiment: Experiment, *, again: bool = False) -> str:
        """The id of an experiment whose result is there afterwards."""
        id = experiment_id(experiment)
        if again or id not in self.results:
            from initshape.run import run

            report = self._report
            output = run(experiment, None if report is None else lambda progress: report(id, progress), id=id)
            self._keep(id, experiment, output)
        return id

    def many(self, experiments: Mapping[str, Experiment]) -> None:
        """Every one that is not known yet, on all cores. What breaks in one is raised when all others have ended."""
        from initshape.batch import Cell, run_many
        from initshape.spread import cores, spread, worth_spreading

        stops: list[BaseException] = []

        def report(id: str, progress: Progress) -> None:
            try:
                if self._report is not None:
                    self._report(id, progress)
            except BaseException as stop:  # the wish of whoever watches, and not the end of one cell
                stops.append(stop)
                raise

        wanted = {id: experiment for id, experiment in experiments.items() if id not in self.results}
        cells = [Cell(experiment, id, partial(report, id)) for id, experiment in wanted.items()]
        processes = cores() if self._processes is None else self._processes
        ends = spread(cells, processes) if processes > 1 and worth_spreading(cells) else run_many(cells)
        broken: BaseException | None = None
        for number, end in ends:
            if stops:
                raise stops[0]
            id = cells[number].id
            if isinstance(end, BaseException):
                broken = broken or end
                self.broken[id] = f"{type(end).__name__}: {end}"
            else:
                self._keep(id, wanted[id], end)
        if broken is not None:
            raise broken

    def forget(self, id: str) -> None:
        """Without its result."""
        self.results.pop(id, None)
        self.experiments.pop(id, None)

    def _keep(self, id: str, experiment: Experiment, output: Any) -> None:
        self.results[id] = (ResultDocument(output.result.model_dump(mode="json")), output.arrays)
        self.experiments[id] = experiment
        self.broken.pop(id, None)
