"""Hyperbolic entropy and its one-sided limit against 150-digit arithmetic and against their own definitions."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regularizer_oracles import hyperbolic_gradient, hyperbolic_inverse, hyperbolic_value, relative_error

from initshape.regularizers import HyperbolicEntropy, OneSidedEntropy

DECADES = np.logspace(-12, 12, 25)
GRID = [(x * sign, k) for x in DECADES for k in DECADES for sign in (1.0, -1.0)]
EPS = np.finfo(float).eps


def unbiased(k: float) -> HyperbolicEntropy:
    return HyperbolicEntropy.unbiased(np.array([k]))


def test_value_over_24_decades() -> None:
    """THEORY's acceptance bar for q_k: 1e-14 over x, sqrt(k) in 1e-12..1e12; the textbook form loses everything."""
    x, k = np.array(GRID).T
    q = HyperbolicEntropy.unbiased(k)
    errors = [relative_error(got, hyperbolic_value(a, b / 2)) for got, (a, b) in zip(q.terms(x), GRID, strict=True)]
    assert max(errors) <= 1e-14


def test_gradient_over_24_decades() -> None:
    x, k = np.array(GRID).T
    got = HyperbolicEntropy.unbiased(k).gradient(x)
    errors = [relative_error(g, hyperbolic_gradient(a, b / 2)) for g, (a, b) in zip(got, GRID, strict=True)]
    assert max(errors) <= 1e-14


def test_inverse_over_24_decades() -> None:
    """Relative error at most 1e-13 times the condition number 2|R| coth(2|R|) of w(R)."""
    x, k = np.array(GRID).T
    q = HyperbolicEntropy.unbiased(k)
    R = q.gradient(x)
    for r, got, (_, b) in zip(R, q.inverse(R), GRID, strict=True):
        condition = max(1.0, abs(2 * r))
        assert relative_error(got, hyperbolic_inverse(r, b / 2)) <= 1e-13 * condition


BIASED = st.tuples(
    st.floats(-12, 12), st.floats(-8, 8), st.floats(-12, 12), st.sampled_from([1.0, -1.0]), st.sampled_from([1.0, -1.0])
)


@settings(max_examples=300, deadline=None)
@given(BIASED)
def test_biased_formulas(draw: tuple[float, float, float, float, float]) -> None:
    """The exact parameters of the potential are (C, w0); phi follows from them, to the last digit of double precision.

    Errors are measured against the condition numbers of R(w) in w and w0, and of Q with respect to R.
    """
    log_c, log_ratio, log_x, sign, sign0 = draw
    c, x = 10.0**log_c, sign * 10.0**log_x
    w0 = sign0 * c * 10.0**log_ratio
    q = biased(c, w0)
    w = np.array([x])
    want = hyperbolic_gradient(x, c, w0)
    if want == 0:
        assert q.gradient(w)[0] == 0.0
        return
    condition = float((abs(mpmath.asinh(mpmath.mpf(x) / c)) + abs(mpmath.asinh(mpmath.mpf(w0) / c))) / (2 * abs(want)))
    assert relative_error(q.gradient(w)[0], want) <= 1e-15 * max(1.0, condition) * 10
    value = hyperbolic_value(x, c, w0)
    spread = float(abs(want) * abs(x) / value)  # dQ/dR R/Q up to a factor
    assert relative_error(q.terms(w)[0], value) <= 1e-14 * max(1.0, condition) * max(1.0, spread)


def biased(c: float, w0: float) -> HyperbolicEntropy:
    phi = float(mpmath.asinh(mpmath.mpf(w0) / mpmath.mpf(c)) / 2)
    return HyperbolicEntropy(c=np.array([c]), log_c=np.log([c]), phi=np.array([phi]), w0=np.array([w0]))


@settings(max_examples=200, deadline=None)
@given(st.floats(-10, 10), st.floats(-14, -0.4), st.sampled_from([1.0, -1.0]))
def test_near_the_start_nothing_cancels(log_ratio: float, log_step: float, sign: float) -> None:
    """Q and grad Q vanish at w0 to second and first order; both keep their digits however close w is."""
    w0 = 0.7 * sign
    c = 0.7 * 10.0**log_ratio
    x = w0 * (1.0 + 10.0**log_step)
    q = biased(c, w0)
    w = np.array([x])
    assert relative_error(q.gradient(w)[0], hyperbolic_gradient(x, c, w0)) <= 1e-14
    assert relative_error(q.terms(w)[0], hyperbolic_value(x, c, w0)) <= 1e-14
    assert q.gradient(np.array([w0]))[0] == 0.0
    assert q.terms(np.array([w0]))[0] == 0.0


@pytest.mark.parametrize("log_c", [-3000.0, -800.0, 690.0])
@pytest.mark.parametrize("x", [1.0, -3e-5, 2e7, 0.0])
def test_scales_outside_double_precision(log_c: float, x: float) -> None:
    """C = e^-3000 has no double, its logarithm has: value, gradient and inverse stay exact."""
    zero = np.zeros(1)
    with np.errstate(over="ignore"):
        q = HyperbolicEntropy(c=np.exp([log_c]), log_c=np.array([log_c]), phi=zero, w0=zero)
    c, exact = mpmath.exp(mpmath.mpf(log_c)), mpmath.mpf(x)
    R = q.gradient(np.array([x]))
    assert relative_error(R[0], mpmath.asinh(exact / c) / 2) <= 1e-13 * max(1.0, abs(log_c))
    if log_c < 0:
        value = (exact * mpmath.asinh(exact / c) - mpmath.sqrt(c * c + exact**2) + c) / 2
        assert relative_error(q.terms(np.array([x]))[0], value) <= 1e-14
        condition = max(1.0, 2 * abs(float(R[0])))
        assert relative_error(q.inverse(R)[0], c * mpmath.sinh(2 * mpmath.mpf(float(R[0])))) <= 1e-15 * condition
        assert q.inverse(R)[0] == pytest.approx(x, rel=4 * EPS * condition)


POTENTIALS = [
    unbiased(1e-9),
    unbiased(2.0),
    unbiased(1e7),
    biased(0.3, 0.9),
    biased(1e-6, -0.5),
    biased(40.0, 3.0),
    OneSidedEntropy(sign=np.ones(1), log_size=np.array([-3.0])),
    OneSidedEntropy(sign=-np.ones(1), log_size=np.array([0.5])),
]
REACHABLE = st.floats(-11, 2).map(lambda e: 10.0**e)


@settings(max_examples=60, deadline=None)
@given(size=REACHABLE, sign=st.sampled_from([1.0, -1.0]))
def test_round_trip(size: float, sign: float) -> None:
    for q in POTENTIALS:
        lower, upper = q.domain()
        w = np.array([size * sign])
        if lower[0] < w[0] < upper[0]:
            R = q.gradient(w)
            start = abs(float(q.start().w[0]))
            slope = abs(float(q.start().advance(R)[0].slope[0]))
            # eps in 2(R + phi) moves w by eps |2(R + phi)| w'(R)/2, also where w itself is near zero
            angle = max(1.0, 2 * abs(float(R[0])) + float(np.log1p(start * 1e7)) + 20.0)
            assert abs(q.inverse(R)[0] - w[0]) <= 4 * EPS * angle * slope


@settings(max_examples=60, deadline=None)
@given(a=st.floats(-30, 30), b=st.floats(-30, 30), mix=st.floats(0.01, 0.99))
@example(a=3.0, b=3.0, mix=0.3)
def test_convex_along_segments(a: float, b: float, mix: float) -> None:
    for q in POTENTIALS:
        lower, upper = q.domain()
        ends = np.array([a, b])
        ends = ends if lower[0] < 0.0 < upper[0] else np.where(lower[0] == 0.0, np.abs(ends), -np.abs(ends))
        middle = mix * ends[0] + (1 - mix) * ends[1]
        left, right, between = (float(q.terms(np.array([v]))[0]) for v in (ends[0], ends[1], middle))
        chord = mix * left + (1 - mix) * right
        slope = min(abs(float(q.gradient(np.array([middle]))[0])), 1e300)  # infinite at the end of a domain
        rounding = 2 * EPS * float(np.sum(np.abs(ends))) * slope  # of the middle
        assert between <= chord + 1e-13 * (abs(left) + abs(right)) + rounding
        assert min(left, right, between) >= 0.0


@settings(max_examples=60, deadline=None)
@given(st.floats(-20, 20))
def test_gradient_is_the_derivative_of_the_value(x: float) -> None:
    for q in POTENTIALS:
        lower, upper = q.domain()
        point = x if lower[0] < 0.0 < upper[0] else (abs(x) + 1e-3) * (1.0 if lower[0] == 0.0 else -1.0)
        slope = float(q.gradient(np.array([point]))[0])
        scale = float(q.start().advance(np.array([slope]))[0].slope[0]) / 2  # hypot(C, w)
        step = 1e-4 * scale
        ahead, behind = (q.value(np.array([point + s])) for s in (step, -step))
        rounding = 4 * EPS * abs(ahead) / step  # of the difference, not of the gradient
        assert abs((ahead - behind) / (2 * step) - slope) <= 1e-8 * (1.0 + abs(slope)) + rounding


@pytest.mark.parametrize("q", POTENTIALS)
def test_state_follows_the_map(q: HyperbolicEntropy) -> None:
    """Increments of R reach the same w as the inverse; increments of psi add up to R w - Q (Legendre)."""
    state, psi = q.start(), 0.0
    for change in (0.3, -1.1, 0.9, 2.0, -0.4):
        state, gain = state.advance(np.array([change]))
        psi += float(gain[0])
        np.testing.assert_allclose(state.w, q.inverse(state.R), rtol=1e-14)
        legendre = float(state.R[0] * state.w[0]) - q.value(state.w)
        assert psi == pytest.approx(legendre, rel=1e-12, abs=1e-13 * abs(float(state.R[0] * state.w[0])))
        numeric = (q.inverse(state.R + 1e-6) - q.inverse(state.R - 1e-6)) / 2e-6
        np.testing.assert_allclose(state.slope, numeric, rtol=1e-8)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_sided_formulas(sign: float) -> None:
    q = OneSidedEntropy(sign=np.array([sign]), log_size=np.log([0.25]))
    w = sign * 3.0
    assert q.gradient(np.array([w]))[0] == pytest.approx(sign * np.log(12.0) / 2, rel=1e-15)
    assert q.value(np.array([w])) == pytest.approx((3.0 * np.log(12.0) - 3.0 + 0.25) / 2, rel=1e-14)
    assert q.value(np.array([0.0])) == pytest.approx(0.125, rel=1e-15)
    assert q.gradient(np.array([0.0]))[0] == -sign * np.inf
    assert q.value(np.array([-w])) == np.inf


def test_one_sided_is_the_limit_of_the_two_sided() -> None:
    w = np.array([0.4, 0.9, 0.9000001, 2.5])
    one = OneSidedEntropy(sign=np.ones(4), log_size=np.full(4, np.log(0.9)))
    two = biased(1e-14, 0.9)
    two = HyperbolicEntropy(*(np.full(4, v[0]) for v in (two.c, two.log_c, two.phi, two.w0)))
    np.testing.assert_allclose(one.terms(w), two.terms(w), rtol=1e-9)
    np.testing.assert_allclose(one.gradient(w), two.gradient(w), rtol=1e-9)


def test_limits_are_l1_and_l2() -> None:
    """C -> 0: Q/ln(1/C) -> ||w||_1/2; C -> infinity: Q -> w^2/(4C)."""
    w = np.array([0.3, -2.0])
    tiny, huge = (HyperbolicEntropy.unbiased(np.full(2, k)) for k in (1e-300, 1e9))
    assert tiny.terms(w)[1] / tiny.terms(w)[0] == pytest.approx(2.0 / 0.3, rel=2e-2)
    np.testing.assert_allclose(huge.terms(w), w**2 / 2e9, rtol=1e-9)
