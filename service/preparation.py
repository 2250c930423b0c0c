"""From a decoded document to what the store takes. Pure and CPU-bound: fit for a thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initshape.figures.table import column_names
from initshape.spec.estimate import Estimate, Limits, refuse_beyond, warnings
from initshape.spec.expand import axis_values, columns, expand, sweep_id
from initshape.spec.experiment import Experiment, Submission
from initshape.spec.identity import resolved, resolved_id
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.sweep import Sweep, SweepSubmission
from initshape.spec.uploaded import Uploads
from initshape.store import queue_for
from initshape.store.jobs import JobRequest
from initshape.store.records import Hook, Submitter
from service.collector import resting
from service.tables import Labels

LARGEST_EXPANSION = 1 << 28
"""Cells times bytes of the document, about what validating all of its cells takes in memory."""


@dataclass(frozen=True)
class PreparedExperiment:
    """One experiment, valid and within the limits."""

    submission: Submission
    request: JobRequest
    estimate: Estimate
    size: int  # of the document, in bytes


@dataclass(frozen=True)
class PreparedSweep:
    """A sweep, every cell valid and within the limits. `estimate`: memory of the largest cell, the rest summed.

    `stored` is what the store keeps of it.
    """

    id: str
    submission: SweepSubmission
    requests: tuple[JobRequest, ...]
    labels: Labels
    stored: dict[str, Any]
    estimate: Estimate
    warnings: tuple[str, ...]


def prepare_experiment(document: Any, size: int, uploads: Uploads, limits: Limits) -> PreparedExperiment:
    """Errors: SpecError. `size` is that of the document in bytes, `uploads` what it may name."""
    submission = parse_submission(document, uploads)
    found = refuse_beyond(limits, submission.experiment)
    document = resolved(submission.experiment)
    request = _request(resolved_id(document), submission.experiment, document, found)
    return PreparedExperiment(submission, request, found, size)


def prepare_sweep(document: Any, size: int, uploads: Uploads, limits: Limits) -> PreparedSweep:
    """Errors: SpecError. Arguments as for one experiment."""
    with resting():
        return _prepared(document, size, uploads, limits)


def _prepared(document: Any, size: int, uploads: Uploads, limits: Limits) -> PreparedSweep:
    submission = parse_sweep(document)
    _refuse_expansion(submission.sweep, size)
    cells = expand(submission.sweep, uploads)
    estimates = [refuse_beyond(limits, cell.experiment, "/sweep/base") for cell in cells]
    labels = Labels.of(cells, column_names(columns(cells)), submission.sweep.replicate)
    stored = {"labels": labels.encode(), "submission": submission.model_dump(mode="json", exclude_none=True)}
    requests = tuple(
        _request(cell.id, cell.experiment, cell.document, found) for cell, found in zip(cells, estimates, strict=True)
    )
    total = Estimate(
        max(e.memory for e in estimates), sum(e.result for e in estimates), sum(e.seconds for e in estimates)
    )
    notes = {note: None for cell, e in zip(cells, estimates, strict=True) for note in warnings(cell.experiment, e)}
    return PreparedSweep(sweep_id(cells), submission, requests, labels, stored, total, tuple(notes))


def submitter(user: str, submission: Submission | SweepSubmission) -> Submitter:
    """Who asks, and what that user calls it."""
    hook = Hook(f"user:{user}", submission.webhook.url) if submission.webhook else None
    return Submitter(user, submission.name, submission.tags, submission.notes, submission.priority, hook)


def _request(identity: str, experiment: Experiment, document: Mapping[str, Any], found: Estimate) -> JobRequest:
    return JobRequest(
        id=identity,
        document=document,
        queue=queue_for(experiment.resources.device).value,
        batch=_batch(experiment),
        max_seconds=experiment.stop.max_seconds,
        seconds=found.seconds,
    )


def _batch(experiment: Experiment) -> str:
    """Jobs of one batch have the same kinds and shapes, so that one program can compute them together."""
    data, model = experiment.dataset, experiment.model
    fields = (getattr(model, name) for name in type(model).model_fields)
    parts = (*fields, experiment.loss.kind, experiment.flow.kind, data.samples, data.dimension)
    return ":".join(map(str, parts))


def _refuse_expansion(sweep: Sweep, size: int) -> None:
    """A large document times many cells would fill the memory before any cell could be refused."""
    lengths = [len(axis_values(axis)) for axis in sweep.axes] + [len(zipped.values) for zipped in sweep.zip]
    lengths += [len(sweep.replicate.values)] if sweep.replicate else []
    cells = (math.prod(lengths) if lengths else 0) + len(sweep.list)
    if cells * size > LARGEST_EXPANSION:
        most = LARGEST_EXPANSION // size
        problem = ProblemError(
            pointer="/sweep", value=cells, allowed=f"at most {most} cells of a document of {size} bytes",
            hint="shorten an axis, or make the inline data smaller",
        )  # fmt: skip
        raise SpecError(f"The sweep has {cells} cells of a document of {size} bytes.", (problem,))
