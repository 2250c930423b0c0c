"""The norm that training of the linearised network minimises, for networks whose metric is not diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.kkt import evaluate_kkt, reject
from initshape.regularizers.tangent_metric import TangentMetric

_ROUNDING = 1e-13
"""Distance from the reachable subspace, relative to w, that rounding explains."""


@dataclass(frozen=True, eq=False)
class TangentNorm(AbstractRegularizer):
    """Q(w) = (w - w0)^T M0^+ (w - w0)/2, infinite outside w0 + range of M0. **Shape**: w0 (d,)."""

    w0: Array
    metric: TangentMetric

    latex: ClassVar[str] = r"Q(w) = \tfrac12 (w - w(0))^\top M_0^{+} (w - w(0))"

    def value(self, w: Array) -> float:
        change = w - self.w0
        outside = float(np.linalg.norm(self.metric.across(change)))
        if outside > _ROUNDING * max(float(np.linalg.norm(w)), float(np.linalg.norm(self.w0))):
            return float("inf")
        return 0.5 * float(change @ self.gradient(w))

    def gradient(self, w: Array) -> Array:
        """M0^+ (w - w0): that along the reachable subspace."""
        return self.metric.inverse(w - self.w0)

    def inverse(self, R: Array) -> Array:
        """w0 + M0 R."""
        return self.w0 + self.metric.apply(R)


@evaluate_kkt.register
def _(regularizer: TangentNorm, w: Array, X: Array) -> float:
    """Within the subspace that w can reach, where the data act through their parts along it."""
    gradient = regularizer.gradient(w)
    size = float(np.max(np.abs(gradient), initial=0.0))
    if size == 0.0:
        return 0.0
    gradient = gradient / size
    reachable = X - regularizer.metric.across(X)
    return float(np.linalg.norm(reject(gradient, reachable)) / np.linalg.norm(gradient))
