"""Waiting without polling: one subscription a process, fanned out to everybody who waits.

A message says only that something about an id has changed; whoever waits then reads the truth. After a lost connection
everybody is woken, because messages may have been missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

from redis.exceptions import RedisError

from initshape.store.connection import connect_listener
from initshape.store.keys import EVENTS, key
from initshape.store.operation import Operation
from initshape.store.settings import StoreSettings
from initshape.store.store import AsyncStore

T = TypeVar("T")
_RETRY_SECONDS = 0.5


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
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
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


def read_stream(job_id: str, after: str = "0-0", limit: int = 500) -> Operation[list[tuple[str, str, dict[str, Any]]]]:
    """Status changes and progress of a job since its last claim: (id, kind, data) after a given id."""
    (rows,) = yield [("XRANGE", key("stream", job_id), f"({after}", "+", "COUNT", limit)]
    return [(name.decode(), fields[b"kind"].decode(), json.loads(fields[b"data"])) for name, fields in rows]
