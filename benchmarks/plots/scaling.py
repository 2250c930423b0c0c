"""Growth of the cost, with the fitted powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plots.canvas import OTHERS, OURS, axes, save


def draw(raw: dict[str, Any], name: str) -> None:
    """Features, samples, cells, cores."""
    figure, (features, samples, cells, cores) = axes(2, 2, (11, 8))
    _curves(features, raw["features"], "dimension", "features d (N = 100)", "flow_seconds", "whole flow")
    _curves(samples, raw["samples"], "samples", "samples N (d = 1000)", "step_seconds", "one step of the flow")
    _points(cells, raw["cells"], "cells", "cells on one core")
    cells.set_xscale("log")
    cells.set_yscale("log")
    _points(cores, raw["cores"], "workers", f"cores ({raw['cores'][0]['cells']} cells)")
    cores.set_xticks([row["workers"] for row in raw["cores"]])
    cores.set_ylim(bottom=0)
    save(figure, name)


def _curves(ax: Any, rows: list[dict[str, Any]], size: str, label: str, flow: str, flow_name: str) -> None:
    symbol = "d" if size == "dimension" else "N"
    for seconds, what, colour in ((flow, flow_name, OURS), ("fit_seconds", "fit", OTHERS)):
        x = np.array([row[size] for row in rows], dtype=float)
        y = np.array([row[seconds] for row in rows])
        power, level = np.polyfit(np.log(x), np.log(y), 1)
        ax.plot(x, y, "o", color=colour, label=f"{what}: {symbol}^{power:.2f}")
        ax.plot(x, np.exp(level) * x**power, "-", color=colour, linewidth=0.8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([row[size] for row in rows], [f"{row[size]:,}" for row in rows])
    ax.set_xticks([], minor=True)
    ax.set_xlabel(label)
    ax.set_ylabel("seconds")
    ax.legend(frameon=False, title="fitted exponent", fontsize=9)


def _points(ax: Any, rows: list[dict[str, Any]], size: str, label: str) -> None:
    ax.plot([row[size] for row in rows], [row["seconds"] for row in rows], "o-", color=OURS)
    for row in rows:
        ax.annotate(f"{row['seconds']:.3g} s", (row[size], row["seconds"]), xytext=(6, 6), textcoords="offset points")
    ax.margins(x=0.15, y=0.2)
    ax.set_xlabel(label)
    ax.set_ylabel("seconds")
