"""Statistics of states along a flow. States themselves are never kept."""

from __future__ import annotations

from initshape.flows.loss import AbstractLoss
from initshape.flows.state import Problem
from initshape.models import AbstractModel, Array
from initshape.training.trajectory import Rows


def observe(model: AbstractModel, loss: AbstractLoss, problem: Problem, theta: Array) -> Rows:
    """Statistics of the states theta (B, P); the same code for NumPy and JAX arrays.

    The invariant drift is the largest over all invariants of |I - I(0)| over the size of its terms, now or at the
    start, whichever is larger: the size of w changes by many orders while I does not.
    """
    outputs = model.outputs(theta, problem.X)
    residual = loss.residual(outputs, problem.y)
    xp = theta.__array_namespace__()
    # A network that is not linear has no predictor, hence no coordinates and no distances: zeros stand for them.
    w = model.predictor(theta) if model.linear else xp.zeros((len(theta), model.dimension))
    scale = xp.maximum(model.invariant_scale(theta), problem.invariant_scale)
    drift = abs(model.invariants(theta) - problem.invariants) / xp.where(scale > 0, scale, 1.0)
    distances = ((w[:, None, :] - problem.targets) ** 2).sum(-1) ** 0.5 / problem.target_norms
    return Rows(
        train_loss=loss.value(outputs, problem.y, problem.samples),
        relative_residual=(residual**2).sum(-1) ** 0.5 / problem.y_norm,
        invariant_drift=drift.max(-1),
        w=w[:, problem.coordinates],
        distances=distances,
    )
