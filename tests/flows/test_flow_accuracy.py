"""The flow against scipy's Radau on all parameters, and its limit against the dual problem in 40 digits."""

from __future__ import annotations

import numpy as np
import pytest
from flow_oracles import biased, distance, limit, simulated

from initshape.flows import FlowSettings, integrate
from initshape.models import Diagonal, scale_shape_layers
from initshape.spec.outcome import Outcome


@pytest.mark.parametrize("seed", range(3))
def test_states_on_the_way_agree_with_scipy(seed: int) -> None:
    case = biased(seed)
    times = [0.3, 3.0]
    for time, expected in zip(times, simulated(case, times), strict=True):
        found = integrate(*case, FlowSettings(rtol=1e-10, max_time=time, relative_residual=1e-14, completion=False))
        assert found.outcome is Outcome.reached_max_time
        assert found.time == time
        assert distance(found.theta, expected) < 1e-9


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale", [0.02, 0.3, 2.0])
def test_limit_of_a_biased_network_is_that_of_the_dual_problem(seed: int, scale: float) -> None:
    case = biased(100 + seed, dimension=7 + seed % 2, samples=1 + seed % 5, scale=scale)
    found = integrate(*case, FlowSettings())
    w = case.model.predictor(found.theta)
    assert found.outcome is Outcome.converged
    assert found.relative_residual <= 1e-10
    assert distance(w, limit(case, w)) < 1e-8


@pytest.mark.parametrize("depth", [3, 4])
def test_deeper_networks_agree_with_scipy_up_to_the_limit(depth: int) -> None:
    case = biased(7, depth=depth, scale=0.8)
    middle, end = simulated(case, [2.0, 2e4])
    halfway = integrate(*case, FlowSettings(rtol=1e-10, max_time=2.0, completion=False, relative_residual=1e-14))
    assert distance(halfway.theta, middle) < 1e-9
    found = integrate(*case, FlowSettings())
    assert found.outcome is Outcome.converged
    assert distance(case.model.predictor(found.theta), case.model.predictor(end)) < 1e-8


def test_error_falls_with_the_tolerance() -> None:
    case = biased(11, scale=0.05)
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        w = case.model.predictor(integrate(*case, FlowSettings(rtol=rtol)).theta)
        errors.append(distance(w, limit(case, w)))
    assert all(error < bound for error, bound in zip(errors, (1e-3, 1e-5, 1e-7, 1e-9), strict=True))
    assert errors[3] < 1e-2 * errors[0]


def test_stiff_escape_from_a_tiny_scale() -> None:
    """alpha = 1e-40: forty decades of growth before anything shows."""
    case = biased(3)
    branch = scale_shape_layers(1e-40, 0.5, 2, 8)
    theta = np.concatenate([branch, branch]).reshape(-1)
    case = case._replace(theta=theta)
    found = integrate(*case, FlowSettings(rtol=1e-7))
    w = case.model.predictor(found.theta)
    assert found.outcome is Outcome.converged
    assert distance(w, limit(case, w)) < 1e-8


def test_relative_invariants_drift_no_more_than_the_tolerance_allows() -> None:
    case = biased(5)
    loose, tight = (integrate(*case, FlowSettings(rtol=rtol)) for rtol in (1e-5, 1e-10))
    assert tight.invariant_drift < 1e-8
    assert tight.invariant_drift < 1e-2 * loose.invariant_drift
    invariants, scale = case.model.invariants(case.theta), case.model.invariant_scale(case.theta)
    by_hand = np.abs(case.model.invariants(tight.theta) - invariants) / np.maximum(
        scale, case.model.invariant_scale(tight.theta)
    )
    assert tight.invariant_drift == pytest.approx(by_hand.max(), rel=1e-12)


def test_equal_branches_stay_equal_to_the_last_bit() -> None:
    """u = v and the symmetry of the data under w -> -w are kept exactly: the integrator treats layers alike."""
    case = biased(9)
    model = Diagonal(2, 8)
    branch = scale_shape_layers(1e-2, 0.0, 2, 8)
    found = integrate(model, np.concatenate([branch, branch]).reshape(-1), case.X, case.y, FlowSettings())
    layers = found.theta.reshape(2, 2, 8)
    np.testing.assert_array_equal(layers[:, 0], layers[:, 1])
