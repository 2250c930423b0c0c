"""Iterative linear algebra of Radau against the factorised one: same systems, same flows."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flow_oracles import biased, distance, limit
from hypothesis import given, settings
from hypothesis import strategies as st

from initshape.flows import FlowSettings, integrate, integrators
from initshape.flows.integrators import integrator_for
from initshape.flows.krylov import ITERATIVE_FROM, Iterated
from initshape.flows.radau import Radau
from initshape.flows.shifted import Linearisation
from initshape.flows.woodbury import Factorised
from initshape.models import Diagonal


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), decades=st.integers(-8, 8))
def test_both_solve_the_shifted_systems(seed: int, decades: int) -> None:
    """Shifts from far below the smallest eigenvalue of K to far above the largest."""
    rng = np.random.default_rng(seed)
    model, samples = Diagonal(2, 24), 12
    # Magnitudes over three decades: outlying eigenvalues, as where some directions have been learned.
    theta = jnp.asarray(rng.normal(size=model.size) * 10.0 ** rng.uniform(-3, 0, size=model.size))
    X, b = jnp.asarray(rng.normal(size=(samples, 24))), jnp.asarray(rng.normal(size=(3, samples)))
    K = np.asarray(model.kernel(theta, X))
    real = 10.0**decades * np.trace(K) / samples**2
    cplx = complex(0.7 * real, -0.9 * real)
    for systems, tolerance in ((Factorised(), 1e-7), (Iterated(rank=4), 1e-5)):
        factors = systems.factor(systems.kernel(model, theta, X), jnp.float64(real), jnp.asarray(cplx), samples)
        at = Linearisation(theta, factors)
        matrix = [real * samples * np.eye(samples) + K, cplx * samples * np.eye(samples) + K]
        found = np.asarray(systems.solve_modes(model, X, at, b))
        for A, x, right in ((matrix[0], found[0], b[0]), (matrix[1], found[1] + 1j * found[2], b[1] + 1j * b[2])):
            assert np.linalg.norm(A @ x - right) <= tolerance * np.linalg.norm(right)
        alone = np.asarray(systems.solve_real(model, X, at, b[0]))
        assert np.linalg.norm(matrix[0] @ alone - b[0]) <= tolerance * np.linalg.norm(b[0])


def test_the_estimated_trace_is_of_the_right_size() -> None:
    rng = np.random.default_rng(1)
    model = Diagonal(2, 400)
    theta, X = jnp.asarray(rng.normal(size=model.size)), jnp.asarray(rng.normal(size=(120, 400)))
    systems = Iterated()
    assert float(systems.trace(systems.kernel(model, theta, X))) == pytest.approx(
        float(model.kernel_trace(np.asarray(theta), np.asarray(X))), rel=0.2
    )


def test_a_flow_with_iterated_systems_is_the_same_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, end and history: what the linear solver leaves out, Newton corrects."""
    case = biased(5, dimension=20, samples=6)
    plain = integrate(*case, FlowSettings(points=20))
    monkeypatch.setattr(integrators, "ITERATIVE_FROM", 1)
    monkeypatch.setattr(integrators, "Iterated", lambda: Iterated(rank=3))
    iterated = integrate(*case, FlowSettings(points=20))
    assert iterated.steps == pytest.approx(plain.steps, abs=2)
    w = case.model.predictor(iterated.theta)
    assert distance(w, limit(case, w)) <= 1e-9
    assert distance(w, case.model.predictor(plain.theta)) <= 1e-9


def test_the_number_of_samples_chooses() -> None:
    assert integrator_for("auto", ITERATIVE_FROM - 1) == Radau()
    assert integrator_for("radau", ITERATIVE_FROM) == Radau(Iterated())
    with pytest.raises(ValueError, match="unknown integrator"):
        integrator_for("euler", 1)
