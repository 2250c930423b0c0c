"""Everything that touches Redis: key names and lifetimes, the life cycle of jobs, results, sweeps, tokens, events.

Operations (jobs, leases, results, sweeps, tokens, presence) are values that either driver runs:

    Store(settings).run(leases.claim("worker-1", "cpu"))          # threads
    await AsyncStore(settings).run(jobs.read("x-..."))            # asyncio
"""

from initshape.store.errors import (
    ResultTooLargeError,
    StoreError,
    StoreFormatError,
    StoreFullError,
    StoreUnavailableError,
)
from initshape.store.operation import Operation
from initshape.store.queues import TASK, Queue, queue_for
from initshape.store.settings import StoreSettings
from initshape.store.store import AsyncStore, Store

__all__ = [
    "TASK",
    "AsyncStore",
    "Operation",
    "Queue",
    "ResultTooLargeError",
    "Store",
    "StoreError",
    "StoreFormatError",
    "StoreFullError",
    "StoreSettings",
    "StoreUnavailableError",
    "queue_for",
]
