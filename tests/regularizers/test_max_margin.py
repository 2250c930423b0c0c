"""Margin maximisers against enumeration, SciPy's optimisers, and the KKT conditions at hundreds of samples."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from max_margin_oracles import enumerate_active_sets
from scipy.optimize import linprog, minimize, nnls

from initshape.datasets import Dataset, build
from initshape.models import Diagonal, FullyConnected, SingleNeuron
from initshape.regularizers.base import AbstractPotential
from initshape.regularizers.deep import DeepPotential
from initshape.regularizers.directions import angle, direction_distance, misclassification, normalised_margin
from initshape.regularizers.hyperbolic import HyperbolicEntropy
from initshape.regularizers.max_margin import MaxMargin, solve
from initshape.regularizers.max_margin_entry import excess_value
from initshape.regularizers.max_margin_kkt import cone_residual
from initshape.regularizers.max_margin_path import multiplier_path
from initshape.regularizers.max_margin_registry import MARGIN_ENTRIES, fit_margin, margin_catalog
from initshape.regularizers.quadratic import QuadraticPotential
from initshape.spec.dataset import SeparableClassification
from initshape.spec.outcome import Exactness, Outcome


def random_data(seed: int, samples: int = 5, dimension: int = 8) -> Dataset:
    rng = np.random.default_rng(seed)
    return Dataset(X=rng.standard_normal((samples, dimension)), y=rng.choice([-1.0, 1.0], samples))


def separable(samples: int, dimension: int, margin: float = 0.1, seed: int = 1993) -> Dataset:
    spec = SeparableClassification(
        kind="separable_classification", samples=samples, dimension=dimension, margin=margin, seed=seed
    )
    return build(spec)


def rows_of(data: Dataset) -> Any:
    return data.y[:, None] * data.X


def hyperbolic(mu: float, dimension: int = 8) -> HyperbolicEntropy:
    return HyperbolicEntropy.unbiased(np.full(dimension, 2.0 * mu))


def miss(q: AbstractPotential, rows: Any, answer: MaxMargin) -> float:
    """KKT, worst of: stationarity by the answer's own multipliers, complementarity, margins, signs."""
    gradient, m = q.gradient(answer.w), rows @ answer.w
    assert np.all(answer.nu >= 0.0)
    stationarity = np.linalg.norm(gradient - rows.T @ answer.nu) / np.linalg.norm(gradient)
    slack = float(answer.nu @ np.abs(m - 1.0)) / float(np.sum(answer.nu))
    return max(float(stationarity), slack, float(np.max(1.0 - m)))


@pytest.mark.parametrize("mu", [1e-6, 1e-2, 0.3, 10.0])
def test_q_mu_is_the_minimiser_that_enumeration_finds(mu: float) -> None:
    for seed in range(6):
        rows = rows_of(random_data(seed, samples=2 + seed % 4))
        answer = solve(hyperbolic(mu).start(), rows, 1.0)
        w, nu = enumerate_active_sets(rows, lambda R: mu * np.sinh(2 * R), lambda R: 2 * mu * np.cosh(2 * R))
        assert answer.outcome is Outcome.converged
        np.testing.assert_allclose(answer.w, w, rtol=1e-8, atol=1e-8 * np.max(np.abs(w)))
        np.testing.assert_allclose(answer.nu, nu, rtol=1e-7, atol=1e-9 * np.max(nu))


@pytest.mark.parametrize(("samples", "dimension"), [(200, 50), (250, 200), (100, 1000)])
@pytest.mark.parametrize("kind", ["1e-12", "1e-3", "1", "1e6", "deep 3", "deep 6", "l2"])
def test_kkt_at_hundreds_of_samples(samples: int, dimension: int, kind: str) -> None:
    """N below, near and above d; from nearly l1 to nearly l2; no enumeration, so seconds at most."""
    rows = rows_of(separable(samples, dimension))
    if kind == "l2":
        q: AbstractPotential = QuadraticPotential(w0=np.zeros(dimension), metric=np.ones(dimension))
    elif kind.startswith("deep"):
        depth = int(kind[-1])
        q = DeepPotential.of(np.full((2, depth, dimension), 0.1))
    else:
        q = hyperbolic(float(kind), dimension)
    started = time.perf_counter()
    answer = solve(q.start(), rows, 1.0)
    assert time.perf_counter() - started < 30.0
    assert answer.outcome is Outcome.converged
    assert miss(q, rows, answer) < 1e-12


def test_tiny_layers_of_a_deep_network() -> None:
    """Where the central path is too steep to follow, active sets are carried up from lower levels."""
    q = DeepPotential.of(np.full((2, 6, 30), 1e-3))
    rows = rows_of(separable(60, 30))
    answer = solve(q.start(), rows, 1.0)
    assert answer.outcome is Outcome.converged
    assert miss(q, rows, answer) < 1e-12


@pytest.mark.parametrize("samples", [4, 40])
def test_biased_start_with_wrong_margins(samples: int) -> None:
    """w(0) != 0: the level lies between negative margins of w(0) and 1; also levels below 0."""
    data = separable(samples, 20)
    rng = np.random.default_rng(1)
    for scale in (1e-2, 1.0):
        layers = scale * rng.standard_normal((2, 2, 20))
        theta = layers.reshape(-1)
        found = fit_margin("implicit", data, Diagonal(2, 20), theta, 100.0)
        assert found.outcome is Outcome.converged
        assert found.kkt_residual is not None
        assert found.kkt_residual < 1e-12
        assert isinstance(found.potential, AbstractPotential)
        rows = rows_of(data)
        least = float(np.min(rows @ found.potential.start().w))
        assert least < 0.0
        below = solve(found.potential.start(), rows, 0.5 * least)
        assert below.outcome is Outcome.converged
        assert np.min(rows @ below.w) == pytest.approx(0.5 * least, rel=1e-9)


def test_l2_is_the_support_vector_machine() -> None:
    """Against nonnegative least squares on the dual and SLSQP on the primal."""
    for data in (random_data(0), separable(40, 10), separable(12, 30)):
        rows = rows_of(data)
        found = fit_margin("l2", data, Diagonal(2, data.dimension), np.ones(4 * data.dimension), 10.0)
        # min ||rows^T nu||^2/2 - sum nu is the nonnegative least-squares problem of [rows^T; c 1] nu = [0; c] in nu/s
        weight = 1e4
        extended = np.vstack([rows.T, weight * np.ones(len(rows))])
        nu, _ = nnls(extended, np.r_[np.zeros(data.dimension), weight], maxiter=10_000)
        assert found.w is not None
        assert found.exactness is Exactness.baseline
        assert angle(found.w, rows.T @ nu) < 1e-6
        primal = minimize(
            lambda w: 0.5 * w @ w,
            found.w + 0.01,
            jac=lambda w: w,
            constraints={"type": "ineq", "fun": lambda w, rows=rows: rows @ w - 1.0, "jac": lambda w, rows=rows: rows},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found.value == pytest.approx(primal.fun, rel=1e-7)
        assert found.kkt_residual is not None
        assert found.kkt_residual < 1e-12


@pytest.mark.parametrize(("samples", "dimension"), [(5, 8), (40, 10), (100, 300), (200, 60)])
def test_l1_reaches_the_dual_bound(samples: int, dimension: int) -> None:
    """max sum nu s.t. ||rows^T nu||_inf <= 1, nu >= 0, by the interior-point code: the same value, from below."""
    data = separable(samples, dimension)
    rows = rows_of(data)
    found = fit_margin("l1", data, Diagonal(2, dimension), np.ones(4 * dimension), 10.0)
    dual = linprog(
        -np.ones(samples), A_ub=np.vstack([rows.T, -rows.T]), b_ub=np.ones(2 * dimension), method="highs-ipm"
    )
    assert found.outcome is Outcome.converged
    assert found.w is not None
    assert found.value == pytest.approx(-dual.fun, rel=1e-8)
    assert np.min(rows @ found.w) == pytest.approx(1.0, rel=1e-11)
    assert found.kkt_residual is not None
    assert found.kkt_residual < 1e-12
    assert np.count_nonzero(found.w) <= samples


def test_q_mu_joins_l1_and_l2() -> None:
    data = random_data(3)
    model, theta = Diagonal(2, 8), np.ones(32)
    l1, l2 = (fit_margin(name, data, model, theta, 10.0).w for name in ("l1", "l2"))
    assert l1 is not None
    assert l2 is not None
    rows = rows_of(data)
    towards_l1 = [angle(solve(hyperbolic(mu).start(), rows, 1.0).w, l1) for mu in (1e-2, 1e-8, 1e-30)]
    towards_l2 = [angle(solve(hyperbolic(mu).start(), rows, 1.0).w, l2) for mu in (1.0, 1e2, 1e4)]
    assert towards_l1[0] > towards_l1[1] > towards_l1[2]
    assert towards_l1[2] < 0.05
    assert towards_l2[0] > towards_l2[1] > towards_l2[2]
    assert towards_l2[2] < 1e-6


def test_kernel_of_diagonal_and_fully_connected_networks() -> None:
    """Against SLSQP in the metric M0^-1, with M0 from the rows of the Jacobian of w."""
    data = random_data(4, samples=4, dimension=6)
    rng = np.random.default_rng(0)
    for model in (Diagonal(2, 6), Diagonal(3, 6), FullyConnected(3, 4, 6), FullyConnected(2, 5, 6)):
        theta = rng.standard_normal(model.size)
        jacobian = np.array([model.vjp(theta, np.eye(6), e) for e in np.eye(6)])
        inverse, rows = np.linalg.inv(jacobian @ jacobian.T), rows_of(data)
        found = fit_margin("kernel", data, model, theta, 10.0)
        assert found.w is not None
        primal = minimize(
            lambda w, inverse=inverse: 0.5 * w @ inverse @ w,
            found.w * 1.01,
            jac=lambda w, inverse=inverse: inverse @ w,
            constraints={"type": "ineq", "fun": lambda w, rows=rows: rows @ w - 1.0, "jac": lambda w, rows=rows: rows},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        assert found.value == pytest.approx(primal.fun, rel=1e-7)
        assert angle(found.w, primal.x) < 1e-3
        assert found.kkt_residual is not None
        assert found.kkt_residual < 1e-10


def test_multipliers_fall_or_not() -> None:
    """The path against enumeration on every level: the same multipliers, hence the same verdict."""
    verdicts = []
    mu = 0.1
    for seed in (0, 2):
        rows = rows_of(random_data(seed))
        start = hyperbolic(mu).start()
        path = multiplier_path(start, rows, solve(start, rows, 1.0))
        assert path.complete
        assert path.levels[-1] == 1.0
        assert np.all(np.diff(path.levels) > 0.0)
        for k in range(0, len(path.levels), 7):
            _, nu = enumerate_active_sets(
                rows, lambda R: mu * np.sinh(2 * R), lambda R: 2 * mu * np.cosh(2 * R), float(path.levels[k])
            )
            np.testing.assert_allclose(path.multipliers[k], nu, rtol=1e-6, atol=1e-8 * np.max(nu))
        falls = np.max(path.multipliers[:-1] - path.multipliers[1:]) > 1e-9 * np.max(path.multipliers)
        if falls:
            assert not path.nondecreasing
        condition = path.condition
        assert condition.holds == (path.largest_fall <= 1e-9)
        assert condition.value == path.largest_fall
        verdicts.append(path.nondecreasing)
    assert True in verdicts
    assert False in verdicts


def test_slopes_of_the_path_by_differences() -> None:
    rows = rows_of(random_data(1, samples=4))
    start = hyperbolic(0.5).start()
    path = multiplier_path(start, rows, solve(start, rows, 1.0))
    for level, slope in zip(path.levels[-6:], path.slopes[-6:], strict=True):
        high, low = (solve(start, rows, level * (1.0 + h)).nu for h in (1e-6, -1e-6))
        if np.array_equal(high > 0.0, low > 0.0):
            np.testing.assert_allclose((high - low) / (2e-6 * level), slope, rtol=1e-4, atol=1e-5 * np.max(slope))


def test_what_the_implicit_prediction_says_of_itself() -> None:
    data = random_data(2)
    model = Diagonal(2, 8)
    found = fit_margin("implicit", data, model, np.full(32, np.sqrt(50.0)), 1e3)
    values = {condition.name: condition for condition in found.conditions}
    assert found.exactness is Exactness.limit
    assert values["mu = A/gamma, largest coordinate"].value == pytest.approx(0.1, rel=1e-12)
    assert values["unbiased initialization"].holds
    assert any("never fall" in name for name in values)
    assert found.theorem is not None
    assert "Moroshko" in found.theorem
    assert found.relative_residual is None
    assert found.w is not None
    assert excess_value(found, 3.0 * found.w, data) == pytest.approx(0.0, abs=1e-12)
    l2 = fit_margin("l2", data, model, np.ones(32), 1e3).w
    assert l2 is not None
    assert excess_value(found, l2, data) > 0.0
    deep = fit_margin("implicit", data, Diagonal(4, 8), np.full(64, 1.5), 1e3)
    assert deep.outcome is Outcome.converged
    assert deep.exactness is Exactness.limit
    assert deep.theorem is not None
    assert "derived" in deep.theorem
    assert fit_margin("implicit", data, model, np.ones(32), -0.1).outcome is Outcome.none_known


def test_fully_connected_networks() -> None:
    """Strictly balanced: KKT in Q. Other weights: l2, as gamma -> infinity. Other activations: none."""
    data = random_data(2)
    rng = np.random.default_rng(0)
    directions = [v / np.linalg.norm(v) for v in (rng.standard_normal(8), rng.standard_normal(3))]
    for depth in (2, 3):
        model = FullyConnected(depth, 3, 8)
        inner = [np.outer(directions[1], directions[1])] * (depth - 2)
        layers = [np.outer(directions[1], directions[0]), *inner, directions[1][None, :]]
        theta = 2.0 * np.concatenate([layer.ravel() for layer in layers])
        found = fit_margin("implicit", data, model, theta, 100.0)
        assert found.outcome is Outcome.converged
        assert found.exactness is Exactness.limit
        assert [c.holds for c in found.conditions if c.name == "strictly balanced"] == [True]
        assert found.kkt_residual is not None
        assert found.kkt_residual < 1e-12
        late = fit_margin("implicit", data, model, theta, 1e12)
        l2 = fit_margin("l2", data, model, theta, 1e12)
        assert late.w is not None
        assert l2.w is not None
        assert angle(late.w, l2.w) < 1e-3
        other = fit_margin("implicit", data, model, rng.standard_normal(model.size), 100.0)
        assert other.exactness is Exactness.limit
        assert other.w is not None
        np.testing.assert_array_equal(other.w, l2.w)
        assert [c.holds for c in other.conditions if c.name == "strictly balanced"] == [False]
    bent = FullyConnected(2, 3, 8, "relu")
    for name in ("implicit", "kernel"):
        none = fit_margin(name, data, bent, rng.standard_normal(bent.size), 100.0)
        assert (none.outcome, none.exactness, none.w) == (Outcome.none_known, Exactness.none, None)
        assert none.reason


def test_classes_that_overlap_are_infeasible() -> None:
    data = random_data(0)
    both = Dataset(X=np.vstack([data.X, data.X[:1]]), y=np.r_[data.y, -data.y[:1]])
    network = FullyConnected(2, 3, 8)
    for model in (Diagonal(2, 8), Diagonal(3, 8), network):
        theta = np.full(model.size, 0.5)
        for name in ("implicit", "l1", "l2", "kernel"):
            found = fit_margin(name, both, model, theta, 10.0)
            assert found.outcome is Outcome.infeasible
            assert found.w is None
            assert found.reason
    one_signed = np.full((2, 2, 8), 0.5)
    one_signed[0, 0] = -0.5
    one_signed[1] = 0.0  # w = u+ v+ with u+ = -v+ stays negative
    against = Dataset(X=np.abs(data.X), y=np.ones(5))
    assert fit_margin("implicit", against, Diagonal(2, 8), one_signed.reshape(-1), 10.0).outcome is Outcome.infeasible
    along = Dataset(X=-np.abs(data.X), y=np.ones(5))
    found = fit_margin("implicit", along, Diagonal(2, 8), one_signed.reshape(-1), 10.0)
    assert found.outcome is Outcome.converged
    assert found.w is not None
    assert np.all(found.w < 0.0)


def test_names_and_catalog() -> None:
    data = random_data(0)
    with pytest.raises(ValueError, match="no regularizer"):
        fit_margin("l3", data, Diagonal(2, 8), np.ones(32), 10.0)
    neuron = fit_margin("implicit", data, SingleNeuron(1, 8), np.ones(9), 10.0)
    assert neuron.outcome is Outcome.none_known
    catalog = margin_catalog()
    assert [entry["name"] for entry in catalog] == [entry.name for entry in MARGIN_ENTRIES]
    assert all(entry["latex"] and entry["conditions"] and entry["citations"] for entry in catalog)


def test_directions() -> None:
    v = np.array([3.0, 4.0])
    assert direction_distance(1e200 * v, 1e-200 * v) == 0.0
    assert angle(v, -2.0 * v) == pytest.approx(np.pi, rel=1e-15)
    assert angle(v, np.array([-4.0, 3.0])) == pytest.approx(np.pi / 2, rel=1e-15)
    tiny = angle(np.array([1.0, 0.0]), np.array([1.0, 1e-12]))
    assert tiny == pytest.approx(1e-12, rel=1e-9)
    assert np.isnan(angle(v, np.zeros(2)))
    data = Dataset(X=np.eye(2), y=np.array([1.0, -1.0]), X_test=np.eye(2), y_test=np.array([1.0, 1.0]))
    assert normalised_margin(np.array([3.0, -4.0]), data) == pytest.approx(0.6, rel=1e-15)
    assert misclassification(np.array([3.0, -4.0]), data) == 0.5


@pytest.mark.parametrize("excess", [0.0, 1e-9, 1e-3, 0.5])
def test_kkt_residual_of_one_sample_in_closed_form(excess: float) -> None:
    """w = (1 + excess) x/||x||^2: least sqrt((1 - t)^2 + t^2 s^2) = s/sqrt(1 + s^2), s = excess/(1 + excess)."""
    x = np.array([[3.0, -4.0, 12.0]])
    q = QuadraticPotential(w0=np.zeros(3), metric=np.ones(3))
    s = excess / (1.0 + excess)
    found = cone_residual(q, (1.0 + excess) * x[0] / 169.0, x)
    assert found == pytest.approx(s / np.hypot(1.0, s), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("name", ["l1", "l2", "implicit"])
def test_kkt_residual_falls_with_the_distance_from_the_minimiser(name: str) -> None:
    """A trained w has no margin of exactly 1: its residual must still tell how near it is."""
    data = separable(40, 30, seed=3)
    theta = np.full(4 * 30, 0.1)
    found = fit_margin(name, data, Diagonal(2, 30), theta, gamma=1e3)
    assert found.w is not None
    assert found.potential is not None
    noise = np.random.default_rng(0).standard_normal(30) * found.w  # relative: grad Q moves by no more than that
    residuals = []
    for size in (1e-2, 1e-4, 1e-6):
        w = found.w + size * noise
        residuals.append(cone_residual(found.potential, w / np.min(rows_of(data) @ w), rows_of(data)) / size)
    assert max(residuals) <= 10.0
    assert min(residuals) >= 1e-3
    assert residuals[2] == pytest.approx(residuals[1], rel=0.3)
