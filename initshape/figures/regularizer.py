"""Figures of regularizers from what `initshape.regularizers.evaluate` gives.

`regularizer_profile`   qhat of the norm, or q of one coordinate, or Q along one coordinate: one line a look
`regularizer_contour`   contours of Q in two coordinates: one panel a look
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from initshape.figures.data import LARGEST, Axis, FigureData, FigureError, Panel, Series
from initshape.figures.words import combination, legend_title

if TYPE_CHECKING:
    from initshape.regularizers.evaluate import Evaluated

Varied = Mapping[str, Any]
Looks = Sequence[tuple[Varied, "Evaluated"]]
"""Each look with the values that were varied for it, by path."""


def regularizer_figure(looks: Looks, *, title: str = "") -> FigureData:
    """Lines for a grid of one axis, panels for one of two. Errors: FigureError when no Q is known in any look."""
    known = [(values, look) for values, look in looks if look.arrays]
    if not known:
        missing = [text for _, look in looks for text in (look.reason, *look.missing.values()) if text]
        raise FigureError(f"Nothing to draw: {'; '.join(dict.fromkeys(missing)) or 'no grid'}.")
    if not known[0][1].axes:
        raise FigureError("A figure needs a grid of points, not a list.")
    if len(known[0][1].axes) == 2:
        return regularizer_contour(looks, title=title)
    return regularizer_profile(looks, title=title)


def regularizer_profile(looks: Looks, *, title: str = "") -> FigureData:
    """One line a look: the profile if it was asked for, else Q itself along the coordinate."""
    known = [(values, look) for values, look in looks if look.arrays]
    names = {"profile" if "profile" in look.arrays else "value" for _, look in known}
    if len(names) != 1 or len({look.profile_of for _, look in known}) != 1:
        raise FigureError("Lines of different quantities do not share an axis.")
    (name,) = names
    first = known[0][1]
    if name not in first.arrays:
        raise FigureError("A line needs a profile or a value.")
    label_x, label_y = _labels(first, name)
    paths = _paths(looks)
    return FigureData(
        kind="regularizer_profile",
        title=title or _title("Q along one coordinate" if name == "value" else "Profile", known),
        caption=_caption(looks),
        x=Axis(label_x, "linear"),
        y=Axis(label_y, "linear"),
        series=tuple(
            _line(look.axes[0], look.arrays[name], combination([(path, values.get(path)) for path in paths]) or label_y)
            for values, look in known
        ),
        legend_title=legend_title(paths[0]) if len(paths) == 1 else "",
    )


def regularizer_contour(looks: Looks, *, title: str = "") -> FigureData:
    """One panel a look, all on the axes of the first; the mark is w(0), where Q is least."""
    known = [(values, look) for values, look in looks if "value" in look.arrays]
    if not known:
        raise FigureError("Contours need the value of Q.")
    first, paths = known[0][1], _paths(looks)
    i, j = first.coordinates
    marked = any(_mark(look) for _, look in known)
    return FigureData(
        kind="regularizer_contour",
        title=title or _title("Contours of Q", known),
        caption=" ".join(filter(None, [_caption(looks), "Dot: w(0), where Q is least." if marked else ""])),
        x=Axis(f"$w[{i}]$", "linear"),
        y=Axis(f"$w[{j}]$", "linear"),
        series=(),
        panels=tuple(_panel(_panel_title(paths, values), look) for values, look in known),
    )


def _panel(title: str, look: Evaluated) -> Panel:
    """With axes that rise. Errors: FigureError for an axis of one value."""
    (x, columns), (y, rows) = (np.unique(axis, return_index=True) for axis in look.axes)
    if x.size < 2 or y.size < 2:
        raise FigureError("Contours need at least two different values on each axis.")
    z = _finite(look.arrays["value"])[np.ix_(columns, rows)].T
    return Panel(title, tuple(x.tolist()), tuple(y.tolist()), tuple(map(tuple, z.tolist())), _mark(look))


def _title(words: str, known: Looks) -> str:
    """With the name of the regularizer if all looks share it and the line does not get long."""
    titles = {look.title for _, look in known}
    whole = f"{words}: {min(titles)}"
    return whole if len(titles) == 1 and len(whole) <= 64 else words


def _labels(look: Evaluated, name: str) -> tuple[str, str]:
    """Labels of both axes."""
    i = look.coordinates[0]
    if name == "value":
        return f"$w[{i}]$", "$Q(w)$"
    if look.profile_of == "norm":
        return r"norm, $x = \|w\|$", r"$\hat q(x)$"
    return f"coordinate, $x = w[{i}]$", "$q(x)$"


def _line(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], label: str) -> Series:
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    keep = np.isfinite(x) & (np.abs(y) <= LARGEST)
    return Series(label, tuple(x[keep].tolist()), tuple(y[keep].tolist()))


def _finite(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _mark(look: Evaluated) -> tuple[float, float] | None:
    """w(0), if it lies in the plane that is drawn."""
    if look.start is None or look.dimension != 2 or not np.all(np.abs(look.start) <= LARGEST):
        return None
    i, j = look.coordinates
    return float(look.start[i]), float(look.start[j])


def _paths(looks: Looks) -> list[str]:
    """What is varied: paths with more than one value."""
    every = list(dict.fromkeys(path for values, _ in looks for path in values))
    return [path for path in every if len({repr(values.get(path)) for values, _ in looks}) > 1]


def _panel_title(paths: Sequence[str], values: Varied) -> str:
    if len(paths) == 1:
        return f"{legend_title(paths[0])} = {combination([(paths[0], values.get(paths[0]))])}"
    return combination([(path, values.get(path)) for path in paths])


def _caption(looks: Looks) -> str:
    """What was taken for granted, and which looks are not drawn."""
    told = [f"Assumed: {text}." for text in dict.fromkeys(text for _, look in looks for text in look.assumes)]
    lost = [look.reason or "; ".join(look.missing.values()) for _, look in looks if not look.arrays]
    if lost:
        told.append(f"{len(lost)} of {len(looks)} not drawn: {'; '.join(dict.fromkeys(lost))}.")
    exact = {look.exactness.value for _, look in looks if look.arrays} - {"exact"}
    return " ".join([*told, *(f"This Q is {word}." for word in sorted(exact))])
