"""Waiting without polling: one subscription a process, fanned out to everybody who waits.

A message says only that something about an id has changed; whoever waits then reads the truth. After a lost connection
everybody is woken, because messages may have been missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from redis.exceptions import RedisError

from initshape.store.connection import connect_listener
from initshape.store.ending import end
from initshape.store.keys import EVENTS, key
from initshape.store.operation import Operation
from initshape.store.records import FIELDS, JobRecord, decode
from initshape.store.settings import StoreSettings
from initshape.store.store import AsyncStore

T = TypeVar("T")
_RETRY_SECONDS = 0.5
BEGINNING: Final = "0-0"
PAGE: Final = 500
"""Entries of one reading: what a stream that is read slowly holds in memory at most."""


class Events:
    """Use as an asynchronous context manager, once an event loop."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Events:
        self._task = asyncio.create_task(self._receive(), name="store events")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end(self._task)
        self._wake_all()

    @contextlib.asynccontextmanager
    async def listen(self, ids: Iterable[str]) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever something about one of the ids has changed; clear it before reading."""
        event = asyncio.Event()
        names = tuple(ids)
        for name in names:
            self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            for name in names:
                listeners = self._waiting[name]
                listeners.discard(event)
                if not listeners:
                    del self._waiting[name]

    async def _receive(self) -> None:
        while True:
            client = connect_listener(self._settings)
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(EVENTS)
                    self._wake_all()
                    async for message in subscription.listen():
                        for event in self._waiting.get(json.loads(message["data"])["id"], ()):
                            event.set()
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()

    def _wake_all(self) -> None:
        for listeners in self._waiting.values():
            for event in listeners:
                event.set()


async def wait_until(
    store: AsyncStore,
    events: Events,
    ids: Iterable[str],
    read: Callable[[], Operation[T]],
    done: Callable[[T], bool],
    seconds: float,
    pause: float = 0.0,
) -> T:
    """Reads at once and after every change of one of the ids, until `done` or for `seconds`; answers the last reading.

    `pause` is the least time between readings that are dear (a sweep of thousands).
    Errors: StoreUnavailableError where Redis goes away meanwhile.
    """
    end = asyncio.get_running_loop().time() + seconds
    async with events.listen(ids) as changed:
        while True:
            changed.clear()
            value = await store.run(read())
            left = end - asyncio.get_running_loop().time()
            if done(value) or left <= 0:
                return value
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
            if pause:
                await asyncio.sleep(min(pause, max(0.0, end - asyncio.get_running_loop().time())))


@dataclass(frozen=True)
class Entry:
    """One event of a job: `kind` is status, progress or log; ids of one job rise."""

    id: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Followed:
    """What a job has told since some entry, and its state before that was read; `first` is the oldest entry kept.

    A state that is terminal, with no entry, is therefore the last one.
    """

    record: JobRecord | None
    entries: tuple[Entry, ...]
    first: str | None


def follow(job_id: str, after: str = BEGINNING, limit: int = PAGE) -> Operation[Followed]:
    """State and events of a job after a given id; a job that was never claimed has told nothing."""
    place = key("stream", job_id)
    values, result, rows, oldest = yield [
        ("HMGET", key("job", job_id), *FIELDS),
        ("EXISTS", key("result", job_id)),
        ("XRANGE", place, f"({after}", "+", "COUNT", limit),
        ("XRANGE", place, "-", "+", "COUNT", 1),
    ]
    entries = tuple(
        Entry(name.decode(), fields[b"kind"].decode(), json.loads(fields[b"data"])) for name, fields in rows
    )
    first = oldest[0][0].decode() if oldest else None
    return Followed(decode(job_id, values, has_result=bool(result)), entries, first)
