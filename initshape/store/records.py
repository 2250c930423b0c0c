"""What is known about a job, decoded. Field names are those of the hash `job:{id}`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from initshape.spec.problem import JobError
from initshape.spec.status import Status
from initshape.store.forecast import Forecast

FIELDS = (
    "status", "attempt", "fence", "queue", "owner", "worker", "outcome", "known", "max_seconds",
    "number", "created", "queued", "started", "finished", "updated", "progress", "error",
    "pinned",
)  # fmt: skip
"""All but the document and its parts, which can be large, and the fields that only scripts use."""


@dataclass(frozen=True)
class Hook:
    """Who is to hear of the end: `user:NAME` at a URL, or `sweep:ID`, which counts its cells."""

    who: str
    url: str = ""


@dataclass(frozen=True)
class Submitter:
    """One user who wants the job, with what that user calls it; none of it is part of the identity.

    `hook` goes with a submission alone and is not part of what is read.
    """

    user: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    priority: int = 0
    hook: Hook | None = None

    @classmethod
    def decode(cls, user: bytes, value: bytes) -> Submitter:
        """From one field of `submitters:{id}`."""
        given = json.loads(value)
        return cls(user.decode(), given["name"], tuple(given["tags"]), given["notes"], given["priority"])


@dataclass(frozen=True)
class Attempt:
    """One ended attempt. `how`: finished, failed, stopped, handed_over, returned (never begun) or lost."""

    attempt: int
    fence: int
    worker: str | None
    started: datetime | None
    ended: datetime | None
    how: str


@dataclass(frozen=True)
class Told:
    """One attempt to deliver a webhook. `target` is without the path, which may hold a secret.

    `answer`: the HTTP status, None where there was none; `left`: whether it will be tried again.
    """

    user: str
    target: str
    tries: int
    at: datetime
    answer: int | None
    error: str | None
    left: bool

    @classmethod
    def decode(cls, entry: bytes) -> Told:
        """From an entry of `deliveries:{id}`."""
        given = json.loads(entry)
        return cls(**{**given, "at": datetime.fromtimestamp(given["at"] / 1000, UTC)})


@dataclass(frozen=True)
class JobRecord:
    """State of one job. Times are aware and in UTC; `position` counts the jobs that will be claimed before it.

    `pins`: who keeps the result for ever, `user:...` and `sweep:...`, where they have been read.
    """

    id: str
    status: Status
    attempt: int
    fence: int
    queue: str
    owner: str
    worker: str | None
    outcome: str | None
    known: bool
    max_seconds: float
    number: int
    created: datetime
    queued: datetime | None
    started: datetime | None
    finished: datetime | None
    updated: datetime | None
    progress: dict[str, Any] | None
    error: JobError | None
    submitters: tuple[Submitter, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    position: int | None = None
    has_result: bool = False
    forecast: Forecast | None = None
    pinned: bool = False
    pins: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def expired(self) -> bool:
        """It succeeded, and the result has outlived its time (410)."""
        return self.status is Status.succeeded and not self.has_result


def moment(milliseconds: bytes | int | float | None) -> datetime | None:
    """Milliseconds since the epoch to an aware time in UTC."""
    return None if milliseconds is None else datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def decode(
    job_id: str,
    values: Sequence[bytes | None],
    submitters: Mapping[bytes, bytes] | None = None,
    attempts: Sequence[bytes] = (),
    position: int = -1,
    has_result: bool = False,
    forecast: Forecast | None = None,
    pins: Iterable[bytes] = (),
    told: Iterable[bytes] = (),
) -> JobRecord | None:
    """The record from the replies to the commands of `jobs.read`, in their order; None for an unknown id."""
    if values[0] is None:
        return None
    raw = dict(zip(FIELDS, values, strict=True))
    created = moment(raw["created"])
    assert created is not None  # noqa: S101 - written together with the status
    return JobRecord(
        id=job_id,
        status=Status(_text(raw["status"]) or ""),
        attempt=int(raw["attempt"] or 0),
        fence=int(raw["fence"] or 0),
        queue=_text(raw["queue"]) or "",
        owner=_text(raw["owner"]) or "",
        worker=_text(raw["worker"]),
        outcome=_text(raw["outcome"]),
        known=raw["known"] == b"1",
        max_seconds=float(raw["max_seconds"] or 0.0),
        number=int(raw["number"] or 0),
        created=created,
        queued=moment(raw["queued"]),
        started=moment(raw["started"]),
        finished=moment(raw["finished"]),
        updated=moment(raw["updated"]),
        progress=None if raw["progress"] is None else json.loads(raw["progress"]),
        error=None if raw["error"] is None else JobError.model_validate_json(raw["error"]),
        submitters=tuple(Submitter.decode(user, value) for user, value in (submitters or {}).items()),
        attempts=tuple(_attempt(json.loads(entry)) for entry in attempts),
        position=position if position >= 0 else None,
        has_result=has_result,
        forecast=forecast,
        pinned=raw["pinned"] is not None,
        pins=tuple(sorted(who.decode() for who in pins)),
        told=tuple(Told.decode(entry) for entry in told),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _attempt(entry: dict[str, Any]) -> Attempt:
    return Attempt(
        entry["attempt"], entry["fence"], entry.get("worker") or None, moment(entry["started"]), moment(entry["ended"]),
        entry["how"],
    )  # fmt: skip
