"""The potential of deep diagonal networks: against 150-digit closed forms and quadrature, and against itself."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from regularizer_oracles import balanced_deep, branch_pair, relative_error

from initshape.regularizers.balanced_branch import BalancedBranch
from initshape.regularizers.deep import DeepPotential, DeepState
from initshape.regularizers.general_branch import GeneralBranch, general

EPS = np.finfo(float).eps


@pytest.mark.parametrize("depth", [3, 4, 5, 6])
@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0, 1e4])
def test_balanced_over_24_decades(depth: int, alpha: float) -> None:
    """Value, gradient and inverse for w in 1e-12..1e12, where 1 - z reaches 1e-48."""
    w = np.array([s * 10.0**e for e in range(-12, 13, 4) for s in (1.0, -1.0)])
    q = DeepPotential.of(np.full((2, depth, w.size), alpha))
    assert isinstance(q.plus, BalancedBranch)
    R, terms = q.gradient(w), q.terms(w)
    back = q.inverse(R)
    for i, x in enumerate(w):
        exact_R, exact_Q, slope = balanced_deep(float(x), alpha, depth)
        assert relative_error(R[i], exact_R) <= 3e-15
        assert relative_error(terms[i], exact_Q) <= 3e-15
        condition = max(1.0, float(abs(exact_R) * slope / abs(mpmath.mpf(float(x)))))
        if condition < 1e11:  # beyond, a rounded R is no longer distinguishable from the blow-up
            assert abs(back[i] - x) <= 4e-15 * condition * abs(x)


def random_layers(rng: np.random.Generator, depth: int, kind: int) -> np.ndarray:
    """One coordinate: unequal sizes over three decades, ties, a zero layer, any signs; branches all different."""
    layers = 10.0 ** rng.uniform(-2, 1, (2, depth)) * rng.choice([-1.0, 1.0], (2, depth))
    if kind == 1:
        layers[:, 1] = -layers[:, 0]
    if kind == 2:
        layers[1, 0] = 0.0
    if kind == 3:
        layers[1] = layers[0]
    return layers


@pytest.mark.parametrize(("depth", "kind"), [(3, 0), (3, 1), (3, 2), (3, 3), (4, 0), (5, 1), (5, 2), (6, 3)])
def test_any_shape_against_quadrature(depth: int, kind: int) -> None:
    """The oracle integrates ds = dz / prod sqrt(z^2 + c) for both branches in mpmath."""
    rng = np.random.default_rng([depth, kind])
    layers = random_layers(rng, depth, kind)
    q = DeepPotential.of(layers[:, :, None])
    assert isinstance(q.plus, GeneralBranch)
    for forward in (True, False):
        reach = float(q.start().reach(np.array([forward]))[0])
        for share in (1e-9, 0.3, 0.97):
            R = (reach if forward else -reach) * share
            w, exact_Q, slope = branch_pair(layers, R)
            point = np.array([float(w)])
            condition = max(1.0, float(abs(R * slope / w)))
            assert abs(q.inverse(np.array([R]))[0] - point[0]) <= 2e-14 * condition * abs(point[0]) + 4 * EPS * abs(
                q.w0[0]
            )
            # the double nearest to w, and the rounding of w0, move R by this much
            loss = EPS * float((abs(w) + abs(q.w0[0])) / slope) / abs(R)
            assert abs(q.gradient(point)[0] / R - 1.0) <= 2e-14 + 2 * loss
            assert relative_error(q.terms(point)[0], exact_Q) <= 4e-14 + 4 * loss


@pytest.mark.parametrize("depth", [3, 4, 6])
@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_value_of_a_coordinate_that_decays_far_below_its_start(depth: int, spread: float) -> None:
    """R grows without bound there, R w(0) exceeds Q by up to nine decades. Both codes; in the second two layers tie."""
    plus = np.full(depth, 2.8)
    plus[2:] += spread * np.arange(1, depth - 1)
    layers = np.stack([plus, np.full(depth, 0.01)])
    q = DeepPotential.of(layers[:, :, None])
    assert isinstance(q.plus, GeneralBranch if spread else BalancedBranch)
    blow_up = 100.0 ** (depth - 2) / (depth - 2)
    for share in (1e-6, 1e-3, 0.1, 0.5, 0.99):
        R = -share * blow_up
        w, at_R, slope = branch_pair(layers, R)
        point = float(w)
        exact = at_R + R * (point - w)  # the double nearest to w; the second order is below 1e-30
        # w is a product of rounded factors, near w(0) a difference of such
        size = abs(point) + (abs(q.w0[0]) if point > 0.5 * q.w0[0] else 0.0)
        loss = EPS * size / float(slope) / abs(R)
        assert relative_error(q.terms(np.array([point]))[0], exact) <= 1e-14 + 4 * loss * min(
            1.0, abs(R * point / float(exact))
        )
        assert abs(q.gradient(np.array([point]))[0] / R - 1.0) <= 1e-14 + 2 * depth * loss


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_quadrature_agrees_with_the_closed_form(depth: int) -> None:
    """A balanced branch forced through the general code."""
    alpha = np.array([1e-4, 1e-2, 1.0, 30.0])
    layers = np.tile(alpha, (2, depth, 1))
    closed = DeepPotential.of(layers)
    ones = np.ones_like(layers[0])
    quadrature = DeepPotential(plus=general(ones, layers[0]), minus=general(ones, layers[1]), w0=np.zeros(4))
    for w in (np.full(4, 1e-9), np.full(4, -0.3), np.full(4, 50.0)):
        np.testing.assert_allclose(quadrature.gradient(w), closed.gradient(w), rtol=2e-14)
        np.testing.assert_allclose(quadrature.terms(w), closed.terms(w), rtol=2e-14)


def test_nearly_balanced_is_continuous() -> None:
    """Across the threshold where two layers count as tied, and the switch between the two codes, nothing jumps."""
    w = np.array([0.7])
    base = DeepPotential.of(np.full((2, 4, 1), 0.1))
    for gap in (1e-16, 1e-15, 1e-14, 1e-13, 1e-10, 1e-7):
        layers = np.full((2, 4, 1), 0.1)
        layers[:, -1] *= 1 + gap
        q = DeepPotential.of(layers)
        np.testing.assert_allclose(q.gradient(w), base.gradient(w), rtol=10 * gap + 1e-13)


def many(seed: int, depth: int, kind: str) -> DeepPotential:
    """40 coordinates of one kind, sizes over two and a half decades, any signs."""
    rng = np.random.default_rng(seed)
    layers = 10.0 ** rng.uniform(-2, 0.5, (2, depth, 40)) * rng.choice([-1.0, 1.0], (2, depth, 40))
    if kind == "tied":
        layers[:, 1] = -layers[:, 0]
    if kind == "balanced":
        layers = np.abs(layers[:, :1]) * np.ones((1, depth, 1))
    return DeepPotential.of(layers)


DRAWS = given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(3, 6),
    kind=st.sampled_from(["general", "tied", "balanced"]),
    shares=st.tuples(*[st.floats(-0.999, 0.999)] * 2),
)


def at_share(q: DeepPotential, share: float) -> DeepState:
    """R at a share of the way to where a branch has grown by e^8, which scales with each coordinate."""
    state = q.start()
    reach = np.minimum(state.reach(np.full(state.R.shape, share > 0)), 1e30)
    return state.advance(share * reach)[0]


@settings(max_examples=12, deadline=None)
@DRAWS
def test_gradient_inverts_the_map(seed: int, depth: int, kind: str, shares: tuple[float, float]) -> None:
    q = many(seed, depth, kind)
    state = at_share(q, shares[0])
    R = q.gradient(state.w)
    # the double nearest to w, and the rounding of w0, move R by this much
    loss = EPS * (np.abs(state.w) + np.abs(q.w0)) / state.slope
    assert np.all(np.abs(R - state.R) <= 1e-13 * np.abs(state.R) + 4 * loss)
    np.testing.assert_array_equal(q.gradient(q.w0), 0.0)
    np.testing.assert_array_equal(q.terms(q.w0), 0.0)


@settings(max_examples=12, deadline=None)
@DRAWS
@example(seed=1, depth=6, kind="balanced", shares=(-0.5, -0.625))  # w(0) = 514, w = 1e-13, R = -8e6, Q = 4
def test_convex_between_two_points(seed: int, depth: int, kind: str, shares: tuple[float, float]) -> None:
    """Q(b) >= Q(a) + Q'(a)(b - a) both ways, and Q >= 0."""
    q = many(seed, depth, kind)
    a, b = (at_share(q, share).w for share in shares)
    Qa, Qb = q.terms(a), q.terms(b)
    for start, end, low, high in ((a, b, Qa, Qb), (b, a, Qb, Qa)):
        tangent = low + q.gradient(start) * (end - start)
        assert np.all(high >= tangent - 1e-13 * (np.abs(low) + np.abs(tangent) + np.abs(high)))
    assert np.all(Qa >= 0.0)


@settings(max_examples=12, deadline=None)
@DRAWS
def test_gradient_is_the_derivative_of_the_value(seed: int, depth: int, kind: str, shares: tuple[float, float]) -> None:
    q = many(seed, depth, kind)
    state = at_share(q, shares[0])
    lower, upper = q.domain()
    ends = np.where(np.isinf(lower), np.inf, np.abs(state.w)), np.where(np.isinf(upper), np.inf, np.abs(state.w))
    reach = np.minimum(state.reach(np.full(40, True)), state.reach(np.full(40, False)))
    step = 1e-3 * np.minimum(state.slope * reach, np.minimum(*ends))
    values = [q.terms(state.w + k * step) for k in (-2, -1, 1, 2)]
    numeric = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    rounding = 1e-14 * (np.abs(values[3]) + np.abs(values[0]) + np.abs(state.R * q.w0)) / step
    assert np.all(np.abs(numeric - state.R) <= 1e-8 * (np.abs(state.R) + reach) + rounding)


def test_state_increments_add_up() -> None:
    """psi gathered along increments is R w - Q at the end (Legendre), and slope is dw/dR."""
    rng = np.random.default_rng(0)
    for depth in (3, 5):
        layers = rng.standard_normal((2, depth, 7))
        for q in (DeepPotential.of(layers), DeepPotential.of(np.tile(np.abs(layers[:, :1]), (1, depth, 1)))):
            state, psi = q.start(), np.zeros(7)
            for share in (0.4, -0.2, 0.5, 0.3, -0.9):
                reach = state.reach(np.full(7, share > 0))
                state, gain = state.advance(share * np.minimum(reach, 1e3))
                psi += gain
            legendre = state.R * state.w - q.terms(state.w)
            np.testing.assert_allclose(psi, legendre, rtol=1e-11, atol=1e-12 * np.max(np.abs(psi)))
            step = 1e-5 * np.minimum(state.reach(np.full(7, True)), state.reach(np.full(7, False)))
            ahead, behind = state.advance(step)[0], state.advance(-step)[0]
            numeric = (ahead.moved - behind.moved) / (2 * step)
            rounding = 1e-15 * np.abs(state.moved) / step
            assert np.all(np.abs(numeric - state.slope) <= 1e-8 * state.slope + rounding)


def test_domain_of_one_signed_and_frozen_coordinates() -> None:
    """Tied layers keep the sign of their product; two zero layers keep a branch at rest."""
    columns = [
        ([1.0, 1.0, 2.0], [0.0, 0.0, 3.0], (0.0, np.inf)),
        ([1.0, 1.0, -2.0], [0.0, 0.0, 3.0], (-np.inf, 0.0)),
        ([0.0, 0.0, 1.0], [0.5, 0.5, 0.7], (-np.inf, 0.0)),
        ([0.0, 0.0, 1.0], [0.5, -0.5, 0.7], (0.0, np.inf)),
        ([0.0, 0.0, 1.0], [0.5, 0.6, 0.7], (-np.inf, np.inf)),
        ([1.0, 1.0, 2.0], [0.5, -0.5, 0.7], (0.0, np.inf)),
        ([1.0, 1.0, -2.0], [0.5, 0.5, 0.7], (-np.inf, 0.0)),
        ([1.0, 1.0, 2.0], [0.5, 0.5, 0.7], (-np.inf, np.inf)),
        ([0.0, 0.0, 2.0], [0.0, 0.0, 0.7], (0.0, 0.0)),
        ([0.0, 1.0, 2.0], [0.0, 0.0, 0.7], (-np.inf, np.inf)),
    ]
    layers = np.array([[plus, minus] for plus, minus, _ in columns]).transpose(1, 2, 0)
    q = DeepPotential.of(layers)
    lower, upper = q.domain()
    assert [(a, b) for a, b in zip(lower, upper, strict=True)] == [bounds for _, _, bounds in columns]
    assert np.all((lower <= q.w0) & (q.w0 <= upper))
    far = np.where(np.isinf(upper), 7.0, np.where(np.isinf(lower), -7.0, 0.0))
    assert np.all(np.isfinite(q.gradient(far)))
    assert np.all(np.isfinite(q.terms(far)))
    np.testing.assert_allclose(q.inverse(q.gradient(far)), far, rtol=1e-12)
    beyond = q.terms(-far)
    assert np.all(np.isinf(beyond) == ((-far <= lower) | (-far >= upper)) & (far != 0.0))
    assert np.all(
        np.isinf(q.gradient(np.where((lower == 0) & (upper == np.inf), 0.0, far))) == ((lower == 0) & (upper > 0))
    )


def test_coordinate_that_vanishes_slowly() -> None:
    """One-signed coordinate far down its endless side: product ~ e^R or a power of R, never beyond zero."""
    layers = np.array([[[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]])
    q = DeepPotential.of(layers)
    w = q.inverse(np.array([-30.0, -1e6]))
    ratio = mpmath.sqrt(3)  # first: dz/ds = z sqrt(z^2 + 3), so z = ratio/sinh(asinh(ratio) - ratio s); second: z^2
    z = ratio / mpmath.sinh(mpmath.asinh(ratio) + ratio * 30)
    assert relative_error(w[0], z**2 * mpmath.sqrt(z**2 + 3)) <= 1e-13
    assert relative_error(w[1], (1 / (1 + mpmath.mpf(10) ** 6)) ** 3) <= 1e-13
