"""Bodies of the answers. Requests are the documents of initshape.spec; results are initshape.spec.result."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from initshape.spec.identity import ID_PATTERN
from initshape.spec.problem import JobError, Problem
from initshape.spec.status import Status
from initshape.spec.uploaded import DATASET_ID, INIT_ID

EXPERIMENT_PATTERN = ID_PATTERN.replace("[xs]", "x")
SWEEP_PATTERN = ID_PATTERN.replace("[xs]", "s")
DATASET_PATTERN, INIT_PATTERN = DATASET_ID, INIT_ID
ExperimentId = Annotated[str, Field(pattern=EXPERIMENT_PATTERN, examples=["x-aaaaaaaaaaaaaaaaaaaaaaaaaa"])]
SweepId = Annotated[str, Field(pattern=SWEEP_PATTERN, examples=["s-aaaaaaaaaaaaaaaaaaaaaaaaaa"])]
Links = Annotated[dict[str, str], Field(description="Paths on this server, by what they lead to.")]


class Answer(BaseModel):
    """Base of the bodies."""

    model_config = ConfigDict(frozen=True)


class Accepted(Answer):
    """Answer to a submission, the same body whether the result is stored (200) or will be (202)."""

    id: ExperimentId
    status: Status
    links: Links


class LineAnswer(Answer):
    """Answer to one line of a batch: what the line alone would have got. One of `body` and `problem` is null."""

    line: Annotated[int, Field(ge=1, description="Of the request, blank ones counted.")]
    status: Annotated[int, Field(description="HTTP status of this line.")]
    body: Accepted | None
    problem: Problem | None


class SubmitterView(Answer):
    """Who wants the job and what they call it."""

    user: str
    name: str | None
    tags: tuple[str, ...]
    notes: str | None
    priority: int


class AttemptView(Answer):
    """One ended attempt."""

    attempt: int
    worker: str | None
    started: datetime | None
    ended: datetime | None
    how: Annotated[str, Field(description="finished, failed, stopped, handed_over, returned (never begun) or lost")]


class ToldView(Answer):
    """One attempt to deliver a webhook."""

    user: str
    target: Annotated[str, Field(description="Without the path, which may hold a secret.")]
    tries: int
    at: datetime
    answer: Annotated[int | None, Field(description="HTTP status of the receiver; null where none came.")]
    error: str | None
    left: Annotated[bool, Field(description="It will be tried again.")]


class WebhookSecret(Answer):
    """What the caller's webhooks are signed with."""

    secret: Annotated[str, Field(description="whsec_ and base64, as standardwebhooks.com has it.")]


class Job(Answer):
    """State of one experiment. A finished computation is `succeeded` whatever its numerical outcome."""

    id: ExperimentId
    status: Status
    attempt: Annotated[int, Field(description="0 before the first claim, one more with each.")]
    progress: dict[str, Any] | None
    queue_position: Annotated[int | None, Field(description="Jobs that will be claimed before this one.")]
    eta: Annotated[
        datetime | None,
        Field(
            description="Expected end. Running: at the pace so far, or as long as jobs of its shape took of late. "
            "Queued: after what is before it, at the pace of the queue. Null where nothing like it has been computed, "
            "no worker is there, or it takes longer than expected already."
        ),
    ]
    outcome: str | None
    expired: Annotated[bool, Field(description="Succeeded, and the result is no longer kept.")]
    error: JobError | None
    owner: str
    worker: str | None
    created: datetime
    queued: datetime | None
    started: datetime | None
    finished: datetime | None
    submitters: tuple[SubmitterView, ...]
    attempts: tuple[AttemptView, ...]
    pinned: Annotated[bool, Field(description="The result is kept for ever.")]
    pinned_by: Annotated[tuple[str, ...], Field(description="Who keeps it: user:NAME, and sweep:ID of kept sweeps.")]
    webhooks: Annotated[tuple[ToldView, ...], Field(description="The last attempts to tell of its end.")]
    links: Links


class Ended(Answer):
    """Data of the final event of an experiment."""

    id: ExperimentId
    status: Status
    attempt: int
    outcome: str | None
    error: JobError | None
    links: Links


class Gone(Answer):
    """Data of the final event of what was deleted meanwhile."""

    id: str
    status: Literal["deleted"] = "deleted"


class Reconnect(Answer):
    """Data of the event that ends a connection: ask again with `Last-Event-ID`."""

    reason: Annotated[str, Field(description="time: it lasted long enough; stopping: the server; store: it is away")]


class JobSummary(Answer):
    """One line of a list."""

    id: ExperimentId
    status: Status
    attempt: int
    progress: dict[str, Any] | None
    outcome: str | None
    expired: bool
    error: JobError | None
    name: str | None
    tags: tuple[str, ...]
    owner: str
    created: datetime
    finished: datetime | None
    pinned: bool
    links: Links


class JobPage(Answer):
    """Newest first. Ask again with `cursor=next` for older ones; null at the end.

    With filters a page may be short, even empty, and be continued: each looks at a bounded number of experiments.
    """

    items: tuple[JobSummary, ...]
    next: str | None


class EstimateView(Answer):
    """Orders of magnitude: bytes at the peak, bytes stored, seconds on one core."""

    memory: int
    result: int
    seconds: float


class WithdrawalAnswer(StrEnum):
    """What became of a wish to stop or delete."""

    unchanged = "unchanged"
    withdrawn = "withdrawn"
    stopped = "stopped"
    deleted = "deleted"


class Withdrawal(Answer):
    """What became of a cancel or delete."""

    id: ExperimentId
    answer: Annotated[
        WithdrawalAnswer,
        Field(description="withdrawn: others still want it. stopped, deleted: at once, or as soon as it has stopped."),
    ]
    status: Annotated[Status | None, Field(description="After it; null where the record has gone.")]


class Validated(Answer):
    """What would be computed. Nothing was stored."""

    id: ExperimentId
    spec: Annotated[dict[str, Any], Field(description="The document with every default filled in; send it as it is.")]
    estimate: EstimateView
    warnings: tuple[str, ...]


class Counts(Answer):
    """Cells of a sweep by state; `cached` were succeeded already when it was submitted and count in succeeded too."""

    cells: int
    cached: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    missing: Annotated[int, Field(description="Deleted, or expired together with their record.")]


class SweepView(Answer):
    """State of a sweep; terminal when nothing is queued or running. `failed` when a cell failed, else `cancelled` when
    a cell was cancelled."""

    id: SweepId
    status: Status
    counts: Counts
    name: str | None
    tags: tuple[str, ...]
    notes: str | None
    owner: str
    created: datetime
    kept: Annotated[bool, Field(description="It and the results of its cells are kept for ever.")]
    axes: Annotated[dict[str, str], Field(description="Swept path -> its column in the table.")]
    webhooks: Annotated[tuple[ToldView, ...], Field(description="The last attempts to tell of its end.")] = ()
    links: Links


class SweepDeletion(Answer):
    """The sweep is forgotten."""

    id: SweepId
    answer: Literal["deleted"] = "deleted"


class SweepProgress(Answer):
    """Data of an event of a sweep."""

    status: Status
    counts: Counts


class SweepEnded(Answer):
    """Data of the final event of a sweep."""

    id: SweepId
    status: Status
    counts: Counts
    links: Links


class SweepPage(Answer):
    """Newest first."""

    items: tuple[SweepView, ...]
    next: str | None


class PreviewCell(Answer):
    """One cell as it would be submitted."""

    id: ExperimentId
    values: dict[str, Any]
    status: Annotated[Status | None, Field(description="Of the stored job; null where there is none.")]


class SweepPreview(Answer):
    """What a sweep would do. Nothing was stored."""

    id: SweepId
    counts: Annotated[dict[str, int], Field(description="cells, and how many of them have a stored result (cached).")]
    estimate: EstimateView
    warnings: tuple[str, ...]
    axes: dict[str, str]
    cells: Annotated[tuple[PreviewCell, ...], Field(description="At most the first 1000, in order.")]


class Table(Answer):
    """One row a cell, in the order of the sweep; null where a cell has no result."""

    id: SweepId
    axes: Annotated[tuple[str, ...], Field(description="The columns that were swept.")]
    replicate: Annotated[str | None, Field(description="The swept column to average over.")]
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


class UploadView(Answer):
    """An uploaded data set or initialization. Equal content has one id, whoever sends it."""

    id: Annotated[str, Field(pattern="^[di]-[a-z2-7]{26}$", examples=["d-aaaaaaaaaaaaaaaaaaaaaaaaaa"])]
    owner: Annotated[str, Field(description="Who sent it first.")]
    created: datetime
    bytes: Annotated[int, Field(description="Of its numbers as float64.")]
    arrays: Annotated[dict[str, tuple[int, ...]], Field(description="Shape of each array; X is samples x features.")]
    links: Links


class UploadDeletion(Answer):
    """What became of a wish to delete an upload."""

    id: str
    answer: Annotated[
        Literal["withdrawn", "deleted"], Field(description="withdrawn: others have uploaded it, too, and keep it.")
    ]


class Live(Answer):
    """The process answers."""

    status: Literal["ok"]


class Ready(Answer):
    """Whether jobs can be taken and computed, and what is missing."""

    status: Literal["ready"]
    workers: Annotated[int, Field(description="Processes that may claim a job.")]
    checks: dict[str, str]


class ProblemKind(Answer):
    """A kind of problem: the `type` of problem details leads here."""

    type: str
    title: str
    status: int
    meaning: str
