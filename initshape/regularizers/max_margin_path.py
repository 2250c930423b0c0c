"""The multipliers of the margin maximiser as the level rises: do they ever fall?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from initshape.regularizers.base import AbstractMirrorState, Array
from initshape.regularizers.max_margin import MaxMargin, solve
from initshape.spec.outcome import Outcome

_PER_DECADE = 6
_MOST_DECADES = 16
_PROPORTIONAL = 1e-2
_MONOTONE = 1e-9


@dataclass(frozen=True, eq=False)
class MultiplierPath:
    """lambda*(rho) on a grid of levels rho, rising to 1. `complete` says that every one of them was solved.

    **Shape**: `levels` (G,), `multipliers` (G, N).
    """

    levels: Array
    multipliers: Array
    complete: bool

    @property
    def largest_fall(self) -> float:
        """Largest fall of a multiplier between successive levels, over the largest multiplier at rho = 1."""
        falls = self.multipliers[:-1] - self.multipliers[1:]
        largest = float(np.max(self.multipliers[-1], initial=0.0))
        return max(0.0, float(np.max(falls, initial=0.0))) / largest if largest > 0.0 else 0.0

    @property
    def nondecreasing(self) -> bool:
        """Whether no multiplier falls anywhere on the grid."""
        return self.complete and self.largest_fall <= _MONOTONE


def multiplier_path(start: AbstractMirrorState, rows: Array, top: MaxMargin) -> MultiplierPath:
    """The path of min Q s.t. rows w >= rho from rho = 1, where `top` solves it, down.

    Six levels a decade, each from the active set of the one before, down to where no constraint is active (w(0)
    itself has the margins), or where the multipliers have become proportional to rho: Q is quadratic from there on,
    and they stay proportional.
    """
    floor = max(0.0, float(np.min(rows @ start.w)))
    levels, found, complete = [1.0], [top.nu], top.outcome is Outcome.converged
    active, proportional = top.nu > 0.0, 0
    for k in range(1, _PER_DECADE * _MOST_DECADES + 1):
        if not complete or proportional >= _PER_DECADE:
            break
        level = floor + (1.0 - floor) * 10.0 ** (-k / _PER_DECADE)
        below = solve(start, rows, level, guess=active)
        complete = below.outcome is Outcome.converged
        levels.append(level)
        found.append(below.nu)
        same = np.max(np.abs(below.nu / level - found[-2] / levels[-2])) <= _PROPORTIONAL * np.max(below.nu / level)
        proportional = proportional + 1 if same else 0
        active = below.nu > 0.0
        if not np.any(active):
            break
    return MultiplierPath(np.array(levels[::-1]), np.array(found[::-1]), bool(complete))
