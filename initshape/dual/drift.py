"""How far the invariants of two-layer parameters are from where they began, along a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from initshape.regularizers.base import Array

Two = tuple[Array, Array]

NUMBERS_AT_ONCE = 2**14
"""In each buffer: all of them together then stay in the cache."""
BUFFERS = 12


@dataclass(frozen=True, eq=False)
class TwoLayerDrift:
    """max |I - I(0)| / scale of parameters rebuilt from R, as `Diagonal.invariants` and `invariant_scale` have them.

    The same sums and products without the arrays of all parameters between them: a few rows at a time, in the cache.
    All in twice the layers, which saves a factor 1/2 here and there and changes no digit.

    **Shape**: `sums`, `differences` of the two layers at R = 0 (2, d), [plus, minus]; `invariants`, `scale` (4, d),
    four times those of the layers.
    """

    sums: Array
    differences: Array
    invariants: Array
    scale: Array

    @classmethod
    def of(cls, theta0: Array, invariants: Array, scale: Array) -> Self:
        """From the parameters at R = 0 and their invariants. **Shape**: (4d,) each."""
        layers = theta0.reshape(2, 2, -1)
        return cls(
            sums=layers[:, 0] + layers[:, 1],
            differences=layers[:, 0] - layers[:, 1],
            invariants=4.0 * invariants.reshape(4, -1),
            scale=4.0 * scale.reshape(4, -1),
        )

    def __call__(self, R: Array) -> Array:
        """The largest over the coordinates, of each row. **Shape**: (B, d) -> (B,)."""
        rows = max(1, NUMBERS_AT_ONCE // R.shape[-1])
        room, worst = np.empty((BUFFERS, rows, R.shape[-1])), np.empty(len(R))
        for first in range(0, len(R), rows):
            part = R[first : first + rows]
            worst[first : first + rows] = self._of(part, room[:, : len(part)])
        return worst

    def _of(self, R: Array, room: Array) -> Array:
        """In place: arrays that come and go cost more than what is done with them."""
        half, up, down, sum_plus, gap_plus, size_plus, sum_minus, gap_minus, size_minus, worst, *spare = room
        np.multiply(0.5, R, out=half)  # in halves: see `parameters.two_layers`
        np.exp(half, out=up)
        np.exp(np.negative(half, out=half), out=down)
        self._layers(0, up, down, (sum_plus, gap_plus, size_plus), spare)
        self._layers(1, down, up, (sum_minus, gap_minus, size_minus), spare)
        worst[:] = 0.0
        for k, (invariant, scale) in enumerate(
            (
                ((sum_plus, gap_plus), (size_plus, size_plus)),
                ((sum_minus, gap_minus), (size_minus, size_minus)),
                ((sum_plus, sum_minus), (size_plus, size_minus)),
                ((gap_plus, gap_minus), (size_plus, size_minus)),
            )
        ):
            self._include(worst, k, invariant, scale, spare)
        return np.asarray(np.max(worst, axis=-1))

    def _layers(
        self, k: int, rising: Array, falling: Array, out: tuple[Array, Array, Array], spare: Sequence[Array]
    ) -> None:
        """u + v, u - v and |u| + |v| of a branch, of twice its layers u and v as rounded."""
        total, gap, size = out
        u, v = spare
        for start, growth, now in ((self.sums[k], rising, total), (self.differences[k], falling, gap)):
            np.multiply(start, growth, out=now)
            np.multiply(now, growth, out=now)
        np.add(total, gap, out=u)
        np.subtract(total, gap, out=v)
        np.add(u, v, out=total)
        np.subtract(u, v, out=gap)
        np.add(np.abs(u, out=u), np.abs(v, out=v), out=size)

    def _include(self, worst: Array, k: int, factors: Two, sizes: Two, spare: Sequence[Array]) -> None:
        """Raises `worst` to the drift of one invariant."""
        drift, scale = spare
        np.multiply(*factors, out=drift)
        np.abs(np.subtract(drift, self.invariants[k], out=drift), out=drift)
        np.maximum(np.multiply(*sizes, out=scale), self.scale[k], out=scale)
        if not np.min(scale) > 0.0:
            scale[scale == 0.0] = 1.0
        np.maximum(worst, np.divide(drift, scale, out=drift), out=worst)
