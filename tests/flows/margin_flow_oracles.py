"""Answers from outside the package for classification flows: SciPy's Radau on the dual variable lambda, not theta."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import logsumexp


class DualPoint(NamedTuple):
    """w, lambda and tau where the flow reaches a given gamma."""

    w: Any
    multipliers: Any
    tau: float


def log_terms(m: Any, loss: str) -> Any:
    """ln of each sample's loss, by the plain formulas (logistic: where they hold)."""
    if loss == "exponential":
        return -m
    with np.errstate(divide="ignore"):
        return np.where(m > 30.0, -m, np.log(np.logaddexp(0.0, -m)))


def gamma_of(m: Any, loss: str = "exponential") -> float:
    """-ln L."""
    return float(np.log(len(m)) - logsumexp(log_terms(m, loss)))


def mirror_map(depth: int, scale: float) -> tuple[Any, Any]:
    """w(R) and dw/dR of the balanced diagonal network with product `scale` of each branch's layers at the start.

    Depth 2: w = 2 scale sinh 2R (A = 2 scale). Depth L: w = scale ((1 - z)^-p - (1 + z)^-p), z = (L - 2)
    alpha^(L - 2) R, p = L/(L - 2), alpha = scale^(1/L).
    """
    if depth == 2:
        A = 2.0 * scale
        return (lambda R: A * np.sinh(2.0 * R)), (lambda R: 2.0 * A * np.cosh(2.0 * R))
    alpha, p = scale ** (1.0 / depth), depth / (depth - 2.0)
    rate = (depth - 2) * alpha ** (depth - 2)
    return (
        lambda R: scale * ((1.0 - rate * R) ** -p - (1.0 + rate * R) ** -p),
        lambda R: scale * p * rate * ((1.0 - rate * R) ** (-p - 1.0) + (1.0 + rate * R) ** (-p - 1.0)),
    )


def dual_flow(rows: Any, depth: int, scale: float, gamma: float, loss: str = "exponential") -> DualPoint:
    """d lambda/d tau = q = d gamma/dm from lambda = 0, with w(R) at R = rows^T lambda; lambda(tau) at a given gamma.

    The last stretch, from the last step before gamma, is d lambda/d gamma = q / (q^T K q), K = rows diag(w'(R))
    rows^T: gamma is the variable there, so that it is hit exactly and no event has to be found.
    """
    w_of, slope_of = mirror_map(depth, scale)

    def margins(state: Any) -> Any:
        return rows @ w_of(rows.T @ state[:-1])

    def weights(m: Any) -> tuple[Any, Any]:
        """q and D with d q/dm = -(diag D - q q^T)."""
        terms = log_terms(m, loss)
        q = np.exp(terms - logsumexp(terms))
        if loss == "exponential":
            return q, q
        x = np.exp(-np.abs(m))
        sigma = np.where(m > 0.0, x, 1.0) / (1.0 + x)
        near = np.minimum(m, 30.0)
        q = q * np.where(m > 30.0, 1.0, sigma / np.logaddexp(0.0, -near))
        return q, q * (1.0 - sigma)

    def kernel(state: Any) -> Any:
        return (rows * slope_of(rows.T @ state[:-1])) @ rows.T

    def along_tau(_: float, state: Any) -> Any:
        return np.append(weights(margins(state))[0], 1.0)

    def jacobian(_: float, state: Any) -> Any:
        q, D = weights(margins(state))
        found = np.zeros((len(state), len(state)))
        found[:-1, :-1] = -(np.diag(D) - np.outer(q, q)) @ kernel(state)
        return found

    def along_gamma(_: float, state: Any) -> Any:
        q, _ = weights(margins(state))
        return np.append(q, 1.0) / float(q @ kernel(state) @ q)

    def reached(_: float, state: Any) -> float:
        return gamma_of(margins(state), loss) - gamma

    reached.terminal = True  # type: ignore[attr-defined]
    tolerances = {"method": "Radau", "rtol": 1e-11, "atol": 1e-14}
    start = np.zeros(len(rows) + 1)
    first = solve_ivp(along_tau, (0.0, 1e6), start, jac=jacobian, events=reached, **tolerances)
    assert first.status == 1
    before = first.y[:, -2]
    last = solve_ivp(along_gamma, (gamma_of(margins(before), loss), gamma), before, **tolerances)
    assert last.success
    end = last.y[:, -1]
    return DualPoint(w_of(rows.T @ end[:-1]), end[:-1], float(end[-1]))
