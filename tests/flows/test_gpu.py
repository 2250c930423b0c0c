"""The flow on a CUDA device: against exact limits, lanes against single runs, and the memory that it has free."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flow_oracles import biased, distance, limit
from lane_checks import Cells, assert_same

from initshape.flows import FlowSettings, integrate
from initshape.flows.batch_size import batch_size, free_memory
from initshape.flows.device import device_name, lanes_wanted
from initshape.spec.outcome import Outcome

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(600, method="thread"),
    pytest.mark.skipif(jax.default_backend() == "cpu", reason="jax sees no accelerator"),
]

SETTINGS = FlowSettings(points=20)


@pytest.mark.parametrize("scale", [0.02, 0.3])
def test_limit_of_a_biased_network_is_that_of_the_dual_problem(scale: float) -> None:
    case = biased(100, dimension=8, samples=4, scale=scale)
    found = integrate(*case, SETTINGS)
    w = case.model.predictor(found.theta)
    assert found.outcome is Outcome.converged
    assert distance(w, limit(case, w)) < 1e-8


def test_the_same_run_twice_is_the_same_to_the_last_bit() -> None:
    first, second = (integrate(*biased(4), SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.theta, second.theta)
    for name, array in first.trajectory.items():
        np.testing.assert_array_equal(second.trajectory[name], array)


@pytest.mark.parametrize("lanes", [2, 16])
@pytest.mark.parametrize("depth", [2, 3])
def test_lanes_are_as_if_alone(lanes: int, depth: int) -> None:
    cases = [biased(4 + k, depth=depth, scale=0.9 / (1 + k)) for k in range(12)]
    cells = Cells(cases[0].model, [c.theta for c in cases], cases[0].X, [c.y for c in cases], SETTINGS)
    for k, lane in enumerate(cells.in_lanes(lanes=lanes)):
        assert_same(lane, cells.alone(k))


def test_lanes_of_the_published_size_are_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    cases = [biased(k, dimension=200, samples=40, scale=10.0**-k) for k in range(4)]
    X = rng.normal(size=(40, 200))
    cells = Cells(cases[0].model, [c.theta for c in cases], X, [X @ rng.normal(size=200) for _ in cases], SETTINGS)
    for k, lane in enumerate(cells.in_lanes()):
        assert_same(lane, cells.alone(k))


def test_the_batch_is_as_large_as_the_memory_that_is_free() -> None:
    free = free_memory()
    assert free is not None
    assert free > 1 << 28
    assert lanes_wanted(device_name())
    lane = free // 20
    assert batch_size(1000, lane, free) == 16
