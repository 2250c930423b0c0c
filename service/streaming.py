"""Server-sent events of experiments and of sweeps.

All streams of a process hang on its one subscription (store.events), which says only that something has changed. Each
stream remembers no more than how far it has told and reads the rest from the store, a page at a time: a slow reader
costs no memory, and a missed message is made up for within CHECK_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.sse import ServerSentEvent
from starlette.responses import Response

from initshape.store import StoreError, sweeps
from initshape.store.events import BEGINNING, PAGE, Followed, follow
from initshape.store.records import JobRecord
from initshape.store.sweeps import SweepCounts, SweepRecord
from service import views
from service.schemas import Ended, Gone, Reconnect, SweepEnded, SweepProgress
from service.services import Services

CHECK_SECONDS = 10.0
"""Between two readings although nobody said that something has changed: a lost subscription costs no more."""
RETRY_MILLISECONDS = 2000
LARGE, LARGE_PAUSE, PAUSE = 1000, 1.0, 0.1
"""Seconds between two counts of a sweep of more or fewer cells: counts are dear."""
END = ".end"
"""After the id of the last event: the id of the final one."""


class NothingFollowsError(Exception):
    """The caller has had the final event: 204, on which browsers stop to reconnect."""


def install(app: FastAPI) -> None:
    """Registers the answer to NothingFollowsError."""
    app.add_exception_handler(NothingFollowsError, _no_content)


async def _no_content(request: Request, error: Exception) -> Response:
    return Response(status_code=204)


class Line:
    """An open connection: how long it may last, and whether the server stops."""

    def __init__(self, services: Services, seconds: float | None) -> None:
        longest = services.settings.stream_seconds
        self._stopping = services.stopping
        self._end = asyncio.get_running_loop().time() + (longest if seconds is None else min(seconds, longest))

    def _left(self) -> float:
        return self._end - asyncio.get_running_loop().time()

    @property
    def over(self) -> str | None:
        """Why the caller has to come again, if so."""
        return "stopping" if self._stopping.is_set() else "time" if self._left() <= 0 else None

    async def wait(self, changed: asyncio.Event) -> None:
        """Until something has changed, the line is over, or it is time to look again."""
        await self._first_of((changed, self._stopping), min(CHECK_SECONDS, self._left()))

    async def pause(self, seconds: float) -> None:
        """So long, or until the line is over."""
        await self._first_of((self._stopping,), min(seconds, self._left()))

    @staticmethod
    async def _first_of(events: tuple[asyncio.Event, ...], seconds: float) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


def place_of(last_event_id: str | None) -> str:
    """The entry after which an experiment's stream goes on."""
    return (last_event_id or BEGINNING).removesuffix(END)


async def experiment_events(
    services: Services, job_id: str, last_event_id: str | None, found: Followed, seconds: float | None
) -> AsyncIterator[ServerSentEvent]:
    """Events after `last_event_id`, then the final one. `found` is the first reading, which the caller has made."""
    line, place = Line(services, seconds), place_of(last_event_id)
    if _has_gap(found.first, place):
        words = {"message": "Events before the next one are no longer kept.", "how": "trimmed"}
        yield ServerSentEvent(event="log", data=words)
    async with services.events.listen([job_id]) as changed:
        if last_event_id is None and found.record and not found.record.status.terminal and not found.entries:
            state = {"status": found.record.status.value, "attempt": found.record.attempt}
            yield ServerSentEvent(event="status", id=BEGINNING, data=state)
        while True:
            changed.clear()
            try:
                found = await services.store.run(follow(job_id, place))
            except StoreError:
                yield _reconnect("store")
                return
            for entry in found.entries:
                place = entry.id
                yield ServerSentEvent(event=entry.kind, id=entry.id, data=entry.data)
            record = found.record
            if record is None or (record.status.terminal and not found.entries):
                yield _end(job_id, record, place)
                return
            if line.over:
                yield _reconnect(line.over)
                return
            if not record.status.terminal and len(found.entries) < PAGE:
                await line.wait(changed)


async def sweep_events(
    services: Services, record: SweepRecord, last_event_id: str | None, seconds: float | None
) -> AsyncIterator[ServerSentEvent]:
    """The counts whenever they have changed, then the final event."""
    line, told = Line(services, seconds), (last_event_id or "").removesuffix(END)
    pause = LARGE_PAUSE if len(record.cells) > LARGE else PAUSE
    async with services.events.listen(record.cells) as changed:
        while True:
            changed.clear()
            try:
                counts = await services.store.run(sweeps.counts(record.id))
            except StoreError:
                yield _reconnect("store")
                return
            if counts is None:
                yield ServerSentEvent(event="end", id=told + END, data=Gone(id=record.id))
                return
            if mark(counts) != told:
                told = mark(counts)
                data = SweepProgress(status=counts.status, counts=views.count_view(counts))
                yield ServerSentEvent(event="progress", id=told, data=data)
            if counts.status.terminal:
                end = SweepEnded(
                    id=record.id, status=counts.status, counts=views.count_view(counts),
                    links=views.sweep_links(record.id),
                )  # fmt: skip
                yield ServerSentEvent(event="end", id=told + END, data=end)
                return
            await line.pause(pause)
            if line.over:
                yield _reconnect(line.over)
                return
            await line.wait(changed)


def mark(counts: SweepCounts) -> str:
    """Id of a sweep's event: the counts themselves, so that the same counts are never told twice in a row."""
    numbers = (counts.queued, counts.running, counts.succeeded, counts.failed, counts.cancelled, counts.missing)
    return "-".join(map(str, numbers))


def _has_gap(first: str | None, place: str) -> bool:
    """Whether entries after `place` have been trimmed."""
    return first is not None and place != BEGINNING and _numbers(first) > _numbers(place)


def _numbers(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))


def _reconnect(reason: str) -> ServerSentEvent:
    """Ends a connection and not the events: it has no id, so that the caller goes on after the last one that had."""
    return ServerSentEvent(event="reconnect", data=Reconnect(reason=reason), retry=RETRY_MILLISECONDS)


def _end(job_id: str, record: JobRecord | None, place: str) -> ServerSentEvent:
    if record is None:
        return ServerSentEvent(event="end", id=place + END, data=Gone(id=job_id))
    if place == BEGINNING and record.finished is not None:  # the entries have outlived their time; a rerun's come later
        place = f"{int(record.finished.timestamp() * 1000)}-0"
    data = Ended(
        id=job_id, status=record.status, attempt=record.attempt, outcome=record.outcome, error=record.error,
        links=views.experiment_links(job_id),
    )  # fmt: skip
    return ServerSentEvent(event="end", id=place + END, data=data)
