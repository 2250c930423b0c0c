"""How many lanes: from memory, from the number of cells, and after memory has run out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_checks import assert_same, published

from initshape.flows import lane_driver
from initshape.flows.batch_size import LARGEST, batch_size, free_memory, lane_memory, shrunk
from initshape.flows.device import lanes_wanted
from initshape.models import Diagonal

pytestmark = pytest.mark.timeout(280, method="thread")


@settings(deadline=None)
@given(cells=st.integers(1, 5000), lane=st.integers(1, 10**9), memory=st.none() | st.integers(0, 10**12))
def test_a_power_of_two_that_fits_and_is_not_wasted(cells: int, lane: int, memory: int | None) -> None:
    size = batch_size(cells, lane, memory)
    assert size & (size - 1) == 0
    assert size == 1 or size < 2 * cells
    assert size <= LARGEST
    assert memory is None or size == 1 or size * lane <= memory
    # Nothing larger would have done.
    assert size >= cells or size == LARGEST or (memory is not None and 2 * size * lane > memory)


def test_a_tail_goes_on_in_quarters() -> None:
    assert [shrunk(64, live) for live in (64, 17, 16, 5, 4, 1)] == [64, 64, 16, 16, 4, 4]
    assert [shrunk(size, 1) for size in (1, 2, 4, 8)] == [1, 2, 4, 2]


def test_a_lane_of_the_published_size_needs_megabytes() -> None:
    lane = [np.zeros(4096), np.zeros((104, 104)), np.zeros((104, 104), dtype=np.complex128)]
    assert 4e6 < lane_memory(Diagonal(2, 1024), lane) < 4e7


def test_a_cpu_does_not_say_what_is_free() -> None:
    if jax.default_backend() == "cpu":
        assert free_memory() is None


def test_lanes_are_for_accelerators_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INITSHAPE_LANES", raising=False)
    assert lanes_wanted("gpu: NVIDIA H200")
    assert not lanes_wanted("cpu")
    assert lanes_wanted() == (jax.default_backend() != "cpu")
    monkeypatch.setenv("INITSHAPE_LANES", "always")
    assert lanes_wanted("cpu")
    monkeypatch.setenv("INITSHAPE_LANES", "never")
    assert not lanes_wanted("gpu: NVIDIA H200")
    monkeypatch.setenv("INITSHAPE_LANES", "yes")
    with pytest.raises(ValueError, match="auto, always or never, not 'yes'"):
        lanes_wanted("cpu")


def test_a_program_beyond_the_budget_runs_with_half_the_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate is made far too small, as for a model whose needs it does not know: XLA's own figure decides."""
    monkeypatch.setattr(lane_driver, "lane_memory", lambda model, lane: 1)
    cells = published(5)
    at_once: set[int] = set()
    most = 0

    def progress(cell: int, now: object) -> None:
        nonlocal most
        at_once.add(cell)
        most = max(most, len(at_once))

    # Two lanes of this size take 86 kB, four twice as much.
    found = cells.in_lanes(memory=130_000, on_progress=progress, on_finished=lambda cell, s: at_once.discard(cell))
    assert most == 2
    for k, lane in enumerate(found):
        assert_same(lane, cells.alone(k))


def test_when_memory_runs_out_the_batch_is_halved_and_nothing_is_lost() -> None:
    """A real RESOURCE_EXHAUSTED in the middle of the runs, in a process whose address space is full."""
    child = Path(__file__).parent / "run_out_of_memory.py"
    # What is freed goes back to the system at once: the next block has to ask for its memory again.
    at_once = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    environment = os.environ | at_once | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(child)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lanes: 4 4 2 steps at the limit: 8" in done.stdout
