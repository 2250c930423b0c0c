"""One flow among many of one shape: its data, its run, and what it has cost so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from initshape.flows.design import Design
from initshape.flows.driver import End, Run
from initshape.flows.integrate import solution
from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.lane_arrays import Lane
from initshape.flows.loss import AbstractLoss
from initshape.flows.shapes import bucket
from initshape.flows.start import OBSERVERS_PADDED_TO, start
from initshape.flows.state import FlowState, Problem
from initshape.models import AbstractModel
from initshape.training.settings import Floats, FlowProgress, FlowSettings, FlowSolution


@dataclass(frozen=True)
class Cell:
    """What the caller gave for one flow. **Shape**: theta (P,), X (N, d), y (N,), observers (d,)."""

    index: int
    theta: Floats
    X: Floats
    y: Floats
    settings: FlowSettings
    observers: Mapping[str, Floats]
    coordinates: Sequence[int]


@dataclass(frozen=True)
class Room:
    """Targets and coordinates that every lane has room for, so that all have one shape."""

    targets: int
    coordinates: int

    @classmethod
    def for_all(cls, cells: Sequence[Cell]) -> Room:
        """The least that holds those of every cell."""
        targets = max(max(len(cell.observers) for cell in cells), 1)
        return cls(
            targets=-(-targets // OBSERVERS_PADDED_TO) * OBSERVERS_PADDED_TO,
            coordinates=bucket(max(len(cell.coordinates) for cell in cells)),
        )

    def fit(self, problem: Problem) -> Problem:
        """The problem with so much room."""
        more_targets = self.targets - len(problem.targets)
        return problem._replace(
            targets=np.pad(problem.targets, ((0, more_targets), (0, 0))),
            target_norms=np.pad(problem.target_norms, (0, more_targets), constant_values=1.0),
            coordinates=np.pad(problem.coordinates, (0, self.coordinates - len(problem.coordinates))),
        )


class CellRun:
    """A cell that has started. `seconds` and `compile_seconds` are its shares of what its batches took."""

    def __init__(
        self, cell: Cell, model: AbstractModel, loss: AbstractLoss, integrator: AbstractIntegrator, room: Room
    ) -> None:
        self.cell, self._integrator = cell, integrator
        self.seconds = self.compile_seconds = 0.0
        self._begin = start(model, loss, cell.theta, cell.X, cell.y, cell.observers, cell.coordinates)
        self.run = Run(self._begin, integrator, cell.settings, _unheard)
        arguments = self.run.arguments
        self.run.put(room.fit(arguments.problem), arguments.state)

    def share_design(self, design: Design | None) -> Design:
        """The design of this cell; another, equal one takes its place if given, so that one copy serves all."""
        arguments = self.run.arguments
        if design is not None:
            self.run.put(arguments.problem._replace(X=design), arguments.state)
        found: Design = self.run.arguments.problem.X
        return found

    def lane(self, *, shared: bool) -> Lane:
        """The arrays of this run for a lane."""
        _, problem, controls, state = self.run.arguments
        return Lane(problem._replace(X=()) if shared else problem, controls, state)

    def park(self, state: FlowState) -> None:
        """Out of its lane, with the whole of its state, from where it can go on in any other."""
        self.run.put(self.run.arguments.problem, state)

    def finish(self, end: End) -> FlowSolution:
        """What the caller gets."""
        found = solution(self._begin, self.run.recorder, end, self._integrator, tuple(self.cell.observers))
        return replace(found, seconds=self.seconds, compile_seconds=self.compile_seconds)


def _unheard(_: FlowProgress) -> None:
    """Progress of lanes is reported by their driver."""
