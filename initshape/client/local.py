"""The methods of `Client` without a server: everything is computed on this machine, sweeps on all of its cores.

A notebook moves to a shared server by changing one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initshape.client.client import Document, Json, Table, is_sweep
from initshape.client.errors import UnknownIdError
from initshape.figures.table import SCALARS, column_names, row, to_csv
from initshape.spec.expand import columns, expand, sweep_id
from initshape.spec.experiment import Experiment
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.spec.problem import Problem, SpecError
from initshape.spec.status import Status
from initshape.spec.uploaded import Upload
from initshape.uploads.content import DATASET_ARRAYS, INIT_ARRAYS, dataset_upload, init_upload
from initshape.uploads.files import float_arrays, named_among, read_file

if TYPE_CHECKING:
    from initshape.run import Progress


_LARGEST_UPLOAD = 2**34
"""Bytes; this machine's memory is the caller's own."""


@dataclass(frozen=True)
class _Sweep:
    cells: tuple[str, ...]
    values: tuple[Mapping[str, Any], ...]
    names: Mapping[str, str]
    replicate: str | None


class Local:
    """Computes at `submit` and keeps results in memory for as long as the object lives.

    `on_progress(id, progress)` is called while an experiment runs. A sweep that takes more than seconds is spread over
    `processes` (default: one a core) of one core each; one experiment, or a short sweep, is computed in this process.
    Errors: SpecError for a wrong document.
    """

    def __init__(
        self, on_progress: Callable[[str, Progress], None] | None = None, *, processes: int | None = None
    ) -> None:
        self._on_progress = on_progress
        self._processes = processes
        self._results: dict[str, tuple[Json, dict[str, NDArray[Any]]]] = {}
        self._sweeps: dict[str, _Sweep] = {}
        self._uploads: dict[str, Upload] = {}

    def upload(self, file: Path | str, *, init: bool = False, label: str | None = None) -> str:
        """Reads an .npz or .csv file as a data set, or an .npz as an initialization; answers its id."""
        return self._keep(read_file(Path(file), init=init, label=label, limit=_LARGEST_UPLOAD))

    def upload_dataset(self, **arrays: ArrayLike) -> str:
        """Takes X (samples x features), y, and X_test, y_test, w_true where there are; answers the id, d-..."""
        return self._keep(dataset_upload(named_among(DATASET_ARRAYS, float_arrays(arrays))))

    def upload_init(self, **arrays: ArrayLike) -> str:
        """Takes the arrays of an explicit initialization, matrices as layers_0, layers_1, ...; answers the id, i-..."""
        return self._keep(init_upload(named_among(INIT_ARRAYS, float_arrays(arrays))))

    def uploaded(self, id: str) -> Json:
        """Shapes and size of an upload."""
        if id not in self._uploads:
            raise _unknown(id)
        found = self._uploads[id]
        return {"id": id, "bytes": found.size, "arrays": {name: list(fact.shape) for name, fact in found.facts.items()}}

    def delete_upload(self, id: str) -> Json:
        """Forgets an upload; results stay."""
        self.uploaded(id)
        del self._uploads[id]
        return {"id": id, "answer": "deleted"}

    def submit(self, document: Document) -> Json:
        """Computes an experiment, unless this object has its result."""
        return self.status(self._compute(parse_submission(document, self._uploads).experiment))

    def submit_many(self, documents: Iterable[Document]) -> list[Json]:
        """Computes many experiments; the answers are those of Client.submit_many."""
        answers: list[Json] = []
        for line, document in enumerate(documents, 1):
            try:
                answers.append({"line": line, "status": 200, "body": self.submit(document), "problem": None})
            except SpecError as error:
                problem = Problem(title="Invalid document", status=error.status, detail=error.detail,
                                  errors=error.errors)  # fmt: skip
                told = problem.model_dump(mode="json")
                answers.append({"line": line, "status": error.status, "body": None, "problem": told})
        return answers

    def submit_sweep(self, document: Document) -> Json:
        """Computes every cell that is not known yet. What breaks in one cell is raised when all others have ended."""
        sweep = parse_sweep(document).sweep
        cells = expand(sweep, self._uploads)
        self._compute_many({cell.id: cell.experiment for cell in cells if cell.id not in self._results})
        id = sweep_id(cells)
        names = column_names(columns(cells))
        replicate = names.get(sweep.replicate.path) if sweep.replicate else None
        self._sweeps[id] = _Sweep(tuple(c.id for c in cells), tuple(c.values for c in cells), names, replicate)
        return self.status(id)

    def status(self, id: str, *, wait: float = 0.0) -> Json:
        """Everything that is known has succeeded."""
        if is_sweep(id):
            count = len(self._sweep(id).cells)
            counts = {"cells": count, "succeeded": count, "cached": 0, "queued": 0, "running": 0, "failed": 0}
            return {"id": id, "status": Status.succeeded.value, "counts": counts | {"cancelled": 0}}
        return {"id": id, "status": Status.succeeded.value, "outcome": self.result(id)["outcome"]}

    def updates(self, id: str, *, every: float = 1.0, timeout: float | None = None) -> Iterator[Json]:
        """The one state."""
        yield self.status(id)

    def wait(self, id: str, *, timeout: float | None = None) -> Json:
        """Nothing to wait for: `submit` has computed it."""
        return self.status(id)

    def result(self, id: str) -> Json:
        """The result document."""
        return self._known(id)[0]

    def arrays(self, id: str) -> dict[str, NDArray[Any]]:
        """The arrays of a result, by name."""
        return {name: np.array(value) for name, value in self._known(id)[1].items()}

    def table(self, sweep_id: str) -> Table:
        """The sweep as rows, with the columns of the server's table."""
        sweep = self._sweep(sweep_id)
        rows = (
            row(id, Status.succeeded.value, values, sweep.names, self.result(id), None)
            for id, values in zip(sweep.cells, sweep.values, strict=True)
        )
        axes = tuple(sweep.names.values())
        return Table(sweep_id, axes, (*axes, *SCALARS), tuple(rows))

    def table_csv(self, sweep_id: str) -> bytes:
        """The same table as CSV."""
        found = self.table(sweep_id)
        return to_csv(found.columns, found.rows)

    def figure(self, id: str, kind: str | None = None, form: str = "png") -> bytes:
        """A picture as png, svg or pdf. Errors: FigureError."""
        from initshape.figures import experiment_figure, sweep_figure
        from initshape.figures.render import render

        if is_sweep(id):
            table, sweep = self.table(id), self._sweep(id)
            cells = {cell: self._known(cell)[1] for cell in sweep.cells}
            drawn = sweep_figure(table.rows, table.axes, kind=kind, replicate=sweep.replicate, arrays=cells)
            return render(drawn, form)
        result, arrays = self._known(id)
        return render(experiment_figure(result, arrays, kind=kind), form)

    def catalog(self) -> Json:
        """What this release knows."""
        from initshape.catalog import catalog

        return catalog()

    def presets(self) -> Json:
        """The published figures as documents."""
        from initshape.presets import presets

        return {"presets": [preset.view() for preset in presets()]}

    def evaluate(self, document: Document) -> Json:
        """A regularizer's value, gradient, inverse or profile at points or on a grid. Errors: SpecError."""
        from initshape.regularizers.evaluate import evaluate, view
        from initshape.spec.parse import parse_evaluation

        return view(evaluate(parse_evaluation(document)))

    def _compute(self, experiment: Experiment) -> str:
        id = experiment_id(experiment)
        if id not in self._results:
            from initshape.run import run

            report = self._on_progress
            output = run(experiment, None if report is None else lambda progress: report(id, progress), id=id)
            self._results[id] = (output.result.model_dump(mode="json"), output.arrays)
        return id

    def _compute_many(self, experiments: Mapping[str, Experiment]) -> None:
        from initshape.batch import Cell, run_many
        from initshape.spread import cores, spread, worth_spreading

        stops: list[BaseException] = []

        def report(id: str, progress: Progress) -> None:
            try:
                if self._on_progress is not None:
                    self._on_progress(id, progress)
            except BaseException as stop:  # the wish of whoever watches, and not the end of one cell
                stops.append(stop)
                raise

        cells = [Cell(experiment, id, partial(report, id)) for id, experiment in experiments.items()]
        processes = cores() if self._processes is None else self._processes
        ends = spread(cells, processes) if processes > 1 and worth_spreading(cells) else run_many(cells)
        broken: BaseException | None = None
        for number, end in ends:
            if stops:
                raise stops[0]
            if isinstance(end, BaseException):
                broken = broken or end
            else:
                self._results[cells[number].id] = (end.result.model_dump(mode="json"), end.arrays)
        if broken is not None:
            raise broken

    def _keep(self, upload: Upload) -> str:
        self._uploads.setdefault(upload.id, upload)
        return upload.id

    def _known(self, id: str) -> tuple[Json, dict[str, NDArray[Any]]]:
        if id not in self._results:
            raise _unknown(id)
        return self._results[id]

    def _sweep(self, id: str) -> _Sweep:
        if id not in self._sweeps:
            raise _unknown(id)
        return self._sweeps[id]


def _unknown(id: str) -> UnknownIdError:
    return UnknownIdError(Problem(title="Not found", status=404, detail=f"Nothing with the id {id} was computed here."))
