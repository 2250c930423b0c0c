"""Figures of regularizers, from the documents of examples/ to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from initshape.figures import FigureError
from initshape.figures.render import draw, render
from initshape.looks import draw as figure_of
from initshape.spec.parse import parse_yaml

FOLDER = Path(__file__).parents[2] / "examples" / "regularizers"
NEURON = {"model": {"kind": "single_neuron"}, "init": {"kind": "scale_shape", "scale": 2.0, "shape": 0.2}}
PLANE = {"axes": [{"coordinate": 0, "linspace": [-3, 3, 13]}, {"coordinate": 1, "linspace": [-2, 2, 9]}]}


def test_published_profiles() -> None:
    """Smaller delta, larger qhat; each line starts at 0 and is convex."""
    figure = figure_of(parse_yaml((FOLDER / "profile.yaml").read_bytes()))
    assert figure.kind == "regularizer_profile"
    assert [line.label for line in figure.series] == ["0", "1", "2", "5"]
    assert figure.legend_title == r"$\delta$"
    lines = np.array([line.y for line in figure.series])
    assert np.all(lines[:, 0] == 0.0)
    assert np.all(np.diff(lines[:, 1:], axis=0) < 0.0)
    assert np.all(np.diff(lines, 2, axis=1) > 0.0)


def test_published_contours() -> None:
    """Six panels; the dot is alpha (0.6, 0.8), the lowest point of each to within a grid step."""
    figure = figure_of(parse_yaml((FOLDER / "contours.yaml").read_bytes()))
    assert figure.kind == "regularizer_contour"
    assert [panel.title for panel in figure.panels][:2] == [
        r"$\alpha$ = 2, $s$ = 0",
        r"$\alpha$ = 2, $s$ = 0.2",
    ]
    for panel, alpha in zip(figure.panels, (2, 2, 2, 0.01, 1, 2.5), strict=True):
        assert panel.mark == pytest.approx((0.6 * alpha, 0.8 * alpha))
        j, i = np.unravel_index(np.argmin(panel.z), (101, 101))
        assert (panel.x[i], panel.y[j]) == pytest.approx(panel.mark, abs=0.2)
    picture = draw(figure)
    assert len(picture.axes) == 6
    assert [axes.get_xlabel() for axes in picture.axes] == [""] * 3 + ["$w[0]$"] * 3
    assert all(axes.get_xticklabels() for axes in picture.axes)


def test_axes_may_be_given_in_any_order() -> None:
    swapped = {"axes": PLANE["axes"][::-1]}
    (one,), (other,) = figure_of(NEURON | {"grid": PLANE}).panels, figure_of(NEURON | {"grid": swapped}).panels
    assert np.array(one.z) == pytest.approx(np.array(other.z).T)
    assert one.mark == pytest.approx(other.mark[::-1] if other.mark else None)


def test_axes_are_sorted_and_need_two_values() -> None:
    x, y = {"coordinate": 0, "values": [1, -2, 0, 1]}, {"coordinate": 1, "values": [3, -1]}
    (panel,) = figure_of(NEURON | {"grid": {"axes": [x, y]}}).panels
    (straight,) = figure_of(NEURON | {"grid": {"axes": [{**x, "values": [-2, 0, 1]}, {**y, "values": [-1, 3]}]}}).panels
    assert panel == straight
    with pytest.raises(FigureError, match="two different values"):
        figure_of(NEURON | {"grid": {"axes": [x, {**y, "values": [1, 1]}]}})


@pytest.mark.parametrize("largest", [1e-100, 1e100])
def test_absurd_ranges_are_drawn(largest: float) -> None:
    axes = [{"coordinate": k, "linspace": [-largest, largest, 5]} for k in (0, 1)]
    for model in ("single_neuron", "diagonal"):
        document = NEURON | {"model": {"kind": model}}
        assert render(figure_of(document | {"grid": {"axes": axes}}), "svg").startswith(b"<?xml")
        assert render(figure_of(document | {"grid": {"axes": axes[:1]}}), "svg").startswith(b"<?xml")


@pytest.mark.parametrize("what", [["value"], ["profile"]])
def test_one_look_is_a_figure_too(what: list[str]) -> None:
    line = {"axes": [{"values": [2.0, -1.0, 0.5]}]}
    figure = figure_of({"model": {"kind": "diagonal"}, "init": NEURON["init"], "grid": line, "what": what})
    (drawn,) = figure.series
    assert drawn.x == (-1.0, 0.5, 2.0)
    assert render(figure, "svg").startswith(b"<?xml")


def test_looks_without_a_closed_form_are_told() -> None:
    network = {"model": {"kind": "fully_connected", "width": 2}, "init": NEURON["init"], "grid": PLANE}
    with pytest.raises(FigureError, match="aligned"):
        figure_of(network)
    sweep: dict[str, Any] = {"base": network, "axes": [{"path": "model.width", "values": [1, 2]}]}
    figure = figure_of({"sweep": sweep})
    assert len(figure.panels) == 1
    assert "1 of 2 not drawn" in figure.caption


def test_what_was_assumed_is_told() -> None:
    init = {"kind": "scale_shape", "scale": 2.0, "shape": -0.2}
    assert "ends with the sign" in figure_of(NEURON | {"init": init, "grid": PLANE}).caption


def test_outside_the_domain_nothing_is_drawn() -> None:
    init = {"kind": "explicit", "u_plus": [1.0, 1.0], "v_plus": [1.0, 1.0], "u_minus": [1.0, 0.2], "v_minus": [-1.0, 0]}
    figure = figure_of({"model": {"kind": "diagonal"}, "init": init, "grid": PLANE})
    z = np.array(figure.panels[0].z)
    assert np.all(np.isnan(z[:, :6]))
    assert np.all(np.isfinite(z[:, 6:]))
    assert render(figure, "png").startswith(b"\x89PNG")
