"""The single neuron's limit against the simulated flow of all its parameters: signs, flips, saddles, null starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_oracles import chain, matrix_flow, neuron_matrices, random_data, random_unit, relative
from scipy.integrate import solve_ivp

from initshape.datasets import Dataset
from initshape.models import SingleNeuron
from initshape.regularizers import Fit, NeuronPotential, evaluate_kkt, fit
from initshape.regularizers.neuron_branch import branch
from initshape.regularizers.neuron_coordinates import NeuronCoordinates
from initshape.regularizers.reduced_flow import ReducedSystem, final_sign
from initshape.spec.outcome import Exactness, Outcome

Maker = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def neuron_fit(a: np.ndarray, w: np.ndarray, X: np.ndarray, y: np.ndarray) -> Fit:
    return fit("implicit", Dataset(X=X, y=y), SingleNeuron(len(a), len(w)), np.concatenate([a, w]))


def names(found: Fit) -> str:
    return "; ".join(condition.name for condition in found.conditions)


def flip_value(found: Fit) -> float | None:
    """The KKT residual of the published formula, where the fit says that the sign changes."""
    values = [condition.value for condition in found.conditions if "changes sign" in condition.name]
    return float(values[0]) if values else None  # type: ignore[arg-type]


def _sizes(rng: np.random.Generator, count: int) -> np.ndarray:
    return 10.0 ** rng.uniform(-1.5, 0.4, count) * rng.choice([-1.0, 1.0], count)


FAMILIES: dict[str, Maker] = {
    "any": lambda rng, d: (_sizes(rng, 1), _sizes(rng, 1) * random_unit(rng, d)),
    "may flip": lambda rng, d: (0.05 * rng.choice([-1.0, 1.0], 1), 2.0 * random_unit(rng, d)),
    "a below w": lambda rng, d: (0.3 * _sizes(rng, 1), 1.5 * random_unit(rng, d)),
    "a = 0": lambda rng, d: (np.zeros(1), np.abs(_sizes(rng, 1)) * random_unit(rng, d)),
    "w = 0": lambda rng, d: (_sizes(rng, 1), np.zeros(d)),
    "two scalars": lambda rng, d: (_sizes(rng, 2), _sizes(rng, 1) * random_unit(rng, d)),
    "two scalars, one of them 0": lambda rng, d: (np.append(_sizes(rng, 1), 0.0), random_unit(rng, d)),
    "four scalars": lambda rng, d: (_sizes(rng, 4) + np.sign(_sizes(rng, 1)), 0.7 * random_unit(rng, d)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_limit_is_that_of_the_flow_of_all_parameters(family: str) -> None:
    rng = np.random.default_rng(sum(map(ord, family)))
    flips = 0
    for _ in range(30):
        X, y = random_data(rng)
        a, w = FAMILIES[family](rng, X.shape[1])
        found = neuron_fit(a, w, X, y)
        assert (found.outcome, found.exactness) == (Outcome.converged, Exactness.exact), (family, found.reason)
        assert found.w is not None
        assert relative(found.w, chain(matrix_flow(neuron_matrices(a, w), X, y))) <= 1e-9
        assert found.relative_residual is not None
        assert found.relative_residual <= 1e-13
        assert found.kkt_residual is not None
        assert found.kkt_residual <= 1e-10
        flips += flip_value(found) is not None
    if family in ("may flip", "two scalars"):
        assert flips >= 4


def test_published_formula_fails_wherever_the_sign_changes() -> None:
    """z = -(3/2) sign(a(0)) w(0), as published; the corrected one is stationary on the same instances."""
    rng = np.random.default_rng(4)
    flips = []
    for _ in range(100):
        X, y = random_data(rng, samples=3)
        a, w = FAMILIES["may flip"](rng, X.shape[1])
        found = neuron_fit(a, w, X, y)
        value = flip_value(found)
        if value is None or found.w is None:
            continue
        flips.append(value)
        published = NeuronPotential.of(a, w, float(np.sign(a[0])))
        assert evaluate_kkt(published, found.w, X) == value
        assert found.potential is not None
        assert evaluate_kkt(found.potential, found.w, X) <= 1e-11
    assert len(flips) >= 20
    assert min(flips) >= 0.05


@pytest.mark.parametrize("scalars", [1, 3])
def test_one_sample_rule_agrees_with_the_reduced_flow(scalars: int) -> None:
    rng = np.random.default_rng(5)
    changed = 0
    for _ in range(60):
        X, y = random_data(rng, samples=1)
        a, w = _sizes(rng, scalars), 3.0 * random_unit(rng, X.shape[1])
        start = NeuronCoordinates.of(a, w, X, y)
        decided = branch(start)
        assert decided.steps == 0
        assert decided.sign == final_sign(start).sign
        changed += decided.sign != np.sign(np.prod(a))
    assert changed >= 10


def test_reduced_flow_agrees_with_the_rules_that_need_none() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        X, y = random_data(rng)
        a, w = _sizes(rng, 2), _sizes(rng, 1) * random_unit(rng, X.shape[1])
        start = NeuronCoordinates.of(a, w, X, y)
        decided = branch(start)
        if decided.steps == 0:
            assert final_sign(start).sign == decided.sign


def test_reduced_flow_moves_as_the_full_one() -> None:
    """Its slope and Jacobian by finite differences of the loss in the coordinates (b, c)."""
    rng = np.random.default_rng(7)
    root = rng.normal(size=(3, 3))
    system = ReducedSystem(np.array([1.0, 2.0]), -1.0, root @ root.T, 1.7)
    state = rng.normal(size=5)
    numeric = np.array([(system.slope(0.0, state + h) - system.slope(0.0, state - h)) / 2e-6 for h in 1e-6 * np.eye(5)])
    np.testing.assert_allclose(system.jacobian(0.0, state), numeric.T, rtol=1e-7, atol=1e-7)

    def loss(at: np.ndarray) -> float:
        phi, c = -at[0] * at[1] ** 2, at[2:]
        return 0.5 * phi**2 * float(c @ system.gram @ c) - 1.7 * phi * c[0]

    slope = np.array([-(loss(state + h) - loss(state - h)) / 2e-6 for h in 1e-6 * np.eye(5)])
    slope[1] /= 2.0  # two scalars share this coordinate
    np.testing.assert_allclose(system.slope(0.0, state), slope, rtol=1e-7, atol=1e-7)


def saddle(a: list[float], w: list[float], X: list[list[float]], y: list[float]) -> Fit:
    found = neuron_fit(np.array(a), np.array(w), np.array(X), np.array(y))
    assert found.outcome is Outcome.saddle
    assert found.w is None
    assert found.reason
    return found


def test_starts_at_rest_are_saddles() -> None:
    X, y = [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, -2.0]
    saddle([0.0], [0.0, 0.0, 0.0], X, y)
    saddle([0.0], [2.0, -1.0, 1.0], X, y)  # orthogonal to both samples
    saddle([0.0], [0.3, 0.0, 0.5 * 0.3], X, y)  # orthogonal to X^T y = (1, 0, -2) only
    saddle([0.0, 0.0, 1.0], [1.0, 1.0, 1.0], X, y)


def test_one_sample_on_the_stable_manifold_is_a_saddle() -> None:
    """a = -x.w for unit x: f = -a^2 can only rise to 0, and y = 1."""
    assert "hold each other" in (saddle([-0.5], [0.5, 3.0], [[1.0, 0.0]], [1.0]).reason or "")
    found = neuron_fit(np.array([0.5]), np.array([0.5, 3.0]), np.array([[1.0, 0.0]]), np.array([1.0]))
    assert found.outcome is Outcome.converged


def test_stable_manifold_of_two_samples_is_found_by_the_reduced_flow() -> None:
    """Whitened data, w(0) = -c X^T y + rest, a(0) = c||X^T y||: a and the part along X^T y tend to zero together."""
    X, y = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([1.0, 2.0])
    w = -0.3 * np.array([1.0, 2.0, 0.0])
    found = neuron_fit(np.array([0.3 * np.sqrt(5.0)]), w, X, y)
    assert found.outcome is Outcome.saddle
    assert "tends to a saddle" in (found.reason or "")


def _tied_flow(a: float, k: int, w: np.ndarray, X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """k equal scalars stay equal: the flow in one of them and w. Returns a and X f after a long time."""

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        g = (y - state[0] ** k * X @ state[1:]) @ X
        return np.append(state[0] ** (k - 1) * (state[1:] @ g), state[0] ** k * g)

    end = solve_ivp(slope, (0.0, 200.0), np.append(a, w), method="DOP853", rtol=1e-10, atol=1e-14).y[:, -1]
    return float(end[0]), end[0] ** k * X @ end[1:]


@pytest.mark.parametrize("samples", [1, 3])
def test_equal_scalars_cannot_cross_zero(samples: int) -> None:
    """They decay together where a single one would pass through zero: the flow ends at a saddle, as the fit says."""
    rng = np.random.default_rng(8 + samples)
    outcomes = []
    for _ in range(20):
        X, y = random_data(rng, samples=samples)
        a, w = 0.4, 2.0 * random_unit(rng, X.shape[1])
        found = neuron_fit(np.full(3, a), w, X, y)
        end, outputs = _tied_flow(a, 3, w, X, y)
        outcomes.append(found.outcome)
        if found.outcome is Outcome.saddle:
            assert 0.0 < end < a
            assert np.linalg.norm(outputs) < 1e-4 * np.linalg.norm(y)
        else:
            assert found.w is not None
            np.testing.assert_allclose(outputs, y, atol=1e-4)
    assert set(outcomes) == {Outcome.saddle, Outcome.converged}


def test_null_weights_give_the_minimum_norm_interpolator() -> None:
    rng = np.random.default_rng(9)
    X, y = random_data(rng)
    found = neuron_fit(np.array([-0.7]), np.zeros(X.shape[1]), X, y)
    assert found.w is not None
    assert relative(found.w, np.linalg.pinv(X) @ y) <= 1e-14
    assert "w(0) = 0" in names(found)
    assert isinstance(found.potential, NeuronPotential)
    np.testing.assert_array_equal(found.potential.linear, 0.0)


def test_null_scalar_is_not_the_minimum_norm_interpolator() -> None:
    rng = np.random.default_rng(10)
    X, y = random_data(rng, samples=2)
    w = random_unit(rng, X.shape[1])
    found = neuron_fit(np.zeros(1), 1.4 * w, X, y)
    assert found.w is not None
    assert relative(found.w, np.linalg.pinv(X) @ y) > 0.05
    assert "a(0) = 0" in names(found)
    almost = neuron_fit(np.zeros(1), 1e-6 * w, X, y)
    assert almost.w is not None
    assert relative(almost.w, np.linalg.pinv(X) @ y) < 1e-5


def test_rules_say_which_one_decided() -> None:
    X, y = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), np.array([1.0, 2.0])
    for a, w, words in [
        (2.0, [-1.0, -0.5, 5.0], "stays above"),
        (0.1, [0.5, 0.5, 1.0], "below that of phi = 0"),
        (0.1, [-0.9, 0.1, 1.0], "reduced flow"),
        (0.0, [1.0, 1.0, 1.0], "w(0).X^T y"),
    ]:
        assert words in names(neuron_fit(np.array([a]), np.array(w), X, y)), words


def test_data_that_nothing_fits_are_infeasible() -> None:
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = neuron_fit(np.ones(1), np.ones(2), X, np.array([1.0, 1.0, 3.0]))
    assert (found.outcome, found.w) == (Outcome.infeasible, None)


def test_dependent_samples_do_not_matter_to_the_claim() -> None:
    """A repeated sample weighs twice in the flow, and the limit still follows it."""
    rng = np.random.default_rng(11)
    X, y = random_data(rng, samples=3)
    X, y = np.vstack([X, X[:1], 2 * X[1:2], 0 * X[:1]]), np.concatenate([y, y[:1], 2 * y[1:2], [0.0]])
    a, w = np.array([-0.05]), 2.0 * random_unit(rng, X.shape[1])
    found = neuron_fit(a, w, X, y)
    assert found.w is not None
    independent = [0, 1, 2]
    end = _rest(a, w, X, y)
    assert relative(found.w, end) <= 1e-6
    np.testing.assert_allclose(X[independent] @ found.w, y[independent], atol=1e-13)


def _rest(a: np.ndarray, w: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    def slope(_: float, state: np.ndarray) -> np.ndarray:
        g = (y - state[0] * X @ state[1:]) @ X
        return np.append(state[1:] @ g, state[0] * g)

    end = solve_ivp(slope, (0.0, 200.0), np.append(a, w), method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    return np.asarray(end[0] * end[1:])


@pytest.mark.parametrize("power", [-6, 6])
def test_fits_hold_their_residual_when_y_is_rescaled(power: int) -> None:
    rng = np.random.default_rng(12)
    for _ in range(20):
        X, y = random_data(rng)
        y = y * 10.0**power
        size = 10.0 ** (power / 2)
        found = neuron_fit(_sizes(rng, 1) * size, _sizes(rng, 1) * size * random_unit(rng, X.shape[1]), X, y)
        assert found.outcome is Outcome.converged
        assert found.relative_residual is not None
        assert found.relative_residual <= 1e-12


def test_limit_follows_a_change_of_units_and_a_rotation() -> None:
    """phi u, y -> c^(k + 1) (phi u, y) for layers times c; w -> U w for X -> X U^T."""
    rng = np.random.default_rng(13)
    for k in (1, 2):
        X, y = random_data(rng, samples=3)
        a, w = _sizes(rng, k), 2.0 * random_unit(rng, X.shape[1])
        plain = neuron_fit(a, w, X, y)
        U = np.linalg.qr(rng.normal(size=(X.shape[1], X.shape[1])))[0]
        moved = neuron_fit(4.0 * a, 4.0 * U @ w, X @ U.T, 4.0 ** (k + 1) * y)
        assert plain.w is not None
        assert moved.w is not None
        assert relative(moved.w, 4.0 ** (k + 1) * U @ plain.w) <= 1e-12


extreme = st.floats(-50.0, 50.0)


@settings(deadline=None, max_examples=25)
@given(a=st.lists(extreme, min_size=1, max_size=3), size=extreme, seed=st.integers(0, 1000), y=st.floats(-6.0, 6.0))
def test_absurd_scales_end_in_an_outcome(a: list[float], size: float, seed: int, y: float) -> None:
    rng = np.random.default_rng(seed)
    X, target = random_data(rng)
    scalars = 10.0 ** np.array(a) * rng.choice([-1.0, 1.0], len(a))
    found = neuron_fit(scalars, 10.0**size * random_unit(rng, X.shape[1]), X, 10.0**y * target)
    if found.outcome is Outcome.converged:
        assert found.w is not None
        assert np.all(np.isfinite(found.w))
        assert found.relative_residual is not None
        assert found.relative_residual <= 1e-10
    else:
        assert found.reason or found.outcome is Outcome.stalled


def test_a_predictor_too_large_for_its_digits_is_stalled_not_converged() -> None:
    X, y = np.array([[1.0, 1.0, 1.0]]), np.array([1.0])
    found = neuron_fit(np.array([1e10]), np.array([1e10, 1.0, 0.3]), X, y)
    assert found.outcome is Outcome.stalled
    assert found.relative_residual is not None
    assert found.relative_residual > 1e-10
