"""`scale_curve`: population error against one swept field (the scale), one line a combination of the others.

Rows are table rows: plain mappings with the swept fields, `status`, `outcome` and the scalars of the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from initshape.figures.data import LARGEST, Axis, FigureData, FigureError, Scale, Series, counted, number
from initshape.figures.words import axis_label, combination, last, legend_title, outcome

Row = Mapping[str, Any]

_BAND = (0.1, 0.9)
_LOST = ("diverged", "nonfinite")  # how far such a run had come says nothing about it
_LOGARITHMIC = ("error", "residual", "distance", "loss", "variance")
_DECADES_WIDE = 20.0  # a ratio of largest to smallest from which a logarithmic axis shows more


def scale_curve(
    rows: Sequence[Row],
    axes: Sequence[str],
    *,
    replicate: str | None = None,
    y: str = "population_error",
    kind: str = "scale_curve",
    title: str = "",
) -> FigureData:
    """Population error against scale, one line a shape (or a combination of all other swept fields).

    `axes` are the columns that the sweep varies; `replicate` the one to average over: a point is then the mean and the
    band runs from the 10 % to the 90 % quantile. A point is hollow where a run did not converge.

    Errors: FigureError when there are no rows or nothing numeric was swept.
    """
    if not rows:
        raise FigureError("The sweep has no cells to draw.")
    swept = [name for name in axes if name != replicate]
    x = _x_column(rows, swept)
    others = [name for name in swept if name != x and _varies(rows, name)]
    drawn = [
        row
        for row in rows
        if row.get("outcome") not in _LOST and number(row.get(x)) is not None and number(row.get(y)) is not None
    ]
    x_scale = _scale(x, (number(row.get(x)) for row in rows))
    y_scale = _scale(y, (number(row.get(y)) for row in drawn))
    visible = [row for row in drawn if _fits(row, x, x_scale) and _fits(row, y, y_scale)]
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in visible:
        lines.setdefault(tuple(_key(row.get(name)) for name in others), []).append(row)
    series = tuple(_line(group, x, y, others) for group in lines.values())
    averaged = replicate or "repeated cells" if any(line.low for line in series) else None
    return FigureData(
        kind=kind,
        title=title or _title(x, y),
        caption=_caption(rows, visible, y, averaged),
        x=Axis(axis_label(x), x_scale),
        y=Axis(_y_label(y), y_scale),
        series=series,
        legend_title=legend_title(others[0]) if len(others) == 1 else "",
    )


def _x_column(rows: Sequence[Row], swept: Sequence[str]) -> str:
    """The scale if it was swept over numbers, else the first swept field that has numbers."""
    numeric = [name for name in swept if any(number(row.get(name)) is not None for row in rows)]
    if not numeric:
        raise FigureError("No swept field has numbers, so there is no axis to draw against.", tuple(swept))
    return min(numeric, key=lambda name: (last(name) != "scale", not _varies(rows, name), numeric.index(name)))


def _varies(rows: Sequence[Row], name: str) -> bool:
    return len({_key(row.get(name)) for row in rows}) > 1


def _key(value: object) -> str:
    """Equal numbers are one group however they are spelled (1 and 1.0)."""
    found = number(value)
    return str(value) if found is None else repr(found)


def _scale(name: str, values: Iterable[float | None]) -> Scale:
    """Logarithmic for scales, errors and residuals, and for whatever is positive over more than a decade or so.

    Exact zeros on a logarithmic axis (an error that vanished) are left out; the caption counts them.
    """
    found = [value for value in values if value is not None]
    positive = [value for value in found if value > 0]
    if not positive or min(found) < 0:
        return "linear"
    if last(name) == "scale" or last(name).endswith(_LOGARITHMIC):
        return "log"
    return "log" if len(positive) == len(found) and max(positive) / min(positive) >= _DECADES_WIDE else "linear"


def _fits(row: Row, name: str, scale: Scale) -> bool:
    value = number(row.get(name))
    return value is not None and (scale == "linear" or value > 1 / LARGEST)


def _line(group: Sequence[Row], x: str, y: str, others: Sequence[str]) -> Series:
    at: dict[float, list[Row]] = {}
    for row in group:
        at.setdefault(float(row[x]), []).append(row)
    xs = tuple(sorted(at))
    values = [sorted(float(row[y]) for row in at[value]) for value in xs]
    most = max(len(found) for found in values)
    banded = most > 1
    label = combination([(name, group[0].get(name)) for name in others]) or _y_label(y)
    fewest = min(len(found) for found in values)
    size = f"{most}" if fewest == most else f"{fewest} to {most}"
    return Series(
        label=f"{label} (n = {size})" if banded else label,
        x=xs,
        y=tuple(sum(found) / len(found) for found in values),
        low=tuple(_quantile(found, _BAND[0]) for found in values) if banded else (),
        high=tuple(_quantile(found, _BAND[1]) for found in values) if banded else (),
        solid=tuple(all(row.get("outcome") in ("converged", "none_known") for row in at[value]) for value in xs),
        marked=True,
    )


def _quantile(ordered: Sequence[float], level: float) -> float:
    """Linear interpolation between order statistics."""
    position = level * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _title(x: str, y: str) -> str:
    if last(y) == "relative_distance":
        return f"Distance of the limit from theory's answer against {_words(last(x))}"
    return f"{_words(y).capitalize()} against {_words(last(x))}"


def _words(name: str) -> str:
    return last(name).replace("_", " ")


def _y_label(y: str) -> str:
    if last(y) == "population_error":
        return r"population error, $\|w-w_\ast\|_\Sigma^2$"
    if last(y) == "relative_distance":
        return r"distance at the end, $\|w-w_Q\| \,/\, \|w_Q\|$"
    return _words(y)


def _caption(rows: Sequence[Row], visible: Sequence[Row], y: str, averaged: str | None) -> str:
    whole = len(visible) == len(rows)
    parts = [f"{counted(len(rows), 'cell')}." if whole else f"{len(visible)} of {counted(len(rows), 'cell')} drawn."]
    if averaged is not None:
        parts.append(f"Lines are means over {_words(averaged)}, bands run from the 10 % to the 90 % quantile.")
    finished = [row for row in rows if row.get("status", "succeeded") == "succeeded"]
    odd = Counter(str(row.get("outcome")) for row in finished if row.get("outcome") not in ("converged", None))
    lost = {name: count for name, count in odd.items() if name in _LOST}
    unsettled = {name: count for name, count in odd.items() if name not in ("none_known", *_LOST)}
    if unsettled:
        parts.append(f"Hollow points did not converge: {_told(unsettled)}.")
    elif visible:
        parts.append("All converged." if whole else "All that are drawn converged.")
    states = Counter(str(row.get("status")) for row in rows if row.get("status", "succeeded") != "succeeded")
    if lost:
        parts.append(f"Not drawn: {_told(lost)}.")
    if states:
        told = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
        parts.append(f"Not computed: {told}.")
    shown = sum(1 for row in visible if row.get("status", "succeeded") == "succeeded")
    missing = len(finished) - sum(lost.values()) - shown
    if missing:
        parts.append(f"Without a {_words(y)} that this axis can show: {missing}.")
    return " ".join(parts)


def _told(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome(name)}" for name, count in sorted(outcomes.items()))
