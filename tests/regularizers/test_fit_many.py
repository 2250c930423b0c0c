"""Many fits together are the same fits: whatever the order, the depth, the bias, and whoever fails in between."""

from __future__ import annotations

import numpy as np
import pytest

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.models.initialization import scale_shape_layers
from initshape.regularizers import Fit, Neighbours, fit, fit_many
from initshape.regularizers.base import Array
from initshape.spec.outcome import Outcome

D, N = 24, 6


def data(seed: int = 0, condition: float = 1.0) -> Dataset:
    """Gaussian rows, stretched so that the singular values of X spread over `condition`."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, D))
    left, values, right = np.linalg.svd(X, full_matrices=False)
    X = (left * (values * np.logspace(0.0, -np.log10(condition), N))) @ right
    return Dataset(X=X, y=X @ (rng.standard_normal(D) * (rng.random(D) < 0.3)) + X @ rng.standard_normal(D) * 0.1)


def grid(depth: int, scales: Array, shapes: Array) -> list[Array]:
    """Unbiased, one scale and shape for all coordinates."""
    branches = [scale_shape_layers(float(a), float(s), depth, D) for a in scales for s in shapes]
    return [np.concatenate([branch, branch]).reshape(-1) for branch in branches]


def assert_same(name: str, dataset: Dataset, model: AbstractModel, thetas: list[Array]) -> list[Fit]:
    together = fit_many(name, dataset, model, thetas)
    for theta, one in zip(thetas, together, strict=True):
        alone = fit(name, dataset, model, theta)
        assert (one.outcome, one.exactness, one.theorem, one.reason) == (
            alone.outcome, alone.exactness, alone.theorem, alone.reason,
        )  # fmt: skip
        assert one.conditions == alone.conditions
        if alone.w is None:
            assert one.w is None
            continue
        assert one.w is not None
        assert np.linalg.norm(one.w - alone.w) <= 1e-10 * np.linalg.norm(alone.w)
        assert one.value == pytest.approx(alone.value, rel=1e-10, abs=1e-10)
        assert one.kkt_residual == pytest.approx(alone.kkt_residual, rel=1e-10, abs=1e-10)
        assert one.relative_residual == pytest.approx(alone.relative_residual, rel=1e-10, abs=1e-10)
    return together


@pytest.mark.parametrize("seed", range(3))
def test_two_layers_over_eight_decades(seed: int) -> None:
    rng = np.random.default_rng(seed)
    thetas = grid(2, np.logspace(-6, 2, 30), np.array([-0.9, 0.0, 0.7]))
    thetas = [thetas[k] for k in rng.permutation(len(thetas))]
    together = assert_same("implicit", data(seed), Diagonal(2, D), thetas)
    assert {one.outcome for one in together} == {Outcome.converged}
    assert np.mean([one.iterations for one in together]) < 2.5


@pytest.mark.parametrize("depth", [3, 4, 5, 6])
def test_deep_networks(depth: int) -> None:
    assert_same("implicit", data(depth), Diagonal(depth, D), grid(depth, np.logspace(-4, 0.5, 6), np.array([0.0, 0.6])))


@pytest.mark.parametrize("condition", [1e3, 1e6, 1e11])
def test_data_that_are_nearly_dependent(condition: float) -> None:
    """Up to singular values that drop out as rounding."""
    assert_same("implicit", data(5, condition), Diagonal(2, D), grid(2, np.logspace(-4, 1, 12), np.array([0.3])))


@pytest.mark.parametrize("depth", [2, 3])
def test_biased_starts_of_every_size(depth: int) -> None:
    """All layers different, and one such profile scaled: a family of its own; others in between."""
    rng = np.random.default_rng(depth)
    profile = rng.uniform(0.2, 2.0, 2 * depth * D) * rng.choice([-1.0, 1.0], 2 * depth * D)
    thetas = [profile * size for size in np.logspace(-2, 0.5, 10)]
    thetas += [rng.standard_normal(2 * depth * D) * 10.0 ** rng.uniform(-2, 0.5) for _ in range(6)]
    together = assert_same("implicit", data(7), Diagonal(depth, D), thetas)
    assert {one.outcome for one in together} == {Outcome.converged}


def test_frozen_and_one_signed_coordinates_and_cells_that_cannot_fit() -> None:
    """A cell without an answer stands among others that have one."""
    rng = np.random.default_rng(3)
    thetas = grid(2, np.logspace(-3, 1, 8), np.array([0.5]))
    one_signed = rng.uniform(0.1, 1.0, (2, 2, D))
    one_signed[1, :, : D // 2] = 0.0
    one_signed[0, 1, : D // 2] = one_signed[0, 0, : D // 2]
    frozen = rng.uniform(0.1, 1.0, (2, 2, D))
    frozen[:, :, 0] = 0.0
    stuck = np.zeros((2, 2, D))
    stuck[0, :, 0] = stuck[1, :, 0] = 1.0
    thetas[2:2] = [one_signed.reshape(-1), stuck.reshape(-1), frozen.reshape(-1)]
    together = assert_same("implicit", data(2), Diagonal(2, D), thetas)
    assert [one.outcome for one in together].count(Outcome.infeasible) >= 1


@pytest.mark.parametrize("name", ["l1", "l2", "kernel"])
def test_baselines(name: str) -> None:
    assert_same(name, data(1), Diagonal(2, D), grid(2, np.logspace(-3, 1, 4), np.array([0.5])))


@pytest.mark.parametrize("lie", [0.0, 1.0, -1e3, 1e300, np.nan])
@pytest.mark.parametrize("depth", [2, 3])
def test_a_wrong_guess_does_no_harm(lie: float, depth: int) -> None:
    class Liar(Neighbours):
        def guess(self, dataset: Dataset, potential: object) -> Array:
            return np.full(N, lie)

    (theta,) = grid(depth, np.array([1e-2]), np.array([0.5]))
    alone, misled = (fit("implicit", data(), Diagonal(depth, D), theta, near) for near in (None, Liar()))
    assert alone.w is not None
    assert misled.w is not None
    assert misled.outcome is Outcome.converged
    assert np.linalg.norm(misled.w - alone.w) <= 1e-10 * np.linalg.norm(alone.w)


def test_data_sets_do_not_mix() -> None:
    near = Neighbours()
    thetas = grid(2, np.logspace(-3, 0, 5), np.array([0.5]))
    for seed in (0, 1, 0):
        for theta in thetas:
            one = fit("implicit", data(seed), Diagonal(2, D), theta, near)
            alone = fit("implicit", data(seed), Diagonal(2, D), theta)
            assert one.w is not None
            assert np.linalg.norm(one.w - alone.w) <= 1e-10 * np.linalg.norm(alone.w)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_random_grids_for_long(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    depth = int(rng.integers(2, 7))
    scales = 10.0 ** rng.uniform(-5 if depth < 4 else -3, 1.5, 12)
    thetas = grid(depth, scales, rng.uniform(-0.9, 0.9, 2))
    assert_same("implicit", data(seed, float(10.0 ** rng.uniform(0, 4))), Diagonal(depth, D), thetas)
