"""What every integrator of a flow owes its caller, whether it simulates all parameters or takes theory's short cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flow_oracles import FlowCase, biased, distance, simulated

from initshape.dual import integrate_dual
from initshape.flows import integrate
from initshape.models import Diagonal
from initshape.models.initial_diagonal import scale_shape_layers
from initshape.spec.outcome import Outcome
from initshape.training.settings import FlowProgress, FlowSettings, FlowSolution

BASE = FlowSettings(points=20)
NAMES = ("radau", "tsit5", "dual")
Trained = Callable[..., FlowSolution]


@pytest.fixture(params=NAMES)
def trained(request: pytest.FixtureRequest) -> Trained:
    """`trained(case, settings, ...)` by one integrator after the other."""

    def train(case: FlowCase, settings: FlowSettings = BASE, **more: Any) -> FlowSolution:
        if request.param == "dual":
            return integrate_dual(*case, settings, **more)
        return integrate(*case, replace(settings, integrator=request.param), **more)

    return train


def balanced(scale: float) -> np.ndarray:
    branch = scale_shape_layers(scale, 0.0, 2, 8)
    return np.concatenate([branch, branch]).reshape(-1)


def test_states_in_the_middle_are_those_of_an_independent_integrator(trained: Trained) -> None:
    case = biased(4)
    times = [0.3, 1.0, 3.0]
    for time, theta in zip(times, simulated(case, times), strict=True):
        settings = replace(BASE, rtol=1e-11, max_time=time, completion=False)
        found = trained(case, settings)
        assert (found.outcome, found.time) == (Outcome.reached_max_time, time)
        np.testing.assert_allclose(found.theta, theta, rtol=0, atol=1e-9)


def test_errors_follow_rtol(trained: Trained) -> None:
    case, times = biased(4), [1.0, 3.0]
    for time, theta in zip(times, simulated(case, times), strict=True):
        w = case.model.predictor(theta)
        for rtol in (1e-4, 1e-7, 1e-10):
            end = trained(case, replace(BASE, rtol=rtol, max_time=time, completion=False)).theta
            assert distance(case.model.predictor(end), w) < 10 * rtol


def test_saved_rows_are_states_of_the_flow(trained: Trained) -> None:
    """Dense output: every saved row against scipy's states at the same times."""
    case = biased(4)
    target = np.linspace(1.0, 2.0, 8)
    settings = replace(BASE, rtol=1e-9, max_time=5.0)
    found = trained(case, settings, observers={"a": target}, coordinates=[1, 6])
    rows = found.trajectory
    assert (rows["time"][0], rows["time"][-1]) == (0.0, 5.0)
    assert 5 < len(rows["time"]) <= 20
    assert np.all(np.diff(rows["time"]) > 0.0)
    thetas = simulated(case, rows["time"].tolist())
    w = case.model.predictor(thetas)
    residual = np.linalg.norm(w @ case.X.T - case.y, axis=1)
    np.testing.assert_allclose(rows["w_trajectory"], w[:, [1, 6]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        rows["distance_a"], np.linalg.norm(w - target, axis=1) / np.linalg.norm(target), atol=1e-6
    )
    np.testing.assert_allclose(rows["relative_residual"], residual / np.linalg.norm(case.y), rtol=0, atol=1e-6)
    np.testing.assert_allclose(rows["train_loss"], residual**2 / 6.0, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(rows["coordinate_index"], [1, 6])
    assert rows["invariant_drift"].max() < 1e-7


def test_all_integrators_save_the_same_times() -> None:
    case, settings = biased(4), replace(BASE, max_time=5.0)
    times = [integrate(*case, replace(settings, integrator=name)).trajectory["time"] for name in ("radau", "tsit5")]
    times.append(integrate_dual(*case, settings).trajectory["time"])
    np.testing.assert_allclose(times[1], times[0], rtol=1e-12)
    np.testing.assert_allclose(times[2], times[0], rtol=1e-12)


def test_the_requested_residual_is_reached_by_completion(trained: Trained) -> None:
    found = trained(biased(0))
    assert (found.outcome, found.stopped_by) == (Outcome.converged, "relative_residual")
    assert found.completion is not None
    assert 1e-10 < found.completion.from_residual <= 1e-6
    assert 1 <= found.completion.iterations <= 3
    assert found.relative_residual <= 1e-10
    assert found.trajectory["relative_residual"][-1] == pytest.approx(found.completion.from_residual, rel=1e-6)


def test_without_completion_the_integration_goes_all_the_way(trained: Trained) -> None:
    case = biased(0)
    found, completed = trained(case, replace(BASE, completion=False)), trained(case)
    assert (found.outcome, found.completion) == (Outcome.converged, None)
    assert found.relative_residual <= 1e-10
    assert found.time > completed.time
    np.testing.assert_allclose(found.theta, completed.theta, rtol=0, atol=1e-7 * np.abs(found.theta).max())


def test_a_coarse_residual_is_never_completed(trained: Trained) -> None:
    found = trained(biased(0), replace(BASE, relative_residual=1e-3))
    assert (found.outcome, found.completion) == (Outcome.converged, None)
    assert 1e-6 < found.relative_residual <= 1e-3


def test_loose_tolerances_reach_small_residuals(trained: Trained) -> None:
    found = trained(biased(0), replace(BASE, rtol=1e-3))
    assert (found.outcome, found.stopped_by) == (Outcome.converged, "relative_residual")


def test_max_time_is_hit_exactly_and_never_completed(trained: Trained) -> None:
    found = trained(biased(0), replace(BASE, max_time=0.7))
    assert (found.outcome, found.stopped_by) == (Outcome.reached_max_time, "max_time")
    assert (found.time, found.completion) == (0.7, None)
    assert found.trajectory["time"][-1] == 0.7


def test_max_steps_counts_accepted_steps(trained: Trained) -> None:
    found = trained(biased(0), replace(BASE, max_steps=5))
    assert (found.outcome, found.stopped_by, found.steps) == (Outcome.reached_max_steps, "max_steps", 5)


def test_max_seconds_stops_between_steps(trained: Trained) -> None:
    found = trained(biased(0), replace(BASE, max_seconds=1e-9))
    assert (found.outcome, found.stopped_by) == (Outcome.out_of_time, "max_seconds")
    assert 0.0 < found.time < trained(biased(0)).time


def test_a_start_that_fits_already_takes_no_step(trained: Trained) -> None:
    model, theta, X, _ = biased(0)
    found = trained(FlowCase(model, theta, X, model.outputs(theta, X)))
    assert (found.outcome, found.steps, found.time) == (Outcome.converged, 0, 0.0)
    np.testing.assert_allclose(found.theta, theta, rtol=1e-15)
    np.testing.assert_array_equal(found.trajectory["time"], [0.0])


def test_zero_parameters_are_a_saddle(trained: Trained) -> None:
    model, _, X, y = biased(0)
    found = trained(FlowCase(model, np.zeros(model.size), X, y))
    assert (found.outcome, found.stopped_by, found.steps) == (Outcome.saddle, "stationary", 0)


def test_frozen_coordinates_lead_to_a_saddle(trained: Trained) -> None:
    model, _, X, y = biased(0)
    layers = balanced(1e-2).reshape(2, 2, 8)
    layers[:, :, 2:] = 0.0
    found = trained(FlowCase(model, layers.reshape(-1), X, y))
    assert (found.outcome, found.stopped_by) == (Outcome.saddle, "stationary")
    best = np.linalg.lstsq(X[:, :2], y, rcond=None)[0]
    np.testing.assert_allclose(model.predictor(found.theta)[:2], best, rtol=1e-6)
    np.testing.assert_array_equal(model.predictor(found.theta)[2:], 0.0)


def test_inconsistent_labels_are_infeasible(trained: Trained) -> None:
    model, _, X, y = biased(0)
    found = trained(FlowCase(model, balanced(0.1), np.vstack([X, X[:1]]), np.append(y, y[0] + 1.0)))
    assert (found.outcome, found.stopped_by) == (Outcome.infeasible, "stationary")


def test_a_slow_start_is_not_taken_for_a_saddle(trained: Trained) -> None:
    """One coordinate starts 26 decades below another whose feature the data do not need at first."""
    scale = np.full(8, 1e-26)
    scale[0] = 1.0
    branch = scale_shape_layers(tuple(scale), 0.0, 2, 8)
    X = np.eye(8)[:3]
    theta = np.concatenate([branch, branch]).reshape(-1)
    found = trained(FlowCase(Diagonal(2, 8), theta, X, np.array([0.0, 1.0, -0.5])))
    assert found.outcome is Outcome.converged
    np.testing.assert_allclose(Diagonal(2, 8).predictor(found.theta)[:3], [0.0, 1.0, -0.5], atol=1e-9)


def test_overflow_at_the_start_is_nonfinite(trained: Trained) -> None:
    model, theta, X, y = biased(0)
    found = trained(FlowCase(model, theta * 1e200, X, y))
    assert (found.outcome, found.stopped_by) == (Outcome.nonfinite, "nonfinite")


def test_progress_moves_forward_and_what_it_raises_ends_the_run(trained: Trained) -> None:
    seen: list[FlowProgress] = []
    found = trained(biased(4), on_progress=seen.append)
    assert seen
    assert all(a.time <= b.time and a.steps <= b.steps for a, b in itertools.pairwise(seen))
    assert all(0.0 <= progress.fraction <= 1.0 for progress in seen)
    assert (seen[-1].time, seen[-1].steps, seen[-1].fraction) == (found.time, found.steps, 1.0)

    class CancelledError(Exception):
        pass

    def cancel(_: FlowProgress) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        trained(biased(4), on_progress=cancel)


def test_the_same_run_twice_is_the_same_to_the_last_bit(trained: Trained) -> None:
    first, second = trained(biased(4)), trained(biased(4))
    np.testing.assert_array_equal(first.theta, second.theta)
    for name, array in first.trajectory.items():
        np.testing.assert_array_equal(second.trajectory[name], array)


def test_impossible_arrays_are_refused(trained: Trained) -> None:
    model, theta, X, y = biased(0)
    with pytest.raises(ValueError, match="fit"):
        trained(FlowCase(model, theta[1:], X, y))
    with pytest.raises(ValueError, match="y is zero"):
        trained(FlowCase(model, theta, X, 0.0 * y))
