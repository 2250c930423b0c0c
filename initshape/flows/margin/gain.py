"""gamma = -ln L: the variable of a classification flow, with its first two derivatives by the margins."""

from __future__ import annotations

from typing import NamedTuple

from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.models import Array


class Gain(NamedTuple):
    """gamma (...), q = d gamma/dm (..., N) >= 0, and D (..., N) with Hessian -(diag D - q q^T).

    With the exponential loss q = D = softmax(-m).
    """

    gamma: Array
    weights: Array
    curvature: Array


def gain(loss: AbstractMarginLoss, m: Array, y: Array, samples: Array) -> Gain:
    """gamma of the margins m, exact in relative terms where every exp(-m) underflows, finite where one overflows.

    Padded samples (y = 0) are left out. **Shape**: m (..., N), y (N,); NumPy and JAX alike.
    """
    xp = m.__array_namespace__()
    terms = xp.where(y == 0.0, -xp.inf, loss.log_term(m))
    top = terms.max(-1)
    shares = xp.exp(terms - top[..., None])
    total = shares.sum(-1)
    weights = shares / total[..., None] * loss.decay(m)
    return Gain(xp.log(samples / total) - top, weights, weights * loss.curvature(m))
