"""Limits alone: against the fits, against full flows, and the parameters against what the flow conserves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.datasets import Dataset
from initshape.dual import limit
from initshape.flows import FlowSettings, integrate
from initshape.models import AbstractModel, Diagonal, FullyConnected, SingleNeuron, initialize
from initshape.regularizers import fit
from initshape.spec.init import ScaleShape
from initshape.spec.model import FullyConnected as FullyConnectedSpec
from initshape.spec.outcome import Outcome
from initshape.training.settings import FlowSolution


def data(rng: np.random.Generator, dimension: int = 8, samples: int = 3) -> Dataset:
    X = rng.normal(size=(samples, dimension))
    return Dataset(X=X, y=X @ rng.normal(size=dimension))


def checked(model: AbstractModel, theta: np.ndarray, dataset: Dataset) -> FlowSolution:
    """The limit: w is the fit's, theta gives w, conserves what is conserved, and fits y."""
    found, answer = limit(model, theta, dataset, relative_residual=1e-10), fit("implicit", dataset, model, theta)
    assert found.outcome is answer.outcome is Outcome.converged
    assert (found.time, found.steps, found.invariant_drift, found.completion) == (None, None, None, None)
    assert not found.independent
    size = np.linalg.norm(answer.w)
    assert np.linalg.norm(found.w - answer.w) <= 1e-14 * size
    assert np.linalg.norm(model.predictor(found.theta) - found.w) <= 1e-11 * size
    scale = np.maximum(model.invariant_scale(theta), model.invariant_scale(found.theta))
    drift = np.abs(model.invariants(found.theta) - model.invariants(theta)) / np.where(scale > 0.0, scale, 1.0)
    assert drift.max() < 1e-11
    residual = np.linalg.norm(dataset.X @ found.w - dataset.y)
    assert found.relative_residual == pytest.approx(residual / np.linalg.norm(dataset.y), abs=1e-15)
    assert found.train_loss == pytest.approx(residual**2 / (2 * len(dataset.y)), abs=1e-25)
    return found


def agrees_with_the_flow(model: AbstractModel, theta: np.ndarray, dataset: Dataset) -> None:
    """All parameters, not only w, against the simulation."""
    end = integrate(model, theta, dataset.X, dataset.y, FlowSettings(rtol=1e-11, points=2))
    assert end.outcome is Outcome.converged
    np.testing.assert_allclose(checked(model, theta, dataset).theta, end.theta, rtol=0, atol=1e-8)


@settings(deadline=None, max_examples=25)
@given(depth=st.integers(2, 6), scale=st.floats(-3.0, 0.3), seed=st.integers(0, 2**31))
def test_diagonal_networks(depth: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = Diagonal(depth, 8)
    checked(model, 10.0 ** (scale / depth) * rng.uniform(0.5, 1.5, size=model.size), data(rng))


@pytest.mark.parametrize("depth", [2, 3])
def test_parameters_of_a_diagonal_network_are_those_that_the_flow_ends_with(depth: int) -> None:
    rng = np.random.default_rng(depth)
    agrees_with_the_flow(Diagonal(depth, 8), 0.5 * rng.normal(size=16 * depth), data(rng))


@settings(deadline=None, max_examples=25)
@given(scalars=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_single_neurons(scalars: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = SingleNeuron(scalars, 8)
    theta = rng.choice([-1.0, 1.0], size=model.size) * rng.uniform(0.2, 1.5, size=model.size)
    dataset = data(rng)
    if fit("implicit", dataset, model, theta).outcome is Outcome.converged:
        checked(model, theta, dataset)


def test_a_neuron_whose_scalar_changes_sign() -> None:
    """a(0) = 0.05, ||w(0)|| = 2 against the data: the sign at the end, and every parameter, are those of the flow."""
    flipped = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        model, dataset = SingleNeuron(1, 8), data(rng)
        w = rng.normal(size=8)
        theta = np.append(0.05, 2.0 * w / np.linalg.norm(w))
        agrees_with_the_flow(model, theta, dataset)
        flipped += limit(model, theta, dataset, relative_residual=1e-10).theta[0] < 0.0
    assert flipped


@pytest.mark.parametrize(("depth", "width"), [(2, 3), (3, 1), (4, 3)])
def test_balanced_networks(depth: int, width: int) -> None:
    rng = np.random.default_rng(depth)
    init = ScaleShape(kind="scale_shape", scale=0.3, shape=0.0, balanced=True, seed=1)
    spec = FullyConnectedSpec(kind="fully_connected", depth=depth, width=width)
    model, theta = initialize(spec, init, 8)
    agrees_with_the_flow(model, theta, data(rng))


def test_no_theory_no_limit() -> None:
    rng = np.random.default_rng(0)
    model = FullyConnected(2, 3, 8)
    found = limit(model, rng.normal(size=model.size), data(rng), relative_residual=1e-10)
    assert (found.outcome, found.theta, found.w, found.relative_residual) == (Outcome.none_known, None, None, None)
    assert "no closed form" in found.notes[0]


def test_rows_in_the_span_of_the_data_have_a_limit_of_w_alone() -> None:
    rng = np.random.default_rng(0)
    model, dataset = FullyConnected(2, 3, 8), data(rng)
    theta = np.concatenate([(rng.normal(size=(3, 3)) @ dataset.X).reshape(-1), rng.normal(size=3)])
    assert fit("implicit", dataset, model, theta).outcome is Outcome.converged
    found = limit(model, theta, dataset, relative_residual=1e-10)
    assert (found.outcome, found.theta) == (Outcome.none_known, None)


def test_what_no_weights_fit_is_infeasible() -> None:
    rng = np.random.default_rng(0)
    model, dataset = Diagonal(2, 8), data(rng)
    theta = np.full((2, 2, 8), 0.3)
    theta[:, :, 2:] = 0.0
    found = limit(model, theta.reshape(-1), dataset, relative_residual=1e-10)
    assert (found.outcome, found.theta) == (Outcome.infeasible, None)
