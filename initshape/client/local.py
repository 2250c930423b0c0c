"""The methods of `Client` without a server: everything is computed on this machine, sweeps on all of its cores.

A notebook moves to a shared server by changing one line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initshape.client.arrays import Arrays
from initshape.client.calls import Document, Json, plain
from initshape.client.computing import Computing, Report
from initshape.client.errors import NoServerError, UnknownIdError
from initshape.client.job import Job, ResultDocument
from initshape.client.meter import Meter
from initshape.client.places import is_sweep
from initshape.client.table import Table
from initshape.figures.table import SCALARS, column_names, row, to_csv
from initshape.spec.expand import Cell, columns, expand, shown_values, sweep_id
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.spec.problem import Problem, ProblemError, SpecError
from initshape.spec.status import Status
from initshape.spec.uploaded import Upload
from initshape.spec.validation import previewed, validated
from initshape.uploads.content import DATASET_ARRAYS, INIT_ARRAYS, dataset_upload, init_upload
from initshape.uploads.files import float_arrays, named_among, read_file

_LARGEST_UPLOAD = 2**34
"""Bytes; this machine's memory is the caller's own."""


@dataclass(frozen=True)
class _Label:
    name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sweep:
    cells: tuple[Cell, ...]
    names: Mapping[str, str]
    replicate: str | None
    label: _Label = field(default_factory=_Label)


class Local:
    """Computes at `submit` and keeps results in memory for as long as the object lives.

    `on_progress(id, progress)` is called while an experiment runs; `show_progress` shows a bar instead. A sweep that
    takes more than seconds is spread over `processes` (default: one a core) of one core each; one experiment, or a
    short sweep, is computed in this process. `key`, `force`, `timeout` and the like mean nothing here.
    Errors: SpecError for a wrong document, NoServerError for what only a server has (tokens, the audit, webhooks).
    """

    def __init__(
        self, on_progress: Report | None = None, *, show_progress: bool = False, processes: int | None = None
    ) -> None:
        self._computing = Computing(Meter("here").here if show_progress else on_progress, processes)
        self._labels: dict[str, _Label] = {}
        self._sweeps: dict[str, _Sweep] = {}
        self._uploads: dict[str, Upload] = {}

    def submit(self, document: Document, *, key: str | None = None) -> Job:
        """Computes an experiment, unless this object has its result."""
        submission = parse_submission(plain(document), self._uploads)
        id = self._computing.one(submission.experiment)
        self._labels[id] = _Label(submission.name, submission.tags)
        return self.status(id)

    def submit_many(self, documents: Iterable[Document], *, key: str | None = None) -> list[Json]:
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

    def submit_sweep(self, document: Document, *, key: str | None = None) -> Job:
        """Computes every cell that is not known yet. What breaks in one cell is raised when all others have ended."""
        submission = parse_sweep(plain(document))
        sweep = submission.sweep
        cells = expand(sweep, self._uploads)
        id = sweep_id(cells)
        names = column_names(columns(cells))
        replicate = names.get(sweep.replicate.path) if sweep.replicate else None
        self._sweeps[id] = _Sweep(cells, names, replicate, _Label(submission.name, submission.tags))
        return self.retry(id)

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
        found = _of(self._uploads, id)
        return {"id": id, "bytes": found.size, "arrays": {name: list(fact.shape) for name, fact in found.facts.items()}}

    def uploaded_arrays(self, id: str) -> Arrays:
        """The arrays of an upload as they are used, float64, by name."""
        found = _of(self._uploads, id)
        return Arrays(lambda: _copied(found.arrays or {}))

    def delete_upload(self, id: str, *, force: bool = False) -> Json:
        """Forgets an upload; results stay."""
        _of(self._uploads, id)
        del self._uploads[id]
        return {"id": id, "answer": "deleted"}

    def validate(self, document: Document) -> Json:
        """The resolved document of an experiment with id, estimate and warnings."""
        return validated(plain(document), self._uploads)

    def preview(self, document: Document) -> Json:
        """The cells of a sweep, how many are known, and an estimate."""
        return previewed(plain(document), self._computing.results, self._uploads)

    def status(self, id: str, *, wait: float = 0.0) -> Job:
        """What is known has succeeded; cells of a sweep that broke have failed."""
        if is_sweep(id):
            return self._sweep_status(id)
        label = self._labels.get(id, _Label())
        return Job(id=id, status=Status.succeeded.value, outcome=self.result(id)["outcome"], name=label.name,
                   tags=list(label.tags))  # fmt: skip

    def edit(self, id: str, *, force: bool = False, **changes: Any) -> Job:
        """Changes name and tags; `notes`, `pinned` and `kept` mean nothing here."""
        label = _Label(
            changes.get("name", self.status(id)["name"]), tuple(changes.get("tags", self.status(id)["tags"]))
        )
        if is_sweep(id):
            self._sweeps[id] = replace(self._sweeps[id], label=label)
        else:
            self._labels[id] = label
        return self.status(id)

    def updates(self, id: str, *, every: float = 1.0, timeout: float | None = None) -> Iterator[Job]:
        """The one state."""
        yield self.status(id)

    def wait(self, id: str, *, timeout: float | None = None, progress: bool = False) -> Job:
        """Nothing to wait for: `submit` has computed it."""
        return self.status(id)

    def result(self, id: str) -> ResultDocument:
        """The result document."""
        found: ResultDocument = _of(self._computing.results, id)[0]
        return found

    def arrays(self, id: str) -> Arrays:
        """The arrays of a result, by name."""
        return Arrays(lambda: _copied(_of(self._computing.results, id)[1]))

    def dataset(self, id: str) -> Arrays:
        """The data of an experiment: X (samples x features), y, and w_true, X_test, y_test where there are."""
        from initshape.datasets import build

        built = build(_of(self._computing.experiments, id).dataset)
        found = {name: getattr(built, name) for name in DATASET_ARRAYS}
        return Arrays(lambda: _copied({name: value for name, value in found.items() if value is not None}))

    def table(self, sweep_id: str) -> Table:
        """The sweep as rows, with the columns of the server's table."""
        sweep = _of(self._sweeps, sweep_id)
        axes = tuple(sweep.names.values())
        rows = []
        for cell in sweep.cells:
            known, _ = self._computing.results.get(cell.id, (None, {}))
            status, error = self._cell_status(cell.id), self._computing.broken.get(cell.id)
            values = shown_values(cell, sweep.names)
            rows.append(row(cell.id, status.value, values, sweep.names, known, error))
        return Table(sweep_id, axes, (*axes, *SCALARS), tuple(rows))

    def table_csv(self, sweep_id: str) -> bytes:
        """The same table as CSV."""
        found = self.table(sweep_id)
        return to_csv(found.columns, found.rows)

    def figure(self, id: str, kind: str | None = None, form: str = "png") -> bytes:
        """A picture as png, svg or pdf. Errors: FigureError."""
        from initshape.figures import experiment_figure, sweep_figure
        from initshape.figures.render import render

        results = self._computing.results
        if is_sweep(id):
            table, sweep = self.table(id), _of(self._sweeps, id)
            arrays = {cell.id: results[cell.id][1] for cell in sweep.cells if cell.id in results}
            drawn = sweep_figure(table.rows, table.axes, kind=kind, replicate=sweep.replicate, arrays=arrays)
            return render(drawn, form)
        result, own = _of(results, id)
        return render(experiment_figure(result, own, kind=kind), form)

    def experiments(self, *, limit: int = 20, where: Mapping[str, Any] | None = None, **filters: Any) -> Iterator[Job]:
        """What was computed here, newest first; filters: `status`, `tag`, `name`. Errors: SpecError for another one."""
        jobs = (self.status(id) for id in reversed(self._computing.results) if self._fits(id, where or {}))
        yield from _chosen(jobs, limit, **_known(filters))

    def sweeps(self, *, limit: int = 20, **filters: Any) -> Iterator[Job]:
        """Sweeps that were computed here, newest first; filters: `status`, `tag`, `name`. Errors: as above."""
        yield from _chosen((self.status(id) for id in reversed(self._sweeps)), limit, **_known(filters))

    def cancel(self, id: str, *, force: bool = False) -> Json:
        """Nothing to cancel: `submit` has computed it."""
        found = self.status(id)
        return found if is_sweep(id) else {"id": id, "answer": "unchanged", "status": found["status"]}

    def rerun(self, id: str) -> Job:
        """Computes an experiment again."""
        _of(self._computing.results, id)
        self._computing.one(self._computing.experiments[id], again=True)
        return self.status(id)

    def retry(self, sweep_id: str) -> Job:
        """Computes the cells of a sweep that have no result."""
        self._computing.many({cell.id: cell.experiment for cell in _of(self._sweeps, sweep_id).cells})
        return self.status(sweep_id)

    def delete(self, id: str, *, force: bool = False) -> Json:
        """Forgets a result, or the results of a sweep and the sweep."""
        forgotten = [cell.id for cell in _of(self._sweeps, id).cells] if is_sweep(id) else [id]
        if not is_sweep(id):
            _of(self._computing.results, id)
        for one in forgotten:
            self._computing.forget(one)
        self._sweeps.pop(id, None)
        return {"id": id, "answer": "deleted", "status": None}

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

        return view(evaluate(parse_evaluation(plain(document))))

    def draw(self, document: Document, form: str = "png") -> bytes:
        """A picture of a regularizer. Errors: SpecError, FigureError."""
        from initshape.figures.render import render
        from initshape.looks import draw

        return render(draw(plain(document)), form)

    def me(self) -> Json:
        """What a server without authentication says: the user `local`, an admin without limits."""
        names = ("reads_per_second", "writes_per_second", "active_jobs", "stored_bytes")
        results = (array.nbytes for _, arrays in self._computing.results.values() for array in arrays.values())
        stored = sum(results) + sum(upload.size for upload in self._uploads.values())
        return {"user": "local", "role": "admin", "token": None, "limits": dict.fromkeys(names),
                "usage": {"active_jobs": 0, "stored_bytes": stored}}  # fmt: skip

    def create_token(
        self, user: str, *, role: str = "member", label: str = "", expires_seconds: int | None = None
    ) -> Json:
        """A server's alone. Errors: NoServerError."""
        raise _no_server("tokens")

    def tokens(self) -> list[Json]:
        """A server's alone. Errors: NoServerError."""
        raise _no_server("tokens")

    def revoke_token(self, token_id: str) -> None:
        """A server's alone. Errors: NoServerError."""
        raise _no_server("tokens")

    def audit(self, *, limit: int = 20, **filters: str) -> Iterator[Json]:
        """A server's alone. Errors: NoServerError."""
        raise _no_server("audit")

    def webhook_secret(self) -> str:
        """A server's alone. Errors: NoServerError."""
        raise _no_server("webhooks")

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fits(self, id: str, where: Mapping[str, Any]) -> bool:
        document = self._computing.experiments[id].model_dump(mode="json")
        return all(_field(document, path) == value for path, value in where.items())

    def _cell_status(self, id: str) -> Status:
        return Status.succeeded if id in self._computing.results else Status.failed

    def _sweep_status(self, id: str) -> Job:
        sweep = _of(self._sweeps, id)
        failed = sum(self._cell_status(cell.id) is Status.failed for cell in sweep.cells)
        counts = {"cells": len(sweep.cells), "cached": 0, "queued": 0, "running": 0,
                  "succeeded": len(sweep.cells) - failed, "failed": failed, "cancelled": 0}  # fmt: skip
        status = Status.failed if failed else Status.succeeded
        return Job(id=id, status=status.value, counts=counts, name=sweep.label.name, tags=list(sweep.label.tags))

    def _keep(self, upload: Upload) -> str:
        self._uploads.setdefault(upload.id, upload)
        return upload.id


def _known(filters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Filters of lists. Errors: SpecError for what is none here: there is one user."""
    for name in filters.keys() - {"status", "tag", "name"}:
        problem = ProblemError(
            pointer=name, value=filters[name], allowed=["status", "tag", "name"], hint="no such filter"
        )
        raise SpecError("A filter is not known.", (problem,))
    return filters


def _chosen(
    jobs: Iterator[Job], limit: int, status: str | None = None, tag: str | None = None, name: str | None = None
) -> Iterator[Job]:
    """The first that meet every condition."""
    found = (
        job
        for job in jobs
        if tag in (None, *job["tags"]) and status in (None, job["status"]) and name in (None, job["name"])
    )
    return itertools.islice(found, limit)


def _copied(arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The caller's own, to write into."""
    return {name: np.array(value) for name, value in arrays.items()}


def _no_server(what: str) -> NoServerError:
    return NoServerError(f"Local() computes in this process and has no {what}: ask a server, through connect().")


def _field(document: Any, path: str) -> Any:
    """The value at a path such as init.shape; None where there is none."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _of(known: Mapping[str, Any], id: str) -> Any:
    """What has this id. Errors: UnknownIdError."""
    if id not in known:
        raise UnknownIdError(
            Problem(title="Not found", status=404, detail=f"Nothing with the id {id} was computed here.")
        )
    return known[id]
