"""Figure data of one experiment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.figures import FigureError, experiment_figure
from initshape.figures.experiment import experiment_kinds

TIME = np.concatenate([[0.0], np.logspace(0, 4, 50)])


def result(**flow: Any) -> dict[str, Any]:
    return {
        "outcome": "converged",
        "flow": {"outcome": "converged", "time": 1e4, "stopped_by": "relative_residual", "completion": None, **flow},
        "fits": [
            {"regularizer": "implicit", "relative_residual": 1e-16, "kkt_residual": 3e-15, "exactness": "exact",
             "theorem": "Theorem 4.1"},
        ],
        "comparisons": [{"regularizer": "implicit", "relative_distance": 2e-9}],
    }  # fmt: skip


def arrays() -> dict[str, Any]:
    return {
        "time": TIME,
        "train_loss": np.exp(-TIME / 1e3),
        "distance_kernel": np.full(51, 0.8),
        "distance_implicit": 1 / (1 + TIME),
        "w_trajectory": np.outer(TIME / 1e4, [1.0, 0.5, 0.01, -0.02]),
        "coordinate_index": np.array([0, 3, 5, 9]),
        "w_true": np.where(np.isin(np.arange(10), (0, 3)), 0.7, 0.0),
        "w_implicit": np.arange(10) / 10,
    }


def test_distance_has_the_implicit_line_first_and_the_accuracy_of_the_fit() -> None:
    figure = experiment_figure(result(), arrays())
    assert figure.kind == "distance"
    assert figure.series[0].label.endswith("(implicit)")
    assert len(figure.series) == 2
    assert figure.series[0].x == tuple(TIME[1:])  # t = 0 has no place on a logarithmic axis
    assert figure.series[0].y == tuple(1 / (1 + TIME[1:]))
    assert "2.0e-09" in figure.caption
    assert "exact here: Theorem 4.1" in figure.caption


def test_the_floor_of_the_solver_is_drawn_where_there_is_room_for_it() -> None:
    far = experiment_figure(result(), arrays())
    assert far.levels == ()
    assert "3.0e-15" in far.caption
    data = arrays() | {"distance_implicit": np.geomspace(1.0, 1e-11, 51)}
    (floor,) = experiment_figure(result(), data).levels
    assert floor.y == 3e-15


def test_distances_that_are_zero_or_not_finite_are_left_out() -> None:
    data = arrays()
    data["distance_implicit"][10] = np.nan
    data["distance_implicit"][11] = 0.0
    figure = experiment_figure(result(), data, kind="distance")
    assert len(figure.series[0].x) == 48


def test_without_a_distance_the_default_is_the_loss() -> None:
    data = {name: value for name, value in arrays().items() if not name.startswith("distance")}
    assert experiment_figure(result(), data).kind == "loss"
    with pytest.raises(FigureError) as caught:
        experiment_figure(result(), data, kind="distance")
    assert caught.value.allowed == ("loss", "coordinates")


def test_the_flow_that_gave_up_is_told() -> None:
    figure = experiment_figure(result(outcome="reached_max_time", stopped_by="max_time"), arrays(), kind="loss")
    assert "ran out of flow time" in figure.caption
    assert "max_time" in figure.caption


def test_completion_is_told() -> None:
    figure = experiment_figure(result(completion={"from_residual": 1e-6, "iterations": 2}), arrays(), kind="loss")
    assert "2 Gauss-Newton steps" in figure.caption


def test_coordinates_highlight_the_support() -> None:
    figure = experiment_figure(result(), arrays(), kind="coordinates")
    assert [(s.label, s.role) for s in figure.series if s.joined and s.role == "main"] == [
        ("$w_{0}$", "main"),
        ("$w_{3}$", "main"),
    ]
    assert sum(series.role == "context" for series in figure.series) == 2
    theory = next(series for series in figure.series if not series.joined)
    assert theory.y == (0.0, 0.3)


def test_coordinates_without_a_truth_highlight_the_largest() -> None:
    data = {name: value for name, value in arrays().items() if name != "w_true"}
    figure = experiment_figure(result(), data, kind="coordinates")
    assert "largest entries" in figure.caption


def classification() -> dict[str, Any]:
    gamma = np.concatenate([[0.0], np.logspace(-3, 3, 50)])
    return {
        "time": TIME, "gamma": gamma, "train_loss": np.exp(-gamma), "margin": np.tanh(gamma) - 0.1,
        "distance_implicit": 1 / (1 + gamma), "w_trajectory": np.outer(gamma, [0.5, -0.2]),
        "coordinate_index": np.array([0, 1]), "w_implicit": np.array([0.5, -0.2]), "w_l2": np.array([0.3, 0.4]),
    }  # fmt: skip


def test_classification_is_drawn_against_gamma() -> None:
    """w grows like gamma: coordinates are drawn over it, and then stand at theory's answer."""
    data = classification()
    for kind in ("distance", "coordinates", "margins"):
        figure = experiment_figure(result(), data, kind=kind)
        assert "gamma" in figure.x.label
        assert figure.series[0].x == tuple(data["gamma"][1:])
        assert figure.levels == () or kind == "margins"
    coordinates = experiment_figure(result(), data, kind="coordinates").series
    assert coordinates[0].y == pytest.approx(np.full(50, 0.5))
    loss = experiment_figure(result(), data, kind="loss").series[0]
    assert loss.y == tuple(data["gamma"][1:])  # the loss itself would underflow


def test_margins_and_the_largest_one() -> None:
    figure = experiment_figure(result(), classification(), kind="margins")
    assert figure.series[0].y == pytest.approx(classification()["margin"][1:])
    assert figure.levels[0].y == pytest.approx(2.0)  # 1/||w_l2||
    with pytest.raises(FigureError, match="classification"):
        experiment_figure(result(), arrays(), kind="margins")


def test_a_fit_without_a_flow_has_nothing_to_draw() -> None:
    assert experiment_kinds({"X": np.eye(2)}) == ()
    with pytest.raises(FigureError, match="nothing to draw"):
        experiment_figure({"flow": None}, {"X": np.eye(2)})
    with pytest.raises(FigureError, match="no experiment figure"):
        experiment_figure(result(), arrays(), kind="pie")
