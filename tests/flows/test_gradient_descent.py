"""Gradient descent: against a plain NumPy loop, against the flow as the step falls, and every way to end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from initshape.flows import FlowSettings, FlowSolution, integrate
from initshape.flows.gradient_descent import DescentSettings, descend
from initshape.models import Diagonal
from initshape.spec.outcome import Outcome

RNG = np.random.default_rng(11)
D, N = 6, 3
MODEL = Diagonal(depth=2, dimension=D)
X = RNG.normal(size=(N, D))
Y = X @ np.array([1.0, 0.0, -0.5, 0.0, 0.0, 0.2])
THETA = RNG.uniform(0.2, 0.6, size=MODEL.size)


def run(**changes: object) -> FlowSolution:
    return descend(MODEL, THETA, X, Y, DescentSettings(**({"step_size": 0.05} | changes)))  # type: ignore[arg-type]


def plain_loop(step_size: float, momentum: float, steps: int) -> np.ndarray:
    """The published loop, written down independently of the model's code."""
    u, v = THETA.reshape(2, 2, D).transpose(1, 0, 2).copy()  # (branch, d) each
    du, dv = np.zeros_like(u), np.zeros_like(v)
    sign = np.array([[1.0], [-1.0]])
    for _ in range(steps):
        gradient = -X.T @ (Y - X @ (u[0] * v[0] - u[1] * v[1])) / N
        du, dv = momentum * du - step_size * sign * v * gradient, momentum * dv - step_size * sign * u * gradient
        u, v = u + du, v + dv
    return u[0] * v[0] - u[1] * v[1]


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_same_iterates_as_a_plain_loop(momentum: float) -> None:
    found = run(momentum=momentum, max_steps=40, relative_residual=1e-14)
    assert found.outcome is Outcome.reached_max_steps
    assert found.steps == 40
    np.testing.assert_allclose(MODEL.predictor(found.theta), plain_loop(0.05, momentum, 40), rtol=1e-12, atol=1e-14)


def test_stops_at_the_first_iterate_that_reaches_the_residual() -> None:
    found = run(relative_residual=1e-6)
    assert (found.outcome, found.stopped_by) == (Outcome.converged, "relative_residual")
    before = plain_loop(0.05, 0.0, found.steps - 1)
    assert np.linalg.norm(Y - X @ before) / np.linalg.norm(Y) > 1e-6 >= found.relative_residual


@pytest.mark.parametrize("changes", [{}, {"batch_size": 2, "seed": 3}])
def test_the_limit_approaches_that_of_the_flow_at_first_order(changes: dict[str, int]) -> None:
    limit = MODEL.predictor(integrate(MODEL, THETA, X, Y, FlowSettings()).theta)
    gaps = [
        np.linalg.norm(MODEL.predictor(run(step_size=eta, **changes).theta) - limit) for eta in (0.04, 0.004, 0.0004)
    ]
    assert gaps[0] < 0.1 * np.linalg.norm(limit)
    for coarse, fine in itertools.pairwise(gaps):
        assert 5.0 < coarse / fine < 20.0


def test_mini_batches_follow_their_seed() -> None:
    runs = [run(batch_size=2, seed=seed, max_steps=500, relative_residual=1e-15) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].theta, runs[1].theta)
    assert not np.array_equal(runs[0].theta, runs[2].theta)


def test_a_batch_of_all_samples_is_the_full_batch() -> None:
    np.testing.assert_array_equal(run(batch_size=N).theta, run().theta)


def test_divergence_is_an_outcome_and_the_last_iterate_is_finite() -> None:
    found = run(step_size=1e3)
    assert (found.outcome, found.stopped_by) == (Outcome.diverged, "diverged")
    assert np.all(np.isfinite(found.theta))
    assert all(np.all(np.isfinite(column)) for column in found.trajectory.values())


def test_ends_by_time_and_by_the_clock() -> None:
    found = run(max_time=1.0, relative_residual=1e-14)
    assert (found.outcome, found.steps) == (Outcome.reached_max_time, 20)
    assert found.time == pytest.approx(1.0)
    assert run(max_seconds=1e-9, step_size=1e-6).outcome is Outcome.out_of_time


def test_a_start_that_cannot_move_is_a_saddle() -> None:
    found = descend(MODEL, np.zeros(MODEL.size), X, Y, DescentSettings(step_size=0.1))
    assert (found.outcome, found.steps) == (Outcome.saddle, 0)


def test_saved_times_are_whole_steps_from_start_to_end() -> None:
    found = descend(MODEL, THETA, X, Y, DescentSettings(step_size=0.01, points=20), observers={"w": np.ones(D)})
    times = found.trajectory["time"]
    assert times[0] == 0.0
    assert times[-1] == found.time
    assert 10 <= len(times) <= 20
    np.testing.assert_allclose(np.asarray(times) / 0.01, np.round(np.asarray(times) / 0.01), atol=1e-6)
    assert np.all(np.diff(np.asarray(times, dtype=float)) > 0)
    w = MODEL.predictor(found.theta)
    assert found.trajectory["distance_w"][-1] == pytest.approx(np.linalg.norm(w - 1.0) / np.sqrt(D))
