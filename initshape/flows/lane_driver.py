"""The outer loop over lanes: blocks for all of them, and between blocks lanes that end, leave, and are refilled."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from initshape.flows.batch_size import LARGEST, batch_size, free_memory, lane_memory, shrunk
from initshape.flows.cell import Cell, CellRun, Room
from initshape.flows.compiled import Program, compiled
from initshape.flows.design import Design
from initshape.flows.driver import BLOCK_SECONDS, FIRST_BLOCK, LARGEST_BLOCK, End
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.lane_arrays import LaneArrays
from initshape.flows.lane_block import LaneLimits, advance_lanes
from initshape.flows.loss import AbstractLoss
from initshape.flows.shapes import saved_rows
from initshape.flows.state import Verdict
from initshape.models import AbstractModel
from initshape.training.settings import FlowProgress, FlowSolution
from initshape.training.trajectory import Rows

IDLE_SHARE = 8
"""A block ends when one in so many of its lanes has nothing to do: to refill it, or to make room for its rows."""


class Method(NamedTuple):
    """What all cells have in common."""

    model: AbstractModel
    loss: AbstractLoss
    integrator: AbstractIntegrator


@dataclass(frozen=True)
class Callbacks:
    """Progress of a cell after each block, its solution as soon as it is there, and whether it is still wanted."""

    on_progress: Callable[[int, FlowProgress], None]
    on_finished: Callable[[int, FlowSolution], None]
    still_wanted: Callable[[int], bool]


class LaneDriver:
    """Runs cells in lanes; `go` may be called once. `memory` and `largest` bound the number of lanes."""

    def __init__(
        self,
        method: Method,
        cells: Sequence[Cell],
        *,
        shared: bool,
        callbacks: Callbacks,
        memory: int | None,
        largest: int | None,
    ) -> None:
        self._method, self._callbacks, self._shared = method, callbacks, shared
        self._room = Room.for_all(cells)
        self._waiting: deque[Cell | CellRun] = deque(cells)
        self._memory, self._largest = memory, largest or LARGEST
        self._budget = memory
        self._found: list[FlowSolution | None] = [None] * len(cells)
        self._lanes: list[CellRun | None] = []
        self._arrays: LaneArrays | None = None
        self._design: Design | None = None
        self._rounds = FIRST_BLOCK
        # Fewer lanes are another program: worth it once the empty ones have cost as much as a compilation.
        self._overstayed = self._cost = 0.0

    def go(self) -> list[FlowSolution | None]:
        """All cells to their ends; None stands for those that nobody wanted any more."""
        while True:
            try:
                if not self._fill():
                    return self._found
                self._advance()
            except jax.errors.JaxRuntimeError as error:
                if not _out_of_memory(error) or len(self._lanes) == 1:
                    raise
                self._fewer_lanes()

    def _fill(self) -> bool:
        """Puts waiting cells into free lanes, and makes fewer lanes when nothing waits; whether any lane is in use."""
        if self._arrays is None:
            first = self._next()
            if first is None:
                return False
            self._lanes = [None] * self._size(first)
            self._lanes[0] = first
        for k, occupant in enumerate(self._lanes):
            if occupant is None and (run := self._next()) is not None:
                self._refill(k, run)
        live = [k for k, run in enumerate(self._lanes) if run is not None]
        size = shrunk(len(self._lanes), len(live))
        if self._arrays is not None and live and size < len(self._lanes) and self._overstayed > self._cost:
            idle = [k for k, run in enumerate(self._lanes) if run is None]
            kept = [*live, *idle][:size]
            self._arrays.keep(kept)
            self._lanes = [self._lanes[k] for k in kept]
            self._overstayed = 0.0
        return bool(live)

    def _refill(self, k: int, run: CellRun) -> None:
        try:
            if self._arrays is not None:
                self._arrays.fill(k, run.lane(shared=self._shared))
        except jax.errors.JaxRuntimeError:
            self._waiting.appendleft(run)
            raise
        self._lanes[k] = run

    def _next(self) -> CellRun | None:
        """The next cell that has to be integrated; those that end where they start are delivered at once."""
        while self._waiting:
            cell = self._waiting.popleft()
            index = cell.index if isinstance(cell, Cell) else cell.cell.index
            if not self._callbacks.still_wanted(index):
                continue
            if isinstance(cell, CellRun):
                return cell
            begun = time.perf_counter()
            run = CellRun(cell, *self._method, self._room)
            if self._shared:
                self._design = run.share_design(self._design)
            end = run.run.judge(run.run.verdict_at_start(), overtime=False)
            run.seconds += time.perf_counter() - begun
            if end is None:
                return run
            self._deliver(run, end)
        return None

    def _size(self, first: CellRun) -> int:
        arguments = first.run.arguments
        self._budget = free_memory() if self._memory is None else self._memory
        lane = lane_memory(arguments.model, first.lane(shared=self._shared))
        return batch_size(1 + len(self._waiting), lane, self._budget, self._largest)

    def _advance(self) -> None:
        """One block for all lanes, and what follows from it for each."""
        if self._arrays is None:
            lanes = [None if run is None else run.lane(shared=self._shared) for run in self._lanes]
            self._arrays = LaneArrays(lanes, self._design if self._shared else None)
        live = [run for run in self._lanes if run is not None]
        limits = LaneLimits(
            rounds=np.int64(self._rounds),
            idle=np.int64(len(live) // IDLE_SHARE),
            room=np.array([0 if run is None else run.run.room for run in self._lanes], dtype=np.int64),
        )
        arguments = (*self._arrays.arguments, limits)
        program = self._program(live, arguments)
        if self._budget is not None and program.bytes > self._budget and len(self._lanes) > 1:
            self._fewer_lanes()
            return
        begun, before = time.perf_counter(), [0 if run is None else _tried(run) for run in self._lanes]
        result = program.run(*arguments)
        count, times, rows = jax.device_get((result.saved, result.times, result.rows))
        self._arrays.advance(result.state)
        seconds = time.perf_counter() - begun
        if shrunk(len(self._lanes), len(live)) < len(self._lanes):
            self._overstayed += seconds
        occupants = list(self._lanes)
        for k, run in enumerate(occupants):
            if run is not None:
                run.seconds += seconds / len(live)
                mine = Rows(*(column[k] for column in rows))
                self._lanes[k] = self._judged(k, run, int(count[k]), times[k], mine)
        rounds = [_tried(run) - tried for run, tried in zip(occupants, before, strict=True) if run is not None]
        self._resize(seconds, max(rounds))
        self._arrays.control([None if run is None else run.run.arguments for run in self._lanes])

    def _program(self, live: Sequence[CellRun], arguments: tuple[Any, ...]) -> Program:
        """The compiled block, and its cost to the runs that waited for it."""
        model = live[0].run.arguments.model
        static = (model, self._method.loss, self._method.integrator, saved_rows(model.size), self._shared)
        program = compiled(advance_lanes, static, arguments)
        self._cost = program.cost
        for run in live:
            run.run.pause(program.compile_seconds)
            run.compile_seconds += program.compile_seconds / len(live)
        return program

    def _judged(self, k: int, run: CellRun, count: int, times: Any, rows: Rows) -> CellRun | None:
        """The run that lane `k` holds from now on: the same, or none when it has ended or is not wanted any more."""
        assert self._arrays is not None  # noqa: S101 - a block has just been computed from them
        index, arrays = run.cell.index, self._arrays
        if not self._callbacks.still_wanted(index):
            return None
        begun = time.perf_counter()
        state = arrays.state_of(k)
        overtime = run.run.overtime
        if state.verdict != Verdict.running or overtime:
            state = state._replace(theta=arrays.theta_of(k))
        verdict = run.run.take(state, count, times, rows)
        end = None if verdict is None else run.run.judge(verdict, overtime=overtime)
        run.seconds += time.perf_counter() - begun
        self._callbacks.on_progress(index, run.run.progress())
        if end is None:
            return run
        self._deliver(run, end)
        return None

    def _deliver(self, run: CellRun, end: End) -> None:
        index = run.cell.index
        solution = run.finish(end)
        self._found[index] = solution
        self._callbacks.on_finished(index, solution)

    def _resize(self, seconds: float, rounds: int) -> None:
        """Chooses the rounds of the next block from the speed of this one."""
        if rounds > 0:
            fitting = int(BLOCK_SECONDS * rounds / max(seconds, 1e-6))
            self._rounds = max(1, min(fitting, 4 * self._rounds, LARGEST_BLOCK))

    def _fewer_lanes(self) -> None:
        """Half as many lanes: runs keep the state that the last whole block left them in, on the host."""
        size = len(self._lanes) // 2
        if self._arrays is not None:
            for run, state in zip(self._lanes, self._arrays.whole_states(), strict=True):
                if run is not None:
                    run.park(state)
        self._waiting.extendleft(run for run in reversed(self._lanes) if run is not None)
        self._arrays, self._lanes, self._largest = None, [], size


def _tried(run: CellRun) -> int:
    state = run.run.arguments.state
    return int(state.accepted) + int(state.rejected)


def _out_of_memory(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error)
