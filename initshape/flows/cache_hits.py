"""Whether JAX found what it was to compile in its own cache on disk."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jax

_EVENT: Final = "/jax/compilation_cache/cache_hits"
_heard = threading.local()


@contextlib.contextmanager
def cache_hits() -> Iterator[list[str]]:
    """Collects the hits of this thread while it is open; none where JAX tells nothing."""
    _listen()
    hits: list[str] = []
    _heard.hits = hits
    try:
        yield hits
    finally:
        _heard.hits = None


@cache
def _listen() -> None:
    jax.monitoring.register_event_listener(_note)


def _note(event: str, **_: Any) -> None:
    hits = getattr(_heard, "hits", None)
    if event == _EVENT and hits is not None:
        hits.append(event)
