"""What is broken when: a list that depends on the seed and on nothing else."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CHILD, WORKER, FREEZE = "child", "worker", "freeze"
REDIS, REDIS_FREEZE, API = "redis", "redis_freeze", "api"

SECONDS: dict[str, tuple[float, float]] = {
    CHILD: (0.0, 0.0),
    WORKER: (0.2, 3.0),
    FREEZE: (2.0, 9.0),
    REDIS: (0.2, 5.0),
    REDIS_FREEZE: (2.0, 20.0),
    API: (0.2, 2.0),
}
"""For how long, at least and at most. A child is started again by its worker, the others by whoever broke them."""


@dataclass(frozen=True)
class Fault:
    """`after` the one before it, seconds. `victim` in [0, 1) chooses among the workers that are up then."""

    after: float
    what: str
    victim: float
    seconds: float


def schedule(
    seed: int, counts: Mapping[str, int], mean: float, ranges: Mapping[str, tuple[float, float]] | None = None
) -> list[Fault]:
    """So many of each kind in random order, `mean` seconds apart on average (exponential, cut at a third and three)."""
    chance = random.Random(f"faults {seed}")
    kinds = [what for what, count in sorted(counts.items()) for _ in range(count)]
    chance.shuffle(kinds)
    return [_fault(chance, what, mean, {**SECONDS, **(ranges or {})}) for what in kinds]


def endless(
    seed: int, counts: Mapping[str, int], mean: float, ranges: Mapping[str, tuple[float, float]] | None = None
) -> Iterator[Fault]:
    """The same in these proportions, without end."""
    for turn in itertools.count():
        yield from schedule(seed + 1_000_003 * turn, counts, mean, ranges)


def _fault(chance: random.Random, what: str, mean: float, ranges: Mapping[str, tuple[float, float]]) -> Fault:
    after = min(max(chance.expovariate(1.0 / mean), mean / 3), 3 * mean)
    return Fault(after, what, chance.random(), chance.uniform(*ranges[what]))
