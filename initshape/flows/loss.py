"""Training losses as a flow sees them: the residual that drives it, and the value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from initshape.models import Array


class AbstractLoss(ABC):
    """A sum over samples, L = (1/N) sum_n l(f_n, y_n); the flow is theta' = J^T r / N with r = -dl/df.

    Padded samples (label and output zero) must have residual and value zero.
    """

    @abstractmethod
    def residual(self, outputs: Array, y: Array) -> Array:
        """r_n = -dl/df_n. **Shape**: (..., N)."""

    @abstractmethod
    def value(self, outputs: Array, y: Array, samples: Array) -> Array:
        """L with N = `samples` (which padding does not change). **Shape**: (...)."""


@final
@dataclass(frozen=True)
class SquareLoss(AbstractLoss):
    """L = ||y - f||^2 / (2N)."""

    def residual(self, outputs: Array, y: Array) -> Array:
        """r = y - f."""
        return y - outputs

    def value(self, outputs: Array, y: Array, samples: Array) -> Array:
        """||r||^2 / (2N)."""
        residual = y - outputs
        return (residual * residual).sum(-1) / (2.0 * samples)
