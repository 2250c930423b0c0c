"""Problems and independent answers for tests of flows: scipy's Radau on all parameters, and the dual in 40 digits."""

from __future__ import annotations

from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

from initshape.models import Diagonal


class FlowCase(NamedTuple):
    """A network, its first parameters and data."""

    model: Diagonal
    theta: Any
    X: Any
    y: Any


def biased(seed: int, dimension: int = 8, samples: int = 3, depth: int = 2, scale: float = 0.3) -> FlowCase:
    """All layers different and signed, so w(0) != 0; random data."""
    rng = np.random.default_rng(seed)
    model = Diagonal(depth, dimension)
    X = rng.normal(size=(samples, dimension))
    return FlowCase(model, scale * rng.normal(size=model.size), X, X @ rng.normal(size=dimension))


def simulated(case: FlowCase, times: list[float]) -> Any:
    """States at `times` by scipy's Radau with finite-difference Jacobian, rtol 1e-11. **Shape**: (len(times), P)."""
    layers_of = case.theta.reshape(2, case.model.depth, -1)

    def velocity(_: float, theta: Any) -> Any:
        layers = theta.reshape(layers_of.shape)
        w = layers[0].prod(0) - layers[1].prod(0)
        gradient = case.X.T @ (case.y - case.X @ w) / len(case.y)
        # Leave-one-out products written out the slow way: no code is shared with the model.
        others = [[np.delete(branch, k, axis=0).prod(0) for k in range(len(branch))] for branch in layers]
        return np.concatenate([np.array(others[0]) * gradient, -np.array(others[1]) * gradient]).reshape(-1)

    answer = solve_ivp(velocity, (0.0, max(times)), case.theta, method="Radau", t_eval=times, rtol=1e-11, atol=1e-13)
    assert answer.success
    return answer.y.T


def limit(case: FlowCase, guess: Any) -> Any:
    """The interpolator w = C sinh(2 (X^T nu + phi)) of a biased depth-2 network, by root finding in 40 digits.

    The dual is strictly convex, so the root does not depend on `guess` (a predictor, from which nu starts).
    """
    (u, v), (p, q) = case.theta.reshape(2, 2, -1)
    plus, minus = ((u + v) ** 2 + (p - q) ** 2) / 2, ((u - v) ** 2 + (p + q) ** 2) / 2
    with mpmath.workdps(40):
        C = [mpmath.sqrt(mpmath.mpf(a)) * mpmath.sqrt(mpmath.mpf(b)) for a, b in zip(plus, minus, strict=True)]
        phi = [(mpmath.log(a) - mpmath.log(b)) / 4 for a, b in zip(plus, minus, strict=True)]
        X = [[mpmath.mpf(float(x)) for x in row] for row in case.X]

        def predictor(nu: Any) -> list[Any]:
            columns = zip(*X, strict=True)
            R = [mpmath.fsum(x * n for x, n in zip(column, nu, strict=True)) for column in columns]
            return [c * mpmath.sinh(2 * (r + f)) for c, r, f in zip(C, R, phi, strict=True)]

        def misfit(*nu: Any) -> list[Any]:
            w = predictor(nu)
            return [mpmath.fdot(row, w) - mpmath.mpf(float(b)) for row, b in zip(X, case.y, strict=True)]

        R0 = [float(mpmath.asinh(a / c) / 2 - f) for a, c, f in zip(guess, C, phi, strict=True)]
        nu0 = np.linalg.lstsq(case.X.T, np.array(R0), rcond=None)[0]
        nu = mpmath.findroot(misfit, [float(n) for n in nu0], tol=mpmath.mpf(10) ** -30, maxsteps=60)
        return np.array([float(w) for w in predictor(list(nu))])


def distance(w: Any, target: Any) -> float:
    """||w - target|| / ||target||."""
    return float(np.linalg.norm(w - target) / np.linalg.norm(target))
