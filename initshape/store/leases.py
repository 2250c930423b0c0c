"""What workers do with jobs: claim, renew, finish, fail, stop, hand over; and what keeps them honest: reap and ring.

A claim gives a fence, a number that rises with every claim of any job. Whoever holds the current fence of a running job
may speak for it, nobody else: two different results are impossible.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from initshape.spec.problem import JobError
from initshape.store import jobs
from initshape.store.documents import encode
from initshape.store.keys import INDEX, LEASES, PULSE, job_keys, key
from initshape.store.operation import Operation, Script
from initshape.store.queues import Queue

LEASE_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 0.5
"""Ten times a lease, because the answer also carries the cancel flag, which must arrive within 2 s."""
REAP_SECONDS: Final = 0.5
GAP_SECONDS: Final = 2.0
"""No reaping for so long means that Redis or all reapers were away: grace time."""
RING_SECONDS: Final = 1.0
POISON_LIMIT: Final = 3

LOST = JobError(
    code="lost",
    detail=f"The worker died {POISON_LIMIT} times while it ran this job.",
    advice="Look at the worker's log; if memory ran out, ask for a smaller dimension or fewer samples. "
    "Then submit it again.",
)


@dataclass(frozen=True)
class Claim:
    """One running job of one worker. `document` is None where a part of it has been lost."""

    id: str
    fence: int
    attempt: int
    document: dict[str, Any] | None
    max_seconds: float


@dataclass(frozen=True)
class Renewal:
    """`held`: the lease is still ours. `cancel`: somebody wants the job to stop."""

    held: bool
    cancel: bool


class Finish(StrEnum):
    """Reply to the holder of a lease that has come to an end."""

    accepted = "accepted"
    stale = "stale"  # the fence is not the current one: the work is thrown away
    missing = "missing"  # the uploaded result has expired


@dataclass(frozen=True)
class Reaped:
    """`waiting`: in the grace time after an outage. `taken`: leases that had expired."""

    waiting: bool
    taken: int


def claim(worker: str, queue: str, limit: int = 1, lease_seconds: float = LEASE_SECONDS) -> Operation[list[Claim]]:
    """The jobs to run next, fair between users within a priority; empty where nothing waits.

    With limit > 1 the further jobs come from the same user and have the first one's batch key.
    """
    (raw,) = yield [Script("claim", (), (queue, worker, limit, _ms(lease_seconds)))]
    rows = [raw[k : k + 5] for k in range(0, len(raw), 5)]
    documents = yield from jobs.assemble([json.loads(row[3]) for row in rows])
    return [
        Claim(row[0].decode(), int(row[1]), int(row[2]), document, float(row[4]))
        for row, document in zip(rows, documents, strict=True)
    ]


def renew(
    job_id: str, fence: int, progress: dict[str, Any] | None = None, lease_seconds: float = LEASE_SECONDS
) -> Operation[Renewal]:
    """Prolongs the lease, stores progress, and hears whether to stop."""
    text = b"" if progress is None else encode(progress)
    (reply,) = yield [Script("renew", job_keys(job_id), (job_id, fence, _ms(lease_seconds), text))]
    return Renewal(bool(reply[0]), bool(reply[1]))


def finish(job_id: str, fence: int, outcome: str, known: bool = True) -> Operation[Finish]:
    """Swaps the uploaded result in (results.upload comes first). `known`: it may answer later submissions."""
    keys = (*job_keys(job_id), key("upload", job_id, fence))
    (reply,) = yield [Script("finish", keys, (job_id, fence, int(known), outcome))]
    return Finish(reply.decode())


def fail(job_id: str, fence: int, error: JobError) -> Operation[Finish]:
    """The machinery could not compute it."""
    return (yield from _release(job_id, fence, "failed", error.model_dump_json()))


def stopped(job_id: str, fence: int) -> Operation[Finish]:
    """The worker has stopped because it was told to: cancelled, or queued again where somebody wants it after all."""
    return (yield from _release(job_id, fence, "stopped", ""))


def hand_over(job_id: str, fence: int) -> Operation[Finish]:
    """The worker must go; the job returns to its place in the queue. Does not count as lost."""
    return (yield from _release(job_id, fence, "handed_over", ""))


def hand_over_all(worker: str) -> Operation[int]:
    """The same for every running job of one worker. Answers how many."""
    (names,) = yield [("ZRANGE", LEASES, 0, -1)]
    ids = [name.decode() for name in names]
    if not ids:
        return 0
    held = yield [("HMGET", key("job", job_id), "worker", "fence") for job_id in ids]
    own = [(job_id, int(fence)) for job_id, (who, fence) in zip(ids, held, strict=True) if who == worker.encode()]
    for job_id, fence in own:
        yield from hand_over(job_id, fence)
    return len(own)


def reap(lease_seconds: float = LEASE_SECONDS) -> Operation[Reaped]:
    """Expired leases go back to the queue, or to `failed` at the poison limit. Call it every REAP_SECONDS, anywhere."""
    arguments = (_ms(lease_seconds), _ms(GAP_SECONDS), POISON_LIMIT, LOST.model_dump_json())
    (reply,) = yield [Script("reap", (LEASES, PULSE), arguments)]
    return Reaped(bool(reply[0]), int(reply[1]))


def rings_due(queue: Queue, period_seconds: float = 0.0) -> Operation[int]:
    """How many messages to send to the queue now. With a period, only the first caller in it gets any."""
    keys = (key("waiting", queue.value), key("workers", queue.value), key("rung", queue.value), queue.celery)
    (due,) = yield [Script("ring", keys, (_ms(period_seconds),))]
    return int(due)


def prune(limit: int = 100) -> Operation[int]:
    """Takes expired jobs out of the indexes; answers how many."""
    (gone,) = yield [Script("prune", (INDEX,), (limit,))]
    return int(gone)


def waiting(queue: Queue) -> Operation[int]:
    """Length of the queue."""
    (length,) = yield [("ZCARD", key("waiting", queue.value))]
    return int(length)


def _release(
    job_id: str, fence: int, how: Literal["failed", "stopped", "handed_over"], error: str
) -> Operation[Finish]:
    (reply,) = yield [Script("release", job_keys(job_id), (job_id, fence, how, error))]
    return Finish(reply.decode())


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
