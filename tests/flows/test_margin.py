"""Classification flows against the dual flow in SciPy, at exactly the requested loss, and how they end otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from margin_flow_oracles import dual_flow, gamma_of
from scipy.integrate import solve_ivp

from initshape.flows import FlowProgress, FlowSolution
from initshape.flows.margin import MarginSettings, integrate_margin
from initshape.models import Diagonal, FullyConnected
from initshape.spec.outcome import Outcome

D, N = 8, 5
"""One shape for all: a compiled program takes seconds."""


def data(seed: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.choice([-1.0, 1.0], N)


def balanced(depth: int, scale: float) -> Any:
    """All layers of one size, with product `scale`."""
    return np.full(2 * depth * D, scale ** (1.0 / depth))


def flow(depth: int, theta: Any, gamma: float, loss: str = "exponential", seed: int = 2, **more: Any) -> FlowSolution:
    X, y = data(seed)
    settings = MarginSettings(log_train_loss=-gamma, **more)
    return integrate_margin(Diagonal(depth, D), theta, X, y, settings, loss=loss)


def rows(seed: int = 2) -> Any:
    X, y = data(seed)
    return X * y[:, None]


def error(found: Any, wanted: Any) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("gamma", [10.0, 100.0, 1000.0])
@pytest.mark.parametrize("scale", [1e-5, 0.5, 50.0])
def test_two_layers_follow_the_dual_flow(scale: float, gamma: float) -> None:
    """w, lambda (through R = rows^T lambda) and tau = sum lambda at the requested gamma."""
    solution = flow(2, balanced(2, scale), gamma)
    wanted = dual_flow(rows(), 2, scale, gamma)
    w = Diagonal(2, D).predictor(solution.theta)
    assert solution.outcome is Outcome.converged
    assert error(w, wanted.w) < 1e-8
    assert gamma_of(rows() @ w) == pytest.approx(gamma, rel=1e-9)
    assert solution.gamma == pytest.approx(gamma, rel=1e-10)
    assert solution.time == pytest.approx(wanted.tau, rel=1e-8)
    assert solution.time == pytest.approx(float(np.sum(wanted.multipliers)), rel=1e-8)
    assert solution.invariant_drift < 1e-7


@pytest.mark.parametrize(("depth", "loss"), [(2, "logistic"), (3, "exponential"), (4, "logistic")])
@pytest.mark.parametrize("gamma", [10.0, 1000.0])
def test_other_depths_and_losses_follow_the_dual_flow(depth: int, loss: str, gamma: float) -> None:
    solution = flow(depth, balanced(depth, 0.1), gamma, loss)
    wanted = dual_flow(rows(), depth, 0.1, gamma, loss)
    assert error(Diagonal(depth, D).predictor(solution.theta), wanted.w) < 1e-8
    assert solution.time == pytest.approx(wanted.tau, rel=1e-8)


@pytest.mark.parametrize(("depth", "loss"), [(2, "exponential"), (2, "logistic"), (3, "exponential"), (4, "logistic")])
def test_a_loss_below_the_smallest_double(depth: int, loss: str) -> None:
    """1e-1000, from small and from large layers, and the depth > 2 path, whose tau blows up in finite time."""
    for scale in (1e-6, 1.0):
        solution = flow(depth, balanced(depth, scale), 2302.6, loss)
        m = rows() @ Diagonal(depth, D).predictor(solution.theta)
        assert solution.outcome is Outcome.converged
        assert solution.train_loss == 0.0
        assert solution.log_train_loss == pytest.approx(-2302.6, rel=1e-10)
        assert gamma_of(m, loss) == pytest.approx(2302.6, rel=1e-9)


def test_an_overflowing_loss_at_the_start() -> None:
    """Wrong margins of thousands: exp(-m) overflows, gamma does not; large and small data."""
    X, y = data()
    theta = 60.0 * np.random.default_rng(0).standard_normal(4 * D)
    assert np.min(y * Diagonal(2, D).outputs(theta, X)) < -3000.0
    for scale in (1.0, 1e3):
        settings = MarginSettings(log_train_loss=-1000.0)
        solution = integrate_margin(Diagonal(2, D), theta, scale * X, y, settings)
        assert solution.outcome is Outcome.converged
        assert solution.trajectory["gamma"][0] < -3000.0
        assert np.all(np.diff(solution.trajectory["gamma"]) > 0.0)


def test_rows_of_the_trajectory() -> None:
    """A logarithmic grid in gamma; each row is the state at its gamma; distances are those of unit vectors."""
    X, y = data()
    targets = {name: np.random.default_rng(k).standard_normal(D) for k, name in enumerate("abcd")}
    settings = MarginSettings(log_train_loss=-100.0, points=12)
    solution = integrate_margin(
        Diagonal(2, D), balanced(2, 0.01), X, y, settings, observers=targets, coordinates=range(D)
    )
    found = solution.trajectory
    assert {name: value.shape for name, value in found.items()} == {
        **dict.fromkeys(("time", "gamma", "log_train_loss", "train_loss", "margin", "invariant_drift"), (12,)),
        **{f"distance_{name}": (12,) for name in targets},
        "w_trajectory": (12, D),
        "coordinate_index": (D,),
        "margins": (N,),
    }
    gain = found["gamma"] - found["gamma"][0]
    np.testing.assert_allclose(np.log(gain[1:] / gain[-1]), np.log(1e-5) * np.arange(10, -1, -1) / 10, atol=1e-4)
    np.testing.assert_allclose(found["w_trajectory"][0], 0.0, atol=1e-18)
    assert found["distance_a"][0] == pytest.approx(1.0, rel=1e-15)
    for k in (3, 7, 10, 11):
        wanted = dual_flow(rows(), 2, 0.01, float(found["gamma"][k]))
        w = found["w_trajectory"][k]
        assert error(w, wanted.w) < 1e-6
        assert found["time"][k] == pytest.approx(wanted.tau, rel=1e-6)
        assert found["margin"][k] == pytest.approx(np.min(rows() @ w) / np.linalg.norm(w), rel=1e-12)
        for name, target in targets.items():
            unit = w / np.linalg.norm(w) - target / np.linalg.norm(target)
            assert found[f"distance_{name}"][k] == pytest.approx(np.linalg.norm(unit), rel=1e-9)
    np.testing.assert_allclose(found["margins"], rows() @ found["w_trajectory"][-1], rtol=1e-12)
    assert solution.margin == found["margin"][-1]


def test_tolerance_sets_the_error() -> None:
    wanted = dual_flow(rows(), 2, 0.01, 100.0).w
    errors = [
        error(Diagonal(2, D).predictor(flow(2, balanced(2, 0.01), 100.0, rtol=rtol).theta), wanted)
        for rtol in (1e-4, 1e-6, 1e-8)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[0] < 1e-4
    assert errors[1] < 1e-7


def test_repeated_and_contradicting_samples() -> None:
    """A repeated sample changes nothing but its weight; one with both labels cannot be separated."""
    X, y = data()
    settings = MarginSettings(log_train_loss=-100.0)
    twice = integrate_margin(Diagonal(2, D), balanced(2, 0.01), np.vstack([X, X[:2]]), np.r_[y, y[:2]], settings)
    assert twice.outcome is Outcome.converged
    both = integrate_margin(Diagonal(2, D), balanced(2, 0.01), np.vstack([X, X[:1]]), np.r_[y, -y[:1]], settings)
    assert (both.outcome, both.stopped_by, both.steps) == (Outcome.infeasible, "infeasible", 0)
    assert both.gamma == pytest.approx(0.0, abs=1e-15)


def test_stop_rules() -> None:
    assert flow(2, balanced(2, 0.01), 100.0, max_steps=20).outcome is Outcome.reached_max_steps
    late = flow(2, balanced(2, 0.01), 100.0, max_time=1.0)
    assert (late.outcome, late.time) == (Outcome.reached_max_time, 1.0)
    assert flow(2, balanced(2, 0.01), 1e6, max_seconds=1e-9).outcome is Outcome.out_of_time
    assert flow(2, np.zeros(4 * D), 100.0).outcome is Outcome.saddle
    started = flow(2, balanced(2, 0.01), -1.0)
    assert (started.outcome, started.steps, started.gamma) == (Outcome.converged, 0, pytest.approx(0.0, abs=1e-15))
    assert flow(2, np.full(4 * D, 1e200), 100.0).outcome is Outcome.nonfinite


def test_a_frozen_coordinate_bounds_gamma() -> None:
    """The classes are separable, but not by what can move: gamma stays below ln 2, and the run ends."""
    theta = balanced(2, 0.01).reshape(2, 2, D).copy()
    theta[:, :, 0] = 0.0
    settings = MarginSettings(log_train_loss=-100.0)
    solution = integrate_margin(Diagonal(2, D), theta.reshape(-1), np.eye(D)[:5], np.ones(5), settings)
    assert solution.outcome is Outcome.reached_max_time
    assert solution.gamma == pytest.approx(np.log(5.0), rel=1e-3)


def test_progress_may_stop_a_run() -> None:
    seen: list[FlowProgress] = []

    class EnoughError(Exception):
        pass

    def watch(progress: FlowProgress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            raise EnoughError

    X, y = data()
    with pytest.raises(EnoughError):
        integrate_margin(
            Diagonal(2, D), balanced(2, 1e-4), X, y, MarginSettings(log_train_loss=-1e5), on_progress=watch
        )
    assert [0.0 < progress.fraction < 1.0 for progress in seen] == [True, True]
    assert seen[1].gamma is not None
    assert seen[1].relative_residual is None
    assert seen[0].gamma is not None
    assert seen[1].gamma > seen[0].gamma


def test_arrays_that_do_not_fit_are_refused() -> None:
    X, y = data()
    settings = MarginSettings(log_train_loss=-10.0)
    for wrong in ((X[:, 1:], y), (X, y[1:]), (X, 0.5 * y)):
        with pytest.raises(ValueError, match=r"do not fit|labels"):
            integrate_margin(Diagonal(2, D), balanced(2, 0.1), *wrong, settings)
    with pytest.raises(ValueError, match="positive"):
        MarginSettings(log_train_loss=-10.0, rtol=0.0)


def test_fully_connected_linear_network() -> None:
    """Random weights: gamma is exact, W_2^T W_2 - W_1 W_1^T is conserved, the path is an explicit integrator's."""
    X, y = data()
    model = FullyConnected(2, 3, D)
    theta = 0.3 * np.random.default_rng(1).standard_normal(model.size)
    solution = integrate_margin(model, theta, X, y, MarginSettings(log_train_loss=-30.0))

    def velocity(_: float, state: Any) -> Any:
        W, a = state[: 3 * D].reshape(3, D), state[3 * D :]
        m = rows() @ (a @ W)
        q = np.exp(-m - np.max(-m))
        pull = rows().T @ (q / q.sum())
        return np.concatenate([np.outer(a, pull).ravel(), W @ pull])

    reference = solve_ivp(velocity, (0.0, solution.time), theta, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert solution.outcome is Outcome.converged
    assert error(solution.theta, reference) < 1e-7
    assert solution.invariant_drift < 1e-8
    assert solution.gamma == pytest.approx(30.0, rel=1e-10)
