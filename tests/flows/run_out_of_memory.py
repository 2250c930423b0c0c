"""Runs cells in lanes whose address space is full after the first block; prints the batch sizes that it saw.

The system refuses the next block its memory; half the batch finds the limit lifted, as if it had been the size.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
from lane_checks import Cells, assert_same

from initshape.flows import FlowProgress, FlowSettings, lane_driver
from initshape.models import Diagonal

NUMBER, DIMENSION, SAMPLES = 4, 8_000, 4
SLACK = 2 << 20


def address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def settled() -> int:
    """The address space, once XLA's threads have given back what they free behind our back."""
    sizes = [address_space()]
    while len(sizes) < 10 or len(set(sizes[-10:])) > 1:
        time.sleep(0.02)
        sizes.append(address_space())
    return sizes[-1]


def limit(bound: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (bound, resource.RLIM_INFINITY))


def main() -> None:
    rng = np.random.default_rng(0)
    model = Diagonal(2, DIMENSION)
    X = rng.normal(size=(SAMPLES, DIMENSION)) / np.sqrt(DIMENSION)
    theta = [rng.normal(size=model.size) for _ in range(NUMBER)]
    settings = FlowSettings(points=10, max_steps=12, completion=False)
    cells = Cells(model, theta, X, [X @ rng.normal(size=DIMENSION) for _ in theta], settings, watched=False)

    sizes: list[int] = []
    steps: list[int] = []
    compiled = lane_driver.compiled

    def counted(function: Any, static: Any, arguments: Any) -> Any:
        sizes.append(len(arguments[1].rtol))
        program = compiled(function, static, arguments)
        if len(sizes) == 2:  # compiled already: what comes next is the block
            limit(settled() + SLACK)
        return program

    def progress(cell: int, now: FlowProgress) -> None:
        if not steps:
            steps.append(now.steps)

    def still_wanted(cell: int) -> bool:
        if len(sizes) == 2:
            limit(resource.RLIM_INFINITY)
        return True

    lane_driver.compiled = counted
    found = cells.in_lanes(on_progress=progress, still_wanted=still_wanted)
    print("lanes:", *sizes[:3], "steps at the limit:", *steps, flush=True)
    for k in (0, NUMBER - 1):
        assert_same(found[k], cells.alone(k))


if __name__ == "__main__":
    main()
