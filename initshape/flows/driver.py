"""The outer loop: compiled blocks, and between them progress, deadlines, saved rows and completion."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from initshape.flows.compiled import Block, program
from initshape.flows.completion import Completed, complete
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.kink_events import Events, Field, StuckError
from initshape.flows.shapes import saved_rows
from initshape.flows.start import Start, compiled_arguments
from initshape.flows.state import Verdict
from initshape.flows.stopping import verdict_at_start
from initshape.models.kinks import has_kinks
from initshape.training.settings import COMPLETION_RESIDUAL, Floats, FlowProgress, FlowSettings
from initshape.training.trajectory import Recorder, cropped

FIRST_BLOCK, LARGEST_BLOCK = 8, 4096
BLOCK_SECONDS = 0.15
"""Aimed at for one block: progress, cancellation and deadlines wait for its end."""
CURVATURE = 0.1
"""Gauss-Newton may finish a run once its second-order part is below this fraction of rtol."""


@dataclass(frozen=True)
class End:
    """The last integrated state, why it is the last, and its completion if there was one.

    `verdict` is None when the wall clock stopped the run.
    """

    verdict: Verdict | None
    theta: Floats
    time: float
    steps: int
    from_residual: float
    completed: Completed | None
    compile_seconds: float
    effort: dict[str, int]


class Run:
    """One run of one integrator. `go` may be called once; `recorder` then holds the saved rows."""

    def __init__(
        self,
        begin: Start,
        integrator: AbstractIntegrator,
        settings: FlowSettings,
        on_progress: Callable[[FlowProgress], None],
    ) -> None:
        self._begin, self._integrator, self._settings = begin, integrator, settings
        self._on_progress = on_progress
        self.recorder = Recorder(settings.points, begin.rate, settings.max_time)
        requested = settings.relative_residual
        self._threshold = max(requested, COMPLETION_RESIDUAL) if settings.completion else requested
        self._padded, self._problem, self._controls, self._state = compiled_arguments(
            begin, integrator, settings, self._threshold, (self.recorder.first, self.recorder.ratio)
        )
        self._events = self._watched()
        self._problem, self._controls, self._state = jax.device_put((self._problem, self._controls, self._state))
        self._block: Block | None = None
        self._attempts, self._blocks = FIRST_BLOCK, 0
        self._clock, self._compile_seconds = time.perf_counter(), 0.0

    def go(self) -> End:
        """Runs blocks until a verdict, a completion that may be trusted, or the end of the wall-clock time."""
        completed = None
        verdict: Verdict | None = verdict_at_start(self._begin, self._threshold)
        while True:
            if verdict in (Verdict.relative_residual, Verdict.rounding_floor):
                at_the_floor = verdict is Verdict.rounding_floor
                completed = self._completion(at_the_floor=at_the_floor)
                if completed is None and not at_the_floor and self._lower_the_threshold():
                    verdict = Verdict.running
            if verdict is not Verdict.running:
                return self._end(verdict, completed)
            verdict = self._advance()
            if verdict is Verdict.event:
                verdict = self._switch()
            self._on_progress(self._progress())
            seconds = time.perf_counter() - self._clock - self._compile_seconds
            if verdict is Verdict.running and seconds > self._settings.max_seconds:
                verdict = None

    def _advance(self) -> Verdict:
        """One compiled block, or more where rows are still to be saved after a verdict."""
        if self._block is None:
            arguments = (self._problem, self._controls, self._state, np.int64(0))
            rows = saved_rows(self._padded.size)
            self._block, seconds = program(self._padded, self._begin.loss, self._integrator, rows, arguments)
            self._compile_seconds += seconds
        while True:
            start, before = time.perf_counter(), self._tried()
            result = self._block(self._problem, self._controls, self._state, np.int64(self._attempts))
            count = int(result.saved)
            self._state, self._blocks = result.state, self._blocks + 1
            self._resize(time.perf_counter() - start, self._tried() - before)
            targets, columns = len(self._begin.problem.targets), len(self._begin.problem.coordinates)
            following = self.recorder.add(
                np.asarray(result.times)[:count], cropped(result.rows, count, columns, targets)
            )
            if following is not None:
                self._state = self._state._replace(next_save=np.float64(following))
                self._controls = self._controls._replace(save_ratio=np.float64(self.recorder.ratio))
            verdict = Verdict(int(self._state.verdict))
            # Rows that found no room are saved by the next block; after a verdict there is nothing else left to do.
            if verdict is Verdict.running or float(self._state.next_save) > float(self._state.time):
                return verdict

    def _tried(self) -> int:
        return int(self._state.accepted) + int(self._state.rejected)

    def _resize(self, seconds: float, attempts: int) -> None:
        """Chooses the attempts of the next block from the speed of this one, which saved rows may have cut short."""
        if attempts > 0:
            fitting = int(BLOCK_SECONDS * attempts / max(seconds, 1e-6))
            self._attempts = max(1, min(fitting, 4 * self._attempts, LARGEST_BLOCK))

    def _completion(self, *, at_the_floor: bool) -> Completed | None:
        """The completed state, if it was asked for, reaches the requested residual, and linearisation was justified."""
        wanted = self._settings.relative_residual
        reached = float(self._state.relative_residual)
        if not self._settings.completion or not wanted < reached <= COMPLETION_RESIDUAL:
            return None
        plain = self._begin.problem
        if self._events is None:
            done = complete(self._begin.model, self._theta(), plain.X, plain.y, wanted)
        else:
            on_branch = self._events.completed(self._state, wanted)
            if on_branch is None:
                return None
            done = on_branch._replace(theta=np.asarray(self._begin.model.unpad(on_branch.theta)))
        trusted = at_the_floor or done.curvature <= CURVATURE * self._settings.rtol
        return done if trusted and done.relative_residual <= wanted else None

    def _lower_the_threshold(self) -> bool:
        """Asks for a tenth of the residual, if what was requested is not reached yet."""
        requested = self._settings.relative_residual
        if float(self._state.relative_residual) <= requested or self._threshold <= requested:
            return False
        self._threshold = max(requested, 0.1 * float(self._state.relative_residual))
        self._controls = self._controls._replace(relative_residual=np.float64(self._threshold))
        self._state = self._state._replace(verdict=np.int64(Verdict.running), stalls=np.int64(0))
        return self._events is None or self._switch() is Verdict.running

    def _watched(self) -> Events | None:
        """Where the network has kinks: what follows them, with the first branch in the state."""
        if not has_kinks(self._padded):
            return None
        design, samples = self._problem.X, float(self._problem.samples)
        events = Events(Field(self._padded, self._begin.loss, design.rows, self._problem.y, samples))
        self._state = events.begin(self._state)
        return events

    def _switch(self) -> Verdict:
        """On to the next branch, whose held units may need a program with more room."""
        assert self._events is not None  # noqa: S101 - smooth networks have no events
        room = len(self._state.kinks.units)
        try:
            self._state = self._events.switch(self._state)
        except StuckError:
            return Verdict.kinks
        if len(self._state.kinks.units) != room:
            self._block = None
        return Verdict.running

    def _theta(self) -> Floats:
        return np.asarray(self._begin.model.unpad(np.asarray(self._state.theta)))

    def _progress(self) -> FlowProgress:
        """The furthest of residual (in logarithms), time and steps towards their limits."""
        state, settings = self._state, self._settings
        residual, first = float(state.relative_residual), self._begin.relative_residual
        decades = math.log(max(first / self._threshold, 1.0 + 1e-12))
        fallen = math.log(max(first / residual, 1.0)) / decades if residual > 0.0 else 1.0
        fraction = max(fallen, float(state.time) / settings.max_time, int(state.accepted) / settings.max_steps)
        return FlowProgress(float(state.time), int(state.accepted), residual, min(fraction, 1.0))

    def _end(self, verdict: Verdict | None, completed: Completed | None) -> End:
        state = self._state
        return End(
            verdict=verdict,
            theta=self._theta(),
            time=float(state.time),
            steps=int(state.accepted),
            from_residual=float(state.relative_residual),
            completed=completed,
            compile_seconds=self._compile_seconds,
            effort={
                "rejected_steps": int(state.rejected),
                "newton_iterations": int(state.iterations),
                "kernels": int(state.kernels),
                "blocks": self._blocks,
                **({} if self._events is None else {"kinks": int(state.kinks.changes)}),
            },
        )
