"""Linear programs by HiGHS, at its tightest tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog

from initshape.regularizers.base import Array

_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True, eq=False)
class Optimum:
    """Minimiser, minimum, multipliers of the equations (derivative of the minimum by their right-hand side)."""

    x: Array
    value: float
    multipliers: Array
    iterations: int


def minimum(
    cost: Array, *, bounds: Array, method: str = "highs", presolve: bool = True, **matrices: Any
) -> Optimum | None:
    """min cost.x under `A_ub, b_ub, A_eq, b_eq` and bounds (n, 2); None where HiGHS does not find an optimum.

    **Source**: Huangfu and Hall 2018, through SciPy.
    """
    arguments: dict[str, Any] = {"bounds": bounds, "method": method, "options": {"presolve": presolve, **_OPTIONS}}
    answer: Any = linprog(cost, **arguments, **matrices)
    if answer.status != 0:
        return None
    return Optimum(
        x=np.asarray(answer.x),
        value=float(answer.fun),
        multipliers=np.asarray(answer.eqlin.marginals),
        iterations=int(answer.nit),
    )
