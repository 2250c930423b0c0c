"""diffrax's solvers on all parameters, compiled, with its own step-size controller and event."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.baselines.fields import parameters, predictor
from benchmarks.problem import Floats, Problem

END = 1e9
BLOCKS = {"Tsit5": 100, "Dopri8": 50, "Kvaerno5": 100_000}
"""Attempted steps a compiled call, between which progress is reported. The explicit methods lose only their choice of a
first step to it; the implicit one runs in one piece, and reports from within, where a step takes seconds."""
REPORTS_FROM_WITHIN = ("Kvaerno5",)
FLOOR, LONGER = 1000.0, 1.5
"""An explicit method at its stability limit holds the residual near rtol for ever. Below FLOOR rtol it is ended when
LONGER times the flow time has not halved the residual; what it is charged for ends where it last did."""


@dataclass(frozen=True)
class Integrated:
    """Weights, attempted steps, flow time and seconds there; whether the stop was reached, and if not why."""

    w: Floats
    steps: int
    time: float
    seconds: float
    reached: bool
    why: str


class _State(NamedTuple):
    theta: Any
    time: Any
    steps: Any
    going: Any


class DiffraxFlow:
    """One solver on one problem, compiled when made; `compile_seconds` says how long that took."""

    def __init__(self, problem: Problem, solver: str) -> None:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
        self._problem = problem
        self._report: Callable[[int, float], None] = lambda steps, residual: None
        self._within = 0
        start = _State(jnp.asarray(parameters(problem)), jnp.float64(0.0), jnp.int64(0), jnp.bool_(True))
        block = _block(problem, solver, self._from_within if solver in REPORTS_FROM_WITHIN else None)
        before = time.perf_counter()
        self._block = jax.jit(block).lower(start).compile()
        self.compile_seconds = time.perf_counter() - before
        self._start = start

    def run(self, report: Callable[[int, float], None]) -> Integrated:
        """From theta(0) until the relative residual is `problem.stop`, or falls no further."""
        X, y = self._problem.data()
        self._report, self._within = report, 0
        begun, state, last, best = time.perf_counter(), self._start, None, np.inf
        while True:
            state = self._block(state)
            w, steps = predictor(np.asarray(state.theta)), int(state.steps)
            residual = float(np.linalg.norm(X @ w - y) / np.linalg.norm(y))
            reached, failed = residual <= self._problem.stop, not np.isfinite(residual) or not bool(state.going)
            why = "" if reached else "the solver gave up" if failed else "residual stalls at the tolerance"
            here = Integrated(w, steps, float(state.time), time.perf_counter() - begun, reached, why)
            if reached or failed:
                return here
            if last is None or residual <= 0.5 * best:
                last, best = here, residual
            elif best < FLOOR * self._problem.rtol and here.time > LONGER * last.time:
                return last
            report(steps, residual)

    def _from_within(self, residual: Any) -> None:
        """Called once a step."""
        self._within += 1
        self._report(self._within, float(residual))


def _block(problem: Problem, name: str, tell: Callable[[Any], None] | None) -> Callable[[_State], _State]:
    import diffrax
    import jax
    import jax.numpy as jnp

    X, y = (jnp.asarray(array) for array in problem.data())
    y_norm, samples = float(jnp.linalg.norm(y)), len(y)

    def residual(theta: Any) -> Any:
        a, b, c, d = theta.reshape(4, -1)
        return y - X @ (a * b - c * d)

    def field(t: Any, theta: Any, args: Any) -> Any:
        g = residual(theta) @ X / samples
        a, b, c, d = theta.reshape(4, -1)
        return jnp.concatenate([g * b, g * a, -g * d, -g * c])

    def fitted(t: Any, theta: Any, args: Any, **_: Any) -> Any:
        relative = jnp.linalg.norm(residual(theta)) / y_norm
        if tell is not None:
            jax.debug.callback(tell, relative)
        return relative <= problem.stop

    def block(state: _State) -> _State:
        done = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            getattr(diffrax, name)(),
            state.time,
            END,
            None,
            state.theta,
            stepsize_controller=diffrax.PIDController(rtol=problem.rtol, atol=problem.rtol * problem.alpha**0.5),
            event=diffrax.Event(fitted),
            max_steps=BLOCKS[name],
            throw=False,
        )
        assert done.ts is not None
        assert done.ys is not None
        going = done.result == diffrax.RESULTS.max_steps_reached
        return _State(done.ys[-1], done.ts[-1], state.steps + done.stats["num_steps"], going)

    return block
