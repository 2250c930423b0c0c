"""Saved times and statistics: the grid, and every column against a calculation by hand."""

from __future__ import annotations

import numpy as np
import pytest
from flow_oracles import biased, distance, simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.flows import FlowSettings, integrate
from initshape.training.trajectory import Recorder, Rows


def numbered(times: np.ndarray) -> Rows:
    """Rows whose columns repeat the time, so that a row that moves apart from its time is seen."""
    return Rows(times, times, times, times[:, None], times[:, None])


@pytest.mark.parametrize("points", [2, 3, 50, 200])
def test_exactly_the_requested_rows_from_zero_to_the_end(points: int) -> None:
    found = integrate(*biased(1), FlowSettings(points=points), observers={"a": np.ones(8)}, coordinates=[2, 5])
    time = found.trajectory["time"]
    assert len(time) == points
    assert (time[0], time[-1]) == (0.0, found.time)
    assert np.all(np.diff(time) > 0.0)
    for name, array in found.trajectory.items():
        assert len(array) == (2 if name == "coordinate_index" else points), name
        assert np.all(np.isfinite(array)), name


def test_every_column_against_a_calculation_by_hand() -> None:
    case = biased(2)
    model, theta, X, y = case
    target = np.linspace(-1.0, 1.0, 8)
    found = integrate(
        *case,
        FlowSettings(rtol=1e-10, points=12, max_time=5.0, relative_residual=1e-14, completion=False),
        observers={"target": target, "other": -3 * target},
        coordinates=[6, 0, 3],
    )
    rows = found.trajectory
    states = np.vstack([theta, simulated(case, rows["time"][1:].tolist())])
    w = model.predictor(states)
    residual = y - w @ X.T
    drift = np.abs(model.invariants(states) - model.invariants(theta)).max(1)
    np.testing.assert_allclose(rows["w_trajectory"], w[:, [6, 0, 3]], atol=1e-7)
    np.testing.assert_allclose(rows["train_loss"], (residual**2).sum(1) / (2 * len(y)), rtol=1e-6)
    np.testing.assert_allclose(
        rows["relative_residual"], np.linalg.norm(residual, axis=1) / np.linalg.norm(y), rtol=1e-6
    )
    np.testing.assert_allclose(rows["distance_target"], [distance(row, target) for row in w], rtol=1e-7)
    np.testing.assert_allclose(rows["distance_other"], [distance(row, -3 * target) for row in w], rtol=1e-7)
    np.testing.assert_array_equal(rows["coordinate_index"], [6, 0, 3])
    assert rows["invariant_drift"][0] == 0.0
    assert rows["invariant_drift"].max() < 1e-6
    assert drift.max() < 1e-8


def test_observers_do_not_touch_the_flow() -> None:
    case = biased(2)
    alone = integrate(*case, FlowSettings(points=30))
    watched = integrate(*case, FlowSettings(points=30), observers={"a": np.ones(8)}, coordinates=range(8))
    np.testing.assert_array_equal(alone.theta, watched.theta)
    assert (alone.time, alone.steps) == (watched.time, watched.steps)


def test_saving_more_rows_does_not_touch_the_flow() -> None:
    case = biased(2)
    few, many = (integrate(*case, FlowSettings(points=points)) for points in (2, 900))
    np.testing.assert_array_equal(few.theta, many.theta)
    assert len(many.trajectory["time"]) == 900


@settings(deadline=None)
@given(points=st.integers(3, 60), decades=st.floats(1.1, 14.0), batch=st.integers(1, 50))
def test_grid_is_even_in_log_time_whatever_the_length_of_the_run(points: int, decades: float, batch: int) -> None:
    recorder = Recorder(points, rate=1.0, max_time=1e30)
    end = recorder.first * 10.0**decades
    following = recorder.first
    while following < end:
        times = []
        while len(times) < batch and following < end:
            times.append(following)
            following *= recorder.ratio
        now = np.array(times)
        thinned = recorder.add(now, numbered(now))
        following = following if thinned is None else thinned
    first, last = np.zeros(1), np.array([end])
    time, rows = recorder.finish(numbered(first), numbered(last), end)
    assert len(time) == points
    for column in rows:
        np.testing.assert_array_equal(np.ravel(column), time)
    assert (time[0], time[-1]) == (0.0, end)
    gaps = np.diff(np.log10(time[1:-1]))
    if len(gaps) > 0:
        assert gaps.min() > 0.0
        # A gap is a whole number of grid spacings, and two gaps differ by one spacing at most.
        assert gaps.max() - gaps.min() <= np.log10(recorder.ratio) * (1 + 1e-6) + 1e-9


def test_a_run_of_no_time_has_one_row() -> None:
    time, rows = Recorder(10, 1.0, 1.0).finish(numbered(np.zeros(1)), numbered(np.zeros(1)), 0.0)
    assert (time.tolist(), rows.train_loss.tolist()) == ([0.0], [0.0])
