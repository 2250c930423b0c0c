"""Trends of a soak as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.plots.canvas import axes
from tests.soak.sample import Sample, series
from tests.soak.slope import WARM_UP, Trend, trend


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Of every series that lasted for the whole run."""
    whole = samples[-1]["seconds"]
    kept = {n: points for n, points in series(samples).items() if points[-1][0] - points[0][0] > 0.9 * whole}
    return [trend(name, points) for name, points in sorted(kept.items())]


def table(found: Sequence[Trend]) -> str:
    """Markdown."""
    lines = ["| series | at first | after the warm-up | change an hour (95 %) | allowed | verdict |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    lines += [
        f"| {t.name} | {t.first:.0f} | {t.level:.0f} | {t.slope:+.1f} ({t.low:+.1f} to {t.high:+.1f}) | "
        f"{t.allowed:.1f} | {t.verdict} |"
        for t in found
    ]
    return "\n".join(lines)


def picture(samples: Sequence[Sample], path: Path) -> None:
    """Memory above, open files and keys below, relative to the level after the warm-up."""
    from matplotlib import pyplot

    figure, (memory, others) = axes(2, 1, (8.0, 6.0))
    warm = WARM_UP * samples[-1]["seconds"] / 60.0
    for name, points in sorted(series(samples).items()):
        ax = memory if name.endswith("MiB") else others
        minutes, values = [s / 60.0 for s, _ in points], [v for _, v in points]
        level = sorted(values)[len(values) // 2] or 1.0
        if ax is memory:
            ax.plot(minutes, values, label=name, linewidth=1.2)
        else:
            ax.plot(minutes, [value / level for value in values], label=name, linewidth=1.0)
    for ax, label in ((memory, "MiB"), (others, "relative to the median")):
        ax.axvline(warm, color="0.6", linestyle=":", linewidth=1.0)
        ax.set_ylabel(label)
        ax.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    memory.set_ylim(bottom=0.0)
    others.set_xlabel("minutes (the dotted line ends the warm-up)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
