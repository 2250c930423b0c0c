"""Figure data: everything that a picture shows, as plain frozen records. No plotting library is imported here.

The same record is drawn by matplotlib (render.py) and can be written as JSON for a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from initshape.spec.problem import InitshapeError

Scale = Literal["log", "linear"]
LARGEST = 1e280
"""Numbers beyond it, and below its reciprocal on a logarithmic axis, leave no room for the arithmetic of drawing."""


class FigureError(InitshapeError):
    """A figure that cannot be drawn: an unknown kind, or data that it needs are not there."""

    def __init__(self, detail: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.allowed = allowed


@dataclass(frozen=True)
class Axis:
    """One axis: its label (mathtext allowed) and whether it is logarithmic."""

    label: str
    scale: Scale


@dataclass(frozen=True)
class Series:
    """One line. `low` and `high` bound its band; `solid[i]` is false for a point that did not converge.

    `marked`: draw a marker at each point; `joined`: draw the line between them. `role`: `main` lines take colours in
    order, `context` lines are thin and grey.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    solid: tuple[bool, ...] = ()
    marked: bool = False
    joined: bool = True
    role: Literal["main", "context"] = "main"


@dataclass(frozen=True)
class Level:
    """A horizontal line with a label, such as the accuracy of a solver."""

    label: str
    y: float


@dataclass(frozen=True)
class Panel:
    """Contours of z[j][i] at (x[i], y[j]), not drawn where z is not finite; `mark` is a point that stands out."""

    title: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    z: tuple[tuple[float, ...], ...]
    mark: tuple[float, float] | None = None


@dataclass(frozen=True)
class FigureData:
    """One figure: series on one pair of axes, or panels. `caption` states what is seen, and what is missing from it."""

    kind: str
    title: str
    caption: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    levels: tuple[Level, ...] = ()
    legend_title: str = ""
    panels: tuple[Panel, ...] = ()


def number(value: object) -> float | None:
    """The number that `value` is, else None: null, text, NaN, infinity and absurd sizes have no place on an axis."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) <= LARGEST else None


def short(value: object) -> str:
    """A value as a person writes it: 0.5, 1e-05, radau."""
    found = number(value)
    if found is None:
        text = str(value)
        return text if len(text) <= 24 else text[:23] + "…"
    return f"{found:.4g}"


def counted(count: int, noun: str) -> str:
    """`1 cell`, `3 cells`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
