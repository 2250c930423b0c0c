"""The multipliers of the margin maximiser as the level rises: do they ever fall?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.max_margin import MaxMargin, solve
from initshape.spec.outcome import Outcome
from initshape.spec.result import Condition

_PER_DECADE = 8
_MOST_DECADES = 16
_TOP = tuple(np.linspace(1.0, 0.1, 19)[1:])
"""Levels of the top decade, as fractions of the way from the margins of w(0): evenly spaced."""
_PROPORTIONAL = 1e-2
_MONOTONE = 1e-9


@dataclass(frozen=True, eq=False)
class MultiplierPath:
    """lambda*(rho) on a rising grid of levels rho, with its derivative. `complete`: every level was solved.

    `floor` is the least margin of w(0), where the path begins.

    **Shape**: `levels` (G,), `multipliers` and `slopes` = d lambda*/d rho (G, N).
    """

    levels: Array
    multipliers: Array
    slopes: Array
    floor: float
    complete: bool

    @property
    def largest_fall(self) -> float:
        """Largest fall of a multiplier, over the largest multiplier at the top; 0 where none falls.

        Between two levels, or as fast as (rho - floor) d lambda/d rho at one: a fall that another rise makes good
        before the next level is seen, too.
        """
        largest = float(np.max(self.multipliers[-1], initial=0.0))
        if largest == 0.0:
            return 0.0
        between = float(np.max(self.multipliers[:-1] - self.multipliers[1:], initial=0.0))
        at = float(np.max(-self.slopes * (self.levels - self.floor)[:, None], initial=0.0))
        return max(between, at, 0.0) / largest

    @property
    def nondecreasing(self) -> bool:
        """Whether no multiplier falls anywhere on the grid."""
        return self.complete and self.largest_fall <= _MONOTONE

    @property
    def condition(self) -> Condition:
        """The caveat of every margin prediction with a potential, and its measured value."""
        name = f"multipliers lambda*(rho) never fall ({len(self.levels)} levels rho; sufficient, not necessary)"
        return Condition(name=name, holds=self.nondecreasing, value=self.largest_fall)


def multiplier_path(start: AbstractMirrorState, rows: Array, top: MaxMargin, level: float = 1.0) -> MultiplierPath:
    """The path of min Q s.t. rows w >= rho from rho = `level`, where `top` solves it, down to the margins of w(0).

    Levels are evenly spaced in the top decade of the distance to the least margin of w(0), then eight a decade. Each
    is solved from the active set of the one before, down to where the multipliers have become proportional to that
    distance: Q is quadratic from there on, and they stay proportional.
    """
    floor = float(np.min(rows @ start.w))
    below = [10.0 ** (-1.0 - k / _PER_DECADE) for k in range(1, _PER_DECADE * (_MOST_DECADES - 1) + 1)]
    levels, found = [level], [top]
    proportional = 0
    for part in (*_TOP, *below):
        if found[-1].outcome is not Outcome.converged or not np.any(found[-1].nu) or proportional > _PER_DECADE:
            break
        levels.append(floor + (level - floor) * part)
        found.append(solve(start, rows, levels[-1], guess=found[-1].nu > 0.0))
        rate, before = (found[k].nu / (levels[k] - floor) for k in (-1, -2))
        same = np.max(np.abs(rate - before)) <= _PROPORTIONAL * np.max(rate)
        proportional = proportional + 1 if same and part < _TOP[-1] else 0
    return MultiplierPath(
        levels=np.array(levels[::-1]),
        multipliers=np.array([point.nu for point in found[::-1]]),
        slopes=np.array([_slope(point, rows) for point in found[::-1]]),
        floor=floor,
        complete=all(point.outcome is Outcome.converged for point in found),
    )


def _slope(point: MaxMargin, rows: Array) -> Array:
    """d nu/d rho = (rows_F diag(dw/dR) rows_F^T)^-1 1 on the active set F. **Shape**: (N,)."""
    active = point.nu > 0.0
    slope = np.zeros_like(point.nu)
    weighted = rows[active] * np.sqrt(point.state.slope)
    scale = np.linalg.norm(weighted, axis=1)
    scale[scale == 0.0] = 1.0
    weighted = weighted / scale[:, None]
    # (B B^T)^+ b from the singular values of B, which are not squared.
    left, values, _ = np.linalg.svd(weighted, full_matrices=False)
    kept = values > max(weighted.shape) * np.finfo(float).eps * np.max(values, initial=0.0)
    inverse = (left[:, kept] / values[kept] ** 2) @ left[:, kept].T
    slope[active] = (inverse @ (1.0 / scale)) / scale
    return slope
