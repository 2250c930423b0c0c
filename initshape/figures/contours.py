"""Panels of contours, drawn with matplotlib."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from initshape.figures.data import FigureData, Panel

_COLUMNS = 3
_SIDES = {1: 4.2, 2: 3.2, 3: 2.35}  # inches of one panel, by columns
_CAPTION_CHARACTERS, _TITLE_CHARACTERS = 15.0, 10.5  # that fit into an inch
_LEVELS = 9


def draw_panels(figure: FigureData) -> Figure:
    """A grid of square panels, each with its ticks; fewer panels are larger."""
    columns = min(_COLUMNS, len(figure.panels))
    rows = math.ceil(len(figure.panels) / columns)
    side = _SIDES[columns]
    gap, left = 0.5, 0.75
    width = left + columns * (side + gap)
    caption = textwrap.wrap(figure.caption, int(_CAPTION_CHARACTERS * width))
    title = textwrap.wrap(figure.title, int(_TITLE_CHARACTERS * width))
    below, above = 0.62 + 0.17 * len(caption), 0.53 + 0.2 * len(title)
    height = below + above + rows * side + (rows - 1) * gap
    canvas = Figure(figsize=(width, height))
    for k, panel in enumerate(figure.panels):
        row, column = divmod(k, columns)
        bottom = below + (rows - 1 - row) * (side + gap)
        box = ((left + column * (side + gap)) / width, bottom / height, side / width, side / height)
        axes = canvas.add_axes(box)
        lowest = k + columns >= len(figure.panels)
        _panel(axes, panel, figure, outer=(lowest, column == 0))
    canvas.text(left / width, 1 - 0.12 / height, "\n".join(title), fontsize=11, fontweight="bold", va="top")
    canvas.text(0.02, 0.09 / height, "\n".join(caption), fontsize=8, color="#333333", va="bottom", linespacing=1.35)
    return canvas


def _panel(axes: Axes, panel: Panel, figure: FigureData, *, outer: tuple[bool, bool]) -> None:
    z = np.ma.masked_invalid(np.array(panel.z, dtype=float))
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.axhline(0.0, color="#C8C8C8", linewidth=0.8, zorder=1)
    axes.axvline(0.0, color="#C8C8C8", linewidth=0.8, zorder=1)
    if z.count() and z.max() > z.min():
        levels = MaxNLocator(_LEVELS).tick_values(float(z.min()), float(z.max()))
        # the lightest colours of viridis are lost on white; the numbers on the lines say the same without colour
        lines = axes.contour(panel.x, panel.y, z, levels=levels, cmap="viridis", vmax=float(levels[-1]) * 1.15,
                             linewidths=1.2, linestyles="solid", zorder=2)  # fmt: skip
        axes.clabel(lines, fontsize=7, inline=True, inline_spacing=2, colors="#222222")
    if panel.mark is not None:
        axes.plot(*panel.mark, marker="o", markersize=5, color="#D55E00", markeredgecolor="white", zorder=4)
    axes.set_xlim(min(panel.x), max(panel.x))
    axes.set_ylim(min(panel.y), max(panel.y))
    axes.set_box_aspect(1.0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_minor_locator(AutoMinorLocator())
    axes.tick_params(labelsize=8)
    if outer[0]:
        axes.set_xlabel(figure.x.label)
    if outer[1]:
        axes.set_ylabel(figure.y.label)
