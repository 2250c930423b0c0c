"""A step beside its floor, part by part."""

from __future__ import annotations

from typing import Any

from benchmarks.plots.canvas import OURS, axes, save

SHADES = ("#1f3a5f", "#4a6fa5", "#8fb0d9", "#c9d9ec")


def draw(rows: list[dict[str, Any]], name: str) -> None:
    """Stacked bars of the floor under the measured time, in units of the floor."""
    figure, (ax,) = axes(1, 1, (8, 4.5))
    labels = [f"{row['case']}, d = {row['dimension']}, N = {row['samples']}" for row in rows]
    for place, row in enumerate(rows):
        ax.barh(place + 0.2, row["ratio"], height=0.38, color=OURS, label="measured step" if place == 0 else None)
        left = 0.0
        for (part, seconds), shade in zip(row["parts"].items(), SHADES, strict=True):
            share = seconds / row["floor"]
            ax.barh(place - 0.2, share, height=0.38, left=left, color=shade, label=part if place == 0 else None)
            left += share
        ax.text(row["ratio"], place + 0.2, f" {1e3 * row['seconds_per_step']:.3g} ms", va="center", fontsize=8)
    ax.axvline(3.0, color="0.4", linestyle=":", linewidth=1)
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("time in units of the floor (dotted: the bar)")
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=5)
    ax.set_title("Accepted step against the arithmetic it needs", fontsize=10)
    save(figure, name)
