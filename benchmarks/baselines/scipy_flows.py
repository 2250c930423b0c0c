"""scipy's ODE solvers on the flow, ended where the data are fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.baselines.fields import DualField, FullField, parameters, predictor
from benchmarks.problem import Floats, Problem

END = 1e9
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Integrated:
    """Weights at the end, steps, time, evaluations of the right-hand side, and whether the stop was reached."""

    w: Floats
    steps: int
    time: float
    evaluations: int
    reached: bool


def full_flow(problem: Problem, method: Any, report: Report) -> Integrated:
    """All 4d parameters, exact dense Jacobian for the implicit methods; atol = rtol sqrt(alpha)."""
    field = FullField(problem)
    start = parameters(problem)
    return _solve(problem, field, start, predictor, method, problem.rtol, problem.rtol * problem.alpha**0.5, report)


def dual_flow(problem: Problem, method: Any, rtol: float, report: Report) -> Integrated:
    """The N dual variables; their limit depends on the last residual alone, not on the tolerance."""
    field = DualField(problem)
    return _solve(problem, field, np.zeros(problem.samples), field.weights, method, rtol, 1e-2 * rtol, report)


def crossing_time(problem: Problem, loss: float) -> float:
    """The time at which the flow's ||X w - y||^2 / N falls to `loss`, by the reduced ODE at rtol 1e-6."""
    field = DualField(problem)

    def event(_: float, nu: Floats) -> float:
        residual = field.residual(nu)
        return float(np.log(residual @ residual / len(residual) / loss))

    event.terminal = True  # type: ignore[attr-defined]
    done: Any = solve_ivp(
        field, (0.0, END), np.zeros(problem.samples), "BDF", jac=field.jacobian, events=event, rtol=1e-6, atol=1e-8
    )
    return float(done.t_events[0][0])


def _solve(
    problem: Problem,
    field: Any,
    start: Floats,
    weights: Callable[[Floats], Floats],
    method: Any,
    rtol: float,
    atol: float,
    report: Report,
) -> Integrated:
    goal = problem.stop * float(np.linalg.norm(field.y))
    steps = -1

    def event(_: float, state: Floats) -> float:
        """Evaluated once a step, so it counts them too."""
        nonlocal steps
        steps += 1
        size = float(np.linalg.norm(field.residual(state)))
        report(steps, size / goal * problem.stop)
        return size - goal

    event.terminal = True  # type: ignore[attr-defined]
    with np.errstate(over="ignore", invalid="ignore"):
        done: Any = solve_ivp(field, (0.0, END), start, method, jac=field.jacobian, events=event, rtol=rtol, atol=atol)
    reached = len(done.t_events[0]) > 0
    end = done.y_events[0][0] if reached else done.y[:, -1]
    return Integrated(weights(end), len(done.t) - 1, float(done.t[-1]), int(done.nfev), reached)
