"""Whether something grows: the slope of a series after its warm-up, judged against what an hour may add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

WARM_UP = 1 / 3
"""The first part of a run fills caches."""
SHARE = 0.05
"""An hour may add so much of the level ..."""
FLOOR = {"MiB": 4.0, "files": 3.0}
"""... or so much where the level is small."""
OTHER_FLOOR = 30.0
FEWEST = 12


@dataclass(frozen=True)
class Trend:
    """`level` is the median after the warm-up; `slope` and its 95 % interval `low`, `high` are per hour."""

    name: str
    first: float
    level: float
    slope: float
    low: float
    high: float
    allowed: float

    @property
    def grows(self) -> bool | None:
        """None where the run is too short to tell: the interval holds both what is allowed and what is not."""
        if self.high <= self.allowed:
            return False
        return True if self.low > self.allowed else None

    @property
    def verdict(self) -> str:
        """For the table."""
        return {False: "flat", True: "GROWS", None: "too short to tell"}[self.grows]


def trend(name: str, points: Sequence[tuple[float, float]]) -> Trend:
    """The Theil-Sen slope (median of all pairs, which a few steps do not bend) of what comes after the warm-up.

    Neighbouring samples are not independent (memory moves in steps), so the series is thinned to at most 40 medians
    first. Errors: ValueError for fewer than FEWEST samples after the warm-up.
    """
    seconds, values = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    late = seconds >= seconds[0] + WARM_UP * (seconds[-1] - seconds[0])
    if late.sum() < FEWEST:
        raise ValueError(f"{name}: {late.sum()} samples after the warm-up, {FEWEST} are needed")
    blocks = min(40, int(late.sum()))
    hours = np.array([np.median(part) for part in np.array_split(seconds[late], blocks)]) / 3600.0
    medians = np.array([np.median(part) for part in np.array_split(values[late], blocks)])
    slope, _, low, high = theilslopes(medians, hours)
    level = float(np.median(values[late]))
    allowed = max(SHARE * level, FLOOR.get(name.rpartition(" ")[2], OTHER_FLOOR))
    return Trend(name, float(values[0]), level, float(slope), float(low), float(high), allowed)
