"""Figure data of sweeps: every cell is drawn, hollow, or named in the caption."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initshape.figures import FigureError, sweep_figure
from initshape.figures.data import number, short


def row(scale: object = 1e-3, shape: object = 0.5, error: object = 0.1, **more: object) -> dict[str, object]:
    return {
        "scale": scale, "shape": shape, "population_error": error,
        "outcome": "converged", "status": "succeeded", **more,
    }  # fmt: skip


def test_one_line_a_shape_in_order_of_scale() -> None:
    rows = [row(scale, shape, scale + shape) for scale in (1e-1, 1e-5, 1e-3) for shape in (0, 0.9)]
    figure = sweep_figure(rows, ("scale", "shape"))
    assert [series.label for series in figure.series] == ["0", "0.9"]
    assert [series.x for series in figure.series] == [(1e-5, 1e-3, 1e-1)] * 2
    assert figure.series[1].y == (1e-5 + 0.9, 1e-3 + 0.9, 1e-1 + 0.9)
    assert (figure.x.scale, figure.y.scale) == ("log", "log")
    assert figure.caption == "6 cells. All converged."
    assert "shape" in figure.legend_title


def test_cells_that_did_not_converge_are_hollow_and_named() -> None:
    rows = [row(1e-3), row(1e-2, outcome="reached_max_time"), row(1e-1)]
    figure = sweep_figure(rows, ("scale",))
    assert figure.series[0].solid == (True, False, True)
    assert "1 ran out of flow time" in figure.caption


def test_failed_and_missing_cells_are_told_in_the_caption() -> None:
    rows = [row(1e-3), row(1e-2, error=None, outcome=None, status="failed"), row(1e-1, error=None)]
    figure = sweep_figure(rows, ("scale",))
    assert figure.series[0].x == (1e-3,)
    assert figure.caption.startswith("1 of 3 cells drawn.")
    assert "Not computed: 1 failed." in figure.caption
    assert "Without a population error that this axis can show: 1." in figure.caption


def test_replicates_are_averaged_with_a_band() -> None:
    rows = [row(scale, 0, value, seed=k) for scale in (1e-3, 1e-1) for k, value in enumerate((0.1, 0.2, 0.6))]
    figure = sweep_figure(rows, ("scale", "shape", "seed"), replicate="seed")
    (line,) = figure.series
    assert line.y == pytest.approx((0.3, 0.3))
    assert line.low == pytest.approx((0.12, 0.12))  # 10 % of the way from the first to the last of 3 order statistics
    assert line.high == pytest.approx((0.52, 0.52))
    assert "n = 3" in line.label
    assert "means over seed" in figure.caption


def test_any_swept_field_can_be_the_axis() -> None:
    rows = [row(samples=samples, depth=depth, error=1 / samples) for samples in (10, 20) for depth in (2, 3)]
    figure = sweep_figure(rows, ("samples", "depth"))
    assert "samples" in figure.x.label
    assert figure.x.scale == "linear"
    assert [series.label for series in figure.series] == ["2", "3"]


def test_per_coordinate_scales_are_no_axis() -> None:
    with pytest.raises(FigureError, match="No swept field has numbers"):
        sweep_figure([row(scale=[1e-3, 1e-2])], ("scale",))
    with pytest.raises(FigureError, match="no cells"):
        sweep_figure([], ("scale",))
    with pytest.raises(FigureError) as caught:
        sweep_figure([row()], ("scale",), kind="pie")
    assert caught.value.allowed == ("scale_curve", "limit_distance", "distance", "margins")


odd = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.just("text"),
    st.integers(),
    st.booleans(),
    st.just([1.0]),
)
outcomes = st.sampled_from(["converged", "diverged", "none_known", None])
statuses = st.sampled_from(["succeeded", "failed", "queued", "running", "cancelled"])


@given(st.lists(st.builds(row, odd, odd, odd, outcome=outcomes, status=statuses, seed=st.integers(0, 2)), min_size=1))
def test_odd_tables_lose_no_cell_silently(rows: list[dict[str, object]]) -> None:
    try:
        figure = sweep_figure(rows, ("scale", "shape", "seed"), replicate="seed")
    except FigureError:
        assert all(number(r["scale"]) is None and number(r["shape"]) is None for r in rows)
        return
    points = [(x, y) for series in figure.series for x, y in zip(series.x, series.y, strict=True)]
    assert all(math.isfinite(x) for x, y in points)
    if figure.x.scale == "log":
        assert all(x > 0 for x, _ in points)
    for series in figure.series:
        assert len(series.x) == len(series.y) == len(series.solid)
        assert list(series.x) == sorted(set(series.x))
    assert not figure.caption or figure.caption.split()[0].isdigit()


@pytest.mark.parametrize(
    ("value", "text"), [(1e-5, "1e-05"), (0.99, "0.99"), (1000, "1000"), ("radau", "radau"), (None, "None")]
)
def test_short_values(value: object, text: str) -> None:
    assert short(value) == text
