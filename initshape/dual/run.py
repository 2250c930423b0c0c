"""A run of the dual flow: steps, and after each one saved rows, stop rules, progress; at the end completion."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from initshape.dual.history import History, Leg
from initshape.dual.radau import RadauStepper, Step
from initshape.dual.system import DualSystem, OutOfRangeError
from initshape.regularizers.base import AbstractMirrorState
from initshape.regularizers.constraints import Constraints
from initshape.regularizers.newton import minimise
from initshape.spec.outcome import Outcome
from initshape.training.checkpoint import NOWHERE, Checkpoints, Snapshot, SnapshotError, scalar
from initshape.training.settings import COMPLETION_RESIDUAL, FlowProgress, FlowSettings

ROUTE = "dual"
PROGRESS_SECONDS = 0.15
PROGRESS, RISEN, STALLED_AFTER = 0.9, 10.0, 4
STATIONARY, LONG_STEP, QUIET_AFTER, AT_REST_IN_W = 1e-12, 10.0, 5, 1e-6
"""The rules of `flows.stopping`, in words there."""

OUTCOMES: dict[str, Outcome] = {
    "relative_residual": Outcome.converged,
    "max_time": Outcome.reached_max_time,
    "max_steps": Outcome.reached_max_steps,
    "max_seconds": Outcome.out_of_time,
    "rounding_floor": Outcome.stalled,
    "stationary": Outcome.saddle,
    "step_size": Outcome.stalled,
    "nonfinite": Outcome.nonfinite,
}


_NUMBERS = ("time", "threshold", "steps", "stalls", "quiet", "first", "residual", "best", "held")
"""What a run knows besides the states of its stepper and its history."""


@dataclass(frozen=True, eq=False)
class End:
    """Where a run ended: `integrated` is the last state of the ODE, `state` that or its completion.

    `iterations` of the completion, None without one; `held` is the relative error of w that the steps were held to.
    """

    outcome: Outcome
    stopped_by: str
    integrated: AbstractMirrorState
    state: AbstractMirrorState
    time: float
    steps: int
    from_residual: float
    iterations: int | None
    held: float
    effort: dict[str, int]


class DualRun:
    """One run; `go` may be called once. `earlier` and `resumed_from` are as in `flows.driver.Run`."""

    def __init__(
        self,
        system: DualSystem,
        settings: FlowSettings,
        history: History,
        limit: AbstractMirrorState | None,
        on_progress: Callable[[FlowProgress], None],
        checkpoints: Checkpoints = NOWHERE,
    ) -> None:
        self._system, self._settings, self._history = system, settings, history
        self._limit, self._on_progress, self._save = limit, on_progress, checkpoints.save
        self._state, self._time = system.potential.start(), 0.0
        self._y_norm = float(np.linalg.norm(system.y))
        self._threshold = settings.relative_residual
        if settings.completion:
            self._threshold = max(self._threshold, COMPLETION_RESIDUAL)
        self._steps = self._stalls = self._quiet = 0
        self._clock = self._reported = time.perf_counter()
        atol, self._held = self._tolerance()
        self._stepper = RadauStepper(system, self._state, settings.rtol, atol, settings.max_time)
        self._first = self._residual = self._best = self._relative()
        self._start, self.earlier = self._state, 0.0
        self.resumed_from = checkpoints.restore(self._restore)

    def go(self, constraints: Constraints) -> End:
        """Steps until a rule stops the run; `constraints` are those that the completion solves."""
        stopped = None
        if self.resumed_from is None:
            stopped = self._at_start()
        else:
            self._on_progress(self._progress())
        while True:
            if stopped in ("relative_residual", "rounding_floor"):
                completed = self._complete(constraints, at_the_floor=stopped == "rounding_floor")
                if completed is not None:
                    return self._end(Outcome.converged, stopped, *completed)
                if stopped == "relative_residual" and self._lower_the_threshold():
                    stopped = None
            if stopped is not None:
                return self._end(self._outcome(stopped), stopped, self._state, None)
            if self._steps:
                self._save(self._snapshot)
            stopped = self._advance()

    def _advance(self) -> str | None:
        """One step, the rows that it crossed, and the rule that stops the run if one does."""
        left = self._settings.max_time - self._time
        before, began = self._state, self._time
        try:
            step = self._stepper.step(left)
        except OutOfRangeError:
            return "nonfinite"
        if step is None:
            return "step_size"
        finished = step.size >= left
        self._state, self._steps = step.state, self._steps + 1
        self._time = self._settings.max_time if finished else began + step.size
        self._history.add(Leg(began, step.size, before, step.Z, self._stepper.tableau), self._time)
        self._residual = self._relative()
        stopped = self._rule(step, finished=finished)
        now = time.perf_counter()
        if stopped is None and self.earlier + now - self._clock > self._settings.max_seconds:
            stopped = "max_seconds"
        if stopped is not None or now - self._reported > PROGRESS_SECONDS:
            self._reported = now
            self._on_progress(self._progress())
        return stopped

    def _snapshot(self) -> Snapshot:
        """All that changes along a run."""
        numbers = {name: getattr(self, f"_{name}") for name in _NUMBERS}
        numbers["seconds"] = self.earlier + time.perf_counter() - self._clock
        arrays = self._history.snapshot(self._start) | self._stepper.snapshot(self._start)
        arrays |= {f"run.{name}": np.asarray(value) for name, value in numbers.items()}
        arrays["parts"] = np.asarray(len(arrays))
        return Snapshot(ROUTE, self._steps, self._progress().fraction, arrays)

    def _restore(self, snapshot: Snapshot) -> None:
        arrays = snapshot.arrays_of(ROUTE)
        numbers = {name: scalar(arrays, f"run.{name}") for name in (*_NUMBERS, "seconds")}
        if scalar(arrays, "parts") != len(arrays) - 1:
            raise SnapshotError("parts are missing")
        stepper = copy.copy(self._stepper)
        stepper.restore(arrays, self._start)
        self._history.restore(arrays, self._start, stepper.tableau, len(self._system.y))
        self._stepper, self._state, self.earlier = stepper, stepper.state, numbers.pop("seconds")
        for name, value in numbers.items():
            setattr(self, f"_{name}", value)

    def _rule(self, step: Step, *, finished: bool) -> str | None:
        """The stop rules of every flow, judged after an accepted step."""
        samples, residual = len(self._system.y), self._residual * self._y_norm
        force = step.residual @ self._system.X
        squared = float(self._state.slope @ force**2)  # ||J^T r||^2
        progress = self._residual < PROGRESS * self._best
        promised = step.size * squared > 0.5 * samples * residual**2
        self._stalls = 0 if progress else self._stalls + (promised or self._residual > RISEN * self._best)
        self._best = min(self._best, self._residual) if progress else self._best
        stiffness = self._system.relaxation(self._state)
        still = math.sqrt(squared) <= STATIONARY * math.sqrt(stiffness) * residual
        # Nothing is left of the residual that any w could fit.
        still |= samples * float(np.linalg.norm(self._system.velocity(step.residual))) <= AT_REST_IN_W * residual
        long = step.size * stiffness >= LONG_STEP * samples
        self._quiet = self._quiet + 1 if still and long else 0
        rules = {
            "relative_residual": self._residual <= self._threshold,
            "rounding_floor": self._stalls >= STALLED_AFTER,
            "stationary": self._quiet >= QUIET_AFTER,
            "max_time": finished,
            "max_steps": self._steps >= self._settings.max_steps,
        }
        return next((name for name, holds in rules.items() if holds), None)

    def _at_start(self) -> str | None:
        if not np.isfinite(self._residual):
            return "nonfinite"
        if self._residual <= self._threshold:
            return "relative_residual"
        force = self._stepper.residual @ self._system.X
        return None if np.any(self._state.slope * force) else "stationary"

    def _tolerance(self) -> tuple[float, float]:
        """Absolute tolerance of nu for the whole run, and the relative error of w that it stands for.

        Errors of nu never grow, so that the most sensitive place decides: start or limit, where that is known.
        """
        rtol, system = self._settings.rtol, self._system
        end = self._limit
        least = self._y_norm / float(np.sqrt(np.sum(system.squares)))
        size = max(least, float(np.linalg.norm(self._state.w if end is None else end.w)))
        states = [self._state] if end is None else [self._state, end]
        wanted = min(system.tolerance(state, rtol, size) for state in states)
        noise = 0.0 if end is None else system.noise(end)
        atol = max(wanted, noise)
        return atol, rtol * atol / wanted

    def _complete(self, constraints: Constraints, *, at_the_floor: bool) -> tuple[AbstractMirrorState, int] | None:
        """The limit by dual Newton from here, if it was asked for and reaches the requested residual.

        The dual is convex, so that the limit is the same from anywhere: also from a floor above the usual residual.
        """
        wanted = self._settings.relative_residual
        near = at_the_floor or self._residual <= COMPLETION_RESIDUAL
        if not self._settings.completion or not near or self._residual <= wanted:
            return None
        found = minimise(self._state, constraints)
        reached = float(np.linalg.norm(self._system.residual(found.state))) / self._y_norm
        return (found.state, found.iterations) if reached <= wanted else None

    def _lower_the_threshold(self) -> bool:
        requested = self._settings.relative_residual
        if self._residual <= requested or self._threshold <= requested:
            return False
        self._threshold, self._stalls = max(requested, 0.1 * self._residual), 0
        return True

    def _outcome(self, stopped: str) -> Outcome:
        """A stationary point is a saddle, unless the loss is stationary in w as well: then nothing fits the data."""
        if stopped == "stationary":
            residual = self._system.residual(self._state)
            sizes = float(np.sqrt(np.sum(self._system.squares)) * np.linalg.norm(residual))
            if np.linalg.norm(residual @ self._system.X) <= AT_REST_IN_W * sizes:
                return Outcome.infeasible
        return OUTCOMES[stopped]

    def _relative(self) -> float:
        return float(np.linalg.norm(self._stepper.residual)) / self._y_norm

    def _progress(self) -> FlowProgress:
        """The furthest of residual (in logarithms), time and steps towards their limits."""
        decades = math.log(max(self._first / self._threshold, 1.0 + 1e-12))
        fallen = math.log(max(self._first / self._residual, 1.0)) / decades if self._residual > 0.0 else 1.0
        settings = self._settings
        fraction = max(fallen, self._time / settings.max_time, self._steps / settings.max_steps)
        return FlowProgress(self._time, self._steps, self._residual, min(fraction, 1.0))

    def _end(self, outcome: Outcome, stopped: str, state: AbstractMirrorState, iterations: int | None) -> End:
        return End(
            outcome=outcome,
            stopped_by=stopped,
            integrated=self._state,
            state=state,
            time=self._time,
            steps=self._steps,
            from_residual=self._residual,
            iterations=iterations,
            held=self._held,
            effort=self._stepper.effort,
        )
