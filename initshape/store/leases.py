"""What workers do with jobs: claim, renew, finish, fail, stop, hand over; and what keeps them honest: reap and ring.

A claim gives a fence, a number that rises with every claim of any job. Whoever holds the current fence of a running job
may speak for it, nobody else: two different results are impossible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from initshape.spec.problem import JobError
from initshape.store import jobs
from initshape.store.documents import encode
from initshape.store.keys import INDEX, LEASES, PULSE, job_keys, key
from initshape.store.operation import Operation, Script
from initshape.store.queues import Queue
from initshape.store.tallies import NOTHING, Facts

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
    """One running job of one worker. `document` is None where a part of it has been lost.

    `begun` is false for the second and further jobs of a batch: they wait for their turn (`begin`). `request` is the id
    of the HTTP request that queued it, for the logs.
    """

    id: str
    fence: int
    attempt: int
    document: dict[str, Any] | None
    max_seconds: float
    begun: bool = True
    request: str = ""

    @property
    def trace(self) -> dict[str, str | int]:
        """For log lines about it (`extra`)."""
        return {"job": self.id, "attempt": self.attempt, "request": self.request}


@dataclass(frozen=True)
class Renewal:
    """`held`: the lease is still ours. `cancel`: somebody wants the job to stop."""

    held: bool
    cancel: bool


@dataclass(frozen=True)
class Held:
    """A lease as the parent of a worker sees it. `worker` is who holds it; the rest are seconds.

    `left` until the lease expires, `ran` since the job was begun, `stopping` since somebody wanted it to stop (0:
    nobody). `begun` is false while it waits for its turn in a batch.
    """

    id: str
    fence: int
    worker: str
    left: float
    ran: float
    stopping: float
    max_seconds: float
    begun: bool = True
    request: str = ""


@dataclass(frozen=True)
class Turn:
    """Whether the next job of a batch may begin. `held` and `cancel` as in Renewal.

    `yields`: somebody else waits, who comes first: this job and all the others that have not begun are to be given
    back. `spare`: so many of the others are to be given back, because workers are idle and nothing else waits.
    """

    held: bool
    cancel: bool
    yields: bool
    spare: int


class Finish(StrEnum):
    """Reply to the holder of a lease that has come to an end."""

    accepted = "accepted"
    stale = "stale"  # the fence is not the current one: the work is thrown away
    missing = "missing"  # the uploaded result, or the data set that it refers to, is not there (any more)


@dataclass(frozen=True)
class Reaped:
    """`waiting`: in the grace time after an outage. `taken`: leases that had expired."""

    waiting: bool
    taken: int


def claim(
    worker: str, queue: str, limit: int = 1, seconds: float = math.inf, lease_seconds: float = LEASE_SECONDS
) -> Operation[list[Claim]]:
    """The jobs to run next, fair between users within a priority; empty where nothing waits.

    With limit > 1 the further jobs come from the same user and have the first one's batch key. They are expected to
    take `seconds` together with the first, at most, and no more than a fair share of what waits: half of what each of
    the workers would get. Where another user waits at this priority or above, there is no further job.
    """
    budget = -1 if math.isinf(seconds) else seconds
    (raw,) = yield [Script("claim", (), (queue, worker, limit, _ms(lease_seconds), budget))]
    rows = [raw[k : k + 6] for k in range(0, len(raw), 6)]
    documents = yield from jobs.assemble([json.loads(row[3]) for row in rows])
    return [
        Claim(row[0].decode(), int(row[1]), int(row[2]), document, float(row[4]), place == 0, row[5].decode())
        for place, (row, document) in enumerate(zip(rows, documents, strict=True))
    ]


def hear(queue: str, seconds: float) -> Operation[bool]:
    """Whether something waits, after up to `seconds` (less than a command may take).

    Wakes one worker a job; nobody relies on it, for rings and the reaper find what it misses.
    """
    (reply,) = yield [("BLPOP", key("bell", queue), seconds)]
    return reply is not None


def begin(job_id: str, fence: int, rest: int = 0, lease_seconds: float = LEASE_SECONDS) -> Operation[Turn]:
    """The turn of a job of a batch has come; `rest` others of it have not begun. Say it before the work begins.

    From now on its time runs, and the end of the worker counts against it.
    """
    (reply,) = yield [beginning(job_id, fence, rest, lease_seconds)]
    return turn(reply)


def beginning(job_id: str, fence: int, rest: int = 0, lease_seconds: float = LEASE_SECONDS) -> Script:
    """The command of `begin`, for a round that finishes the job before it; `turn` reads the reply."""
    return Script("begin", job_keys(job_id), (job_id, fence, _ms(lease_seconds), rest))


def turn(reply: Sequence[int]) -> Turn:
    """What `begin` has answered."""
    held, cancel, yields, spare = map(int, reply)
    return Turn(bool(held), bool(cancel), bool(yields), spare)


def renew_many(
    held: Sequence[tuple[str, int, dict[str, Any] | None]], lease_seconds: float = LEASE_SECONDS
) -> Operation[list[Renewal]]:
    """`renew` for several jobs (id, fence, progress), each by itself, in one round trip."""
    replies = yield [_renew(job_id, fence, progress, lease_seconds) for job_id, fence, progress in held]
    return [Renewal(bool(reply[0]), bool(reply[1])) for reply in replies]


def renew(
    job_id: str, fence: int, progress: dict[str, Any] | None = None, lease_seconds: float = LEASE_SECONDS
) -> Operation[Renewal]:
    """Prolongs the lease, stores progress, and hears whether to stop."""
    (reply,) = yield [_renew(job_id, fence, progress, lease_seconds)]
    return Renewal(bool(reply[0]), bool(reply[1]))


def finish(job_id: str, fence: int, outcome: str, known: bool = True, facts: Facts = NOTHING) -> Operation[Finish]:
    """Swaps the uploaded result in (results.upload comes first). `known`: it may answer later submissions."""
    (reply,) = yield [finishing(job_id, fence, outcome, known, facts)]
    return Finish(reply.decode())


def finishing(job_id: str, fence: int, outcome: str, known: bool = True, facts: Facts = NOTHING) -> Script:
    """The command of `finish`, for a round that uploads the result before it."""
    keys = (*job_keys(job_id), key("upload", job_id, fence))
    return Script("finish", keys, (job_id, fence, int(known), outcome, facts.duration_class, facts.names))


def fail(job_id: str, fence: int, error: JobError) -> Operation[Finish]:
    """The machinery could not compute it."""
    return (yield from _release(job_id, fence, "failed", error.model_dump_json()))


def stopped(job_id: str, fence: int) -> Operation[Finish]:
    """The worker has stopped because it was told to: cancelled, or queued again where somebody wants it after all."""
    return (yield from _release(job_id, fence, "stopped", ""))


def hand_over(job_id: str, fence: int) -> Operation[Finish]:
    """The worker must go; the job returns to its place in the queue. Does not count as lost."""
    return (yield from _release(job_id, fence, "handed_over", ""))


def hand_over_many(held: Iterable[tuple[str, int]]) -> Operation[list[Finish]]:
    """The same for several (id, fence), in one round trip; also gives back what has not begun."""
    scripts = [Script("release", job_keys(job_id), (job_id, fence, "handed_over", "")) for job_id, fence in held]
    replies = (yield scripts) if scripts else []
    return [Finish(reply.decode()) for reply in replies]


def held_by(worker: str) -> Operation[list[Held]]:
    """The leases of a worker and of its children, whose names are `worker/...`."""
    rows, clock = yield [("ZRANGE", LEASES, 0, -1, "WITHSCORES"), ("TIME",)]
    ids, expiries = [name.decode() for name in rows[::2]], rows[1::2]
    fields = ("worker", "fence", "started", "stopping", "max_seconds", "unbegun", "request")
    held = (yield [("HMGET", key("job", job_id), *fields) for job_id in ids]) if ids else []
    now = int(clock[0]) * 1000 + int(clock[1]) / 1000
    found = []
    for job_id, expiry, (who, fence, started, stopping, limit, unbegun, request) in zip(
        ids, expiries, held, strict=True
    ):
        name = who.decode() if who else ""
        if name == worker or name.startswith(f"{worker}/"):
            ran, stops = ((now - float(at)) / 1000 if at else 0.0 for at in (started, stopping))
            left = (float(expiry) - now) / 1000
            found.append(
                Held(job_id, int(fence), name, left, ran, stops, float(limit), not unbegun, (request or b"").decode())
            )
    return found


def hand_over_all(worker: str) -> Operation[int]:
    """Hands over every running job of a worker and of its children. Answers how many."""
    own = yield from held_by(worker)
    yield from hand_over_many([(lease.id, lease.fence) for lease in own])
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
    """Takes expired jobs out of the indexes, looking at `limit` of all; answers how many."""
    (gone,) = yield [Script("prune", (INDEX,), (limit,))]
    return int(gone)


def waiting(queue: Queue) -> Operation[int]:
    """Length of the queue."""
    (length,) = yield [("ZCARD", key("waiting", queue.value))]
    return int(length)


def _renew(job_id: str, fence: int, progress: dict[str, Any] | None, lease_seconds: float) -> Script:
    text = b"" if progress is None else encode(progress)
    return Script("renew", job_keys(job_id), (job_id, fence, _ms(lease_seconds), text))


def _release(
    job_id: str, fence: int, how: Literal["failed", "stopped", "handed_over"], error: str
) -> Operation[Finish]:
    (reply,) = yield [Script("release", job_keys(job_id), (job_id, fence, how, error))]
    return Finish(reply.decode())


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
