"""Statistics of states along a classification flow."""

from __future__ import annotations

from typing import NamedTuple

from initshape.flows.margin.gain import gain
from initshape.flows.margin.state import MarginProblem
from initshape.flows.margin_loss import AbstractMarginLoss
from initshape.models import AbstractModel, Array


class MarginRows(NamedTuple):
    """One row a state: scalars (B,), chosen coordinates of w (B, C), distances of unit vectors (B, K)."""

    gamma: Array
    margin: Array
    invariant_drift: Array
    w: Array
    distances: Array


def observe(model: AbstractModel, loss: AbstractMarginLoss, problem: MarginProblem, theta: Array) -> MarginRows:
    """Statistics of the states theta (B, P); the same code for NumPy and JAX arrays.

    `margin` is min_n m_n / ||w||, `distances` are || w/||w|| - target ||; at w = 0 they are 0 and 1. The invariant
    drift is relative to the size of an invariant's terms, now or at the start, whichever is larger.
    """
    m = problem.y * model.outputs(theta, problem.X)
    xp = m.__array_namespace__()
    # A network that is not linear has no predictor, hence no coordinates and no distances: zeros stand for them.
    w = model.predictor(theta) if model.linear else xp.zeros((len(theta), model.dimension))
    norm = (w * w).sum(-1) ** 0.5
    size = xp.where(norm > 0.0, norm, 1.0)
    scale = xp.maximum(model.invariant_scale(theta), problem.invariant_scale)
    drift = abs(model.invariants(theta) - problem.invariants) / xp.where(scale > 0, scale, 1.0)
    direction = w / size[:, None]
    distances = ((direction[:, None, :] - problem.targets) ** 2).sum(-1) ** 0.5
    return MarginRows(
        gamma=gain(loss, m, problem.y, problem.samples).gamma,
        margin=xp.where(norm > 0.0, xp.where(problem.y == 0.0, xp.inf, m).min(-1) / size, 0.0),
        invariant_drift=drift.max(-1),
        w=w[:, problem.coordinates],
        distances=distances,
    )
