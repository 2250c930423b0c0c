"""Ending tasks that talk to Redis. redis-py 8 can swallow a cancellation that arrives while it connects."""

from __future__ import annotations

import asyncio
from typing import Any, Final

AGAIN_SECONDS: Final = 0.1


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels, and again until the tasks are over. How they ended is looked at and dropped."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
