"""The dual flow: every depth, shape, sign and bias against scipy on all parameters, and small layers against mpmath."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from flow_oracles import FlowCase, biased, distance, simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import _ivp

from initshape.datasets import Dataset
from initshape.dual import integrate_dual
from initshape.dual.tableau import tableau
from initshape.flows import integrate
from initshape.models import Diagonal
from initshape.regularizers import fit
from initshape.spec.outcome import Outcome
from initshape.training.settings import FlowSettings

BASE = FlowSettings(points=20)


def layers_of(kind: str, depth: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """theta of one of the kinds of initialization that have a potential of their own."""
    if kind == "random":
        return 0.6 * rng.normal(size=2 * depth * dimension)
    layers = np.full((2, depth, dimension), 0.4)
    if kind == "shaped":
        layers[:, -1] *= 10.0 ** rng.uniform(-1.0, 0.7, size=dimension)
    if kind == "frozen":  # one coordinate at rest, one with a single branch of either sign
        layers[:, :2, 0] = 0.0
        layers[1, :2, 1] = layers[0, :2, 2] = 0.0
    if kind == "one-sided":  # w keeps its sign: u+ = v+ with u- = v- = 0, and the mirror image
        layers[1, :, 1] = layers[0, :, 2] = 0.0
    return layers.reshape(-1)


@settings(deadline=None, max_examples=8)
@given(
    depth=st.integers(2, 6),
    kind=st.sampled_from(["random", "balanced", "shaped", "frozen", "one-sided"]),
    seed=st.integers(0, 2**31),
)
def test_parameters_on_the_way_are_those_of_the_full_flow(depth: int, kind: str, seed: int) -> None:
    """theta itself at three times, and the invariants that it was rebuilt with."""
    rng = np.random.default_rng(seed)
    model, X = Diagonal(depth, 6), rng.normal(size=(2, 6))
    case = FlowCase(model, layers_of(kind, depth, 6, rng), X, X @ rng.normal(size=6))
    times = [0.2, 1.0, 4.0]
    first = model.invariants(case.theta)
    for time, theta in zip(times, simulated(case, times), strict=True):
        found = integrate_dual(*case, replace(BASE, rtol=1e-10, max_time=time, completion=False))
        if found.outcome is Outcome.converged:  # before this time already
            continue
        assert found.time == time
        np.testing.assert_allclose(found.theta, theta, rtol=0, atol=2e-8 * max(1.0, float(np.abs(theta).max())))
        np.testing.assert_allclose(model.predictor(found.theta), found.w, rtol=0, atol=1e-13)
        np.testing.assert_allclose(model.invariants(found.theta), first, rtol=0, atol=1e-13)
        assert found.invariant_drift < 1e-13


@settings(deadline=None, max_examples=20)
@given(depth=st.integers(2, 6), kind=st.sampled_from(["random", "balanced", "shaped"]), seed=st.integers(0, 2**31))
def test_the_end_is_the_fit(depth: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, X = Diagonal(depth, 8), rng.normal(size=(3, 8))
    case = FlowCase(model, layers_of(kind, depth, 8, rng), X, X @ rng.normal(size=8))
    answer = fit("implicit", Dataset(X=X, y=case.y), model, case.theta)
    found = integrate_dual(*case, replace(BASE, rtol=1e-6, max_time=1e12))
    assert (found.outcome, answer.outcome) == (Outcome.converged, Outcome.converged)
    assert distance(found.w, answer.w) < 1e-9


@pytest.mark.parametrize("depth", [2, 4])
def test_residuals_fall_below_the_tolerance_of_the_steps(depth: int) -> None:
    """rtol 1e-4 and no completion: errors of the integration do not accumulate in the limit, and do not hide it."""
    case = biased(1, depth=depth, scale=0.7)
    found = integrate_dual(*case, replace(BASE, rtol=1e-4, completion=False))
    assert (found.outcome, found.stopped_by, found.completion) == (Outcome.converged, "relative_residual", None)
    assert found.relative_residual <= 1e-10
    answer = fit("implicit", Dataset(X=case.X, y=case.y), case.model, case.theta)
    assert distance(found.w, answer.w) < 1e-8


def test_labels_that_only_a_frozen_coordinate_could_fit_are_a_saddle() -> None:
    """As many samples as coordinates, one of which cannot move: nu would drift where the others do not see it."""
    rng = np.random.default_rng(2)
    model, X = Diagonal(5, 4), rng.normal(size=(4, 4))
    layers = 0.5 * rng.normal(size=(2, 5, 4))
    layers[:, :2, 0] = 0.0
    found = integrate_dual(model, layers.reshape(-1), X, X @ rng.normal(size=4), BASE)
    assert (found.outcome, found.stopped_by) == (Outcome.saddle, "stationary")
    assert found.w[0] == 0.0


def test_repeated_samples_change_only_the_clock() -> None:
    case = biased(4)
    twice = FlowCase(case.model, case.theta, np.vstack([case.X, case.X]), np.append(case.y, case.y))
    assert distance(integrate_dual(*twice, BASE).w, integrate_dual(*case, BASE).w) < 1e-12


@pytest.mark.parametrize(("depth", "scale"), [(2, 1e-4), (3, 0.05)])
def test_the_radau_flow_of_all_parameters_agrees(depth: int, scale: float) -> None:
    """rtol 1e-11, in the middle of the plateaus; and both ends."""
    case = biased(7, depth=depth, scale=scale)
    end = integrate(*case, BASE)
    assert distance(integrate_dual(*case, BASE).w, case.model.predictor(end.theta)) < 1e-8
    for share in (0.3, 0.6):
        tight = replace(BASE, rtol=1e-11, max_time=share * end.time, completion=False)
        found, radau = integrate_dual(*case, tight), integrate(*case, tight)
        np.testing.assert_allclose(found.theta, radau.theta, rtol=0, atol=1e-8)


def escape(depth: int, size: float, y: float, time: float) -> tuple[float, float]:
    """w(t) of one balanced coordinate and one sample x = 1, all layers `size`, in 60 digits; and dw/dt there.

    w' = L (p^(2 - 2/L) + m^(2 - 2/L)) (y - w) with w = p - m and (p m)... in u: u' = u^(L-1) (y - w) for the branch
    that grows, v' = -v^(L-1) (y - w) for the other, u^(2-L) + v^(2-L) = 2 size^(2-L) conserved.
    """
    with mpmath.workdps(60):
        power, total = depth - 2, 2 * mpmath.mpf(size) ** (2 - depth)

        def w_of(u: mpmath.mpf) -> mpmath.mpf:
            v = (total - u**-power) ** (mpmath.mpf(-1) / power)
            return u**depth - v**depth

        def speed(u: mpmath.mpf) -> mpmath.mpf:
            return u ** (depth - 1) * (y - w_of(u))

        grid = [mpmath.mpf(size) * mpmath.mpf(10) ** (mpmath.mpf(k) / 4) for k in range(200)]

        def time_to(u: mpmath.mpf) -> mpmath.mpf:
            return mpmath.quad(lambda x: 1 / speed(x), [*[g for g in grid if g < u], u])

        low, high = mpmath.mpf(size), mpmath.mpf(y) ** (mpmath.mpf(1) / depth)
        u = mpmath.findroot(lambda x: time_to(x) - time, (low * 1.001, high * 0.999), solver="anderson", tol=1e-35)
        return float(w_of(u)), float(speed(u) * depth * u ** (depth - 1))


@pytest.mark.parametrize(("depth", "size"), [(3, 1e-3), (4, 1e-2), (4, 1e-3)])
def test_small_layers_keep_the_digits_that_the_result_claims(depth: int, size: float) -> None:
    """In the middle of the escape, which depends on digits of R = X^T nu that R itself does not hold."""
    model = Diagonal(depth, 1)
    case = FlowCase(model, np.full(model.size, size), np.ones((1, 1)), np.ones(1))
    blowup = size ** (2 - depth) / (depth - 2)
    time = blowup * (1.0 - 0.7 * size ** (depth - 2) * (depth - 2))
    exact, _ = escape(depth, size, 1.0, time)
    assert 0.01 < exact < 0.999
    found = integrate_dual(*case, replace(BASE, rtol=1e-10, max_time=time, completion=False))
    held = float(found.notes[0].split("about ")[1].split(",")[0]) if found.notes else 1e-10
    assert abs(found.w[0] - exact) <= 10 * held
    assert held <= 1e-8


def test_a_trajectory_that_double_precision_cannot_hold_says_so() -> None:
    """Six layers of 1e-3: R is 1e11, its last digits decide; the limit is exact all the same."""
    rng = np.random.default_rng(5)
    model, X = Diagonal(6, 6), rng.normal(size=(2, 6))
    case = FlowCase(model, np.full(model.size, 1e-3), X, X @ rng.normal(size=6))
    found = integrate_dual(*case, replace(BASE, max_time=1e29))
    assert found.outcome is Outcome.converged
    assert "held to about" in found.notes[0]
    answer = fit("implicit", Dataset(X=X, y=case.y), model, case.theta)
    assert distance(found.w, answer.w) < 1e-9
    assert integrate_dual(*biased(0), BASE).notes == ()


def test_the_method_of_three_stages_is_that_of_scipy() -> None:
    ours = tableau(3)
    np.testing.assert_allclose(ours.nodes, _ivp.radau.C, rtol=0, atol=1e-15)
    np.testing.assert_allclose(ours.error, _ivp.radau.E, rtol=0, atol=1e-13)
    assert ours.shift == pytest.approx(_ivp.radau.MU_REAL, rel=1e-13)


@pytest.mark.parametrize(("stages", "shift"), [(5, 6.286704751729276), (7, 8.936832788405216)])
def test_the_higher_methods(stages: int, shift: float) -> None:
    """Order 2s - 1 of the quadrature; the real eigenvalues are those in Hairer's RADAU; polynomials are reproduced."""
    found = tableau(stages)
    assert found.shift == pytest.approx(shift, rel=1e-12)
    weights = np.linalg.inv(found.inverse)[-1]
    for k in range(2 * stages - 1):
        assert weights @ found.nodes**k == pytest.approx(1.0 / (k + 1), abs=1e-14)
    x = np.array([0.0, 0.3, 1.0, 1.5])
    np.testing.assert_allclose(found.weights(x) @ found.nodes**stages, x**stages, rtol=0, atol=1e-12)
