"""How far a job is: a fraction, words, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


def progress_of(state: Mapping[str, Any]) -> tuple[float, str]:
    """Fraction and words for a state of an experiment or a sweep."""
    counts = state.get("counts")
    if counts is not None:
        over = counts["succeeded"] + counts["failed"] + counts["cancelled"]
        words = [f"{over} of {counts['cells']} cells"]
        words += [f"{counts[name]} {name}" for name in ("cached", "running", "failed", "cancelled") if counts[name]]
        return (over / counts["cells"] if counts["cells"] else 1.0), ", ".join(words)
    status = str(state["status"])
    if status == "succeeded":
        return 1.0, status
    progress = state.get("progress") or {}
    words = [status]
    if status == "queued" and state.get("queue_position") is not None:
        words.append(f"{state['queue_position']} before it")
    if progress.get("stage"):
        words.append(str(progress["stage"]))
    if isinstance(progress.get("relative_residual"), float):
        words.append(f"residual {progress['relative_residual']:.1e}")
    return float(progress.get("fraction") or 0.0), ", ".join(words)


class Pace:
    """Time left at the pace since the first look; what was done before it (cached cells) says nothing about it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def left(self, fraction: float) -> str:
        """As words, "" while there is no ground for a number."""
        now = self._clock()
        if self._first is None:
            self._first = (fraction, now)
        done, since = fraction - self._first[0], now - self._first[1]
        if done <= 0.0 or since < 1.0 or fraction >= 1.0:
            return ""
        return f"about {_duration(since * (1.0 - fraction) / done)} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
