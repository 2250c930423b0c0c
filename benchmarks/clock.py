"""Repeats after a warm-up, and the line by which a child tells its parent where it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contender import Answer, Ready, Report

REPEATS = 5
LONG = 2.0
"""Seconds from which a run is measured once, without a warm-up."""
TELL_EVERY = 0.25


@dataclass(frozen=True)
class Timed:
    """Median seconds of `repeats` runs by the wall clock, and of this process's own CPU; what the last one answered.

    Where the two differ, other processes had the core as well.
    """

    seconds: float
    cpu_seconds: float
    spread: float
    repeats: int
    answer: Answer


class Diary:
    """JSON lines in a file that another process reads; `report` keeps the latest state there, not every one."""

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, 0.0

    def write(self, kind: str, **fields: Any) -> None:
        """One line now."""
        with self._path.open("a") as file:
            file.write(json.dumps({"kind": kind, **fields}) + "\n")

    def report(self, steps: int, residual: float, error: Callable[[], float | None] = lambda: None) -> None:
        """Where the contender is, at most a few times a second; `error` is asked only then."""
        now = time.monotonic()
        if now - self._last > TELL_EVERY:
            self._last = now
            self.write("progress", steps=steps, residual=residual, error=error())


def timed(ready: Ready, report: Report, limit: float) -> Timed:
    """The first run warms up, up to five more are measured, inside `limit` seconds in all; a long first run is it."""
    begun = time.perf_counter()
    first, cpu, answer = _once(ready, report)
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    while first <= LONG and len(seconds) < REPEATS and time.perf_counter() - begun + 1.5 * first < limit:
        took, busy, answer = _once(ready, report)
        seconds.append(took)
        cpu_seconds.append(busy)
    if not seconds:
        return Timed(first, cpu, 0.0, 1, answer)
    return Timed(median(seconds), median(cpu_seconds), max(seconds) - min(seconds), len(seconds), answer)


def _once(ready: Ready, report: Report) -> tuple[float, float, Answer]:
    start, cpu = time.perf_counter(), time.process_time()
    answer = ready.solve(report)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    if answer.after is None:
        return seconds, cpu, answer
    return answer.after, cpu * answer.after / seconds, answer
