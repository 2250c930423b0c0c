"""The sum of single-neuron potentials as a function of the common predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.neuron_potential import NeuronPotential
from initshape.regularizers.neuron_split import Neurons, Split, split


@dataclass(frozen=True, eq=False)
class SummedNeurons(AbstractRegularizer):
    """Q(w) = min over sum_i wt_i = w of sum_i q_i(wt_i)/c_i, q_i the potential of neuron i, wt_i = a_i w_i.

    q_i(v) = qhat_{delta_i}(||v||) - (3/2) sign(a_i(0)) w_i(0).v. At the best split all (1/c_i) grad q_i are equal:
    that common dual variable R is grad Q(w). c_i = 1 is the published sum, c_i = |a_i(0)| the weighted one. Signs of
    a_i are those at the start.

    **Shape**: a = |a_i(0)| (m,), u = sign(a_i(0)) w_i(0) (m, d), c > 0 (m,).

    **Source**: Azulay et al. 2021 (one neuron; the sum over neurons is theirs, too, and is an approximation).
    """

    a: Array
    u: Array
    c: Array

    latex: ClassVar[str] = (
        r"Q(w) = \min_{\sum_i \tilde w_i = w} \sum_i \frac{1}{c_i} \left[ \hat q_{\delta_i}(\lVert \tilde w_i \rVert)"
        r" - \tfrac32 \operatorname{sign}(a_{i,0})\, w_{i,0}^\top \tilde w_i \right], \quad"
        r" \delta_i = a_{i,0}^2 - \lVert w_{i,0} \rVert^2"
    )

    @property
    def neurons(self) -> Neurons:
        """Their start, in all d dimensions."""
        return Neurons(self.a, self.u, self.c / 1.5)

    def along(self, basis: Array) -> Neurons:
        """Their start in the coordinates of an orthonormal basis: a dual variable in its span moves nothing else."""
        return Neurons(self.a, self.u @ basis.T, self.c / 1.5)

    def value(self, w: Array) -> float:
        """Q(w), by the best split."""
        found = self.best_split(w)
        return float(sum(self.terms(found.a[:, None] * found.u)))

    def terms(self, predictors: Array) -> list[float]:
        """q_i(wt_i)/c_i. **Shape**: (m, d) -> m numbers."""
        neurons = zip(self.a, self.u, self.c, predictors, strict=True)
        return [NeuronPotential.of(np.array([a]), u, 1.0).value(v) / c for a, u, c, v in neurons]

    def gradient(self, w: Array) -> Array:
        """R of the best split."""
        return self.best_split(w).R

    def inverse(self, R: Array) -> Array:
        """sum_i a_i u_i with u_i = u_i(0) + (2/3) c_i R, a_i^2 = delta_i + ||u_i||^2 where that is positive."""
        moved = np.outer(self.c / 1.5, R)
        u = self.u + moved
        square = self.a**2 + np.sum(moved * (self.u + u), axis=1)
        return np.asarray(np.sqrt(np.maximum(square, 0.0)) @ u)

    def best_split(self, w: Array) -> Split:
        """The wt_i that share w."""
        return split(self.neurons, w)

    @classmethod
    def of(cls, a: Array, W: Array, signs: Array, c: Array) -> Self:
        """From a_i(0), the rows w_i(0) of W, the signs that a_i keeps, and the weights 1/c_i."""
        return cls(a=np.abs(a), u=signs[:, None] * W, c=c)
