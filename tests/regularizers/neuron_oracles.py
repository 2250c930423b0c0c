"""The flow of two-layer networks of many neurons by SciPy's Radau, written without the package."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def neuron_flow(
    W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, *, rtol: float = 1e-9
) -> tuple[np.ndarray, np.ndarray]:
    """W and a at the end of a_i' = w_i.X^T r, w_i' = a_i X^T r: to a relative residual of 1e-8, then Gauss-Newton."""
    m, d = W.shape

    def residual(theta: np.ndarray) -> np.ndarray:
        return y - X @ (theta[m * d :] @ theta[: m * d].reshape(m, d))

    def jacobian(theta: np.ndarray) -> np.ndarray:
        first = (theta[m * d :, None, None] * X).transpose(1, 0, 2).reshape(len(y), m * d)
        return np.hstack([first, X @ theta[: m * d].reshape(m, d).T])

    def fitted(_: float, theta: np.ndarray) -> float:
        return float(np.linalg.norm(residual(theta)) - 1e-8 * np.linalg.norm(y))

    fitted.terminal = True  # type: ignore[attr-defined]
    theta = np.concatenate([W.ravel(), a])
    found = solve_ivp(
        lambda _, theta: jacobian(theta).T @ residual(theta),
        (0.0, 1e12),
        theta,
        method="Radau",
        jac=lambda _, theta: -jacobian(theta).T @ jacobian(theta),
        rtol=rtol,
        atol=1e-3 * rtol * np.max(np.abs(theta)),
        events=fitted,
    )
    assert found.status == 1, found.message
    theta = found.y[:, -1]
    for _ in range(2):
        J = jacobian(theta)
        theta = theta + J.T @ np.linalg.solve(J @ J.T, residual(theta))
    return theta[: m * d].reshape(m, d), theta[m * d :]
