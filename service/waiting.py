"""Long polling: reads the state, then again with every change, until it is settled or the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from fastapi import Query

from initshape.store import Operation
from initshape.store.events import wait_until
from service.services import Services

LONGEST_WAIT = 60.0

T = TypeVar("T")

Wait = Annotated[
    float,
    Query(ge=0.0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds to wait for the end, at most 60."),
]


async def settled(
    services: Services, ids: Iterable[str], read: Callable[[], Operation[T]], done: Callable[[T], bool],
    seconds: float, pause: float = 0.0,
) -> T:  # fmt: skip
    """The last reading. Answers at once when the server stops. Errors: StoreUnavailableError."""
    seconds = min(seconds, services.settings.longest_wait)
    if seconds <= 0.0:
        return await services.store.run(read())
    waiting = asyncio.ensure_future(wait_until(services.store, services.events, ids, read, done, seconds, pause))
    stopping = asyncio.ensure_future(services.stopping.wait())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else await services.store.run(read())
    finally:
        waiting.cancel()
        stopping.cancel()
