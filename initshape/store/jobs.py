"""What submitters do with jobs: submit, read, cancel, run again, delete. Every function is an Operation.

Submitters of one id form a set, for equal experiments have equal ids: cancel and delete withdraw the caller, and the
job stops when nobody is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice, repeat
from typing import Any, Literal

from initshape.logs import request_id
from initshape.spec.status import Status
from initshape.spec.uploaded import named_by
from initshape.store import documents, forecast
from initshape.store.admission import OPEN, Entry
from initshape.store.keys import job_keys, key
from initshape.store.operation import Command, Operation, Script
from initshape.store.queues import Queue
from initshape.store.records import FIELDS, JobRecord, Submitter, decode

_AT_ONCE = 1000
"""Submissions that are written and sent together: the texts of 10,000 are never all in memory."""
_BROKERS = {queue.value: queue.celery for queue in Queue}


@dataclass(frozen=True)
class JobRequest:
    """One job to be queued. `document` is the resolved experiment; jobs of one non-empty `batch` may run together.

    `seconds` is how long it is expected to take, 0 where nobody knows.
    """

    id: str
    document: Mapping[str, Any]
    queue: str = "cpu"
    batch: str = ""
    max_seconds: float = 3600.0
    seconds: float = 0.0


class Answer(StrEnum):
    """What became of a submission."""

    known = "known"  # a result is stored
    joined = "joined"  # it was waiting or running already
    queued = "queued"  # it waits now
    missing = "missing"  # rerun of an id that nobody knows
    # and where nothing was done, because the entry does not allow it:
    unknown = "unknown"  # the token does not hold
    slow = "slow"  # the user asks too often
    crowded = "crowded"  # too many jobs of the user wait or run
    stuffed = "stuffed"  # the user holds too many bytes


@dataclass(frozen=True)
class Submitted:
    """Answer to one submission. `number`: milliseconds to wait where it came too soon, what is held where that is
    too much. `ring`: it was queued, and a worker may have to be woken.
    """

    id: str
    answer: Answer
    status: Status | None
    attempt: int
    number: int = 0

    @property
    def ring(self) -> bool:
        return self.answer is Answer.queued and self.number > 0


class Stop(StrEnum):
    """What became of a cancel or delete."""

    missing = "missing"  # nobody knows the id
    unchanged = "unchanged"  # nothing left to stop
    foreign = "foreign"  # the caller is no submitter
    withdrawn = "withdrawn"  # the caller is out, others still want it
    stopped = "stopped"  # cancelled, or cancelling where it runs
    deleted = "deleted"  # gone, or going where it runs


@dataclass(frozen=True)
class Stopped:
    """Answer to cancel and delete; `status` is the one after it."""

    answer: Stop
    status: Status | None


def submit(request: JobRequest, who: Submitter, entry: Entry = OPEN) -> Operation[Submitted]:
    """Stores the job and its place in the queue in one step; joins an equal one; `known` where a result is stored."""
    document, parts = documents.split(request.document)
    stored = _parts(parts)
    replies = yield [*stored, _submit(request.id, document, parts, request, who, "submit", entry)]
    return _submitted(request.id, replies[-1])


def submit_many(requests: Sequence[JobRequest], who: Submitter, entry: Entry = OPEN) -> Operation[list[Submitted]]:
    """The same for many, in one round trip a thousand."""
    return (yield from submit_each(zip(requests, repeat(who)), entry))


def submit_each(wanted: Iterable[tuple[JobRequest, Submitter]], entry: Entry = OPEN) -> Operation[list[Submitted]]:
    """The same for many with labels of their own. Of equal ones the first is queued and the others join it."""
    splitter = documents.Splitter()
    sent: set[str] = set()
    answers: list[Submitted] = []
    rest = iter(wanted)
    while piece := list(islice(rest, _AT_ONCE)):
        parts: dict[str, bytes] = {}
        scripts: list[Command] = []
        for request, who in piece:
            document, own = splitter.split(request.document)
            parts.update(own)
            scripts.append(_submit(request.id, document, own, request, who, "submit", entry))
        stored = _parts({name: text for name, text in parts.items() if name not in sent})
        sent |= parts.keys()
        replies = yield [*stored, *scripts]
        answers += [_submitted(r.id, reply) for (r, _), reply in zip(piece, replies[len(stored) :], strict=True)]
    return answers


def rerun(job_id: str, who: Submitter, entry: Entry = OPEN) -> Operation[Submitted]:
    """Computes again what is finished. The old result is served until the new attempt has finished."""
    (reply,) = yield [_submit(job_id, b"", {}, JobRequest(job_id, {}, max_seconds=0.0), who, "rerun", entry)]
    return _submitted(job_id, reply)


def rerun_many(job_ids: Sequence[str], who: Submitter) -> Operation[list[Submitted]]:
    """The same for many."""
    requests = [JobRequest(job_id, {}, max_seconds=0.0) for job_id in job_ids]
    replies = yield [_submit(r.id, b"", {}, r, who, "rerun", OPEN) for r in requests]
    return [_submitted(r.id, reply) for r, reply in zip(requests, replies, strict=True)]


def cancel(job_id: str, user: str, force: bool = False, actor: str = "") -> Operation[Stopped]:
    """Withdraws the caller; `force` stops the job whoever still wants it."""
    (reply,) = yield [_stop(job_id, user, force, "cancel", actor)]
    return _stopped(reply)


def cancel_many(job_ids: Sequence[str], user: str, force: bool = False) -> Operation[list[Stopped]]:
    """The same for many."""
    replies = yield [_stop(job_id, user, force, "cancel") for job_id in job_ids]
    return [_stopped(reply) for reply in replies]


def delete(job_id: str, user: str, force: bool = False, actor: str = "") -> Operation[Stopped]:
    """Withdraws the caller; the record and the result go when nobody is left, once a running attempt has stopped."""
    (reply,) = yield [_stop(job_id, user, force, "delete", actor)]
    return _stopped(reply)


def delete_many(job_ids: Sequence[str], user: str, force: bool = False) -> Operation[list[Stopped]]:
    """The same for many."""
    replies = (yield [_stop(job_id, user, force, "delete") for job_id in job_ids]) if job_ids else []
    return [_stopped(reply) for reply in replies]


def read(job_id: str) -> Operation[JobRecord | None]:
    """The whole record, with submitters, attempts and the place in the queue."""
    values, submitters, attempts, position, result, expected, pins, told = yield [
        ("HMGET", key("job", job_id), *FIELDS),
        ("HGETALL", key("submitters", job_id)),
        ("LRANGE", key("attempts", job_id), 0, -1),
        Script("position", job_keys(job_id), (job_id,)),
        ("EXISTS", key("result", job_id)),
        Script("forecast", job_keys(job_id), (job_id,)),
        ("SMEMBERS", key("pins", job_id)),
        ("LRANGE", key("deliveries", job_id), 0, -1),
    ]
    return decode(
        job_id, values, submitters, attempts, position, bool(result), forecast.decode(expected), pins, told
    )  # fmt: skip


def status(job_id: str) -> Operation[Status | None]:
    """The status alone, for whoever waits for an end; None for an unknown id."""
    (found,) = yield [("HGET", key("job", job_id), "status")]
    return None if found is None else Status(found.decode())


def read_many(job_ids: Sequence[str]) -> Operation[list[JobRecord | None]]:
    """Records without submitters' places and attempts, for lists and tables."""
    replies = yield [command for job_id in job_ids for command in _brief(job_id)]
    return [
        decode(job_id, replies[3 * k], replies[3 * k + 1], has_result=bool(replies[3 * k + 2]))
        for k, job_id in enumerate(job_ids)
    ]


def stored(job_ids: Sequence[str]) -> Operation[list[tuple[Status | None, bool]]]:
    """Of each its status, None for an unknown id, and whether a submission would find its result."""
    found: list[tuple[Status | None, bool]] = []
    for k in range(0, len(job_ids), _AT_ONCE):
        ids = job_ids[k : k + _AT_ONCE]
        values = yield [("HMGET", key("job", job_id), "status", "known") for job_id in ids]
        results = yield [("EXISTS", key("result", job_id)) for job_id in ids]
        for (status, known), result in zip(values, results, strict=True):
            found.append((Status(status.decode()) if status else None, known == b"1" and bool(result)))
    return found


def document(job_id: str) -> Operation[dict[str, Any] | None]:
    """The resolved experiment as it was stored."""
    (text,) = yield [("HGET", key("job", job_id), "document")]
    if text is None:
        return None
    whole = yield from assemble([json.loads(text)])
    return whole[0]


def assemble(stored: Sequence[dict[str, Any]]) -> Operation[list[dict[str, Any] | None]]:
    """Stored documents with their parts; None where a part is missing."""
    digests = sorted({digest for one in stored for digest in documents.references(one).values()})
    texts = (yield [("GET", name) for name in documents.part_keys(digests)]) if digests else []
    parts = {digest: text for digest, text in zip(digests, texts, strict=True) if text is not None}
    complete = [all(d in parts for d in documents.references(one).values()) for one in stored]
    return [documents.join(one, parts) if good else None for one, good in zip(stored, complete, strict=True)]


def touch(job_ids: Iterable[str]) -> Operation[None]:
    """Prolongs the lifetime of results that were read."""
    yield [Script("touch", job_keys(job_id), (job_id,)) for job_id in job_ids]


def _brief(job_id: str) -> list[Command]:
    return [
        ("HMGET", key("job", job_id), *FIELDS),
        ("HGETALL", key("submitters", job_id)),
        ("EXISTS", key("result", job_id)),
    ]


def _parts(parts: Mapping[str, bytes]) -> list[Command]:
    return [Script("part", (key("part", name),), (name, text)) for name, text in parts.items()]


def _submit(
    job_id: str, document: bytes, parts: Mapping[str, bytes], request: JobRequest, who: Submitter, mode: str,
    entry: Entry,
) -> Script:  # fmt: skip
    return Script(
        "submit",
        job_keys(job_id),
        (
            job_id, document, ",".join(parts), request.queue, request.batch, who.user, _label(who),
            ",".join(who.tags), repr(request.max_seconds), mode, repr(request.seconds),
            ",".join(named_by(request.document)), request_id(), who.hook.who if who.hook else "",
            who.hook.url if who.hook else "", *entry.arguments(), _BROKERS.get(request.queue, ""),
        ),
    )  # fmt: skip


@lru_cache(maxsize=64)  # the cells of a sweep have one submitter
def _label(who: Submitter) -> bytes:
    """What the submitter calls it, as it is stored."""
    return documents.encode({"name": who.name, "tags": who.tags, "notes": who.notes, "priority": who.priority})


def _submitted(job_id: str, reply: Sequence[Any]) -> Submitted:
    answer, status, attempt, number = reply
    known = Status(status.decode()) if status else None
    return Submitted(job_id, Answer(answer.decode()), known, int(attempt), int(number))


def _stop(job_id: str, user: str, force: bool, mode: Literal["cancel", "delete"], actor: str = "") -> Script:
    return Script("cancel", job_keys(job_id), (job_id, user, int(force), mode, actor))


def _stopped(reply: Sequence[Any]) -> Stopped:
    answer, status = reply
    return Stopped(Stop(answer.decode()), Status(status.decode()) if status else None)
