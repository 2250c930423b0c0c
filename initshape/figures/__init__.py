"""Figures: data first (no plotting import), pictures second.

from initshape.figures import experiment_figure, sweep_figure
from initshape.figures.render import MEDIA_TYPES, render      # imports matplotlib

render(sweep_figure(rows, axes=("scale", "shape")), "png")
render(experiment_figure(result, arrays, kind="distance"), "svg")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from initshape.figures.data import Axis as Axis
from initshape.figures.data import FigureData as FigureData
from initshape.figures.data import FigureError as FigureError
from initshape.figures.data import Level as Level
from initshape.figures.data import Series as Series
from initshape.figures.experiment import Arrays, Result, coordinates, distance, experiment_kinds, loss, margins
from initshape.figures.overlay import NEEDED as NEEDED
from initshape.figures.overlay import distance_overlay, margin_overlay
from initshape.figures.overlay import refuse_too_many as refuse_too_many
from initshape.figures.regularizer import regularizer_figure as regularizer_figure
from initshape.figures.sweep import Row, scale_curve

EXPERIMENT_KINDS: dict[str, Callable[..., FigureData]] = {
    "distance": distance,
    "loss": loss,
    "coordinates": coordinates,
    "margins": margins,
}
SWEEP_KINDS: dict[str, Callable[..., FigureData]] = {
    "scale_curve": scale_curve,
    "limit_distance": partial(scale_curve, y="relative_distance", kind="limit_distance"),
    "distance": distance_overlay,
    "margins": margin_overlay,
}


def experiment_figure(result: Result, arrays: Arrays, *, kind: str | None = None, title: str = "") -> FigureData:
    """Figure of one experiment from its result document and arrays; `distance` if it can be drawn, else `loss`.

    Errors: FigureError for an unknown kind, or one that this result has no data for.
    """
    available = experiment_kinds(arrays)
    chosen = kind if kind is not None else next(iter(available), None)
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
    arrays: Mapping[str, Arrays] | None = None,
    title: str = "",
) -> FigureData:
    """Figure of a sweep from its table rows; `axes` are the swept columns, `replicate` the one to average over.

    `arrays` of the cells, by id, are for kinds in NEEDED, which says which.

    Errors: FigureError for an unknown kind, or a table with nothing to draw.
    """
    chosen = "scale_curve" if kind is None else kind
    if chosen not in SWEEP_KINDS:
        raise FigureError(f"There is no sweep figure of kind {chosen!r}.", tuple(SWEEP_KINDS))
    more = {"arrays": arrays or {}} if chosen in NEEDED else {}
    return SWEEP_KINDS[chosen](rows, axes, replicate=replicate, title=title, **more)
