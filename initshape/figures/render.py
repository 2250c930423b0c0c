"""Figure data to PNG, SVG or PDF with matplotlib: no global state (no pyplot), the same bytes each time.

Source of the colours: Okabe and Ito, "Color universal design" (2008); each line has its own marker and dash as well.
"""

from __future__ import annotations

import io
import math
import textwrap
import threading
from collections.abc import Iterator
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import AutoMinorLocator, FixedFormatter, FixedLocator, NullFormatter, NullLocator

from initshape.figures.contours import draw_panels
from initshape.figures.data import FigureData, FigureError, Series
from initshape.figures.ticks import log_ticks

Format = Literal["png", "svg", "pdf"]
MEDIA_TYPES: dict[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)),
                            (0, (8, 1.5, 1.5, 1.5, 1.5, 1.5)), (0, (3, 3)))  # fmt: skip
_CONTEXT = "#9A9A9A"
_LEVEL = "#555555"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "initshape",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 10.0,
    "axes.unicode_minus": True,
    "path.simplify": True,
}
_WITHOUT_DATES: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "initshape"},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "initshape", "Producer": None},
}
_LEFT = 0.135  # room for labels such as 5 x 10^-2 beside the axis label
_WIDTH, _HEIGHT, _CAPTION_CHARACTERS, _TITLE_CHARACTERS = 7.6, 4.7, 120, 72
_LEGEND_CHARACTERS = 16  # of an entry that fits beside the axes for certain

# rc settings are global to the process: one figure at a time, and every setting put back afterwards
_LOCK = threading.Lock()


def render(figure: FigureData, form: str = "png") -> bytes:
    """The picture of `figure`. `form` is png, svg or pdf. Raises FigureError for any other."""
    if form not in MEDIA_TYPES:
        raise FigureError(f"Figures come as {', '.join(MEDIA_TYPES)}, not {form!r}.", tuple(MEDIA_TYPES))
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        out = io.BytesIO()
        draw(figure).savefig(out, format=form, dpi=160, metadata=_WITHOUT_DATES[form])
    return out.getvalue()


def draw(figure: FigureData) -> Figure:
    """The matplotlib Figure, for callers that want to change it. Settings of the caller apply."""
    if figure.panels:
        return draw_panels(figure)
    caption = textwrap.wrap(figure.caption, _CAPTION_CHARACTERS)
    below = 0.62 + 0.17 * len(caption)  # inches: axis label, then the caption
    height = _HEIGHT + 0.17 * max(0, len(caption) - 1)
    canvas = Figure(figsize=(_WIDTH, height))
    named = _named(figure)
    right = 0.735 if named else 0.95
    axes = canvas.add_axes((_LEFT, below / height, right - _LEFT, 1 - (below + 0.45) / height))
    title = textwrap.wrap(figure.title, _TITLE_CHARACTERS, max_lines=2, placeholder=" ...")
    axes.set_title("\n".join(title), loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(figure.x.label)
    axes.set_ylabel(figure.y.label)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    _scale(axes, "x", figure.x.scale, _values(figure, "x"))
    _scale(axes, "y", figure.y.scale, _values(figure, "y"))
    _lines(axes, figure)
    for level in figure.levels:
        axes.axhline(level.y, color=_LEVEL, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1.5)
        axes.annotate(f"{level.label}: {_level(level.y)}", (1.0, level.y), xycoords=("axes fraction", "data"),
                      xytext=(-3, 4), textcoords="offset points", ha="right", fontsize=8, color=_LEVEL)  # fmt: skip
    if not any(series.x for series in figure.series):
        axes.text(0.5, 0.5, "no points to draw", transform=axes.transAxes, ha="center", va="center", color=_LEVEL)
    if named and axes.get_legend_handles_labels()[0]:
        legend = axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, borderaxespad=0.0, fontsize=9,
                             title=figure.legend_title or None, handlelength=2.8, alignment="left")  # fmt: skip
        _make_room(canvas, axes, legend)
    canvas.text(0.02, 0.09 / height, "\n".join(caption), fontsize=8, color="#333333", va="bottom", linespacing=1.35)
    return canvas


def _make_room(canvas: Figure, axes: Axes, legend: Legend) -> None:
    """Widens the canvas where the legend would be cut; the axes keep their size."""
    if max(len(text.get_text()) for text in legend.get_texts()) <= _LEGEND_CHARACTERS:
        return  # measuring costs about as much as drawing
    canvas.draw_without_rendering()
    width, height = canvas.get_size_inches()
    wanted = legend.get_window_extent().x1 / canvas.dpi + 0.1
    if wanted > width:
        place = axes.get_position()
        canvas.set_size_inches(wanted, height)
        axes.set_position((place.x0 * width / wanted, place.y0, place.width * width / wanted, place.height))


def _level(value: float) -> str:
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"


def _named(figure: FigureData) -> bool:
    """A single line needs no legend: title and axis say what it is. A band or a context line does."""
    return len({series.label for series in figure.series}) > 1 or bool(figure.legend_title)


def _lines(axes: Axes, figure: FigureData) -> None:
    main = [series for series in figure.series if series.role == "main" and series.joined]
    colours = _colours(len(main))
    told: set[str] = set()
    for series in (series for series in figure.series if series.role == "context"):
        label = series.label if series.label not in told else "_nolegend_"
        told.add(series.label)
        axes.plot(series.x, series.y, color=_CONTEXT, linewidth=0.7, alpha=0.8, label=label, zorder=1.8)
    for k, series in enumerate(main):
        _main_line(axes, series, colours[k], k)
    for series in (series for series in figure.series if not series.joined):
        axes.plot(series.x, series.y, linestyle="none", marker="x", markersize=7, markeredgewidth=1.6, color="black",
                  label=series.label, zorder=3.0, clip_on=False)  # fmt: skip


def _main_line(axes: Axes, series: Series, colour: str, k: int) -> None:
    marker = _MARKERS[k % len(_MARKERS)] if series.marked else None
    dashes = "-" if series.marked else _DASHES[k % len(_DASHES)]
    axes.plot(series.x, series.y, color=colour, linestyle=dashes, linewidth=1.6, marker=marker, markersize=5,
              label=series.label, zorder=2.5, clip_on=not series.marked)  # fmt: skip
    if series.low:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0, zorder=1.9)
    hollow = [i for i, solid in enumerate(series.solid) if not solid]
    if hollow:
        axes.plot([series.x[i] for i in hollow], [series.y[i] for i in hollow], linestyle="none", marker=marker or "o",
                  markersize=6.5, markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.4,
                  label="_nolegend_", zorder=3.0, clip_on=False)  # fmt: skip


def _colours(count: int) -> list[str]:
    """Okabe-Ito for a few lines, viridis (lightness ordered) for many."""
    if count <= len(_COLOURS):
        return list(_COLOURS[:count])
    viridis = mpl.colormaps["viridis"]
    return [mpl.colors.to_hex(viridis(0.92 * k / (count - 1))) for k in range(count)]


def _values(figure: FigureData, which: Literal["x", "y"]) -> list[float]:
    def all_of() -> Iterator[float]:
        for series in figure.series:
            yield from series.x if which == "x" else (*series.y, *series.low, *series.high)
        if which == "y":
            yield from (level.y for level in figure.levels)

    return [value for value in all_of() if math.isfinite(value)]


def _scale(axes: Axes, which: Literal["x", "y"], scale: str, values: list[float]) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale == "log":
        values = [value for value in values if value > 0]
        ticks = log_ticks(min(values), max(values)) if values else log_ticks(1e-3, 1.0)
        axes.set_xscale("log") if which == "x" else axes.set_yscale("log")
        axes.set_xlim(ticks.low, ticks.high) if which == "x" else axes.set_ylim(ticks.low, ticks.high)
        axis.set_major_locator(FixedLocator(ticks.major))
        axis.set_major_formatter(FixedFormatter(ticks.labels))
        axis.set_minor_locator(FixedLocator(ticks.minor) if ticks.minor else NullLocator())
        axis.set_minor_formatter(NullFormatter())
    else:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        room = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
        axes.set_xlim(low - room, high + room) if which == "x" else axes.set_ylim(low - room, high + room)
        axis.set_minor_locator(AutoMinorLocator())
    axis.set_tick_params(which="major", length=5)
    axis.set_tick_params(which="minor", length=3)
    axis.grid(visible=True, which="major", color="#E3E3E3", linewidth=0.7)
    axes.set_axisbelow(True)
