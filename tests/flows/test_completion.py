"""Gauss-Newton completion: where it may be used, and what it does with a singular kernel."""

from __future__ import annotations

import numpy as np
import pytest
from flow_oracles import FlowCase, biased, distance, limit

from initshape.flows import FlowSettings, driver, integrate
from initshape.flows.completion import complete
from initshape.models import Diagonal, SingleNeuron, scale_shape_layers
from initshape.spec.outcome import Outcome


def near_the_limit(residual: float) -> tuple[Diagonal, np.ndarray, np.ndarray, np.ndarray]:
    """A state that the flow passes at about this residual."""
    case = biased(6)
    found = integrate(*case, FlowSettings(rtol=1e-10, relative_residual=residual, completion=False))
    return case.model, found.theta, case.X, case.y


def test_completion_converges_quadratically() -> None:
    model, theta, X, y = near_the_limit(1e-3)
    start = np.linalg.norm(y - model.outputs(theta, X)) / np.linalg.norm(y)
    done = complete(model, theta, X, y, 1e-10)
    assert 1e-6 < start <= 1e-3
    assert done.relative_residual <= 1e-10
    assert 2 <= done.iterations <= 4


def test_curvature_grows_with_the_square_of_the_residual() -> None:
    far, near = (complete(*near_the_limit(residual), 1e-10).curvature for residual in (1e-2, 1e-5))
    assert 0.0 < near < 1e-3 * far


def test_nothing_is_done_where_nothing_is_asked() -> None:
    model, theta, X, y = near_the_limit(1e-3)
    done = complete(model, theta, X, y, 1.0)
    assert (done.iterations, done.curvature) == (0, 0.0)
    np.testing.assert_array_equal(done.theta, theta)


def test_a_repeated_sample_makes_a_singular_kernel_and_no_harm() -> None:
    case = biased(6)
    doubled = case._replace(X=np.vstack([case.X, case.X[:1]]), y=np.append(case.y, case.y[0]))
    found = integrate(*doubled, FlowSettings())
    assert found.outcome is Outcome.converged
    assert found.relative_residual <= 1e-10
    assert found.completion is not None
    # Twice a sample is a weight of two: the same potential, the same constraints, the same limit.
    w = case.model.predictor(found.theta)
    assert distance(w, limit(case, w)) < 1e-8


def test_slow_directions_are_integrated_further_before_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two active coordinates, five samples, alpha = 1e-6: at 1e-6 the slow directions are far from linear.

    Without the curvature rule the completion would be wrong by 3e-7, with a residual of 1e-16.
    """
    rng = np.random.default_rng(2)
    X = rng.normal(size=(5, 8))
    branch = scale_shape_layers(1e-6, 0.0, 2, 8)
    theta = np.concatenate([branch, branch]).reshape(-1)
    case = FlowCase(Diagonal(2, 8), theta, X, X[:, :2] @ np.array([1.0, -0.5]))
    careful = integrate(*case, FlowSettings())
    monkeypatch.setattr(driver, "CURVATURE", np.inf)
    rash = integrate(*case, FlowSettings())
    w = case.model.predictor(careful.theta)
    target = limit(case, w)
    assert careful.completion is not None
    assert rash.completion is not None
    assert careful.completion.from_residual < 0.1 * rash.completion.from_residual
    assert distance(w, target) < 1e-9
    assert distance(case.model.predictor(rash.theta), target) > 1e-8
    assert rash.relative_residual < 1e-12


def test_curvature_sees_what_the_step_does_to_conserved_quantities() -> None:
    """A neuron with a large part of its weights across the data: there w = a w_across, and a is what is conserved.

    The first step leaves a alone, so that w does not bend at all, and is wrong by ||dw||^2/(2 a) in a.
    """
    model = SingleNeuron(1, 3)
    X, y = np.array([[1.0, 0.0, 0.0]]), np.array([1e-3])
    theta = np.array([0.3, 0.0, 0.0, 2.0])  # a, then w: the second feature never moves, the third is w_across
    done = complete(model, theta, X, y, 1e-14)
    a = np.sqrt(0.5 * (0.09 + np.hypot(0.09, 2e-3)))  # theory: a^2 - w_0^2 = 0.09, a w_0 = 1e-3
    w = np.array([1e-3, 0.0, 2.0 * a])
    wrong = np.linalg.norm(model.predictor(done.theta) - w) / np.linalg.norm(w)
    assert done.relative_residual <= 1e-14
    assert 1e-6 < wrong <= done.curvature < 10.0 * wrong
