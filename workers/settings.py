"""Settings that the parent hands to its child through the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from initshape.store import StoreSettings

QUEUE_VARIABLE: Final = "INITSHAPE_WORKER_QUEUE"


def checkpoint_seconds() -> tuple[float, float]:
    """INITSHAPE_CHECKPOINT_SECONDS: when a flow is first saved, and how long at least until the next time."""
    given = os.environ.get("INITSHAPE_CHECKPOINT_SECONDS")
    return (10.0, 20.0) if given is None else (float(given), float(given))


def compilation_cache() -> Path:
    """INITSHAPE_COMPILATION_CACHE, else a directory of this user: whoever can write to it can run code in workers."""
    if given := os.environ.get("INITSHAPE_COMPILATION_CACHE"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "initshape" / "compiled"


def redacted(queue: str, name: str, store: StoreSettings) -> dict[str, Any]:
    """What this worker was told, for a log: without the password, also one inside the URL."""
    return {
        "queue": queue,
        "name": name,
        "redis_url": store.redacted_url,
        "redis_password": None if store.password is None else "**********",
        "compilation_cache": str(compilation_cache()),
        "pin": os.environ.get("INITSHAPE_PIN", "1"),
    }
