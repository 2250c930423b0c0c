"""Store records to the bodies of answers."""

from __future__ import annotations

from initshape.spec.estimate import Estimate
from initshape.store.forecast import expected_end
from initshape.store.records import JobRecord, Told
from initshape.store.sweeps import SweepCounts, SweepRecord
from initshape.store.uploads import Given
from service.schemas import (
    AttemptView,
    Counts,
    EstimateView,
    Job,
    JobSummary,
    SubmitterView,
    SweepView,
    ToldView,
    UploadView,
)
from service.tables import Labels

EXPERIMENTS = "/v1/experiments"
SWEEPS = "/v1/sweeps"
DATASETS = "/v1/datasets"
INITS = "/v1/inits"
TOKENS = "/v1/tokens"


def experiment_links(job_id: str) -> dict[str, str]:
    """Where to go on from one experiment."""
    own = f"{EXPERIMENTS}/{job_id}"
    parts = {"result": "result", "arrays": "arrays.npz", "dataset": "dataset.npz", "figure": "figure.png"}
    actions = {"events": "events", "cancel": "cancel", "rerun": "rerun"}
    return {"self": own, **{name: f"{own}/{part}" for name, part in (parts | actions).items()}}


def sweep_links(sweep_id: str) -> dict[str, str]:
    """Where to go on from one sweep."""
    own = f"{SWEEPS}/{sweep_id}"
    parts = {"table": "table.json", "csv": "table.csv", "figure": "figure.png", "events": "events", "cancel": "cancel",
             "retry": "retry"}  # fmt: skip
    return {"self": own, **{name: f"{own}/{part}" for name, part in parts.items()}}


def upload(given: Given) -> UploadView:
    """What is known of an upload."""
    id = given.upload.id
    own = f"{DATASETS if id.startswith('d-') else INITS}/{id}"
    shapes = {name: fact.shape for name, fact in given.upload.facts.items()}
    return UploadView(id=id, owner=given.owner, created=given.created, bytes=given.upload.size, arrays=shapes,
                      links={"self": own, "content": f"{own}/content.npz"})  # fmt: skip


def job(record: JobRecord) -> Job:
    """The whole record."""
    return Job(
        id=record.id,
        status=record.status,
        attempt=record.attempt,
        progress=record.progress,
        queue_position=record.position,
        eta=expected_end(record),
        outcome=record.outcome,
        expired=record.expired,
        error=record.error,
        owner=record.owner,
        worker=record.worker,
        created=record.created,
        queued=record.queued,
        started=record.started,
        finished=record.finished,
        submitters=tuple(
            SubmitterView(user=s.user, name=s.name, tags=s.tags, notes=s.notes, priority=s.priority)
            for s in record.submitters
        ),
        attempts=tuple(
            AttemptView(attempt=a.attempt, worker=a.worker, started=a.started, ended=a.ended, how=a.how)
            for a in record.attempts
        ),
        pinned=record.pinned,
        pinned_by=record.pins,
        webhooks=told(record.told),
        links=experiment_links(record.id),
    )


def told(attempts: tuple[Told, ...]) -> tuple[ToldView, ...]:
    """Attempts to deliver webhooks."""
    return tuple(ToldView(**vars(attempt)) for attempt in attempts)


def summary(record: JobRecord) -> JobSummary:
    """One line of a list; the name is that of the first submitter who gave one."""
    return JobSummary(
        id=record.id,
        status=record.status,
        attempt=record.attempt,
        progress=record.progress,
        outcome=record.outcome,
        expired=record.expired,
        error=record.error,
        name=next((s.name for s in record.submitters if s.name), None),
        tags=tuple(sorted({tag for s in record.submitters for tag in s.tags})),
        owner=record.owner,
        created=record.created,
        finished=record.finished,
        pinned=record.pinned,
        links={"self": f"{EXPERIMENTS}/{record.id}"},
    )


def sweep(record: SweepRecord, counts: SweepCounts) -> SweepView:
    """A sweep with its counts."""
    return SweepView(
        id=record.id,
        status=counts.status,
        counts=count_view(counts),
        name=record.name,
        tags=record.tags,
        notes=record.notes,
        owner=record.owner,
        created=record.created,
        kept=record.kept,
        webhooks=told(record.told),
        axes=Labels.decode(record.document["labels"]).columns,
        links=sweep_links(record.id),
    )


def count_view(counts: SweepCounts) -> Counts:
    """Cells by state."""
    return Counts(
        cells=counts.cells,
        cached=counts.cached,
        queued=counts.queued,
        running=counts.running,
        succeeded=counts.succeeded,
        failed=counts.failed,
        cancelled=counts.cancelled,
        missing=counts.missing,
    )


def estimate(found: Estimate) -> EstimateView:
    """Bytes and seconds."""
    return EstimateView(memory=found.memory, result=found.result, seconds=found.seconds)
