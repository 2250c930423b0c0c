"""Time of every contender, one panel a case; error beside it."""

from __future__ import annotations

from benchmarks.plots.canvas import OTHERS, OURS, axes, save
from benchmarks.problem import CASES
from benchmarks.race import Row, has_its_own


def draw(rows: list[Row], name: str) -> None:
    """Bars on a logarithmic scale; hatched and open where the contender did not finish."""
    figure, panels = axes(2, 2, (13, 9))
    for ax, (case, (alpha, shape)) in zip(panels, CASES.items(), strict=True):
        here = sorted((row for row in rows if row["case"] == case), key=lambda row: -row["seconds"])
        for place, row in enumerate(here):
            colour = OURS if row["ours"] else OTHERS
            done = row["finished"]
            ax.barh(
                place,
                row["seconds"],
                color=colour if done else "none",
                edgecolor=colour,
                hatch="" if done else "///",
                linewidth=1.0,
            )
            residual = f", residual {row['residual']:.0e}" if row["residual"] is not None else ""
            text = f" {row['error']:.0e}" if done else f" stopped{residual}"
            ax.text(row["seconds"], place, text, va="center", fontsize=8)
        ax.set_yticks(range(len(here)), [_label(row) for row in here], fontsize=8)
        ax.set_xscale("log")
        ax.set_xlim(right=ax.get_xlim()[1] * 8)
        ax.set_xlabel("seconds (error of the limit beside the bar)")
        ax.set_title(f"case {case}: alpha = {alpha:g}, s = {shape:g}", fontsize=10)
    figure.suptitle("One flow, d = 1000, N = 100, one core")
    save(figure, name)


def _label(row: Row) -> str:
    return row["contender"] if has_its_own(row["contender"]) else f"{row['contender']}, rtol {row['rtol']:.0e}"
