"""The history of a run: rows on a logarithmic time grid whose end is unknown until the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from initshape.models import Array
from initshape.training.checkpoint import Arrays, SnapshotError, part, scalar
from initshape.training.settings import Floats

FIRST_TIME = 1e-2
"""First saved time, in units of the fastest relative time scale at the start."""
FIRST_TIME_OF_MAX = 1e-3
"""The first saved time is at most this fraction of max_time."""
ROOM = 3
"""Rows are thinned by two when there are more than ROOM x points, so that ROOM/2 x points or more remain."""


class Rows(NamedTuple):
    """One row a state: scalars (B,), chosen coordinates of w (B, C), relative distances to the targets (B, K)."""

    train_loss: Array
    relative_residual: Array
    invariant_drift: Array
    w: Array
    distances: Array


class Recorder:
    """Collects rows, `points` a decade at first; each time they become too many every second one goes.

    At the end `points` of them are taken, evenly spaced in log time to within one grid spacing; the times themselves
    are exact. Flows that end within the first decade have fewer rows.
    """

    def __init__(self, points: int, rate: float, max_time: float) -> None:
        self._points = points
        scale = FIRST_TIME / rate if rate > 0.0 else max_time
        self.first: float = min(scale, FIRST_TIME_OF_MAX * max_time) if points > 2 else np.inf
        self.ratio: float = 10.0 ** (1.0 / points)
        self._times: Floats = np.empty(0)
        self._rows: Rows | None = None

    @property
    def room(self) -> int:
        """Rows to add next at most: thinning then falls on the same row however a run is cut into blocks."""
        return ROOM * self._points + 1 - len(self._times)

    def add(self, times: Floats, rows: Rows) -> float | None:
        """Appends rows; if that led to thinning, the next time that is wanted (and `ratio` has changed)."""
        if len(times) == 0:
            return None
        self._times = np.concatenate([self._times, times])
        self._rows = rows if self._rows is None else joined(self._rows, rows)
        if len(self._times) <= ROOM * self._points:
            return None
        kept = np.arange(len(self._times) - 1, -1, -2)[::-1]
        self._times, self._rows = self._times[kept], _taken(self._rows, kept)
        self.ratio = self.ratio**2
        return float(self._times[-1]) * self.ratio

    def snapshot(self) -> Arrays:
        """What has been collected, for a run that goes on elsewhere."""
        rows = {} if self._rows is None else {f"row.{name}": np.asarray(v) for name, v in self._rows._asdict().items()}
        return {"saved_times": self._times, "save_ratio": np.asarray(self.ratio), **rows}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Goes on from what another recorder had collected. **Errors**: SnapshotError."""
        times, ratio = part(arrays, "saved_times"), float(scalar(arrays, "save_ratio"))
        rows = Rows(*(part(arrays, f"row.{name}") for name in Rows._fields)) if len(times) else None
        if any(len(column) != len(times) for column in rows or ()) or len(times) > ROOM * self._points:
            raise SnapshotError("saved times and their rows do not belong together")
        self._times, self._rows, self.ratio = times, rows, ratio

    def finish(self, start: Rows, end: Rows, end_time: float) -> tuple[Floats, Rows]:
        """Time 0, at most points - 2 of the rows before `end_time`, and `end_time`."""
        if end_time <= 0.0:
            return np.zeros(1), start
        times, rows = np.array([0.0, end_time]), joined(start, end)
        inside = np.flatnonzero(self._times < end_time)
        if self._rows is None or len(inside) == 0:
            return times, rows
        wanted = min(len(inside), self._points - 2)
        kept = inside[np.round(np.linspace(0, len(inside) - 1, wanted)).astype(np.int64)]
        times = np.concatenate([times[:1], self._times[kept], times[1:]])
        return times, joined(start, _taken(self._rows, kept), end)


def named(
    times: Floats, rows: Rows, observers: tuple[str, ...], coordinates: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of a trajectory under their public names; columns that only pad are dropped."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "time": times,
        "train_loss": rows.train_loss,
        "relative_residual": rows.relative_residual,
        "invariant_drift": rows.invariant_drift,
        "w_trajectory": rows.w[:, : len(coordinates)],
        "coordinate_index": coordinates,
    }
    return arrays | {f"distance_{name}": rows.distances[:, k] for k, name in enumerate(observers)}


def cropped(rows: Rows, count: int, columns: int, observers: int) -> Rows:
    """The filled rows of a compiled block, in NumPy, without padded columns."""
    arrays = Rows(*(np.asarray(column)[:count] for column in rows))
    return arrays._replace(w=arrays.w[:, :columns], distances=arrays.distances[:, :observers])


def joined(*parts: Rows) -> Rows:
    """Rows one after the other."""
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _taken(rows: Rows, indices: npt.NDArray[np.int64]) -> Rows:
    return Rows(*(column[indices] for column in rows))
