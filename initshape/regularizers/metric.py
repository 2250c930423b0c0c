"""The norm of a metric that is not diagonal: lazy training of a fully connected network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from initshape.regularizers.base import AbstractRegularizer, Array


@dataclass(frozen=True, eq=False)
class MetricNorm(AbstractRegularizer):
    """Q(w) = w^T M^+ w/2 with M = B B^T, for w in the range of M. **Shape**: `root` = B (d, r) of full column rank."""

    root: Array

    latex: ClassVar[str] = r"Q(w) = \tfrac12 w^\top M^{+} w"

    def value(self, w: Array) -> float:
        coordinates = self._inverse @ w
        return 0.5 * float(coordinates @ coordinates)

    def gradient(self, w: Array) -> Array:
        """M^+ w."""
        return np.asarray((self._inverse @ w) @ self._inverse)

    @cached_property
    def _inverse(self) -> Array:
        return np.asarray(np.linalg.pinv(self.root), dtype=np.float64)
