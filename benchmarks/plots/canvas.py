"""One look for all pictures, and where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent.parent / "images"
OURS, OTHERS = "#c23b22", "#4a6fa5"


def axes(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    """A figure and its axes, drawn without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in grid.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(visible=True, which="major", color="0.9", linewidth=0.7)
        ax.set_axisbelow(True)
    return figure, list(grid.flat)


def save(figure: Any, name: str) -> None:
    """As PNG, small enough to be committed."""
    from matplotlib import pyplot

    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.png", dpi=110)
    pyplot.close(figure)
