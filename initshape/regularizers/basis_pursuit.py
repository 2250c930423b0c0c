"""min ||w||_1 s.t. rows w = target: a linear program, then its basis solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.linear_program import minimum

Mask = NDArray[np.bool_]
_POLISHED = 1e-12
_STRICT = 1e-9
"""Distance below 1 of the certificate off the support that rounding cannot produce."""


@dataclass(frozen=True, eq=False)
class BasisPursuit:
    """A vertex solution and its proof.

    `certificate` s = rows^T nu equals sign(w) on the support and is at most 1 in size elsewhere; `margin` is how far
    below 1 some certificate stays off the support. `unique` where it is positive and the support is independent.
    `polished` says that the constraints, the signs and the certificate were verified to rounding.

    **Shape**: `w`, `certificate` (d,).
    """

    w: Array
    certificate: Array
    margin: float
    unique: bool
    polished: bool
    iterations: int


def solve(constraints: Constraints) -> BasisPursuit | None:
    """A minimum l1 norm interpolator; None where the linear program is not solved.

    w = w+ - w-, both nonnegative, by HiGHS' dual simplex, then its support by least squares: the library's answer is
    within its tolerance, the vertex is then exact.

    **Source**: Chen, Donoho and Saunders 1998 (formulation); Huangfu and Hall 2018 (HiGHS).
    """
    rows, size = constraints.rows, float(np.max(np.abs(constraints.target), initial=0.0))
    d = rows.shape[1]
    if size == 0.0:
        zero = np.zeros(d)
        return BasisPursuit(zero, zero, margin=1.0, unique=True, polished=True, iterations=0)
    target = constraints.target / size
    for presolve in (False, True):  # presolve takes longer than the dense problem itself
        answer = minimum(
            np.ones(2 * d),
            A_eq=np.hstack([rows, -rows]),
            b_eq=target,
            bounds=np.tile([0.0, np.inf], (2 * d, 1)),
            method="highs-ds",
            presolve=presolve,
        )
        if answer is not None:
            break
    else:
        return None
    w, nu = answer.x[:d] - answer.x[d:], answer.multipliers
    for threshold in (1e-9, 0.0):
        support = np.abs(w) > threshold * np.max(np.abs(w))
        polished = _polish(rows, target, w, support, nu)
        if polished is not None:
            exact, certificate = polished
            margin = _margin(rows, support, exact, certificate)
            return BasisPursuit(
                exact * size, certificate, margin, unique=margin > _STRICT, polished=True, iterations=answer.iterations
            )
    return BasisPursuit(w * size, nu @ rows, margin=0.0, unique=False, polished=False, iterations=answer.iterations)


def _polish(rows: Array, target: Array, w: Array, support: Mask, nu: Array) -> tuple[Array, Array] | None:
    """The vertex on the support and the nearest certificate to rows^T nu; None unless both verify."""
    columns = rows[:, support]
    if columns.shape[1] > columns.shape[0]:
        return None
    exact = np.zeros_like(w)
    inverse = np.linalg.pinv(columns)
    part = inverse @ target
    part += inverse @ (target - columns @ part)
    exact[support] = part
    signs = np.sign(part)
    for _ in range(2):
        nu = nu + (signs - nu @ columns) @ inverse
    certificate = nu @ rows
    certificate[support] = signs
    if np.any(signs != np.sign(w[support])) or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None
    if np.linalg.norm(rows @ exact - target) > _POLISHED * np.linalg.norm(target):
        return None
    if np.max(np.abs(nu @ columns - signs)) > _POLISHED or np.max(np.abs(certificate)) > 1.0 + _POLISHED:
        return None
    return exact, certificate


def _margin(rows: Array, support: Mask, w: Array, certificate: Array) -> float:
    """1 - the smallest possible maximum of a certificate off the support; any positive lower bound of it will do.

    At a vertex with as many entries as constraints the certificate is the only one. Else the least-norm one is tried
    (Fuchs 2004), and a second linear program where that is not strictly feasible.
    """
    if np.all(support):
        return 1.0
    columns, others = rows[:, support], rows[:, ~support]
    margin = 1.0 - float(np.max(np.abs(certificate[~support])))
    if margin > _STRICT or columns.shape[1] == columns.shape[0]:
        return max(margin, 0.0)
    signs = np.sign(w[support])
    least = signs @ np.linalg.pinv(columns)
    margin = max(margin, 1.0 - float(np.max(np.abs(least @ others))))
    if margin > _STRICT:
        return margin
    n, m = rows.shape[0], others.shape[1]
    bound = -np.ones((m, 1))
    answer = minimum(
        np.r_[np.zeros(n), 1.0],
        A_ub=np.block([[others.T, bound], [-others.T, bound]]),
        b_ub=np.zeros(2 * m),
        A_eq=np.c_[columns.T, np.zeros(columns.shape[1])],
        b_eq=signs,
        bounds=np.r_[np.tile([-np.inf, np.inf], (n, 1)), [[0.0, np.inf]]],
    )
    return max(margin, 0.0) if answer is None else max(margin, 1.0 - answer.value, 0.0)
