"""Worker processes of one core each, as the service runs them, and the time that they take together."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.contenders import sweep_named
from benchmarks.cores import available, pin
from benchmarks.exact import distance, exact_limit
from benchmarks.problem import Floats, Problem
from benchmarks.sweep_contender import SweepContender
from initshape.numerics_environment import one_core

TIMEOUT = 900.0
"""Seconds after which a sweep is given up with an error."""


@dataclass(frozen=True)
class Swept:
    """Wall-clock seconds of all networks together, and the error of each against its exact limit."""

    seconds: float
    cells: int
    workers: int
    errors: list[float]


class Pool:
    """`workers` processes, each pinned to a core of its own. Use as a context."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.workers = workers
        cores: Any = context.Queue()
        for core in available()[:workers]:
            cores.put(core)
        self._barrier = context.Barrier(workers)
        one_core(environment := dict(os.environ))
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            self._pool = context.Pool(workers, _begin, (cores, self._barrier))
        finally:
            os.environ.clear()
            os.environ.update(before)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.terminate()
        self._pool.join()

    def missing(self, contender: SweepContender) -> str | None:
        """Why it cannot run here, asked in a worker."""
        return self._pool.apply(_missing, (contender.name,))

    def sweep(self, contender: SweepContender, problems: Sequence[Problem]) -> Swept:
        """Every worker warms up on its first share, then all are timed together; errors are found afterwards."""
        size = contender.batch or -(-len(problems) // self.workers)
        shares = [list(problems[first :: -(-len(problems) // size)]) for first in range(-(-len(problems) // size))]
        solve = partial(_solve, contender.name)
        first = shares[0][: max(1, contender.batch)]
        warm = self._pool.map_async(partial(_warm_up, contender.name), [first] * self.workers, chunksize=1)
        warm.get(TIMEOUT)
        start = time.perf_counter()
        answers = self._pool.map_async(solve, shares, chunksize=1).get(TIMEOUT)
        seconds = time.perf_counter() - start
        pairs = [pair for share, found in zip(shares, answers, strict=True) for pair in zip(share, found, strict=True)]
        return Swept(seconds, len(problems), self.workers, self.map(_error, pairs))

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """An ordinary map."""
        return self._pool.map(function, items, chunksize=1)


_barrier: Any = None


def _begin(cores: Any, barrier: Any) -> None:
    global _barrier
    _barrier = barrier
    pin(cores.get() if not cores.empty() else None)


def _missing(name: str) -> str | None:
    return sweep_named(name).missing()


def _warm_up(name: str, share: list[Problem]) -> None:
    """The barrier makes sure that every worker gets one."""
    _barrier.wait(timeout=300)
    sweep_named(name).solve(share)


def _solve(name: str, share: list[Problem]) -> list[Floats]:
    return sweep_named(name).solve(share)


def _error(pair: tuple[Problem, Floats]) -> float:
    problem, w = pair
    return distance(w, exact_limit(problem))
