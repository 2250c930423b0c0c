"""The fit of the two-layer diagonal network: against the simulated flow, over all scales, and where nothing fits."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
from regularizer_oracles import diagonal_flow

from initshape.datasets import Dataset, build
from initshape.models import Diagonal
from initshape.regularizers import Fit, HyperbolicEntropy, OneSidedEntropy, SeparablePotential, evaluate_kkt, fit
from initshape.regularizers.two_layer_diagonal import BIASED, UNBIASED, potential
from initshape.spec.dataset import SparseRegression
from initshape.spec.outcome import Exactness, Outcome


def solve(layers: np.ndarray, X: np.ndarray, y: np.ndarray) -> Fit:
    return fit("implicit", Dataset(X=X, y=y), Diagonal(2, X.shape[1]), layers.ravel())


def equal_branches(half: np.ndarray) -> np.ndarray:
    """u = v = sqrt(half) on both branches, so that sqrt(k) = 2 C = 4 half."""
    return np.tile(np.sqrt(half), (2, 2, 1))


def biased_instance(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    layers = rng.standard_normal((2, 2, 6)) * 10.0 ** rng.uniform(-2, 0.5)
    if seed % 3 == 1:
        layers[1] *= 1e-3  # near the edge A = |B|
    if seed % 3 == 2:
        layers[1, 1] = 0.0
    return layers, rng.standard_normal((2, 6)), rng.standard_normal(2)


@cache
def simulated(seed: int) -> np.ndarray:
    """The limit of the flow, simulated once for all tests that need it."""
    return diagonal_flow(*biased_instance(seed))


@pytest.mark.parametrize("seed", range(6))
def test_biased_fit_is_the_limit_of_the_flow(seed: int) -> None:
    """THEORY's acceptance bar: distance at most 1e-9 from Radau in all parameters."""
    layers, X, y = biased_instance(seed)
    answer = solve(layers, X, y)
    w = simulated(seed)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert answer.potential is not None
    assert np.linalg.norm(answer.w - w) <= 1e-9 * np.linalg.norm(w)
    assert evaluate_kkt(answer.potential, w, X) <= 1e-9
    assert answer.theorem == BIASED
    assert answer.exactness is Exactness.exact


def test_wrong_potentials_are_told_apart() -> None:
    """Ignoring the bias leaves a KKT residual of order one at the true limit: the residual tells right from wrong."""
    layers, X, _ = biased_instance(0)
    w = simulated(0)
    mean = np.sum(layers**2, axis=(0, 1)) / 2
    assert evaluate_kkt(HyperbolicEntropy.unbiased(2 * mean), w, X) > 0.05


@pytest.mark.parametrize("sqrt_k", [1e-12, 1.0, 1e4, 1e12])
@pytest.mark.parametrize("label_scale", [1e-6, 1.0, 1e6])
def test_fit_over_all_scales(sqrt_k: float, label_scale: float) -> None:
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((5, 20)), label_scale * rng.standard_normal(5)
    answer = solve(equal_branches(np.full(20, sqrt_k / 4)), X, y)
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12


def stress_instance(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """d 4..20, N 1..6, A over 4 decades inside 1e-15..1e14, X and y over 4 decades."""
    rng = np.random.default_rng([2021, seed])
    d = int(rng.integers(4, 21))
    n = int(rng.integers(1, min(6, d - 1) + 1))
    half = 10.0 ** (rng.uniform(-15, 10) + rng.uniform(0, 4, d))
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-2, 2)
    return equal_branches(half), X, rng.standard_normal(n) * 10.0 ** rng.uniform(-2, 2)


@pytest.mark.parametrize("seed", range(20))
def test_fit_over_mixed_scales(seed: int) -> None:
    answer = solve(*stress_instance(seed))
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12


@pytest.mark.long
def test_stress() -> None:
    """THEORY's stress of the mixed merit, by the same recipe; its worst residual was 7.7e-13."""
    for seed in range(300):
        answer = solve(*stress_instance(seed))
        assert answer.outcome is Outcome.converged, seed
        assert answer.relative_residual is not None
        assert answer.relative_residual <= 1e-12, seed


def test_published_size_takes_milliseconds() -> None:
    """d = 1000, N = 100, four (alpha, s) pairs of the published figure; 8 to 10 Newton steps of about 1 ms each."""
    data = build(SparseRegression(kind="sparse_regression", dimension=1000, samples=100, test_samples=0))
    for alpha, s in [(1e-5, 0.0), (1e-5, 0.9), (1e-3, 0.5), (0.25, 0.0)]:
        r = (1 + s) / (1 - s)
        p = np.sqrt(alpha / r)
        layers = np.repeat([[[p], [r * p]]], 2, axis=0) * np.ones(1000)
        answer = fit("implicit", data, Diagonal(2, 1000), layers.ravel())
        assert answer.outcome is Outcome.converged
        assert answer.relative_residual is not None
        assert answer.relative_residual <= 1e-12
        assert answer.iterations is not None
        assert answer.iterations <= 12
        assert answer.theorem == UNBIASED
        assert answer.potential is not None
        want = 4 * alpha * (1 + s**2) / (1 - s**2)
        assert isinstance(answer.potential, HyperbolicEntropy)
        np.testing.assert_allclose(2 * answer.potential.c, want, rtol=1e-14)
        assert all(c.holds for c in answer.conditions)


def test_parameters_hold_their_digits() -> None:
    """A >> |B|, A ~ |B|, one branch tiny, and factors whose squares underflow: C and phi against exact rationals."""
    cases = [
        (1e6, 1e6, 1e6, 999999.0),
        (0.3, 0.3 + 1e-9, 1e-12, 2e-12),
        (1e-170, 3e-170, -2e-170, 1e-170),
        (2.0, 0.0, 0.0, 1.0),
    ]
    for u, v, x, z in cases:
        q = potential(*(np.array([f]) for f in (u, v, x, z)))
        assert isinstance(q, HyperbolicEntropy)
        fu, fv, fx, fz = (Fraction(f) for f in (u, v, x, z))
        a, b = (fu**2 + fv**2 + fx**2 + fz**2) / 2, fu * fv - fx * fz
        plus, minus = (mpmath.mpf(t.numerator) / t.denominator for t in (a + b, a - b))
        assert abs(q.log_c[0] - mpmath.log(plus * minus) / 2) <= 1e-15 * max(1, abs(q.log_c[0])) * 4
        phi = mpmath.log(plus / minus) / 4
        assert abs(q.phi[0] - phi) <= 1e-14 * abs(phi)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_signed_coordinates(sign: float) -> None:
    """u+ = v+, u- = -v- = 0: w = A e^{2R} > 0 for ever; the mirror image stays negative."""
    rng = np.random.default_rng(3)
    layers = np.zeros((2, 2, 5))
    layers[0 if sign > 0 else 1] = rng.uniform(0.1, 1.0, 5)
    X = rng.standard_normal((2, 5))
    y = X @ (sign * rng.uniform(0.1, 1.0, 5))
    answer = solve(layers, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert isinstance(answer.potential, OneSidedEntropy)
    assert np.all(sign * answer.w > 0)
    w = diagonal_flow(layers, X, y)
    assert np.linalg.norm(answer.w - w) <= 1e-9 * np.linalg.norm(w)
    assert any("one-signed" in c.name and c.value == 5 for c in answer.conditions)


def test_one_signed_coordinates_that_cannot_fit() -> None:
    layers = np.zeros((2, 2, 4))
    layers[0] = 0.5
    X = np.abs(np.random.default_rng(0).standard_normal((2, 4)))
    answer = solve(layers, X, np.array([-1.0, 1.0]))
    assert answer.outcome is Outcome.infeasible
    assert answer.w is None
    assert answer.value is None
    assert answer.reason is not None
    assert "sign" in answer.reason


def test_mixed_kinds_of_coordinates() -> None:
    """Two-sided, positive, negative and frozen coordinates in one problem, against the flow."""
    rng = np.random.default_rng(8)
    layers = rng.uniform(0.2, 1.0, (2, 2, 6))
    layers[1, :, 1] = 0.0
    layers[0, 1, 1] = layers[0, 0, 1]
    layers[0, :, 2] = 0.0
    layers[1, 1, 2] = layers[1, 0, 2]
    layers[:, :, 3] = 0.0
    X = rng.standard_normal((2, 6))
    y = X @ np.array([1.0, 0.5, -0.7, 0.0, 0.3, -0.2])
    answer = solve(layers, X, y)
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert isinstance(answer.potential, SeparablePotential)
    assert answer.w[3] == 0.0
    assert answer.w[1] > 0.0 > answer.w[2]
    w = diagonal_flow(layers, X, y)
    assert np.linalg.norm(answer.w - w) <= 1e-9 * np.linalg.norm(w)
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-12
    q = answer.potential
    np.testing.assert_allclose(q.inverse(q.gradient(answer.w)), answer.w, rtol=1e-13)
    assert q.value(answer.w + np.eye(6)[3]) == np.inf
    assert {c.value for c in answer.conditions if "frozen" in c.name or "one-signed" in c.name} == {1, 2}


def test_all_coordinates_frozen() -> None:
    answer = solve(np.zeros((2, 2, 3)), np.ones((1, 3)), np.ones(1))
    assert answer.outcome is Outcome.infeasible
    assert answer.w is None


def test_inconsistent_labels() -> None:
    X = np.random.default_rng(1).standard_normal((5, 3))
    for name in ("implicit", "l1", "l2", "kernel"):
        answer = fit(name, Dataset(X=X, y=np.arange(1.0, 6.0)), Diagonal(2, 3), np.ones(12))
        assert answer.outcome is Outcome.infeasible
        assert answer.w is None
        assert answer.reason is not None
        assert "least-squares residual" in answer.reason


@pytest.mark.parametrize("name", ["implicit", "l1", "l2", "kernel"])
def test_dependent_samples_with_consistent_labels(name: str) -> None:
    """Repeated rows, a zero row, rows of very different size, and N > d: the independent constraints decide."""
    rng = np.random.default_rng(4)
    base = rng.standard_normal((2, 5))
    mixing = rng.standard_normal((7, 2)) * 10.0 ** rng.uniform(-3, 3, (7, 1))
    mixing[3] = 0.0
    X = mixing @ base
    y = X @ rng.standard_normal(5)
    layers = rng.uniform(0.3, 1.0, (2, 2, 5))
    full = fit(name, Dataset(X=X, y=y), Diagonal(2, 5), layers.ravel())
    labels = np.linalg.lstsq(mixing, y, rcond=None)[0]
    reduced = fit(name, Dataset(X=base, y=labels), Diagonal(2, 5), layers.ravel())
    assert full.outcome is Outcome.converged
    assert full.relative_residual is not None
    assert full.relative_residual <= 1e-12
    assert full.w is not None
    assert reduced.w is not None
    np.testing.assert_allclose(full.w, reduced.w, rtol=1e-9, atol=1e-12)


def test_square_full_rank_data_have_one_answer() -> None:
    rng = np.random.default_rng(6)
    X, w = rng.standard_normal((4, 4)), rng.standard_normal(4)
    for name in ("implicit", "l1", "l2", "kernel"):
        answer = fit(name, Dataset(X=X, y=X @ w), Diagonal(2, 4), rng.uniform(0.1, 1.0, 16))
        assert answer.w is not None
        np.testing.assert_allclose(answer.w, w, rtol=1e-11)


def test_ill_conditioned_data() -> None:
    """Condition number 1e9 of X, consistent labels."""
    rng = np.random.default_rng(7)
    left, _, right = np.linalg.svd(rng.standard_normal((4, 12)), full_matrices=False)
    X = left @ np.diag([1.0, 1e-3, 1e-6, 1e-9]) @ right
    y = X @ rng.standard_normal(12)
    answer = solve(equal_branches(np.full(12, 0.1)), X, y)
    assert answer.outcome is Outcome.converged
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-12


def test_zero_labels_undo_a_bias() -> None:
    rng = np.random.default_rng(9)
    layers, X = rng.uniform(0.2, 1.0, (2, 2, 5)), rng.standard_normal((2, 5))
    answer = solve(layers, X, np.zeros(2))
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert np.linalg.norm(X @ answer.w) <= 1e-12
    assert np.linalg.norm(answer.w) > 1e-3
