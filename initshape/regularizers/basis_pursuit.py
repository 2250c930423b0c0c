"""min ||w||_1 s.t. rows w = target: a linear program, then its basis solved exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.linear_program import Optimum, minimum

Mask = NDArray[np.bool_]
WHOLE, START = 400_000, 4
"""Entries of X up to which the whole program is solved; beyond, it starts from this many columns a sample."""
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
    within its tolerance, the vertex is then exact, and its certificate is verified on every column.

    **Source**: Chen, Donoho and Saunders 1998 (formulation); Huangfu and Hall 2018 (HiGHS).
    """
    rows, size = constraints.rows, float(np.max(np.abs(constraints.target), initial=0.0))
    d = rows.shape[1]
    if size == 0.0:
        zero = np.zeros(d)
        return BasisPursuit(zero, zero, margin=1.0, unique=True, polished=True, iterations=0)
    target = constraints.target / size
    answer = _minimum(rows, target) if rows.size <= WHOLE else _by_columns(rows, target)
    if answer is None:
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


def _minimum(rows: Array, target: Array) -> Optimum | None:
    """min sum w+ + sum w- s.t. rows (w+ - w-) = target, w+, w- >= 0."""
    d = rows.shape[1]
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
            return answer
    return None


def _by_columns(rows: Array, target: Array) -> Optimum | None:
    """The same optimum from few columns: those whose certificate exceeds 1 join until none does.

    Starts from the largest entries of the least-norm interpolator. A program that its columns cannot satisfy gets
    twice as many.
    """
    samples, d = rows.shape
    order = np.argsort(-np.abs(np.linalg.lstsq(rows, target)[0]), kind="stable")
    chosen = np.sort(order[: START * samples])
    iterations = 0
    while True:
        answer = _minimum(rows[:, chosen], target)
        if answer is None:
            if len(chosen) == d:
                return None
            chosen = np.union1d(chosen, order[: 2 * len(chosen)])
            continue
        iterations += answer.iterations
        price = np.abs(answer.multipliers @ rows)
        price[chosen] = 0.0
        worst = np.argsort(-price, kind="stable")[:samples]
        joining = worst[price[worst] > 1.0 + _STRICT]
        if len(joining) == 0:
            x = np.zeros(2 * d)
            x[chosen], x[d + chosen] = np.split(answer.x, 2)
            return replace(answer, x=x, iterations=iterations)
        chosen = np.union1d(chosen, joining)


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
    return max(margin, 1.0 - _smallest_maximum(columns, others, signs, least), 0.0)


def _smallest_maximum(columns: Array, others: Array, signs: Array, guess: Array) -> float:
    """min ||nu others||_inf s.t. nu columns = signs; others join as they exceed it. Infinite where HiGHS fails."""
    n, m = others.shape
    order = np.argsort(-np.abs(guess @ others), kind="stable")
    chosen = order if others.size <= WHOLE else order[: START * n]
    while True:
        some, bound = others[:, chosen], -np.ones((len(chosen), 1))
        answer = minimum(
            np.r_[np.zeros(n), 1.0],
            A_ub=np.block([[some.T, bound], [-some.T, bound]]),
            b_ub=np.zeros(2 * len(chosen)),
            A_eq=np.c_[columns.T, np.zeros(columns.shape[1])],
            b_eq=signs,
            bounds=np.r_[np.tile([-np.inf, np.inf], (n, 1)), [[0.0, np.inf]]],
        )
        if answer is None:
            return np.inf
        size = np.abs(answer.x[:n] @ others)
        size[chosen] = 0.0
        worst = np.argsort(-size, kind="stable")[:n]
        joining = worst[size[worst] > answer.value + _STRICT]
        if len(chosen) == m or len(joining) == 0:
            return answer.value
        chosen = np.union1d(chosen, joining)
