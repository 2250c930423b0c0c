"""A CPU child owns one core: a second BLAS or XLA thread makes the small matrices here several times slower.

Children of one user on one machine agree on cores by file locks, which the system frees when a child dies. Where there
are more children than cores, or the system knows no affinity, a child is left to the scheduler.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

logger = logging.getLogger(__name__)


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """Must come before jax is loaded. What is already set stays."""
    environment.setdefault("JAX_PLATFORMS", "cpu")


def own_a_core() -> int | None:
    """Binds this process to the first core that no other child has, and answers which. INITSHAPE_PIN=0: never."""
    if not hasattr(os, "sched_setaffinity") or os.environ.get("INITSHAPE_PIN") == "0":
        return None
    folder = Path(tempfile.gettempdir()) / f"initshape-cores-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return None  # somebody else made it: nothing in it can be trusted
        for core in sorted(os.sched_getaffinity(0)):
            lock = os.open(folder / str(core), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:  # the lock is held, open, until the process ends
                os.sched_setaffinity(0, {core})
                return core
    except OSError as error:
        logger.warning("no core of its own: %s", error)
    return None
