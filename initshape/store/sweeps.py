"""Sweeps: an ordered list of job ids with the document that made them. Every cell is a job of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from initshape.spec.status import Status
from initshape.store import jobs
from initshape.store.documents import encode
from initshape.store.jobs import Answer, JobRequest, Submitted
from initshape.store.keys import NUMBERS, SWEEPS, key
from initshape.store.operation import Command, Operation, Script
from initshape.store.pins import pin_cells, prolonging
from initshape.store.records import Hook, Submitter, Told, moment

_FIELDS = ("document", "cells", "cached", "owner", "name", "tags", "created", "number", "notes", "kept")


@dataclass(frozen=True)
class SweepCounts:
    """Cells by state. `cached`: found stored when the sweep was last sent, and part of `succeeded`.

    `cancelling` counts as running; `missing` are cells whose record has been deleted or has expired.
    """

    cells: int
    cached: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    missing: int

    @property
    def status(self) -> Status:
        """One word for all cells: running and queued first, then the worst end."""
        for status, number in (
            (Status.running, self.running),
            (Status.queued, self.queued),
            (Status.failed, self.failed),
            (Status.cancelled, self.cancelled),
        ):
            if number:
                return status
        return Status.succeeded


@dataclass(frozen=True)
class SweepRecord:
    """A sweep without its counts."""

    id: str
    document: dict[str, Any]
    cells: tuple[str, ...]
    cached: int
    owner: str
    name: str | None
    tags: tuple[str, ...]
    created: datetime
    number: int
    notes: str | None = None
    kept: bool = False
    told: tuple[Told, ...] = ()


def submit(
    sweep_id: str, document: Mapping[str, Any], requests: Sequence[JobRequest], who: Submitter
) -> Operation[list[Submitted]]:
    """Stores the sweep, then submits every cell; sent again after an interruption, it goes on.

    The record comes first, so that cells never run for a sweep that nobody can see.
    """
    (number, clock) = yield [("HINCRBY", NUMBERS, "number", 1), ("TIME",)]
    place = key("sweep", sweep_id)
    first: list[Command] = [
        ("HSETNX", place, "number", number),
        ("HSETNX", place, "created", int(clock[0]) * 1000 + int(clock[1]) // 1000),
        ("HSETNX", place, "owner", who.user),
        (
            "HSET", place, "document", encode(dict(document)), "cells", ",".join(r.id for r in requests),
            "name", who.name or "", "tags", encode(list(who.tags)), "notes", who.notes or "",
        ),
        prolonging("sweep", sweep_id),
        ("ZADD", SWEEPS, "NX", number, sweep_id),
    ]  # fmt: skip
    yield first
    cell = replace(who, hook=Hook(f"sweep:{sweep_id}") if who.hook else None)
    answers = yield from jobs.submit_many(requests, cell)
    _, kept = yield [
        ("HSET", place, "cached", sum(answer.answer is Answer.known for answer in answers)),
        ("HEXISTS", place, "kept"),
    ]
    if kept:
        yield from pin_cells(sweep_id, [request.id for request in requests], True)
    if who.hook:
        yield [Script("hook_sweep", (place,), (sweep_id, who.user, who.hook.url))]
    return answers


def read(sweep_id: str) -> Operation[SweepRecord | None]:
    """The record. Prolongs its life."""
    place = key("sweep", sweep_id)
    values, _, told = yield [
        ("HMGET", place, *_FIELDS),
        prolonging("sweep", sweep_id),
        ("LRANGE", key("deliveries", sweep_id), 0, -1),
    ]
    record = _decode(sweep_id, values)
    return record and replace(record, told=tuple(map(Told.decode, told)))


def counts(sweep_id: str) -> Operation[SweepCounts | None]:
    """Cells by state, all at one moment."""
    place = key("sweep", sweep_id)
    found, cached = yield [Script("counts", (place,)), ("HGET", place, "cached")]
    if found is None:
        return None
    missing, queued, running, succeeded, failed, cancelled = map(int, found)
    known = min(int(cached or 0), succeeded)
    return SweepCounts(sum(map(int, found)), known, queued, running, succeeded, failed, cancelled, missing)


def glance(sweep_id: str) -> Operation[SweepRecord | None]:
    """The record without what webhooks were told, for lists. Prolongs no life."""
    (values,) = yield [("HMGET", key("sweep", sweep_id), *_FIELDS)]
    return _decode(sweep_id, values)


def _decode(sweep_id: str, values: Sequence[bytes | None]) -> SweepRecord | None:
    document, cells, cached, owner, name, tags, created, number, notes, kept = values
    if document is None or cells is None or owner is None or number is None:
        return None
    at = moment(created)
    assert at is not None  # noqa: S101 - written together with the number
    ids = tuple(cells.decode().split(",")) if cells else ()
    return SweepRecord(
        sweep_id, json.loads(document), ids, int(cached or 0), owner.decode(), name.decode() if name else None,
        tuple(json.loads(tags or b"[]")), at, int(number), notes.decode() if notes else None, kept is not None,
    )  # fmt: skip
