"""Every rule that ends a run, and what the outcome says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flow_oracles import biased

from initshape.flows import FlowSettings, integrate
from initshape.models import Diagonal, scale_shape_layers
from initshape.spec.outcome import Outcome

BASE = FlowSettings(points=20)


def balanced(scale: float, dimension: int = 8) -> np.ndarray:
    """theta with both branches sqrt(scale) everywhere."""
    branch = scale_shape_layers(scale, 0.0, 2, dimension)
    return np.concatenate([branch, branch]).reshape(-1)


def test_requested_residual_is_reached_by_completion() -> None:
    found = integrate(*biased(0), BASE)
    assert (found.outcome, found.stopped_by) == (Outcome.converged, "relative_residual")
    assert found.completion is not None
    assert 1e-10 < found.completion.from_residual <= 1e-6
    assert 1 <= found.completion.iterations <= 3
    assert found.relative_residual <= 1e-10
    assert found.trajectory["relative_residual"][-1] == pytest.approx(found.completion.from_residual, rel=1e-6)


def test_without_completion_the_integration_goes_all_the_way() -> None:
    case = biased(0)
    found = integrate(*case, replace(BASE, completion=False))
    completed = integrate(*case, BASE)
    assert (found.outcome, found.completion) == (Outcome.converged, None)
    assert found.relative_residual <= 1e-10
    assert found.time > completed.time
    np.testing.assert_allclose(found.theta, completed.theta, rtol=0, atol=1e-8 * np.abs(found.theta).max())


def test_a_coarse_residual_is_never_completed() -> None:
    found = integrate(*biased(0), replace(BASE, relative_residual=1e-3))
    assert (found.outcome, found.completion) == (Outcome.converged, None)
    assert 1e-6 < found.relative_residual <= 1e-3


def test_max_time_is_hit_exactly_and_never_completed() -> None:
    found = integrate(*biased(0), replace(BASE, max_time=0.7))
    assert (found.outcome, found.stopped_by) == (Outcome.reached_max_time, "max_time")
    assert (found.time, found.completion) == (0.7, None)
    assert found.trajectory["time"][-1] == 0.7


def test_max_steps_counts_accepted_steps() -> None:
    found = integrate(*biased(0), replace(BASE, max_steps=5))
    assert (found.outcome, found.stopped_by, found.steps) == (Outcome.reached_max_steps, "max_steps", 5)


def test_max_seconds_stops_between_blocks() -> None:
    found = integrate(*biased(0), replace(BASE, max_seconds=1e-9))
    assert (found.outcome, found.stopped_by) == (Outcome.out_of_time, "max_seconds")
    assert 0.0 < found.time < integrate(*biased(0), BASE).time


def test_a_start_that_fits_already_takes_no_step() -> None:
    model, theta, X, _ = biased(0)
    found = integrate(model, theta, X, model.outputs(theta, X), BASE)
    assert (found.outcome, found.steps, found.time) == (Outcome.converged, 0, 0.0)
    np.testing.assert_array_equal(found.theta, theta)
    np.testing.assert_array_equal(found.trajectory["time"], [0.0])


def test_zero_parameters_are_a_saddle() -> None:
    model, _, X, y = biased(0)
    found = integrate(model, np.zeros(model.size), X, y, BASE)
    assert (found.outcome, found.stopped_by, found.steps) == (Outcome.saddle, "stationary", 0)


def test_frozen_coordinates_lead_to_a_saddle() -> None:
    model, _, X, y = biased(0)
    layers = balanced(1e-2).reshape(2, 2, 8)
    layers[:, :, 2:] = 0.0
    found = integrate(model, layers.reshape(-1), X, y, BASE)
    assert (found.outcome, found.stopped_by) == (Outcome.saddle, "stationary")
    best = np.linalg.lstsq(X[:, :2], y, rcond=None)[0]
    np.testing.assert_allclose(model.predictor(found.theta)[:2], best, rtol=1e-6)
    np.testing.assert_array_equal(model.predictor(found.theta)[2:], 0.0)


def test_a_slow_start_is_not_taken_for_a_saddle() -> None:
    """One coordinate starts 26 decades below another whose feature the data do not need at first."""
    model = Diagonal(2, 8)
    scale = np.full(8, 1e-26)
    scale[0] = 1.0
    branch = scale_shape_layers(tuple(scale), 0.0, 2, 8)
    X = np.eye(8)[:3]
    found = integrate(model, np.concatenate([branch, branch]).reshape(-1), X, np.array([0.0, 1.0, -0.5]), BASE)
    assert found.outcome is Outcome.converged
    np.testing.assert_allclose(model.predictor(found.theta)[:3], [0.0, 1.0, -0.5], atol=1e-9)


def test_inconsistent_labels_are_infeasible() -> None:
    model, _, X, y = biased(0)
    found = integrate(model, balanced(0.1), np.vstack([X, X[:1]]), np.append(y, y[0] + 1.0), BASE)
    assert (found.outcome, found.stopped_by) == (Outcome.infeasible, "stationary")


def test_rounding_floor_above_the_request_is_a_stall() -> None:
    """w = u u - v v with u near 1e5 resolves nothing below 1e10 eps."""
    model, _, X, y = biased(0)
    found = integrate(model, balanced(1e10), X, y, BASE)
    assert (found.outcome, found.stopped_by) == (Outcome.stalled, "rounding_floor")
    assert found.relative_residual < 1e-3
    assert found.steps < 1000


def test_a_state_without_room_for_the_answer_ends_soon() -> None:
    model, _, X, y = biased(0)
    found = integrate(model, balanced(1e80), X, y, BASE)
    assert found.outcome is Outcome.stalled
    assert found.steps + found.effort["rejected_steps"] < 2000


def test_overflow_at_the_start_is_nonfinite() -> None:
    model, theta, X, y = biased(0)
    found = integrate(model, 1e200 * theta, X, y, BASE)
    assert (found.outcome, found.stopped_by, found.steps) == (Outcome.nonfinite, "nonfinite", 0)


def test_overflow_in_the_first_step_is_nonfinite() -> None:
    model, _, X, y = biased(0)
    found = integrate(model, balanced(1e155), X, y, BASE)
    assert found.outcome is Outcome.nonfinite
    assert np.all(np.isfinite(found.theta))


@pytest.mark.parametrize(
    "change",
    [{"rtol": 0.0}, {"rtol": float("nan")}, {"points": 1}, {"max_steps": 0}, {"max_time": -1.0}, {"atol": -1.0}],
)
def test_impossible_settings_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        replace(BASE, **change)


def test_arrays_that_do_not_fit_are_refused() -> None:
    model, theta, X, y = biased(0)
    for bad in ((theta[:-1], X, y), (theta, X.T, y), (theta, X, y[:-1])):
        with pytest.raises(ValueError, match="do not fit"):
            integrate(model, *bad, BASE)
    with pytest.raises(ValueError, match="y is zero"):
        integrate(model, theta, X, np.zeros_like(y), BASE)
    with pytest.raises(ValueError, match="unknown integrator"):
        integrate(model, theta, X, y, replace(BASE, integrator="euler"))
