"""When an active job is expected to end, from how long jobs of its shape and of its queue took of late.

None wherever there is no ground for a number: no worker, nothing like it computed yet, or a job that takes longer than
expected already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from initshape.spec.status import Status

if TYPE_CHECKING:
    from initshape.store.records import JobRecord


@dataclass(frozen=True)
class Forecast:
    """The reply of forecast.lua. `now` and the recent durations in milliseconds, `slots` are processes that may claim.

    `running` have begun, `held` were claimed with others and have not; `begun` is this job.
    """

    now: int
    slots: int
    running: int
    held: int
    begun: bool
    shape: int | None
    queue: int | None


def decode(reply: Sequence[int]) -> Forecast | None:
    """None for a job that is not active."""
    if not reply:
        return None
    now, slots, running, held, begun, shape, queue = map(int, reply)
    return Forecast(
        now, slots, running, held, bool(begun), shape if shape >= 0 else None, queue if queue >= 0 else None
    )


def expected_end(record: JobRecord) -> datetime | None:
    """The expected end of a record that was read alone; None where nothing is known."""
    found = record.forecast
    if found is None:
        return None
    now = datetime.fromtimestamp(found.now / 1000, record.created.tzinfo)
    if record.status is Status.running:
        end = _running(record, found)
        return end if end is not None and end > now else None
    wait = _wait(record.position, found)
    return None if wait is None or found.shape is None else now + timedelta(milliseconds=wait + found.shape)


def _running(record: JobRecord, found: Forecast) -> datetime | None:
    """At the pace since it began, where it has told how far it is."""
    if record.started is None or not found.begun:
        return None
    fraction = (record.progress or {}).get("fraction")
    if record.updated is not None and isinstance(fraction, (int, float)) and fraction > 0.0:
        return record.started + (record.updated - record.started) / min(float(fraction), 1.0)
    return None if found.shape is None else record.started + timedelta(milliseconds=found.shape)


def _wait(position: int | None, found: Forecast) -> float | None:
    """Milliseconds until a worker is free for it: all that is before it, those that run by half, over the workers."""
    if position is None or not found.slots:
        return None
    if position + found.running + found.held < found.slots:
        return 0.0
    if found.queue is None:
        return None
    return (found.running / 2 + found.held + position) * found.queue / found.slots
