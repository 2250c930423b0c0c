"""One branch of a deep diagonal network: the product of L layers under du_l/ds = prod_{k != l} u_k."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from initshape.regularizers.base import Array

Mask = NDArray[np.bool_]

GROWTH = 8.0
"""One step lets the product of the layers grow by at most e^8."""
TIED = 1e-14
"""Two layers count as equal in size where their squares differ by less than this fraction."""


class AbstractBranch(ABC):
    """A point of the branch's flow in s (s = R on the plus branch, -R on the minus branch), for many coordinates.

    All u_l^2 - u_k^2 are conserved, so one number per coordinate moves: z, the smallest layer with the sign of the
    whole product. dz/ds = prod of the other magnitudes >= 0. With L >= 3 layers |z| becomes infinite at finite s.

    **Shape**: everything (d,). `product` of the layers and its `change` = product - initial product, each to full
    relative accuracy: one is lost where the branch hardly moves, the other where it decays. `slope` =
    sum_l prod_{k != l} u_k^2, the branch's part of dw/dR.
    """

    product: Array
    change: Array
    slope: Array

    @abstractmethod
    def reach(self, forward: Mask) -> Array:
        """How far s may move, up where `forward`, else down, before the product has grown by e^8; less than blow-up."""

    @abstractmethod
    def advance(self, ds: Array) -> tuple[Self, Array]:
        """The branch at s + ds, |ds| <= `reach`, and the increments of psi = int product ds."""

    @abstractmethod
    def area(self) -> Array:
        """int `change` ds from the initialization to here, >= 0, to full relative accuracy."""

    @abstractmethod
    def cost(self) -> Array:
        """int s d`product` from the initialization to here, >= 0, to full relative accuracy: s `change` - `area`."""

    @abstractmethod
    def extremes(self) -> tuple[Array, Array]:
        """Infimum and supremum of the product along the whole flow: -inf, 0 or inf; (0, 0) where it cannot move."""

    @abstractmethod
    def layers(self, initial: Array) -> Array:
        """The layers here, from those that the branch was made of. **Shape**: (L, d) -> (L, d)."""
