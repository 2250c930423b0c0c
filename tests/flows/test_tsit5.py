"""Tsitouras' method: its coefficients by the order conditions, stiff flows, kinks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flow_oracles import biased

from initshape.flows import FlowSettings, integrate
from initshape.flows.tsitouras import ERROR, INTERPOLANT, STAGES
from initshape.models import FullyConnected
from initshape.spec.outcome import Outcome

A = np.array([[*row, *[0.0] * (7 - len(row))] for row in ((), *STAGES)])
C = A.sum(axis=1)
ONE = np.ones(7)
TREES = {
    1: [(ONE, 1)],
    2: [(C, 2)],
    3: [(C**2, 3), (A @ C, 6)],
    4: [(C**3, 4), (C * (A @ C), 8), (A @ C**2, 12), (A @ A @ C, 24)],
    5: [
        (C**4, 5), (C**2 * (A @ C), 10), ((A @ C) ** 2, 20), (C * (A @ C**2), 15), (A @ C**3, 20),
        (C * (A @ A @ C), 30), (A @ (C * (A @ C)), 40), (A @ A @ C**2, 60), (A @ A @ A @ C, 120),
    ],
}  # fmt: skip
"""Elementary weights of the rooted trees of each order, and their densities."""


@pytest.mark.parametrize("order", TREES)
def test_order_conditions(order: int) -> None:
    """The step to order 5, the embedded formula and the interpolant to order 4: Butcher's conditions, to rounding."""
    for weights, density in TREES[order]:
        assert A[6] @ weights == pytest.approx(1.0 / density, abs=1e-13)
        if order <= 4:
            assert ERROR @ weights == pytest.approx(0.0, abs=1e-13)
            for x in (0.1, 0.5, 1.0):
                b = INTERPOLANT @ x ** np.arange(1.0, 5.0)
                assert b @ weights == pytest.approx(x**order / density, abs=1e-13)


def test_the_embedded_formula_sees_order_five() -> None:
    assert max(abs(ERROR @ weights) for weights, _ in TREES[5]) > 1e-4


def test_nodes_are_those_published() -> None:
    np.testing.assert_allclose(C, [0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0], atol=1e-14)


def test_a_stiff_flow_ends_with_advice() -> None:
    """Relaxation rates 16 decades apart: no explicit method gets to the end, and the outcome says what does."""
    model, theta, X, y = biased(0)
    X = X * np.array([1e4, 1.0, 1e-4])[:, None]
    y = y * np.array([1e4, 1.0, 1e-4])
    settings = FlowSettings(points=20, max_steps=300, relative_residual=1e-12, completion=False)
    found = integrate(model, theta, X, y, replace(settings, integrator="tsit5"))
    assert found.outcome is Outcome.reached_max_steps
    assert "radau" in (found.outcome.advice or "")
    stiff = integrate(model, theta, X, y, replace(settings, max_time=found.time))
    assert (stiff.outcome, stiff.time) == (Outcome.reached_max_time, found.time)


def test_kinks_are_followed_as_by_radau() -> None:
    """A ReLU network whose units cross their kinks, and are held there, on the way."""
    rng = np.random.default_rng(0)
    model = FullyConnected(depth=2, width=4, dimension=3, activation="relu")
    theta, X = rng.normal(size=model.size), rng.normal(size=(6, 3))
    y = rng.normal(size=6)
    settings = FlowSettings(rtol=1e-9, max_time=20.0, completion=False, points=20)
    radau, tsit5 = (integrate(model, theta, X, y, replace(settings, integrator=name)) for name in ("radau", "tsit5"))
    assert radau.effort["kinks"] > 10
    assert tsit5.effort["kinks"] == radau.effort["kinks"]
    np.testing.assert_allclose(tsit5.theta, radau.theta, rtol=0, atol=1e-8)
    np.testing.assert_allclose(tsit5.trajectory["train_loss"], radau.trajectory["train_loss"], rtol=1e-7)
