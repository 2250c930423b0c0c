"""The potentials of neurons and balanced networks against 60-digit arithmetic, over 24 decades of their arguments."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regularizer_oracles import relative_error

from initshape.regularizers import BalancedPotential, NeuronPotential
from initshape.regularizers.layer_magnitudes import excess, smallest_magnitude

DECADES = np.logspace(-12, 12, 25)
Z = np.zeros(2)


def _neuron(delta: float) -> tuple[NeuronPotential, mp.mpf]:
    """One scalar with a^2 - ||u||^2 = delta, and the delta that its square root in double precision stands for."""
    root = np.sqrt(abs(delta))
    roots = np.array([0.0, root] if delta > 0 else [root, 0.0])
    return NeuronPotential(roots=roots, linear=Z, sign=1.0), mp.sign(delta) * mp.mpf(root) ** 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_scalar_agrees_with_the_formula(sign: float) -> None:
    """qhat' = (3/2) sqrt(sqrt(x^2 + delta^2/4) - delta/2), and its integral a (3 n^2 - a^2)/2 less that at 0."""
    for size in DECADES:
        q, delta = _neuron(sign * size)
        slopes, values = q.profile_slope(DECADES), q.profile(DECADES)
        at_zero = -(mp.sqrt(delta) ** 3) / 2 if delta > 0 else mp.mpf(0)
        for x, slope, value in zip(DECADES, slopes, values, strict=True):
            n = mp.sqrt(mp.sqrt(mp.mpf(x) ** 2 + delta**2 / 4) - delta / 2)
            a = mp.mpf(x) / n
            assert relative_error(slope, 3 * n / 2) <= 1e-15
            assert relative_error(value, a * (3 * n * n - a * a) / 2 - at_zero) <= 1e-14


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_inverse_returns_w_as_far_as_its_conditioning_allows(sign: float) -> None:
    """||w|| = n a with a^2 = n^2 + delta, so d ln||w|| / d ln n = 1 + n^2/a^2, unbounded at the kink."""
    direction = np.array([0.6, -0.8])
    for size in DECADES:
        q, delta = _neuron(sign * size)
        for x in DECADES:
            n = mp.sqrt(mp.sqrt(mp.mpf(x) ** 2 + delta**2 / 4) - delta / 2)
            condition = float(1 + n * n / (n * n + delta)) if n * n + delta > 0 else np.inf
            if condition > 1e10:
                continue  # at the kink R says nothing of w
            back = q.inverse(q.gradient(x * direction))
            assert np.linalg.norm(back - x * direction) <= 4e-15 * condition * x


def test_kink_and_zero() -> None:
    q = NeuronPotential(roots=np.array([2.0, 0.0]), linear=np.array([1.0, 0.5]), sign=-1.0)
    assert q.value(Z) == 0.0
    np.testing.assert_array_equal(q.gradient(Z), q.linear)  # one of the subgradients z + 3 B
    np.testing.assert_array_equal(q.inverse(q.linear + np.array([0.0, 2.99])), Z)
    assert np.linalg.norm(q.inverse(q.linear + np.array([0.0, 3.01]))) > 0.0
    smooth = NeuronPotential(roots=np.array([0.0, 2.0]), linear=Z, sign=1.0)
    np.testing.assert_array_equal(smooth.inverse(Z), Z)
    np.testing.assert_array_equal(smooth.profile(np.array([0.0, 0.0])), [0.0, 0.0])


def test_smallest_magnitude_solves_the_product_for_any_number_of_layers() -> None:
    rng = np.random.default_rng(0)
    for layers in range(2, 8):
        for _ in range(12):
            roots = 10.0 ** rng.uniform(-12, 12, layers)
            roots[rng.integers(layers, size=rng.integers(1, 3))] = 0.0
            x = 10.0 ** rng.uniform(-12, 12)
            s = mp.mpf(float(smallest_magnitude(roots, np.array(x))))
            product = mp.fprod(mp.sqrt(s**2 + mp.mpf(float(f)) ** 2) for f in roots)
            slope = sum(s**2 / (s**2 + mp.mpf(float(f)) ** 2) for f in roots)
            assert abs(product / mp.mpf(x) - 1) / slope <= 2e-15


def test_smallest_magnitude_is_exact_where_squares_leave_double_precision() -> None:
    roots = np.array([0.0, 1e150, 1e-170])
    s = float(smallest_magnitude(roots, np.array(1e-150)))
    assert s * np.hypot(s, 1e150) * np.hypot(s, 1e-170) == pytest.approx(1e-150, rel=1e-14)
    assert float(smallest_magnitude(roots, np.array(0.0))) == 0.0


def _integral_two(s: mp.mpf, f: float, g: float) -> mp.mpf:
    """int_0^s sqrt(r^2 + f^2) sqrt(r^2 + g^2) r dr, in closed form."""
    F, G = mp.mpf(f) ** 2, mp.mpf(g) ** 2

    def primitive(t: mp.mpf) -> mp.mpf:
        root = mp.sqrt((t + F) * (t + G))
        log = mp.log(2 * root + 2 * t + F + G) if F != G else mp.mpf(0)
        return (2 * t + F + G) * root / 4 - (F - G) ** 2 / 8 * log

    return (primitive(s**2) - primitive(mp.mpf(0))) / 2


def test_two_scalars_agree_with_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        roots = np.append(0.0, 10.0 ** rng.uniform(-12, 12, 2)) if rng.random() < 0.5 else np.array([1.0, 0.0, 0.0])
        if roots[0] == 1.0:
            roots[0], roots[1] = 10.0 ** rng.uniform(-12, 12, 2)
        q = NeuronPotential(roots=roots, linear=Z, sign=1.0)
        x = 10.0 ** rng.uniform(-12, 12)
        s = _root(roots, x)
        n = mp.sqrt(s**2 + mp.mpf(roots[0]) ** 2)
        want = mp.mpf(4) / 3 * (mp.mpf(x) * n - _integral_two(s, roots[1], roots[2]))
        assert relative_error(float(q.profile(np.array(x))), want) <= 1e-14
        assert relative_error(float(q.profile_slope(np.array(x))), 4 * n / 3) <= 1e-14


def test_four_scalars_in_equal_pairs_agree_with_a_polynomial() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        f, g = 10.0 ** rng.uniform(-12, 12, 2)
        roots = np.array([0.0, f, g, f, g])
        x = 10.0 ** rng.uniform(-12, 12)
        s, F, G = _root(roots, x), mp.mpf(f) ** 2, mp.mpf(g) ** 2
        integral = s**6 / 6 + (F + G) * s**4 / 4 + F * G * s**2 / 2
        want = mp.mpf(6) / 5 * (mp.mpf(x) * s - integral)
        assert relative_error(float(NeuronPotential(roots, Z, 1.0).profile(np.array(x))), want) <= 1e-14


def _root(roots: np.ndarray, x: float) -> mp.mpf:
    """The smallest size, refined from the package's by Newton's method in 150 digits."""
    s = mp.mpf(float(smallest_magnitude(roots, np.array(x))))
    for _ in range(6):
        product = mp.fprod(mp.sqrt(s**2 + mp.mpf(float(f)) ** 2) for f in roots)
        slope = sum(s**2 / (s**2 + mp.mpf(float(f)) ** 2) for f in roots)
        s = s * (1 - (product / mp.mpf(x) - 1) / slope)
    return s


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
def test_balanced_potential_is_that_of_a_neuron_of_equal_sizes(depth: int) -> None:
    first = np.array([0.3, -0.4])
    balanced = BalancedPotential(depth=depth, first=first)
    neuron = NeuronPotential.of(np.full(depth - 1, 0.5), first, 1.0)
    for x in DECADES:
        w = x * np.array([0.8, 0.6])
        scale = abs(balanced.value(w)) + x
        assert balanced.value(w) == pytest.approx(neuron.value(w), rel=1e-13, abs=1e-14 * scale)
        np.testing.assert_allclose(balanced.gradient(w), neuron.gradient(w), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(balanced.profile(np.array(x)), neuron.profile(np.array(x)), rtol=1e-13)
        np.testing.assert_allclose(balanced.profile_slope(np.array(x)), neuron.profile_slope(np.array(x)), rtol=1e-13)
        R = balanced.gradient(w)
        np.testing.assert_allclose(balanced.inverse(R), neuron.inverse(R), rtol=1e-10, atol=1e-13 * x)
        power = mp.mpf(depth + 1) / depth
        assert relative_error(float(balanced.profile(np.array(x))), mp.mpf(x) ** power) <= 1e-14


vectors = st.lists(st.floats(-10.0, 10.0), min_size=3, max_size=3).map(np.array)
potentials = st.builds(
    NeuronPotential.of,
    st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=3).map(np.array),
    vectors,
    st.sampled_from([1.0, -1.0]),
)


@settings(deadline=None, max_examples=60)
@given(q=potentials, v=vectors, w=vectors)
def test_potential_is_convex_and_its_gradient_supports_it(q: NeuronPotential, v: np.ndarray, w: np.ndarray) -> None:
    gap = q.value(v) - q.value(w) - float(q.gradient(w) @ (v - w))
    assert gap >= -1e-11 * (1.0 + abs(q.value(v)) + abs(q.value(w)))


def test_excess_keeps_the_digits_of_near_ties() -> None:
    tiny = 2.0**-40
    np.testing.assert_allclose(excess(np.array([1.0 + tiny, 1.0])), [np.sqrt(2 * tiny + tiny**2), 0.0], rtol=1e-15)
