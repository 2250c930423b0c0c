"""Seconds of a fit against the scale."""

from __future__ import annotations

from benchmarks.plots.canvas import OTHERS, OURS, axes, save
from benchmarks.race import Row


def draw(rows: list[Row], name: str) -> None:
    """One line a contender; open markers where it was stopped."""
    figure, (ax,) = axes(1, 1, (7.5, 5))
    large = [row for row in rows if row["dimension"] == 1000]
    styles = ("-", "--", ":")
    for place, contender in enumerate(dict.fromkeys(row["contender"] for row in large)):
        here = sorted((row for row in large if row["contender"] == contender), key=lambda row: row["alpha"])
        colour = OURS if here[0]["ours"] else OTHERS
        scales, seconds = [row["alpha"] for row in here], [row["seconds"] for row in here]
        ax.plot(scales, seconds, styles[place % 3], color=colour, label=contender)
        for row in here:
            full = colour if row["finished"] else "white"
            ax.plot(row["alpha"], row["seconds"], "o", color=colour, markerfacecolor=full)
            reached = f"{row['error']:.0e}" if row["error"] is not None else ""
            text = reached if row["finished"] else f"stopped {reached}"
            ax.annotate(text, (row["alpha"], row["seconds"]), xytext=(0, 7), textcoords="offset points", fontsize=8,
                        ha="center")  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.margins(y=0.15)
    ax.set_xlabel("scale alpha (shape 0.5)")
    ax.set_ylabel("seconds (error of w above the point)")
    ax.set_title("Minimising Q subject to X w = y, d = 1000, N = 100, one core", fontsize=10)
    ax.legend(frameon=False, fontsize=9)
    save(figure, name)
