"""Gradient flow across kinks against three independent answers: `kink_oracles`, and what can be solved by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kink_oracles import KinkCase, descended, followed, off_the_inclusion, random_case, rounded
from scipy.integrate import quad
from scipy.optimize import brentq

from initshape.flows import FlowSettings, FlowSolution, integrate
from initshape.models import FullyConnected
from initshape.spec.outcome import Outcome

ACTIVATIONS = ("relu", "leaky_relu")


def flow(case: KinkCase, time: float, **settings: Any) -> FlowSolution:
    defaults = {"rtol": 1e-9, "max_time": time, "completion": False, "relative_residual": 1e-13, "points": 2}
    return integrate(*case, FlowSettings(**{**defaults, **settings}))


def apart(theta: Any, want: Any) -> float:
    return float(np.linalg.norm(theta - want) / np.linalg.norm(want))


def neuron(activation: str, X: Any, y: Any, w: Any, a: float) -> KinkCase:
    """One neuron on two or three features, in a network of three whose other two are zero and stay so."""
    X = np.array(X, dtype=float)
    X = np.pad(X, ((0, 0), (0, 3 - X.shape[1])))
    theta = np.zeros(12)
    theta[: len(w)], theta[9] = w, a
    return KinkCase(FullyConnected(2, 3, 3, activation), theta, X, np.array(y, dtype=float))


# -- by hand


def test_a_relu_unit_dies_when_it_reaches_its_kink() -> None:
    """f = a g on one sample, y = -1: a^2 - g^2 = 3 is conserved and g' = -a (1 + a g), so g is zero at a = sqrt(3)."""
    case = neuron("relu", [[1.0]], [-1.0], [1.0], 2.0)
    death = quad(lambda g: 1.0 / (np.sqrt(3.0 + g * g) * (1.0 + g * np.sqrt(3.0 + g * g))), 0.0, 1.0)[0]
    before, after = flow(case, 0.99 * death), flow(case, 2.0 * death)
    assert (before.effort["kinks"], after.effort["kinks"]) == (0, 1)
    assert before.theta[0] > 0.0
    assert abs(after.theta[0]) < 1e-8
    assert after.theta[9] == pytest.approx(np.sqrt(3.0), rel=1e-8)
    assert after.relative_residual == pytest.approx(1.0, rel=1e-12)
    forever = integrate(*case, FlowSettings())
    assert forever.outcome is Outcome.saddle
    assert forever.theta[9] == pytest.approx(np.sqrt(3.0), rel=1e-7)


def test_a_leaky_unit_crosses_and_fits_from_the_other_side() -> None:
    """The same start: below zero f = a s g, so the limit has a s g = -1 on a^2 - g^2 = 3."""
    case = neuron("leaky_relu", [[1.0]], [-1.0], [1.0], 2.0)
    g = brentq(lambda g: 0.01 * np.sqrt(3.0 + g * g) * g + 1.0, -200.0, 0.0, xtol=1e-14)
    found = integrate(*case, FlowSettings())
    assert found.outcome is Outcome.converged
    assert found.effort["kinks"] == 1
    np.testing.assert_allclose(found.theta[[0, 9]], [g, np.sqrt(3.0 + g * g)], rtol=1e-8)


def test_a_unit_is_held_while_another_sample_pulls_and_let_go_when_it_is_fitted() -> None:
    """Sample 1 pushes its unit down, sample 2 pulls the neuron up through it: w slides along x_1 w = 0."""
    case = neuron("relu", [[1.0, 0.0], [1.0, 1.0]], [-3.0, 2.0], [0.5, 0.1], 1.0)
    for time in (0.3, 1.0, 3.0):
        (want,), events = followed(case, [time])
        found = flow(case, time)
        assert apart(found.theta, want) < 1e-8
    assert [what for *_, what in events] == ["held"]
    assert found.effort["kinks"] == 1
    assert abs(found.theta[0]) < 1e-12
    assert apart(found.theta, descended(case, 3.0, 1e-4)) < 1e-3
    # On the kink only w_2 and a move, as a neuron of one feature: a^2 - w_2^2 stays, and the second sample is fitted.
    limit = integrate(*case, FlowSettings())
    assert limit.outcome is Outcome.saddle  # the first sample is never fitted: f(x_1) = 0
    assert limit.theta[1] * limit.theta[9] == pytest.approx(2.0, rel=1e-6)


def test_a_held_unit_is_released() -> None:
    for seed, what in ((12, "on"), (12, "off"), (24, "off")):
        case = random_case(seed, 2, "leaky_relu" if seed == 24 else "relu")
        (want,), events = followed(case, [10.0])
        states: dict[tuple[int, int], str] = {}
        released = []
        for _, i, n, now in events:
            if states.get((i, n)) == "held":
                released.append(now)
            states[i, n] = now
        assert what in released
        assert apart(flow(case, 10.0).theta, want) < 1e-8


# -- on the way


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", [0, 2, 7, 10, 12, 20, 22, 24, 29])
def test_two_layers_agree_with_events_that_scipy_locates(activation: str, seed: int) -> None:
    case = random_case(seed, 2, activation)
    times = [0.2, 1.0, 6.0]
    states, events = followed(case, times)
    for time, want in zip(times, states, strict=True):
        found = flow(case, time)
        assert found.outcome is Outcome.reached_max_time
        assert apart(found.theta, want) < 1e-8
        assert found.invariant_drift < 1e-8
    assert found.effort["kinks"] >= len(events) > 0
    W, a = case.model.layers(found.theta)
    W0, a0 = case.model.layers(case.theta)
    balance = a[0] ** 2 - (W**2).sum(1) - a0[0] ** 2 + (W0**2).sum(1)
    assert np.abs(balance).max() < 1e-7 * (found.theta**2).max()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", [2, 25])
def test_any_depth_agrees_with_rounded_kinks(depth: int, activation: str, seed: int) -> None:
    case = random_case(seed, depth, activation)
    want = rounded(case, 4.0, 1e-8)
    found = flow(case, 4.0)
    assert found.outcome is Outcome.reached_max_time
    assert want.uncertainty < 1e-4
    assert apart(found.theta, want.theta) < 1e-6


@pytest.mark.long
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_four_layers_agree_with_rounded_kinks(activation: str) -> None:
    case = random_case(3, 4, activation)
    want, found = rounded(case, 3.0), flow(case, 3.0)
    assert found.outcome is Outcome.reached_max_time
    assert apart(found.theta, want.theta) < max(1e-6, want.uncertainty)


def test_the_saved_history_passes_through_every_event() -> None:
    case = random_case(20, 2, "relu")
    found = flow(case, 6.0, points=60)
    times = found.trajectory["time"]
    states, events = followed(case, [float(t) for t in times[1:]])
    want = [np.linalg.norm(case.model.outputs(state, case.X) - case.y) / np.linalg.norm(case.y) for state in states]
    np.testing.assert_allclose(found.trajectory["relative_residual"][1:], want, rtol=1e-6)
    assert np.all(np.diff(found.trajectory["train_loss"].astype(float)) <= 0.0)
    assert len(events) >= 3
    assert found.trajectory["invariant_drift"].max() < 1e-8


def test_looser_tolerances_see_the_same_events() -> None:
    case = random_case(12, 2, "relu")
    (want,), _ = followed(case, [6.0])
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        found = flow(case, 6.0, rtol=rtol)
        assert found.effort["kinks"] == flow(case, 6.0).effort["kinks"]
        errors.append(apart(found.theta, want))
    assert errors[0] < 1e-2
    assert errors[2] < 1e-7


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", [9, 10, 12])
def test_completion_stays_on_the_branch_of_the_limit(activation: str, seed: int) -> None:
    case = random_case(seed, 2, activation)
    completed = integrate(*case, FlowSettings())
    integrated = integrate(*case, FlowSettings(completion=False, rtol=1e-10, relative_residual=1e-10))
    assert completed.outcome is integrated.outcome is Outcome.converged
    assert completed.effort["kinks"] == integrated.effort["kinks"] > 0
    assert completed.relative_residual <= 1e-10
    assert apart(completed.theta, integrated.theta) < 1e-7
    (want,), _ = followed(case, [completed.time])
    assert apart(flow(case, completed.time).theta, want) < 1e-7


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_saddle_is_one_with_completion_and_without(activation: str) -> None:
    case = random_case(7, 2, activation)
    for settings in (FlowSettings(), FlowSettings(completion=False, rtol=1e-10, relative_residual=1e-10)):
        assert integrate(*case, settings).outcome is Outcome.saddle


def test_a_unit_stays_held_when_its_sample_is_fitted_long_before_the_others() -> None:
    """Force and multiplier are nothing but rounding then: the residual is a difference of output and label."""
    case = random_case(4, 2, "relu")
    completed = integrate(*case, FlowSettings())
    assert (completed.outcome, completed.effort["kinks"]) == (Outcome.converged, 3)
    for rtol in (1e-8, 1e-10):
        found = integrate(*case, FlowSettings(completion=False, rtol=rtol, relative_residual=1e-12))
        assert (found.outcome, found.effort["kinks"]) == (Outcome.converged, 3)
        assert apart(found.theta, completed.theta) < 1e-7


def test_a_unit_that_alone_feeds_a_layer_moves_as_the_inclusion_of_the_whole_network_says() -> None:
    """Its sample turns on one unit above and turns off two; those never send anything back, whatever its own slope.

    Slopes chosen layer by layer (the chain rule, which kinks of one width everywhere obey) hold it a while longer.
    """
    case = random_case(1144, 3, "relu")
    for time in (0.3, 0.72, 1.0):  # held on its kink; just released; and on
        assert off_the_inclusion(case, *(flow(case, t, rtol=1e-10).theta for t in (time, time + 1e-3))) < 1e-6
    layerwise = [rounded(case, t, 1e-8, plain=True).theta for t in (0.72, 0.721)]
    assert off_the_inclusion(case, *layerwise) > 5e-5
    found = flow(case, 5.0)
    assert apart(found.theta, rounded(case, 5.0, 1e-9).theta) < 1e-6
    coarse, fine = (apart(descended(case, 5.0, step), found.theta) for step in (1e-3, 2.5e-4))
    assert fine < min(1e-3, 0.5 * coarse)
    assert apart(rounded(case, 5.0, 1e-8, plain=True).theta, found.theta) > 0.05


# -- starts on a kink


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("start", ["input zero", "row zero", "sample zero", "output zero", "twin samples"])
def test_starts_on_a_kink_go_where_small_steps_go(depth: int, activation: str, start: str) -> None:
    model, theta, X, y = random_case(6, depth, activation)
    theta, X = theta.copy(), X.copy()
    if start == "input zero":
        theta[:3] -= X[0] * (theta[:3] @ X[0]) / (X[0] @ X[0])
    elif start == "row zero":
        theta[:3] = 0.0
    elif start == "sample zero":
        X[0] = 0.0
    elif start == "output zero":
        theta[-3:] = 0.0
    else:
        X[1], y[1] = X[0], y[0] + 1.0
    case = KinkCase(model, theta, X, y)
    found = flow(case, 2.0)
    # Three layers may come to a point from which they cannot go on; until then they are right, too.
    assert found.stopped_by == "max_time" or (depth == 3 and found.stopped_by == "kinks" and found.time > 0.1)
    coarse, fine = (descended(case, found.time, found.time / steps) for steps in (5000, 10000))
    assert apart(found.theta, fine) < max(1e-4, 2.0 * apart(coarse, fine))
    if start == "row zero" and (activation, depth) == ("relu", 2):
        assert not np.any(found.theta[:3])  # the stated convention: slope 0, so it never moves


@pytest.mark.parametrize("depth", [2, 3])
def test_a_relu_network_whose_first_layer_is_zero_is_a_saddle(depth: int) -> None:
    case = random_case(6, depth, "relu")
    case.theta[:9] = 0.0
    found = flow(case, 2.0)
    assert found.outcome is Outcome.saddle
    np.testing.assert_array_equal(found.theta, case.theta)


# -- symmetries


@pytest.mark.parametrize(("depth", "seed"), [(2, 12), (3, 25)])
def test_scaling_parameters_scales_the_flow(depth: int, seed: int) -> None:
    """f is homogeneous of degree L: theta -> c theta, y -> c^L y moves as before in time t c^(2 - 2L)."""
    model, theta, X, y = random_case(seed, depth, "relu")
    one = flow(KinkCase(model, theta, X, y), 3.0)
    two = flow(KinkCase(model, 2.0 * theta, X, 2.0**depth * y), 3.0 * 2.0 ** (2 - 2 * depth))
    assert two.effort["kinks"] == one.effort["kinks"] > 0
    assert apart(two.theta, 2.0 * one.theta) < 1e-7


def test_order_of_neurons_and_samples_and_more_features_change_nothing() -> None:
    model, theta, X, y = random_case(12, 2, "relu")
    one = flow(KinkCase(model, theta, X, y), 6.0)
    (W, a), neurons, samples = model.layers(theta), [2, 0, 1], np.arange(len(y))[::-1]
    turned = KinkCase(model, np.concatenate([W[neurons].ravel(), a[0, neurons]]), X[samples], y[samples])
    wide = KinkCase(
        FullyConnected(2, 3, 5, "relu"),
        np.concatenate([np.pad(W, ((0, 0), (0, 2))).ravel(), a[0]]),
        np.pad(X, ((0, 0), (0, 2))),
        y,
    )
    W1, a1 = model.layers(one.theta)
    other = flow(turned, 6.0)
    assert other.effort["kinks"] == one.effort["kinks"]
    assert apart(other.theta, np.concatenate([W1[neurons].ravel(), a1[0, neurons]])) < 1e-8
    other = flow(wide, 6.0)
    W2, a2 = wide.model.layers(other.theta)
    assert other.effort["kinks"] == one.effort["kinks"]
    assert not np.any(W2[:, 3:])
    assert apart(np.concatenate([W2[:, :3].ravel(), a2[0]]), one.theta) < 1e-8


def test_equal_neurons_reach_their_kinks_together_and_stay_equal() -> None:
    model, theta, X, y = random_case(12, 2, "relu")
    W, a = model.layers(theta)
    W, a = W[[0, 1, 1]], a[0, [0, 1, 1]]
    case = KinkCase(model, np.concatenate([W.ravel(), a]), X, y)
    found = flow(case, 4.0)
    want = rounded(case, 4.0)
    W, a = model.layers(found.theta)
    assert found.effort["kinks"] >= 2
    np.testing.assert_allclose(W[1], W[2], rtol=1e-10)
    assert apart(found.theta, want.theta) < max(1e-6, want.uncertainty)


# -- what cannot be followed


def test_a_held_unit_whose_output_weight_changes_sign_has_two_ways_on() -> None:
    """Forces on it change sign with a: the kink attracts before and repels after, and the inclusion is not unique."""
    case = random_case(8, 2, "relu")
    ends = [flow(case, 10.0, rtol=rtol) for rtol in (1e-8, 1e-10)]
    for end in ends:
        assert (end.outcome, end.stopped_by) == (Outcome.stalled, "kinks")
        (want,), _ = followed(case, [end.time - 1e-6])
        assert apart(end.theta, want) < 1e-5
        assert abs(end.theta[9]) < 1e-5 * np.abs(end.theta).max()
    assert ends[0].time == pytest.approx(ends[1].time, rel=1e-6)


def test_chattering_between_opposite_samples_ends_and_says_so() -> None:
    """x and -x share their kink: w = 0 is pushed to from both sides, and no single unit can be held there."""
    case = neuron("relu", [[1.0], [-1.0]], [-1.0, -2.0], [0.5], 1.0)
    found = flow(case, 50.0)
    assert (found.outcome, found.stopped_by) == (Outcome.stalled, "kinks")
    assert abs(found.theta[0]) < 1e-7
    before = followed(case, [0.9 * found.time]).states[0]
    assert apart(flow(case, 0.9 * found.time).theta, before) < 1e-8


def test_opposite_samples_that_agree_are_crossed() -> None:
    case = neuron("relu", [[1.0], [-1.0]], [2.0, -1.0], [-0.5], 1.0)
    want, found = descended(case, 3.0, 1e-4), flow(case, 3.0)
    assert found.outcome is Outcome.reached_max_time
    assert found.theta[0] > 0.1
    assert apart(found.theta, want) < 1e-3


# -- many


@pytest.mark.long
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hundreds_of_two_layer_networks(activation: str) -> None:
    worst = outputs = stopped = alone = 0.0
    for seed in range(200):
        case = random_case(1000 + seed, 2, activation)
        found = flow(case, 10.0)
        if found.time == 0.0:
            continue
        stopped += found.stopped_by == "kinks"
        (want,), _ = followed(case, [found.time])
        if apart(found.theta, want) > 1e-7:  # one unit at a time is not enough where an event lets others go
            want, alone = rounded(case, found.time, 1e-8).theta, alone + 1
        worst = max(worst, apart(found.theta, want))
        ours, theirs = (case.model.outputs(theta, case.X) for theta in (found.theta, want))
        outputs = max(outputs, float(np.linalg.norm(ours - theirs) / np.linalg.norm(case.y)))
        assert apart(found.theta, want) < 1e-6, (seed, found.stopped_by, found.effort)
    print(f"{activation}: theta {worst:.1e}, outputs {outputs:.1e}, ended at kinks {stopped:.0f}, rounded {alone:.0f}")
    assert stopped <= 10
    assert alone <= 10


@pytest.mark.long
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hundreds_of_three_layer_networks(activation: str) -> None:
    worst = stopped = judged = 0.0
    for seed in range(200):
        case = random_case(1000 + seed, 3, activation)
        found = flow(case, 5.0)
        stopped += found.stopped_by == "kinks"
        if found.time == 0.0:
            continue
        want = rounded(case, found.time, 1e-6)
        if want.uncertainty > 1e-4:
            continue
        judged += 1
        worst = max(worst, apart(found.theta, want.theta))
        assert apart(found.theta, want.theta) < max(1e-6, 2.0 * want.uncertainty), (seed, found.stopped_by)
    print(f"{activation}: theta {worst:.1e}, judged {judged:.0f}, ended at kinks {stopped:.0f}")
    assert judged >= 190
    assert stopped <= 20
