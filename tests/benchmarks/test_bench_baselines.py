"""The rivals solve the problem that they are timed on: their limits agree with each other and with the exact one."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from benchmarks.baselines.diffrax_flows import DiffraxFlow
from benchmarks.baselines.fields import DualField, FullField, parameters
from benchmarks.baselines.gradient_descent import STEP, descend
from benchmarks.baselines.scipy_flows import crossing_time, dual_flow, full_flow
from benchmarks.baselines.slsqp import minimise
from benchmarks.contenders import initshape_fit, initshape_flow
from benchmarks.exact import distance, exact_limit, relative_residual
from benchmarks.problem import Problem, published_sweep
from initshape.models import initialize

SMALL = Problem(alpha=1e-2, shape=0.5, dimension=20, samples=4, seed=1)


def quiet(steps: int, residual: float) -> None:
    """Nobody listens."""


def test_the_exact_limit_is_a_kkt_point_in_fifty_digits() -> None:
    """X w = y, and grad Q(w) = asinh(2w/sqrt(k))/2 is a combination of the rows of X."""
    X, y = SMALL.data()
    w = exact_limit(SMALL)
    with mpmath.workdps(50):
        R = [mpmath.asinh(2 * mpmath.mpf(float(x)) / mpmath.mpf(SMALL.root_k())) / 2 for x in w]
        A, b = mpmath.matrix(X.T.tolist()), mpmath.matrix(R)
        gap = A * mpmath.lu_solve(A, b) - b
        assert mpmath.norm(gap) < 1e-14 * mpmath.norm(b)
        misfit = mpmath.matrix(X.tolist()) * mpmath.matrix(w.tolist()) - mpmath.matrix(y.tolist())
        assert mpmath.norm(misfit) < 1e-14 * mpmath.norm(mpmath.matrix(y.tolist()))


@pytest.mark.parametrize("problem", [SMALL, Problem(1e-5, 0.99, 20, 4), Problem(0.25, 0.0, 20, 4)])
def test_the_fit_finds_the_exact_limit(problem: Problem) -> None:
    found = initshape_fit.prepare(problem).solve(quiet)
    assert found.reached
    assert distance(found.w, exact_limit(problem)) < 1e-11


def test_both_sides_start_from_the_same_parameters() -> None:
    experiment = SMALL.experiment()
    _, theta = initialize(experiment.model, experiment.init, SMALL.dimension)
    np.testing.assert_allclose(parameters(SMALL), theta, rtol=1e-14)


@pytest.mark.parametrize("field", [FullField(SMALL), DualField(SMALL)])
def test_the_jacobians_that_rivals_get_are_right(field: FullField | DualField) -> None:
    size = 80 if isinstance(field, FullField) else 4
    state = 0.3 * np.random.default_rng(0).standard_normal(size)
    columns = [(field(0.0, state + 1e-6 * e) - field(0.0, state - 1e-6 * e)) / 2e-6 for e in np.eye(size)]
    np.testing.assert_allclose(field.jacobian(0.0, state), np.array(columns).T, atol=1e-7)


def test_gradient_descent_goes_to_the_limit_of_the_flow() -> None:
    exact = exact_limit(SMALL)
    to_loss = descend(SMALL, loss=1e-4)
    assert to_loss.loss <= 1e-4
    further = descend(SMALL, loss=1e-18)
    assert distance(further.w, exact) < distance(to_loss.w, exact)
    assert distance(further.w, exact) < 5 * STEP  # its bias is of the order of the step


def test_gradient_descent_counts_loss_and_gradient_as_published() -> None:
    """One step by finite differences of ||X w - y||^2 / (2N); the loss that it reports is twice that."""
    X, y = SMALL.data()
    theta = parameters(SMALL)

    def loss(point: np.ndarray) -> float:
        a, b, c, d = point.reshape(4, -1)
        return float(np.sum((X @ (a * b - c * d) - y) ** 2) / (2 * len(y)))

    slope = np.array([(loss(theta + 1e-6 * e) - loss(theta - 1e-6 * e)) / 2e-6 for e in np.eye(theta.size)])
    a, b, c, d = (theta - 10 * STEP * slope).reshape(4, -1)
    after_ten = descend(SMALL, loss=0.0, max_steps=10)
    np.testing.assert_allclose(after_ten.w, a * b - c * d, atol=2e-5)
    np.testing.assert_allclose(after_ten.loss, np.sum((X @ after_ten.w - y) ** 2) / len(y), rtol=1e-12)


def test_the_loop_needs_the_steps_that_the_flow_predicts() -> None:
    steps = descend(SMALL, loss=1e-4).steps
    assert abs(crossing_time(SMALL, 1e-4) / STEP - steps) < 0.005 * steps + 10


@pytest.mark.parametrize("method", ["Radau", "LSODA"])
def test_scipy_reaches_the_limit(method: str) -> None:
    done = full_flow(SMALL, method, quiet)
    assert done.reached
    assert distance(done.w, exact_limit(SMALL)) < 1e-7
    assert done.steps > 20


@pytest.mark.parametrize("rtol", [1e-3, 1e-8])
def test_the_dual_reaches_the_limit_whatever_its_tolerance(rtol: float) -> None:
    done = dual_flow(SMALL, "BDF", rtol, quiet)
    assert done.reached
    assert distance(done.w, exact_limit(SMALL)) < 1e-9


@pytest.mark.parametrize("solver", ["Tsit5", pytest.param("Kvaerno5", marks=pytest.mark.long)])
def test_diffrax_reaches_the_limit(solver: str) -> None:
    told: list[float] = []
    done = DiffraxFlow(SMALL, solver).run(lambda steps, residual: told.append(residual))
    assert done.reached or done.why == "residual stalls at the tolerance"
    assert distance(done.w, exact_limit(SMALL)) < 1e-6
    if solver == "Kvaerno5":
        assert min(told) < 1e-6  # the implicit one reports from within its only call


def test_our_flow_reaches_the_limit() -> None:
    ready = initshape_flow.prepare({}, SMALL)
    done = ready.solve(quiet)
    assert done.reached
    assert done.work["compile_seconds"] == 0.0  # all of it was done before
    assert distance(done.w, exact_limit(SMALL)) < 1e-8


@pytest.mark.parametrize("gradients", [True, False])
def test_slsqp_minimises_the_same_function(gradients: bool) -> None:
    done = minimise(SMALL, gradients=gradients, ftol=1e-14)
    assert done.success
    assert relative_residual(SMALL, done.w) < 1e-9
    assert distance(done.w, exact_limit(SMALL)) < 1e-4


def test_the_sweep_is_the_published_one() -> None:
    cells = published_sweep()
    assert len(cells) == 100
    assert {cell.shape for cell in cells} == {0.0, 0.5, 0.7, 0.9, 0.99}
    assert min(cell.alpha for cell in cells) == pytest.approx(1e-5)
    assert max(cell.alpha for cell in cells) == pytest.approx(10**-0.6)
