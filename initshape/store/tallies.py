"""Counters that the life-cycle scripts keep for /metrics. Their names are fields of one hash, and bounded in number:
ends, outcomes, models, devices, regularizers; never ids or users.

attempt <how>                  ended attempts (finished, failed, stopped, handed_over, returned, lost)
submitted <answer>             submissions (queued, joined, known)
claimed, requeued, lease lost  how often
failed <code>                  jobs that failed, by the code of their error
outcome <outcome>              finished jobs, by outcome
flow <outcome>                 flows
fit <regularizer> <outcome>    fits
took <model> <device> <k>      finished attempts that took at most 10^(k/2) ms, and more than those of k - 1
time <model> <device>          milliseconds of all of them together
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from initshape.store.keys import TALLIES
from initshape.store.operation import Operation, Script

BOUNDS: Final = tuple(10 ** (k / 2) / 1000 for k in range(14))
"""Seconds; longer ones are in the last class. library.lua has the same rule."""
_LONGEST_WORD: Final = 40


@dataclass(frozen=True)
class Facts:
    """What a worker tells about a finished job beside its outcome. `fits`: regularizer and outcome of each."""

    model: str = ""
    device: str = ""
    flow: str | None = None
    fits: Sequence[tuple[str, str]] = ()

    @property
    def duration_class(self) -> str:
        """Empty where the duration is not to be counted."""
        return f"{word(self.model)} {word(self.device)}" if self.model else ""

    @property
    def names(self) -> str:
        """The counters that go up by one, one a line."""
        flow = [f"flow {word(self.flow)}"] if self.flow is not None else []
        return "\n".join([*flow, *(f"fit {word(name)} {word(outcome)}" for name, outcome in self.fits)])


NOTHING: Final = Facts()


def word(text: str) -> str:
    """Fit to be a part of a name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:_LONGEST_WORD] or "_"


@dataclass(frozen=True)
class Line:
    """Waiting jobs of one priority. `oldest`: seconds since the first of them was queued."""

    priority: int
    places: int
    oldest: float


@dataclass(frozen=True)
class QueueGauge:
    """One queue now. `running` have begun, `held` were claimed with others and have not."""

    waiting: int
    slots: int
    running: int
    held: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Gauges:
    """The store at one moment: counters by name, queues by name, jobs by status, and what Redis says of itself."""

    counters: Mapping[str, int]
    queues: Mapping[str, QueueGauge]
    jobs: Mapping[str, int]
    info: Mapping[str, Any]


def read() -> Operation[Gauges]:
    """All of it in one round. Costs a look at every line (user and priority) that waits, up to 2000 a queue."""
    text, counted, *parts = yield [
        Script("gauges"),
        ("HGETALL", TALLIES),
        ("INFO", "memory"),
        ("INFO", "persistence"),
        ("INFO", "server"),
    ]
    told = json.loads(text)
    info = {name: value for part in parts for name, value in part.items()}
    queues = {name: _queue(found) for name, found in told["queues"].items()}
    counters = {name.decode(): int(value) for name, value in counted.items()}
    return Gauges(counters, queues, told["jobs"], info)


def _queue(found: Mapping[str, Any]) -> QueueGauge:
    lines = found["lines"] or {}
    return QueueGauge(
        int(found["waiting"]), int(found["slots"]), int(found["running"]), int(found["held"]),
        tuple(Line(int(p), int(line[0]), float(line[1]) / 1000) for p, line in sorted(lines.items())),
    )  # fmt: skip
