"""Curves along training, one line a cell of the sweep.

`distance`   how far the flow is from the minimiser of Q
`margins`    classification: the least margin of w/||w||
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from initshape.figures.data import Axis, FigureData, FigureError, Series, counted, number
from initshape.figures.experiment import DIRECTIONS, DISTANCE, GAMMA, MARGIN, Arrays, finite, floor_of
from initshape.figures.words import combination, exactness, legend_title

MOST_LINES = 24
"""More lines cannot be told apart."""
NEEDED = {
    "distance": frozenset({"time", "gamma", "distance_implicit"}),
    "margins": frozenset({"gamma", "margin"}),
}
"""The arrays of a cell that each kind draws."""

Row = Mapping[str, Any]
ArraysOfCells = Mapping[str, Arrays]


def distance_overlay(
    rows: Sequence[Row], axes: Sequence[str], *, arrays: ArraysOfCells, replicate: str | None = None, title: str = ""
) -> FigureData:
    """||w(t) - w_Q||/||w_Q|| of every cell that has it, labelled by what the sweep varies; `arrays` by the cell's id.

    The level is the floor of the solvers, the largest residual of a fit. Errors: FigureError when no cell has a
    distance, or more than MOST_LINES have.
    """
    drawn = _drawn(rows, arrays, "distance_implicit")
    classifies = any("gamma" in arrays[str(row["id"])] for row in drawn)
    series = _lines(drawn, axes, arrays, "distance_implicit", positive=True)
    floors = [found for row in drawn if (found := number(row.get("fit_relative_residual")))]
    levels, below = floor_of(series, max(floors) if floors and not classifies else None)
    ends = [found for row in drawn if (found := number(row.get("relative_distance"))) is not None]
    told = f"Distance to theory's answer at the end: {min(ends):.1e} to {max(ends):.1e}." if ends else ""
    if any(_completed(row, line) for row, line in zip(drawn, series, strict=True)):
        told += " The Newton steps that complete a flow are not drawn."
    exact = " or ".join(sorted({exactness(row.get("exactness")) for row in drawn}))
    return FigureData(
        kind="distance",
        title=title or "Distance of the flow from theory's answer",
        caption=" ".join(filter(None, [told, _caption(rows, drawn), below, f"Theory is {exact} here."])),
        x=Axis(GAMMA if classifies else "time, $t$", "log"),
        y=Axis(DIRECTIONS if classifies else DISTANCE, "log"),
        series=series,
        levels=levels,
        legend_title=_legend_title(drawn, axes),
    )


def _completed(row: Row, line: Series) -> bool:
    """Whether the end is far below where the line ends: the saved times are those of the integration."""
    end = number(row.get("relative_distance"))
    return end is not None and bool(line.y) and line.y[-1] > 100.0 * end


def margin_overlay(
    rows: Sequence[Row], axes: Sequence[str], *, arrays: ArraysOfCells, replicate: str | None = None, title: str = ""
) -> FigureData:
    """min_n y_n x_n.w / ||w|| of every cell of a classification. Errors: as `distance_overlay`."""
    drawn = _drawn(rows, arrays, "margin")
    return FigureData(
        kind="margins",
        title=title or "Margin along training",
        caption=_caption(rows, drawn),
        x=Axis(GAMMA, "log"),
        y=Axis(MARGIN, "linear"),
        series=_lines(drawn, axes, arrays, "margin", positive=False),
        legend_title=_legend_title(drawn, axes),
    )


def refuse_too_many(count: int) -> None:
    """FigureError when there would be more than MOST_LINES lines."""
    if count > MOST_LINES:
        raise FigureError(f"{counted(count, 'cell')} are too many lines for one figure: at most {MOST_LINES}.")


def _drawn(rows: Sequence[Row], arrays: ArraysOfCells, name: str) -> list[Row]:
    found = [row for row in rows if name in arrays.get(str(row.get("id")), {})]
    if not found:
        raise FigureError(f"No cell of the sweep has recorded the {name.split('_')[0]} along training.")
    refuse_too_many(len(found))
    return found


def _varied(drawn: Sequence[Row], axes: Sequence[str]) -> list[str]:
    return [name for name in axes if len({repr(row.get(name)) for row in drawn}) > 1]


def _legend_title(drawn: Sequence[Row], axes: Sequence[str]) -> str:
    varied = _varied(drawn, axes)
    return legend_title(varied[0]) if len(varied) == 1 else ""


def _lines(
    drawn: Sequence[Row], axes: Sequence[str], arrays: ArraysOfCells, name: str, *, positive: bool
) -> tuple[Series, ...]:
    varied, found = _varied(drawn, axes), []
    for row in drawn:
        own = arrays[str(row["id"])]
        clock = np.asarray(own["gamma" if "gamma" in own else "time"], dtype=float)
        x, y = finite(clock, np.asarray(own[name], dtype=float), positive=positive)
        found.append(Series(combination([(axis, row.get(axis)) for axis in varied]) or name, x, y))
    return tuple(found)


def _caption(rows: Sequence[Row], drawn: Sequence[Row]) -> str:
    parts = [f"{len(drawn)} of {counted(len(rows), 'cell')} drawn."] if len(drawn) < len(rows) else []
    odd = sum(row.get("outcome") != "converged" for row in drawn)
    return " ".join([*parts, f"{odd} did not converge." if odd else "All converged."])
