"""Which cores there are, and how a process keeps to one."""

from __future__ import annotations

import os


def available() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(core: int | None = None) -> None:
    """Keeps this process to one core, by default the last one; nothing where the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {available()[-1] if core is None else core})
