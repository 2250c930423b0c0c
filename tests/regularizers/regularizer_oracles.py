"""Answers from outside the package: the flow of all parameters by SciPy, and formulas in 150-digit arithmetic."""

from __future__ import annotations

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

mpmath.mp.dps = 150  # Q is of second order near its minimum: the plain formula cancels 2 x 24 + 24 decades of them


def diagonal_flow(layers: np.ndarray, X: np.ndarray, y: np.ndarray, *, rtol: float = 1e-11) -> np.ndarray:
    """The limit of theta' = J^T (y - X w) for w = prod_l plus_l - prod_l minus_l, by Radau in all 2 L d parameters.

    Stops at a relative residual of 1e-13 of the integrated (not completed) flow.
    """
    shape = layers.shape
    scale = float(np.max(np.abs(layers)))

    def others(u: np.ndarray, skip: tuple[int, ...]) -> np.ndarray:
        return np.prod(np.delete(u, skip, axis=1), axis=1)

    def residual(theta: np.ndarray) -> np.ndarray:
        plus, minus = np.prod(theta.reshape(shape), axis=1)
        return y - X @ (plus - minus)

    def jacobian_rows(u: np.ndarray) -> np.ndarray:
        signs = np.array([1.0, -1.0])[:, None]
        return np.stack([others(u, (k,)) * signs for k in range(shape[1])], axis=1)

    def rhs(_: float, theta: np.ndarray) -> np.ndarray:
        u = theta.reshape(shape)
        return (jacobian_rows(u) * (X.T @ residual(theta))).ravel()

    def jac(_: float, theta: np.ndarray) -> np.ndarray:
        u = theta.reshape(shape)
        rows = jacobian_rows(u)
        J = np.concatenate([X * row for row in rows.reshape(-1, shape[2])], axis=1)
        total = -J.T @ J
        force = X.T @ residual(theta)
        for b, sign in enumerate((1.0, -1.0)):
            for k in range(shape[1]):
                for m in range(shape[1]):
                    if k != m:
                        i, j = (b * shape[1] + k) * shape[2], (b * shape[1] + m) * shape[2]
                        n = np.arange(shape[2])
                        total[i + n, j + n] += sign * others(u[b : b + 1], (k, m))[0] * force
        return total

    def fitted(_: float, theta: np.ndarray) -> float:
        return float(np.linalg.norm(residual(theta)) - 1e-13 * np.linalg.norm(y))

    fitted.terminal = True  # type: ignore[attr-defined]
    answer = solve_ivp(
        rhs, (0.0, 1e12), layers.ravel(), method="Radau", jac=jac, rtol=rtol, atol=rtol * 1e-3 * scale, events=fitted
    )
    assert answer.status == 1, answer.message
    plus, minus = np.prod(answer.y[:, -1].reshape(shape), axis=1)
    return plus - minus


def hyperbolic_value(x: float, c: float, w0: float = 0.0) -> mpmath.mpf:
    """(x (asinh(x/C) - asinh(w0/C)) - hypot(C, x) + hypot(C, w0))/2."""
    x, c, w0 = mpmath.mpf(x), mpmath.mpf(c), mpmath.mpf(w0)
    slope = mpmath.asinh(x / c) - mpmath.asinh(w0 / c)
    return (x * slope - mpmath.sqrt(c * c + x * x) + mpmath.sqrt(c * c + w0 * w0)) / 2


def hyperbolic_gradient(x: float, c: float, w0: float = 0.0) -> mpmath.mpf:
    """(asinh(x/C) - asinh(w0/C))/2."""
    c = mpmath.mpf(c)
    return (mpmath.asinh(mpmath.mpf(x) / c) - mpmath.asinh(mpmath.mpf(w0) / c)) / 2


def hyperbolic_inverse(r: float, c: float, w0: float = 0.0) -> mpmath.mpf:
    """C sinh(2 R + asinh(w0/C))."""
    c = mpmath.mpf(c)
    return c * mpmath.sinh(2 * mpmath.mpf(r) + mpmath.asinh(mpmath.mpf(w0) / c))


def relative_error(got: float, want: mpmath.mpf) -> float:
    """|got - want|/|want|, 0 where both are 0."""
    if want == 0:
        return 0.0 if got == 0 else float("inf")
    return float(abs((mpmath.mpf(float(got)) - want) / want))


def balanced_deep(x: float, alpha: float, depth: int) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """R, Q and dw/dR at w = x for all layers equal to alpha: w = alpha^L 2 cosh(v)^p sinh(p v), z = tanh v."""
    a, p = mpmath.mpf(alpha), mpmath.mpf(depth) / (depth - 2)
    target = abs(mpmath.mpf(x)) / a**depth
    v = mpmath.asinh(target / 2) / (2 * p) if target < 1 else mpmath.log(target * 2**p) / (2 * p)
    for _ in range(300):
        cosh, sinh = mpmath.cosh(v), mpmath.sinh(v)
        gap = 2 * cosh**p * mpmath.sinh(p * v) - target
        slope = 2 * p * cosh ** (p - 1) * (sinh * mpmath.sinh(p * v) + cosh * mpmath.cosh(p * v))
        new = v - gap / slope
        new = v / 2 if new <= 0 else new
        if abs(new - v) <= mpmath.mpf(10) ** -140 * v:
            break
        v = new
    z = mpmath.tanh(v)
    R = z / ((depth - 2) * a ** (depth - 2))
    rising, falling = (a * (1 + s * z) ** (-mpmath.mpf(1) / (depth - 2)) for s in (-1, 1))
    psi = (rising**2 + falling**2 - 2 * a**2) / 2
    speed = depth * (rising ** (2 * depth - 2) + falling ** (2 * depth - 2))
    return mpmath.sign(x) * R, R * abs(mpmath.mpf(x)) - psi, speed


def branch_pair(layers: np.ndarray, R: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """w, Q and dw/dR of one coordinate after the time R: 45-digit quadrature of ds = dz/prod sqrt(z^2 + c).

    **Shape**: layers (2, L).
    """
    with mpmath.workdps(45):
        w, psi, slope = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
        for layer, sign in zip(layers, (1, -1), strict=True):
            z0, z, others = _branch_after([mpmath.mpf(float(u)) for u in layer], sign * mpmath.mpf(R))
            u = [z, *others]
            w += sign * mpmath.fprod(u)
            psi += (z**2 - z0**2) / 2
            slope += sum(mpmath.fprod(u[:k] + u[k + 1 :]) ** 2 for k in range(len(u)))
        return w, mpmath.mpf(R) * w - psi, slope


def _branch_after(layer: list[mpmath.mpf], s: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf, list[mpmath.mpf]]:
    """The smallest layer before and after the time s, with the sign of the product, and the other magnitudes."""
    smallest, *others = sorted(layer, key=abs)
    z0 = abs(smallest) * mpmath.sign(mpmath.fprod(layer) or 1)
    c = [u**2 - smallest**2 for u in others]
    tied = c[0] == 0
    scale = abs(z0) if tied else mpmath.sqrt(c[0])
    side = mpmath.sign(z0)

    def z(tau: mpmath.mpf) -> mpmath.mpf:
        return side * scale * mpmath.exp(side * tau) if tied else scale * mpmath.sinh(tau)

    def time(tau: mpmath.mpf) -> mpmath.mpf:
        return 1 / mpmath.fprod(mpmath.sqrt(z(tau) ** 2 + v) for v in c[1:])

    start = mpmath.mpf(0) if tied else mpmath.asinh(z0 / scale)
    tau, left = start, s
    for _ in range(200):
        step = max(min(left / time(tau), mpmath.mpf(1)), mpmath.mpf(-1))
        left -= mpmath.quad(time, [tau, tau + step])
        tau += step
        if abs(step) <= mpmath.mpf(10) ** -40 * max(1, abs(tau)):
            break
    return z0, z(tau), [mpmath.sqrt(z(tau) ** 2 + v) for v in c]
