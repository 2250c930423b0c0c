"""Lanes of one program: each equals the run alone, whatever happens in the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flow_oracles import biased
from lane_checks import SETTINGS, Cells, assert_same, published

from initshape.flows import FlowProgress, FlowSolution, integrate_many
from initshape.models import FullyConnected, SingleNeuron
from initshape.spec.outcome import Outcome

# A call into XLA that hangs returns to no signal handler: then the process ends rather than the test.
pytestmark = pytest.mark.timeout(280, method="thread")


def own_designs() -> Cells:
    cases = [biased(20 + k, depth=3, scale=0.9 - 0.1 * k) for k in range(4)]
    return Cells(
        cases[0].model,
        [c.theta for c in cases],
        [c.X for c in cases],
        [c.y for c in cases],
        replace(SETTINGS, points=3),
    )


def neurons() -> Cells:
    rng = np.random.default_rng(5)
    model, X = SingleNeuron(1, 6), rng.normal(size=(4, 6))
    theta = [10.0**-k * np.abs(rng.normal(size=7)) for k in range(3)]
    return Cells(model, theta, X, [X @ rng.normal(size=6) for _ in theta], SETTINGS)


@pytest.mark.parametrize(
    "cells", [published(5), own_designs(), neurons()], ids=["depth 2, one design", "depth 3, own designs", "neurons"]
)
def test_more_cells_than_lanes_each_as_if_alone(cells: Cells) -> None:
    found = cells.in_lanes(lanes=2)
    expected = [cells.alone(k) for k in range(len(found))]
    for lane, alone in zip(found, expected, strict=True):
        assert_same(lane, alone)
    assert len({alone.steps for alone in expected}) == len(expected)


def test_every_kind_of_end_beside_ordinary_cells() -> None:
    cells = published(9)
    cells.settings = [
        replace(SETTINGS, atol=1e-9),
        replace(SETTINGS, max_time=0.7),
        SETTINGS,  # zero parameters
        replace(SETTINGS, max_steps=5),
        SETTINGS,  # overflows where it starts
        SETTINGS,  # overflows in the first step
        replace(SETTINGS, relative_residual=1e-3, rtol=1e-5),
        SETTINGS,  # fits already
        replace(SETTINGS, points=400, completion=False, relative_residual=1e-7),
    ]
    cells.theta[2] = 0.0
    cells.theta[4] *= 1e200 / np.abs(cells.theta[4]).max()
    cells.theta[5] = 1e155
    # At 1e-7 one coordinate of this cell is learned and unlearned: what its invariants keep of that is rounding.
    cells.theta[8] *= 1e6
    cells.y[7] = cells.model.outputs(cells.theta[7], cells.X)
    found = cells.in_lanes(lanes=2)
    for k, lane in enumerate(found):
        assert_same(lane, cells.alone(k))
    assert [lane.outcome for lane in found if lane is not None] == [
        Outcome.converged,
        Outcome.reached_max_time,
        Outcome.saddle,
        Outcome.reached_max_steps,
        Outcome.nonfinite,
        Outcome.nonfinite,
        Outcome.converged,
        Outcome.converged,
        Outcome.converged,
    ]


def test_a_cell_that_is_not_wanted_leaves_and_the_others_do_not_notice() -> None:
    cells = published(5)
    unwanted, started = {3}, set()

    def progress(cell: int, now: FlowProgress) -> None:
        started.add(cell)
        if cell == 1 and now.steps > 0:
            unwanted.add(1)

    found = cells.in_lanes(lanes=2, on_progress=progress, still_wanted=lambda cell: cell not in unwanted)
    assert [solution is None for solution in found] == [False, True, False, True, False]
    assert started == {0, 1, 2, 4}
    for k in (0, 2, 4):
        assert_same(found[k], cells.alone(k))


def test_a_cell_is_delivered_when_it_ends_and_its_lane_goes_to_the_next() -> None:
    cells = published(5)
    events: list[tuple[str, int]] = []
    delivered: dict[int, FlowSolution] = {}

    def finished(cell: int, solution: FlowSolution) -> None:
        events.append(("finished", cell))
        delivered[cell] = solution

    found = cells.in_lanes(lanes=2, on_finished=finished, on_progress=lambda cell, now: events.append(("at", cell)))
    assert found == [delivered[k] for k in range(5)]
    under_way: set[int] = set()
    first_after_end = []
    for what, cell in events:
        if what == "finished":
            under_way.remove(cell)
            first_after_end.append(set(under_way))
        else:
            under_way.add(cell)
        assert len(under_way) <= 2
    # Somebody was still in the other lane when a cell left.
    assert any(first_after_end[:-1])


def test_the_last_cells_go_on_in_fewer_lanes() -> None:
    """The second batch knows the cost of compiling; so does nobody else: equality is what can be promised."""
    cells = published(4)
    cells.settings = [replace(SETTINGS, max_steps=1 + k) for k in range(3)] + [SETTINGS]
    for _ in range(2):
        for k, lane in enumerate(cells.in_lanes(lanes=4)):
            assert_same(lane, cells.alone(k))


def test_time_is_counted_for_each_cell() -> None:
    cells = published(3, [SETTINGS, replace(SETTINGS, max_seconds=1e-9), SETTINGS])
    found = cells.in_lanes(lanes=2)
    assert [lane.outcome for lane in found if lane is not None] == [
        Outcome.converged,
        Outcome.out_of_time,
        Outcome.converged,
    ]
    assert all(lane is not None and lane.seconds > 0.0 for lane in found)


def test_what_a_callback_raises_ends_all_cells() -> None:
    class StopError(Exception):
        pass

    def stop(cell: int, now: FlowProgress) -> None:
        raise StopError

    with pytest.raises(StopError):
        published(3).in_lanes(lanes=2, on_progress=stop)


def test_networks_with_kinks_take_the_single_route() -> None:
    rng = np.random.default_rng(2)
    model, X = FullyConnected(2, 2, 3, "relu"), rng.normal(size=(3, 3))
    cells = Cells(model, [rng.normal(size=model.size) for _ in range(3)], X, rng.normal(size=(3, 3)), SETTINGS)
    cells.settings = replace(SETTINGS, max_time=2.0)
    done: list[int] = []
    wanted = {0, 1, 2}
    found = cells.in_lanes(
        on_finished=lambda cell, solution: done.append(cell),
        on_progress=lambda cell, now: wanted.discard(1),
        still_wanted=lambda cell: cell in wanted,
    )
    assert (found[1], done) == (None, [0, 2])
    for k in (0, 2):
        assert_same(found[k], cells.alone(k))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observers": [{}]}, "observers and coordinates are for 3, 3, 3, 3, 1, 3 cells"),
        ({"coordinates": [[]] * 4}, "cells"),
        ({"settings": [SETTINGS] * 2}, "cells"),
        ({"settings": replace(SETTINGS, integrator="euler")}, "unknown integrator .euler."),
        ({"y": np.zeros((3, 3))}, "y is zero"),
        ({"theta0": np.zeros((3, 5))}, "do not fit a model"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    cells = published(3)
    arguments = {"theta0": cells.theta, "X": cells.X, "y": cells.y, "settings": SETTINGS} | change
    with pytest.raises(ValueError, match=message):
        integrate_many(cells.model, **arguments)


def test_no_cells_have_no_solutions() -> None:
    cells = published(1)
    assert integrate_many(cells.model, cells.theta[:0], cells.X, cells.y[:0], SETTINGS) == []
