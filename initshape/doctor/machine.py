"""Cores and memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from initshape.doctor.finding import Finding, ok, warn

_LITTLE: Final = 1 << 30


def check() -> list[Finding]:
    """What the system says is there."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [ok("cores", f"{cores}: so many workers are of use"), _memory()]


def _memory() -> Finding:
    available = _available()
    if available is None:
        return ok("memory", "the system does not tell")
    detail = f"{available / 2**30:.1f} GiB available"
    mend = "A worker takes some 0.5 GiB, a job what `initshape validate` estimates: run fewer workers."
    return warn("memory", detail, mend) if available < _LITTLE else ok("memory", detail)


def _available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
