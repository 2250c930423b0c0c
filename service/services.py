"""What a running app holds, made and closed by the lifespan, reached by every route through `AppServices`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, Request

from initshape.store import AsyncStore, Operation, Store, StoreError, condition, reaper
from initshape.store import format as store_format
from initshape.store.ending import end
from initshape.store.events import Events
from service.belief import Believed
from service.doorbell import Doorbell
from service.identities import Identities
from service.pictures import Pictures
from service.settings import Settings
from service.streams import Streams

HEAVY_THREADS = 8

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """The parts of one API process.

    `store` serves what is small; `in_thread` and `run_in_thread` take what is not (large documents, sweeps, downloads),
    a bounded number at a time, so that neither they nor a frozen Redis hold up the event loop.
    """

    settings: Settings
    store: AsyncStore
    events: Events
    doorbell: Doorbell
    stopping: asyncio.Event
    pictures: Pictures
    _threads: Store
    believed: Believed = field(default_factory=Believed)
    streams: Streams = field(default_factory=Streams)
    identities: Identities = field(default_factory=Identities)
    heavy: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(HEAVY_THREADS))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs CPU-heavy work in a thread."""
        return await to_thread.run_sync(work, limiter=self.heavy)

    async def run_in_thread(self, operation: Operation[T]) -> T:
        """Runs a store operation in a thread. Errors: as AsyncStore.run."""
        return await self.in_thread(lambda: self._threads.run(operation))


class State(TypedDict):
    """State of the lifespan."""

    services: Services


def lifespan(app: FastAPI) -> contextlib.AbstractAsyncContextManager[State]:
    """Starts without Redis too: it may come up later, and until then every route answers 503."""
    return _running(app)


@contextlib.asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[State]:
    settings: Settings = app.state.settings
    stopping = asyncio.Event()
    app.state.release = stopping.set
    store, threads = AsyncStore(settings.store), Store(settings.store)
    with Doorbell(settings.store) as doorbell:
        async with Events(settings.store) as events:
            tasks = [asyncio.create_task(_keep_house(store, doorbell), name="reaper")]
            if settings.webhooks:
                from service.webhooks.courier import Courier  # its HTTP client is slow to import and seldom needed

                tasks.append(asyncio.create_task(Courier(settings, store).run(), name="courier"))
            try:
                pictures = Pictures(settings.picture_cache)
                yield {"services": Services(settings, store, events, doorbell, stopping, pictures, threads)}
            finally:
                stopping.set()
                await end(*tasks)
                await store.aclose()
                threads.close()


async def _open(store: AsyncStore) -> None:
    found = await store.run(store_format.opening())
    state = await store.run(condition.read())
    log.info("the store is open", extra={"format": found, **state.told()})
    for problem in state.problems:
        log.error("the store is not fit for jobs: %s", problem)


async def _keep_house(store: AsyncStore, doorbell: Doorbell) -> None:
    """Requeues expired leases and rings for what waits, beside any number of workers that do the same."""
    away, opened = False, False
    while True:
        try:
            if not opened:  # the store may come up later than the API, and from a newer release
                await _open(store)
                opened = True
            turn = await store.run(reaper.tick())
            for queue in turn.rings:
                doorbell.ring(queue)
            away = False
        except StoreError as error:
            if not away:
                log.warning("the reaper waits for the store: %s", error)
            away = True
        except Exception:
            log.exception("a turn of the reaper failed; it goes on")
        await asyncio.sleep(reaper.TICK_SECONDS)


def services_of(request: Request) -> Services:
    """The parts of the process that serves a request."""
    found: Services = request.state.services
    return found


async def _services(request: Request) -> Any:  # async: a plain function would cost a thread a request
    return services_of(request)


AppServices = Annotated[Services, Depends(_services)]
