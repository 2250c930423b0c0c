"""Can coordinates that keep their sign fit the data at all?"""

from __future__ import annotations

import numpy as np

from initshape.regularizers.base import Array
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.linear_program import minimum

_UNREACHABLE = 1e-8
"""Smallest sup-norm misfit, relative to the largest target, that counts as infeasible; HiGHS resolves about 1e-10."""


def reachable(constraints: Constraints, lower: Array, upper: Array) -> bool:
    """Whether rows w = target has a solution with lower <= w <= upper (each bound -inf, 0 or inf).

    A linear program: the smallest t with |rows w - target| <= t. It is asked only after the fit has failed, to tell
    an impossible problem from a hard one.
    """
    size = float(np.max(np.abs(constraints.target), initial=0.0))
    if size == 0.0 or np.all(np.isinf(lower) & np.isinf(upper)):
        return True  # the rows are independent
    rows, target = constraints.rows, constraints.target / size
    columns = np.max(np.abs(rows), axis=0)
    rows = rows / np.where(columns > 0.0, columns, 1.0)  # the bounds 0 and inf do not change
    count, d = rows.shape
    slack = np.ones((count, 1))
    answer = minimum(
        np.r_[np.zeros(d), 1.0],
        A_ub=np.block([[rows, -slack], [-rows, -slack]]),
        b_ub=np.r_[target, -target],
        bounds=np.c_[np.r_[lower, 0.0], np.r_[upper, np.inf]],
    )
    return answer is None or answer.value <= _UNREACHABLE
