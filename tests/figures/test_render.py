"""Pictures: real files, the same bytes each time, no global state touched, ticks that can be read."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from initshape.figures import Axis, FigureData, FigureError, Level, Series, sweep_figure
from initshape.figures.render import MEDIA_TYPES, draw, render
from initshape.figures.ticks import log_ticks


def listed() -> FigureData:
    """A sweep over three fields, and a listed cell that names two of them."""
    rows = [
        {"scale": scale, "shape": shape, "noise_variance": noise, "seed": seed, "population_error": 0.1 * scale + seed,
         "status": "succeeded", "outcome": "converged"}
        for scale in (1e-3, 1e-2) for shape, noise in ((0, 0.01), (0.5, 0.001)) for seed in (1, 2)
    ]  # fmt: skip
    alone = {**rows[0], "scale": 5, "shape": 0.9, "noise_variance": None, "seed": None}
    return sweep_figure([*rows, alone], ("scale", "shape", "noise_variance", "seed"), replicate="seed")


def curves(count: int = 5) -> FigureData:
    scales = np.logspace(-5, -0.6, 20).tolist()
    rows = [
        {"scale": scale, "shape": k / 10, "population_error": 0.02 + (k + 1) * scale, "status": "succeeded",
         "outcome": "converged" if scale < 0.1 else "stalled"}
        for scale in scales for k in range(count)
    ]  # fmt: skip
    return sweep_figure(rows, ("scale", "shape"))


@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_every_format_is_deterministic_and_undated(form: str, magic: bytes) -> None:
    first = render(curves(), form)
    assert first.startswith(magic)
    assert len(first) > 10_000
    assert render(curves(), form) == first
    assert not re.search(rb"20\d\d-\d\d-\d\d|CreationDate", first)


def test_a_fresh_process_draws_the_same_bytes() -> None:
    """SVG ids come from a salted hash and are the part that would differ between processes."""
    code = (
        "import sys; sys.path.insert(0, 'tests/figures'); from test_render import curves, render; "
        "sys.stdout.buffer.write(render(curves(), 'svg'))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other == render(curves(), "svg")


def test_threads_draw_the_same_bytes_and_settings_come_back() -> None:
    before = dict(mpl.rcParams)
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: render(curves(), "svg"), range(4)))
    assert len(set(pictures)) == 1
    assert dict(mpl.rcParams) == before


def test_the_callers_style_does_not_change_a_picture() -> None:
    plain = render(curves(), "svg")
    with mpl.rc_context({"axes.facecolor": "black", "lines.linewidth": 9.0, "font.size": 30.0}):
        assert render(curves(), "svg") == plain


def test_png_has_ink_and_room() -> None:
    image = np.asarray(Image.open(io.BytesIO(render(curves(), "png"))).convert("L"), dtype=float)
    assert image.shape[0] > 600
    assert image.shape[1] > 1000
    assert 0.01 < (image < 200).mean() < 0.3
    assert (image[:, :3] > 250).all(), "labels touch the left edge"
    assert (image[:, -3:] > 250).all(), "labels touch the right edge"


@pytest.mark.parametrize("count", [1, 5, 12])
def test_lines_differ_in_colour_and_marker(count: int) -> None:
    axes = draw(curves(count)).axes[0]
    lines = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    looks = {(line.get_color(), line.get_marker()) for line in lines}
    assert len(lines) == len(looks) == count


def test_hollow_points_are_drawn() -> None:
    axes = draw(curves()).axes[0]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == 5


def test_logarithmic_axes_show_exponents_and_minor_ticks() -> None:
    axes = draw(curves()).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [rf"$10^{{{e}}}$" for e in range(-5, 0)]
    assert len(axes.xaxis.get_minorticklocs()) > 20
    assert axes.get_xlim()[0] < 1e-5
    assert axes.get_xlim()[1] > 10**-0.6


def test_the_level_is_labelled() -> None:
    line = Series("d", (1.0, 10.0), (1.0, 1e-8))
    figure = FigureData("distance", "t", "c", Axis("t", "log"), Axis("d", "log"), (line,), (Level("accuracy", 2e-15),))
    axes = draw(figure).axes[0]
    assert any("accuracy: 2.0e-15" in text.get_text() for text in axes.texts)
    assert axes.get_ylim()[0] < 2e-15


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(FigureError) as caught:
        render(curves(), "gif")
    assert caught.value.allowed == tuple(MEDIA_TYPES)


@given(st.floats(-290, 290), st.floats(0, 40))
def test_log_ticks_are_readable_at_any_range(low: float, decades: float) -> None:
    a, b = 10.0**low, 10.0 ** min(low + decades, 295)
    ticks = log_ticks(a, b)
    assert ticks.low <= a <= b <= ticks.high
    assert len(ticks.major) == len(ticks.labels)
    assert 2 <= len(ticks.major) <= 12
    assert all(ticks.low <= value <= ticks.high for value in (*ticks.major, *ticks.minor))
    assert not set(ticks.major) & set(ticks.minor)


odd = st.one_of(st.none(), st.floats(), st.just(0.0), st.floats(1e-320, 1e308))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(odd, odd, st.sampled_from(["succeeded", "failed"])), min_size=1, max_size=6))
def test_odd_tables_never_break_the_picture(cells: list[tuple[float | None, float | None, str]]) -> None:
    rows = [{"scale": x, "population_error": y, "status": s, "outcome": "diverged"} for x, y, s in cells]
    try:
        figure = sweep_figure(rows, ("scale",))
    except FigureError:
        return
    assert render(figure, "svg").startswith(b"<?xml")


def test_the_data_need_no_plotting_library() -> None:
    code = "import sys, initshape.figures; sys.exit(any(m in sys.modules for m in ('matplotlib', 'jax', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_long_names_in_a_legend_are_not_cut() -> None:
    figure = draw(listed())
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x1 < figure.bbox.x1
    usual = draw(curves())
    inches = [f.axes[0].get_position().width * f.get_size_inches()[0] for f in (figure, usual)]
    assert inches[0] == pytest.approx(inches[1])


def test_a_listed_cell_is_called_by_what_it_names() -> None:
    labels = [series.label for series in listed().series]
    assert any(label.endswith("= 0.9") for label in labels)
    assert not any("None" in label for label in labels)
