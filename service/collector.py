"""The garbage collector at rest while a thread makes objects by the ten thousand.

It would walk over them again and again to find nothing: they have no cycles and go when nobody holds them. Each walk
holds up the event loop, too.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_at_rest = Lock()


@contextmanager
def resting() -> Iterator[None]:
    """For one of those who want it at a time, a second of work: a stream of them cannot keep the collector away."""
    if not gc.isenabled() or not _at_rest.acquire(blocking=False):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _at_rest.release()
