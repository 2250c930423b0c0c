"""The one table of job states. A finished computation is `succeeded` whatever its numerical outcome."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """State of a job, as stored and as shown."""

    queued = "queued"  # accepted, waits for a worker
    running = "running"  # claimed by a worker that holds a lease
    cancelling = "cancelling"  # running, asked to stop
    succeeded = "succeeded"  # a result is stored
    failed = "failed"  # the machinery gave up; `error` says why
    cancelled = "cancelled"  # nobody wants it any more

    @property
    def terminal(self) -> bool:
        """True where nothing happens any more unless somebody asks again."""
        return self in TERMINAL


TERMINAL = frozenset({Status.succeeded, Status.failed, Status.cancelled})

TRANSITIONS: dict[Status, frozenset[Status]] = {
    # claim; cancel before the start
    Status.queued: frozenset({Status.running, Status.cancelled}),
    # finish; fail or poison limit; cancel; expired lease or planned hand-over
    Status.running: frozenset({Status.succeeded, Status.failed, Status.cancelling, Status.queued}),
    # the worker stopped, or its lease expired; it finished first; it broke first; it was submitted again meanwhile
    Status.cancelling: frozenset({Status.cancelled, Status.succeeded, Status.failed, Status.running}),
    # asked for again: rerun, or a new submission after failure, cancellation or expiry
    Status.succeeded: frozenset({Status.queued}),
    Status.failed: frozenset({Status.queued}),
    Status.cancelled: frozenset({Status.queued}),
}
"""From each state, the states that may follow."""
