"""The implicit regularizer of the two-layer diagonal network, for every initialization."""

from __future__ import annotations

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers.base import AbstractPotential, Array
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, Fit, fit_potential
from initshape.regularizers.hyperbolic import HyperbolicEntropy
from initshape.regularizers.neighbours import Neighbours
from initshape.regularizers.one_sided import OneSidedEntropy
from initshape.regularizers.references import AZULAY_2021, WOODWORTH_2020
from initshape.regularizers.separable import Indices, SeparablePotential
from initshape.spec.outcome import Exactness
from initshape.spec.result import Condition

UNBIASED = "Azulay et al. 2021, Theorem 4.1"
BIASED = "Azulay et al. 2021, Theorem 4.1, extended here to w(0) != 0 by the same Legendre argument"


def potential(u_plus: Array, v_plus: Array, u_minus: Array, v_minus: Array) -> AbstractPotential:
    """Q of w = u+ v+ - u- v- from its initial factors.

    w(R) = (p e^{2R} - m e^{-2R})/2 with p = A + B, m = A - B, A = (u+^2 + v+^2 + u-^2 + v-^2)/2, B = w(0). Both are
    sums of squares, so C = sqrt(p m) and phi = (ln p - ln m)/4 hold their digits also where A is close to |B|. A
    coordinate with m = 0 or p = 0 keeps its sign; with both zero it is frozen at 0.

    **Shape**: each (d,).
    """
    factors = np.stack([u_plus, v_plus, u_minus, v_minus])
    exponents = np.frexp(np.max(np.abs(factors), axis=0))[1]
    size = np.ldexp(1.0, exponents)  # a power of two: products of tiny factors stay in range, and no digit changes
    a, b, c, d = factors / size
    root_plus, root_minus = np.hypot(a + b, c - d) / np.sqrt(2.0), np.hypot(a - b, c + d) / np.sqrt(2.0)
    two, one = (root_plus > 0.0) & (root_minus > 0.0), (root_plus > 0.0) != (root_minus > 0.0)
    parts: list[tuple[Indices, AbstractPotential]] = []
    if np.any(two):
        q = _two_sided(root_plus[two], root_minus[two], (a * b - c * d)[two], size[two])
        parts.append((np.flatnonzero(two), q))
    if np.any(one):
        sign = np.where(root_plus > 0.0, 1.0, -1.0)[one]
        log_size = 2.0 * np.log((root_plus + root_minus)[one] * size[one]) - np.log(2.0)
        parts.append((np.flatnonzero(one), OneSidedEntropy(sign=sign, log_size=log_size)))
    if len(parts) == 1 and parts[0][0].size == size.size:
        return parts[0][1]
    return SeparablePotential(dimension=size.size, parts=tuple(parts))


def _two_sided(root_plus: Array, root_minus: Array, bias: Array, size: Array) -> HyperbolicEntropy:
    """C and phi from sqrt(p) and sqrt(m); everything but `size` in units of `size`, `bias` in its square."""
    mean = 0.5 * (root_plus**2 + root_minus**2)
    # atanh(B/A) = (ln p - ln m)/2 without the cancellation of two nearly equal logarithms
    small = np.abs(bias) < 0.5 * mean
    even = 0.5 * np.arctanh(np.where(small, bias, 0.0) / mean)
    phi = np.where(small, even, 0.5 * (np.log(root_plus) - np.log(root_minus)))
    with np.errstate(over="ignore", under="ignore"):
        c = (root_plus * size) * (root_minus * size)
        log_c = np.log(root_plus) + np.log(root_minus) + 2.0 * np.log(size)
        return HyperbolicEntropy(c=c, log_c=log_c, phi=phi, w0=bias * size * size)


def fit(dataset: Dataset, model: Diagonal, theta0: Array, neighbours: Neighbours | None = None) -> Fit:
    """The limit of gradient flow from theta0, by theory: argmin Q(w) s.t. X w = y."""
    (u_plus, v_plus), (u_minus, v_minus) = _factors(model, theta0)
    q = potential(u_plus, v_plus, u_minus, v_minus)
    bias = float(np.max(np.abs(u_plus * v_plus - u_minus * v_minus)))
    lower, upper = q.domain()
    claim = Claim(
        exactness=Exactness.exact,
        theorem=UNBIASED if bias == 0.0 else BIASED,
        conditions=_conditions(bias, lower, upper),
        citations=ENTRY.citations,
    )
    return fit_potential(ENTRY.name, q, dataset, claim, neighbours)


def closed_form(model: Diagonal, theta0: Array) -> ClosedForm:
    """Q from theta0; the data do not enter."""
    (u_plus, v_plus), (u_minus, v_minus) = _factors(model, theta0)
    return ClosedForm(potential(u_plus, v_plus, u_minus, v_minus))


def _factors(model: Diagonal, theta0: Array) -> Array:
    return np.asarray(theta0).reshape(2, 2, model.dimension)


def _conditions(bias: float, lower: Array, upper: Array) -> tuple[Condition, ...]:
    frozen = int(np.sum(lower == upper))
    one_signed = int(np.sum((lower == 0.0) != (upper == 0.0)))
    first = (
        Condition(name="unbiased initialization", holds=True, value=bias)
        if bias == 0.0
        else Condition(name="w(0) != 0 enters Q as a linear term", holds=True, value=bias)
    )
    rest = [] if frozen or one_signed else [Condition(name="every coordinate active", holds=True, value=0)]
    if frozen:
        rest.append(Condition(name="frozen coordinates stay at zero and leave the problem", holds=True, value=frozen))
    if one_signed:
        rest.append(Condition(name="one-signed coordinates keep their sign", holds=True, value=one_signed))
    return (first, *rest)


def _applies(model: AbstractModel) -> bool:
    return isinstance(model, Diagonal) and model.depth == 2


ENTRY = Entry(
    name="implicit",
    title="Hyperbolic entropy of the two-layer diagonal network",
    models="diagonal, depth 2",
    latex=HyperbolicEntropy.latex,
    exactness=Exactness.exact,
    conditions=(
        "gradient flow on the squared loss that reaches zero training error",
        "any scale and shape, one per coordinate or common; w(0) = 0 is Theorem 4.1, w(0) != 0 adds the linear term",
        "coordinates whose branches cannot move keep their sign, or stay at zero",
    ),
    citations=(AZULAY_2021, WOODWORTH_2020),
    applies=_applies,
    fit=fit,
    fit_among=fit,
    closed_form=closed_form,
)
