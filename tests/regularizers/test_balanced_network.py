"""Fully connected networks: limits against the simulated flow of the matrices where a theorem holds, none where not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from network_oracles import chain, matrix_flow, neuron_matrices, random_data, random_unit, relative

from initshape.datasets import Dataset
from initshape.models import FullyConnected, SingleNeuron
from initshape.regularizers import BalancedPotential, Fit, NeuronPotential, QuadraticPotential, evaluate_kkt, fit
from initshape.regularizers.aligned_layers import aligned
from initshape.spec.outcome import Exactness, Outcome

Matrices = list[np.ndarray]


def network_fit(layers: Matrices, X: np.ndarray, y: np.ndarray, activation: str = "identity") -> Fit:
    model = FullyConnected(len(layers), layers[0].shape[0], X.shape[1], activation)
    return fit("implicit", Dataset(X=X, y=y), model, np.concatenate([W.ravel() for W in layers]))


def rank_one(rng: np.random.Generator, sizes: np.ndarray, width: int, d: int) -> Matrices:
    """W_l = s_l u_{l+1} u_l^T with random unit vectors."""
    units = [random_unit(rng, d), *(random_unit(rng, width) for _ in sizes[1:]), np.ones(1)]
    return [s * np.outer(up, down) for s, (down, up) in zip(sizes, pairwise(units), strict=True)]


def agrees_with_the_flow(found: Fit, layers: Matrices, X: np.ndarray, y: np.ndarray) -> None:
    assert (found.outcome, found.exactness) == (Outcome.converged, Exactness.exact), found.reason
    assert found.w is not None
    assert found.potential is not None
    assert found.relative_residual is not None
    assert found.kkt_residual is not None
    assert relative(found.w, chain(matrix_flow(layers, X, y))) <= 1e-9
    assert found.relative_residual <= 1e-13
    assert found.kkt_residual <= 1e-11
    assert found.value == found.potential.value(found.w)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_strictly_balanced_networks_end_where_the_flow_does(depth: int) -> None:
    rng = np.random.default_rng(depth)
    for k in range(8):
        X, y = random_data(rng)
        layers = rank_one(rng, np.full(depth, rng.uniform(0.3, 1.5)), width=(3, 5)[k % 2], d=X.shape[1])
        found = network_fit(layers, X, y)
        agrees_with_the_flow(found, layers, X, y)
        assert isinstance(found.potential, BalancedPotential)
        assert found.conditions[0].name == "strictly balanced"
        assert all(c.holds for c in found.conditions)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_aligned_layers_of_any_sizes_train_as_one_neuron(depth: int) -> None:
    rng = np.random.default_rng(10 + depth)
    for _ in range(8):
        X, y = random_data(rng)
        layers = rank_one(rng, 10.0 ** rng.uniform(-0.7, 0.3, depth), width=4, d=X.shape[1])
        found = network_fit(layers, X, y)
        agrees_with_the_flow(found, layers, X, y)
        assert isinstance(found.potential, NeuronPotential)


def test_neurons_in_proportion_are_aligned() -> None:
    """(a_i, w_i) = c_i (a, w): clones, sign-flipped clones, and neurons of different sizes."""
    rng = np.random.default_rng(20)
    for shares in ([1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [0.2, -1.0, 2.0], [0.0, 1.0, 0.0]):
        X, y = random_data(rng)
        c = np.array(shares)
        layers = [np.outer(c, 0.8 * random_unit(rng, X.shape[1])), 0.3 * c[None, :]]
        agrees_with_the_flow(network_fit(layers, X, y), layers, X, y)


@pytest.mark.parametrize("zero", ["first", "last"])
def test_a_zero_layer_leaves_two_layers_aligned(zero: str) -> None:
    rng = np.random.default_rng(21)
    X, y = random_data(rng, samples=3)
    first, last = np.outer(rng.normal(size=4), random_unit(rng, X.shape[1])), rng.normal(size=(1, 4))
    layers = [np.zeros_like(first), last] if zero == "first" else [first, np.zeros_like(last)]
    found = network_fit(layers, X, y)
    agrees_with_the_flow(found, layers, X, y)
    if zero == "first":
        assert found.w is not None
        assert relative(found.w, np.linalg.pinv(X) @ y) <= 1e-13


@pytest.mark.parametrize("depth", [2, 3])
def test_rows_in_the_span_of_the_data_give_the_minimum_norm_interpolator(depth: int) -> None:
    rng = np.random.default_rng(22 + depth)
    for _ in range(4):
        X, y = random_data(rng)
        width = 3
        layers = [0.5 * rng.normal(size=(width, len(y))) @ X]
        layers += [0.5 * rng.normal(size=(width, width)) for _ in range(depth - 2)]
        layers += [0.5 * rng.normal(size=(1, width))]
        found = network_fit(layers, X, y)
        agrees_with_the_flow(found, layers, X, y)
        if len(y) > 1:
            assert isinstance(found.potential, QuadraticPotential)


@pytest.mark.parametrize("depth", [2, 3])
def test_width_one_is_the_single_neuron(depth: int) -> None:
    rng = np.random.default_rng(30 + depth)
    flips = 0
    for _ in range(10):
        X, y = random_data(rng)
        a = np.append(0.05, np.full(depth - 2, 0.7)) * rng.choice([-1.0, 1.0], depth - 1)
        w = 2.0 * random_unit(rng, X.shape[1])
        found = network_fit(neuron_matrices(a.tolist(), w), X, y)
        neuron = fit("implicit", Dataset(X=X, y=y), SingleNeuron(depth - 1, len(w)), np.concatenate([a, w]))
        assert (found.outcome, found.theorem) == (neuron.outcome, neuron.theorem)
        assert found.w is not None
        np.testing.assert_array_equal(found.w, neuron.w)
        flips += any("changes sign" in c.name for c in found.conditions)
    assert flips >= 2


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_other_networks_are_told_that_none_is_known(depth: int) -> None:
    """With how far they are from each condition; the balanced formula is wrong by percents there."""
    rng = np.random.default_rng(40 + depth)
    wrong = []
    for _ in range(4):
        X, y = random_data(rng, samples=3)
        width, d = 3, X.shape[1]
        shapes = [(width, d), *[(width, width)] * (depth - 2), (1, width)]
        layers = [0.6 * rng.normal(size=shape) for shape in shapes]
        found = network_fit(layers, X, y)
        assert (found.outcome, found.exactness) == (Outcome.none_known, Exactness.none)
        assert (found.w, found.value, found.potential, found.theorem) == (None, None, None, None)
        assert found.reason
        assert {c.name: c.holds for c in found.conditions} == {
            "strictly balanced": False,
            "layers aligned, of rank one": False,
            "rows of the first layer in the span of the data": False,
        }
        assert all(isinstance(c.value, float) and 0.01 < c.value <= 1.0 for c in found.conditions)
        start = chain(layers)
        first = np.linalg.norm(start) ** (1 / depth - 1) * start
        end = chain(matrix_flow(layers, X, y))
        wrong.append(evaluate_kkt(BalancedPotential(depth=depth, first=first), end, X))
    assert max(wrong) > 0.05


@pytest.mark.parametrize("size", [1e-13, 1e-9])
def test_balance_is_strict_up_to_rounding(size: float) -> None:
    rng = np.random.default_rng(50)
    X, y = random_data(rng, samples=2)
    layers = rank_one(rng, np.full(3, 0.7), width=3, d=X.shape[1])
    layers[1] = layers[1] + size * rng.normal(size=(3, 3)) / 3.0
    assert network_fit(layers, X, y).outcome is (Outcome.converged if size < 1e-12 else Outcome.none_known)


def test_zero_networks_rest_at_a_saddle() -> None:
    rng = np.random.default_rng(51)
    X, y = random_data(rng)
    for depth in (2, 4):
        found = network_fit(rank_one(rng, np.zeros(depth), 3, X.shape[1]), X, y)
        assert (found.outcome, found.w) == (Outcome.saddle, None)
        assert "zero" in (found.reason or "")


def test_balanced_weights_along_one_sample_against_its_label_end_at_the_origin() -> None:
    """w stays on the line of x and may not pass through zero: the one case in which balance is no protection."""
    rng = np.random.default_rng(52)
    x = np.array([[1.0, 2.0, -1.0]])
    units = [x[0] / np.sqrt(6.0), random_unit(rng, 3), random_unit(rng, 3), np.ones(1)]
    layers = [0.5 * np.outer(up, down) for down, up in pairwise(units)]
    assert network_fit(layers, x, np.array([-1.0])).outcome is Outcome.saddle
    assert network_fit(layers, x, np.array([1.0])).outcome is Outcome.converged


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_networks_that_are_not_linear_have_no_regularizer(activation: str) -> None:
    rng = np.random.default_rng(53)
    X, y = random_data(rng)
    found = network_fit(rank_one(rng, np.ones(2), 3, X.shape[1]), X, y, activation)
    assert (found.outcome, found.exactness, found.w) == (Outcome.none_known, Exactness.none, None)
    assert activation in (found.reason or "")


def test_data_that_nothing_fits_are_infeasible() -> None:
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = np.array([1.0, 1.0, 3.0])
    rng = np.random.default_rng(54)
    balanced = rank_one(rng, np.full(3, 0.5), 3, 2)
    spanned = [rng.normal(size=(3, 2)), rng.normal(size=(1, 3))]
    for layers in (balanced, spanned):
        found = network_fit(layers, X, y)
        assert (found.outcome, found.w) == (Outcome.infeasible, None)


def test_aligned_form_reproduces_the_layers() -> None:
    rng = np.random.default_rng(55)
    sizes = np.array([0.4, 2.0, 1e-6, 3.0])
    layers = rank_one(rng, sizes, 4, 6)
    form = aligned(layers)
    assert form.deviation <= 1e-15
    np.testing.assert_allclose(form.scalars, sizes[1:], rtol=1e-14)
    np.testing.assert_allclose(np.prod(form.scalars) * form.weights, chain(layers), rtol=1e-13)
    assert aligned(rank_one(rng, np.full(5, 0.3), 4, 6)).spread <= 1e-15
