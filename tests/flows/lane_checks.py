"""Many cells in lanes against one run each: every number of the two solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flow_oracles import biased

from initshape.flows import FlowSettings, FlowSolution, integrate, integrate_many
from initshape.models import AbstractModel

TOLERANCE = 1e-10
SETTINGS = FlowSettings(points=20)


class Cells:
    """Cells of one model, with observers and coordinates of their own."""

    def __init__(
        self,
        model: AbstractModel,
        theta: Sequence[Any],
        X: Any,
        y: Sequence[Any],
        settings: FlowSettings | Sequence[FlowSettings],
        watched: bool = True,
    ) -> None:
        self.model, self.theta, self.X, self.y, self.settings = (
            model,
            np.array(theta),
            np.array(X),
            np.array(y),
            settings,
        )
        d = model.dimension
        # The number of targets and of coordinates differs too.
        self.observers: list[Mapping[str, Any]] = [
            {f"target {j}": np.arange(1.0, d + 1) * (k + j + 1) for j in range(k % 3)} if watched else {}
            for k in range(len(theta))
        ]
        self.coordinates = [list(range(k % d)) if watched else [] for k in range(len(theta))]

    def in_lanes(self, **options: Any) -> list[FlowSolution | None]:
        return integrate_many(
            self.model,
            self.theta,
            self.X,
            self.y,
            self.settings,
            observers=self.observers,
            coordinates=self.coordinates,
            **options,
        )

    def alone(self, k: int) -> FlowSolution:
        X = self.X if self.X.ndim == 2 else self.X[k]
        settings = self.settings if isinstance(self.settings, FlowSettings) else self.settings[k]
        return integrate(
            self.model,
            self.theta[k],
            X,
            self.y[k],
            settings,
            observers=self.observers[k],
            coordinates=self.coordinates[k],
        )


def published(number: int, settings: Any = SETTINGS, *, watched: bool = True) -> Cells:
    """Depth 2, one design, scales over eight decades: step counts differ widely."""
    cases = [biased(4 + k, scale=10.0 ** -(2 * k % 9)) for k in range(number)]
    return Cells(cases[0].model, [c.theta for c in cases], cases[0].X, [c.y for c in cases], settings, watched)


def assert_same(lane: FlowSolution | None, alone: FlowSolution) -> None:
    """Equal to 1e-10 in every number that is not a clock's; counts and names exactly."""
    assert lane is not None
    assert (lane.outcome, lane.stopped_by, lane.steps) == (alone.outcome, alone.stopped_by, alone.steps)
    blockless = [{**found.effort, "blocks": 0} for found in (lane, alone)]
    assert blockless[0] == blockless[1]
    assert (lane.completion is None) == (alone.completion is None)
    if lane.completion is not None and alone.completion is not None:
        assert lane.completion.iterations == alone.completion.iterations
        close(lane.completion.from_residual, alone.completion.from_residual)
    for name in ("time", "theta", "train_loss", "relative_residual", "invariant_drift"):
        close(getattr(lane, name), getattr(alone, name), name)
    assert lane.trajectory.keys() == alone.trajectory.keys()
    for name, array in alone.trajectory.items():
        close(lane.trajectory[name], array, name)


def close(found: Any, expected: Any, name: str = "") -> None:
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
