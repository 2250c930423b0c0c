"""What is raced over many networks: how one worker solves a list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.problem import Floats, Problem


@dataclass(frozen=True)
class SweepContender:
    """`solve` runs in a worker process, on one core, and returns the weights of each network.

    `batch` networks go to a worker at once (0: its equal share of all). `missing` as for `Contender`.
    """

    name: str
    solve: Callable[[Sequence[Problem]], list[Floats]]
    batch: int = 1
    missing: Callable[[], str | None] = lambda: None
