"""Figures: data first (no plotting import), pictures second.

from initshape.figures import experiment_figure, sweep_figure
from initshape.figures.render import MEDIA_TYPES, render      # imports matplotlib

render(sweep_figure(rows, axes=("scale", "shape")), "png")
render(experiment_figure(result, arrays, kind="distance"), "svg")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from initshape.figures.data import Axis as Axis
from initshape.figures.data import FigureData as FigureData
from initshape.figures.data import FigureError as FigureError
from initshape.figures.data import Level as Level
from initshape.figures.data import Series as Series
from initshape.figures.experiment import Arrays, Result, coordinates, distance, experiment_kinds, loss
from initshape.figures.sweep import Row, scale_curve

EXPERIMENT_KINDS: dict[str, Callable[..., FigureData]] = {
    "distance": distance,
    "loss": loss,
    "coordinates": coordinates,
}
SWEEP_KINDS: dict[str, Callable[..., FigureData]] = {"scale_curve": scale_curve}


def experiment_figure(result: Result, arrays: Arrays, *, kind: str | None = None, title: str = "") -> FigureData:
    """Figure of one experiment from its result document and arrays; `distance` if it can be drawn, else `loss`.

    Errors: FigureError for an unknown kind, or one that this result has no data for.
    """
    available = experiment_kinds(arrays)
    chosen = kind or (available[0] if available else None)
    if chosen is None:
        raise FigureError("This experiment recorded nothing along a flow, so there is nothing to draw.")
    if chosen not in EXPERIMENT_KINDS:
        raise FigureError(f"There is no experiment figure of kind {chosen!r}.", tuple(EXPERIMENT_KINDS))
    return EXPERIMENT_KINDS[chosen](result, arrays, title=title)


def sweep_figure(
    rows: Sequence[Row],
    axes: Sequence[str],
    *,
    kind: str | None = None,
    replicate: str | None = None,
    title: str = "",
) -> FigureData:
    """Figure of a sweep from its table rows; `axes` are the swept columns, `replicate` the one to average over.

    Errors: FigureError for an unknown kind, or a table with nothing to draw.
    """
    chosen = kind or "scale_curve"
    if chosen not in SWEEP_KINDS:
        raise FigureError(f"There is no sweep figure of kind {chosen!r}.", tuple(SWEEP_KINDS))
    return SWEEP_KINDS[chosen](rows, axes, replicate=replicate, title=title)
