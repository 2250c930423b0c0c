"""The outer loop: compiled blocks, and between them progress, deadlines, saved rows and completion."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from initshape.flows.compiled import Block, program
from initshape.flows.completion import Completed, complete
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.kink_events import Events, Field, StuckError
from initshape.flows.shapes import ALONE, saved_rows
from initshape.flows.start import WELL_CONDITIONED, Start, compiled_arguments
from initshape.flows.state import Controls, FlowState, Problem, Verdict
from initshape.flows.stopping import verdict_at_start
from initshape.flows.trees import packed, unpacked
from initshape.models import AbstractModel
from initshape.models.kinks import has_kinks
from initshape.training.checkpoint import NOWHERE, Checkpoints, Snapshot, part, scalar
from initshape.training.settings import COMPLETION_RESIDUAL, Floats, FlowProgress, FlowSettings
from initshape.training.trajectory import Recorder, Rows, cropped

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


class Arguments(NamedTuple):
    """What a compiled block is made for and works on."""

    model: AbstractModel
    problem: Problem
    controls: Controls
    state: FlowState


class Run:
    """One run of one integrator. `go` may be called once; `recorder` then holds the saved rows.

    `resumed_from` is the step of the snapshot that it goes on from, None where it begins at time 0.
    """

    def __init__(
        self,
        begin: Start,
        integrator: AbstractIntegrator,
        settings: FlowSettings,
        on_progress: Callable[[FlowProgress], None],
        checkpoints: Checkpoints = NOWHERE,
    ) -> None:
        self._begin, self._integrator, self._settings = begin, integrator, settings
        self._on_progress, self._save = on_progress, checkpoints.save
        self.recorder = Recorder(settings.points, begin.rate, settings.max_time)
        requested = settings.relative_residual
        self._threshold = max(requested, COMPLETION_RESIDUAL) if settings.completion else requested
        self._padded, self._problem, self._controls, self._state = compiled_arguments(
            begin, integrator, settings, self._threshold, (self.recorder.first, self.recorder.ratio)
        )
        self._first: Verdict | None = None
        self._events = self._watched()
        self._block: Block | None = None
        self._attempts, self._blocks = FIRST_BLOCK, 0
        self._clock, self._compile_seconds = time.perf_counter(), 0.0
        self.earlier = 0.0
        self.resumed_from = checkpoints.restore(self._restore)

    def go(self) -> End:
        """Runs blocks until a verdict, a completion that may be trusted, or the end of the wall-clock time."""
        self._problem, self._controls, self._state = jax.device_put((self._problem, self._controls, self._state))
        end = None
        if self.resumed_from is None:
            end = self.judge(self.verdict_at_start(), overtime=False)
        else:
            self._on_progress(self.progress())
        while end is None:
            verdict = self._advance()
            if verdict is Verdict.event:
                verdict = self._switch()
            end = self.judge(verdict, overtime=self.overtime)
            if end is None:
                self._save(self._snapshot)
            self._on_progress(self.progress())
        return end

    def verdict_at_start(self) -> Verdict:
        """What is known before the first block."""
        return verdict_at_start(self._begin, self._threshold) if self._first is None else self._first

    def judge(self, verdict: Verdict, *, overtime: bool) -> End | None:
        """The end that `verdict` or the clock makes of the run, or None: it goes on, perhaps to a lower threshold."""
        completed = None
        if verdict in (Verdict.relative_residual, Verdict.rounding_floor):
            at_the_floor = verdict is Verdict.rounding_floor
            completed = self._completion(at_the_floor=at_the_floor)
            if completed is None and not at_the_floor:
                verdict = self._lower_the_threshold()
        if verdict is not Verdict.running:
            return self._end(verdict, completed)
        return self._end(None, None) if overtime else None

    @property
    def overtime(self) -> bool:
        """Whether the wall-clock time of the run is over; compilation does not count."""
        return self._spent() > self._settings.max_seconds

    def _spent(self) -> float:
        """Seconds of this run, with those before it was interrupted."""
        return self.earlier + time.perf_counter() - self._clock - self._compile_seconds

    def _snapshot(self) -> Snapshot:
        """All that changes along a run."""
        arrays = packed("state", self._state._replace(kinks=())) | packed("kinks", self._state.kinks)
        arrays |= self.recorder.snapshot()
        numbers = {"threshold": self._threshold, "blocks": self._blocks, "seconds": self._spent()}
        arrays |= {name: np.asarray(value) for name, value in numbers.items()}
        if self._events is not None:
            arrays["event_times"] = np.array(self._events.times, dtype=np.float64)
        return Snapshot(self._integrator.name, int(self._state.accepted), self.progress().fraction, arrays)

    def _restore(self, snapshot: Snapshot) -> None:
        arrays = snapshot.arrays_of(self._integrator.name)
        state = unpacked("state", arrays, self._state._replace(kinks=()))
        # Held units have as many slots as the branch needed.
        state = state._replace(kinks=unpacked("kinks", arrays, self._state.kinks, resized=True))
        threshold, blocks, seconds = (scalar(arrays, name) for name in ("threshold", "blocks", "seconds"))
        times = [] if self._events is None else part(arrays, "event_times").tolist()
        self.recorder.restore(arrays)
        if self._events is not None:
            self._events.times.extend(times)
        self._state, self._threshold, self._blocks, self.earlier = state, threshold, blocks, seconds
        self._controls = self._controls._replace(
            save_ratio=np.float64(self.recorder.ratio), relative_residual=np.float64(threshold)
        )

    def _advance(self) -> Verdict:
        """One compiled block, or more where rows are still to be saved after a verdict."""
        if self._block is None:
            arguments = (self._problem, self._controls, self._state, np.int64(0), np.int64(0))
            rows = saved_rows(self._padded.size, ALONE)
            found = program(self._padded, self._begin.loss, self._integrator, rows, arguments)
            self._block = found.run
            self._compile_seconds += found.compile_seconds
        while True:
            start, before = time.perf_counter(), self._tried()
            limits = np.int64(self._attempts), np.int64(self.room)
            result = self._block(self._problem, self._controls, self._state, *limits)
            count = int(result.saved)
            verdict = self.take(result.state, count, np.asarray(result.times), result.rows)
            self._resize(time.perf_counter() - start, self._tried() - before)
            if verdict is not None:
                return verdict

    @property
    def room(self) -> int:
        """Rows that the next block may save."""
        return min(saved_rows(self._padded.size, ALONE), self.recorder.room)

    def take(self, state: FlowState, count: int, times: Floats, rows: Rows) -> Verdict | None:
        """The state after a block with the `count` rows that it saved; None where more rows are saved first.

        Rows that found no room are saved by the next block; after a verdict there is nothing else left to do.
        """
        self._state, self._blocks = state, self._blocks + 1
        targets, columns = len(self._begin.problem.targets), len(self._begin.problem.coordinates)
        following = self.recorder.add(times[:count], cropped(rows, count, columns, targets))
        if following is not None:
            self._state = self._state._replace(next_save=np.float64(following))
            self._controls = self._controls._replace(save_ratio=np.float64(self.recorder.ratio))
        verdict = Verdict(int(self._state.verdict))
        complete = verdict is Verdict.running or float(self._state.next_save) > float(self._state.time)
        return verdict if complete else None

    @property
    def arguments(self) -> Arguments:
        """The padded model and what its compiled block works on, as they stand now."""
        return Arguments(self._padded, self._problem, self._controls, self._state)

    def put(self, problem: Problem, state: FlowState) -> None:
        """Other arrays of the same meaning, for a run whose blocks are computed elsewhere (`lane_driver`)."""
        self._problem, self._state = problem, state

    def pause(self, seconds: float) -> None:
        """Somebody compiled for so long while this run waited: it does not count against its time."""
        self._compile_seconds += seconds

    def _tried(self) -> int:
        return int(self._state.accepted) + int(self._state.rejected)

    def _resize(self, seconds: float, attempts: int) -> None:
        """Chooses the attempts of the next block from the speed of this one, which saved rows may have cut short."""
        if attempts > 0:
            fitting = int(BLOCK_SECONDS * attempts / max(seconds, 1e-6))
            self._attempts = max(1, min(fitting, 4 * self._attempts, LARGEST_BLOCK))

    def _completion(self, *, at_the_floor: bool) -> Completed | None:
        """The completed state, if it was asked for, reaches the requested residual, and linearisation was justified.

        On ill-conditioned data w may be wrong by the residual times the condition number: there the goal is lower, and
        a run that integrated to the requested residual is completed, too.
        """
        wanted = self._settings.relative_residual
        reached = float(self._state.relative_residual)
        if not self._settings.completion or not wanted < COMPLETION_RESIDUAL >= reached:
            return None
        plain, excess = self._begin.problem, max(self._begin.conditioning / WELL_CONDITIONED, 1.0)
        if reached <= wanted and (excess == 1.0 or self._events is not None):
            return None
        if self._events is None:
            done = complete(self._begin.model, self._theta(), plain.X, plain.y, wanted / excess)
        else:
            on_branch = self._events.completed(self._state, wanted)
            if on_branch is None:
                return None
            done = on_branch._replace(theta=np.asarray(self._begin.model.unpad(on_branch.theta)))
        trusted = at_the_floor or done.curvature <= CURVATURE * self._settings.rtol
        return done if trusted and done.iterations and done.relative_residual <= wanted else None

    def _lower_the_threshold(self) -> Verdict:
        """Asks for a tenth of the residual and goes on, if what was requested is not reached yet."""
        requested = self._settings.relative_residual
        if float(self._state.relative_residual) <= requested or self._threshold <= requested:
            return Verdict.relative_residual
        self._threshold = max(requested, 0.1 * float(self._state.relative_residual))
        self._controls = self._controls._replace(relative_residual=np.float64(self._threshold))
        self._state = self._state._replace(verdict=np.int64(Verdict.running), stalls=np.int64(0))
        return Verdict.running if self._events is None else self._switch()

    def _watched(self) -> Events | None:
        """Where the network has kinks: what follows them, with the first branch in the state."""
        if not has_kinks(self._padded):
            return None
        design, samples = self._problem.X, float(self._problem.samples)
        events = Events(Field(self._padded, self._begin.loss, design.rows, self._problem.y, samples))
        try:
            self._state = events.begin(self._state)
        except StuckError:
            self._first = Verdict.kinks
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
        return Verdict.running if np.any(self._state.slope) else Verdict.stationary

    def _theta(self) -> Floats:
        return np.asarray(self._begin.model.unpad(np.asarray(self._state.theta)))

    def progress(self) -> FlowProgress:
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
                **({"kinks": int(state.kinks.changes)} if state.kinks else {}),
            },
        )
