"""Curves of many cells in one figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.figures import FigureError, sweep_figure

TIME = np.concatenate([[0.0], np.logspace(-2, 3, 20)])


def row(k: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"x-{k}", "scale": 10.0**-k, "shape": 0.5, "outcome": "converged", "relative_distance": 10.0 ** -(8 + k),
        "fit_relative_residual": 1e-12, "exactness": "exact", "status": "succeeded", **more,
    }  # fmt: skip


def cells(count: int, **more: Any) -> dict[str, dict[str, Any]]:
    found = {"time": TIME, "distance_implicit": np.geomspace(1.0, 1e-9, 21)}
    return {f"x-{k}": found | more for k in range(count)}


def test_one_line_a_cell_labelled_by_what_is_swept() -> None:
    figure = sweep_figure([row(k) for k in range(3)], ("scale", "shape"), kind="distance", arrays=cells(3))
    assert [line.label for line in figure.series] == ["1", "0.1", "0.01"]
    assert "scale" in figure.legend_title
    assert figure.series[0].x == tuple(TIME[1:])
    assert figure.levels[0].y == 1e-12
    assert "1.0e-10 to 1.0e-08" in figure.caption
    assert "All converged. Theory is exact here." in figure.caption


@pytest.mark.parametrize(("last", "told"), [(1e-6, True), (1e-9, False)])
def test_lines_that_end_before_the_flow_does_say_so(last: float, told: bool) -> None:
    arrays = cells(2, distance_implicit=np.geomspace(1.0, last, 21))
    figure = sweep_figure([row(0), row(1)], ("scale",), kind="distance", arrays=arrays)
    assert ("1.0e-09 to 1.0e-08. The Newton steps that complete a flow are not drawn." in figure.caption) is told


def test_two_swept_fields_are_both_told() -> None:
    rows = [row(0), row(1, shape=0.9)]
    figure = sweep_figure(rows, ("scale", "shape"), kind="distance", arrays=cells(2))
    assert figure.series[1].label == r"$\alpha$ = 0.1, $s$ = 0.9"


def test_cells_without_a_curve_are_counted() -> None:
    rows = [row(0), row(1, outcome=None, status="failed"), row(2, outcome="reached_max_time", exactness="limit")]
    arrays = {name: found for name, found in cells(3).items() if name != "x-1"}
    figure = sweep_figure(rows, ("scale",), kind="distance", arrays=arrays)
    assert len(figure.series) == 2
    assert figure.caption.startswith("Distance to theory's answer")
    assert "2 of 3 cells drawn. 1 did not converge." in figure.caption
    assert "exact or exact in a limit" in figure.caption


def test_margins_are_drawn_against_gamma() -> None:
    gamma = np.logspace(-3, 2, 21)
    arrays = cells(2, gamma=gamma, margin=np.tanh(gamma) - 0.2)
    figure = sweep_figure([row(0), row(1)], ("scale",), kind="margins", arrays=arrays)
    assert figure.kind == "margins"
    assert figure.series[0].x == pytest.approx(gamma)
    assert figure.series[0].y == pytest.approx(np.tanh(gamma) - 0.2)
    directions = sweep_figure([row(0), row(1)], ("scale",), kind="distance", arrays=arrays)
    assert "gamma" in directions.x.label
    assert directions.levels == ()


def test_nothing_and_too_much_are_refused() -> None:
    with pytest.raises(FigureError, match="No cell"):
        sweep_figure([row(0)], ("scale",), kind="distance")
    with pytest.raises(FigureError, match="25 cells are too many"):
        sweep_figure([row(k) for k in range(25)], ("scale",), kind="distance", arrays=cells(25))


def test_the_limit_against_the_step_size() -> None:
    rows = [row(k, step_size=10.0**-k) for k in range(3)] + [row(3, step_size=9.0, outcome="diverged")]
    figure = sweep_figure(rows, ("step_size",), kind="limit_distance")
    assert figure.kind == "limit_distance"
    (line,) = figure.series
    assert line.y == pytest.approx((1e-10, 1e-9, 1e-8))
    assert "Not drawn: 1 diverged." in figure.caption
