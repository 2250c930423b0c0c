"""An app that is told to stop stops, at whatever moment of its start: redis-py can swallow a cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import redis

from initshape.store import StoreSettings
from initshape.store.ending import end
from service.app import create_app
from service.services import lifespan
from service.settings import Settings

TURNS = range(0, 260, 2)
"""After how many turns of the event loop it is told: connecting and loading the scripts takes about so many."""


def test_it_stops_at_every_moment_of_its_start(settings: StoreSettings) -> None:
    app = create_app(Settings(redis_url=settings.url, redis_password=settings.password, auth=False))
    server = redis.Redis.from_url(settings.url, password=settings.password)

    async def stopped_after(turns: int) -> bool:
        server.script_flush()
        running = lifespan(app)
        await running.__aenter__()
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        done, _ = await asyncio.wait({stopping}, timeout=5)
        if not done:
            stopping.cancel()
        return bool(done)

    async def every_moment() -> list[int]:
        return [turns for turns in TURNS if not await stopped_after(turns)]

    with contextlib.closing(server):
        assert asyncio.run(every_moment()) == []


def test_a_task_that_swallows_cancellations_ends() -> None:
    swallowed = []

    async def stubborn() -> None:
        while len(swallowed) < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed.append(True)
        await asyncio.sleep(60)

    async def main() -> bool:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end(task)
        return task.cancelled()

    assert asyncio.run(main())
    assert len(swallowed) == 3
